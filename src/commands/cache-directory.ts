import { accessSync, constants, existsSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** Where downloads are kept unless a setting names another folder: the user's cache folder. */
export function defaultCacheDirectory(environment: Readonly<Record<string, string | undefined>>): string {
  const base = environment['XDG_CACHE_HOME'] || (homedir() === '' ? undefined : join(homedir(), '.cache'));
  if (base !== undefined) {
    const home = resolve(base, 'osbuilder');
    if (existsSync(home) || mayMake(home)) return home;
  }
  // a user without a writable home, as in many CI containers
  return join(tmpdir(), `osbuilder-cache-${process.getuid?.() ?? 'user'}`);
}

/** True when a folder of that name can be created. */
function mayMake(path: string): boolean {
  for (let at = dirname(path); ; at = dirname(at)) {
    if (!existsSync(at) && at !== dirname(at)) continue;
    try {
      accessSync(at, constants.W_OK);
      return true;
    } catch {
      return false;
    }
  }
}
