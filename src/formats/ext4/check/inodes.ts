import { copyOf } from '../../../bytes/content.ts';
import { TYPE_BITS } from '../../../tree/inode.ts';
import {
  GROUP_INODE_UNINIT,
  INODE_EA_INODE,
  INODE_ENCRYPTED,
  INODE_EXTENTS,
  INODE_HUGE_FILE,
  INODE_INDEX,
  INODE_INLINE_DATA,
  InodeRecord,
  JOURNAL_INODE,
  LARGE_FILE_SIZE,
  OLD_INODE_SIZE,
  RESIZE_INODE,
  ROOT_INODE,
} from '../layout.ts';
import type { MappedExtent, RawInode } from '../volume.ts';
import { unusedInodes } from './groups.ts';
import { walkMap } from './mapping.ts';
import { addUsage } from './quota.ts';
import { checkResizeInode, isSpecial } from './special.ts';
import { KIND, type State } from './state.ts';
import { checkXattrs, type FoundXattrs } from './xattrs.ts';

/** Bytes of an inode table that are read at once. */
const WINDOW = 1 << 16;
const FORMAT = 0o170000;
const BAD_BLOCKS_INODE = 1;
const BOOT_LOADER_INODE = 5;
/** Reserved inodes whose blocks are checked whatever their mode is. */
const IN_USE: ReadonlySet<number> = new Set([BAD_BLOCKS_INODE, RESIZE_INODE, JOURNAL_INODE]);
/** The inodes of quota files of users and groups. */
const QUOTA_INODES: ReadonlySet<number> = new Set([3, 4]);
const INODE_IMMUTABLE = 0x30;
const INODE_VERITY = 0x100000;
const INODE_CASEFOLD = 0x40000000;
/** File types of directory entries by the four bits of the mode. */
const ENTRY_TYPE: Readonly<Record<number, number>> = { 1: 5, 2: 3, 4: 2, 6: 4, 8: 1, 10: 7, 12: 6 };

/** Reads all inode tables and checks each inode that is in use: its fields, attributes, and the map of its blocks. */
export function checkInodes(state: State): void {
  const { volume } = state;
  const { sb, inodeSize } = volume;
  for (let group = 0; group < volume.groups; group++)
    state.attempt(`inode table of group ${group}`, undefined, () => {
      const { record, inodeTable } = volume.groupOf(group);
      if (state.lazy && record.flags & GROUP_INODE_UNINIT) return;
      const unused = state.lazy ? Math.min(unusedInodes(state, group), sb.inodesPerGroup) : 0;
      const end = (sb.inodesPerGroup - unused) * inodeSize;
      const tableEnd = inodeTable + Math.ceil(end / volume.blockSize);
      if (!state.inRange(inodeTable) || tableEnd > volume.blocks) return;
      const window = new Uint8Array(Math.min(WINDOW, end));
      for (let at = 0; at < end; at += WINDOW) {
        const bytes = window.subarray(0, Math.min(WINDOW, end - at));
        volume.access.readAt(inodeTable * volume.blockSize + at, bytes);
        for (let one = 0; one < bytes.length; one += inodeSize) {
          const number = group * sb.inodesPerGroup + (at + one) / inodeSize + 1;
          if (number > sb.inodes) return;
          // an inode in a bad block counts as used
          if (state.bad.has(inodeTable + Math.floor((at + one) / volume.blockSize))) {
            state.setInode(number, KIND.reserved, 0, 0);
            continue;
          }
          scan(state, number, bytes.subarray(one, one + inodeSize));
        }
      }
    });
}

const ZERO = new Uint8Array(WINDOW);

function isZero(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, ZERO.subarray(0, bytes.length)) === 0;
}

/** Decides whether an inode is in use, and checks it if it is. */
function scan(state: State, number: number, bytes: Uint8Array): void {
  const mode = bytes[0]! | (bytes[1]! << 8);
  const links = bytes[InodeRecord.offset.links]! | (bytes[InodeRecord.offset.links + 1]! << 8);
  const reserved = number < state.volume.firstInode && number !== ROOT_INODE;
  if (links === 0 && !reserved) {
    const deleted = bytes.subarray(InodeRecord.offset.dtime, InodeRecord.offset.dtime + 4).some((byte) => byte !== 0);
    if (mode !== 0 && !deleted) state.findings.inode(number, 'it has no links, but was not deleted');
    if (number === ROOT_INODE) state.findings.inode(number, 'there is no root directory');
    orphan(state, number, bytes);
    if (state.volume.checksums && !isZero(bytes)) {
      const sums = state.volume.inodeSums(state.volume.decode(number, copyOf(bytes)));
      state.findings.sum('inode checksum', `inode ${number}`, sums, number);
    }
    return;
  }
  orphan(state, number, bytes);
  if (reserved && isZero(bytes)) {
    state.setInode(number, KIND.reserved, 0, 0);
    return;
  }
  const inode = state.volume.decode(number, copyOf(bytes));
  state.setInode(number, reserved ? KIND.reserved : KIND.bad, ENTRY_TYPE[mode >> 12] ?? 0, links);
  state.attempt(`inode ${number}`, number, () => checkInode(state, inode, reserved));
}

/**
 * Inodes on the orphan list name the next one where others have the time of deletion. A time that is a number of an inode was
 * left by a list that broke, unless the clock was never set.
 */
function orphan(state: State, number: number, bytes: Uint8Array): void {
  const { sb } = state.volume;
  const at = InodeRecord.offset.dtime;
  const next = new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
  if (next === 0 || next >= sb.inodes || sb.writeTime < sb.inodes) return;
  if ([sb.mountTime, sb.madeTime].some((time) => time !== 0 && time < sb.inodes)) return;
  state.findings.inode(number, `it was on an orphan list, before inode ${next}`);
}

function checkInode(state: State, inode: RawInode, reserved: boolean): void {
  const { volume, findings } = state;
  const { record, number, extraSize } = inode;
  const fault = (reason: string) => findings.inode(number, reason);
  findings.count('inode');
  if (volume.checksums) findings.sum('inode checksum', `inode ${number}`, volume.inodeSums(inode), number);
  if (reserved && !isSpecial(state, number) && !IN_USE.has(number) && idle(state, inode, fault)) return;
  if (extraSize > volume.inodeSize - OLD_INODE_SIZE || (extraSize & 3) !== 0 || (extraSize > 0 && extraSize < 4))
    fault(`i_extra_isize is ${extraSize}`);
  const format = record.mode & FORMAT;
  const type = ENTRY_TYPE[record.mode >> 12] ?? 0;
  if (number === ROOT_INODE && format !== TYPE_BITS.directory) fault('the root is not a directory');
  if (number === BAD_BLOCKS_INODE && (record.mode | record.uid | record.gid | record.links | record.fileAcl) !== 0)
    fault('the inode of bad blocks has a mode, owners, links or attributes');
  if (reserved) {
    const loader = number === BOOT_LOADER_INODE && format !== TYPE_BITS.directory;
    if (record.mode !== 0 && format !== TYPE_BITS.file && !loader)
      fault(`a reserved inode with mode ${record.mode.toString(8)}`);
    if (number === RESIZE_INODE) {
      unusual(state, inode, fault);
      tooLarge(state, inode, fault);
      return checkResizeInode(state, inode);
    }
  } else {
    if (type === 0) fault(`its mode ${record.mode.toString(8)} is of no type`);
    if (record.dtime !== 0) fault('it is in use, but has a time of deletion');
    if (record.flags & INODE_EA_INODE && isSpecial(state, number) === false)
      state.setInode(number, KIND.value, type, record.links);
    else state.setInode(number, kindOf(format), type, record.links);
  }
  if (record.flags & INODE_ENCRYPTED) state.encrypted.add(number);
  if (number === BAD_BLOCKS_INODE) unusual(state, inode, fault);
  else flags(state, inode, fault);
  const xattrs = checkXattrs(state, inode);
  if (record.flags & INODE_ENCRYPTED && !xattrs.encryption)
    fault('it is encrypted, but has no attribute that says how');
  const map = mapOf(state, inode);
  if (record.flags & INODE_INLINE_DATA) inlineData(state, inode, xattrs, fault);
  else sizes(state, inode, map, fault);
  const clusters = map.clusters + xattrs.clusters;
  const unit = volume.features.has('huge_file') && record.flags & INODE_HUGE_FILE ? volume.blockSize : 512;
  const stored = record.blocks + (volume.features.has('huge_file') ? record.blocksHigh * 2 ** 32 : 0);
  const expected = (clusters * state.ratio * volume.blockSize) / unit;
  const counted = volume.features.has('quota') && !reserved && !isSpecial(state, number);
  if (counted && !(record.flags & INODE_EA_INODE)) addUsage(state, inode, clusters * state.ratio * volume.blockSize);
  if (stored !== expected && number !== BAD_BLOCKS_INODE) fault(`i_blocks is ${stored}, ${expected} is right`);
  if (format === TYPE_BITS.directory && !reserved) directory(state, inode, map, xattrs);
}

/**
 * Checks a reserved inode that nothing refers to. Nobody reads its fields as long as it has no mode, so only what claims
 * something is wrong. True when that was all there is to check.
 */
function idle(state: State, inode: RawInode, fault: (reason: string) => void): boolean {
  const { record, number, size } = inode;
  unusual(state, inode, fault);
  if (QUOTA_INODES.has(number)) {
    const first = new DataView(record.block.buffer, record.block.byteOffset).getUint32(0, true);
    if (record.links !== 0 || record.blocks !== 0 || first !== 0) fault('it has data, but is not in use');
    return true;
  }
  if (record.mode !== 0) return false;
  if (record.blocks !== 0) fault(`i_blocks is ${record.blocks}, 0 is right`);
  if (size > mostBytes(state, record.flags)) fault(`${size} bytes, 0 are right`);
  if (record.flags & INODE_INDEX) fault('it has an index, but is not a directory');
  if (hasAttributes(state, record.fileAcl)) fault('it has attributes, but is not in use');
  return true;
}

/** A block of attributes that may be read: nobody looks at others where there are none to be. */
function hasAttributes(state: State, block: number): boolean {
  return block !== 0 && state.volume.features.has('ext_attr') && state.inRange(block);
}

/** What no reserved inode has. */
function unusual(state: State, { record, number }: RawInode, fault: (reason: string) => void): void {
  if (record.flags & INODE_CASEFOLD) fault('it ignores case, but is not a directory');
  if (number === RESIZE_INODE && hasAttributes(state, record.fileAcl)) fault('it has attributes');
}

function kindOf(format: number) {
  if (format === TYPE_BITS.directory) return KIND.directory;
  if (format === TYPE_BITS.file) return KIND.file;
  if (format === TYPE_BITS.symlink) return KIND.symlink;
  return ENTRY_TYPE[format >> 12] === undefined ? KIND.bad : KIND.device;
}

/** Flags that the type of the inode or the features exclude. */
function flags(state: State, { record, size }: RawInode, fault: (reason: string) => void): void {
  const { features } = state.volume;
  const format = record.mode & FORMAT;
  const is = (flag: number) => (record.flags & flag) !== 0;
  if (is(INODE_EXTENTS) && !features.has('extent')) fault('it has extents without the feature extent');
  if (is(INODE_INLINE_DATA) && !features.has('inline_data'))
    fault('it has inline data without the feature inline_data');
  if (is(INODE_INLINE_DATA) && is(INODE_EXTENTS)) fault('it has inline data and extents');
  if (is(INODE_ENCRYPTED) && !features.has('encrypt')) fault('it is encrypted without the feature encrypt');
  if (is(INODE_EA_INODE) && !features.has('ea_inode'))
    fault('it is the value of an attribute without the feature ea_inode');
  if (is(INODE_CASEFOLD) && format !== TYPE_BITS.directory) fault('it ignores case, but is not a directory');
  if (is(INODE_CASEFOLD) && !features.has('casefold')) fault('it ignores case without the feature casefold');
  if (is(INODE_INDEX) && format !== TYPE_BITS.directory) fault('it has an index, but is not a directory');
  if (is(INODE_INDEX) && format === TYPE_BITS.directory && !features.has('dir_index'))
    fault('it has an index without the feature dir_index');
  if (record.fragment !== 0) fault(`i_faddr is ${record.fragment}`);
  if (!features.has('huge_file') && record.blocksHigh !== 0) fault('i_blocks_high is set without huge_file');
  const special =
    format === TYPE_BITS.char || format === TYPE_BITS.block || format === TYPE_BITS.fifo || format === TYPE_BITS.socket;
  if (!special) return;
  if (size !== 0) fault(`a special file of ${size} bytes`);
  if (is(INODE_IMMUTABLE)) fault('a special file that cannot be changed');
  if (is(INODE_EXTENTS | INODE_INLINE_DATA)) fault('a special file with data');
}

interface FoundMap {
  readonly runs: MappedExtent[];
  /** Clusters of data and of the map itself. */
  clusters: number;
  /** Blocks of the file up to the last one that it has; up to the last one with data. */
  end: number;
  dataEnd: number;
  unwritten: boolean;
}

/** True when the sixty bytes of i_block are block numbers or extents. */
export function mapOwner(state: State, { record, size }: RawInode): boolean {
  if (record.flags & INODE_INLINE_DATA) return false;
  const format = record.mode & FORMAT;
  if (format === TYPE_BITS.file || format === TYPE_BITS.directory || record.mode === 0) return true;
  return format === TYPE_BITS.symlink && !isFast(state, record.flags, size, record);
}

function isFast(state: State, inodeFlags: number, size: number, record: RawInode['record']): boolean {
  if (inodeFlags & INODE_EXTENTS || size >= 60) return false;
  const sectors = record.fileAcl === 0 ? 0 : (state.volume.blockSize * state.ratio) / 512;
  return state.volume.features.has('ea_inode') || record.blocks <= sectors;
}

/** Walks the map of an inode and marks its blocks as used. */
function mapOf(state: State, inode: RawInode): FoundMap {
  const map: FoundMap = { runs: [], clusters: 0, end: 0, dataEnd: 0, unwritten: false };
  if (!mapOwner(state, inode)) return map;
  const { volume, ratio } = state;
  const fault = (reason: string) => state.findings.inode(inode.number, reason);
  let last = -1;
  walkMap(volume, inode, {
    fault,
    node(block) {
      volume.spend(1, `inode ${inode.number}`);
      map.clusters++;
      return claim(state, state.cluster(block), 1);
    },
    sum: volume.checksums
      ? (block, bytes) =>
          state.findings.sum(
            'extents',
            `inode ${inode.number}, extent block ${block}`,
            volume.extentSums(inode, bytes),
            inode.number,
          )
      : () => {},
    data(logical, physical, length, unwritten) {
      volume.spend(Math.ceil(length / 64), `inode ${inode.number}`);
      const previous = map.runs[map.runs.length - 1];
      if (
        previous !== undefined &&
        !unwritten &&
        previous.logical + previous.length === logical &&
        previous.physical + previous.length === physical
      )
        map.runs[map.runs.length - 1] = { ...previous, length: previous.length + length };
      else if (!unwritten) map.runs.push({ logical, physical, length });
      else map.unwritten = true;
      map.end = Math.max(map.end, logical + length);
      if (!unwritten) map.dataEnd = Math.max(map.dataEnd, logical + length);
      if (ratio > 1 && logical % ratio !== (physical - volume.sb.firstDataBlock) % ratio)
        fault(`block ${logical} of the file is at another place of its cluster than block ${physical}`);
      // extents that follow each other may share a cluster
      let from = state.cluster(physical);
      const to = state.cluster(physical + length - 1);
      if (ratio > 1 && from === last) from++;
      last = to;
      if (from > to) return;
      map.clusters += to - from + 1;
      if (inode.number === BAD_BLOCKS_INODE) {
        state.bad.add(physical, length);
        // metadata may have been there before the block went bad
        if (state.fixed.has(physical)) return;
      }
      claim(state, from, to - from + 1);
    },
  });
  return map;
}

/** Marks clusters as used; false when one was used before. */
function claim(state: State, first: number, count: number): boolean {
  const already = state.used.add(first, count);
  if (already === undefined) return true;
  // which of them are shared is seen when the owners are looked for
  for (let one = already; one < first + count && state.shared.size < MOST_SHARED; one++) state.shared.add(one);
  return false;
}

/** Clusters with several owners that are remembered. */
export const MOST_SHARED = 10_000;

function sizes(state: State, inode: RawInode, map: FoundMap, fault: (reason: string) => void): void {
  const { volume } = state;
  const { blockSize } = volume;
  const { record, size } = inode;
  const format = record.mode & FORMAT;
  if (format === TYPE_BITS.directory) {
    if (size === 0 || map.end === 0) fault('a directory without blocks');
    else if (size % blockSize !== 0 || size / blockSize > map.end)
      fault(`a directory of ${size} bytes in ${map.end} blocks`);
    // blocks may be allocated ahead of use
    else if (map.end - size / blockSize > volume.sb.preallocDirectoryBlocks)
      fault(`a directory of ${size} bytes in ${map.end} blocks`);
    if (record.sizeHigh !== 0 && !volume.features.has('large_dir')) fault('a directory with i_size_high');
    if (map.unwritten) fault('a directory with unwritten blocks');
    return;
  }
  if (format === TYPE_BITS.symlink) return symlink(state, inode, map, fault);
  if (format !== TYPE_BITS.file) return;
  // the hashes of a verity file lie behind its end
  if (map.dataEnd > 0 && size < (map.dataEnd - 1) * blockSize && (record.flags & INODE_VERITY) === 0)
    fault(`${size} bytes, but it has data in block ${map.dataEnd - 1}`);
  if (size >= LARGE_FILE_SIZE && !volume.features.has('large_file'))
    fault(`${size} bytes without the feature large_file`);
  tooLarge(state, inode, fault);
}

function tooLarge(state: State, { record, size }: RawInode, fault: (reason: string) => void): void {
  const limit = mostBytes(state, record.flags);
  if (size > limit) fault(`${size} bytes, at most ${limit} are possible`);
}

/** Most bytes of a file with those flags. */
function mostBytes({ volume: { blockSize } }: State, inodeFlags: number): number {
  return inodeFlags & INODE_EXTENTS ? 2 ** 32 * blockSize - 1 : mapLimitOf(blockSize) * blockSize;
}

/** Most blocks of a file without extents. */
function mapLimitOf(blockSize: number): number {
  const per = blockSize / 4;
  return 12 + per + per ** 2 + per ** 3;
}

function symlink(state: State, inode: RawInode, map: FoundMap, fault: (reason: string) => void): void {
  const { volume } = state;
  const { record, size } = inode;
  if (size === 0 || size >= volume.blockSize) return fault(`a symbolic link to ${size} bytes`);
  let bytes: Uint8Array;
  if (!mapOwner(state, inode)) bytes = record.block;
  else {
    const [run] = map.runs;
    if (size < 60 && record.flags & INODE_EXTENTS && !(record.flags & INODE_ENCRYPTED))
      fault('a short symbolic link with extents');
    if (map.end !== 1 || run === undefined) return fault(`a symbolic link of ${size} bytes with ${map.end} blocks`);
    bytes = volume.block(run.physical, `inode ${inode.number}`);
  }
  if (record.flags & INODE_ENCRYPTED) return;
  const zero = bytes.indexOf(0);
  if (zero !== size && !(zero < 0 && size === bytes.length))
    fault(`a symbolic link of ${size} bytes, but its target ends at ${zero < 0 ? bytes.length : zero}`);
}

function inlineData(state: State, inode: RawInode, xattrs: FoundXattrs, fault: (reason: string) => void): void {
  const { record, size } = inode;
  const format = record.mode & FORMAT;
  const room = 60 + (xattrs.inline?.length ?? 0);
  if (format === TYPE_BITS.directory) {
    if (size !== room) fault(`a directory of ${size} bytes, ${room} of inline data`);
    if (record.flags & INODE_INDEX) fault('a directory in its inode, with an index');
    return;
  }
  if (xattrs.inline === undefined) fault('its inline data has no attribute system.data');
  // a file may be longer than what its inode has: the rest is a hole
  if (format === TYPE_BITS.file) tooLarge(state, inode, fault);
  if (format === TYPE_BITS.symlink && size !== room) fault(`a symbolic link of ${size} bytes, ${room} of inline data`);
}

function directory(state: State, inode: RawInode, map: FoundMap, xattrs: FoundXattrs): void {
  const { record, number, seed, size } = inode;
  const inline = (record.flags & INODE_INLINE_DATA) !== 0;
  state.directories.set(number, {
    number,
    seed,
    size,
    flags: record.flags,
    runs: inline ? undefined : map.runs,
    ...(inline
      ? {
          inline: [
            record.block,
            ...(xattrs.inline !== undefined && xattrs.inline.length > 0 ? [copyOf(xattrs.inline)] : []),
          ],
        }
      : {}),
    parent: 0,
    dotDot: 0,
  });
}
