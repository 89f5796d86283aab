import { sha256 } from '../bytes/digest.ts';
import type { Cache } from '../fetch/cache.ts';
import { CODE } from '../fetch/code.ts';
import { keptJson } from '../fetch/kept-json.ts';

/** Increase when something else decides on a choice, or is stored of it. */
const VERSION = 1;

/** Addresses with a user, a password or a token: nothing with one goes to the disk. */
const SECRET = /https?:\/\/(?:[^"/?#]*@|[^"]*\?)/i;

/**
 * What `choose` decides on: packages, each with its reason, as values that JSON can hold. The choice is kept in the cache under
 * the digest of `inputs`, all that decides on it, as such values too: lists of packages by their digests, requests, preferences.
 * They have to be proven before: nothing is trusted because it was kept. What `choose` throws is not kept, nor are packages of
 * mirrors with a password. `code`: identity of this program's code; nothing is kept without it.
 */
export async function keptChoice<C>(inputs: unknown, cache: Cache, choose: () => Promise<C>, code = CODE): Promise<C> {
  if (code === '') return choose();
  const key = `${sha256(Buffer.from(JSON.stringify([VERSION, code, process.version, inputs])))}.choice`;
  return keptJson(cache, key, choose, (text) => !SECRET.test(text));
}
