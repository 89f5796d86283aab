import { BuildError } from '../errors/error.ts';
import type { DlopenPriority } from '../formats/elf/notes.ts';
import type { Elf } from '../formats/elf/read.ts';
import type { File, Inode } from '../tree/inode.ts';
import { display, join, parts } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';
import { dlopenNotesOf, elfOf, headOf } from './elfs.ts';
import { LibrarySearch, type Loaded, type SearchOptions } from './library-search.ts';

/** Why a path is in a closure. */
export interface Reason {
  /**
   * `asked`: somebody asked for it, `by` says who; `link`: a symbolic link `by` leads to it; `needed`: DT_NEEDED of `by`;
   * `interpreter`: the dynamic loader or the shell of `by`; `dlopen`: a note in `by` names it; `hwcaps`: a copy of `by`
   * for newer processors; `beside`: it belongs to the library `by`.
   */
  readonly kind: 'asked' | 'link' | 'needed' | 'interpreter' | 'dlopen' | 'hwcaps' | 'beside';
  /** A path without a leading slash, or for `asked` a text. */
  readonly by: string;
}

/** Something that is needed and not in the tree. */
export interface Missing {
  /** Soname or path, as it is written. */
  readonly name: string;
  readonly reason: Reason;
  /** The program works without it. */
  readonly optional: boolean;
}

/** What to take besides what the loader loads at the start of a program. */
export interface ClosureOptions extends SearchOptions {
  /** Also libraries that notes name, from this priority on; default `recommended`, `none` for none of them. */
  readonly dlopen?: DlopenPriority | 'none';
  /** Also the copies of libraries for newer processors. */
  readonly hwcaps?: boolean;
  /** Further paths that belong to a library which is needed, without a leading slash. */
  readonly beside?: (library: string) => Iterable<string>;
  /** True for a path that something else provides: the interpreter of a script that is there is not taken. */
  readonly provided?: (path: string) => boolean;
  /** Called for each path when it is taken: links before what they lead to. */
  readonly taken?: (path: string, inode: Inode, reason: Reason) => void;
}

const PRIORITIES: readonly DlopenPriority[] = ['required', 'recommended', 'suggested'];
/** Symbolic links that are followed in one lookup, as in the kernel (MAXSYMLINKS). */
const LINKS_MAX = 40;
/** Folders in which a program without a path is searched, as dracut does. */
const PROGRAM_FOLDERS = ['usr/sbin', 'usr/bin', 'sbin', 'bin'] as const;

/**
 * Files of a tree with everything that they need to run: every symbolic link on the way, libraries, loaders, interpreters
 * of scripts, what notes name. The tree is not changed and must not change meanwhile.
 *
 * @example
 * ```ts
 * const closure = new Closure(tree);
 * closure.add('usr/bin/mount', { kind: 'asked', by: 'a test' });
 * for (const [path, { kind, by }] of closure.paths) console.log(path, kind, by);
 * ```
 */
export class Closure {
  /** Every path taken, without links in its parents, in the order in which they were found; folders only if asked. */
  readonly paths = new Map<string, Reason>();
  /** What is needed and not there. */
  readonly missing: Missing[] = [];
  private readonly tree: Tree;
  private readonly options: ClosureOptions;
  private readonly search: LibrarySearch;
  private readonly notes: ReadonlySet<DlopenPriority>;
  private readonly missed = new Set<string>();
  /** Libraries that were taken, by the path at which the loader finds them. */
  private readonly libraries = new Map<string, Elf>();
  /** Files whose needs are still to be looked at. A queue: files may name each other in chains of any length. */
  private readonly queue: { readonly path: string; readonly file: File }[] = [];
  private busy = false;

  constructor(tree: Tree, options: ClosureOptions = {}) {
    this.tree = tree;
    this.options = options;
    this.search = new LibrarySearch(tree, options);
    const { dlopen = 'recommended' } = options;
    this.notes = new Set(dlopen === 'none' ? [] : PRIORITIES.slice(0, PRIORITIES.indexOf(dlopen) + 1));
  }

  /**
   * Adds a path with its closure. False, and nothing is noted, if it is not in the tree: the caller knows whether that
   * matters. Throws `PATH_LOOP`, and `NOT_A_FILE` for a device, a fifo or a socket.
   */
  add(path: string, reason: Reason): boolean {
    return this.addTraced(path, reason, true);
  }

  /** Adds a path as {@link add} does, without a look into the file: for what is known to be neither program nor script. */
  addData(path: string, reason: Reason): boolean {
    return this.addTraced(path, reason, false);
  }

  private addTraced(path: string, reason: Reason, runs: boolean): boolean {
    const found = this.trace(path, reason);
    if (found === undefined) return false;
    const { inode } = found;
    if (this.paths.has(found.path)) return true;
    if (inode.kind !== 'file' && inode.kind !== 'directory')
      throw new BuildError('NOT_A_FILE', { path: display(found.path), kind: inode.kind });
    this.take(found.path, inode, found.reason);
    if (inode.kind === 'file' && runs) this.queue.push({ path: found.path, file: inode });
    this.work();
    return true;
  }

  /** Adds a program by its path, or by its name in the folders of programs, every one that has it. */
  addProgram(name: string, reason: Reason): boolean {
    if (name.includes('/')) return this.add(name, reason);
    let any = false;
    for (const folder of PROGRAM_FOLDERS) any = this.add(`${folder}/${name}`, reason) || any;
    return any;
  }

  /** Adds what a file needs that is itself not of the tree, such as a program of an overlay; `path` is its place. */
  addNeeds(path: string, file: File): void {
    this.queue.push({ path, file });
    this.work();
  }

  private take(path: string, inode: Inode, reason: Reason): void {
    this.paths.set(path, reason);
    this.options.taken?.(path, inode, reason);
  }

  private work(): void {
    if (this.busy) return;
    this.busy = true;
    try {
      for (let next = this.queue.pop(); next !== undefined; next = this.queue.pop()) this.scan(next.path, next.file);
    } finally {
      this.busy = false;
    }
  }

  /** Follows a path, taking each symbolic link on the way; undefined, and nothing is taken, if it leads nowhere. */
  private trace(path: string, reason: Reason): { path: string; inode: Inode; reason: Reason } | undefined {
    const links: { path: string; inode: Inode; last: boolean }[] = [];
    const stack: { path: string; inode: Inode }[] = [{ path: '', inode: this.tree.root }];
    const todo = parts(path).reverse();
    while (todo.length > 0) {
      const part = todo.pop()!;
      if (part === '..') {
        if (stack.length > 1) stack.pop();
        continue;
      }
      const here = stack[stack.length - 1]!;
      const inode = here.inode.kind === 'directory' ? here.inode.children.get(part) : undefined;
      if (inode === undefined) return undefined;
      const at = join(here.path, part);
      if (inode.kind !== 'symlink') {
        stack.push({ path: at, inode });
        continue;
      }
      links.push({ path: at, inode, last: todo.length === 0 });
      if (links.length > LINKS_MAX) throw new BuildError('PATH_LOOP', { path: display(path) });
      if (inode.target.startsWith('/')) stack.length = 1;
      for (const each of parts(inode.target).reverse()) todo.push(each);
    }
    // a link in the folders (/lib) leads there, but is no reason for the file
    let why = reason;
    for (const { path: link, inode, last } of links) {
      if (!this.paths.has(link)) this.take(link, inode, why);
      if (last) why = { kind: 'link', by: link };
    }
    const { path: real, inode } = stack[stack.length - 1]!;
    return { path: real, inode, reason: why };
  }

  private scan(path: string, file: File): void {
    const { elf, script } = headOf(file);
    if (elf === undefined) {
      if (script !== undefined) this.scanScript(path, script);
      return;
    }
    if (elf.interpreter !== undefined) this.need(elf.interpreter, { kind: 'interpreter', by: path });
    this.load({ path: `/${path}`, elf });
    this.addNoted(path, file, { path: `/${path}`, elf });
  }

  /** Loads what `program` needs, breadth first, as the loader does: each name once. */
  private load(program: Loaded): void {
    const names = new Set<string>();
    const queue: Loaded[] = [program];
    for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
      for (const soname of at.elf.needed) {
        if (names.has(soname)) continue;
        names.add(soname);
        const by = this.tree.realpath(at.path) ?? at.path;
        const path = this.search.find(at, soname);
        if (path === undefined) {
          this.miss(soname, { kind: 'needed', by }, false);
          continue;
        }
        queue.push({ path, elf: this.takeLibrary(path, { kind: 'needed', by }), by: at });
      }
    }
  }

  /** Takes a library that was found, with what belongs to it; what it needs is looked at by {@link load}. */
  private takeLibrary(path: string, reason: Reason): Elf {
    const known = this.libraries.get(path);
    if (known !== undefined) return known;
    const found = this.trace(path, reason)!;
    const file = found.inode as File; // the search finds ELF files only
    const elf = elfOf(file)!;
    this.libraries.set(path, elf);
    if (this.paths.has(found.path)) return elf;
    this.take(found.path, file, found.reason);
    if (elf.interpreter !== undefined) this.need(elf.interpreter, { kind: 'interpreter', by: found.path });
    if (this.options.hwcaps === true)
      for (const copy of this.search.hwcapsOf(path, elf)) this.add(copy, { kind: 'hwcaps', by: found.path });
    for (const other of this.options.beside?.(path) ?? []) this.add(other, { kind: 'beside', by: found.path });
    this.addNoted(found.path, file, { path: `/${found.path}`, elf });
    return elf;
  }

  private addNoted(path: string, file: File, needer: Loaded): void {
    if (this.notes.size === 0) return;
    for (const { sonames, priority } of dlopenNotesOf(file)) {
      if (!this.notes.has(priority)) continue;
      const reason: Reason = { kind: 'dlopen', by: path };
      const library = sonames.map((soname) => this.search.find(needer, soname)).find((one) => one !== undefined);
      if (library !== undefined) this.add(library, reason);
      else this.miss(sonames[0]!, reason, priority !== 'required');
    }
  }

  /** The interpreter of a script; for `#!/usr/bin/env NAME` the program of that name as well. */
  private scanScript(path: string, head: string): void {
    const line = /^[ \t]*([^ \t\n\0]+)[ \t]*([^\n\0]*)/.exec(head);
    if (line === null) return;
    const reason: Reason = { kind: 'interpreter', by: path };
    this.need(line[1]!, reason);
    if (!line[1]!.endsWith('/env')) return;
    const name = line[2]!.split(/[ \t]+/).find((word) => !word.startsWith('-') && !word.includes('='));
    if (name !== undefined && name !== '' && !this.addProgram(name, reason)) this.miss(name, reason, false);
  }

  private need(path: string, reason: Reason): void {
    if (this.options.provided?.(path) === true) return;
    if (!this.add(path, reason)) this.miss(path, reason, false);
  }

  private miss(name: string, reason: Reason, optional: boolean): void {
    const key = `${name}\0${reason.by}`;
    if (this.missed.has(key)) return;
    this.missed.add(key);
    this.missing.push({ name, reason, optional });
  }
}
