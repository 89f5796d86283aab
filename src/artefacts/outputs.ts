import { dirname, join } from 'node:path';
import { memory } from '../bytes/content.ts';
import { isStream, type Poured, type Prepared, preparePour, STDOUT } from '../bytes/pour.ts';
import type { WritableFormat } from '../compression/compress.ts';
import { type Report, silent } from '../events/events.ts';
import { dmModCreate, kataParameters, type Measurement } from '../formats/verity/parameters.ts';
import type { Settings } from '../settings/table.ts';
import type { Labels } from '../system/label.ts';
import type { Tree } from '../tree/tree.ts';
import { initrd, tar } from './archives.ts';
import { tarCompression } from './compressions.ts';
import type { DiskOptions } from './disk-options.ts';
import { readSigner, saltOf } from './disk-options.ts';
import { invalidOption } from './filesystem.ts';
import { directory } from './folder.ts';
import type { Features, ImageKind, Planned } from './kind.ts';
import type { VerityOptions } from './layouts.ts';
import { imageTree, initrdTree } from './variant.ts';
import { disk } from './volumes.ts';

const MIB = 1024 * 1024;

/** Something to write, and where: `-` is standard output. */
export interface Output {
  readonly kind: 'rootfs' | 'initrd' | 'image' | 'extension';
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
  /** Labels of SELinux, for files that an output has besides those of the tree. */
  readonly labels?: Labels;
  /** A folder for temporary files, for image kinds that compress before they plan. */
  readonly workspace?: () => string;
}

/** An output, bound to its image kind and the options that settings give it. */
export interface Writing {
  readonly kind: ImageKind<never>['name'];
  readonly features: Features;
  /** True when the output is usually large and not compressed. */
  readonly large: boolean;
  /** How a disk is laid out. */
  readonly layout?: DiskOptions['layout'];
  /** Path of the file that is written beside it: the root hash of a measured image. */
  readonly beside?: string;
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
  image: (path, options) => {
    const own = diskOptions(options);
    const writing = {
      ...bound(disk, own, true, (tree) =>
        imageTree(tree, { ...options, lostFound: options.settings.fsType === 'ext4' }),
      ),
      layout: own.layout,
    };
    return withRootHash(writing, path, options.settings);
  },
  // nothing is added to it: a guest mounts it below /run, and reads from it what it needs
  extension: (path, options) => {
    const own = diskOptions(options);
    return withRootHash({ ...bound(disk, own, true), layout: own.layout }, path, options.settings);
  },
};

function withRootHash(writing: Writing, path: string, settings: Settings): Writing {
  const beside = rootHashPath(path, settings);
  return beside === undefined ? writing : { ...writing, beside };
}

/**
 * Where the root hash of a measured image goes: `root_hash_VARIANT.txt` in its folder as Kata's image builder has it, or
 * `IMAGE.roothash` as systemd looks for it. Undefined for an image that is not measured, and for
 * standard output, a pipe or a device.
 */
function rootHashPath(path: string, settings: Settings): string | undefined {
  if (!settings.measuredRootfs) return undefined;
  const variant = settings.buildVariant ?? '';
  if (/[/\0]/.test(variant)) throw invalidOption('buildVariant', variant, 'it is a part of a file name');
  if (isStream(path)) return undefined;
  if (settings.partitionTable === 'gpt') return `${path.replace(/\.raw$/, '')}.roothash`;
  return join(dirname(path), `root_hash_${variant}.txt`);
}

/** A file or folder that is written. */
export interface Place {
  /** As the user wrote it, where it is not derived. */
  readonly path: string;
  /** Its name in messages. */
  readonly what: string;
  readonly folder: boolean;
}

/** What an output writes: itself, and the root hash of a measured image. */
export function placesOf({ kind, path }: Output, settings: Settings): Place[] {
  const folder = kind === 'rootfs' && path !== STDOUT && tarCompression(path) === undefined;
  const beside = kind === 'image' || kind === 'extension' ? rootHashPath(path, settings) : undefined;
  const place = { path, what: kind, folder };
  return beside === undefined ? [place] : [place, { path: beside, what: 'root hash', folder: false }];
}

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

/** The root hash of a measured image, in every form that something takes it in. */
export interface VerityFacts {
  /** Hex. */
  readonly rootHash: string;
  /** Hex. */
  readonly salt: string;
  readonly algorithm: string;
  readonly dataBlocks: number;
  readonly dataBlockSize: number;
  readonly hashBlockSize: number;
  /** `roothash=…`, for the kernel command line of a guest with systemd. */
  readonly roothash: string;
  /** `kernel_verity_params` of a Kata runtime's configuration; for Kata's layout. */
  readonly kernelVerityParams?: string;
  /** `dm-mod.create="…"`, as Kata's runtimes make it for an image on virtio-blk; for Kata's layout. */
  readonly dmModCreate?: string;
  /** The same for an image on an NVDIMM. */
  readonly dmModCreateNvdimm?: string;
  /** The file with the root hash. */
  readonly path?: string;
}

/** A written output, and the root hash of a measured one. */
export type PouredOutput = Poured & { readonly verity?: VerityFacts };

function factsOf(measurement: Measurement, { layout, beside }: Pick<Writing, 'layout' | 'beside'>): VerityFacts {
  const { rootHash, dataBlocks, format } = measurement;
  const { salt, algorithm, dataBlockSize, hashBlockSize } = format;
  return {
    rootHash,
    salt: Buffer.from(salt).toString('hex'),
    ...{ algorithm, dataBlocks, dataBlockSize, hashBlockSize },
    roothash: `roothash=${rootHash}`,
    ...(layout === 'gpt'
      ? {}
      : { kernelVerityParams: kataParameters(measurement), dmModCreate: dmModCreate(measurement, '/dev/vda') }),
    ...(layout === 'nvdimm' ? { dmModCreateNvdimm: dmModCreate(measurement, '/dev/pmem0p') } : {}),
    ...(beside === undefined ? {} : { path: beside }),
  };
}

/** Plans an output and writes it under a temporary name, with what goes beside it; `commit` renames all of it. */
export async function prepareOutput(
  writing: Pick<Writing, 'write' | 'beside' | 'layout'>,
  tree: Tree,
  path: string,
  { force = false, report = silent }: WriteOptions = {},
): Promise<Prepared<PouredOutput>> {
  report({ kind: 'phase', phase: 'write', item: path });
  const planned = await writing.write(tree, report);
  report({ kind: 'phase', phase: 'write', bytes: planned.work, item: path });
  const progress = (bytes: number): void => report({ kind: 'progress', phase: 'write', bytes, item: path });
  const prepared = await planned.prepare(path, { progress, force, report });
  report({ kind: 'ended', phase: 'write', bytes: prepared.value.size, item: path });
  if (planned.measurement === undefined) return prepared;
  try {
    const verity = factsOf(await planned.measurement(), writing);
    const value = { ...prepared.value, verity };
    const line = verity.kernelVerityParams ?? verity.rootHash;
    if (writing.beside === undefined) {
      report({ kind: 'note', message: `the root hash, which is written to no file here: ${line}` });
      return { ...prepared, value };
    }
    const side = await preparePour(memory(`${line}\n`).open(), writing.beside);
    return {
      ...prepared,
      value,
      commit() {
        prepared.commit();
        side.commit();
      },
      abandon() {
        prepared.abandon();
        side.abandon();
      },
    };
  } catch (error) {
    prepared.abandon();
    throw error;
  }
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

function verityOptions({ veritySalt, verityKey, verityCert }: Settings): VerityOptions {
  return {
    ...(veritySalt === undefined ? {} : { salt: saltOf(veritySalt) }),
    ...(verityKey === undefined || verityCert === undefined ? {} : { signer: readSigner(verityKey, verityCert) }),
  };
}

function diskOptions({ settings, epoch, architecture, workspace }: OutputOptions): DiskOptions {
  const nvdimm = settings.partitionTable !== 'gpt' && !settings.skipDaxHeader;
  return {
    fileSystem: settings.fsType as DiskOptions['fileSystem'],
    layout: settings.partitionTable === 'gpt' ? 'gpt' : settings.skipDaxHeader ? 'mbr' : 'nvdimm',
    blockSize: settings.blockSize!,
    freeSpace: settings.rootFreeSpace! * MIB,
    // Kata's own builder rounds the sizes of file systems that are written to, but not of erofs; an NVDIMM whose end is on
    // no multiple of 2 MiB is not mapped (kernel, nd_pfn_validate)
    alignment: (settings.imageSizeAlignmentMb ?? (settings.fsType !== 'erofs' ? 128 : nvdimm ? 2 : 1)) * MIB,
    label: settings.fsLabel!,
    features: settings.fsFeatures ?? [],
    ...(settings.kernelCompat === undefined ? {} : { kernel: settings.kernelCompat }),
    ...(settings.fsOptions === undefined ? {} : { options: settings.fsOptions }),
    ...(workspace === undefined ? {} : { workspace }),
    epoch,
    architecture,
    ...(settings.fsUuid === undefined ? {} : { uuid: settings.fsUuid }),
    ...(settings.sectorSize === undefined ? {} : { sectorSize: settings.sectorSize }),
    ...(settings.measuredRootfs ? { verity: verityOptions(settings) } : {}),
  };
}
