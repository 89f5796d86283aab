import { BuildError } from '../errors/error.ts';
import { together } from '../errors/together.ts';
import type { Report } from '../events/events.ts';
import { pool } from '../workers/shared.ts';
import type { Cache, CacheEntry } from './cache.ts';
import type { Host } from './host.ts';
import { tooLarge } from './limits.ts';
import type { Arrived } from './mirror.ts';
import type { Package } from './package.ts';
import { dropSpool, openSpool, type Spool } from './spool-index.ts';

/** A package and its verified archive on the build host. */
export interface Archive<P extends Package = Package> {
  readonly package: P;
  /** Path of the archive. */
  readonly archive: string;
}

/** How a family's archives become spools. `I` is the input of its task module. */
export interface Unpacking<P extends Package, I, U> {
  /** Name of the package's spool in the cache. */
  key(one: P): string;
  /** The task module, which unpacks one archive into its spool. */
  readonly module: URL;
  /** The same, to be run in this thread. */
  load(): Promise<{ task(input: I): Promise<void> }>;
  /** The input of the task. `cache` is the cache's directory. */
  input(one: Archive<P>, cache: string, limit: number): I;
  /** The package, opened from its spool. */
  opened(one: P, spool: Spool): U;
}

/** Packages that are unpacked in threads while others are still being fetched. */
export interface Ahead {
  /** Takes an archive that was fetched and verified: the number of its package, and its path. */
  readonly arrived: Arrived;
  /** What runs or ran, by the names of spools. */
  readonly running: ReadonlyMap<string, Promise<void>>;
  /** Waits until nothing runs any more, so that none still writes when an error is reported. */
  settled(): Promise<void>;
}

/** Up to this many bytes of archives are unpacked faster than threads start. */
const FEW_BYTES = 8 << 20;

/**
 * Opens all packages, in the order given. Those that are unpacked in the cache are only looked up; the others are
 * decompressed into it, a few of them in this thread, many by the worker threads. `ahead`: what was begun before; where that
 * failed it is done again, for its error. Progress counts bytes of archives.
 */
export async function unpackAll<P extends Package, I, U>(
  archives: readonly Archive<P>[],
  unpacking: Unpacking<P, I, U>,
  cache: Cache,
  report: Report,
  ahead?: Ahead,
): Promise<U[]> {
  report({ kind: 'phase', phase: 'unpack', bytes: archives.reduce((sum, one) => sum + one.package.size, 0) });
  const count = counter(cache, report);
  const opened = (self: P, spool: Spool): U => {
    count.check(self, spool.size);
    const unpacked = unpacking.opened(self, spool);
    count.done(self);
    return unpacked;
  };
  // an archive requested twice is opened once: two writers of one spool would conflict
  const distinct = new Map(archives.map((one) => [unpacking.key(one.package), one]));
  const spools = new Map<string, Promise<Spool>>();
  for (const key of distinct.keys()) {
    const kept = keptSpool(key, cache);
    if (kept === undefined) continue;
    spools.set(key, Promise.resolve(kept));
    distinct.delete(key);
  }
  const missing = [...distinct.values()].reduce((sum, one) => sum + one.package.size, 0);
  const begun = ahead?.running ?? new Map<string, Promise<void>>();
  const threads = missing > FEW_BYTES || begun.size > 0;
  const run = threads ? inThreads(unpacking) : inThisThread(unpacking);
  for (const [key, one] of distinct) {
    const unpack = () => run(unpacking.input(one, cache.directory, cache.limits.package));
    spools.set(key, unpackOne(key, begun.get(key)?.catch(unpack) ?? unpack(), cache));
  }
  // every task is waited for, so that none still writes when an error is reported
  try {
    const results = await together(
      archives.map(async ({ package: self }) => opened(self, await spools.get(unpacking.key(self))!)),
    );
    count.end();
    return results;
  } finally {
    // decoders have windows of many megabytes, and the next steps run in this thread
    if (threads) await pool().rest();
  }
}

/** Bytes of packages that were unpacked: their limits, and events of progress. */
function counter({ limits }: Cache, report: Report) {
  let bytes = 0;
  let unpackedBytes = 0;
  return {
    check({ name, version }: Package, size: number): void {
      unpackedBytes += size;
      if (size > limits.package) throw tooLarge(`${name} ${version}`, limits.package, 'maxPackageSize');
      if (unpackedBytes > limits.build) throw tooLarge('all packages together', limits.build, 'maxUnpackedSize');
    },
    done({ name, size }: Package): void {
      bytes += size;
      report({ kind: 'progress', phase: 'unpack', bytes, item: name });
    },
    end: () => report({ kind: 'ended', phase: 'unpack', bytes }),
  };
}

/**
 * The spools of packages that are all unpacked in the cache, in the order given; undefined when one is missing. They are not
 * opened.
 */
export function spoolsOf<P extends Package>(
  packages: readonly P[],
  keyOf: (one: P) => string,
  cache: Cache,
): CacheEntry[] | undefined {
  const found: CacheEntry[] = [];
  for (const one of packages) {
    const spool = cache.look('spools', keyOf(one));
    if (spool === undefined) return undefined;
    found.push(spool);
  }
  return found;
}

/** The limits and events of {@link unpackAll} for packages that need not be opened, since it is known what becomes of them. */
export function passUnpacked(
  packages: readonly Package[],
  spools: readonly CacheEntry[],
  host: Pick<Host, 'cache' | 'report'>,
): void {
  host.report({ kind: 'phase', phase: 'unpack', bytes: packages.reduce((sum, one) => sum + one.size, 0) });
  const count = counter(host.cache, host.report);
  for (const [i, one] of packages.entries()) {
    count.check(one, spools[i]!.size);
    count.done(one);
  }
  count.end();
}

/**
 * Unpacks packages as they arrive, in threads: downloads leave most of the processors idle. Undefined where so little is not
 * unpacked yet that it is no work for threads.
 */
export function unpackAhead<P extends Package, I, U>(
  packages: readonly P[],
  unpacking: Unpacking<P, I, U>,
  cache: Cache,
): Ahead | undefined {
  const missing = new Map<string, P>();
  for (const one of packages) {
    const key = unpacking.key(one);
    if (cache.look('spools', key) === undefined) missing.set(key, one);
  }
  if ([...missing.values()].reduce((sum, one) => sum + one.size, 0) <= FEW_BYTES) return undefined;
  // while the first archives are on their way
  pool().expect(unpacking.module);
  const run = inThreads(unpacking);
  const running = new Map<string, Promise<void>>();
  return {
    running,
    arrived(index, archive) {
      const self = packages[index]!;
      const key = unpacking.key(self);
      if (!missing.has(key) || running.has(key)) return;
      const task = run(unpacking.input({ package: self, archive }, cache.directory, cache.limits.package));
      // whoever needs it waits for it
      task.catch(() => {});
      running.set(key, task);
    },
    async settled() {
      await Promise.allSettled(running.values());
    },
  };
}

/** {@link unpackAll} and {@link unpackAhead} for one family's packages. */
export function unpacker<P extends Package, I, U>(unpacking: Unpacking<P, I, U>) {
  return {
    all: (archives: readonly Archive<P>[], cache: Cache, report: Report, ahead?: Ahead) =>
      unpackAll(archives, unpacking, cache, report, ahead),
    ahead: (packages: readonly P[], cache: Cache) => unpackAhead(packages, unpacking, cache),
  };
}

function keptSpool(key: string, cache: Cache): Spool | undefined {
  const path = cache.find('spools', key);
  if (path === undefined) return undefined;
  // other builds share the cache: what was read of this name before may be gone
  dropSpool(path);
  return openSpool(path);
}

async function unpackOne(key: string, running: Promise<void>, cache: Cache): Promise<Spool> {
  await running;
  const path = cache.path('spools', key);
  dropSpool(path);
  // the cache may have been cleared meanwhile
  const spool = cache.find('spools', key) === undefined ? undefined : openSpool(path);
  if (spool === undefined) throw new BuildError('SPOOL_INVALID', { path });
  return spool;
}

type Run<I> = (input: I) => Promise<void>;

function inThreads<I>({ module }: Pick<Unpacking<never, I, never>, 'module'>): Run<I> {
  return (input) => pool().run<void>(module, input);
}

/** One after the other. */
function inThisThread<I>({ load }: Pick<Unpacking<never, I, never>, 'load'>): Run<I> {
  let before: Promise<void> = Promise.resolve();
  return (input) => {
    const mine = before.then(async () => (await load()).task(input));
    before = mine.catch(() => {});
    return mine;
  };
}
