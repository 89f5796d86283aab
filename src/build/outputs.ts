import { digestOf } from '../bytes/digest.ts';
import { type Poured, pour } from '../bytes/pour.ts';
import { compress } from '../compression/compress.ts';
import { BuildError } from '../errors/error.ts';
import { tarArchive } from '../formats/tar/emit.ts';
import { initrd } from '../images/initrd.ts';
import type { Init } from '../rootfs/guest.ts';
import type { Settings } from '../settings/table.ts';
import { writeDirectory } from '../tree/directory-write.ts';
import type { Tree } from '../tree/tree.ts';
import type { Doors } from './doors.ts';

/** Something to write, and where. */
export interface Output {
  readonly kind: 'rootfs' | 'initrd' | 'image';
  readonly path: string;
}

/** What artefacts depend on besides the tree. */
export interface OutputOptions {
  readonly settings: Settings;
  readonly init: Init;
  readonly epoch: number;
  /** `uname -m` name of the guest's processor. */
  readonly architecture: string;
}

/** Writes one artefact of a tree, hashed on the way; nothing appears under its name until it is whole. */
export async function writeOutput(
  tree: Tree,
  output: Output,
  options: OutputOptions,
  doors: Pick<Doors, 'report'>,
): Promise<Poured & { kind: Output['kind'] }> {
  const { report } = doors;
  report({ kind: 'phase', phase: 'write' });
  const progress = (bytes: number) => report({ kind: 'progress', phase: 'write', bytes, item: output.path });
  const poured = await write(tree, output, options, progress);
  report({ kind: 'ended', phase: 'write', bytes: poured.size });
  report({ kind: 'written', artefact: output.kind, path: poured.path, size: poured.size, sha256: poured.sha256 });
  return { kind: output.kind, ...poured };
}

async function write(
  tree: Tree,
  output: Output,
  options: OutputOptions,
  progress: (bytes: number) => void,
): Promise<Poured> {
  const { settings, init, epoch, architecture } = options;
  switch (output.kind) {
    case 'rootfs':
      return writeRootfs(tree, output.path, progress);
    case 'initrd': {
      const bytes = initrd(tree, {
        compress: settings.compress as 'gzip',
        ...(settings.compressLevel === undefined ? {} : { level: settings.compressLevel }),
        init,
        epoch,
      });
      return pour(bytes, output.path, { progress });
    }
    case 'image': {
      const { image } = await import('../images/image.ts');
      const disk = await image(tree, { ...imageOptions(settings), epoch, architecture });
      return pour(disk.open(), output.path, { progress, sparse: true, size: disk.size });
    }
    default:
      output.kind satisfies never;
      throw new TypeError(`no such output: ${String(output.kind)}`);
  }
}

const TAR = /\.(?:tar(?:\.(gz|zst|lz4|xz|bz2))?|t(gz|zst))$/;
const BY_SUFFIX: Readonly<Record<string, 'gzip' | 'zstd' | 'lz4'>> = { gz: 'gzip', zst: 'zstd', lz4: 'lz4' };

/** Writes a tree as its path's name asks: a folder (`DIR/`, or no known suffix) or a tar with its compression. */
export async function writeRootfs(tree: Tree, path: string, progress: (bytes: number) => void): Promise<Poured> {
  const match = TAR.exec(path);
  if (match === null) {
    const written = await writeDirectory(tree, path);
    // a folder has no bytes of its own to digest: its identity is that of the archive the same tree gives
    const archive = tarArchive(tree);
    return { path: written.path, size: archive.size, sha256: await digestOf(archive) };
  }
  const suffix = match[1] ?? match[2];
  const archive = tarArchive(tree);
  if (suffix === undefined) return pour(archive.open(), path, { progress, size: archive.size });
  const format = BY_SUFFIX[suffix];
  if (format === undefined)
    throw new BuildError('NOT_SUPPORTED', {
      what: path,
      reason: `.${suffix} is not written; there are .tar, .tar.gz, .tar.zst and .tar.lz4`,
    });
  return pour(compress(archive.open(), format), path, { progress });
}

function imageOptions(settings: Settings) {
  return {
    blockSize: settings.blockSize!,
    freeSpace: settings.rootFreeSpace! * 1024 * 1024,
    alignment: settings.imageSizeAlignmentMb! * 1024 * 1024,
    plain: settings.skipDaxHeader!,
    table: settings.partitionTable!,
    label: settings.fsLabel!,
    features: settings.fsFeatures ?? [],
    ...(settings.fsUuid === undefined ? {} : { uuid: settings.fsUuid }),
  };
}
