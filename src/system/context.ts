import { memory } from '../bytes/content.ts';
import type { WarningCode, WarningContext } from '../errors/warnings.ts';
import { type Report, warning } from '../events/events.ts';
import type { Meta } from '../tree/inode.ts';
import type { Tree } from '../tree/tree.ts';

/** What every configuration step needs besides the tree. */
export interface ConfigureContext {
  /** The guest's architecture as `uname -m` names it (`x86_64`, `aarch64`, `ppc64le`, `s390x`, …). */
  readonly machine: string;
  /** Folders in which the program loader looks besides those of /etc/ld.so.conf, in order; absolute. */
  readonly defaultLibraryFolders: readonly string[];
  /** Unix seconds: the time stamp of everything created, and the day passwords were "last changed". */
  readonly epoch: number;
  /** Where warnings and notes go. */
  readonly report: Report;
  /** The package whose scripts are being followed, for messages. */
  readonly package?: string;
}

/** Reports that something was skipped or looks wrong; the build continues unless it is strict. */
export function warn<C extends WarningCode>(
  context: ConfigureContext,
  code: C,
  details: WarningContext<C>,
  line?: number,
): void {
  context.report(warning(code, details, { package: context.package, line }));
}

/** Meta of something created at the epoch. */
export function made(context: ConfigureContext, mode: number, uid = 0, gid = 0): Meta {
  return { mode, uid, gid, mtime: context.epoch };
}

/**
 * Writes a text file; `text` is a byte string. An existing file keeps its mode and owner unless `mode` is given.
 * Missing parents are created.
 */
export function putText(tree: Tree, context: ConfigureContext, path: string, text: string, mode?: number): void {
  const bytes = memory(Buffer.from(text, 'latin1'));
  const present = tree.file(path);
  if (present === undefined) {
    makeParents(tree, context, path);
    tree.writeFile(path, bytes, made(context, mode ?? 0o644));
    return;
  }
  present.content = bytes;
  present.mtime = context.epoch;
  delete present.nanoseconds;
  if (mode !== undefined) present.mode = mode;
}

/** Creates the missing directories above `path`. */
export function makeParents(tree: Tree, context: ConfigureContext, path: string): void {
  const slash = path.lastIndexOf('/');
  if (slash > 0) tree.makeDirectory(path.slice(0, slash), undefined);
  touchNew(tree, context, path);
}

/** Directories created along the way have no time yet: give them the epoch. */
function touchNew(tree: Tree, context: ConfigureContext, path: string): void {
  let at = path.lastIndexOf('/');
  while (at > 0) {
    const inode = tree.stat(path.slice(0, at));
    if (inode === undefined || inode.mtime !== 0) return;
    inode.mtime = context.epoch;
    at = path.lastIndexOf('/', at - 1);
  }
}

/** Creates a directory and its missing parents (as `mkdir -p -m` would); an existing one is left unchanged. */
export function ensureDirectory(tree: Tree, context: ConfigureContext, path: string, meta?: Meta): void {
  if (tree.stat(path)?.kind === 'directory') return;
  makeParents(tree, context, path);
  tree.makeDirectory(path, meta ?? made(context, 0o755));
}

/** Creates a symbolic link dated at the epoch, replacing what exists; missing parents are created. */
export function putLink(tree: Tree, context: ConfigureContext, path: string, target: string): void {
  const present = tree.lstat(path);
  if (present?.kind === 'symlink' && present.target === target) return;
  makeParents(tree, context, path);
  tree.symlink(path, target, made(context, 0o777));
}

/** Creates an empty file, unless the path already exists. */
export function touch(tree: Tree, context: ConfigureContext, path: string, meta?: Meta): void {
  if (tree.has(path)) return;
  makeParents(tree, context, path);
  tree.writeFile(path, new Uint8Array(0), meta ?? made(context, 0o644));
}

/** Copies a file with its mode and owner (`cp -p`), unless the destination exists. True when it was copied. */
export function copyIfAbsent(tree: Tree, context: ConfigureContext, from: string, to: string): boolean {
  const source = tree.file(from);
  if (source === undefined || tree.has(to)) return false;
  makeParents(tree, context, to);
  const { kind: _, content, xattrs, ...meta } = source;
  tree.writeFile(to, content, { ...meta, ...(xattrs === undefined ? {} : { xattrs: new Map(xattrs) }) });
  return true;
}

/** The lines of a text, without a trailing empty one. */
export function lines(text: string): string[] {
  const all = text.split('\n');
  if (all[all.length - 1] === '') all.pop();
  return all;
}
