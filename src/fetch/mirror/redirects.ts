import { BuildError } from '../../errors/error.ts';
import { shown } from './url.ts';

/** Where an answer with the header `location: to` leads. Throws `REDIRECT_REFUSED` for what must not be followed. */
export function redirected(from: URL, to: string, address: string): URL {
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

/** The reason for which a redirect to an inward address is rejected. */
export const INWARD = 'it leads from a public server to an address of this machine or of its own network';
