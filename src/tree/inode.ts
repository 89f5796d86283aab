import type { FileContent } from '../bytes/content.ts';

/**
 * Metadata of an inode besides its kind. Owners are numbers; if an archive also names them, the names are kept in
 * `user` and `group` until accounts are settled.
 */
export interface Meta {
  /** Permission bits with setuid, setgid and sticky: 0 … 0o7777. */
  mode: number;
  uid: number;
  gid: number;
  user?: string;
  group?: string;
  /** Whole seconds since 1970 (may be negative). */
  mtime: number;
  /** Nanoseconds on top of `mtime`, 0 … 999999999; absent means 0. */
  nanoseconds?: number;
  /** Extended attributes by full name (`security.capability`, `user.x`); absent means none. */
  xattrs?: Map<string, Uint8Array>;
}

/** A regular file with its content. */
export type File = Meta & { kind: 'file'; content: FileContent };
/** A directory: its children by name (a byte string), in any order. */
export type Directory = Meta & { kind: 'directory'; children: Map<string, Inode> };
/** A symbolic link; `target` is a byte string. */
export type Symlink = Meta & { kind: 'symlink'; target: string };
/** A device node with its numbers. */
export type Device = Meta & { kind: 'char' | 'block'; major: number; minor: number };
/** A fifo or a socket. */
export type Special = Meta & { kind: 'fifo' | 'socket' };

/** One file of any kind. A hard link is one inode under two names. */
export type Inode = File | Directory | Symlink | Device | Special;

/** The kinds an inode may have. */
export type Kind = Inode['kind'];

/** File type bits of st_mode, by kind. */
export const TYPE_BITS: Readonly<Record<Kind, number>> = {
  fifo: 0o010000,
  char: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
};

const KINDS: ReadonlyMap<number, Kind> = new Map(
  (Object.keys(TYPE_BITS) as Kind[]).map((kind) => [TYPE_BITS[kind], kind]),
);

/** The kind named by the type bits of st_mode, or undefined when they name none. */
export function kindOf(stMode: number): Kind | undefined {
  return KINDS.get(stMode & 0o170000);
}

/**
 * Meta of a file owned by root with the given permission bits.
 *
 * @example
 * ```ts
 * import { rootMeta } from 'osbuilder';
 *
 * console.log(rootMeta(0o755).uid); // prints: 0
 * ```
 */
export function rootMeta(mode: number, mtime = 0): Meta {
  return { mode, uid: 0, gid: 0, mtime };
}

/**
 * A directory; empty unless its children are given.
 *
 * @example
 * ```ts
 * import { directory, Tree } from 'osbuilder';
 *
 * const tree = new Tree();
 * tree.set('tmp', directory({ mode: 0o1777, uid: 0, gid: 0, mtime: 0 }));
 * console.log(tree.list('')); // prints: [ 'tmp' ]
 * ```
 */
export function directory(meta: Meta = rootMeta(0o755), children: Map<string, Inode> = new Map()): Directory {
  const { mode, uid, gid, mtime } = meta;
  return completed({ kind: 'directory', mode, uid, gid, mtime, children }, meta);
}

/**
 * A regular file.
 *
 * @example
 * ```ts
 * import { file, memory, Tree } from 'osbuilder';
 *
 * const tree = new Tree();
 * const agent = file(memory('#!/bin/sh\n'), { mode: 0o755, uid: 0, gid: 0, mtime: 0 });
 * tree.set('sbin/init', agent);
 * tree.set('usr/bin/kata-agent', agent); // a hard link
 * console.log(tree.list('usr/bin')); // prints: [ 'kata-agent' ]
 * ```
 */
export function file(content: FileContent, meta: Meta = rootMeta(0o644)): File {
  const { mode, uid, gid, mtime } = meta;
  return completed({ kind: 'file', mode, uid, gid, mtime, content }, meta);
}

/**
 * A symbolic link; its target is a byte string, as names are.
 *
 * @example
 * ```ts
 * import { symlink, Tree } from 'osbuilder';
 *
 * const tree = new Tree();
 * tree.set('bin', symlink('usr/bin'));
 * tree.makeDirectory('usr/bin');
 * console.log(tree.realpath('bin')); // prints: usr/bin
 * ```
 */
export function symlink(target: string, meta: Meta = rootMeta(0o777)): Symlink {
  const { mode, uid, gid, mtime } = meta;
  return completed({ kind: 'symlink', mode, uid, gid, mtime, target }, meta);
}

/** A device node. */
export function device(kind: Device['kind'], major: number, minor: number, meta: Meta): Device {
  const { mode, uid, gid, mtime } = meta;
  return completed({ kind, mode, uid, gid, mtime, major, minor }, meta);
}

/** A fifo or a socket. */
export function special(kind: Special['kind'], meta: Meta): Special {
  const { mode, uid, gid, mtime } = meta;
  return completed({ kind, mode, uid, gid, mtime }, meta);
}

/**
 * Adds what an inode rarely has. Inodes are made property by property: V8 keeps an object that is made by spreading
 * another as a table, which takes four times the memory (346 bytes instead of 82) of each file of a guest.
 */
function completed<T extends Inode>(inode: T, { user, group, nanoseconds, xattrs }: Meta): T {
  if (user !== undefined) inode.user = user;
  if (group !== undefined) inode.group = group;
  if (nanoseconds !== undefined) inode.nanoseconds = nanoseconds;
  if (xattrs !== undefined) inode.xattrs = xattrs;
  return inode;
}
