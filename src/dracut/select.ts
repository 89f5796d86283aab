import { BuildError } from '../errors/error.ts';
import { type Report, warning } from '../events/events.ts';
import type { DracutModule } from './module.ts';
import type { DracutOptions } from './options.ts';
import { KATA_MODULES, moduleNamed } from './registry.ts';

/** What the choice of modules depends on. */
export interface Selection {
  /** Modules that are known, by name. */
  readonly known: ReadonlyMap<string, DracutModule>;
  readonly options: DracutOptions;
  /** Names to leave out of the default list: what a guest without systemd does not need. */
  readonly without?: readonly string[];
  /** More modules than the options name. */
  readonly more?: readonly string[];
  /** True if a program (by name) or path is in the system. */
  readonly has: (what: string) => boolean;
  /** The system, for messages. */
  readonly sysroot: string;
  readonly report: Report;
}

/**
 * The modules to install, in dracut's order. Named ones must fit; what they depend on comes with them. Throws
 * `DRACUT_MODULE_UNKNOWN` and `DRACUT_MODULE_UNFIT`.
 */
export function selectModules(selection: Selection): DracutModule[] {
  const { known, options, without = [], more = [] } = selection;
  const forced = new Set(options.forceAddModules);
  const omitted = new Set(options.omitModules.filter((name) => !forced.has(name)));
  for (const name of options.omitModules)
    if (!known.has(name))
      selection.report(
        warning('DRACUT_MODULE_EMPTY', { name, reason: 'it is not known here, so it need not be omitted' }),
      );
  const defaults = KATA_MODULES.filter((name) => !without.includes(name));
  const wanted = [...(options.modules ?? defaults), ...options.addModules, ...forced, ...more];
  const chosen = new Map<string, DracutModule>();
  const add = (name: string, by: string | undefined): void => {
    if (omitted.has(name) || chosen.has(name)) return;
    const module = moduleNamed(known, name);
    const reason = unfit(module, selection.has);
    if (reason !== undefined)
      throw new BuildError(
        'DRACUT_MODULE_UNFIT',
        { name, sysroot: selection.sysroot, reason: by === undefined ? reason : `${reason}; "${by}" depends on it` },
        {
          hint: `install it there (with packages as the system: \`extraPkgs\`), or leave the module out (\`dracutOptions\`: --omit ${name})`,
        },
      );
    chosen.set(name, module);
    for (const other of dependencies(module, selection, wanted, omitted)) add(other, name);
  };
  for (const name of wanted) add(name, undefined);
  return [...chosen.values()].sort((a, b) => a.order - b.order || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Why a module cannot be taken from a system; undefined if it can. */
export function unfit(module: DracutModule, has: (what: string) => boolean): string | undefined {
  if (module.rejected !== undefined) return module.rejected;
  const missing = module.needs?.find((what) => !has(what));
  if (missing !== undefined) return `there is no ${missing} in it`;
  if (module.needsAny?.some(has) === false) return `there is none of ${module.needsAny.join(', ')} in it`;
  return undefined;
}

function dependencies(
  module: DracutModule,
  { known, has }: Selection,
  wanted: readonly string[],
  omitted: ReadonlySet<string>,
): string[] {
  const fits = (name: string) => {
    const other = known.get(name);
    return other !== undefined && !omitted.has(name) && unfit(other, has) === undefined;
  };
  const found = [...(module.depends ?? []), ...(module.dependsIfFit ?? []).filter(fits)];
  const choices = module.dependsOnFirst;
  if (choices !== undefined) {
    const named = choices.find((name) => wanted.includes(name));
    found.push(named ?? choices.find(fits) ?? choices.at(-1)!);
  }
  return found;
}
