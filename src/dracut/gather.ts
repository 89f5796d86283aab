import { type FileContent, memory } from '../bytes/content.ts';
import { inParts } from '../bytes/file.ts';
import { BuildError } from '../errors/error.ts';
import { type Report, warning } from '../events/events.ts';
import { Closure, type Missing, type Reason } from '../system/closure.ts';
import { elfOf } from '../system/elfs.ts';
import { globPaths } from '../system/glob.ts';
import { LibrarySearch } from '../system/library-search.ts';
import { type File, file, type Inode, type Meta, symlink } from '../tree/inode.ts';
import { basename, dirname, display, join, normal, parts } from '../tree/path.ts';
import { Tree } from '../tree/tree.ts';
import { AccountLines } from './account-lines.ts';
import { hasProgram } from './module.ts';
import { ruleNeeds } from './udev-rules.ts';

/** Folders that the kernel fills; what is in them belongs to the machine and not to its system. */
const KERNEL_FOLDERS = /^(?:proc|sys|dev|run)(?:\/|$)/;
export const UNITS = 'usr/lib/systemd/system';
export const RULES = 'usr/lib/udev/rules.d';

/** What a gathering needs besides the system. */
export interface GatheringOptions {
  /** The system, for messages. */
  readonly name: string;
  /** Folders of libraries, instead of those that the loader searches. */
  readonly libFolders?: readonly string[] | undefined;
  readonly report: Report;
}

/** Files of a system that are collected into a tree of their own, each with everything that it needs. */
export class Gathering {
  readonly sysroot: Tree;
  /** What was collected. Everything belongs to root. */
  readonly out = new Tree();
  readonly accounts: AccountLines;
  readonly closure: Closure;
  private readonly options: GatheringOptions;
  /** Who asked, where the files may be missing or unfit. */
  private readonly optional = new Set<string>();
  /** The newest time stamp of what was taken, in Unix seconds. */
  newest = 0;
  private libraries: readonly string[] | undefined;

  constructor(sysroot: Tree, options: GatheringOptions) {
    this.sysroot = sysroot;
    this.options = options;
    this.accounts = new AccountLines(sysroot);
    this.closure = new Closure(sysroot, {
      taken: (path, inode) => this.copy(path, inode),
      beside: (library) => besideLibrary(library),
      // /bin/sh is the shell that a module took, whichever the system has
      provided: (path) => this.out.stat(path)?.kind === 'file',
    });
  }

  /** True if a program (by its name) or a path is in the system. */
  has(what: string): boolean {
    return hasProgram(this.sysroot, what);
  }

  /** Takes programs, by name or path. Without `optional` each must be there. */
  programs(names: readonly string[], by: string, optional = false): void {
    for (const name of names) {
      if (name.includes('/')) {
        this.paths([name], by, optional);
        continue;
      }
      let any = false;
      for (const folder of ['usr/sbin', 'usr/bin', 'sbin', 'bin'])
        any = this.path(`${folder}/${name}`, by, optional) || any;
      if (!any && !optional) throw this.missing(name, by);
    }
  }

  /** Takes what matches paths and patterns. Without `optional` each must match something. */
  paths(patterns: readonly string[], by: string, optional = true): void {
    for (const pattern of patterns) {
      const wanted = pattern.replace(/^\/+/, '');
      if (KERNEL_FOLDERS.test(normal(wanted)))
        throw new BuildError('DRACUT_OPTION', {
          where: by,
          name: `/${display(wanted)}`,
          reason: 'what is there belongs to the running kernel and not to the system',
        });
      const found = globPaths(this.sysroot, `/${wanted}`);
      let any = false;
      for (const path of found) any = this.path(path, by, optional) || any;
      if (!any && !optional) throw this.missing(`/${wanted}`, by);
    }
  }

  /** Takes files that are neither programs nor scripts, by their exact paths: nothing is looked for in them. */
  data(paths: readonly string[], by: string): void {
    for (const path of paths) {
      const here = normal(path.replace(/^\/+/, ''));
      const found = this.sysroot.file(here);
      if (found === undefined) throw this.missing(`/${here}`, by);
      this.needless.add(found.content);
      if (this.out.lstat(here) === undefined) this.closure.addData(here, { kind: 'asked', by });
    }
  }

  /** Takes files of the folders of libraries, by pattern. */
  libFiles(patterns: readonly string[], by: string): void {
    for (const folder of this.libFolders()) for (const pattern of patterns) this.paths([`${folder}/${pattern}`], by);
  }

  /** Takes udev rules with the programs that they run; users and groups that they name. */
  rules(names: readonly string[], by: string): void {
    this.folder(RULES);
    this.folder('etc/udev/rules.d');
    for (const name of names) {
      const text = this.sysroot.text(`${RULES}/${name}`);
      if (text === undefined) continue;
      this.ruleNeeds(text, by);
      this.paths([`${RULES}/${name}`], by);
    }
  }

  /** Takes a file to another place; its needs come with it. False if it is not there. */
  fileTo(from: string, to: string, by: string): boolean {
    const found = this.sysroot.file(from);
    if (found === undefined) return false;
    this.put(to, file(found.content, this.meta(found.mode)));
    this.needsOf(to, found, by);
    return true;
  }

  /** Takes udev rules to /etc/udev/rules.d. */
  rulesTo(from: string, name: string, by: string): void {
    const text = this.sysroot.text(from);
    if (text === undefined) return;
    this.folder('etc/udev/rules.d');
    this.ruleNeeds(text, by);
    if (/IMPORT (?:PATH_ID|BLKID)$/m.test(text)) this.text(`etc/udev/rules.d/${name}`, builtinImports(text));
    else this.fileTo(from, `etc/udev/rules.d/${name}`, by);
  }

  /** Adds what a file needs that comes from elsewhere. */
  needsOf(path: string, of: File, by: string): void {
    this.asked.set(path, by);
    this.closure.addNeeds(path, of);
  }

  /** Makes a folder and those above it, with mode 0755; links on the way are those of the system. */
  folder(path: string): void {
    let here = '';
    for (const part of parts(path)) {
      here = join(here, part);
      if (this.out.stat(here)?.kind === 'directory') continue;
      if (this.out.lstat(here) !== undefined) this.out.remove(here);
      const inode = this.sysroot.lstat(here);
      if (inode?.kind === 'symlink' && this.sysroot.stat(here)?.kind === 'directory') {
        const real = this.sysroot.realpath(here)!;
        this.copy(here, inode);
        this.folder(real);
      } else this.out.makeDirectory(here, this.meta(0o755));
    }
  }

  /** Puts something made here into the guest. */
  put(path: string, inode: Inode): void {
    const parent = dirname(path);
    if (parent !== '') this.folder(parent);
    if (this.out.lstat(path)?.kind === 'directory' && inode.kind !== 'directory') this.out.remove(path);
    this.out.set(path, inode);
  }

  text(path: string, text: string, mode = 0o644): void {
    this.put(path, file(memory(Buffer.from(text, 'latin1')), this.meta(mode)));
  }

  link(path: string, target: string): void {
    this.put(path, symlink(target, this.meta(0o777)));
  }

  /** What is missing: needed by what must be there, and by the rest. */
  missingNeeds(): { readonly required: readonly Missing[]; readonly optional: readonly Missing[] } {
    // what an overlay brings counts as well, so the question is put to the guest
    const whole = new Closure(this.out, { folders: this.libFolders() });
    for (const { path, inode } of this.out.walk())
      if (inode.kind === 'file' && !this.needless.has(inode.content)) whole.add(path, { kind: 'asked', by: path });
    const missing = whole.missing.filter(({ optional }) => !optional);
    return {
      required: missing.filter(({ reason }) => !this.isOptional(reason.by)),
      optional: missing.filter(({ reason }) => this.isOptional(reason.by)),
    };
  }

  libFolders(): readonly string[] {
    if (this.libraries === undefined) {
      const program = ['usr/lib/systemd/systemd', 'bin/sh', 'usr/bin/env', 'bin/busybox', 'sbin/init']
        .map((path) => this.sysroot.file(path))
        .flatMap((found) => (found === undefined ? [] : (elfOf(found) ?? [])))[0];
      const folders = this.options.libFolders ?? new LibrarySearch(this.sysroot).allFolders(program);
      const seen = new Set<string>();
      this.libraries = folders.filter((folder) => {
        const real = this.sysroot.realpath(folder);
        if (real === undefined || seen.has(real)) return false;
        seen.add(real);
        return true;
      });
    }
    return this.libraries;
  }

  /** Meta of what is made here or copied. */
  meta(mode: number): Meta {
    return { mode, uid: 0, gid: 0, mtime: 0 };
  }

  private readonly asked = new Map<string, string>();
  /** Contents that need nothing. */
  private readonly needless = new Set<FileContent>();

  /** Takes one path; false if it is not there, or optional and unfit. */
  private path(path: string, by: string, optional: boolean): boolean {
    const here = normal(path);
    // what is in the guest already stays, as for dracut
    if (this.out.lstat(here) !== undefined && this.out.lstat(here)?.kind !== 'directory') return true;
    const reason = optional ? this.unfit(here) : undefined;
    if (reason !== undefined) {
      this.options.report(warning('SYSROOT_LEFT_OUT', { path: `/${display(here)}`, reason }));
      return false;
    }
    const asked: Reason = { kind: 'asked', by };
    if (optional) this.optional.add(this.sysroot.realpath(here) ?? here);
    try {
      return this.closure.add(here, asked);
    } catch (error) {
      if (error instanceof BuildError && error.code === 'NOT_A_FILE') {
        const { kind } = error.context as { kind: string };
        throw new BuildError('SYSROOT_SPECIAL', { path: `/${display(here)}`, kind });
      }
      throw error;
    }
  }

  /** Why something that need not be there is left out. */
  private unfit(path: string): string | undefined {
    try {
      const inode = this.sysroot.stat(path);
      if (inode === undefined || inode.kind === 'directory') return undefined;
      if (inode.kind !== 'file') return `it is a ${inode.kind}`;
      if (inode.content.size > 0) inParts(inode.content, (access) => access.readAt(0, new Uint8Array(1)));
      return undefined;
    } catch (error) {
      if (!(error instanceof BuildError)) throw error;
      return error.message;
    }
  }

  private isOptional(path: string): boolean {
    let at = path;
    for (let i = 0; i < 100; i++) {
      if (this.optional.has(at)) return true;
      const reason = this.closure.paths.get(at);
      if (reason === undefined || reason.kind === 'asked') return false;
      at = reason.by;
    }
    return false;
  }

  private ruleNeeds(text: string, by: string): void {
    const { programs, users, groups } = ruleNeeds(text);
    for (const program of programs) {
      if (this.sysroot.stat(`usr/lib/udev/${program}`)?.kind === 'file') this.paths([`usr/lib/udev/${program}`], by);
      else if (!program.includes('$env{') && program !== '/sbin/initqueue') this.firstProgram(program, by);
    }
    for (const user of users) this.accounts.user(user);
    for (const group of groups) this.accounts.group(group);
  }

  /** Takes the first program of a name, as a shell would find it. */
  private firstProgram(name: string, by: string): void {
    const folders = name.includes('/') ? [''] : ['usr/sbin/', 'usr/bin/', 'sbin/', 'bin/'];
    const path = folders.map((folder) => `${folder}${name}`).find((one) => this.sysroot.stat(one)?.kind === 'file');
    if (path !== undefined) this.path(path, by, true);
  }

  /** Copies an entry of the system at a path without links in its parents. */
  private copy(path: string, inode: Inode): void {
    if (path === '' || this.out.lstat(path) !== undefined) return;
    const parent = dirname(path);
    if (parent !== '') this.folder(parent);
    switch (inode.kind) {
      case 'file':
        this.newest = Math.max(this.newest, inode.mtime);
        this.out.set(path, file(inode.content, this.meta(inode.mode)));
        return;
      case 'directory':
        this.out.makeDirectory(path, this.meta(inode.mode));
        return;
      case 'symlink':
        this.out.set(path, symlink(this.relative(path, inode.target), this.meta(0o777)));
        return;
      default:
        throw new BuildError('SYSROOT_SPECIAL', { path: `/${display(path)}`, kind: inode.kind });
    }
  }

  /** A link's target from where the link is, with the links in the target's folders resolved. */
  private relative(path: string, target: string): string {
    const from = dirname(path);
    const at = target.startsWith('/') ? target : `${from}/${target}`;
    const folder = this.sysroot.realpath(at.replace(/\/*[^/]*\/*$/, '') || '/');
    if (folder === undefined) return target;
    const to = normal(join(folder, basename(at.replace(/\/+$/, ''))));
    const a = parts(from);
    const b = parts(to);
    let same = 0;
    while (same < a.length && same < b.length - 1 && a[same] === b[same]) same++;
    return [...a.slice(same).map(() => '..'), ...b.slice(same)].join('/');
  }

  private missing(name: string, by: string): BuildError {
    return new BuildError('SYSROOT_FILE_MISSING', {
      sysroot: this.options.name,
      name: display(name),
      by: `${by} needs`,
    });
  }
}

/** Rules in which dracut 059 leaves it to the version of udev how facts are imported. */
function builtinImports(text: string): string {
  return text
    .split('\n')
    .map((line) =>
      line.trim().replace(/IMPORT (PATH_ID|BLKID)$/, (_, name: string) => `IMPORT{builtin}="${name.toLowerCase()}"`),
    )
    .join('\n');
}

/** The name of a library for compilers, `libx.so` of `libx.so.1`: dracut takes it where it is. */
function besideLibrary(library: string): string[] {
  const plain = /^(.*\.so)\.[^/]*$/.exec(library)?.[1];
  return plain === undefined ? [] : [plain];
}
