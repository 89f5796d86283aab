import type { Content } from '../../bytes/content.ts';
import { type Part, packed } from '../../bytes/packed.ts';
import { BuildError } from '../../errors/error.ts';
import type { Report } from '../../events/events.ts';
import { type Inode, TYPE_BITS } from '../../tree/inode.ts';
import { type LinkCounts, linkCounts } from '../../tree/link-counts.ts';
import { Losses } from '../../tree/losses.ts';
import { display, PATH_MAX } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';
import { BLOCK, Header, NEWC, SIZE_MAX, TRAILER } from './layout.ts';

/** A cpio archive, with the places where it may be cut into separately compressed members. */
export interface CpioArchive extends Content {
  /**
   * Byte offsets at which entries begin, ascending; the last is the trailer's. The kernel takes several compressed
   * members in sequence only if each ends where an entry ends.
   */
  readonly entries: Float64Array;
}

interface Member {
  /** As GNU cpio spells it: `.` for the root, else without a leading `./`. */
  readonly name: string;
  readonly inode: Inode;
  readonly ino: number;
  readonly nlink: number;
  /** Bytes of data: 0 for all but the last name of a hard-linked file. */
  readonly size: number;
  /** True for the first name of the inode. */
  readonly isFirst: boolean;
}

/** How to write a cpio archive. */
export interface CpioOptions {
  /**
   * Receives a warning for each time that newc cannot store (before 1970, after February 2106); the nearest one is
   * stored. Without it such a time is an error.
   */
  readonly report?: Report | undefined;
}

/** Latest time in eight hex digits: 7 February 2106. */
const TIME_MAX = 0xffff_ffff;

/**
 * A tree as a newc archive, as the kernel unpacks it: parents before their children (the kernel drops entries without a
 * parent silently), names in byte order, inode numbers counted from 1 in that order, a hard-linked file's data with its
 * last name, as GNU cpio writes it. What newc cannot hold is an error (`ENTRY_NOT_STORABLE`) before the first byte;
 * extended attributes and fractions of seconds are not part of the format and are left out.
 *
 * @example
 * ```ts
 * import { cpioArchive, file, memory, Tree } from 'osbuilder';
 *
 * const tree = new Tree();
 * tree.set('init', file(memory('#!/bin/sh\n'), { mode: 0o755, uid: 0, gid: 0, mtime: 0 }));
 * console.log(cpioArchive(tree).size % 512); // prints: 0
 * ```
 */
export function cpioArchive(tree: Tree, options: CpioOptions = {}): CpioArchive {
  const { several, names } = linkCounts(tree.root);
  const losses = options.report === undefined ? undefined : new Losses(options.report);
  const entries = new Float64Array(names + 2);
  let size = 0;
  let count = 0;
  for (const member of members(tree, several)) {
    check(member, losses);
    entries[count++] = size;
    size += headSize(member.name) + member.size + padding(member.size);
  }
  losses?.flush();
  entries[count] = size;
  size += headSize(TRAILER);
  const end = (BLOCK - (size % BLOCK)) % BLOCK;
  return { size: size + end, entries, open: () => packed(parts(members(tree, several), end)) };
}

/**
 * The members of an archive in their order. They are made anew for each pass: kept, those of a million entries would take most
 * of the memory.
 */
function* members(tree: Tree, several: LinkCounts['several']): Generator<Member> {
  /** Of inodes with several names: the number, and names that are still to come. */
  const met = new Map<Inode, { readonly ino: number; left: number }>();
  let last = 0;
  for (const { path, inode } of tree.walk()) {
    const names = several.get(inode) ?? 1;
    const known = met.get(inode) ?? { ino: ++last, left: names };
    const isFirst = known.left === names;
    if (names > 1) met.set(inode, known);
    known.left--;
    const bytes = inode.kind === 'file' ? inode.content.size : inode.kind === 'symlink' ? inode.target.length : 0;
    yield {
      name: path === '' ? '.' : path,
      inode,
      ino: known.ino,
      nlink: (inode.kind === 'directory' ? links(inode) : 1) + names - 1,
      size: inode.kind === 'file' && known.left > 0 ? 0 : bytes,
      isFirst,
    };
  }
}

/** Links of a directory: its name, its own ".", and ".." of each directory in it. */
function links(inode: Inode & { kind: 'directory' }): number {
  let count = 2;
  for (const child of inode.children.values()) if (child.kind === 'directory') count++;
  return count;
}

function check({ name, inode, isFirst }: Member, losses: Losses | undefined): void {
  if (name.length >= PATH_MAX) throw notStorable(name, `its path is ${name.length} bytes long, 4095 is the limit`);
  if (name === TRAILER) throw notStorable(name, 'that name ends an archive');
  if (!isFirst) return;
  const path = name === '.' ? '' : name;
  if (inode.kind === 'file' && inode.content.size > SIZE_MAX)
    throw notStorable(path, `it has ${inode.content.size} bytes, 4 GiB - 1 is the limit`, 'build an image instead');
  if (inode.kind === 'symlink' && (inode.target.length >= PATH_MAX || inode.target === ''))
    throw notStorable(path, `its target is ${inode.target.length} bytes long, the kernel takes 1 to 4095`);
  const stored = storedTime(inode.mtime);
  if (stored === inode.mtime) return;
  if (losses === undefined)
    throw notStorable(path, `its time ${inode.mtime} is out of range`, 'clamp times to the source date epoch');
  losses.add('TIME_CLAMPED', { path, format: 'a cpio archive', time: inode.mtime, stored });
}

function storedTime(mtime: number): number {
  return Math.min(Math.max(mtime, 0), TIME_MAX);
}

function notStorable(path: string, reason: string, hint?: string): BuildError {
  const context = { path: display(path), format: 'a cpio archive', reason };
  return new BuildError('ENTRY_NOT_STORABLE', context, hint === undefined ? {} : { hint });
}

/** Heads and data are padded to four bytes each. */
function padding(size: number): number {
  return -size & 3;
}

function headSize(name: string): number {
  const size = Header.size + name.length + 1;
  return size + padding(size);
}

function* parts(members: Iterable<Member>, end: number): Generator<Part> {
  for (const member of members) {
    const { name, inode, size } = member;
    const head = headSize(name);
    if (inode.kind === 'symlink') {
      yield {
        head: head + size + padding(size),
        path: name,
        write(into, at) {
          writeHead(into, at, member);
          into.write(inode.target, at + head, 'latin1');
          into.fill(0, at + head + size, at + head + size + padding(size));
        },
        padding: 0,
      };
      continue;
    }
    yield {
      head,
      path: name,
      write: (into, at) => writeHead(into, at, member),
      ...(inode.kind === 'file' && size > 0 ? { content: inode.content } : {}),
      padding: padding(size),
    };
  }
  yield {
    head: headSize(TRAILER),
    path: TRAILER,
    write(into, at) {
      begin(into, at, TRAILER);
      hex8(into, at + Header.offset.nlink, 1);
    },
    padding: end,
  };
}

const { offset: AT } = Header;

function writeHead(into: Buffer, at: number, { name, inode, ino, nlink, size }: Member): void {
  begin(into, at, name);
  hex8(into, at + AT.ino, ino);
  hex8(into, at + AT.mode, TYPE_BITS[inode.kind] | inode.mode);
  hex8(into, at + AT.uid, inode.uid);
  hex8(into, at + AT.gid, inode.gid);
  hex8(into, at + AT.nlink, nlink);
  hex8(into, at + AT.mtime, storedTime(inode.mtime));
  hex8(into, at + AT.size, size);
  if (inode.kind === 'char' || inode.kind === 'block') {
    hex8(into, at + AT.deviceMajor, inode.major);
    hex8(into, at + AT.deviceMinor, inode.minor);
  }
}

/** A header of zeros, followed by its name and padding. */
function begin(into: Buffer, at: number, name: string): void {
  into.fill(0x30, at, at + Header.size);
  into.write(NEWC, at, 'latin1');
  hex8(into, at + AT.nameSize, name.length + 1);
  into.write(name, at + Header.size, 'latin1');
  into.fill(0, at + Header.size + name.length, at + headSize(name));
}

const DIGITS = Buffer.from('0123456789ABCDEF', 'latin1');

function hex8(into: Buffer, at: number, value: number): void {
  if (value < 0 || value > 0xffff_ffff) throw new RangeError(`${value} does not fit eight hex digits`);
  let rest = value;
  for (let i = at + 7; rest !== 0; i--) {
    into[i] = DIGITS[rest & 15]!;
    rest >>>= 4;
  }
}
