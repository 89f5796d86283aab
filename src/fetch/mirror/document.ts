import { BuildError } from '../../errors/error.ts';
import { broken, pauseAfter, statusFailure } from './faults.ts';
import { reportRetry, type Transport, throwIfStopped } from './transport.ts';
import { shown } from './url.ts';

/** The server's identification of a version of a document. */
export interface Validators {
  readonly etag?: string;
  readonly lastModified?: string;
}

/** The current document, or the answer that it has not changed. */
export type Document =
  | { readonly kind: 'changed'; readonly bytes: Uint8Array; readonly validators: Validators }
  | { readonly kind: 'same' };

/** How a document is read. */
export interface ReadOptions {
  /** Maximum number of bytes. */
  readonly limit: number;
  /** Those of a known version: the server may answer that it has not changed. */
  readonly validators?: Validators | undefined;
  /** Make caches on the way revalidate it. */
  readonly fresh?: boolean;
}

/** Reads a document from a server, with as many attempts as necessary. `host` is its lane of the limit. */
export async function readDocument(
  transport: Transport,
  address: string,
  host: string,
  options: ReadOptions,
): Promise<Document> {
  for (let failures = 0; ; ) {
    try {
      return await transport.limit.run(host, () => readOnce(transport, address, options));
    } catch (error) {
      const wait = pauseAfter(error, failures);
      if (wait === undefined || ++failures > transport.retries) throw error;
      reportRetry(transport, address, failures, (error as Error).message);
      await transport.sleep(wait);
      throwIfStopped(transport);
    }
  }
}

async function readOnce(transport: Transport, address: string, options: ReadOptions): Promise<Document> {
  const url = shown(address);
  const { etag, lastModified } = options.validators ?? {};
  const answer = await transport.http.get(
    address,
    {
      ...(etag === undefined ? {} : { 'if-none-match': etag }),
      ...(lastModified === undefined ? {} : { 'if-modified-since': lastModified }),
      // RFC 9111 section 5.2.1: a cache between us and the mirror must revalidate
      'cache-control': options.fresh ? 'no-cache' : 'max-age=0',
    },
    transport.signal,
  );
  if (answer.status === 304 && options.validators !== undefined) {
    answer.drop();
    return { kind: 'same' };
  }
  if (answer.status !== 200) {
    answer.drop();
    throw statusFailure(url, answer);
  }
  const pieces: Uint8Array[] = [];
  let size = 0;
  const length = Number(answer.header('content-length') ?? Number.NaN);
  try {
    for await (const piece of answer.body) {
      size += piece.length;
      if (size > options.limit) throw new BuildError('DOWNLOAD_TOO_LONG', { url, limit: options.limit });
      pieces.push(piece);
    }
  } catch (error) {
    answer.drop();
    const expected = Number.isNaN(length) ? undefined : length;
    throw broken(error, url, { size }, expected, transport.timeouts.body);
  }
  const newTag = answer.header('etag');
  const newTime = answer.header('last-modified');
  return {
    kind: 'changed',
    bytes: Buffer.concat(pieces),
    validators: {
      ...(newTag === undefined ? {} : { etag: newTag }),
      ...(newTime === undefined ? {} : { lastModified: newTime }),
    },
  };
}
