import type { FileContent } from '../../bytes/content.ts';
import { blockRanges } from '../../bytes/ranges.ts';
import { BuildError } from '../../errors/error.ts';
import type { Inode } from '../../tree/inode.ts';
import { Losses } from '../../tree/losses.ts';
import { pathIn } from '../../tree/names.ts';
import { display } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';
import { deriveUuid } from '../disk/uuid.ts';
import { mapBlocks, mapLimit } from './blockmap.ts';
import { type Census, takeCensus } from './census.ts';
import { type DirectoryLayout, type DirectoryRules, layOutDirectory } from './directory.ts';
import { countExtents, extentTreeBlocks, type Range } from './extents.ts';
import { type Geometry, geometry, type Segment, type Shape } from './geometry.ts';
import { NameHash } from './hash.ts';
import { EXTENT_MAX, FIRST_INODE, JOURNAL_INODE, OLD_INODE_SIZE, ROOT_INODE, XATTR_REFERENCES_MAX } from './layout.ts';
import {
  type Ext4Options,
  journalBlocksFor,
  lastTime,
  orphanBlocksFor,
  type Settings,
  settingsOf,
  TIME_FIRST,
} from './options.ts';
import { encodeXattrs } from './xattr.ts';

/** A block of extended attributes that several inodes may share. */
export interface SharedXattrs {
  readonly bytes: Uint8Array;
  references: number;
}

/** Everything about a file system that is decided before a byte of it is written. A plain value, numbers throughout. */
export interface Plan {
  readonly settings: Settings;
  readonly uuid: Uint8Array;
  readonly hashSeed: Uint8Array;
  readonly census: Census;
  readonly directories: readonly DirectoryLayout[];
  readonly rules: DirectoryRules;
  readonly xattrs: readonly SharedXattrs[];
  /** By inode number: 1 + index into `xattrs`, or 0. */
  readonly xattrOf: Uint32Array;
  /** Regular files with data, in the order in which their data is written. */
  readonly files: Uint32Array;
  /** By inode number: blocks of data. */
  readonly dataBlocks: Float64Array;
  readonly geometry: Geometry;
  readonly placement: Placement;
  /** Length of the image in bytes; the file system may be a little shorter. */
  readonly size: number;
}

/** Where everything that is not a fixed part is, in virtual blocks. */
export interface Placement {
  /** By inode number: first block of data; the blocks of the extent tree or block map follow it. */
  readonly start: Float64Array;
  /** By inode number: blocks of the extent tree or block map. */
  readonly treeBlocks: Uint32Array;
  readonly journalBlocks: number;
  readonly orphanBlocks: number;
  /** Block of the resize inode, or -1. */
  readonly resize: number;
  /** First block of extended attributes. */
  readonly xattrs: number;
  /** Blocks used in all. */
  readonly used: number;
}

/** Lays out a tree as ext4. Rejects what ext4 cannot hold, and a size that is too small. No content is read. */
export function planExt4(tree: Tree, options: Ext4Options = {}): Plan {
  const settings = settingsOf(options);
  const census = takeCensus(tree, { orphanFile: settings.chosen.has('orphan_file'), time: settings.time });
  const losses = options.report === undefined ? undefined : new Losses(options.report);
  checkInodes(census, settings, losses);
  const uuid = settings.uuid ?? deriveUuid('ext4 file system\0', census.digest);
  const hashSeed = settings.hashSeed ?? deriveUuid('ext4 directory hash\0', census.digest);
  const { chosen } = settings;
  const rules: DirectoryRules = {
    blockSize: settings.blockSize,
    checksums: chosen.has('metadata_csum'),
    types: chosen.has('filetype'),
    indexed: chosen.has('dir_index'),
    large: settings.features.large_dir !== false,
  };
  const hash = new NameHash(hashSeed);
  const directories = census.directories.map(({ number, names, directory }) =>
    layOutDirectory(names, rules, hash, number === FIRST_INODE ? lostFoundBlocks(settings.blockSize) : 1, () =>
      pathIn(census.root, directory),
    ),
  );
  if (directories.some(({ levels }) => levels > 1)) chosen.add('large_dir');
  if (hasLargeFile(census, settings)) chosen.add('large_file');
  const { xattrs, xattrOf } = planXattrs(census, settings, losses);
  const dataBlocks = new Float64Array(census.used + 1);
  for (const [i, { number }] of census.directories.entries()) dataBlocks[number] = directories[i]!.blocks;
  for (let number = FIRST_INODE; number <= census.used; number++) {
    const node = census.nodes[number];
    if (node?.kind === 'file') dataBlocks[number] = fileBlocks(node.content, settings.blockSize);
    else if (node?.kind === 'symlink' && node.target.length >= 60) dataBlocks[number] = 1;
  }
  const wants: Wants = {
    settings,
    census,
    dataBlocks,
    files: inTreeOrder(census, dataBlocks),
    xattrs: xattrs.length,
  };
  const { geometry: shape, placement, size } = solve(wants);
  // too small for a journal means too small for an orphan file, which depends on the journal
  if (placement.journalBlocks === 0 && census.orphanFile > 0)
    return planExt4(tree, { ...options, features: { ...options.features, orphan_file: false } });
  losses?.flush();
  return {
    settings,
    uuid,
    hashSeed,
    census,
    directories,
    rules,
    xattrs,
    xattrOf,
    files: wants.files,
    dataBlocks,
    geometry: shape,
    placement,
    size,
  };
}

/**
 * lost+found has space from the start, so that e2fsck need not allocate any: 16 KiB, two blocks at least, as mke2fs has
 * it.
 */
function lostFoundBlocks(blockSize: number): number {
  return Math.min(12, Math.max(2, 16384 / blockSize));
}

function checkInodes(census: Census, settings: Settings, losses: Losses | undefined): void {
  const { blockSize, inodeSize, chosen } = settings;
  const last = lastTime(inodeSize);
  // the kernel reads a link target with a NUL behind it
  const longest = Math.min(4095, blockSize - 1);
  const fileLimit = (chosen.has('extent') ? 2 ** 32 - 1 : mapLimit(blockSize)) * blockSize;
  const path = (node: Inode) => pathIn(census.root, node);
  for (let number = ROOT_INODE; number <= census.used; number++) {
    const node = census.nodes[number];
    if (node === undefined) continue;
    if (!(node.mtime >= TIME_FIRST && node.mtime <= last)) {
      if (losses === undefined || Number.isNaN(node.mtime))
        throw new BuildError('EXT4_TIME', { path: path(node), time: node.mtime, last });
      const stored = node.mtime < 0 ? TIME_FIRST : last;
      losses.add('TIME_CLAMPED', { path: path(node), format: 'this ext4', time: node.mtime, stored });
    }
    if (!isWord(node.uid) || !isWord(node.gid))
      throw new BuildError('EXT4_OWNER', { path: path(node), uid: node.uid, gid: node.gid });
    if (node.kind === 'symlink' && (node.target.length === 0 || node.target.length > longest))
      throw new BuildError('EXT4_SYMLINK', { path: path(node), bytes: node.target.length, limit: longest });
    if ((node.kind === 'char' || node.kind === 'block') && (node.major >= 2 ** 12 || node.minor >= 2 ** 20))
      throw new BuildError('EXT4_DEVICE', { path: path(node), major: node.major, minor: node.minor });
    if (node.kind === 'file' && node.content.size > fileLimit)
      throw new BuildError('EXT4_FILE_SIZE', { path: path(node), bytes: node.content.size, limit: fileLimit });
  }
  if (!chosen.has('dir_nlink'))
    for (const { directory, subdirectories } of census.directories)
      if (subdirectories + 2 > 65000)
        throw new BuildError('EXT4_LINKS', { path: path(directory), links: subdirectories + 2, limit: 65000 });
}

/** Files beyond 2 GiB must be announced; the resize inode declares such a size, except with blocks of 1 KiB. */
function hasLargeFile(census: Census, { chosen, blockSize }: Settings): boolean {
  if (chosen.has('resize_inode') && resizeInodeSize(blockSize) >= 2 ** 31) return true;
  return census.nodes.some((node) => node?.kind === 'file' && node.content.size >= 2 ** 31);
}

/** Length that the resize inode claims: all that direct, indirect and double-indirect blocks reach. */
export function resizeInodeSize(blockSize: number): number {
  const per = blockSize / 4;
  return (per * per + per + 12) * blockSize;
}

const isWord = (value: number) => Number.isInteger(value) && value >= 0 && value < 2 ** 32;

/** Bytes after an inode's own fields. */
export function xattrSpace(settings: Settings): number {
  return settings.inodeSize - OLD_INODE_SIZE - settings.extraSize;
}

function planXattrs(
  census: Census,
  settings: Settings,
  losses: Losses | undefined,
): { xattrs: SharedXattrs[]; xattrOf: Uint32Array } {
  const xattrs: SharedXattrs[] = [];
  const xattrOf = new Uint32Array(census.used + 1);
  const byBytes = new Map<string, number>();
  for (let number = ROOT_INODE; number <= census.used; number++) {
    const node = census.nodes[number];
    if (node?.xattrs === undefined || node.xattrs.size === 0) continue;
    if (!settings.chosen.has('ext_attr'))
      throw new BuildError('EXT4_FEATURE', {
        feature: 'no ext_attr',
        reason: `/${pathIn(census.root, node)} has extended attributes`,
      });
    const path = () => pathIn(census.root, node);
    const leftOut =
      losses &&
      ((name: string) =>
        losses.add('ATTRIBUTE_LEFT_OUT', {
          source: 'ext4',
          path: path(),
          name: display(name),
          reason: 'ext4 has no such namespace',
        }));
    const { block } = encodeXattrs(node.xattrs, xattrSpace(settings), settings.blockSize, path, leftOut);
    if (block === undefined) continue;
    const key = Buffer.from(block.buffer).toString('latin1');
    let index = byBytes.get(key);
    if (index === undefined || xattrs[index]!.references === XATTR_REFERENCES_MAX) {
      index = xattrs.length;
      byBytes.set(key, index);
      xattrs.push({ bytes: block, references: 0 });
    }
    xattrs[index]!.references++;
    xattrOf[number] = index + 1;
  }
  return { xattrs, xattrOf };
}

function fileBlocks(content: FileContent, blockSize: number): number {
  if (content.extents === undefined) return Math.ceil(content.size / blockSize);
  return blockRanges(content, blockSize).reduce((sum, [, length]) => sum + length, 0);
}

/**
 * Numbers of the files that have data blocks, in the order in which these are: the tree's own, so that an image depends
 * on the tree and not on where its contents came from. Spools have windows, which makes this as fast as reading them
 * front to back.
 */
function inTreeOrder(census: Census, dataBlocks: Float64Array): Uint32Array {
  const files = new Uint32Array(census.used);
  let count = 0;
  for (let number = FIRST_INODE; number <= census.used; number++)
    if (census.nodes[number]?.kind === 'file' && dataBlocks[number] !== 0) files[count++] = number;
  return files.subarray(0, count);
}

interface Wants {
  readonly settings: Settings;
  readonly census: Census;
  readonly dataBlocks: Float64Array;
  readonly files: Uint32Array;
  readonly xattrs: number;
}

interface Solution {
  readonly geometry: Geometry;
  readonly placement: Placement;
  readonly size: number;
}

function shapeOf({ settings, census }: Wants): Shape {
  const { chosen, blockSize, inodeSize } = settings;
  return {
    blockSize,
    inodeSize,
    descriptorSize: chosen.has('64bit') ? 64 : 32,
    groupsPerFlex: settings.groupsPerFlex,
    sparseSuper: chosen.has('sparse_super'),
    resizable: chosen.has('resize_inode'),
    leastInodes: census.used + (settings.freeInodes ?? Math.max(256, Math.ceil(census.used / 8))),
    inodes: (blocks) => Math.ceil((blocks * blockSize) / settings.bytesPerInode),
  };
}

function solve(wants: Wants): Solution {
  const { settings } = wants;
  const { size } = settings;
  if (size === undefined) {
    const found = least(wants);
    return { ...found, size: found.geometry.blocks * settings.blockSize };
  }
  const given = typeof size === 'number' ? size : size(least(wants).geometry.blocks * settings.blockSize);
  const found = within(wants, given);
  if (found !== undefined) return found;
  const needed = least(wants);
  throw new BuildError(
    'EXT4_TOO_SMALL',
    {
      given,
      needed: needed.geometry.blocks * settings.blockSize,
      blocks: needed.placement.used,
      inodes: needed.geometry.groups * needed.geometry.inodesPerGroup,
      files: wants.census.used,
    },
    { hint: 'give a larger size, or none' },
  );
}

/** The smallest file system that holds everything. Each step adds just what was missing, so it never runs past it. */
function least(wants: Wants): Omit<Solution, 'size'> {
  const { settings } = wants;
  const shape = shapeOf(wants);
  const free = Math.ceil(settings.freeSpace / settings.blockSize);
  const data = wants.dataBlocks.reduce((sum, own) => sum + own, 0);
  const usual = needsJournal(settings) && settings.journalBlocks === undefined;
  // tried in ascending order: a longer journal makes a larger file system, which may need a longer journal; what did
  // not fit with one will not fit with a longer one either, so the count continues from there
  let blocks = 64;
  for (const journal of journalChoices(settings)) {
    blocks = Math.max(blocks, data + journal);
    while (!usual || journalBlocksFor(blocks) <= journal) {
      const fixed = geometry(shape, blocks);
      if ('misfit' in fixed) {
        blocks = Math.max(blocks + 1, fixed.misfit);
        continue;
      }
      // check first what does not need a pass over all files, then place each file
      const short = data + journal + wants.xattrs + free - fixed.capacity;
      if (short > 0) {
        blocks += short;
        continue;
      }
      const placement = place(wants, fixed, journal);
      const missing = placement.used + free - fixed.capacity;
      if (missing <= 0) return { geometry: fixed, placement };
      blocks += missing;
    }
  }
  throw new RangeError('no journal length fits');
}

function needsJournal(settings: Settings): boolean {
  return settings.chosen.has('has_journal');
}

/** Journal lengths to choose from, ascending. */
function journalChoices(settings: Settings): number[] {
  if (!needsJournal(settings)) return [0];
  if (settings.journalBlocks !== undefined) return [settings.journalBlocks];
  const all = [0, 1024, 4096, 8192, 16384, 32768, 65536, 131072, 262144];
  // an explicitly requested journal is created regardless of the size of the rest
  return settings.features.has_journal ? all.slice(1) : all;
}

/** The file system in an image of a given size, or undefined when it does not fit. */
function within(wants: Wants, size: number): Solution | undefined {
  const { settings } = wants;
  const shape = shapeOf(wants);
  let blocks = Math.floor(size / settings.blockSize);
  let fixed = geometry(shape, blocks);
  if ('misfit' in fixed) {
    // a last group too short to be of use is left out, as mke2fs does
    const firstDataBlock = settings.blockSize === 1024 ? 1 : 0;
    const perGroup = settings.blockSize * 8;
    blocks = firstDataBlock + Math.floor((blocks - firstDataBlock) / perGroup) * perGroup;
    if (blocks <= firstDataBlock) return undefined;
    fixed = geometry(shape, blocks);
    if ('misfit' in fixed) return undefined;
  }
  const usual = settings.journalBlocks ?? Math.max(journalBlocksFor(blocks), journalChoices(settings)[0]!);
  for (const journal of journalChoices(settings).reverse()) {
    if (journal > usual) continue;
    const placement = place(wants, fixed, journal);
    if (placement.used + Math.ceil(settings.freeSpace / settings.blockSize) <= fixed.capacity)
      return { geometry: fixed, placement, size };
  }
  return undefined;
}

/** Gives everything its place in the row of free blocks: directories first, file data last. */
function place(wants: Wants, fixed: Geometry, journalBlocks: number): Placement {
  const { settings, census, dataBlocks } = wants;
  const { blockSize, chosen } = settings;
  const extents = chosen.has('extent');
  // space past the end is unlimited, so that the missing amount can be reported
  const segments: Segment[] = [
    ...fixed.segments,
    { start: fixed.blocks, length: Number.POSITIVE_INFINITY, virtual: fixed.capacity },
  ];
  const start = new Float64Array(census.used + 1);
  const treeBlocks = new Uint32Array(census.used + 1);
  // what an inode reaches by itself where it is in one piece: one extent, or the direct blocks
  const mapped = extents ? EXTENT_MAX : 12;
  let at = 0;
  let current = 0;
  const put = (number: number, blocks: number, ranges: () => readonly Range[]): void => {
    start[number] = at;
    while (at >= segments[current]!.virtual + segments[current]!.length) current++;
    const inOnePiece = at + blocks <= segments[current]!.virtual + segments[current]!.length && blocks <= mapped;
    if (!inOnePiece || ranges !== whole) {
      const where = ranges === whole ? [[0, blocks] as const] : ranges();
      treeBlocks[number] = extents
        ? extentTreeBlocks(countExtents(segments, at, where), blockSize)
        : mapBlocks(where, blockSize);
    }
    at += blocks + treeBlocks[number]!;
  };
  const whole = () => [];
  for (const { number } of census.directories) put(number, dataBlocks[number]!, whole);
  const resize = chosen.has('resize_inode') ? at++ : -1;
  const orphanBlocks = census.orphanFile > 0 ? orphanBlocksFor(fixed.blocks) : 0;
  if (orphanBlocks > 0) put(census.orphanFile, orphanBlocks, whole);
  const xattrs = at;
  at += wants.xattrs;
  for (let number = FIRST_INODE; number <= census.used; number++)
    if (dataBlocks[number] === 1 && census.nodes[number]?.kind === 'symlink') put(number, 1, whole);
  if (journalBlocks > 0) put(JOURNAL_INODE, journalBlocks, whole);
  for (const number of wants.files) {
    const { content } = census.nodes[number] as Inode & { kind: 'file' };
    put(number, dataBlocks[number]!, content.extents === undefined ? whole : () => blockRanges(content, blockSize));
  }
  return { start, treeBlocks, journalBlocks, orphanBlocks, resize, xattrs, used: at };
}
