import type { Dispatcher } from 'undici';
import { BuildError } from '../../errors/error.ts';
import { Addresses, InwardAddress } from './addresses.ts';
import { type Every, TooSlow, watchPace } from './pace.ts';
import { type ProxyOptions, proxyFor, proxyVariable } from './proxy.ts';
import { placeOf, shown } from './url.ts';

/** How long to wait, in milliseconds. */
export interface Timeouts {
  /** For a connection. */
  readonly connect: number;
  /** For the first line of an answer. */
  readonly headers: number;
  /** For the next piece of a body. */
  readonly body: number;
}

/** What the HTTP client needs to know. */
export interface HttpOptions {
  readonly proxy: ProxyOptions;
  readonly timeouts: Timeouts;
  readonly connectionsPerHost: number;
  /** PEM certificates to trust besides Node's own. */
  readonly certificates?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The timer for the least rate of a download. */
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

  /** Requests `address`, following redirects. Any other status is returned as an answer. */
  async get(address: string, headers: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<Answer> {
    const place = placeOf(address);
    if (place.kind !== 'http') throw new TypeError(`${address} is not for HTTP`);
    const seen = new Set<string>();
    let { url, authorization } = place;
    for (;;) {
      seen.add(url.href);
      const guarded = url.origin !== place.url.origin && !this.addresses.isInward(place.url.hostname);
      const sent = authorization === undefined ? headers : { ...headers, authorization };
      const answer = await this.ask(url, sent, signal, guarded).catch((error: Error) => {
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

  private async ask(
    url: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
    guarded: boolean,
  ): Promise<Answer> {
    const { request } = await import('undici');
    const dispatcher = await this.dispatcher(url, guarded);
    const { timeouts, every, proxy: proxies } = this.options;
    const through = { proxy: proxyFor(url, proxies), variable: proxyVariable(url, proxies) };
    let reply: Dispatcher.ResponseData;
    // the client restarts its own timeout with each interim answer
    const stop = new AbortController();
    let interim = 0;
    const deadline = setTimeout(
      () => stop.abort(new Unanswered(`no answer within ${(timeouts.connect + timeouts.headers) / 1000} s`)),
      timeouts.connect + timeouts.headers,
    );
    try {
      // bytes as they are on the server: an encoding on the way would change sizes and ranges
      const all = { 'user-agent': 'osbuilder', 'accept-encoding': 'identity', ...headers };
      reply = await request(url, {
        dispatcher,
        headers: all,
        signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]),
        onInfo() {
          if (++interim > INTERIM) stop.abort(new Unanswered(`more than ${INTERIM} interim answers (1xx)`));
        },
      });
    } catch (cause) {
      throw failure(url, cause, timeouts, through);
    } finally {
      clearTimeout(deadline);
    }
    if (reply.statusCode === 407 && through.proxy !== undefined) {
      reply.body.on('error', () => {}).destroy();
      throw proxyFailure(url, through, ASKS);
    }
    const { body, statusCode } = reply;
    return {
      status: statusCode,
      header: (name) => {
        const value = reply.headers[name];
        return Array.isArray(value) ? value[0] : value;
      },
      body: {
        async *[Symbol.asyncIterator]() {
          const pace = watchPace(timeouts.body, (error) => body.destroy(error), every);
          try {
            for await (const piece of body as AsyncIterable<Uint8Array>) {
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
        body.on('error', () => {});
        body.destroy();
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
    const { Agent, ProxyAgent } = await import('undici');
    const { connectionsPerHost: connections, timeouts, certificates } = this.options;
    const tls = { timeout: timeouts.connect, ...(await trusted(certificates)) };
    const common = { connections, headersTimeout: timeouts.headers, bodyTimeout: timeouts.body };
    if (proxy === undefined) {
      const lookup = guarded ? this.addresses.guarded : this.addresses.plain;
      return new Agent({ ...common, connect: { ...tls, lookup } });
    }
    if (!/^https?:\/\//i.test(proxy))
      throw new BuildError('URL_UNSUPPORTED', { url: shown(proxy), reason: 'a proxy must speak http or https' });
    // plain requests go to the proxy as such: many proxies allow CONNECT to port 443 only
    const proxyTunnel = url.protocol === 'https:';
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

function redirected(from: URL, to: string, address: string): URL {
  let next: URL;
  try {
    next = new URL(to, from);
  } catch {
    throw new BuildError('REDIRECT_REFUSED', { url: shown(address), to: shown(to), reason: 'it is not a URL' });
  }
  const rejected = (reason: string) =>
    new BuildError('REDIRECT_REFUSED', { url: shown(address), to: shown(next), reason });
  if (next.protocol !== 'http:' && next.protocol !== 'https:') throw rejected('it leaves the web');
  if (from.protocol === 'https:' && next.protocol === 'http:') throw rejected('it would give up encryption');
  if (next.username !== '' || next.password !== '') {
    next.username = '';
    next.password = '';
  }
  next.hash = '';
  return next;
}

const INWARD = 'it leads from a public server to an address of this machine or of its own network';

function isInwardFailure(error: Error): boolean {
  return error.cause instanceof InwardAddress;
}

/** A request that we aborted. */
class Unanswered extends Error {
  override readonly name = 'Unanswered';
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the name of the host cannot be looked up now',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ETIMEDOUT: 'the connection timed out',
  UND_ERR_SOCKET: 'the connection was closed',
};

/** Failures before there is a connection: with a proxy it is the proxy that cannot be reached. */
const UNCONNECTED = [
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
];

/** The proxy that a request went through, and the environment variable that names it. */
interface Through {
  readonly proxy: string | undefined;
  readonly variable: string | undefined;
}

const ASKS = 'it asks for a user and a password (407)';

function proxyFailure(url: URL, { proxy, variable }: Through, why: string, cause?: unknown): BuildError {
  const named = `${shown(proxy!).replace(/\/$/, '')}${variable === undefined ? '' : ` (from ${variable})`}`;
  const setting = variable ?? 'the proxy setting';
  const hint =
    why === ASKS
      ? `write them into ${setting}, as http://USER:PASSWORD@HOST:PORT, or name the host in no_proxy to reach it directly`
      : `check ${setting}, start the proxy, or name the host in no_proxy to reach it directly`;
  const context = { url: shown(url), reason: `the proxy ${named}: ${why}`, proxy: shown(proxy!), variable };
  return new BuildError('CONNECTION_FAILED', context, cause === undefined ? { hint } : { hint, cause });
}

/** The status of a proxy's answer, from the client's error message. */
function proxyStatus(error: Error): string | undefined {
  const text = `${error.message} ${(error.cause as Error | undefined)?.message ?? ''}`;
  return /Proxy (?:response|Authentication Required) \((\d+)\)/.exec(text)?.[1];
}

/** Turns what the client threw into an error that names the URL, a reason in words, and the proxy when it is its fault. */
function failure(url: URL, cause: unknown, timeouts: Timeouts, through: Through): Error {
  const error = cause as NodeJS.ErrnoException & { errors?: unknown[] };
  // Node tries several addresses of a host at once and gives all their errors
  const first = (error.errors?.[0] ?? error) as NodeJS.ErrnoException;
  const code = first.code ?? '';
  // the client also aborts a tunnel that the proxy rejects
  const tunnel = through.proxy === undefined ? undefined : proxyStatus(first);
  if (tunnel === '407') return proxyFailure(url, through, ASKS, cause);
  if (tunnel !== undefined)
    return proxyFailure(url, through, `it answered ${tunnel} when asked for a connection to ${url.host}`, cause);
  // a request that was aborted is not the server's fault
  if (error.name === 'AbortError' || error instanceof TooSlow) return error;
  let reason = WORDS[code] ?? first.message;
  if (code === 'UND_ERR_CONNECT_TIMEOUT') reason = `no connection within ${timeouts.connect / 1000} s`;
  if (code === 'UND_ERR_HEADERS_TIMEOUT') reason = `no answer within ${timeouts.headers / 1000} s`;
  if (code === 'UND_ERR_BODY_TIMEOUT') reason = STALLED;
  if (through.proxy !== undefined && UNCONNECTED.includes(code)) return proxyFailure(url, through, reason, cause);
  return new BuildError('CONNECTION_FAILED', { url: shown(url), reason }, { cause });
}

/** The reason why a body ended early. */
export const STALLED = 'stalled';
