import { BuildError } from '../../errors/error.ts';
import { isInward, localPath, shown } from '../../fetch/mirror.ts';

/**
 * Checks a place that metadata names (`xml:base`, a list of mirrors): what a server says must not lead to files of the build
 * host, nor from a public server to this machine or its network, as with redirects. `from` is where the metadata came from.
 * Returns the place.
 */
export function namedPlace(place: string, from: string): string {
  const rejected = (reason: string) => new BuildError('URL_UNSUPPORTED', { url: shown(place), reason });
  if (localPath(from) !== undefined) return place;
  if (!/^https?:\/\//i.test(place)) throw rejected(`${shown(from)} names it, which may name places of the web only`);
  if (isInward(hostOf(place)) && !isInward(hostOf(from)))
    throw rejected(`${shown(from)} names it, and it leads from a public server into this machine or its network`);
  return place;
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : '';
}
