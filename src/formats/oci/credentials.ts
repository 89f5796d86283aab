import { withoutEnding } from '../../bytes/ending.ts';
import { BuildError } from '../../errors/error.ts';
import { isDeeper } from './manifest.ts';

/*
 * Files of registry credentials: what `docker login` and `podman login` write (containers-auth.json(5)).
 */

/** What proves to a registry who asks. */
export type Credentials =
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  /** A token that the token service takes in exchange for another one. */
  | { readonly kind: 'identity'; readonly token: string };

/** An opened file of credentials. */
export interface AuthFile {
  /**
   * The credentials for a repository of a registry: of the longest path that is noted. Throws `AUTH_HELPER` where a
   * program would have to be asked.
   */
  find(registry: string, name: string): Credentials | undefined;
}

/** Bytes that such a file may have. */
export const AUTH_LIMIT = 1 << 20;

/** Reads a file of credentials. `path` is its name in messages; nothing of its content is. Throws `AUTH_FILE_INVALID`. */
export function parseAuthFile(bytes: Uint8Array, path: string): AuthFile {
  const invalid = (reason: string) => new BuildError('AUTH_FILE_INVALID', { path, reason });
  const text = Buffer.from(bytes).toString('utf8');
  if (text.trim() === '') return { find: () => undefined };
  if (isDeeper(text, 16)) throw invalid('its values are nested too deeply');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // the parser's message would quote the file
    throw invalid('it is not JSON');
  }
  const top = objectOf(parsed);
  if (top === undefined) throw invalid('it is no object');
  const auths = objectOf(top['auths'] ?? {});
  const helpers = objectOf(top['credHelpers'] ?? {});
  if (auths === undefined || helpers === undefined) throw invalid('auths or credHelpers is no object');
  const store = top['credsStore'];
  return {
    find(registry, name) {
      const helper = keysOf(registry, '')
        .map((key) => own(helpers, key))
        .find((one) => typeof one === 'string');
      if (typeof helper === 'string')
        throw new BuildError('AUTH_HELPER', { path, registry, helper: shortened(helper) });
      for (const key of keysOf(registry, name)) {
        const row = own(auths, key);
        if (row === undefined) continue;
        const fields = objectOf(row);
        if (fields === undefined) throw invalid(`the entry of ${key} is no object`);
        const found = credentialsOf(fields, () => invalid(`the entry of ${key} has no user and password in base64`));
        if (found !== undefined) return found;
        // docker notes the registry, and keeps the password in a store of the desktop
        if (typeof store === 'string' && store !== '')
          throw new BuildError('AUTH_HELPER', { path, registry, helper: shortened(store) });
      }
      return undefined;
    },
  };
}

const own = (map: Readonly<Record<string, unknown>>, key: string): unknown =>
  Object.hasOwn(map, key) ? map[key] : undefined;

const shortened = (name: string): string => name.replace(/[^A-Za-z0-9._-]/g, '').slice(0, 64);

/** Keys that may name a repository, the longest first; a registry is also noted as a URL. */
function keysOf(registry: string, name: string): string[] {
  const keys: string[] = [];
  const parts = name === '' ? [] : name.split('/');
  for (let n = parts.length; n > 0; n--) keys.push(`${registry}/${parts.slice(0, n).join('/')}`);
  const hosts = registry === 'docker.io' ? ['docker.io', 'index.docker.io', 'registry-1.docker.io'] : [registry];
  for (const host of hosts)
    for (const scheme of ['', 'https://', 'http://'])
      for (const end of ['', '/', '/v1', '/v1/', '/v2', '/v2/']) keys.push(`${scheme}${host}${end}`);
  return keys;
}

function credentialsOf(fields: Readonly<Record<string, unknown>>, invalid: () => BuildError): Credentials | undefined {
  const { auth, username, password, identitytoken } = fields;
  if (typeof identitytoken === 'string' && identitytoken !== '') return { kind: 'identity', token: identitytoken };
  if (typeof auth === 'string' && auth !== '') {
    const plain = withoutEnding(Buffer.from(auth, 'base64').toString('utf8'), '\0');
    const colon = plain.indexOf(':');
    if (colon < 0) throw invalid();
    return { kind: 'password', user: plain.slice(0, colon), password: plain.slice(colon + 1) };
  }
  if (typeof username === 'string' && typeof password === 'string')
    return { kind: 'password', user: username, password };
  return undefined;
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}

/** One way in which a server wants to be convinced (RFC 9110 section 11.6.1). */
export interface Challenge {
  /** In lower case: `basic`, `bearer`. */
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Reads a header WWW-Authenticate; what cannot be read is left out. */
export function parseChallenges(header: string): Challenge[] {
  const found: { scheme: string; parameters: Map<string, string> }[] = [];
  const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
  const text = header.slice(0, 8192);
  let at = 0;
  const skip = (characters: RegExp) => {
    while (at < text.length && characters.test(text[at]!)) at++;
  };
  const word = (): string | undefined => {
    token.lastIndex = at;
    const match = token.exec(text);
    if (match !== null) at += match[0].length;
    return match?.[0];
  };
  while (at < text.length) {
    skip(/[\s,]/);
    const first = word();
    if (first === undefined) break;
    skip(/[ \t]/);
    if (text[at] !== '=') {
      found.push({ scheme: first.toLowerCase(), parameters: new Map() });
      continue;
    }
    at++;
    skip(/[ \t]/);
    let value: string | undefined;
    if (text[at] === '"') {
      value = '';
      for (at++; at < text.length && text[at] !== '"'; at++) {
        if (text[at] === '\\') at++;
        value += text[at] ?? '';
      }
      at++;
    } else value = word();
    if (value === undefined) break;
    found.at(-1)?.parameters.set(first.toLowerCase(), value);
  }
  return found;
}
