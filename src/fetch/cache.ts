import {
  type BigIntStats,
  fstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { sha256 } from '../bytes/digest.ts';
import { guardUnfinished, makeFolders, writeFailed } from '../bytes/pour.ts';
import { causedBy, closeQuietly, reading, reasonOf, removeQuietly, writing } from '../bytes/reason.ts';
import { dropLeftovers, finishTemporary, openTemporary } from '../bytes/temporary.ts';
import { BuildError } from '../errors/error.ts';
import { digestOf, identityOf, Ledger, type LedgerRow, sizeIn } from './cache-ledger.ts';
import { Usage } from './cache-usage.ts';
import { UNPACK_LIMITS, type UnpackLimits } from './limits.ts';

/**
 * What is in the cache: `archives` packages as downloaded; `indexes` signed metadata and package lists as
 * downloaded; `parsed` package lists in our own form; `spools` payloads decompressed once, with their entry lists; `trees`
 * what sets of packages became when they were installed and configured.
 */
export type CacheCategory = 'archives' | 'indexes' | 'parsed' | 'spools' | 'trees';

const CATEGORIES: readonly CacheCategory[] = ['archives', 'indexes', 'parsed', 'spools', 'trees'];

/** Categories in which a key is not the digest of the file, but of what it was made from. */
const MADE: ReadonlySet<CacheCategory> = new Set(['parsed', 'spools', 'trees']);

const UNWRITABLE = 'give a folder that can be written as `cacheDir`';

/**
 * Files kept between builds, named by the digest of their content. A file appears under its name only when it is
 * complete, so that builds may share a cache, be killed, and use a read-only cache.
 *
 * @example
 * ```ts
 * import { Cache } from 'osbuilder';
 *
 * const cache = new Cache('cache');
 * for (const { category, bytes } of cache.info()) if (bytes > 1e12) console.log(category);
 * cache.clear();
 * ```
 */
export class Cache {
  readonly directory: string;
  /** How much may be unpacked into it. */
  readonly limits: UnpackLimits;
  private readonly ledger: Ledger;
  private readonly verifyAll: boolean;
  /** Entries that this process has checked, for `verifyAll`. */
  private readonly verified = new Map<string, string>();
  private readonly usage: Usage;
  private readonly now: number | undefined;

  /**
   * `verifyAll`: check the digest of every entry before its first use, whatever is known of it. `now`: Unix seconds, to
   * note when entries are used, for {@link Cache.collect}; nothing is noted without it.
   */
  constructor(
    directory: string,
    {
      verifyAll = false,
      limits = UNPACK_LIMITS,
      now,
    }: { readonly verifyAll?: boolean; readonly limits?: UnpackLimits; readonly now?: number } = {},
  ) {
    this.directory = directory;
    this.limits = limits;
    this.ledger = new Ledger(directory);
    this.usage = new Usage(directory);
    this.verifyAll = verifyAll;
    this.now = now;
  }

  /**
   * Rejects a cache that other users may write to with `CACHE_SHARED`: they could replace what is taken from it. With
   * `verifyAll` only entries count that nobody else may write to.
   */
  rejectShared(): void {
    if (this.verifyAll) return;
    for (const path of [this.directory, ...CATEGORIES.map((category) => join(this.directory, category))]) {
      const stat = reading(path, () => statSync(path, { throwIfNoEntry: false }));
      const reason = stat === undefined ? undefined : othersMayWrite(stat);
      if (reason !== undefined) throw new BuildError('CACHE_SHARED', { path, reason });
    }
  }

  /** Rejects a folder in which something has the name that a file or folder of a cache has, and is none: `CACHE_INVALID`. */
  rejectOthers(): void {
    const folders = [this.directory, ...CATEGORIES.map((category) => join(this.directory, category))];
    for (const path of [...folders, this.ledger.file, this.usage.file]) {
      const stat = reading(path, () => statSync(path, { throwIfNoEntry: false }));
      const isFolder = folders.includes(path);
      if (stat === undefined || (isFolder ? stat.isDirectory() : stat.isFile())) continue;
      throw new BuildError('CACHE_INVALID', { path, expected: isFolder ? 'folder' : 'file' });
    }
  }

  /** Where the file of that key is or would be. Keys are digests or short names: letters, digits, `.`, `_`, `-`. */
  path(category: CacheCategory, key: string): string {
    if (!KEY.test(key)) throw new RangeError(`"${key}" is not a cache key`);
    // two letters of the key as a folder keep directories small
    return join(this.directory, category, key.slice(0, 2), key);
  }

  /**
   * The path of the file if it is there and is what was stored, else undefined. Its digest is checked when the file is
   * not the one that was checked last: another inode, size or time. A file that is not what was stored is not found, so
   * that it is made anew.
   */
  find(category: CacheCategory, key: string): string | undefined {
    const path = this.path(category, key);
    const state = this.state(category, key, path);
    // documents without a digest in their name are signed, and whoever reads them verifies the signature again
    const signed = state === 'unknown' && category === 'indexes' && !this.verifyAll;
    if (state !== 'good' && !signed) return undefined;
    if (this.now !== undefined) this.usage.note(`${category}/${key}`, this.now);
    return path;
  }

  /** Like {@link Cache.find}, with what is known of the file. */
  look(category: CacheCategory, key: string): CacheEntry | undefined {
    const path = this.find(category, key);
    const row = path === undefined ? undefined : this.ledger.known(`${category}/${key}`);
    return row === undefined ? undefined : { path: path!, size: sizeIn(row.identity), sha256: row.sha256 };
  }

  /** `checking`: the digest is checked whatever is known, and a file that cannot be read is an error. */
  private state(category: CacheCategory, key: string, path: string, checking = false): EntryState {
    let stat: BigIntStats | undefined;
    try {
      stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    } catch (cause) {
      if (checking) throw new BuildError('READ_FAILED', { path, reason: reasonOf(cause) }, causedBy(cause));
      // a part of the path is no directory, or may not be entered: then nothing can be found there
    }
    if (stat?.isFile() !== true) return 'absent';
    if (this.verifyAll && othersMayWrite(stat) !== undefined) return 'wrong';
    const name = `${category}/${key}`;
    const identity = identityOf(stat);
    if (this.verified.get(name) === identity) return 'good';
    const row = this.ledger.row(name, identity);
    if (row?.identity === identity && !checking && !this.verifyAll) return 'good';
    const found = digestOf(path, 'sha256', checking);
    if (found === undefined) return 'wrong';
    // where nothing was noted, the name of a download says what it has to be
    const named = MADE.has(category) ? undefined : digestOfKey(key);
    const right =
      row?.sha256 === found.hex ||
      (named !== undefined &&
        named.hex === (named.algorithm === 'sha256' ? found.hex : digestOf(path, named.algorithm, checking)?.hex));
    if (!right) return row === undefined && named === undefined ? 'unknown' : 'wrong';
    this.verified.set(name, found.identity);
    if (row?.identity !== found.identity) this.ledger.note(name, { identity: found.identity, sha256: found.hex });
    return 'good';
  }

  /**
   * Notes that the file of that key is what it should be, after it was written and checked. Later builds take it as it is
   * as long as it does not change. `known`: its identity and digest, where whoever wrote it has them.
   */
  trust(category: CacheCategory, key: string, known?: LedgerRow): void {
    const row = known ?? this.read256(this.path(category, key));
    if (row === undefined) return;
    this.verified.set(`${category}/${key}`, row.identity);
    this.ledger.note(`${category}/${key}`, row);
  }

  private read256(path: string): LedgerRow | undefined {
    const found = digestOf(path, 'sha256');
    return found === undefined ? undefined : { identity: found.identity, sha256: found.hex };
  }

  /**
   * Checks the digest of every entry. Removes those that are wrong, and those of which nothing is known. Files that no cache
   * puts there are somebody else's, and stay.
   */
  verify(): CacheVerified {
    const wrong: string[] = [];
    let good = 0;
    for (const category of CATEGORIES)
      for (const path of [...filesBelow(join(this.directory, category))].sort()) {
        const key = basename(path);
        // temporary files of builds that run, or were ended
        if (key.startsWith('.')) continue;
        if (this.state(category, key, path, true) === 'good') {
          good++;
          continue;
        }
        writing(path, () => rmSync(path, { force: true }));
        wrong.push(`${category}/${key}`);
      }
    return { good, removed: wrong };
  }

  /** All bytes of a small file, or undefined when it is not there. */
  read(category: CacheCategory, key: string): Buffer | undefined {
    const path = this.find(category, key);
    return path === undefined ? undefined : reading(path, () => readFileSync(path));
  }

  /** Stores a small file, replacing one of that name. */
  write(category: CacheCategory, key: string, bytes: Uint8Array): Promise<string> {
    return this.put(category, key, async (_path, fd, wrote) => {
      writeFileSync(fd, bytes);
      wrote(sha256(bytes));
    });
  }

  /**
   * Has `fill` write into a temporary file (through its descriptor, or by opening its path), then renames it. `fill`
   * must not replace the file: that needs a second temporary name, which no later build would find and remove. `wrote` takes the
   * SHA-256 of all that was written, in hex, where that is known: it need not be read again. Returns the
   * final path. Throws `WRITE_FAILED`, and what `fill` throws.
   */
  async put(
    category: CacheCategory,
    key: string,
    fill: (path: string, fd: number, wrote: (sha256: string) => void) => Promise<void>,
  ): Promise<string> {
    const path = this.path(category, key);
    const failed = (cause: unknown) => writeFailed(path, cause, UNWRITABLE);
    let part: ReturnType<typeof openTemporary>;
    try {
      // whatever the umask: a folder that others may write to would be rejected by the next build
      for (const folder of [this.directory, join(this.directory, category)])
        mkdirSync(folder, { recursive: true, mode: 0o755 });
      makeFolders(join(path, '..'), 0o755);
      dropLeftovers(path);
      part = openTemporary(path);
    } catch (cause) {
      throw failed(cause);
    }
    const done = guardUnfinished(part.path);
    let known: LedgerRow | undefined;
    try {
      let digest: string | undefined;
      await fill(part.path, part.fd, (hex) => {
        digest = hex;
      });
      finishTemporary(part, path);
      if (digest !== undefined) known = { identity: identityOf(fstatSync(part.fd, { bigint: true })), sha256: digest };
    } catch (cause) {
      removeQuietly(part.path);
      if (cause instanceof BuildError || (cause as NodeJS.ErrnoException).syscall === undefined) throw cause;
      throw failed(cause);
    } finally {
      // it was synced to the disk, or is dropped
      closeQuietly(part.fd);
      done();
    }
    this.trust(category, key, known);
    return path;
  }

  /** Number of files and bytes in each category. */
  info(): { readonly category: CacheCategory; readonly files: number; readonly bytes: number }[] {
    return CATEGORIES.map((category) => {
      let files = 0;
      let bytes = 0;
      for (const path of filesBelow(join(this.directory, category))) {
        files++;
        bytes += reading(path, () => statSync(path, { throwIfNoEntry: false }))?.size ?? 0;
      }
      return { category, files, bytes };
    });
  }

  /**
   * Removes entries that were not used for the longest time, until all have at most `bytes`. What was used within the last
   * two hours stays: a build may be about to read it. Temporary files that old are of builds that were killed: they go too.
   * `now`: Unix seconds.
   */
  collect(bytes: number, now: number): CacheCollected {
    const used = this.usage.all();
    const entries: { readonly path: string; readonly name: string; readonly size: number; readonly time: number }[] =
      [];
    for (const category of CATEGORIES)
      for (const path of filesBelow(join(this.directory, category))) {
        const key = basename(path);
        const stat = reading(path, () => statSync(path, { throwIfNoEntry: false }));
        if (stat === undefined) continue;
        if (key.startsWith('.')) {
          // of a build that runs, or was killed
          if (stat.mtimeMs / 1000 < now - RECENT) writing(path, () => rmSync(path, { force: true }));
          continue;
        }
        const name = `${category}/${key}`;
        const time = Math.max(used.get(name) ?? 0, Math.floor(stat.mtimeMs / 1000));
        entries.push({ path, name, size: stat.size, time });
      }
    entries.sort((a, b) => a.time - b.time || (a.name < b.name ? -1 : 1));
    let left = entries.reduce((sum, { size }) => sum + size, 0);
    const kept = new Set(entries.map(({ name }) => name));
    const removed: string[] = [];
    for (const { path, name, size, time } of entries) {
      if (left <= bytes) break;
      if (time > now - RECENT) continue;
      writing(path, () => rmSync(path, { force: true }));
      left -= size;
      kept.delete(name);
      removed.push(name);
    }
    this.usage.shorten(kept);
    return { bytes: left, removed };
  }

  /**
   * Removes everything the cache holds; the directory itself stays, and so do files that no cache puts there: another folder
   * may have been named by mistake.
   */
  clear(): void {
    const files = CATEGORIES.flatMap((category) => [...filesBelow(join(this.directory, category))]);
    for (const path of [this.ledger.file, this.usage.file, ...files])
      writing(path, () => rmSync(path, { recursive: true, force: true }));
    for (const folder of new Set(files.map((path) => dirname(path)))) removeEmpty(folder);
    for (const category of CATEGORIES) removeEmpty(join(this.directory, category));
  }
}

/** A file of a cache. */
export interface CacheEntry {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** In hex. */
  readonly sha256: string;
}

/** What {@link Cache.collect} left. */
export interface CacheCollected {
  /** Bytes of all entries that are left. */
  readonly bytes: number;
  /** Entries that were removed, as `CATEGORY/KEY`. */
  readonly removed: readonly string[];
}

/** Seconds within which an entry counts as being used. */
const RECENT = 7200;

/** What {@link Cache.verify} found. */
export interface CacheVerified {
  /** Entries that are what was stored. */
  readonly good: number;
  /** Entries that were removed, as `CATEGORY/KEY`. */
  readonly removed: readonly string[];
}

type EntryState = 'good' | 'absent' | 'wrong' | 'unknown';

/** The digest that a key is, if it is one: `HEX` or `ALGORITHM-HEX`. */
function digestOfKey(key: string): { readonly algorithm: string; readonly hex: string } | undefined {
  const match = /^(?:(sha1|sha256|sha384|sha512)-)?([0-9a-f]+)$/.exec(key);
  if (match === null) return undefined;
  const algorithm = match[1] ?? 'sha256';
  const length = { sha1: 40, sha256: 64, sha384: 96, sha512: 128 }[algorithm];
  return match[2]!.length === length ? { algorithm, hex: match[2]! } : undefined;
}

/** Why users other than this one and root may write to a file or folder; undefined when they may not. */
function othersMayWrite({
  mode,
  uid,
  gid,
}: {
  readonly mode: number | bigint;
  readonly uid: number | bigint;
  readonly gid: number | bigint;
}): string | undefined {
  // systems without users
  if (process.geteuid === undefined) return undefined;
  const own = process.geteuid();
  if (Number(uid) !== own && Number(uid) !== 0) return `it belongs to user ${uid}`;
  if (Number(mode) & 0o002)
    return `its mode is ${(Number(mode) & 0o7777).toString(8)}, so that everybody may write to it`;
  // many distributions give each user a group of their own, with the same number
  if (Number(mode) & 0o020 && Number(gid) !== 0 && Number(gid) !== Number(uid))
    return `its mode is ${(Number(mode) & 0o7777).toString(8)}, so that group ${gid} may write to it`;
  return undefined;
}

/** Temporary files of entries: `.KEY.PID.RANDOM.part`. */
const TEMPORARY = /^\.([A-Za-z0-9][A-Za-z0-9._-]*?)\.\d+(?:\.[0-9a-f]{16})?\.(?:part|download)$/;
const KEY = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** Files of a category that a cache puts there: entries, each in the folder of its key's first letters, and temporary ones. */
function* filesBelow(directory: string): Generator<string> {
  for (const folder of entriesOf(directory)) {
    if (!folder.isDirectory()) continue;
    for (const entry of entriesOf(join(directory, folder.name))) {
      const key = TEMPORARY.exec(entry.name)?.[1] ?? entry.name;
      if (entry.isFile() && KEY.test(key) && key.slice(0, 2) === folder.name)
        yield join(directory, folder.name, entry.name);
    }
  }
}

function entriesOf(directory: string): import('node:fs').Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (cause) {
    // not made yet, or removed meanwhile
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new BuildError('READ_FAILED', { path: directory, reason: reasonOf(cause) }, causedBy(cause));
  }
}

/** Removes a folder that is empty; one that is not holds what others put there, or a build puts there now. */
function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // it stays
  }
}
