import { BuildError } from '../../errors/error.ts';
import { TooSlow } from './pace.ts';
import type { Timeouts } from './timeouts.ts';
import { shown } from './url.ts';

/** A request that we aborted. */
export class Unanswered extends Error {
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
export interface Through {
  readonly proxy: string | undefined;
  readonly variable: string | undefined;
}

/** The reason of an answer 407. */
export const ASKS = 'it asks for a user and a password (407)';

/** The error for a proxy that does not work; its hint names the variable that set it. */
export function proxyFailure(url: URL, { proxy, variable }: Through, why: string, cause?: unknown): BuildError {
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
export function failure(url: URL, cause: unknown, timeouts: Timeouts, through: Through): Error {
  const error = cause as NodeJS.ErrnoException & { errors?: unknown[] };
  // Node tries several addresses of a host at once and gives all their errors
  const first = (error.errors?.[0] ?? error) as NodeJS.ErrnoException;
  const code = first.code ?? '';
  // the client also aborts a tunnel that the proxy rejects
  const tunnel = through.proxy === undefined ? undefined : proxyStatus(first);
  if (tunnel === '407') return proxyFailure(url, through, ASKS, cause);
  if (tunnel !== undefined)
    return proxyFailure(url, through, `it answered ${tunnel} when asked for a connection to ${url.host}`, cause);
  // a request that was aborted, or whose client was closed, is not the server's fault
  if (error.name === 'AbortError' || code === 'UND_ERR_DESTROYED' || error instanceof TooSlow) return error;
  let reason = WORDS[code] ?? first.message;
  if (code === 'UND_ERR_CONNECT_TIMEOUT') reason = `no connection within ${timeouts.connect / 1000} s`;
  if (code === 'UND_ERR_HEADERS_TIMEOUT') reason = `no answer within ${timeouts.headers / 1000} s`;
  if (code === 'UND_ERR_BODY_TIMEOUT') reason = STALLED;
  if (through.proxy !== undefined && UNCONNECTED.includes(code)) return proxyFailure(url, through, reason, cause);
  return new BuildError('CONNECTION_FAILED', { url: shown(url), reason }, { cause });
}

/** The reason why a body ended early. */
export const STALLED = 'stalled';
