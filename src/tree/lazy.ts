import type { FileContent, Reopening } from '../bytes/content.ts';
import {
  type HostStat,
  hostFileContent,
  hostLinkTarget,
  hostNames,
  hostStat,
  isUnchanged,
} from '../bytes/host-directory.ts';
import { BuildError } from '../errors/error.ts';
import { type Directory, device, directory, file, type Inode, kindOf, type Meta, special, symlink } from './inode.ts';
import { display, join, NAME_MAX } from './path.ts';
import { Tree } from './tree.ts';

/**
 * A directory of the build host as a tree of which only what is looked at is read: a system with hundreds of thousands of
 * files and folders that this user may not enter. Symbolic links are kept and resolved inside. Names directly below `path`
 * in `hidden` are empty folders. Throws `READ_FAILED` for what cannot be read, when it is looked at.
 */
export function lazyTree(path: string, hidden: ReadonlySet<string> = new Set()): Tree {
  // a link to a folder is followed: the user named it
  const top = hostStat(path, '.');
  if (top === undefined) throw new BuildError('READ_FAILED', { path, reason: 'no such file or directory' });
  if (kindOf(top.mode) !== 'directory') throw new BuildError('READ_FAILED', { path, reason: 'not a directory' });
  const root: Directory = directory(metaOf(top));
  root.children = new LazyChildren(path, '', hidden);
  return new Tree(root);
}

/** Children of a directory, each read when it is asked for. */
class LazyChildren extends Map<string, Inode> {
  private readonly host: string;
  private readonly at: string;
  private readonly hidden: ReadonlySet<string> | undefined;
  /** All names were read; what is asked for and not there need not be looked for again. */
  private complete = false;
  private readonly absent = new Set<string>();

  constructor(host: string, at: string, hidden?: ReadonlySet<string>) {
    super();
    this.host = host;
    this.at = at;
    this.hidden = hidden;
  }

  override get(name: string): Inode | undefined {
    const known = super.get(name);
    if (known !== undefined || this.complete || this.absent.has(name)) return known;
    const made = name.length > NAME_MAX || name.includes('\0') ? undefined : this.read(name);
    if (made === undefined) this.absent.add(name);
    else super.set(name, made);
    return made;
  }

  override has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  override set(name: string, inode: Inode): this {
    this.absent.delete(name);
    return super.set(name, inode);
  }

  override delete(name: string): boolean {
    this.load();
    return super.delete(name);
  }

  override get size(): number {
    this.load();
    return super.size;
  }

  override keys(): ReturnType<Map<string, Inode>['keys']> {
    this.load();
    return super.keys();
  }

  override values(): ReturnType<Map<string, Inode>['values']> {
    this.load();
    return super.values();
  }

  override entries(): ReturnType<Map<string, Inode>['entries']> {
    this.load();
    return super.entries();
  }

  override [Symbol.iterator](): ReturnType<Map<string, Inode>['entries']> {
    return this.entries();
  }

  override forEach(look: (value: Inode, key: string, map: Map<string, Inode>) => void): void {
    this.load();
    super.forEach(look);
  }

  private load(): void {
    if (this.complete) return;
    for (const name of hostNames(this.host, this.at)) this.get(name);
    this.complete = true;
  }

  private read(name: string): Inode | undefined {
    const path = join(this.at, name);
    const stat = hostStat(this.host, path);
    if (stat === undefined) return undefined;
    const kind = kindOf(stat.mode);
    const meta = metaOf(stat);
    switch (kind) {
      case 'file':
        return file(new SystemFile(this.host, path, stat), meta);
      case 'directory': {
        const children = this.hidden?.has(name) === true ? new Map<string, Inode>() : new LazyChildren(this.host, path);
        return directory(meta, children);
      }
      case 'symlink':
        return symlink(hostLinkTarget(this.host, path), { ...meta, mode: 0o777 });
      case 'char':
      case 'block':
        return device(kind, stat.major, stat.minor, meta);
      case undefined:
        throw new BuildError('ENTRY_KIND', { path: display(path), source: this.host, kind: stat.mode.toString(8) });
      default:
        return special(kind, meta);
    }
  }
}

/** A file of a system that goes on running: it must be the same whenever it is read. */
class SystemFile implements FileContent {
  readonly size: number;
  private readonly host: string;
  private readonly path: string;
  private readonly stat: HostStat;
  private readonly content: FileContent;

  constructor(host: string, path: string, stat: HostStat) {
    this.size = stat.size;
    this.host = host;
    this.path = path;
    this.stat = stat;
    this.content = hostFileContent(host, path, stat.size);
  }

  open(): AsyncIterable<Uint8Array> {
    return this.pieces();
  }

  readSync(): Uint8Array {
    const bytes = this.content.readSync();
    this.check();
    return bytes;
  }

  inParts<T>(use: (readAt: (offset: number, into: Uint8Array) => void) => T): T {
    const result = this.content.inParts!(use);
    this.check();
    return result;
  }

  reopening(): Reopening {
    const { host, path, stat } = this;
    return { root: host, path, size: stat.size, changed: { mtime: stat.mtime, nanoseconds: stat.nanoseconds } };
  }

  private async *pieces(): AsyncGenerator<Uint8Array> {
    yield* this.content.open();
    this.check();
  }

  private check(): void {
    if (!isUnchanged(this.reopening()))
      throw new BuildError('SYSROOT_CHANGED', { path: `${this.host.replace(/\/+$/, '')}/${this.path}` });
  }
}

function metaOf(stat: HostStat): Meta {
  return { mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid, mtime: stat.mtime };
}
