import { blockRanges } from '../../bytes/ranges.ts';
import { BuildError } from '../../errors/error.ts';
import type { Numbered } from '../../tree/census.ts';
import type { File, Inode } from '../../tree/inode.ts';
import type { Losses } from '../../tree/losses.ts';
import { pathIn } from '../../tree/names.ts';
import { display } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';
import { type AttributeShape, attributeShape, attributesOf } from './attributes.ts';
import { blocksOfShape, type DirectoryShape, rangesOfShape, shapeOf } from './directory.ts';
import { BLOCK, FORMAT, Inode as InodeTable } from './layout.ts';
import type { Settings } from './options.ts';

/** An inode and what it needs. */
export interface Node extends Numbered {
  /** Value of {@link FORMAT} for its data, before it is known whether extents need a btree. */
  readonly format: number;
  /** Bytes of the data fork. */
  readonly dataRoom: number;
  /** Bytes of data: of a file, of a directory's blocks, of a target. */
  readonly size: number;
  /** File blocks with data. */
  readonly ranges: readonly (readonly [first: number, length: number])[];
  readonly blocks: number;
  readonly directory?: DirectoryShape;
  readonly attributes?: AttributeShape;
}

/** The least bytes of a data fork beside attributes: the root of a small btree. */
const DATA_LEAST = 56;
/** Bytes of the attribute fork where attributes are in blocks: four extents. */
const ATTRIBUTE_EXTENTS = 64;
/** The least bytes of an attribute fork (XFS_BMDR_SPACE_CALC of two pointers). */
const ATTRIBUTE_LEAST = 40;
/** A device's data fork where there are attributes. */
const DEVICE_ROOM = 8;

/** Decides how an inode is stored. Throws what XFS cannot hold. */
export function nodeOf(node: Numbered, tree: Tree, settings: Settings, losses: Losses | undefined): Node {
  const { inode } = node;
  const path = () => pathIn(tree.root, inode);
  checkInode(inode, path, settings, losses);
  const room = settings.inodeSize - InodeTable.size;
  const leftOut = (name: string, reason: string) =>
    losses?.add('ATTRIBUTE_LEFT_OUT', { source: 'xfs', path: path(), name: display(name), reason });
  const found = inode.xattrs === undefined ? [] : attributesOf(inode.xattrs, path, losses && leftOut);
  if (found.length === 0) return { ...node, ...dataOf(node, room), dataRoom: room };
  const special = inode.kind !== 'file' && inode.kind !== 'directory' && inode.kind !== 'symlink';
  if (special) {
    const attributes = attributeShape(found, room - DEVICE_ROOM);
    return { ...node, ...dataOf(node, DEVICE_ROOM), dataRoom: DEVICE_ROOM, attributes };
  }
  // attributes stay in the inode unless that drives its data out; a fork's offset counts eight bytes in eight bits
  const forked = (attributes: AttributeShape) => {
    const own = attributes.local === undefined ? ATTRIBUTE_EXTENTS : Math.max(attributes.local, ATTRIBUTE_LEAST);
    return Math.min(Math.floor((room - own) / 8), 255) * 8;
  };
  const inside = attributeShape(found, room - DATA_LEAST);
  const dataRoom = forked(inside);
  const data = dataOf(node, dataRoom);
  if (inside.local === undefined || data.format === FORMAT.local || inode.kind === 'file')
    return { ...node, ...data, dataRoom, attributes: inside };
  const outside = attributeShape(found, 0);
  const outsideRoom = forked(outside);
  const local = dataOf(node, outsideRoom);
  if (local.format === FORMAT.local) return { ...node, ...local, dataRoom: outsideRoom, attributes: outside };
  return { ...node, ...data, dataRoom, attributes: inside };
}

type Data = Pick<Node, 'format' | 'size' | 'ranges' | 'blocks' | 'directory'>;

function dataOf({ inode, names }: Numbered, room: number): Data {
  switch (inode.kind) {
    case 'file': {
      const ranges = blockRanges(inode.content, BLOCK);
      const blocks = ranges.reduce((sum, [, length]) => sum + length, 0);
      return { format: FORMAT.extents, size: inode.content.size, ranges, blocks };
    }
    case 'symlink': {
      const size = inode.target.length;
      if (size <= room) return { format: FORMAT.local, size, ranges: [], blocks: 0 };
      return { format: FORMAT.extents, size, ranges: [[0, 1]], blocks: 1 };
    }
    case 'directory': {
      const directory = shapeOf(names, room);
      if (directory.form === 'short')
        return { format: FORMAT.local, size: directory.bytes, ranges: [], blocks: 0, directory };
      const size = directory.dataBlocks * BLOCK;
      const blocks = blocksOfShape(directory);
      return { format: FORMAT.extents, size, ranges: rangesOfShape(directory), blocks, directory };
    }
    default:
      return { format: FORMAT.device, size: 0, ranges: [], blocks: 0 };
  }
}

/** The largest file: offsets of 63 bits end far beyond; numbers stay exact below 2^53. */
const FILE_MAX = 2 ** 53 - 1;
/** The kernel makes no longer symbolic links, and xfs_repair rejects them. */
const TARGET_MAX = 1023;
/** The kernel reads no more than nine of the 14 bits that are stored (xfs_to_linux_dev_t). */
const MAJORS = 2 ** 9;
const TIME_FIRST = -(2 ** 31);
/** The last second that a file system stores: of 64 bits of nanoseconds since 1901 with bigtime. */
export const lastSecond = (bigtime: boolean): number => (bigtime ? 18446744072 - 2 ** 31 : 2 ** 31 - 1);

function checkInode(inode: Inode, path: () => string, { chosen }: Settings, losses: Losses | undefined): void {
  const { uid, gid, mtime } = inode;
  const word = (value: number) => Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
  if (!word(uid) || !word(gid)) throw new BuildError('XFS_OWNER', { path: path(), uid, gid });
  const last = lastSecond(chosen.has('bigtime'));
  if (!(mtime >= TIME_FIRST && mtime <= last)) {
    if (losses === undefined || Number.isNaN(mtime))
      throw new BuildError('XFS_TIME', { path: path(), time: mtime, last });
    losses.add('TIME_CLAMPED', {
      path: path(),
      format: 'this xfs',
      time: mtime,
      stored: mtime < 0 ? TIME_FIRST : last,
    });
  }
  if (inode.kind === 'file' && inode.content.size > FILE_MAX)
    throw new BuildError('XFS_FILE_SIZE', { path: path(), bytes: inode.content.size, limit: FILE_MAX });
  if (inode.kind === 'symlink' && (inode.target.length === 0 || inode.target.length > TARGET_MAX))
    throw new BuildError('XFS_SYMLINK', { path: path(), bytes: inode.target.length });
  if ((inode.kind === 'char' || inode.kind === 'block') && (inode.major >= MAJORS || inode.minor >= 2 ** 18))
    throw new BuildError('XFS_DEVICE', { path: path(), major: inode.major, minor: inode.minor });
}

/** A time within what is stored. */
export function clampedTime(mtime: number, { chosen }: Settings): number {
  return Math.min(Math.max(mtime, TIME_FIRST), lastSecond(chosen.has('bigtime')));
}

/** The file of a node; a type error for any other kind. */
export function fileOf({ inode }: Numbered): File {
  if (inode.kind !== 'file') throw new TypeError(`a ${inode.kind} has no content`);
  return inode;
}
