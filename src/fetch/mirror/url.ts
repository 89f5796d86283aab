import { isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BuildError } from '../../errors/error.ts';

/** Where a file is to be had. */
export type Place =
  | { readonly kind: 'http'; readonly url: URL; readonly authorization: string | undefined }
  | { readonly kind: 'file'; readonly path: string };

const SCHEME = /^[a-z][a-z0-9+.-]*:/i;

/** Reads an address: http, https, `file:`, apt's `copy:`, or a plain path on the build host. */
export function placeOf(address: string): Place {
  // one letter before the colon would be a drive on Windows
  if (!SCHEME.test(address) || /^[a-z]:[\\/]/i.test(address)) return { kind: 'file', path: resolve(address) };
  const scheme = address.slice(0, address.indexOf(':')).toLowerCase();
  if (scheme === 'file' || scheme === 'copy') {
    // apt also writes file:/path with one slash
    const path = address.slice(scheme.length + 1).replace(/^\/\/(localhost)?(?=\/)/, '');
    if (!isAbsolute(path)) throw unsupported(address, 'a file URL needs an absolute path');
    return { kind: 'file', path: fileURLToPath(`file://${path}`) };
  }
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
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
    url.username = '';
    url.password = '';
  }
  url.hash = '';
  return { kind: 'http', url, authorization };
}

function unsupported(address: string, reason: string): BuildError<'URL_UNSUPPORTED'> {
  return new BuildError('URL_UNSUPPORTED', { url: shown(address), reason });
}

/** The address as people may see it: without user, password and query, which may carry secrets. */
export function shown(address: string | URL): string {
  return String(address)
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1')
    .replace(/^(https?:[^?#]*)\?.*/i, '$1?…');
}

/**
 * The address of a file below a base (an archive's root): `path` is what an index says, in plain characters. A path that
 * leads out of the base is refused, so that an index cannot name any file of the build host.
 */
export function locate(base: string, path: string): string {
  if (path.split('/').includes('..') || path.includes('\0'))
    throw new BuildError('URL_UNSUPPORTED', { url: shown(base), reason: `the path "${path}" leads out of it` });
  const below = path.replace(/^(\.?\/)+/, '');
  if (!SCHEME.test(base)) return join(base, below);
  const quoted = below.replace(/[%#?\s\\]|[^\x20-\x7e]/gu, (character) => encodeURIComponent(character));
  return `${base.replace(/\/+$/, '')}/${quoted}`;
}
