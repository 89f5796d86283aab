import { closeSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { guardUnfinished, makeFolders, writeFailed } from '../bytes/pour.ts';
import { dropLeftovers, finishTemporary, openTemporary } from '../bytes/temporary.ts';
import { BuildError } from '../errors/error.ts';

/**
 * What is in the cache: `archives` packages as downloaded; `indexes` signed metadata and package lists as
 * downloaded; `parsed` package lists in our own form; `spools` payloads decompressed once, with their entry lists.
 */
export type CacheCategory = 'archives' | 'indexes' | 'parsed' | 'spools';

const CATEGORIES: readonly CacheCategory[] = ['archives', 'indexes', 'parsed', 'spools'];

const UNWRITABLE = 'give a folder that can be written as `cacheDir`';

/**
 * Files kept between builds, named by the digest of their content. A file appears under its name only when it is
 * complete, so that builds may share a cache, be killed, and use a read-only cache.
 */
export class Cache {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Where the file of that key is or would be. Keys are digests or short names: letters, digits, `.`, `_`, `-`. */
  path(category: CacheCategory, key: string): string {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(key)) throw new RangeError(`"${key}" is not a cache key`);
    // two letters of the key as a folder keep directories small
    return join(this.directory, category, key.slice(0, 2), key);
  }

  /** The path of the file if it is there, else undefined. */
  find(category: CacheCategory, key: string): string | undefined {
    const path = this.path(category, key);
    try {
      return statSync(path, { throwIfNoEntry: false })?.isFile() ? path : undefined;
    } catch {
      // a part of the path is not a directory, or not accessible: then there is no such file
      return undefined;
    }
  }

  /** All bytes of a small file, or undefined when it is not there. */
  read(category: CacheCategory, key: string): Buffer | undefined {
    const path = this.find(category, key);
    return path === undefined ? undefined : readFileSync(path);
  }

  /** Stores a small file, replacing one of that name. */
  write(category: CacheCategory, key: string, bytes: Uint8Array): Promise<string> {
    return this.put(category, key, async (_path, fd) => writeFileSync(fd, bytes));
  }

  /**
   * Has `fill` write into a temporary file (through its descriptor, or by opening its path), then renames it. `fill`
   * must not replace the file: that needs a second temporary name, which no later build would find and remove. Returns the
   * final path. Throws `WRITE_FAILED`, and what `fill` throws.
   */
  async put(category: CacheCategory, key: string, fill: (path: string, fd: number) => Promise<void>): Promise<string> {
    const path = this.path(category, key);
    const failed = (cause: unknown) => writeFailed(path, cause, UNWRITABLE);
    let part: ReturnType<typeof openTemporary>;
    try {
      makeFolders(join(path, '..'));
      dropLeftovers(path);
      part = openTemporary(path);
    } catch (cause) {
      throw failed(cause);
    }
    const done = guardUnfinished(part.path);
    try {
      await fill(part.path, part.fd);
      finishTemporary(part, path);
    } catch (cause) {
      rmSync(part.path, { recursive: true, force: true });
      if (cause instanceof BuildError || (cause as NodeJS.ErrnoException).syscall === undefined) throw cause;
      throw failed(cause);
    } finally {
      closeSync(part.fd);
      done();
    }
    return path;
  }

  /** Number of files and bytes in each category. */
  info(): { readonly category: CacheCategory; readonly files: number; readonly bytes: number }[] {
    return CATEGORIES.map((category) => {
      let files = 0;
      let bytes = 0;
      for (const path of filesBelow(join(this.directory, category))) {
        files++;
        bytes += statSync(path, { throwIfNoEntry: false })?.size ?? 0;
      }
      return { category, files, bytes };
    });
  }

  /** Removes everything the cache holds; the directory itself stays. */
  clear(): void {
    for (const category of CATEGORIES) rmSync(join(this.directory, category), { recursive: true, force: true });
  }
}

function* filesBelow(directory: string): Generator<string> {
  let entries: import('node:fs').Dirent[];
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch {
    return;
  }
  for (const entry of entries) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile()) yield path;
  }
}
