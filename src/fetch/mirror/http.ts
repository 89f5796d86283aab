import type { Dispatcher } from 'undici';
import { BuildError } from '../../errors/error.ts';
import { type ProxyOptions, proxyFor } from './proxy.ts';
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
}

/** An answer whose body is still to be read: read it to the end, or `drop()` it. */
export interface Answer {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
  drop(): void;
}

const REDIRECTS = 10;

/** Speaks HTTP: connections kept open per host, proxies, redirects; errors in our own words. The only user of undici. */
export class Http {
  private readonly options: HttpOptions;
  private readonly dispatchers = new Map<string, Promise<Dispatcher>>();

  constructor(options: HttpOptions) {
    this.options = options;
  }

  /** Asks for `address`, following redirects. Any status that is not a redirect is an answer. */
  async get(address: string, headers: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<Answer> {
    const place = placeOf(address);
    if (place.kind !== 'http') throw new TypeError(`${address} is not for HTTP`);
    const seen = new Set<string>();
    let { url, authorization } = place;
    for (;;) {
      seen.add(url.href);
      const answer = await this.ask(url, authorization === undefined ? headers : { ...headers, authorization }, signal);
      const to = answer.header('location');
      if (![301, 302, 303, 307, 308].includes(answer.status) || to === undefined) return answer;
      answer.drop();
      const next = redirected(url, to, address);
      const refuse = (reason: string) =>
        new BuildError('REDIRECT_REFUSED', { url: shown(address), to: shown(next), reason });
      if (seen.has(next.href)) throw refuse('it goes round in a circle');
      if (seen.size > REDIRECTS) throw refuse(`more than ${REDIRECTS} redirects`);
      // credentials are for the host they were given for
      if (next.origin !== url.origin) authorization = undefined;
      url = next;
    }
  }

  private async ask(url: URL, headers: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<Answer> {
    const { request } = await import('undici');
    const dispatcher = await this.dispatcher(url);
    let reply: Dispatcher.ResponseData;
    try {
      // bytes as they lie on the server: an encoding on the way would spoil sizes and ranges
      const all = { 'user-agent': 'osbuilder', 'accept-encoding': 'identity', ...headers };
      reply = await request(url, { dispatcher, headers: all, ...(signal === undefined ? {} : { signal }) });
    } catch (cause) {
      throw failure(url, cause, this.options.timeouts);
    }
    const { body, statusCode } = reply;
    const timeouts = this.options.timeouts;
    return {
      status: statusCode,
      header: (name) => {
        const value = reply.headers[name];
        return Array.isArray(value) ? value[0] : value;
      },
      body: {
        async *[Symbol.asyncIterator]() {
          try {
            yield* body as AsyncIterable<Uint8Array>;
          } catch (cause) {
            throw failure(url, cause, timeouts);
          }
        },
      },
      drop() {
        body.on('error', () => {});
        body.destroy();
      },
    };
  }

  private dispatcher(url: URL): Promise<Dispatcher> {
    const proxy = proxyFor(url, this.options.proxy);
    const key = proxy === undefined ? 'direct' : `${url.protocol} ${proxy}`;
    let dispatcher = this.dispatchers.get(key);
    if (dispatcher === undefined) {
      dispatcher = this.makeDispatcher(url, proxy);
      this.dispatchers.set(key, dispatcher);
    }
    return dispatcher;
  }

  private async makeDispatcher(url: URL, proxy: string | undefined): Promise<Dispatcher> {
    const { Agent, ProxyAgent } = await import('undici');
    const { connectionsPerHost: connections, timeouts, certificates } = this.options;
    const tls = { timeout: timeouts.connect, ...(await trusted(certificates)) };
    const common = { connections, headersTimeout: timeouts.headers, bodyTimeout: timeouts.body };
    if (proxy === undefined) return new Agent({ ...common, connect: tls });
    if (!/^https?:\/\//i.test(proxy))
      throw new BuildError('URL_UNSUPPORTED', { url: shown(proxy), reason: 'a proxy must speak http or https' });
    // plain requests go to the proxy as such: many proxies allow CONNECT to port 443 only
    const proxyTunnel = url.protocol === 'https:';
    return new ProxyAgent({ ...common, uri: proxy, proxyTunnel, proxyTls: tls, requestTls: tls });
  }

  /** Lets go of all connections. */
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
  const refuse = (reason: string) =>
    new BuildError('REDIRECT_REFUSED', { url: shown(address), to: shown(next), reason });
  if (next.protocol !== 'http:' && next.protocol !== 'https:') throw refuse('it leaves the web');
  if (from.protocol === 'https:' && next.protocol === 'http:') throw refuse('it would give up encryption');
  if (next.username !== '' || next.password !== '') {
    next.username = '';
    next.password = '';
  }
  next.hash = '';
  return next;
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

/** Turns what the client threw into a refusal that names the URL and a reason in words. */
function failure(url: URL, cause: unknown, timeouts: Timeouts): Error {
  const error = cause as NodeJS.ErrnoException & { errors?: unknown[] };
  // a request that was called off is not the server's fault
  if (error.name === 'AbortError') return error;
  // Node tries several addresses of a host at once and gives all their errors
  const first = (error.errors?.[0] ?? error) as NodeJS.ErrnoException;
  const code = first.code ?? '';
  let reason = WORDS[code] ?? first.message;
  if (code === 'UND_ERR_CONNECT_TIMEOUT') reason = `no connection within ${timeouts.connect / 1000} s`;
  if (code === 'UND_ERR_HEADERS_TIMEOUT') reason = `no answer within ${timeouts.headers / 1000} s`;
  if (code === 'UND_ERR_BODY_TIMEOUT') reason = STALLED;
  return new BuildError('CONNECTION_FAILED', { url: shown(url), reason }, { cause });
}

/** The reason of a body that stopped coming. */
export const STALLED = 'stalled';
