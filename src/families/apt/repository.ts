import { sha256 } from '../../bytes/digest.ts';
import { reasonOf } from '../../bytes/pour.ts';
import { BuildError, isBuildError } from '../../errors/error.ts';
import { together } from '../../errors/together.ts';
import { warning } from '../../events/events.ts';
import { verifiedClearsigned, verifiedDetached } from '../../fetch/kept-proof.ts';
import { hostOf } from '../../fetch/mirror/url.ts';
import { type Document, firstOf, joinUrl, METADATA, type Mirror, shown, type Validators } from '../../fetch/mirror.ts';
import { splitClearsigned, type Verified } from '../../fetch/openpgp.ts';
import { checkRelease, checkTime, parseRelease, pinPriority, type Release, showTime } from './release.ts';
import type { AptIndexFile, AptSource, AptSuite } from './source.ts';

export { openFolder } from './folder.ts';

/** Largest accepted Release file, to limit memory use: real ones have about 200 KB. */
const RELEASE_LIMIT = 32 * 1024 * 1024;

/** A signed list as fetched: raw, so that its signature can be checked again with the current keys. */
interface Signed {
  /** URL, for messages and as the name in the cache. */
  readonly address: string;
  readonly file: Uint8Array;
  /** Release.gpg; absent for InRelease. */
  readonly signature?: Uint8Array;
}

/** A signed list whose signature was checked. */
interface CheckedRelease {
  readonly signed: Signed;
  readonly release: Release;
  readonly verified: Verified;
  /** Present only when it has not been stored yet. */
  readonly validators?: Validators;
}

/**
 * Fetches and checks one suite: its signed list (InRelease, else Release with Release.gpg) and the package lists of the
 * requested architecture, each verified by size and SHA-256. Mirrors whose answer is older than what was seen
 * before, unsigned, out of date or altered are skipped; when none is left the error gives the reasons.
 */
export async function openSuite(source: AptSource, architecture: string, mirror: Mirror): Promise<AptSuite> {
  const checked = await findRelease(source, architecture, mirror, false);
  try {
    return await withIndexes(checked, source, architecture, mirror, false);
  } catch (error) {
    if (!isMismatch(error) || mirror.offline) throw error;
    // the mirror may have been updated in between: retry once, bypassing caches on the way
    mirror.report({
      kind: 'retried',
      url: shown(checked.signed.address),
      attempt: 1,
      reason: (error as Error).message,
    });
    const again = await findRelease(source, architecture, mirror, true);
    try {
      return await withIndexes(again, source, architecture, mirror, true);
    } catch (cause) {
      if (!isMismatch(cause)) throw cause;
      const hint = `try again in an hour, or another mirror as \`repoUrl\`; ${(cause as Error).message}`;
      const { path } = again.release;
      throw new BuildError('INDEX_STALE', { path, index: indexName(cause) }, { cause, hint });
    }
  }
}

function isMismatch(error: unknown): boolean {
  return (
    isBuildError(error, 'DIGEST_MISMATCH') || isBuildError(error, 'CONTENT_SIZE') || isBuildError(error, 'NOT_FOUND')
  );
}

function indexName(error: unknown): string {
  const { context } = error as BuildError<'DIGEST_MISMATCH' | 'CONTENT_SIZE'>;
  return 'url' in context ? context.url : context.path;
}

/** The folder of a suite below an archive's root. */
function folderOf(suite: string): string {
  // a flat repository: the suite is a path, and `/` or `./` is the root itself
  return suite.endsWith('/') ? suite.replace(/^(\.?\/)+/, '') : `dists/${suite}/`;
}

async function findRelease(
  source: AptSource,
  architecture: string,
  mirror: Mirror,
  fresh: boolean,
): Promise<CheckedRelease> {
  if (source.mirrors.length === 0) throw new RangeError('a source without a mirror');
  const attempt = async (base: string): Promise<CheckedRelease> => {
    const address = joinUrl(base, `${folderOf(source.suite)}InRelease`);
    const known = await remembered(address, source, mirror);
    if (mirror.offline && known !== undefined) return offline(known, source, architecture, mirror);
    const found = await fetchRelease(base, address, source, mirror, known, fresh);
    const { release } = found;
    checkRelease(release, { ...source, architecture, validAt: source.validAt });
    if (known !== undefined && release.date < known.release.date) {
      const context = { path: release.path, date: showTime(release.date), known: showTime(known.release.date) };
      const hint =
        'try another mirror; if the archive really went back in time, clear the cache with: osbuilder cache clear';
      throw new BuildError('RELEASE_REPLAYED', context, { hint });
    }
    await remember(found, mirror);
    return found;
  };
  return firstOf(source.mirrors, attempt, METADATA);
}

async function offline(
  known: CheckedRelease,
  source: AptSource,
  architecture: string,
  mirror: Mirror,
): Promise<CheckedRelease> {
  checkRelease(known.release, { ...source, architecture, validAt: undefined });
  try {
    checkTime(known.release, source.validAt);
  } catch (error) {
    // a cached list was valid when it was fetched, and it is expected to age when working offline
    if (!isBuildError(error, 'RELEASE_EXPIRED')) throw error;
    mirror.report(warning('RELEASE_EXPIRED', { error: error.message }));
  }
  return known;
}

async function fetchRelease(
  base: string,
  address: string,
  source: AptSource,
  mirror: Mirror,
  known: (CheckedRelease & { readonly validators?: Validators }) | undefined,
  fresh: boolean,
): Promise<CheckedRelease> {
  const usable = known?.signed.signature === undefined && !fresh ? known?.validators : undefined;
  try {
    const document = await mirror.read(address, { limit: RELEASE_LIMIT, validators: usable, fresh });
    if (document.kind === 'same') return { signed: known!.signed, release: known!.release, verified: known!.verified };
    // a server that does not know validators sends the same bytes again: they were checked above
    if (usable === undefined && known !== undefined && isSame(document, known))
      return { signed: known.signed, release: known.release, verified: known.verified };
    return { ...(await check({ address, file: document.bytes }, source, mirror)), validators: document.validators };
  } catch (error) {
    // servers also answer 403 for missing files
    if (!isBuildError(error, 'NOT_FOUND') && !(isBuildError(error, 'HTTP_STATUS') && error.context.status === 403))
      throw error;
  }
  const plain = joinUrl(base, `${folderOf(source.suite)}Release`);
  const document = await mirror.read(plain, { limit: RELEASE_LIMIT, fresh });
  if (document.kind === 'same') throw new TypeError('asked without validators');
  let signature: Uint8Array | undefined;
  try {
    const answer = await mirror.read(`${plain}.gpg`, { limit: RELEASE_LIMIT, fresh });
    if (answer.kind === 'changed') signature = answer.bytes;
  } catch (error) {
    if (!isBuildError(error, 'NOT_FOUND')) throw error;
    if (!source.unauthenticated) {
      const hint = 'if you trust it nevertheless, set `allowUnauthenticated`';
      throw new BuildError('RELEASE_UNSIGNED', { path: shown(plain) }, { cause: error, hint });
    }
  }
  const signed = { address, file: document.bytes, ...(signature === undefined ? { signature: EMPTY } : { signature }) };
  return { ...(await check(signed, source, mirror)), validators: {} };
}

/** True for the bytes that are kept, where neither they nor the new ones have anything by which a server could tell that. */
function isSame(
  { bytes, validators }: Extract<Document, { kind: 'changed' }>,
  { signed, validators: kept }: CheckedRelease & { readonly validators?: Validators },
): boolean {
  return (
    signed.signature === undefined &&
    kept === undefined &&
    Object.keys(validators).length === 0 &&
    Buffer.compare(bytes, signed.file) === 0
  );
}

const EMPTY = new Uint8Array();

async function check(signed: Signed, source: AptSource, { cache }: Mirror): Promise<CheckedRelease> {
  const detached = signed.signature !== undefined;
  const path = shown(detached ? signed.address.replace(/InRelease$/, 'Release') : signed.address);
  const at = source.keysAt ?? source.validAt;
  const options = { path, cache, ...(at === undefined ? {} : { at }), ...(source.anew === true ? { code: '' } : {}) };
  let verified: Verified;
  try {
    verified =
      signed.signature === undefined
        ? await verifiedClearsigned(signed.file, source.keyring, options)
        : await verifiedDetached(signed.file, signed.signature, source.keyring, options);
  } catch (error) {
    if (!source.unauthenticated || !(error instanceof BuildError)) throw error;
    const text = detached ? new TextDecoder().decode(signed.file) : splitClearsigned(signed.file, path).text;
    verified = { text, signedBy: [] };
  }
  return { signed, release: parseRelease(verified.text, path), verified };
}

// The cache stores each signed list in one file: a line of JSON (address, validators, length), then the bytes of the
// list and of its signature. One file, so that a killed build cannot leave a list with the validators of another.

/** The name of a list in the cache: it changes under its URL, so the URL is its name. */
function keyOf(address: string): string {
  return `release-${sha256(address)}`;
}

async function remembered(address: string, source: AptSource, mirror: Mirror): Promise<CheckedRelease | undefined> {
  const bytes = mirror.cache.read('indexes', keyOf(address));
  if (bytes === undefined) return undefined;
  try {
    const end = bytes.indexOf(10);
    const head = JSON.parse(bytes.toString('utf8', 0, end)) as { size: number; detached: boolean } & Validators;
    const file = bytes.subarray(end + 1, end + 1 + head.size);
    const rest = bytes.subarray(end + 1 + head.size);
    // always check again, if only the times of a kept proof: keys expire, and an earlier build may have been allowed to accept anything
    const checked = await check({ address, file, ...(head.detached ? { signature: rest } : {}) }, source, mirror);
    const { etag, lastModified } = head;
    const validators = {
      ...(etag === undefined ? {} : { etag }),
      ...(lastModified === undefined ? {} : { lastModified }),
    };
    return Object.keys(validators).length === 0 ? checked : { ...checked, validators };
  } catch (error) {
    // what does not verify proves nothing about the past; online it is fetched again, offline the reason matters
    if (mirror.offline && error instanceof BuildError) throw error;
    return undefined;
  }
}

async function remember(checked: CheckedRelease, mirror: Mirror): Promise<void> {
  if (checked.validators === undefined) return;
  const { address, file, signature } = checked.signed;
  const head = JSON.stringify({ ...checked.validators, size: file.length, detached: signature !== undefined });
  const bytes = Buffer.concat([Buffer.from(`${head}\n`), file, signature ?? EMPTY]);
  try {
    await mirror.cache.write('indexes', keyOf(address), bytes);
  } catch (error) {
    // an unwritable cache is not an error: the build does not depend on it
    mirror.report({ kind: 'note', message: `${shown(address)} is not kept in the cache: ${reasonOf(error)}` });
  }
}

/** Supported forms of a Packages file. */
const FORMS = [
  { suffix: '.xz', compression: 'xz' },
  { suffix: '.zst', compression: 'zstd' },
  { suffix: '.gz', compression: 'gzip' },
  { suffix: '.bz2', compression: 'bzip2' },
  { suffix: '.lzma', compression: 'lzma' },
  { suffix: '', compression: 'none' },
] as const;

async function withIndexes(
  checked: CheckedRelease,
  source: AptSource,
  architecture: string,
  mirror: Mirror,
  fresh: boolean,
): Promise<AptSuite> {
  const { release, verified } = checked;
  const requests: { component: string; architecture: string; folder: string }[] = [];
  if (source.suite.endsWith('/')) requests.push({ component: '', architecture, folder: '' });
  for (const component of source.components)
    for (const each of indexArchitectures(release, architecture))
      requests.push({ component, architecture: each, folder: `${component}/binary-${each}/` });
  const lists = await together(requests.map((request) => fetchIndex(request, release, source, mirror, fresh)));
  for (const component of source.suite.endsWith('/') ? [''] : source.components)
    if (!requests.some((request, i) => request.component === component && lists[i] !== undefined)) {
      const index = `${component === '' ? '' : `${component}/binary-${architecture}/`}Packages`;
      throw new BuildError('INDEX_MISSING', { path: release.path, index });
    }
  return {
    source,
    release: release.fields,
    date: release.date,
    sha256: sha256(verified.text),
    signedBy: verified.signedBy,
    indexes: lists.filter((list) => list !== undefined && list !== 'empty'),
  };
}

/** Which lists to read: the architecture's own, and that of `all` where it is separate. */
function indexArchitectures(release: Release, architecture: string): string[] {
  const apart =
    release.architectures.includes('all') &&
    !(release.fields.get('no-support-for-architecture-all') ?? '').split(/\s+/).includes('Packages');
  return apart && architecture !== 'all' ? [architecture, 'all'] : [architecture];
}

async function fetchIndex(
  request: { component: string; architecture: string; folder: string },
  release: Release,
  source: AptSource,
  mirror: Mirror,
  fresh: boolean,
): Promise<AptIndexFile | 'empty' | undefined> {
  const name = `${request.folder}Packages`;
  const plain = release.files.get(name);
  if (plain?.size === 0) return 'empty';
  const listed = FORMS.flatMap((form) => {
    const file = release.files.get(name + form.suffix);
    return file === undefined ? [] : [{ ...form, ...file, path: name + form.suffix }];
  });
  // the smallest first; the plain file last, since archives list it without providing it
  listed.sort((a, b) => Number(a.compression === 'none') - Number(b.compression === 'none') || a.size - b.size);
  let failure: unknown;
  for (const { path, compression, size, sha256: hex } of listed) {
    const folder = folderOf(source.suite);
    const byHash = release.fields.get('acquire-by-hash') === 'yes';
    const urls = source.mirrors.flatMap((base) => [
      ...(byHash ? [joinUrl(base, `${folder}${request.folder}by-hash/SHA256/${hex}`)] : []),
      joinUrl(base, `${folder}${path}`),
    ]);
    try {
      const digest = { algorithm: 'sha256', hex } as const;
      const file = await mirror.fetch({ urls, size, digest, category: 'indexes', fresh });
      return {
        component: request.component,
        architecture: request.architecture,
        file,
        compression,
        sha256: hex,
        bases: source.mirrors,
        suite: release.fields.get('suite') ?? source.suite,
        codename: release.fields.get('codename') ?? '',
        origin: release.fields.get('origin') ?? '',
        label: release.fields.get('label') ?? '',
        release: release.fields.get('version') ?? '',
        site: hostOf(source.mirrors[0]!),
        priority: source.priority ?? pinPriority(release),
      };
    } catch (error) {
      // a form may be listed but missing or out of step: try the others
      if (!isMismatch(error) && !isBuildError(error, 'OFFLINE_MISSING')) throw error;
      if (failure === undefined || isBuildError(failure, 'NOT_FOUND')) failure = error;
    }
  }
  if (failure !== undefined) throw failure as Error;
  return undefined;
}
