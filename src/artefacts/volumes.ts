import { type RandomAccess, section } from '../bytes/file.ts';
import { BuildError } from '../errors/error.ts';
import { type Report, warning } from '../events/events.ts';
import { hasDaxHeader } from '../formats/disk/dax.ts';
import { readGpt } from '../formats/disk/gpt.ts';
import { readMbr, SECTOR } from '../formats/disk/mbr.ts';
import type { Tree } from '../tree/tree.ts';
import { type DiskOptions, fileSystemOptions, rejectDiskOptions } from './disk-options.ts';
import { entriesOf } from './entries.ts';
import type { FileSystem, FileSystemImage, FileSystemOptions } from './filesystem.ts';
import { FILE_SYSTEMS, fileSystemOn, mayHoldRoot, unreadOn } from './filesystems.ts';
import { type Artefact, type ImageKind, type Structure, stream } from './kind.ts';
import { LAYOUTS } from './layouts.ts';
import type { Probe } from './probe.ts';
import { diskStructures, type Volume } from './structures.ts';

/** An image kind for a bare file system. */
function bare(system: FileSystem): ImageKind<FileSystemOptions> {
  return {
    name: system.name,
    features: system.holds,
    limits: system.limits,
    async open(file) {
      const { offset, bytes } = system.magic;
      if (file.head.length < offset + bytes.length || !bytes.every((byte, i) => file.head[offset + i] === byte))
        return undefined;
      // what lies between a valid partition table and the first partition is no file system, whatever it looks like
      if (await hasValidTable(file)) return undefined;
      return image(file, system.name, async () => {
        const access = await file.access();
        return { structures: [], volumes: [{ name: 'the whole file', offset: 0, size: access.size }] };
      });
    },
    validate: (options) => system.validate(options),
    async write(tree, options, report) {
      const planned = await system.plan(tree, options, report);
      return stream(() => planned.open(), planned.size, { sparse: true });
    },
  };
}

/** Bare ext4 file systems (ext2 and ext3 are read, too). */
export const ext4 = bare(FILE_SYSTEMS.ext4);

/** Bare EROFS file systems. */
export const erofs = bare(FILE_SYSTEMS.erofs);

/** Bare XFS file systems. */
export const xfs = bare(FILE_SYSTEMS.xfs);

/** Disks with a partition table. */
export const disk: ImageKind<DiskOptions> = {
  name: 'disk',
  features: FILE_SYSTEMS.ext4.holds,
  limits: FILE_SYSTEMS.ext4.limits,
  async open(file) {
    if (!(await isDisk(file))) return undefined;
    return image(file, 'disk', async () => diskStructures(await file.access()));
  },
  async validate(options) {
    rejectDiskOptions(options);
    await FILE_SYSTEMS[options.fileSystem].validate(fileSystemOptions(options));
  },
  async write(tree, options, report) {
    const layout = LAYOUTS[options.layout];
    const root = await FILE_SYSTEMS[options.fileSystem].plan(
      tree,
      {
        ...fileSystemOptions(options),
        // the minimum size for the content, then all the space that the disk's alignment leaves
        size: (least) => layout.capacity(least, options),
      },
      report,
    );
    // a table with the root hash needs all bytes before the first is written
    if (options.layout === 'gpt' && options.verity !== undefined)
      report?.({ kind: 'phase', phase: 'hash', bytes: root.size });
    const { content, measurement } = await layout.write(root, options);
    if (options.layout === 'gpt' && options.verity !== undefined)
      report?.({ kind: 'ended', phase: 'hash', bytes: root.size });
    if (options.layout === 'nvdimm') noteUnmapped(options, root, content.size, report);
    const planned = stream(() => content.open(), content.size, { sparse: true });
    return measurement === undefined ? planned : { ...planned, measurement };
  },
};

/** The kernel maps NVDIMM devices in sections of this size (SUBSECTION_SIZE in its include/linux/mmzone.h). */
const NVDIMM_SECTION = 2 * 1024 * 1024;

/** Says why a disk with a header for NVDIMM devices will not be mapped in place. */
function noteUnmapped(options: DiskOptions, root: FileSystemImage, size: number, report: Report | undefined): void {
  const reason =
    options.verity !== undefined
      ? 'dm-verity checks what is read, so files are not mapped with DAX'
      : root.mappable === false
        ? 'compressed files cannot be mapped with DAX'
        : undefined;
  if (reason !== undefined)
    report?.({ kind: 'note', message: `the image has a header for NVDIMM devices, but ${reason}` });
  else if (size % NVDIMM_SECTION !== 0) report?.(warning('NVDIMM_UNALIGNED', { size }));
}

/** True for a disk whose first partition table has no faults and names partitions inside of the disk. */
async function hasValidTable(file: Probe): Promise<boolean> {
  const table = readMbr(file.head.subarray(0, SECTOR));
  if (table === undefined || table.partitions.length === 0) return false;
  const { structures, volumes } = diskStructures(await file.access());
  return volumes.length > 0 && structures.every(({ faults }) => faults.length === 0);
}

async function isDisk(file: Probe): Promise<boolean> {
  if (file.head.length < SECTOR) return false;
  const table = readMbr(file.head.subarray(0, SECTOR));
  if (table !== undefined && table.partitions.length > 0) return true;
  // a disk with a damaged first table is recognised by the others
  const access = await file.access();
  return readGpt(access) !== undefined || hasDaxHeader(access);
}

type Layout = { readonly structures: Structure[]; readonly volumes: readonly Volume[] };

function image(file: Probe, kind: FileSystem['name'] | 'disk', layout: () => Promise<Layout>): Artefact {
  const { path } = file;
  const tree = async (): Promise<Tree> => {
    const access = await file.access();
    if (kind !== 'disk') return FILE_SYSTEMS[kind].tree(access, path);
    return rootOf(access, (await layout()).volumes, file);
  };
  return {
    ...file.properties(),
    kind,
    tree,
    async *entries() {
      yield* entriesOf(await tree());
    },
    async structures(check = false) {
      const { structures, volumes } = await layout();
      const access = await file.access();
      if (kind !== 'disk') return [...structures, ...(await volumeStructures(access, volumes, check))];
      const { verityStructures } = await import('./verity.ts');
      const { rootHash } = file.options;
      const context = { file: file.file, ...(rootHash === undefined ? {} : { rootHash }) };
      const verity = await verityStructures(access, volumes, context, check);
      if (check && rootHash !== undefined && verity.taken.size === 0) throw notMeasured(path);
      const rest = volumes.filter((volume) => !verity.taken.has(volume));
      return [...structures, ...(await volumeStructures(access, rest, check)), ...verity.structures];
    },
  };
}

/** Partitions named in one message at most. */
const OTHERS = 5;

/** What to do with a disk whose partition of interest is not chosen. */
const TAKEN_OUT =
  'take the partition that is meant out of the disk (sfdisk --dump shows where it is) and name that file';

/** Names at the top of a root file system; one that is mounted below it (/boot, data) has none of them. */
const AT_ROOT = ['etc', 'usr', 'bin', 'init'];

/**
 * The root file system of a disk: that of the partition whose type says so, else the first that looks like one, else the
 * first that can be read. A warning says which, where it could be another. Throws `ROOTFS_UNKNOWN` where the root is on a
 * partition that cannot be read, by its type or as nothing else looks like one: another one (/boot) is not the root.
 */
async function rootOf(access: RandomAccess, volumes: readonly Volume[], { path, options }: Probe): Promise<Tree> {
  const readable = volumes.flatMap((volume) => {
    const part = section(access, volume.offset, volume.size);
    const system = fileSystemOn(part);
    return system === undefined ? [] : [{ ...volume, tree: async () => system.tree(part, `${path} (${volume.name})`) }];
  });
  const typed = readable.filter(({ role }) => role === 'root');
  const known = Object.keys(FILE_SYSTEMS).join(' or ');
  const unread = typed.length > 0 ? undefined : volumes.find(({ role }) => role === 'root');
  if (unread !== undefined) {
    const what = unreadOn(section(access, unread.offset, unread.size)) ?? 'no file system that is known';
    const reason = `its root partition (${unread.name}) holds ${what}, and what can be read is ${known}`;
    throw new BuildError('ROOTFS_UNKNOWN', { path, reason });
  }
  const candidates = typed.length > 0 ? typed : readable;
  const isRoot = (tree: Tree) => AT_ROOT.some((name) => tree.lstat(name) !== undefined);
  let found: { readonly name: string; readonly tree: Tree } | undefined;
  let failure: Error | undefined;
  for (const { name, tree: read } of candidates) {
    try {
      const tree = await read();
      if (found === undefined || isRoot(tree)) found = { name, tree };
    } catch (error) {
      failure ??= error as Error;
      continue;
    }
    if (isRoot(found.tree)) break;
  }
  const others = volumes.flatMap(({ name, offset, size }) => {
    const what = unreadOn(section(access, offset, size));
    return what === undefined ? [] : [{ name, what }];
  });
  const shown = others.slice(0, OTHERS).map(({ name, what }) => `${name}: ${what}`);
  if (found !== undefined && (failure === undefined || isRoot(found.tree))) {
    if (typed.length === 0 && !isRoot(found.tree) && others.some(({ what }) => mayHoldRoot(what))) {
      const names = AT_ROOT.join(', ');
      const reason = `${found.name} holds none of ${names}, and others cannot be read (${shown.join(', ')})`;
      throw new BuildError('ROOTFS_UNKNOWN', { path, reason }, { hint: TAKEN_OUT });
    }
    // in Kata's layout the second partition is a hash tree
    const isAlone = volumes.length === 1 || (volumes.length === 2 && volumes[0]!.active === true);
    if (candidates.length > 1 || (typed.length === 0 && !isAlone && !isRoot(found.tree)))
      options.report?.(warning('PARTITION_CHOSEN', { path, name: found.name, partitions: volumes.length }));
    return found.tree;
  }
  if (failure !== undefined) throw failure;
  const list = shown.length === 0 ? '' : ` (${shown.join(', ')})`;
  const reason = `none of its partitions holds an ${known} file system${list}`;
  throw new BuildError('ROOTFS_UNKNOWN', { path, reason });
}

function notMeasured(path: string): BuildError {
  return new BuildError('UNSOUND', {
    path,
    count: 1,
    faults: ['a root hash is given, and no partition holds a dm-verity hash tree'],
  });
}

/** Structures of the file systems on a disk. `check` also verifies every checksum. */
export async function volumeStructures(
  access: RandomAccess,
  volumes: readonly Volume[],
  check = false,
): Promise<Structure[]> {
  const structures: Structure[] = [];
  for (const { name, offset, size } of volumes) {
    const volume = section(access, offset, size);
    const system = fileSystemOn(volume);
    if (system === undefined) {
      const unread = unreadOn(volume);
      const what = `${name}: no file system that can be read${unread === undefined ? '' : ` (${unread})`}`;
      structures.push({ what, offset, size, facts: {}, faults: [] });
    } else structures.push(...(await system.structures(volume, { name, offset }, check)));
  }
  return structures;
}
