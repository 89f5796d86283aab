import { createRequire } from 'node:module';
import type { Dispatcher } from 'undici';

/**
 * The two parts of undici that most builds use, by themselves: whole, with fetch, WebSocket and caches, it takes four times
 * as long to load (60 ms, a twentieth of a warm build). Proxies need the whole. Its version is pinned, and the tests of
 * the mirror drive both.
 */

const require = createRequire(import.meta.url);

export const Agent = require('undici/lib/dispatcher/agent.js') as typeof import('undici').Agent;

type Options = Pick<Dispatcher.RequestOptions, 'headers' | 'signal'>;

const ask = require('undici/lib/api/api-request.js') as (
  this: Dispatcher,
  options: Options & { origin: string; path: string; method: 'GET' },
) => Promise<Dispatcher.ResponseData>;

/** Asks for what is at an address. */
export function request(dispatcher: Dispatcher, url: URL, options: Options): Promise<Dispatcher.ResponseData> {
  return ask.call(dispatcher, { ...options, origin: url.origin, path: url.pathname + url.search, method: 'GET' });
}
