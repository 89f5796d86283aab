import { join } from 'node:path';
import { sha256 } from '../../bytes/digest.ts';
import { hostFile } from '../../bytes/file.ts';
import { hostStat } from '../../bytes/host-directory.ts';
import { BuildError, isBuildError } from '../../errors/error.ts';
import { together } from '../../errors/together.ts';
import { warning } from '../../events/events.ts';
import { CODE } from '../../fetch/code.ts';
import { readDocument, readProven } from '../../fetch/document.ts';
import type { Host } from '../../fetch/host.ts';
import { verifiedBytes } from '../../fetch/kept-proof.ts';
import { firstOf, joinUrl, localPath, METADATA, type Mirror, shown, type Want } from '../../fetch/mirror.ts';
import { taskModule } from '../../workers/pool.ts';
import { pool } from '../../workers/shared.ts';
import { packagesIn, readFolder } from './folder.ts';
import { KEPT_VERSION, keptPrimary } from './kept.ts';
import { checkPromised, type MirrorList, parseMirrorList } from './mirrors.ts';
import { namedPlace } from './named-place.ts';
import type { Primary } from './primary.ts';
import { type PrimaryTask, readAndKeep } from './primary-task.ts';
import { DIGEST_NAMES, fileOf, parseRepomd, type Repomd, type RepomdFile } from './repomd.ts';
import type { RpmSource } from './source.ts';

/** What proves a repository's table of contents, the strongest first. */
export type MetadataProof =
  | { readonly kind: 'pinned' }
  | { readonly kind: 'signed'; readonly keys: readonly string[] }
  /** Digest of a metalink that came over TLS. */
  | { readonly kind: 'metalink' }
  | { readonly kind: 'none' };

/** A repository whose metadata was fetched and checked. */
export interface ProvenRepository {
  readonly source: RpmSource;
  /** Roots that its files are fetched from, the one that the metadata came from first. */
  readonly bases: readonly string[];
  /** A folder of packages of the build host, without metadata. */
  readonly local: boolean;
  /** Newest date of the metadata, in Unix seconds. */
  readonly date: number;
  readonly proof: MetadataProof;
  /** SHA-256 of repomd.xml, or of what a folder's packages amount to. */
  readonly sha256: string;
  /** Undefined for a folder of packages. */
  readonly repomd: Repomd | undefined;
  /** Reads the list of packages, which was fetched. */
  readPrimary(): Promise<Primary>;
}

/** A repository whose list of packages was read. */
export interface RpmRepository extends ProvenRepository {
  readonly primary: Primary;
}

/** How repositories are opened. */
export interface OpenOptions {
  /** SHA-256 digests that the user pinned; with any, a repomd.xml without another proof must have one of them. */
  readonly pins: readonly string[];
}

const REPOMD = 'repodata/repomd.xml';
const REPOMD_LIMIT = 8 << 20;
const LIST_LIMIT = 4 << 20;
const SIGNATURE_LIMIT = 1 << 20;
/** Bytes that a file of metadata may have, where repomd.xml does not say. */
const METADATA_LIMIT = 1 << 30;
/** Lists of fewer stored bytes are read in this thread. */
const FEW_BYTES = 1 << 19;

/** Opens all repositories at once, without reading their lists of packages; the first failure in their order is the one reported. */
export function openRepositories(
  sources: readonly RpmSource[],
  host: Host,
  options: OpenOptions,
): Promise<ProvenRepository[]> {
  return together(sources.map((source) => openRepository(source, host, options)));
}

/** Reads the lists of packages of repositories that {@link openRepositories} opened. */
export function readRepositories(
  repositories: readonly ProvenRepository[],
  host: Host,
  options: OpenOptions,
): Promise<RpmRepository[]> {
  const read = async (one: ProvenRepository) => {
    try {
      return await withPrimary(one);
    } catch (error) {
      if (!(error instanceof BuildError) || one.local) throw error;
      // another mirror may have one that can be read
      return openAndRead(one.source, host, options);
    }
  };
  return together(repositories.map(read));
}

/** Fetches and checks a repository's table of contents and its list of packages, and reads the list. */
export function openAndRead(source: RpmSource, host: Host, options: OpenOptions): Promise<RpmRepository> {
  return openWith(source, host, options, withPrimary);
}

/** Fetches and checks a repository's table of contents and its list of packages, which is read later. */
export function openRepository(source: RpmSource, host: Host, options: OpenOptions): Promise<ProvenRepository> {
  return openWith(source, host, options, async (one) => one);
}

async function withPrimary(one: ProvenRepository): Promise<RpmRepository> {
  return { ...one, primary: await one.readPrimary() };
}

/** Opens a repository at the first of its places where that, and what `then` does with it, succeeds. */
async function openWith<R>(
  source: RpmSource,
  host: Host,
  options: OpenOptions,
  then: (one: ProvenRepository) => Promise<R>,
): Promise<R> {
  const { mirror } = host;
  const list = await mirrorsOf(source, mirror);
  const open = async (base: string): Promise<R> => {
    const folder = localPath(base);
    if (folder !== undefined && hostStat(join(folder, REPOMD)) === undefined && packagesIn(folder).length > 0)
      return then(openFolder(source, folder));
    const url = joinUrl(base, REPOMD);
    return readProven(url, mirror, async (fresh) => then(await openAt(base, url, fresh)));
  };
  return firstOf(list.bases, open, METADATA);

  async function openAt(base: string, url: string, fresh: boolean): Promise<ProvenRepository> {
    const bytes = await readDocument(url, mirror, { kind: 'repomd', limit: REPOMD_LIMIT, fresh });
    const proof = await proveMetadata(bytes, url, source, list, mirror, {
      ...options,
      fresh,
      anew: host.anew === true,
    });
    const path = shown(url);
    const repomd = parseRepomd(bytes, path);
    const file = fileOf(repomd, 'primary', path);
    if (file === undefined) throw new BuildError('REPOMD_INVALID', { path, reason: 'it lists no primary metadata' });
    // the mirror that the metadata came from has its packages; the others may lag behind it
    const bases = [base, ...list.bases.filter((one) => one !== base)];
    const at = await fetchMetadata(file, { bases, proof }, path, mirror, fresh);
    return {
      ...{ source, bases, local: false, date: repomd.date, proof, sha256: sha256(bytes), repomd },
      readPrimary: async () => ({ ...(await readPrimary(at, file, path, mirror)), digest: file.digest.hex }),
    };
  }
}

async function mirrorsOf(source: RpmSource, mirror: Mirror): Promise<MirrorList> {
  if (source.mirrorList === undefined) return { bases: source.bases, promised: [] };
  try {
    const bytes = await readDocument(source.mirrorList, mirror, { kind: 'mirrorlist', limit: LIST_LIMIT });
    const { bases, promised } = parseMirrorList(bytes, shown(source.mirrorList));
    for (const base of bases) namedPlace(base, source.mirrorList);
    return { bases: [...bases, ...source.bases.filter((one) => !bases.includes(one))], promised };
  } catch (error) {
    // without the list there are still the well-known places
    if (source.bases.length === 0 || !(error instanceof BuildError)) throw error;
    mirror.report(warning('MIRRORLIST_UNUSED', { error: error.message }));
    return { bases: source.bases, promised: [] };
  }
}

/** The address of a detached signature: a query (a token, say) stays behind the path. */
function signatureOf(url: string): string {
  return /^https?:/i.test(url) ? url.replace(/^([^?#]*)/, '$1.asc') : `${url}.asc`;
}

/** What proves a repomd.xml. Throws when something should, and does not. */
async function proveMetadata(
  bytes: Uint8Array,
  url: string,
  source: RpmSource,
  list: MirrorList,
  mirror: Mirror,
  { pins, fresh, anew }: OpenOptions & { readonly fresh: boolean; readonly anew: boolean },
): Promise<MetadataProof> {
  const path = shown(url);
  const digest = sha256(bytes);
  if (pins.includes(digest)) return { kind: 'pinned' };
  if (source.signedMetadata && source.keyring !== undefined) {
    try {
      const signature = await readDocument(signatureOf(url), mirror, { kind: 'repomd', limit: SIGNATURE_LIMIT, fresh });
      const code = anew ? '' : CODE;
      const keys = await verifiedBytes(bytes, signature, source.keyring, { path, cache: mirror.cache, code });
      return { kind: 'signed', keys };
    } catch (error) {
      const missing = isBuildError(error, 'NOT_FOUND') || isBuildError(error, 'READ_FAILED');
      if (!source.unauthenticated && missing)
        throw new BuildError(
          'METADATA_UNSIGNED',
          { path },
          { cause: error, hint: 'try another mirror, or pin its state with `repomdSha256`' },
        );
      if (!source.unauthenticated || !(error instanceof BuildError)) throw error;
      if (!missing && !/^SIGN/.test(error.code)) throw error;
    }
  }
  if (list.promised.length > 0) {
    checkPromised(bytes, list, path);
    if (/^https:/i.test(source.mirrorList!)) return { kind: 'metalink' };
  }
  if (pins.length > 0) throw new BuildError('METADATA_UNPINNED', { path, sha256: digest });
  mirror.report(warning('METADATA_UNPROVEN', { path, sha256: digest }));
  return { kind: 'none' };
}

/** Fetches one file of a repository's metadata, proven by its digest. Path in the cache. */
export function fetchMetadata(
  file: RepomdFile,
  { bases, proof }: Pick<RpmRepository, 'bases' | 'proof'>,
  path: string,
  mirror: Mirror,
  fresh = false,
): Promise<string> {
  const { algorithm, hex } = file.digest;
  const known = DIGEST_NAMES.get(algorithm);
  // SHA-1 binds the file to a table of contents that is proven itself; alone it proves nothing
  if (known === undefined || (known === 'sha1' && proof.kind === 'none') || !/^[0-9a-f]{40,128}$/.test(hex))
    throw new BuildError('METADATA_DIGEST', { path, algorithm, what: file.location });
  const roots = file.base === undefined ? bases : [namedPlace(file.base, bases[0]!)];
  const want: Want = {
    urls: roots.map((base) => joinUrl(base, file.location, 'the location')),
    ...(file.size === undefined ? {} : { size: file.size }),
    digest: { algorithm: known, hex },
    category: 'indexes',
    fresh,
  };
  return mirror.fetch(want);
}

/** The list of packages: from its kept form, or read in a worker and kept. */
async function readPrimary(file: string, entry: RepomdFile, path: string, mirror: Mirror): Promise<Primary> {
  const { cache } = mirror;
  const key = `${entry.digest.hex}.primary-${KEPT_VERSION}`;
  const name = `${path.slice(0, -REPOMD.length)}${entry.location}`;
  const kept = (at: string | undefined) => (at === undefined ? undefined : keptPrimary(hostFile(at).readSync()));
  const found = kept(cache.find('parsed', key));
  if (found !== undefined) return found;
  const input: PrimaryTask = { file, name, limit: entry.openSize ?? METADATA_LIMIT, cache: cache.directory, key };
  if (hostFile(file).size > FEW_BYTES) {
    await pool().run<void>(taskModule('./primary-task', import.meta.url), input);
    const read = kept(cache.find('parsed', key));
    if (read !== undefined) return read;
  }
  return readAndKeep(input);
}

/** A folder of the build host that holds packages and no metadata. */
function openFolder(source: RpmSource, folder: string): ProvenRepository {
  const { primary, date, digest } = readFolder(folder);
  return {
    source,
    bases: [folder],
    local: true,
    date,
    proof: { kind: 'none' },
    sha256: digest,
    repomd: undefined,
    readPrimary: async () => primary,
  };
}
