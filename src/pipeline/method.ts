import type { BuildRequest } from './request.ts';

/** True when a guest is made of files that are taken from a system, as dracut does. */
export function isFromSystem({ source, settings }: Pick<BuildRequest, 'source' | 'settings'>): boolean {
  return source === undefined && settings.buildMethod === 'dracut';
}

/** True when that system is a folder, an archive or an image; else it is made of packages first. */
export function isFromFiles(request: Pick<BuildRequest, 'source' | 'settings'>): boolean {
  return isFromSystem(request) && request.settings.sysroot !== undefined;
}
