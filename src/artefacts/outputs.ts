import { type Poured, type Prepared, STDOUT } from '../bytes/pour.ts';
import type { WritableFormat } from '../compression/compress.ts';
import { type Report, silent } from '../events/events.ts';
import type { Settings } from '../settings/table.ts';
import type { Tree } from '../tree/tree.ts';
import { initrd, tar } from './archives.ts';
import { tarCompression } from './compressions.ts';
import { directory } from './folder.ts';
import type { Features, ImageKind, Planned } from './kind.ts';
import { imageTree, initrdTree } from './variant.ts';
import { type DiskOptions, disk } from './volumes.ts';

const MIB = 1024 * 1024;

/** Something to write, and where: `-` is standard output. */
export interface Output {
  readonly kind: 'rootfs' | 'initrd' | 'image';
  readonly path: string;
}

/** Inputs of outputs besides the tree. */
export interface OutputOptions {
  readonly settings: Settings;
  /** Process 1 of the guest. */
  readonly init: 'systemd' | 'agent';
  /** Unix seconds; no time stamp in the output is later. */
  readonly epoch: number;
  /** `uname -m` name of the guest's processor. */
  readonly architecture: string;
  /** A folder for temporary files, for image kinds that compress before they plan. */
  readonly workspace?: () => string;
}

/** An output, bound to its image kind and the options that settings give it. */
export interface Writing {
  readonly kind: ImageKind<never>['name'];
  readonly features: Features;
  /** True when the output is usually large and not compressed. */
  readonly large: boolean;
  /** Rejects options that are invalid for every tree; fetches and writes nothing. */
  validate(): Promise<void>;
  /** Plans the output of a tree. `report` receives what takes long. */
  write(tree: Tree, report?: Report): Promise<Planned>;
}

/** The image kind of each output of a build, and how the guest's tree is adapted for it. */
const OUTPUTS: Readonly<Record<Output['kind'], (path: string, options: OutputOptions) => Writing>> = {
  rootfs: (path) => rootfsWriting(path),
  initrd: (_, { settings, init, epoch }) =>
    bound(
      initrd,
      {
        compress: settings.compress as WritableFormat,
        ...(settings.compressLevel === undefined ? {} : { level: settings.compressLevel }),
      },
      settings.compress === 'none',
      (tree) => initrdTree(tree, { init, epoch }),
    ),
  image: (_, options) => bound(disk, diskOptions(options), true, (tree) => imageTree(tree, options.epoch)),
};

/** Finds the image kind of an output. Throws `NOT_SUPPORTED` for a rootfs whose file name has an unknown format. */
export function writingOf(output: Output, options: OutputOptions): Writing {
  return OUTPUTS[output.kind](output.path, options);
}

/**
 * Writes a tree in the form its path's name selects: a folder (`DIR/`, or no known ending) or a tar archive.
 *
 * @example
 * ```ts
 * import { file, memory, Tree, writeRootfs } from 'osbuilder';
 *
 * const tree = new Tree();
 * tree.set('etc/hostname', file(memory('kata')));
 * for (const path of ['made/', 'made.tar', 'made.tar.gz']) {
 *   const { sha256 } = await writeRootfs(tree, path);
 *   console.log(sha256.length); // prints: 64
 * }
 * // prints: 64
 * // prints: 64
 * ```
 */
export async function writeRootfs(tree: Tree, path: string, how: WriteOptions = {}): Promise<Poured> {
  const prepared = await prepareOutput(rootfsWriting(path), tree, path, how);
  prepared.commit();
  return prepared.value;
}

/** How an output is written. */
export interface WriteOptions {
  /** Replace a folder that this program did not write. */
  readonly force?: boolean;
  /** Receives progress, and warnings about what the build host cannot store. */
  readonly report?: Report;
}

/** Plans an output and writes it under a temporary name; `commit` of the result renames it. */
export async function prepareOutput(
  writing: Pick<Writing, 'write'>,
  tree: Tree,
  path: string,
  { force = false, report = silent }: WriteOptions = {},
): Promise<Prepared<Poured>> {
  report({ kind: 'phase', phase: 'write', item: path });
  const planned = await writing.write(tree, report);
  report({ kind: 'phase', phase: 'write', bytes: planned.work, item: path });
  const progress = (bytes: number): void => report({ kind: 'progress', phase: 'write', bytes, item: path });
  const prepared = await planned.prepare(path, { progress, force, report });
  report({ kind: 'ended', phase: 'write', bytes: prepared.value.size, item: path });
  return prepared;
}

/** True when a path's name means a folder rather than an archive. */
export function isFolderOutput(path: string): boolean {
  return path !== STDOUT && tarCompression(path) === undefined;
}

function rootfsWriting(path: string): Writing {
  const compress = path === STDOUT ? 'none' : tarCompression(path);
  if (compress === undefined) return bound(directory, {}, false);
  return bound(tar, { compress }, compress === 'none');
}

function bound<O>(
  kind: ImageKind<O>,
  options: O,
  large: boolean,
  adapt: (tree: Tree) => Tree = (tree) => tree,
): Writing {
  return {
    kind: kind.name,
    features: kind.features,
    large,
    validate: () => kind.validate(options),
    write: (tree, report) => kind.write(adapt(tree), options, report),
  };
}

function diskOptions({ settings, epoch, architecture, workspace }: OutputOptions): DiskOptions {
  return {
    fileSystem: settings.fsType as DiskOptions['fileSystem'],
    layout: settings.partitionTable === 'gpt' ? 'gpt' : settings.skipDaxHeader ? 'mbr' : 'nvdimm',
    blockSize: settings.blockSize!,
    freeSpace: settings.rootFreeSpace! * MIB,
    // Kata's own builder rounds the sizes of file systems that are written to, but not of erofs
    alignment: (settings.imageSizeAlignmentMb ?? (settings.fsType === 'erofs' ? 1 : 128)) * MIB,
    label: settings.fsLabel!,
    features: settings.fsFeatures ?? [],
    ...(settings.fsOptions === undefined ? {} : { options: settings.fsOptions }),
    ...(workspace === undefined ? {} : { workspace }),
    epoch,
    architecture,
    ...(settings.fsUuid === undefined ? {} : { uuid: settings.fsUuid }),
  };
}
