import { type FileContent, memory } from '../bytes/content.ts';
import { BuildError } from '../errors/error.ts';
import {
  type Directory,
  directory,
  type File,
  file,
  type Inode,
  type Meta,
  rootMeta,
  type Symlink,
  symlink,
} from './inode.ts';
import { basename, display, join, parts } from './path.ts';

/** Maximum number of symbolic links followed in one lookup, as in the kernel (MAXSYMLINKS). */
const LINKS_MAX = 40;

/** The result of a lookup: the directory that contains (or would contain) the last name, and the inode if it exists. */
export interface Place {
  readonly parent: Directory;
  /** Name in `parent`; empty for the root itself. */
  readonly name: string;
  /** The path with every symlink on the way resolved. */
  readonly path: string;
  readonly inode: Inode | undefined;
}

/** An entry visited by {@link Tree.walk}. */
export interface Visit {
  /** Path from the root; the root's own is empty. */
  readonly path: string;
  readonly name: string;
  readonly inode: Inode;
}

/**
 * A root file system in memory. Lookups resolve symbolic links inside the root, as a chroot would: absolute targets
 * start at the root, `..` never climbs above it, so nothing outside can be reached.
 *
 * @example
 * ```ts
 * import { Tree } from 'osbuilder';
 *
 * const tree = new Tree();
 * tree.makeDirectory('usr/bin');
 * tree.symlink('bin', 'usr/bin');
 * tree.writeFile('bin/tool', '#!/bin/sh\n');
 * for (const { path, inode } of tree.walk()) console.log(`/${path} ${inode.kind}`);
 * // prints: / directory
 * // prints: /bin symlink
 * // prints: /usr directory
 * // prints: /usr/bin directory
 * // prints: /usr/bin/tool file
 * ```
 */
export class Tree {
  readonly root: Directory;

  constructor(root: Directory = directory()) {
    this.root = root;
  }

  /**
   * Looks up `path`. Links in the middle are always followed; a link at the end only with `follow`. Only a loop is an
   * error: undefined means that a directory on the way is missing or is not a directory.
   */
  locate(path: string, follow = false, work?: { parts: number }): Place | undefined {
    const plain = work === undefined ? this.locatePlain(path, follow) : 'by links';
    if (plain !== 'by links') return plain;
    // resolved so far, as a stack, so that ".." is right after links
    const stack: { name: string; directory: Directory }[] = [{ name: '', directory: this.root }];
    const todo = parts(path).reverse();
    let links = 0;
    if (path.endsWith('/') || path.endsWith('/.')) follow = true;
    while (todo.length > 0) {
      const part = todo.pop()!;
      if (work !== undefined) work.parts++;
      if (part === '..') {
        if (stack.length > 1) stack.pop();
        continue;
      }
      const here = stack[stack.length - 1]!.directory;
      const inode = here.children.get(part);
      const last = todo.length === 0;
      if (inode?.kind === 'symlink' && (!last || follow)) {
        if (++links > LINKS_MAX) throw new BuildError('PATH_LOOP', { path: display(path) });
        if (inode.target.startsWith('/')) stack.length = 1;
        for (const each of parts(inode.target).reverse()) todo.push(each);
        continue;
      }
      if (last) return { parent: here, name: part, path: join(pathOf(stack), part), inode };
      if (inode?.kind !== 'directory') return undefined;
      stack.push({ name: part, directory: inode });
    }
    const top = stack[stack.length - 1]!;
    const above = stack[stack.length - 2];
    return { parent: above?.directory ?? this.root, name: top.name, path: pathOf(stack), inode: top.directory };
  }

  /**
   * {@link locate} of a path in its usual form, with neither links nor `..` on the way: tens of thousands are located, and for
   * these nothing but the result is made.
   */
  private locatePlain(path: string, follow: boolean): Place | undefined | 'by links' {
    let parent = this.root;
    for (let from = 0; ; ) {
      const slash = path.indexOf('/', from);
      const name = path.slice(from, slash < 0 ? path.length : slash);
      if (name === '' || name === '.' || name === '..') return 'by links';
      const inode = parent.children.get(name);
      if (inode?.kind === 'symlink' && (follow || slash >= 0)) return 'by links';
      if (slash < 0) return { parent, name, path, inode };
      if (inode?.kind !== 'directory') return undefined;
      parent = inode;
      from = slash + 1;
    }
  }

  /** The inode at `path`, a final symlink followed; undefined when there is none (a dangling link too). */
  stat(path: string): Inode | undefined {
    return this.locate(path, true)?.inode;
  }

  /** The inode at `path` itself, a final symlink not followed. */
  lstat(path: string): Inode | undefined {
    return this.locate(path)?.inode;
  }

  /** True when something is at `path` (a dangling link counts as nothing). */
  has(path: string): boolean {
    return this.stat(path) !== undefined;
  }

  /** The path with every symbolic link resolved, the last one included; undefined when it does not exist. */
  realpath(path: string): string | undefined {
    const place = this.locate(path, true);
    return place?.inode === undefined ? undefined : place.path;
  }

  /** The file at `path` (links followed), or undefined. */
  file(path: string): File | undefined {
    const inode = this.stat(path);
    return inode?.kind === 'file' ? inode : undefined;
  }

  /** The text of the file at `path` as a byte string, or undefined. */
  text(path: string): string | undefined {
    const found = this.file(path);
    if (found === undefined) return undefined;
    const bytes = found.content.readSync();
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  }

  /** Names in the directory at `path`, in byte order; empty when it is not a directory. */
  list(path: string): string[] {
    const inode = this.stat(path);
    return inode?.kind === 'directory' ? sortedNames(inode) : [];
  }

  /** The directory at `path`, created with its missing parents (0755 root, or `meta` for the last one). */
  makeDirectory(path: string, meta?: Meta): Directory {
    // resolved so far: each part is looked up once, whatever the depth
    const stack: { name: string; directory: Directory }[] = [{ name: '', directory: this.root }];
    const todo = parts(path).reverse();
    const wrong = (part: string) =>
      new BuildError('NOT_A_DIRECTORY', { path: display(path), at: display(join(pathOf(stack), part)) });
    let links = 0;
    // what is left of the path itself, behind the targets of links
    let own = todo.length;
    while (todo.length > 0) {
      const part = todo.pop()!;
      own = Math.min(own, todo.length);
      if (part === '..') {
        if (stack.length > 1) stack.pop();
        continue;
      }
      const here = stack[stack.length - 1]!.directory;
      let inode = here.children.get(part);
      if (inode?.kind === 'symlink') {
        if (++links > LINKS_MAX) throw new BuildError('PATH_LOOP', { path: display(path) });
        if (inode.target.startsWith('/')) stack.length = 1;
        for (const each of parts(inode.target).reverse()) todo.push(each);
        continue;
      }
      if (inode === undefined) {
        // the last name of a link's target is made, as for a file that is written through a link; its parents are not
        if (todo.length > own) throw wrong(part);
        inode = directory(todo.length === 0 && meta !== undefined ? { ...meta } : rootMeta(0o755, meta?.mtime));
        here.children.set(part, inode);
      }
      if (inode.kind !== 'directory') throw wrong(part);
      stack.push({ name: part, directory: inode });
    }
    return stack[stack.length - 1]!.directory;
  }

  /**
   * Puts an inode at `path`, replacing what exists. Missing parents are created and links in them followed;
   * a link at the path itself is replaced, not followed. Returns the resolved path.
   */
  set(path: string, inode: Inode): string {
    const place = this.locate(path) ?? this.locateIn(this.makeParent(path), path);
    if (place.name === '') throw new BuildError('PATH_EXISTS', { path: '' });
    place.parent.children.set(place.name, inode);
    return place.path;
  }

  private makeParent(path: string): string {
    const parent = parts(path).slice(0, -1).join('/');
    this.makeDirectory(parent);
    return parent;
  }

  private locateIn(parent: string, path: string): Place {
    return this.locate(join(parent, basename(parts(path).join('/'))))!;
  }

  /** Writes a file, through a link at `path` if there is one. An existing file keeps its meta unless one is given. */
  writeFile(path: string, content: FileContent | string | Uint8Array, meta?: Meta): File {
    const data = typeof content === 'string' || content instanceof Uint8Array ? memory(content) : content;
    const place = this.locate(path, true);
    if (place?.inode?.kind === 'file') {
      place.inode.content = data;
      if (meta !== undefined) Object.assign(place.inode, meta);
      return place.inode;
    }
    const made = file(data, meta ?? rootMeta(0o644));
    this.set(place?.path ?? path, made);
    return made;
  }

  /** Creates (or replaces) a symbolic link. */
  symlink(path: string, target: string, meta?: Meta): Symlink {
    const made = symlink(target, meta ?? rootMeta(0o777));
    this.set(path, made);
    return made;
  }

  /** Removes what is at `path` itself (a directory with its content). True when something was removed. */
  remove(path: string): boolean {
    const place = this.locate(path);
    if (place?.inode === undefined || place.name === '') return false;
    return place.parent.children.delete(place.name);
  }

  /**
   * Moves what is at `from` to `to`, replacing what exists. A directory cannot be moved into itself, nor the root at all:
   * the tree would contain itself.
   */
  rename(from: string, to: string): void {
    const place = this.locate(from);
    if (place?.inode === undefined) throw new BuildError('NO_SUCH_PATH', { path: display(from) });
    const parent = this.realpath(parts(to).slice(0, -1).join('/')) ?? parts(to).slice(0, -1).join('/');
    if (place.inode.kind === 'directory' && (place.name === '' || `${parent}/`.startsWith(`${place.path}/`)))
      throw new BuildError('PATH_INVALID', {
        path: display(to),
        source: 'rename',
        reason: `it is below /${display(place.path)}, which would be moved there`,
      });
    place.parent.children.delete(place.name);
    this.set(to, place.inode);
  }

  /** Calls `look` with every inode except the root's, in no particular order; once per name of an inode. */
  each(look: (inode: Inode) => void): void {
    const todo: Directory[] = [this.root];
    for (let here = todo.pop(); here !== undefined; here = todo.pop())
      for (const inode of here.children.values()) {
        look(inode);
        if (inode.kind === 'directory') todo.push(inode);
      }
  }

  /** Every entry, the root first, parents before children, names in byte order. Do not change unvisited directories. */
  *walk(): Generator<Visit> {
    yield { path: '', name: '', inode: this.root };
    yield* walkBelow(this.root, '');
  }
}

function* walkBelow(from: Directory, path: string): Generator<Visit> {
  // an explicit stack: a generator per level would pass every entry through all levels
  const stack: { path: string; names: string[]; next: number; directory: Directory }[] = [
    { path, names: sortedNames(from), next: 0, directory: from },
  ];
  while (stack.length > 0) {
    const top = stack[stack.length - 1]!;
    if (top.next >= top.names.length) {
      stack.pop();
      continue;
    }
    const name = top.names[top.next++]!;
    const inode = top.directory.children.get(name);
    if (inode === undefined) continue; // removed while walking
    const here = join(top.path, name);
    yield { path: here, name, inode };
    if (inode.kind === 'directory') stack.push({ path: here, names: sortedNames(inode), next: 0, directory: inode });
  }
}

/** Names of a directory in byte order (names are byte strings, so plain comparison gives byte order). */
export function sortedNames(directory: Directory): string[] {
  const names = [...directory.children.keys()];
  // most trees were filled in this order
  for (let i = 1; i < names.length; i++) if (names[i - 1]! > names[i]!) return names.sort();
  return names;
}

function pathOf(stack: readonly { name: string }[]): string {
  return stack
    .slice(1)
    .map((level) => level.name)
    .join('/');
}
