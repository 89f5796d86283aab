import { join } from 'node:path';
import { sha256 } from '../../bytes/digest.ts';
import { hostStat } from '../../bytes/host-directory.ts';
import { BuildError, isBuildError } from '../../errors/error.ts';
import { together } from '../../errors/together.ts';
import { warning } from '../../events/events.ts';
import { readDocument, readProven } from '../../fetch/document.ts';
import { joinUrl, localPath, type Mirror, shown } from '../../fetch/mirror.ts';
import { kindOf } from '../../tree/inode.ts';
import { packagesIn, readFolder } from './folder.ts';
import { type ApkRecord, parseIndex } from './index-file.ts';
import { membersOf } from './members.ts';
import { type ApkKeyring, filesOf, isAdb, isSignature, verifySigned } from './signature.ts';

/** One repository, as the user or a profile names it. */
export interface ApkSource {
  /** Base URLs of the same repository, best first (`http://…/alpine/v3.19/main`, `file:///…`, a folder). */
  readonly mirrors: readonly string[];
  /** Only for requests that name this tag (without the `@`). */
  readonly tag?: string;
  readonly keyring: ApkKeyring;
  /** Accept it unsigned or with any signature; only at the user's request. */
  readonly unauthenticated?: boolean;
}

/** A repository whose index was fetched and checked. */
export interface ApkRepository {
  readonly source: ApkSource;
  /** The folder that packages are fetched from, at each mirror. */
  readonly bases: readonly string[];
  /** True for a folder of the build host: preferred where others have the same package. */
  readonly local: boolean;
  readonly records: readonly ApkRecord[];
  /** When the index was made, as stated in the index itself, in Unix seconds. */
  readonly date: number;
  /** SHA-256 of the index as downloaded. */
  readonly sha256: string;
  /** Name of the key whose signature was good; undefined when unauthenticated. */
  readonly signedBy: string | undefined;
  /** Text of its DESCRIPTION. */
  readonly description: string;
}

/** Largest accepted index, in compressed bytes: Alpine's are 2 MB. */
const INDEX_LIMIT = 128 << 20;
const INDEX = 'APKINDEX.tar.gz';

/** Opens all repositories at once; the first failure in their order is reported. */
export async function openRepositories(
  sources: readonly ApkSource[],
  architecture: string,
  mirror: Mirror,
): Promise<ApkRepository[]> {
  return together(sources.map((source) => openRepository(source, architecture, mirror)));
}

/** Fetches a repository's index for an architecture and checks its signature. */
export async function openRepository(source: ApkSource, architecture: string, mirror: Mirror): Promise<ApkRepository> {
  let used = '';
  const open = async (base: string) => {
    const folder = folderOf(base, architecture);
    used = base;
    const host = localPath(folder);
    if (host !== undefined && !isFile(join(host, INDEX)) && packagesIn(host).length > 0)
      return openFolder(host, architecture, source, mirror);
    const address = joinUrl(folder, INDEX);
    return readProven(address, mirror, async (fresh) => {
      const bytes = await readDocument(address, mirror, { kind: 'apkindex', limit: INDEX_LIMIT, fresh });
      return openIndex(bytes, folder, source, mirror);
    });
  };
  const repository = await mirror.eachPlace(source.mirrors, open);
  // the mirror that the index came from has its packages; the others may be older
  const bases = [used, ...source.mirrors.filter((one) => one !== used)].map((base) => folderOf(base, architecture));
  return { ...repository, bases };
}

/** Packages are in a folder per architecture; a plain folder may have them directly. */
function folderOf(base: string, architecture: string): string {
  const flat = localPath(base);
  if (flat === undefined) return joinUrl(base, architecture);
  const below = join(flat, architecture);
  if (isFile(join(below, INDEX)) || packagesIn(below).length > 0) return joinUrl(base, architecture);
  return isFile(join(flat, INDEX)) || packagesIn(flat).length > 0 ? base : joinUrl(base, architecture);
}

function isFile(path: string): boolean {
  const stat = hostStat(path);
  return stat !== undefined && kindOf(stat.mode) !== 'directory';
}

/** A folder of the build host with packages but no index. */
async function openFolder(
  folder: string,
  architecture: string,
  source: ApkSource,
  mirror: Mirror,
): Promise<Omit<ApkRepository, 'bases'>> {
  const { unverified, signedBy, ...rest } = await readFolder(folder, architecture, source.keyring);
  if (unverified.length > 0) warnUnverified(`${folder}: ${unverified.join(', ')}`, mirror);
  const keys = unverified.length > 0 || signedBy.length === 0 ? undefined : signedBy.join(', ');
  return { source, local: true, ...rest, signedBy: keys, description: '' };
}

function warnUnverified(what: string, mirror: Mirror): void {
  mirror.report(warning('UNAUTHENTICATED', { what }));
}

async function openIndex(
  bytes: Uint8Array,
  folder: string,
  source: ApkSource,
  mirror: Mirror,
): Promise<Omit<ApkRepository, 'bases'>> {
  const path = shown(joinUrl(folder, INDEX));
  if (isAdb(bytes)) throw new BuildError('APK_V3', { path, what: 'repository index' });
  const [first, ...rest] = membersOf(bytes, path);
  if (first === undefined) throw new BuildError('APK_FORMAT', { path, reason: 'it is empty' });
  let signedBy: string | undefined;
  let members = [first, ...rest];
  const signatures = await filesOf(first.plain, path);
  if (isSignature(signatures)) {
    members = rest;
    try {
      signedBy = verifySigned(signatures, bytes.subarray(first.size), source.keyring, path);
    } catch (error) {
      const trust = isBuildError(error, 'APK_SIGNATURE_UNKNOWN') || isBuildError(error, 'APK_SIGNATURE_BAD');
      if (!trust || !source.unauthenticated) throw error;
    }
  }
  if (signedBy === undefined) {
    if (!source.unauthenticated)
      throw new BuildError('APK_UNSIGNED', { path }, { hint: 'set `allowUnauthenticated` to use it anyway' });
    warnUnverified(path, mirror);
  }
  const files = (await Promise.all(members.map((member) => filesOf(member.plain, path)))).flat();
  const index = files.find((file) => file.name === 'APKINDEX');
  if (index === undefined) throw new BuildError('APK_FORMAT', { path, reason: 'there is no APKINDEX in it' });
  const bad = (line: number, text: string) => {
    throw new BuildError('APK_FORMAT', { path, reason: `line ${line} is not understood: ${text.slice(0, 80)}` });
  };
  return {
    source,
    local: localPath(folder) !== undefined,
    records: parseIndex(Buffer.from(index.bytes).toString('latin1'), bad),
    date: index.mtime,
    sha256: sha256(bytes),
    signedBy,
    description: Buffer.from(files.find((file) => file.name === 'DESCRIPTION')?.bytes ?? [])
      .toString('utf8')
      .trim(),
  };
}
