import { statSync } from 'node:fs';
import type { LookupFunction } from 'node:net';
import { reading } from '../bytes/reason.ts';
import { BuildError } from '../errors/error.ts';
import { type Report, silent } from '../events/events.ts';
import type { Cache } from './cache.ts';
import { Addresses } from './mirror/addresses.ts';
import { type Document, type ReadOptions, readDocument } from './mirror/document.ts';
import { download } from './mirror/download.ts';
import { exchange, type Question, type Reply } from './mirror/exchange.ts';
import { FILES, firstOf } from './mirror/failover.ts';
import { Http } from './mirror/http.ts';
import { Limit } from './mirror/limit.ts';
import { copyLocal, readLocal } from './mirror/local.ts';
import type { Every } from './mirror/pace.ts';
import type { Part } from './mirror/part.ts';
import type { ProxyOptions } from './mirror/proxy.ts';
import { Sharing } from './mirror/sharing.ts';
import type { Timeouts } from './mirror/timeouts.ts';
import { openPart, type Transport, throwIfStopped } from './mirror/transport.ts';
import { placeOf, shown } from './mirror/url.ts';
import { type Arrived, keyOf, type Want } from './mirror/want.ts';

export { isInward } from './mirror/addresses.ts';
export type { Document, ReadOptions, Validators } from './mirror/document.ts';
export type { Question, Reply } from './mirror/exchange.ts';
export { FILES, firstOf, METADATA } from './mirror/failover.ts';
export { type ProxyOptions, proxiesOf } from './mirror/proxy.ts';
export type { Timeouts } from './mirror/timeouts.ts';
export { baseOf, joinUrl, localPath, shown } from './mirror/url.ts';
export type { Access, Arrived, Proof, Want } from './mirror/want.ts';

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
  /** The timer for the minimum rate of downloads and for the time until an answer; tests replace it. */
  readonly every?: Every;
  /** Looks up names of hosts; the system's resolver by default. */
  readonly lookup?: LookupFunction;
}

/** Files by their digests in a place that several machines share. Nothing of it is trusted. */
export interface RemoteCache {
  /** Where a file may be; undefined where it is not kept there, or the place cannot be used. */
  find(want: Want): Promise<Want | undefined>;
  /** What was found there could not be had. */
  failed(error: unknown): void;
  /** A file came from its mirror, and may be put there. */
  keep(want: Want, path: string): Promise<void>;
}

/** Most files that are open because they are fetched: three times the connections to one host. */
const OPEN = 24;

/**
 * Access to the network, and to local folders used as mirrors. Files are stored in the cache under their
 * digest, and only after it was checked; a file found there is trusted after a check of its size. Files from folders are
 * checked and copied in the same way, so that a build never depends on a file that may change while it runs.
 *
 * @example
 * ```ts
 * import { Cache, Mirror } from 'osbuilder';
 *
 * const mirror = new Mirror({ cache: new Cache('cache'), offline: true, retries: 1 });
 * console.log(mirror.offline); // prints: true
 * await mirror.close();
 * ```
 */
export class Mirror {
  readonly cache: Cache;
  readonly offline: boolean;
  readonly report: Report;
  private readonly transport: Transport;
  private readonly sharing = new Sharing<string>();
  private remote: RemoteCache | undefined;
  private readonly listeners = new Set<Report>();
  /** Files that are being fetched and not yet on the disk. */
  private readonly open = new Limit(OPEN);

  constructor(options: MirrorOptions) {
    this.cache = options.cache;
    this.offline = options.offline ?? false;
    const report = options.report ?? silent;
    this.report = (event) => {
      report(event);
      for (const listener of this.listeners) listener(event);
    };
    const timeouts = { connect: 15_000, headers: 60_000, body: 60_000, ...options.timeouts };
    const connectionsPerHost = options.connectionsPerHost ?? 8;
    this.transport = {
      http: new Http({
        proxy: options.proxy ?? {},
        timeouts,
        connectionsPerHost,
        certificates: options.certificates,
        every: options.every,
        addresses: new Addresses(options.lookup),
      }),
      limit: new Limit(connectionsPerHost),
      retries: options.retries ?? 3,
      timeouts,
      sleep: options.sleep ?? ((milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))),
      signal: options.signal,
      report: this.report,
      received: 0,
      resumed: 0,
    };
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
  async fetchAll(wants: readonly Want[], arrived?: Arrived): Promise<string[]> {
    const stop = new AbortController();
    let failure: { error: unknown } | undefined;
    const paths = await Promise.all(
      wants.map(async (want, i) => {
        try {
          if (failure !== undefined) return '';
          const path = await this.share(want, stop.signal);
          arrived?.(i, path);
          return path;
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
    const isStopped = () => (this.transport.signal?.aborted ?? false) || (signal?.aborted ?? false);
    return this.sharing.run(`${want.category}/${key}`, () => this.fetchOnce(want, key, signal), isStopped);
  }

  /** True when the file is in the cache already. */
  has(want: Want): boolean {
    return this.find(want, keyOf(want)) !== undefined;
  }

  private find(want: Want, key: string): string | undefined {
    const path = this.cache.find(want.category, key);
    if (path === undefined || want.size === undefined) return path;
    // detects a file that was truncated by a crash
    return sizeOf(path) === want.size ? path : undefined;
  }

  /** Has files looked for in `remote` before their mirrors are asked. */
  lookFirst(remote: RemoteCache): void {
    this.remote = remote;
  }

  private async fetchOnce(want: Want, key: string, signal?: AbortSignal): Promise<string> {
    const found = this.find(want, key);
    if (found !== undefined) {
      this.report({ kind: 'fetched', url: shown(want.urls[0] ?? key), size: sizeOf(found), cached: true });
      return found;
    }
    // what a registry has is proved by its digest as what a mirror has; a proof of another kind is the mirror's
    const shared = this.offline || want.proof !== undefined || want.access !== undefined ? undefined : this.remote;
    const remote = await shared?.find(want);
    if (remote !== undefined)
      try {
        return await this.transfer(remote, key, signal);
      } catch (error) {
        throwIfStopped(this.transport, signal);
        shared!.failed(error);
      }
    const path = await this.transfer(want, key, signal);
    await shared?.keep(want, path);
    return path;
  }

  private async transfer(want: Want, key: string, signal?: AbortSignal): Promise<string> {
    const target = this.cache.path(want.category, key);
    let part: Part | undefined;
    let leave: (() => void) | undefined;
    let complete = false;
    try {
      const url = await this.eachPlace(want.urls, async (address) => {
        const place = placeOf(address);
        if (place.kind === 'http') this.rejectOffline(address);
        await this.transport.limit.run(place.kind === 'http' ? place.url.host : '', async () => {
          throwIfStopped(this.transport, signal);
          // what came is open until the disk has it, which may be slower than the mirror
          leave = await this.open.enter('');
          try {
            part ??= openPart(this.transport, target, want);
            if (place.kind === 'http') await download(this.transport, address, want, part, signal);
            else await copyLocal(this.transport, address, place.path, want, part);
          } catch (error) {
            // who waits for the next host must not keep others from it
            leave();
            leave = undefined;
            throw error;
          }
        });
        return address;
      });
      const { size } = part!;
      complete = true;
      this.cache.trust(want.category, key, await part!.finish());
      this.report({ kind: 'fetched', url: shown(url), size, cached: false });
      return target;
    } finally {
      // wrong bytes were dropped already; an interrupted download is kept for the next run
      if (!complete) part?.abandon(true);
      leave?.();
    }
  }

  /** A small document that changes under its name, such as a Release file: it is neither stored nor verified here. */
  async read(address: string, options: ReadOptions): Promise<Document> {
    const place = placeOf(address);
    if (place.kind === 'file')
      return { kind: 'changed', bytes: readLocal(address, place.path, options.limit), validators: {} };
    this.rejectOffline(address);
    return readDocument(this.transport, address, place.url.host, options);
  }

  /** Asks a server something whose answer is small, and returns the answer, whatever its status. Throws `OFFLINE_MISSING`. */
  ask(address: string, question: Question): Promise<Reply> {
    this.rejectOffline(address);
    return exchange(this.transport, address, question);
  }

  /** Tries one address after the other; see `firstOf`. */
  eachPlace<T>(addresses: readonly string[], attempt: (address: string) => Promise<T>): Promise<T> {
    return firstOf(addresses, attempt, FILES);
  }

  private rejectOffline(address: string): void {
    if (!this.offline) return;
    const hint = 'run the same build once without `offline` to fill the cache, or name a filled one with `cacheDir`';
    throw new BuildError('OFFLINE_MISSING', { url: shown(address) }, { hint });
  }

  /** Closes all connections. */
  close(): Promise<void> {
    return this.transport.http.close();
  }
}

function sizeOf(path: string): number {
  return reading(path, () => statSync(path).size);
}
