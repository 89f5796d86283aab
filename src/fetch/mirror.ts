import { closeSync, readSync, statSync } from 'node:fs';
import type { LookupFunction } from 'node:net';
import type { DigestAlgorithm } from '../bytes/digest.ts';
import { reasonOf } from '../bytes/pour.ts';
import { openRegular, readRegular } from '../bytes/regular.ts';
import { BuildError, isBuildError } from '../errors/error.ts';
import { type Report, silent } from '../events/events.ts';
import type { Cache, CacheCategory } from './cache.ts';
import { Addresses } from './mirror/addresses.ts';
import { FILES, firstOf } from './mirror/failover.ts';
import { broken, pauseAfter, statusFailure } from './mirror/faults.ts';
import { Http, type Timeouts } from './mirror/http.ts';
import { Limit } from './mirror/limit.ts';
import type { Every } from './mirror/pace.ts';
import { Part } from './mirror/part.ts';
import type { ProxyOptions } from './mirror/proxy.ts';
import { placeOf, shown } from './mirror/url.ts';

export { FILES, firstOf, METADATA } from './mirror/failover.ts';
export type { Timeouts } from './mirror/http.ts';
export { type ProxyOptions, proxiesOf } from './mirror/proxy.ts';
export { baseOf, joinUrl, localPath, shown } from './mirror/url.ts';

/** Options of a {@link Mirror}. Nothing here is read from the environment. */
export interface MirrorOptions {
  readonly cache: Cache;
  readonly report?: Report;
  /** Use the cache and local folders only. */
  readonly offline?: boolean;
  readonly proxy?: ProxyOptions;
  /** Downloads at the same moment from one host; 8 by default. */
  readonly connectionsPerHost?: number;
  /** How often a failed download is tried again at the same mirror without progress; 3 by default. */
  readonly retries?: number;
  /** Milliseconds; 15 s for a connection, 60 s for an answer, 60 s without any byte of a body. */
  readonly timeouts?: Partial<Timeouts>;
  /** PEM certificates to trust besides Node's own. */
  readonly certificates?: readonly string[];
  /** Aborts all requests. */
  readonly signal?: AbortSignal;
  /** Waits between attempts; tests replace it. */
  readonly sleep?: (milliseconds: number) => Promise<void>;
  /** The timer for the minimum rate of downloads; tests replace it. */
  readonly every?: Every;
  /** Looks up names of hosts; the system's resolver by default. */
  readonly lookup?: LookupFunction;
}

/** A file to be fetched into the cache, and what is known about it. */
export interface Want {
  /** Addresses of the same file, best first. */
  readonly urls: readonly string[];
  /** Bytes, where the index says so. */
  readonly size?: number;
  /** Its expected digest, which is also its name in the cache. */
  readonly digest: { readonly algorithm: DigestAlgorithm; readonly hex: string };
  /** How the file is verified when its digest does not cover all of it. */
  readonly proof?: Proof;
  readonly category: CacheCategory;
  /** Ask caches on the way to revalidate with the mirror, after they returned an old version. */
  readonly fresh?: boolean;
}

/** How files are verified whose index has no digest of the complete file. */
export interface Proof {
  /** Their name in the cache: a file with this name was verified when it was stored. */
  readonly key: string;
  /** Checks the complete file. Throws `DIGEST_MISMATCH` when it is not the expected one. */
  prove(file: string, url: string): Promise<void>;
}

/** The server's identification of a version of a document. */
export interface Validators {
  readonly etag?: string;
  readonly lastModified?: string;
}

/** The current document, or the answer that it has not changed. */
export type Document =
  | { readonly kind: 'changed'; readonly bytes: Uint8Array; readonly validators: Validators }
  | { readonly kind: 'same' };

/** Bytes since the last failure that count as progress. */
const GAIN = 64 * 1024;

/**
 * Access to the network, and to local folders used as mirrors. Files are stored in the cache under their
 * digest, and only after it was checked; a file found there is trusted after a check of its size. Files from folders are
 * checked and copied in the same way, so that a build never depends on a file that may change while it runs.
 */
export class Mirror {
  readonly cache: Cache;
  readonly offline: boolean;
  readonly report: Report;
  private readonly http: Http;
  private readonly limit: Limit;
  private readonly retries: number;
  private readonly signal: AbortSignal | undefined;
  private readonly timeouts: Timeouts;
  private readonly sleep: (milliseconds: number) => Promise<void>;
  private readonly running = new Map<string, Promise<string>>();
  private readonly listeners = new Set<Report>();
  /** Bytes that came from mirrors. */
  private received = 0;
  /** Bytes of unfinished downloads of earlier builds, less those of downloads that began again. */
  private resumed = 0;

  constructor(options: MirrorOptions) {
    this.cache = options.cache;
    this.offline = options.offline ?? false;
    const report = options.report ?? silent;
    this.report = (event) => {
      report(event);
      for (const listener of this.listeners) listener(event);
    };
    this.retries = options.retries ?? 3;
    this.signal = options.signal;
    this.sleep = options.sleep ?? ((milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)));
    this.timeouts = { connect: 15_000, headers: 60_000, body: 60_000, ...options.timeouts };
    const connectionsPerHost = options.connectionsPerHost ?? 8;
    this.limit = new Limit(connectionsPerHost);
    this.http = new Http({
      proxy: options.proxy ?? {},
      timeouts: this.timeouts,
      connectionsPerHost,
      certificates: options.certificates,
      every: options.every,
      addresses: new Addresses(options.lookup),
    });
  }

  /** Adds a listener to the events reported here, until the returned function is called. */
  listen(listener: Report): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** The same cache without the network, and without reports: to find out what is in the cache. */
  offlineCopy(): Mirror {
    return new Mirror({ cache: this.cache, offline: true });
  }

  /** Path in the cache of the verified file, which is fetched if it is not there yet. */
  fetch(want: Want): Promise<string> {
    return this.share(want);
  }

  /** Many files at once; paths come in the order of `wants`. The first failure aborts the others. */
  async fetchAll(wants: readonly Want[]): Promise<string[]> {
    const stop = new AbortController();
    let failure: { error: unknown } | undefined;
    const paths = await Promise.all(
      wants.map(async (want) => {
        try {
          return failure === undefined ? await this.share(want, stop.signal) : '';
        } catch (error) {
          failure ??= { error };
          stop.abort();
          return '';
        }
      }),
    );
    if (failure !== undefined) throw failure.error;
    return paths;
  }

  /** Simultaneous requests for the same file share one download. */
  private share(want: Want, signal?: AbortSignal): Promise<string> {
    const key = keyOf(want);
    const name = `${want.category}/${key}`;
    const running = this.running.get(name);
    if (running !== undefined)
      return running.catch((error: Error) => {
        // aborted by the caller that started it; we still need it
        if (error.name !== 'AbortError' || this.signal?.aborted || signal?.aborted) throw error;
        return this.share(want, signal);
      });
    const mine = this.fetchOnce(want, key, signal).finally(() => this.running.delete(name));
    this.running.set(name, mine);
    return mine;
  }

  /** True when the file is in the cache already. */
  has(want: Want): boolean {
    return this.find(want, keyOf(want)) !== undefined;
  }

  private find(want: Want, key: string): string | undefined {
    const path = this.cache.find(want.category, key);
    if (path === undefined || want.size === undefined) return path;
    // detects a file that was truncated by a crash
    return statSync(path).size === want.size ? path : undefined;
  }

  private async fetchOnce(want: Want, key: string, signal?: AbortSignal): Promise<string> {
    const found = this.find(want, key);
    if (found !== undefined) {
      this.report({ kind: 'fetched', url: shown(want.urls[0] ?? key), size: statSync(found).size, cached: true });
      return found;
    }
    const target = this.cache.path(want.category, key);
    let part: Part | undefined;
    let complete = false;
    try {
      const url = await this.eachPlace(want.urls, async (address) => {
        const place = placeOf(address);
        if (place.kind === 'http') this.rejectOffline(address);
        await this.limit.run(place.kind === 'http' ? place.url.host : '', async () => {
          this.throwIfStopped(signal);
          part ??= this.open(target, want);
          if (place.kind === 'http') await this.download(address, want, part, signal);
          else await this.copy(address, place.path, want, part);
        });
        return address;
      });
      const { size } = part!;
      complete = true;
      await part!.finish();
      this.report({ kind: 'fetched', url: shown(url), size, cached: false });
      return target;
    } finally {
      // wrong bytes were dropped already; an interrupted download is kept for the next run
      if (!complete) part?.abandon(true);
    }
  }

  private open(target: string, want: Want): Part {
    const part = Part.open(target, want.digest.algorithm);
    this.resumed += part.size;
    if (want.size !== undefined) this.report({ kind: 'expected', url: shown(want.urls[0] ?? target), size: want.size });
    return part;
  }

  private restart(part: Part): void {
    this.resumed -= part.size;
    part.reset();
  }

  private progress(item: string): void {
    const { received } = this;
    this.report({ kind: 'progress', phase: 'fetch', bytes: received + this.resumed, received, item });
  }

  /** Downloads one file from one place into `part`, with as many attempts as necessary, and verifies it. */
  private async download(address: string, want: Want, part: Part, signal?: AbortSignal): Promise<void> {
    const version: Version = { validator: undefined };
    let failures = 0;
    // a part of an earlier build may contain anything: if the complete file is wrong, one clean download decides
    let patched = part.size > 0;
    if (want.size !== undefined && part.size > want.size) this.restart(part);
    for (;;) {
      const before = part.size;
      try {
        if (want.size === undefined || part.size < want.size || part.size === 0)
          await this.transfer(address, want, part, version, signal);
        await prove(address, want, part);
        return;
      } catch (error) {
        if (patched && isBuildError(error, 'DIGEST_MISMATCH')) {
          patched = false;
          version.validator = undefined;
          this.restart(part);
          this.retried(address, 1, 'the rest did not fit what had come before');
          continue;
        }
        if (isBuildError(error, 'DIGEST_MISMATCH') || isBuildError(error, 'CONTENT_SIZE')) this.restart(part);
        const wait = pauseAfter(error, failures);
        if (wait === undefined) throw error;
        failures = part.size - before >= GAIN ? 1 : failures + 1;
        if (failures > this.retries) throw error;
        patched ||= part.size > 0;
        this.retried(address, failures, (error as Error).message);
        await this.sleep(wait);
        this.throwIfStopped(signal);
      }
    }
  }

  private retried(address: string, attempt: number, reason: string): void {
    const url = shown(address);
    // the message of an error begins with the address, and so does the line for this event
    this.report({ kind: 'retried', url, attempt, reason: reason.replace(`${url}: `, '') });
  }

  /** One request: appends the body to `part`, and stores the server's validator for this version of the file. */
  private async transfer(
    address: string,
    want: Want,
    part: Part,
    version: Version,
    signal?: AbortSignal,
  ): Promise<void> {
    const url = shown(address);
    const headers: Record<string, string> = want.fresh ? { 'cache-control': 'no-cache' } : {};
    if (part.size > 0) {
      headers['range'] = `bytes=${part.size}-`;
      // the server then sends the complete file if it has changed since we started
      if (version.validator !== undefined) headers['if-range'] = version.validator;
    }
    const stop = signals(this.signal, signal);
    const answer = await this.http.get(address, headers, stop);
    let total: number | undefined;
    if (answer.status === 206 && part.size > 0) {
      const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.header('content-range') ?? '');
      if (range === null || Number(range[1]) !== part.size) this.restart(part);
      if (part.size === 0) {
        answer.drop();
        throw new BuildError('CONNECTION_FAILED', { url, reason: 'it answered with another range than was asked for' });
      }
      if (range?.[2] !== '*') total = Number(range?.[2]);
    } else if (answer.status === 200) {
      if (part.size > 0) this.restart(part);
      const length = answer.header('content-length');
      if (length !== undefined && /^\d+$/.test(length)) total = Number(length);
    } else {
      if (answer.status === 416) this.restart(part);
      answer.drop();
      throw statusFailure(url, answer);
    }
    if (want.size !== undefined && total !== undefined && total !== want.size) {
      answer.drop();
      throw wrongSize(url, want.size, total);
    }
    version.validator = strong(answer.header('etag')) ?? answer.header('last-modified');
    const expected = want.size ?? total;
    let reported = part.size;
    try {
      for await (const piece of answer.body) {
        this.received += piece.length;
        if (expected !== undefined && part.size + piece.length > expected)
          throw wrongSize(url, expected, part.size + piece.length);
        part.push(piece);
        if (part.size - reported >= PROGRESS) {
          reported = part.size;
          this.progress(url);
        }
      }
    } catch (error) {
      answer.drop();
      part.flush();
      throw broken(error, url, part, expected, this.timeouts.body);
    }
    this.progress(url);
    if (expected !== undefined && part.size < expected)
      throw new BuildError('DOWNLOAD_CUT', { url, received: part.size, expected });
  }

  /** Copies a local file into `part` and verifies it. */
  private async copy(address: string, path: string, want: Want, part: Part): Promise<void> {
    if (part.size > 0) this.restart(part);
    readingLocal(address, path, () => {
      const { fd, size } = openRegular(path);
      try {
        if (want.size !== undefined && size !== want.size) throw wrongSize(shown(address), want.size, size);
        // not beyond its initial size: a file that grows meanwhile would never end
        while (part.size < size) {
          const buffer = new Uint8Array(Math.min(1024 * 1024, size - part.size));
          const count = readSync(fd, buffer, 0, buffer.length, part.size);
          if (count === 0) break;
          part.push(buffer.subarray(0, count));
          this.received += count;
        }
      } finally {
        closeSync(fd);
      }
    });
    this.progress(shown(address));
    try {
      await prove(address, want, part);
    } catch (error) {
      this.restart(part);
      throw error;
    }
  }

  /**
   * A small document that changes under its name, such as a Release file: it is neither stored nor verified here. With
   * `validators` of a known version the server may answer that it has not changed. `fresh` makes caches on the way
   * revalidate it.
   */
  async read(
    address: string,
    options: { readonly limit: number; readonly validators?: Validators | undefined; readonly fresh?: boolean },
  ): Promise<Document> {
    const place = placeOf(address);
    if (place.kind === 'file') {
      const bytes = readingLocal(address, place.path, () => {
        const { fd, size } = openRegular(place.path);
        closeSync(fd);
        if (size > options.limit) throw new BuildError('DOWNLOAD_TOO_LONG', { url: address, limit: options.limit });
        return readRegular(place.path, options.limit);
      });
      return { kind: 'changed', bytes, validators: {} };
    }
    this.rejectOffline(address);
    for (let failures = 0; ; ) {
      try {
        return await this.limit.run(place.url.host, () => this.readOnce(address, options));
      } catch (error) {
        const wait = pauseAfter(error, failures);
        if (wait === undefined || ++failures > this.retries) throw error;
        this.retried(address, failures, (error as Error).message);
        await this.sleep(wait);
        this.throwIfStopped();
      }
    }
  }

  private async readOnce(
    address: string,
    options: { readonly limit: number; readonly validators?: Validators | undefined; readonly fresh?: boolean },
  ): Promise<Document> {
    const url = shown(address);
    const { etag, lastModified } = options.validators ?? {};
    const answer = await this.http.get(
      address,
      {
        ...(etag === undefined ? {} : { 'if-none-match': etag }),
        ...(lastModified === undefined ? {} : { 'if-modified-since': lastModified }),
        // RFC 9111 section 5.2.1: a cache between us and the mirror must revalidate
        'cache-control': options.fresh ? 'no-cache' : 'max-age=0',
      },
      this.signal,
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
      throw broken(error, url, { size }, expected, this.timeouts.body);
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

  /** Tries one address after the other; see {@link firstOf}. */
  eachPlace<T>(addresses: readonly string[], attempt: (address: string) => Promise<T>): Promise<T> {
    return firstOf(addresses, attempt, FILES);
  }

  private rejectOffline(address: string): void {
    if (!this.offline) return;
    const hint = 'run the same build once without `offline` to fill the cache, or name a filled one with `cacheDir`';
    throw new BuildError('OFFLINE_MISSING', { url: shown(address) }, { hint });
  }

  private throwIfStopped(signal?: AbortSignal): void {
    this.signal?.throwIfAborted();
    signal?.throwIfAborted();
  }

  /** Closes all connections. */
  close(): Promise<void> {
    return this.http.close();
  }
}

/** The version of a file that a download began with, from the headers of the answer. */
interface Version {
  validator: string | undefined;
}

/** Progress is reported after this many bytes of one file. */
const PROGRESS = 64 * 1024;

function keyOf(want: Want): string {
  if (want.proof !== undefined) return want.proof.key;
  const { algorithm, hex } = want.digest;
  if (!/^[0-9a-f]{32,128}$/.test(hex)) throw new RangeError(`"${hex}" is no digest in lower-case hex`);
  return algorithm === 'sha256' ? hex : `${algorithm}-${hex}`;
}

function wrongSize(url: string, declared: number, read: number): BuildError {
  const hint =
    'this is not the file that was promised, perhaps a login or error page in its place: try again, or name another mirror as `repoUrl`';
  return new BuildError('CONTENT_SIZE', { path: url, declared, read }, { hint });
}

async function prove(address: string, want: Want, part: Part): Promise<void> {
  const url = shown(address);
  if (want.size !== undefined && part.size !== want.size) throw wrongSize(url, want.size, part.size);
  if (want.proof !== undefined) {
    part.flush();
    return want.proof.prove(part.path, url);
  }
  const actual = part.digest();
  if (actual !== want.digest.hex) throw new BuildError('DIGEST_MISMATCH', { url, expected: want.digest.hex, actual });
}

function readingLocal<T>(address: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof BuildError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new BuildError('NOT_FOUND', { url: address }, { cause });
    throw new BuildError('READ_FAILED', { path, reason: reasonOf(cause) }, { cause });
  }
}

/** Only a strong tag promises the same bytes (RFC 9110 section 13.1.5). */
function strong(etag: string | undefined): string | undefined {
  return etag?.startsWith('W/') ? undefined : etag;
}

function signals(...all: (AbortSignal | undefined)[]): AbortSignal | undefined {
  const given = all.filter((signal) => signal !== undefined);
  return given.length <= 1 ? given[0] : AbortSignal.any(given);
}
