import { BuildError } from '../errors/error.ts';
import { didYouMean } from '../errors/nearest.ts';
import type { DracutModule } from './module.ts';
import { DBUS } from './modules/dbus.ts';
import { KERNEL } from './modules/kernel.ts';
import { NETWORK } from './modules/network.ts';
import { SHELLS } from './modules/shells.ts';
import { STORAGE } from './modules/storage.ts';
import { SYSTEMD_MODULES } from './modules/systemd.ts';
import { TOKENS } from './modules/tokens.ts';
import { UDEV } from './modules/udev.ts';

/** Generations of dracut whose modules differ. */
export type Generation = '059' | '106';

/** Every module that is known here, in both generations. */
export const DRACUT_MODULES: readonly DracutModule[] = [
  ...SHELLS,
  ...SYSTEMD_MODULES,
  ...UDEV,
  ...DBUS,
  ...KERNEL,
  ...STORAGE,
  ...TOKENS,
  ...NETWORK,
];

/** Modules that Kata's configuration asks for (05-base.conf). */
export const KATA_MODULES = ['kernel-modules', 'udev-rules', 'syslog', 'systemd', 'dbus'];

/** The modules of one generation by name; a user's own go before them. */
export function modulesOf(
  generation: Generation,
  own: readonly DracutModule[] = [],
): ReadonlyMap<string, DracutModule> {
  const found = new Map<string, DracutModule>();
  for (const one of [...own, ...DRACUT_MODULES])
    if ((one.dracut ?? generation) === generation && !found.has(one.name)) found.set(one.name, one);
  return found;
}

/** The module of a name. Throws `DRACUT_MODULE_UNKNOWN`. */
export function moduleNamed(modules: ReadonlyMap<string, DracutModule>, name: string): DracutModule {
  const found = modules.get(name);
  if (found !== undefined) return found;
  throw new BuildError(
    'DRACUT_MODULE_UNKNOWN',
    { name, suggestion: didYouMean(name, modules.keys()) },
    {
      hint: `the known ones are ${[...modules.keys()].sort().join(', ')}; describe another one in a file for \`dracutModule\``,
    },
  );
}
