import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { type Bytes, type Content, copyOf } from '../../bytes/content.ts';
import { BuildError } from '../../errors/error.ts';
import { Addresses, InwardAddress } from './addresses.ts';
import { ASKS, failure, proxyFailure, Unanswered } from './client-failures.ts';
import { type Every, timer, watchPace } from './pace.ts';
import { type ProxyOptions, proxyFor, proxyVariable } from './proxy.ts';
import { INWARD, redirected } from './redirects.ts';
import type { Timeouts } from './timeouts.ts';
import { placeOf, shown } from './url.ts';

/** What the HTTP client needs to know. */
export interface HttpOptions {
  readonly proxy: ProxyOptions;
  readonly timeouts: Timeouts;
  readonly connectionsPerHost: number;
  /** PEM certificates to trust besides Node's own. */
  readonly certificates?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The timer for the minimum rate of a download and the time until an answer. */
  readonly every?: Every | undefined;
  /** Looks up names of hosts. */
  readonly addresses?: Addresses | undefined;
}

/** An answer whose body is still to be read: read it to the end, or `drop()` it. */
export interface Answer {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
  drop(): void;
}

/** What is sent to a server. */
export interface Sending {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  /** Value of the header of that name. */
  readonly authorization?: string | undefined;
  readonly body?: Content;
}

const REDIRECTS = 10;
/** Interim answers (1xx) to one request: servers send one or two. */
const INTERIM = 16;

/** The HTTP client: persistent connections per host, proxies, redirects; errors with our own messages. The only user of
 * undici. */
export class Http {
  private readonly options: HttpOptions;
  private readonly dispatchers = new Map<string, Promise<Dispatcher>>();
  private readonly addresses: Addresses;

  constructor(options: HttpOptions) {
    this.options = options;
    this.addresses = options.addresses ?? new Addresses();
  }

  /**
   * Requests `address`, following redirects. Any other status is returned as an answer. `authorization` goes to the host
   * of the address only.
   */
  async get(
    address: string,
    headers: Readonly<Record<string, string>>,
    signal?: AbortSignal,
    { method = 'GET', ...named }: Pick<Sending, 'authorization'> & { readonly method?: 'GET' | 'HEAD' } = {},
  ): Promise<Answer> {
    const place = placeOf(address);
    if (place.kind !== 'http') throw new TypeError(`${address} is not for HTTP`);
    const seen = new Set<string>();
    let { url } = place;
    let authorization = named.authorization ?? place.authorization;
    for (;;) {
      seen.add(url.href);
      const guarded = url.origin !== place.url.origin && !this.addresses.isInward(place.url.hostname);
      const sent = authorization === undefined ? headers : { ...headers, authorization };
      const answer = await this.ask(url, { method, headers: sent, guarded }, signal).catch((error: Error) => {
        if (!isInwardFailure(error)) throw error;
        const context = { url: shown(address), to: shown(url), reason: INWARD };
        throw new BuildError('REDIRECT_REFUSED', context, { cause: error.cause });
      });
      const to = answer.header('location');
      if (![301, 302, 303, 307, 308].includes(answer.status) || to === undefined) return answer;
      answer.drop();
      const next = redirected(url, to, address);
      const rejected = (reason: string) =>
        new BuildError('REDIRECT_REFUSED', { url: shown(address), to: shown(next), reason });
      if (next.origin !== place.url.origin && this.addresses.isInward(next.hostname))
        if (!this.addresses.isInward(place.url.hostname)) throw rejected(INWARD);
      if (seen.has(next.href)) throw rejected('it goes round in a circle');
      if (seen.size > REDIRECTS) throw rejected(`more than ${REDIRECTS} redirects`);
      // credentials are for the host they were given for
      if (next.origin !== url.origin) authorization = undefined;
      url = next;
    }
  }

  /**
   * One request with any method and a body, to `address`; redirects are not followed. `namedBy` is the server that named
   * the address: a public one must not lead to this machine or its network. Throws `REDIRECT_REFUSED`.
   */
  async send(address: string, sending: Sending, namedBy?: string, signal?: AbortSignal): Promise<Answer> {
    const place = placeOf(address);
    if (place.kind !== 'http') throw new TypeError(`${address} is not for HTTP`);
    const from = namedBy === undefined ? undefined : new URL(namedBy);
    const guarded = from !== undefined && from.origin !== place.url.origin && !this.addresses.isInward(from.hostname);
    const rejected = (cause?: unknown) => {
      const context = { url: shown(from!), to: shown(address), reason: INWARD };
      return new BuildError('REDIRECT_REFUSED', context, cause === undefined ? {} : { cause });
    };
    if (guarded && this.addresses.isInward(place.url.hostname)) throw rejected();
    const { authorization, headers = {}, ...rest } = sending;
    const sent = authorization === undefined ? headers : { ...headers, authorization };
    return this.ask(place.url, { ...rest, headers: sent, guarded }, signal).catch((error: Error) => {
      throw isInwardFailure(error) ? rejected(error.cause) : error;
    });
  }

  private async ask(
    url: URL,
    {
      method,
      headers,
      body: sent,
      guarded,
    }: Pick<Sending, 'method' | 'body'> & {
      readonly headers: Readonly<Record<string, string>>;
      readonly guarded: boolean;
    },
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    const { default: request } = await import('undici/lib/api/api-request.js');
    const dispatcher = await this.dispatcher(url, guarded);
    const { timeouts, proxy: proxies } = this.options;
    const every = this.options.every ?? timer;
    const through = { proxy: proxyFor(url, proxies), variable: proxyVariable(url, proxies) };
    let reply: Dispatcher.ResponseData;
    // the client restarts its own timeout with each interim answer
    const stop = new AbortController();
    let interim = 0;
    const wait = timeouts.connect + timeouts.headers;
    // a body that is being taken is an answer of its own
    let moved = false;
    const stopClock = every(wait, () => {
      if (!moved) stop.abort(new Unanswered(`no answer within ${wait / 1000} s`));
      moved = false;
    });
    async function* body(content: Content): Bytes {
      for await (const piece of content.open()) {
        moved = true;
        // the client keeps pieces until they are sent, and a producer may use them again
        yield copyOf(piece);
      }
    }
    try {
      // bytes as they are on the server: an encoding on the way would change sizes and ranges
      const all = { 'user-agent': 'osbuilder', 'accept-encoding': 'identity', ...headers };
      reply = await request.call(dispatcher, {
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method,
        headers: sent === undefined ? all : { ...all, 'content-length': String(sent.size) },
        ...(sent === undefined ? {} : { body: Readable.from(body(sent), { objectMode: false }) }),
        signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]),
        onInfo() {
          if (++interim > INTERIM) stop.abort(new Unanswered(`more than ${INTERIM} interim answers (1xx)`));
        },
      });
    } catch (cause) {
      throw failure(url, cause, timeouts, through);
    } finally {
      stopClock();
    }
    if (reply.statusCode === 407 && through.proxy !== undefined) {
      reply.body.on('error', () => {}).destroy();
      throw proxyFailure(url, through, ASKS);
    }
    const { body: received, statusCode } = reply;
    return {
      status: statusCode,
      header: (name) => {
        const value = reply.headers[name];
        return Array.isArray(value) ? value[0] : value;
      },
      body: {
        async *[Symbol.asyncIterator]() {
          const pace = watchPace(timeouts.body, (error) => received.destroy(error), every);
          try {
            for await (const piece of received as AsyncIterable<Uint8Array>) {
              pace.count(piece.length);
              yield piece;
            }
          } catch (cause) {
            throw failure(url, cause, timeouts, through);
          } finally {
            pace.stop();
          }
        },
      },
      drop() {
        received.on('error', () => {});
        received.destroy();
      },
    };
  }

  private dispatcher(url: URL, guarded: boolean): Promise<Dispatcher> {
    const proxy = proxyFor(url, this.options.proxy);
    const direct = guarded ? 'direct, guarded' : 'direct';
    const key = proxy === undefined ? direct : `${url.protocol} ${proxy}`;
    let dispatcher = this.dispatchers.get(key);
    if (dispatcher === undefined) {
      dispatcher = this.makeDispatcher(url, proxy, guarded);
      this.dispatchers.set(key, dispatcher);
    }
    return dispatcher;
  }

  private async makeDispatcher(url: URL, proxy: string | undefined, guarded: boolean): Promise<Dispatcher> {
    const { connectionsPerHost: connections, timeouts, certificates } = this.options;
    const tls = { timeout: timeouts.connect, ...(await trusted(certificates)) };
    const common = { connections, headersTimeout: timeouts.headers, bodyTimeout: timeouts.body };
    if (proxy === undefined) {
      const lookup = guarded ? this.addresses.guarded : this.addresses.plain;
      const { default: Agent } = await import('undici/lib/dispatcher/agent.js');
      return new Agent({ ...common, connect: { ...tls, lookup } });
    }
    if (!/^https?:\/\//i.test(proxy))
      throw new BuildError('URL_UNSUPPORTED', { url: shown(proxy), reason: 'a proxy must speak http or https' });
    // plain requests go to the proxy as such: many proxies allow CONNECT to port 443 only
    const proxyTunnel = url.protocol === 'https:';
    // needs methods that only all of undici together gives its dispatchers
    const { ProxyAgent } = await import('undici');
    return new ProxyAgent({ ...common, uri: proxy, proxyTunnel, proxyTls: tls, requestTls: tls });
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    const open = [...this.dispatchers.values()];
    this.dispatchers.clear();
    for (const dispatcher of open) await (await dispatcher).destroy();
  }
}

async function trusted(certificates: readonly string[] | undefined): Promise<{ ca?: string[] }> {
  if (certificates === undefined || certificates.length === 0) return {};
  const { rootCertificates } = await import('node:tls');
  return { ca: [...rootCertificates, ...certificates] };
}

function isInwardFailure(error: Error): boolean {
  return error.cause instanceof InwardAddress;
}
