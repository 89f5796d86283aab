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

export type File = Meta & { kind: 'file'; content: FileContent };
export type Directory = Meta & { kind: 'directory'; children: Map<string, Inode> };
export type Symlink = Meta & { kind: 'symlink'; target: string };
export type Device = Meta & { kind: 'char' | 'block'; major: number; minor: number };
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

/** Meta of a file owned by root with the given permission bits. */
export function rootMeta(mode: number, mtime = 0): Meta {
  return { mode, uid: 0, gid: 0, mtime };
}

/** An empty directory. */
export function directory(meta: Meta = rootMeta(0o755)): Directory {
  return { ...meta, kind: 'directory', children: new Map() };
}

/** A regular file. */
export function file(content: FileContent, meta: Meta = rootMeta(0o644)): File {
  return { ...meta, kind: 'file', content };
}

/** A symbolic link; its target is a byte string, as names are. */
export function symlink(target: string, meta: Meta = rootMeta(0o777)): Symlink {
  return { ...meta, kind: 'symlink', target };
}
