import { sha256 } from '../bytes/digest.ts';
import { BuildError } from '../errors/error.ts';
import { localPath, type Mirror, shown, type Validators } from './mirror.ts';

/** A document in the cache: what it was when it was last fetched, and how to ask whether that still holds. */
interface Kept {
  readonly validators: Validators;
  /** SHA-256 of its bytes, which lie under that name. */
  readonly index: string;
}

/**
 * Reads a document that changes at its address (an index, a list of mirrors): from the cache when the server says that it
 * has not changed, or offline. `kind` keeps documents of different uses apart in the cache. The bytes are as they came:
 * the caller verifies them, see {@link readProven}. `fresh`: past all caches, ours too. Nothing is kept of local files.
 */
export async function readDocument(
  address: string,
  mirror: Mirror,
  { kind, limit, fresh = false }: { readonly kind: string; readonly limit: number; readonly fresh?: boolean },
): Promise<Uint8Array> {
  if (localPath(address) !== undefined) {
    const found = await mirror.read(address, { limit });
    if (found.kind === 'same') throw new TypeError('a mirror said "not changed" without being asked');
    return found.bytes;
  }
  const { cache } = mirror;
  const key = `${kind}-${sha256(address)}`;
  const kept = keptIn(cache.read('indexes', key));
  const bytes = kept === undefined ? undefined : cache.read('indexes', kept.index);
  const usable = !fresh && kept !== undefined && bytes !== undefined && sha256(bytes) === kept.index;
  const report = (size: number, cached: boolean) =>
    mirror.report({ kind: 'fetched', url: shown(address), size, cached });
  if (mirror.offline && usable) {
    report(bytes.length, true);
    return bytes;
  }
  const found = await mirror.read(address, { limit, fresh, ...(usable ? { validators: kept.validators } : {}) });
  if (found.kind === 'same') {
    report(bytes!.length, true);
    return bytes!;
  }
  report(found.bytes.length, false);
  const index = sha256(found.bytes);
  await cache.write('indexes', index, found.bytes);
  const note: Kept = { validators: found.validators, index };
  await cache.write('indexes', key, Buffer.from(JSON.stringify(note)));
  return found.bytes;
}

/** Errors after which reading past caches cannot help. */
const USELESS: readonly string[] = ['CONNECTION_FAILED', 'DOWNLOAD_STALLED', 'DOWNLOAD_CUT', 'OFFLINE_MISSING'];

/**
 * Reads a document by `read` and what it leads to; when that does not fit together (a wrong signature, a list with another
 * digest), once more past all caches: the mirror may have been updated in between, or a cache gave old or garbled bytes, ours among
 * them. `read` is called with `fresh` then. Local files and offline builds have no such second chance.
 */
export async function readProven<T>(address: string, mirror: Mirror, read: (fresh: boolean) => Promise<T>): Promise<T> {
  try {
    return await read(false);
  } catch (error) {
    if (mirror.offline || localPath(address) !== undefined || !(error instanceof BuildError)) throw error;
    if (USELESS.includes(error.code)) throw error;
    const url = shown(address);
    mirror.report({ kind: 'retried', url, attempt: 1, reason: error.message.replace(`${url}: `, '') });
    return read(true);
  }
}

/** The note as it was kept; one that is damaged only costs a download. */
function keptIn(bytes: Uint8Array | undefined): Kept | undefined {
  if (bytes === undefined) return undefined;
  try {
    const note = JSON.parse(Buffer.from(bytes).toString()) as Kept;
    return /^[0-9a-f]{64}$/.test(note.index) && typeof note.validators === 'object' ? note : undefined;
  } catch {
    return undefined;
  }
}
