import { basename as hostBasename, dirname as hostDirname } from 'node:path';
import type { Bytes } from '../bytes/content.ts';
import { withoutSlashes } from '../bytes/ending.ts';
import {
  type FolderHandle,
  type HostWriter,
  hostFileContent,
  hostNames,
  hostStat,
  hostWriter,
  isMountPoint,
  isNameError,
  openFolder,
  removeHost,
  replaceDirectory,
} from '../bytes/host-directory.ts';
import { guardUnfinished, makeFolders, type Prepared, pour } from '../bytes/pour.ts';
import { dropLeftovers, temporaryName } from '../bytes/temporary.ts';
import { BuildError, isBuildError } from '../errors/error.ts';
import { type Report, warning } from '../events/events.ts';
import {
  headLine,
  hostMode,
  hostTime,
  isManifest,
  type Line,
  linesByHost,
  lineText,
  manifestPath,
  readManifest,
} from './directory-manifest.ts';
import { type Inode, kindOf } from './inode.ts';
import { basename, dirname, display, join, NAME_MAX } from './path.ts';
import type { Tree } from './tree.ts';

/** The written directory. */
export interface WrittenDirectory {
  readonly path: string;
  /** Path of the manifest beside it. */
  readonly manifest: string;
  /** Names written, including those only in the manifest. */
  readonly entries: number;
}

/** How to write a directory. */
export interface WriteDirectoryOptions {
  /** The host's file operations; the real ones by default. */
  readonly host?: HostWriter;
  /** Receives a warning when owners are only recorded in the manifest, because this user cannot set them. */
  readonly report?: Report;
  /** Replace a folder that is neither empty nor written by this program; false by default. */
  readonly force?: boolean;
  /** Called with the bytes of files written so far. */
  readonly progress?: (bytes: number) => void;
}

/** Names tried for one that the host rejects. */
const ALIASES = 1000;

/**
 * Writes a tree as a directory of the build host, without privileges: what the host cannot store goes into the
 * manifest beside it, and `readDirectory` merges both again. It is created under a temporary name and renamed when
 * complete. An existing directory is replaced only if it is empty or written by this program.
 */
export async function writeDirectory(
  tree: Tree,
  path: string,
  options: WriteDirectoryOptions = {},
): Promise<WrittenDirectory> {
  const prepared = await prepareDirectory(tree, path, options);
  prepared.commit();
  return prepared.value;
}

/** {@link writeDirectory} up to, but not including, the final rename. */
export async function prepareDirectory(
  tree: Tree,
  path: string,
  options: WriteDirectoryOptions = {},
): Promise<Prepared<WrittenDirectory>> {
  const target = withoutSlashes(path);
  const manifest = manifestPath(target);
  const host = options.host ?? hostWriter;
  const standing = expectReplaceable(target, options);
  for (const stale of [target, `${target}.old`, manifest]) dropLeftovers(stale);
  const parent = hostDirname(target);
  makeFolders(parent);
  const folder = opened(parent, target);
  // through the open folder from here on
  const inFolder = (path: string) => `${folder.path}/${hostBasename(path)}`;
  const part = temporaryName(inFolder(target));
  const done = guardUnfinished(part);
  const listPart = temporaryName(inFolder(manifest));
  const listDone = guardUnfinished(listPart);
  let open = true;
  const abandon = () => {
    if (!open) return;
    open = false;
    removeHost(part);
    removeHost(listPart);
    done();
    listDone();
    folder.close();
  };
  const shown = (error: unknown) => {
    const final = shownAs(shownAs(error, part, target), listPart, manifest);
    return shownAs(final, `${folder.path}/`, parent === '.' ? '' : `${parent.replace(/\/$/, '')}/`);
  };
  try {
    const lines: string[] = [];
    const entries = await fill(tree, part, host, lines, options.progress);
    if (!host.mayChown) options.report?.(warning('OWNERS_IN_MANIFEST', { path: target, manifest }));
    await pour(linesOf(headLine(host.mayChown), lines), listPart);
    return {
      value: { path: target, manifest, entries },
      commit() {
        try {
          replaceDirectory(part, inFolder(target), listPart, inFolder(manifest), standing);
        } catch (error) {
          throw shown(error);
        } finally {
          abandon(); // a renamed directory is no longer at the temporary path
        }
      },
      abandon,
    };
  } catch (error) {
    abandon();
    throw shown(error);
  }
}

/** Opens the parent of an output. Errors name the output. */
function opened(parent: string, target: string): FolderHandle {
  try {
    return openFolder(parent);
  } catch (error) {
    throw shownAs(error, parent, target);
  }
}

/** An error of a write below a temporary path as that of the path that it would have had. */
function shownAs(error: unknown, temporary: string, path: string): unknown {
  if (!isBuildError(error, 'WRITE_FAILED') || !error.context.path.startsWith(temporary)) return error;
  const final = path + error.context.path.slice(temporary.length);
  return new BuildError('WRITE_FAILED', { path: final, reason: error.context.reason }, { cause: error.cause });
}

async function* linesOf(head: string, lines: readonly string[]): Bytes {
  yield Buffer.from(head);
  for (let i = 0; i < lines.length; i += 1024) yield Buffer.from(lines.slice(i, i + 1024).join(''));
}

/**
 * True when a folder at `path` may be replaced, false when there is none. Without `force` everything in it must have
 * been written by this program and be unchanged, according to the manifest beside it. Throws `DIRECTORY_NOT_OURS`,
 * and `WRITE_FAILED` for a folder that cannot be replaced.
 */
export function expectReplaceable(path: string, { force = false }: { readonly force?: boolean }): boolean {
  const target = withoutSlashes(path);
  const stat = hostStat(target);
  if (stat === undefined) return false;
  if (kindOf(stat.mode) !== 'directory')
    throw new BuildError('DIRECTORY_NOT_OURS', { path: target, foreign: '' }, { hint: 'choose another path' });
  expectRenamable(target);
  const names = hostNames(target, '');
  if (force || names.length === 0) return true;
  const manifest = manifestPath(target);
  const beside = hostStat(manifest);
  const bytes =
    beside === undefined || kindOf(beside.mode) !== 'file'
      ? undefined
      : hostFileContent(manifest, '', beside.size).readSync();
  const foreign =
    bytes === undefined || !isManifest(bytes.subarray(0, 64))
      ? names[0]
      : foreignPath(target, linesByHost(readManifest(bytes, manifest)));
  if (foreign !== undefined)
    throw new BuildError(
      'DIRECTORY_NOT_OURS',
      { path: target, foreign: display(foreign) },
      { hint: 'choose another path, or replace everything in it with `force`' },
    );
  return true;
}

/** Rejects folders in whose place another one cannot be renamed, before anything is written. Throws `WRITE_FAILED`. */
function expectRenamable(target: string): void {
  const fail = (reason: string): never => {
    throw new BuildError('WRITE_FAILED', { path: target, reason }, { hint: 'name a new folder in it' });
  };
  // no system renames a folder under the last two names
  if (['', '.', '..'].includes(hostBasename(target))) fail('a folder is replaced as a whole, and this one cannot be');
  if (isMountPoint(target)) fail('a folder is replaced as a whole, and a file system is mounted at this one');
}

/** The first path in a folder that is not in the manifest, or that has changed; undefined when there is none. */
function foreignPath(root: string, known: ReadonlyMap<string, Line>): string | undefined {
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop())
    for (const name of hostNames(root, folder)) {
      const at = join(folder, name);
      const stat = hostStat(root, at);
      if (stat === undefined) continue;
      const line = known.get(at);
      const kind = kindOf(stat.mode);
      if (line === undefined || line.kind !== kind) return at;
      if (kind === 'directory') folders.push(at);
      else if (kind === 'file' && (stat.size !== line.size || stat.mtime !== hostTime(line.meta.mtime))) return at;
    }
  return undefined;
}

/** Writes everything below `root`, and a line of the manifest for each name. */
async function fill(
  tree: Tree,
  root: string,
  host: HostWriter,
  lines: string[],
  progress: (bytes: number) => void = () => {},
): Promise<number> {
  let written = 0;
  const owned = host.mayChown;
  const hostOf = new Map<string, string>(); // directories of the tree, by path
  const first = new Map<Inode, { path: string; host: string }>();
  const directories: { host: string; inode: Inode }[] = [];
  let entries = 0;
  for (const { path, name, inode } of tree.walk()) {
    entries++;
    if (inode === tree.root) {
      host.makeDirectory(root, '');
      hostOf.set('', '');
      directories.push({ host: '', inode });
      lines.push(lineText('', inode, undefined, undefined));
      continue;
    }
    checkName(path, name);
    const earlier = inode.kind === 'directory' ? undefined : first.get(inode);
    const parent = hostOf.get(dirname(path))!;
    const siblings = (tree.lstat(dirname(path)) as Inode & { kind: 'directory' }).children;
    const made = await named(parent, name, siblings, (at) => make(inode, at, earlier?.host));
    if (inode.kind === 'directory') {
      hostOf.set(path, made);
      directories.push({ host: made, inode });
    } else {
      if (earlier === undefined) {
        first.set(inode, { path, host: made });
        if (inode.kind === 'file' || inode.kind === 'symlink') settle(made, inode);
      } else if (inode.kind === 'symlink') settle(made, inode);
    }
    const alias = basename(made) === name ? undefined : basename(made);
    lines.push(lineText(path, inode, alias, earlier?.path));
  }
  // deepest first: a directory's time changes when something is put in it
  for (const { host: at, inode } of directories.reverse()) settle(at, inode);
  return entries;

  async function make(inode: Inode, at: string, earlier: string | undefined): Promise<void> {
    switch (inode.kind) {
      case 'directory':
        host.makeDirectory(root, at);
        return;
      case 'file':
        if (earlier !== undefined) host.link(root, earlier, at);
        else {
          await host.writeFile(root, at, inode.content);
          written += inode.content.size;
          progress(written);
        }
        return;
      case 'symlink':
        host.symlink(root, at, inode.target);
        return;
      default: // Node cannot create devices, fifos and sockets: they are stored in the manifest
    }
  }

  function settle(at: string, inode: Inode): void {
    if (owned) host.chown(root, at, inode.uid, inode.gid);
    if (inode.kind !== 'symlink') host.chmod(root, at, hostMode(inode.mode, inode.kind, owned));
    host.setTime(root, at, hostTime(inode.mtime));
  }
}

/** Creates an entry under its own name, or under another if the host rejects that one. Returns its path on the host. */
async function named(
  parent: string,
  name: string,
  siblings: ReadonlyMap<string, unknown>,
  make: (at: string) => Promise<void>,
): Promise<string> {
  try {
    await make(join(parent, name));
    return join(parent, name);
  } catch (error) {
    // names that differ only in case, or are not UTF-8, on file systems that reject them (macOS)
    if (!isNameError(error)) throw error;
    const plain = name.replace(/[^A-Za-z0-9._-]/g, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
    for (let i = 1; i <= ALIASES; i++) {
      const alias = `${plain.slice(0, NAME_MAX - 8)}~${i}`;
      if (siblings.has(alias)) continue;
      try {
        await make(join(parent, alias));
        return join(parent, alias);
      } catch (again) {
        if (!isNameError(again)) throw again;
      }
    }
    throw error;
  }
}

/** Rejects unsafe names: archives cannot contain them, but callers of the API can put them in a tree. */
function checkName(path: string, name: string): void {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name))
    throw new BuildError('PATH_INVALID', { path: display(path), source: 'the tree', reason: 'a name leads elsewhere' });
}
