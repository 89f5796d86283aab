import { dirname, join } from 'node:path';
import { digestOf } from '../bytes/digest.ts';
import { hostFile } from '../bytes/file.ts';
import { hostNames, hostStat } from '../bytes/host-directory.ts';
import { isoTime } from '../bytes/iso-time.ts';
import { BuildError } from '../errors/error.ts';
import type { Host } from '../fetch/host.ts';
import { baseOf, joinUrl, localPath } from '../fetch/mirror.ts';
import type { Settings } from '../settings/table.ts';
import { kindOf } from '../tree/inode.ts';
import { fromText, toText } from '../tree/path.ts';
import type { Lock, LockedPackage, LockedRepository } from './lock.ts';

/** Where packages of a lock may be besides the repositories that it names. */
export interface Places {
  /** What the user names as `repoUrl` and `repo`, as written: mirrors, and folders of packages. */
  readonly named: readonly string[];
  /** Folders in which a package of no repository may be under the name that the lock has: that of the lock itself. */
  readonly beside: readonly string[];
}

/** Stands for the SHA-256 of a package in an address that a user names. */
const DIGEST = '{sha256}';

/** Files that a folder of packages may have. */
const FILES_MAX = 500_000;

/**
 * Fetches the packages of a lock into the cache; paths come in their order. Each is looked for in the cache, at the
 * mirrors and in the folders that the user names, at the repositories of the lock, and in dated archives. Its size and
 * SHA-256 prove it, so that any place may be asked. Throws `LOCKED_PACKAGE_MISSING` for one that is nowhere.
 */
export async function fetchLocked(lock: Lock, places: Places, host: Host): Promise<string[]> {
  const { mirror, report } = host;
  const total = lock.packages.reduce((sum, one) => sum + one.size, 0);
  report({ kind: 'phase', phase: 'fetch', bytes: total });
  const folders = new Folders();
  let failure: { readonly error: unknown } | undefined;
  const paths = await Promise.all(
    lock.packages.map(async (one) => {
      if (failure !== undefined) return '';
      try {
        const urls = await addressesOf(one, lock, places, folders);
        const want = {
          ...{ urls, size: one.size },
          digest: { algorithm: 'sha256', hex: one.sha256 } as const,
          category: 'archives' as const,
        };
        if (urls.length === 0 && !mirror.has(want)) throw missing(one, 'no place is known for it');
        return await mirror.fetch(want);
      } catch (error) {
        failure ??= { error: wrapped(error, one) };
        return '';
      }
    }),
  );
  if (failure !== undefined) throw failure.error;
  report({ kind: 'ended', phase: 'fetch' });
  return paths;
}

/** Errors after which a package counts as missing, with what was tried. */
const ABSENT: readonly string[] = [
  ...['NOT_FOUND', 'OFFLINE_MISSING', 'DIGEST_MISMATCH', 'CONTENT_SIZE', 'HTTP_STATUS', 'CONNECTION_FAILED'],
  ...['DOWNLOAD_CUT', 'DOWNLOAD_STALLED', 'REDIRECT_REFUSED', 'READ_FAILED'],
];

function wrapped(error: unknown, one: LockedPackage): unknown {
  if (!(error instanceof BuildError) || !ABSENT.includes(error.code)) return error;
  return missing(one, error.message, error);
}

function missing(one: LockedPackage, reason: string, cause?: BuildError): BuildError {
  const { name, version, architecture, sha256 } = one;
  const hint = [
    ...(cause?.hint === undefined ? [] : [cause.hint]),
    'name a mirror, a dated archive or a folder that has it with `repoUrl`: its SHA-256 decides',
  ].join('; ');
  return new BuildError('LOCKED_PACKAGE_MISSING', { name, version, architecture, sha256, reason }, { cause, hint });
}

/** Every address at which a package may be: first folders, which cost nothing, then mirrors, the user's own first. */
async function addressesOf(
  one: LockedPackage,
  lock: Lock,
  { named, beside }: Places,
  folders: Folders,
): Promise<string[]> {
  const repository = one.repository === undefined ? undefined : lock.repositories[one.repository];
  const found: string[] = [];
  if (repository === undefined && !/[/\\]/.test(one.path))
    found.push(...beside.map((folder) => join(folder, one.path)).filter(isFile));
  const add = (base: string): void => {
    // a store that has each file under its digest
    if (base.includes(DIGEST)) {
      found.push(base.replaceAll(DIGEST, one.sha256));
      return;
    }
    for (const below of [...(repository?.below === undefined ? [] : [repository.below]), undefined]) {
      const path = below === undefined ? one.path : `${below}/${one.path}`;
      const url = joinUrl(base, path, 'the path in the lock');
      if (localPath(base) === undefined ? found.includes(url) : !isFile(localPath(url)!)) continue;
      found.push(url);
    }
  };
  const bases = named.flatMap(basesIn);
  const isLocal = (base: string) => localPath(base) !== undefined;
  for (const base of bases.filter(isLocal)) add(base);
  for (const base of bases.filter(isLocal)) found.push(...(await folders.like(localPath(base)!, one)));
  for (const base of bases.filter((one) => !isLocal(one))) add(base);
  for (const url of repository?.urls ?? []) {
    const direct = joinUrl(url, one.path, 'the path in the lock');
    if (!found.includes(direct)) found.push(direct);
  }
  for (const base of repository === undefined ? [] : snapshotsOf(repository, lock))
    found.push(joinUrl(base, one.path, 'the path in the lock'));
  return found;
}

/** Bases in what a user writes as `repoUrl` or `repo`: `[options] URL SUITE COMPONENT…`, `@TAG URL`, a folder. */
function basesIn(text: string): string[] {
  const rest = text.trim().replace(/^(?:deb\s+)?(?:\[[^\]]*\]\s*)?(?:@\S+\s+)?/, '');
  const url = /^[a-z][a-z0-9+.-]*:\S+/i.exec(rest)?.[0];
  return [baseOf(url ?? rest)];
}

/**
 * Seconds after which an archive has surely been copied: snapshot.debian.org does it four times a day, and serves the copy
 * before the time that is asked for, which is older than metadata of that very time.
 */
const COPIED = 12 * 3600;

/**
 * The dated archives of a repository: at the time of its own metadata, at that of the newest of the lock, and when each
 * has been copied. They have files by path; no digest but SHA-256 is in a lock, and none is needed.
 */
function snapshotsOf({ snapshot, metadata }: LockedRepository, lock: Lock): string[] {
  if (snapshot === undefined) return [];
  const newest = Math.max(...lock.repositories.map((one) => one.metadata.date));
  const dates = new Set([metadata.date, newest, metadata.date + COPIED, newest + COPIED]);
  return [...dates].map((date) => snapshot.replaceAll('{time}', stampOf(date)));
}

/** `20260131T000000Z`, as dated archives spell it. */
function stampOf(seconds: number): string {
  return isoTime(seconds).replace(/[-:]/g, '');
}

function isFile(path: string): boolean {
  try {
    const stat = hostStat(path);
    return stat !== undefined && kindOf(stat.mode) !== 'directory';
  } catch {
    return false;
  }
}

/** The files of folders that were named, by size: a package is recognised by its digest, whatever its name is there. */
class Folders {
  private readonly known = new Map<string, Map<number, string[]>>();
  private readonly digests = new Map<string, Promise<string>>();

  /** Files of a folder that are a package. */
  async like(folder: string, { size, sha256 }: LockedPackage): Promise<string[]> {
    const found: string[] = [];
    for (const path of this.sizes(folder).get(size) ?? []) {
      let digest = this.digests.get(path);
      if (digest === undefined) this.digests.set(path, (digest = digestOf(hostFile(path))));
      if ((await digest) === sha256) found.push(path);
    }
    return found;
  }

  private sizes(folder: string): ReadonlyMap<number, readonly string[]> {
    const known = this.known.get(folder);
    if (known !== undefined) return known;
    const sizes = new Map<number, string[]>();
    let count = 0;
    const walk = (path: string): void => {
      const stat = hostStat(folder, path);
      if (stat === undefined || ++count > FILES_MAX) return;
      const kind = kindOf(stat.mode);
      // links are not followed: one to a folder could create a cycle
      if (kind === 'directory') {
        for (const name of hostNames(folder, path)) walk(path === '' ? name : `${path}/${name}`);
        return;
      }
      const full = join(folder, toText(path));
      // a name that is not UTF-8 cannot be opened as text
      if (kind !== 'file' || fromText(toText(path)) !== path) return;
      const same = sizes.get(stat.size);
      if (same === undefined) sizes.set(stat.size, [full]);
      else same.push(full);
    };
    const top = hostStat(folder);
    // a link to a folder is followed when the user names it
    if (top !== undefined && kindOf(top.mode) !== 'file') walk('');
    this.known.set(folder, sizes);
    return sizes;
  }
}

/** Settings that say where packages are, and those that name packages as files. */
export function placesOf({
  repoUrl = [],
  repo = [],
  lock,
  packages = [],
  extraPkgs = [],
}: Partial<Pick<Settings, 'repoUrl' | 'repo' | 'lock' | 'packages' | 'extraPkgs'>>): Places {
  const files = [...packages, ...extraPkgs]
    .filter(isFileRequest)
    .map((path) => dirname(path.replace(/^file:\/*/i, '/')));
  return {
    named: [...repoUrl, ...repo],
    beside: [...new Set([...files, ...(lock === undefined ? [] : [dirname(lock)])])],
  };
}

/** True for the request of a package that is the path of its file: `./x.deb`, `/x.deb`, `file:///x.deb`. */
export function isFileRequest(request: string): boolean {
  return /^(?:file:|\.{0,2}\/)/i.test(request);
}

/** Where the repositories of a lock have a package. */
export function publicPlaces(one: LockedPackage, lock: Lock): string[] {
  const repository = one.repository === undefined ? undefined : lock.repositories[one.repository];
  return (repository?.urls ?? []).map((url) => joinUrl(url, one.path, 'the path in the lock'));
}
