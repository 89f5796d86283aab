import type { Bytes, FileContent } from '../bytes/content.ts';
import { withoutEnding } from '../bytes/ending.ts';
import { isBuildError } from '../errors/error.ts';
import { type Directory, directory, file, type Inode, type Meta, symlink } from '../tree/inode.ts';
import { display, NAME_MAX, PATH_MAX } from '../tree/path.ts';
import type { Place, Tree } from '../tree/tree.ts';
import type { Budget } from './limits.ts';
import { compilePattern, matches } from './pattern.ts';

/** A failed file operation, with the C library's message; commands print it and return a non-zero status. */
export class FileError extends Error {
  readonly reason: string;

  constructor(reason: string) {
    // the stack of these is never used, and a hostile script can cause hundreds of thousands
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(reason);
    Error.stackTraceLimit = stackTraceLimit;
    this.reason = reason;
  }
}

/** Steps charged for a failure, since an error is created and caught. */
const TROUBLE = 20;
/** Limit for the bytes of a path from the root. Deeper files cannot be named, not even by a relative path. */
const ABSOLUTE_MAX = PATH_MAX;

/** File content held as a byte string, as scripts write it. Encoded only when bytes are requested. */
class TextContent implements FileContent {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  get size(): number {
    return this.text.length;
  }

  readSync(): Uint8Array {
    return new Uint8Array(Buffer.from(this.text, 'latin1'));
  }

  async *open(): Bytes {
    for (let at = 0; at < this.text.length; at += 1 << 18)
      yield new Uint8Array(Buffer.from(this.text.slice(at, at + (1 << 18)), 'latin1'));
  }
}

/** A byte string as the content of a file. */
export function textContent(text: string): FileContent {
  return new TextContent(text);
}

const texts = new WeakMap<FileContent, string>();

/** The text of a content that has been read before. */
function heldText(content: FileContent): string | undefined {
  return content instanceof TextContent ? content.text : texts.get(content);
}

/** All bytes of a content as a byte string; bounded by the caller's budget. */
export function contentText(content: FileContent, budget: Budget): string {
  budget.length(content.size, 'a file that is read');
  if (content instanceof TextContent) {
    budget.look(content.text.length);
    return content.text;
  }
  let text = texts.get(content);
  if (text === undefined) {
    const bytes = content.readSync();
    text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    texts.set(content, text);
  }
  budget.look(text.length);
  return text;
}

/**
 * The tree as a script sees it: absolute and relative paths, errors with the C library's messages, new files with the
 * build's time and the shell's umask. Nothing outside the tree can be named.
 */
export class Files {
  readonly tree: Tree;
  readonly budget: Budget;
  /** Time of everything created, in Unix seconds. */
  readonly time: number;
  /** Working directory: absolute, as spelled by the script. */
  cwd = '/';
  umask = 0o022;
  /** Owner of new files: root, except for what `su` and similar commands run. */
  owner: { readonly uid: number; readonly gid: number } = { uid: 0, gid: 0 };

  /** Files outside of the tree, by absolute path: those of bash's `<(…)`. */
  readonly aside = new Map<string, Inode & { kind: 'file' }>();

  constructor(tree: Tree, budget: Budget, time: number) {
    this.tree = tree;
    this.budget = budget;
    this.time = time;
  }

  /** An absolute spelling of a path. */
  absolute(path: string): string {
    return path.startsWith('/') ? path : `${this.cwd === '/' ? '' : this.cwd}/${path}`;
  }

  /** Walks a path and charges the budget for each of its parts and the links it follows. */
  #locate(path: string, follow: boolean): Place | undefined {
    const absolute = this.absolute(path);
    if (absolute.length > ABSOLUTE_MAX) throw new FileError('File name too long');
    const aside = this.aside.size === 0 ? undefined : this.aside.get(absolute);
    if (aside !== undefined) return { parent: this.tree.root, name: 'fd', path: absolute.slice(1), inode: aside };
    const work = { parts: 2 };
    try {
      return this.tree.locate(absolute, follow, work);
    } finally {
      this.budget.look(work.parts * 128);
      this.budget.scan(absolute.length);
    }
  }

  /** Resolves a path to a place; throws a {@link FileError} when a directory on the way is missing. */
  place(path: string, follow = false): Place {
    if (path === '') throw new FileError('No such file or directory');
    if (path.length >= PATH_MAX) throw new FileError('File name too long');
    this.budget.look(384);
    let found: Place | undefined;
    try {
      found = this.#locate(path, follow);
    } catch (error) {
      this.budget.spend(TROUBLE);
      if (isBuildError(error, 'PATH_LOOP')) throw new FileError('Too many levels of symbolic links');
      throw error;
    }
    if (found === undefined) this.budget.spend(TROUBLE);
    if (found === undefined) throw new FileError(this.#blocked(path) ? 'Not a directory' : 'No such file or directory');
    if (found.name.length > NAME_MAX) throw new FileError('File name too long');
    if (path.endsWith('/') && found.inode !== undefined && found.inode.kind !== 'directory')
      throw new FileError('Not a directory');
    return found;
  }

  #blocked(path: string): boolean {
    const names = this.absolute(path).split('/');
    for (let i = names.length - 1; i > 0; i--) {
      const inode = this.find(names.slice(0, i).join('/') || '/', true);
      if (inode !== undefined) return inode.kind !== 'directory';
    }
    return false;
  }

  /** The inode at a path, or undefined when there is none for any reason. */
  find(path: string, follow = true): Inode | undefined {
    if (path === '') return undefined;
    try {
      const inode = this.#locate(path, follow)?.inode;
      return path.endsWith('/') && inode?.kind !== 'directory' ? undefined : inode;
    } catch {
      this.budget.spend(TROUBLE);
      return undefined;
    }
  }

  /** The inode at a path; throws a {@link FileError} when there is none. */
  stat(path: string, follow = true): Inode {
    const inode = this.place(path, follow).inode;
    if (inode === undefined) throw new FileError('No such file or directory');
    return inode;
  }

  /** The absolute path with every link resolved; undefined when it does not exist. */
  real(path: string): string | undefined {
    try {
      const found = this.#locate(path, true);
      return found?.inode === undefined ? undefined : `/${found.path}`;
    } catch {
      return undefined;
    }
  }

  /** Owner, mode and time of a new inode. */
  meta(mode: number): Meta {
    return { mode: mode & ~this.umask, ...this.owner, mtime: this.time };
  }

  /** All of a file as a byte string. Of devices only the null device can be read; the zero device has no end. */
  read(path: string): string {
    if (path === '/dev/null') return '';
    if (path === '/dev/zero') this.budget.length(Number.POSITIVE_INFINITY, 'a file that is read');
    return this.readInode(this.stat(path));
  }

  /** All of an inode's bytes; `free`: the caller charges for reading them. */
  readInode(inode: Inode, free = false): string {
    if (inode.kind === 'directory') throw new FileError('Is a directory');
    if (inode.kind === 'file')
      return (free ? heldText(inode.content) : undefined) ?? contentText(inode.content, this.budget);
    if (isNull(inode)) return '';
    if (isZero(inode)) this.budget.length(Number.POSITIVE_INFINITY, 'a file that is read');
    throw new FileError('No such device or address');
  }

  /** The regular file at a path, created when it is missing; undefined for the null and the zero device. */
  open(path: string, mode = 0o666): (Inode & { kind: 'file' }) | undefined {
    if (path === '/dev/null' || path === '/dev/zero') return undefined;
    const place = this.place(path, true);
    if (place.inode === undefined) {
      if (path.endsWith('/')) throw new FileError('Is a directory');
      return this.put(place, file(textContent(''), this.meta(mode)));
    }
    if (place.inode.kind === 'directory') throw new FileError('Is a directory');
    if (place.inode.kind === 'file') return place.inode;
    if (isNull(place.inode) || isZero(place.inode)) return undefined;
    throw new FileError('No such device or address');
  }

  /** Writes a file, replacing its content. */
  write(path: string, text: string, mode = 0o666): void {
    const target = this.open(path, mode);
    this.budget.write(text.length);
    if (target !== undefined) this.fill(target, text);
  }

  /** Gives a file new bytes. */
  fill(target: Inode & { kind: 'file' }, text: string): void {
    this.budget.length(text.length, 'a file');
    target.content = textContent(text);
    this.touch(target);
  }

  /** Sets an inode's time to now. */
  touch(inode: Inode): void {
    inode.mtime = this.time;
    delete inode.nanoseconds;
  }

  /** Puts an inode at a place. */
  put<T extends Inode>(place: Place, inode: T): T {
    if (place.name === '') throw new FileError('File exists');
    this.budget.inode();
    place.parent.children.set(place.name, inode);
    this.touch(place.parent);
    return inode;
  }

  /** Creates a directory. */
  mkdir(path: string, mode = 0o777): Directory {
    const place = this.place(withoutEnding(path, '/') || '/');
    if (place.inode !== undefined) throw new FileError('File exists');
    const made = directory(this.meta(mode));
    // a new directory inherits the group and the setgid bit of a parent that has it
    if ((place.parent.mode & 0o2000) !== 0) Object.assign(made, { gid: place.parent.gid, mode: made.mode | 0o2000 });
    return this.put(place, made);
  }

  /** Creates a symbolic link. */
  symlink(path: string, target: string): void {
    if (target.length >= PATH_MAX) throw new FileError('File name too long');
    const place = this.place(path);
    if (place.inode !== undefined) throw new FileError('File exists');
    this.put(place, symlink(target, { mode: 0o777, ...this.owner, mtime: this.time }));
  }

  /** Removes a name; a directory only when `whole`. */
  unlink(path: string, whole = false): void {
    const place = this.place(path);
    if (place.inode === undefined) throw new FileError('No such file or directory');
    if (place.inode.kind === 'directory' && !whole) throw new FileError('Is a directory');
    if (place.name === '') throw new FileError('Device or resource busy');
    place.parent.children.delete(place.name);
    this.touch(place.parent);
  }

  /** Names in a directory, in byte order. */
  list(path: string): string[] {
    const inode = this.stat(path);
    if (inode.kind !== 'directory') throw new FileError('Not a directory');
    this.budget.look(inode.children.size << 3);
    return [...inode.children.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  }

  /** Number of names of every inode of the tree; a directory counts itself and its subdirectories as well. */
  linkCounts(): Map<Inode, number> {
    const counts = new Map<Inode, number>([[this.tree.root, 2]]);
    const waiting: Directory[] = [this.tree.root];
    for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
      this.budget.look(folder.children.size << 3);
      for (const child of folder.children.values()) {
        if (child.kind !== 'directory') counts.set(child, (counts.get(child) ?? 0) + 1);
        else {
          counts.set(child, 2);
          counts.set(folder, counts.get(folder)! + 1);
          waiting.push(child);
        }
      }
    }
    return counts;
  }

  /** True when a name fits a pattern. */
  fits(pattern: string, name: string): boolean {
    return matches(compilePattern(pattern, this.budget), name, this.budget);
  }

  /** A path for messages. */
  show(path: string): string {
    return display(path);
  }
}

/** True for the null device. */
export function isNull(inode: Inode): boolean {
  return inode.kind === 'char' && inode.major === 1 && inode.minor === 3;
}

/** True for the zero device. */
export function isZero(inode: Inode): boolean {
  return inode.kind === 'char' && inode.major === 1 && inode.minor === 5;
}
