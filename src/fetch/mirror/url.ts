import { isAbsolute, join, resolve } from 'node:path';
import { withoutEnding } from '../../bytes/ending.ts';
import { BuildError } from '../../errors/error.ts';

/** Where a file can be fetched from. */
export type Place =
  | { readonly kind: 'http'; readonly url: URL; readonly authorization: string | undefined }
  | { readonly kind: 'file'; readonly path: string };

// a single letter before the colon is a Windows drive
const SCHEME = /^([a-z][a-z0-9+.-]+):/i;

function schemeOf(address: string): string | undefined {
  return SCHEME.exec(address)?.[1]?.toLowerCase();
}

/**
 * Reads an address: http, https, `file:`, apt's `copy:`, or a plain path on the build host. Plain paths are taken as they
 * are; in `file:` URLs `%20` and the like are decoded, and blanks and other characters stand for themselves.
 * Throws `URL_UNSUPPORTED`.
 */
export function placeOf(address: string): Place {
  const scheme = schemeOf(address);
  if (scheme === undefined) return { kind: 'file', path: resolve(address) };
  if (scheme === 'file' || scheme === 'copy')
    return { kind: 'file', path: decodePath(address, address.slice(scheme.length + 1)) };
  if (scheme !== 'http' && scheme !== 'https')
    throw unsupported(address, `only http, https, file and plain paths are understood, not ${scheme}`);
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw unsupported(address, 'it is not a URL');
  }
  let authorization: string | undefined;
  if (url.username !== '' || url.password !== '') {
    const pair = `${userInfo(url.username, address)}:${userInfo(url.password, address)}`;
    authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
    url.username = '';
    url.password = '';
  }
  url.hash = '';
  return { kind: 'http', url, authorization };
}

/** The absolute path that a `file:` URL names; `rest` is what follows the scheme. */
function decodePath(address: string, rest: string): string {
  // apt also writes file:/path with one slash
  const path = rest.replace(/^\/\/(localhost)?(?=\/)/i, '');
  if (/^\/\/[^/]/.test(path)) {
    const host = /^\/\/([^/]*)/.exec(path)![1]!;
    throw unsupported(address, `it names the host "${host}"; file URLs have three slashes: file:///path`);
  }
  if (!isAbsolute(path))
    throw unsupported(address, 'a file URL needs an absolute path; write a relative folder as a plain path');
  let decoded: string;
  try {
    // as apt decodes it: a percent sign not followed by two hex digits stands for itself
    decoded = path.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => decodeURIComponent(escapes));
  } catch (cause) {
    throw new BuildError(
      'URL_UNSUPPORTED',
      { url: shown(address), reason: 'its percent-encoding is not UTF-8' },
      { cause },
    );
  }
  if (decoded.includes('\0')) throw unsupported(address, 'a path cannot contain a NUL byte');
  return decoded;
}

function userInfo(text: string, address: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    const reason = 'the percent-encoding of its user or password is not UTF-8';
    throw new BuildError('URL_UNSUPPORTED', { url: shown(address), reason }, { cause });
  }
}

function unsupported(address: string, reason: string): BuildError<'URL_UNSUPPORTED'> {
  return new BuildError('URL_UNSUPPORTED', { url: shown(address), reason });
}

/** The path on the build host that an address names, or undefined when it is a URL of another kind. */
export function localPath(address: string): string | undefined {
  const scheme = schemeOf(address);
  if (scheme !== undefined && scheme !== 'file' && scheme !== 'copy') return undefined;
  return (placeOf(address) as Place & { kind: 'file' }).path;
}

/** The base that a user named: a URL as it is, a folder of the build host as an absolute path (`~` is not expanded). */
export function baseOf(text: string): string {
  return SCHEME.test(text) ? text : resolve(text);
}

/** A base without slashes at its end: two spellings of one base become equal. */
export function trimmedBase(base: string): string {
  return withoutEnding(base, '/');
}

/** Host name of a URL; empty for folders of the build host. */
export function hostOf(base: string): string {
  return URL.canParse(base) ? new URL(base).hostname : '';
}

/** The address for display: without user, password and query, which may carry secrets. */
export function shown(address: string | URL): string {
  return String(address)
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1')
    .replace(/^(https?:[^?#]*)\?.*/i, '$1?…');
}

/**
 * True when a path of an index stays below the folder it is relative to, also when something on the way decodes
 * percent-encoding once more or takes a backslash for a slash.
 */
export function staysBelow(path: string): boolean {
  return !path.includes('\0') && !path.split(/[/\\]|%2f|%5c/i).some((part) => part.replace(/%2e/gi, '.') === '..');
}

/**
 * The address of a file below a base (a repository's root: a URL, or a folder of the build host). `path` is what an index
 * says, in plain characters: they are percent-encoded as a URL needs it. The result is always below the base: leading
 * slashes and a scheme in `path` are part of a name, and a path with `..` is an error, so that an index cannot name any
 * file of the build host or of another server. Throws `URL_UNSUPPORTED`, which names the `field` that `path` comes from.
 */
export function joinUrl(base: string, path: string, field = 'the path'): string {
  if (!staysBelow(path)) throw unsupported(base, `${field} "${path}" leads out of it`);
  const below = path.replace(/^(?:\.?\/)+/, '');
  const scheme = schemeOf(base);
  if (scheme === undefined) return join(base, below);
  // as apt encodes file names, except for `+` and `~`, which every server takes as they are
  const quoted = below.replace(/[%#?\s\\]|[^\x20-\x7e]/gu, (character) => encodeURIComponent(character));
  // a query (a token, say) stays behind the path
  const [, root, query] = (/^https?$/.test(scheme) ? /^([^?#]*)(\?[^#]*)?/s : /^(.*)()$/s).exec(base)!;
  return `${trimmedBase(root!)}/${quoted}${query ?? ''}`;
}
