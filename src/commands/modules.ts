import { dracutOf } from '../dracut/generation.ts';
import { type DracutModule, hasProgram, moduleFrom } from '../dracut/module.ts';
import { DRACUT_MODULES, type Generation, KATA_MODULES, moduleNamed, modulesOf } from '../dracut/registry.ts';
import { unfit } from '../dracut/select.ts';
import type { Tree } from '../tree/tree.ts';
import { type Context, withHost } from './context.ts';
import { dracutModulesOf } from './packages.ts';

/** A module in the list. */
interface Row {
  readonly name: string;
  readonly title: string;
  /** Generations of dracut that have it. */
  readonly dracut: readonly Generation[];
  readonly depends: readonly string[];
  /** Kata's configuration asks for it. */
  readonly kata: boolean;
  /** It was described by the user. */
  readonly own: boolean;
  /** Why it cannot be taken (from the system, where one is named); null if it can. */
  readonly unfit: string | null;
}

/** `osbuilder modules [--sysroot DIR] [--dracut-module FILE] [--show NAME]`. */
export async function modules(context: Context): Promise<void> {
  const { settings, terminal } = context;
  const own = (await dracutModulesOf(context)).map(({ value, path }) => moduleFrom(value, path));
  const system = settings.sysroot === undefined ? undefined : await openSystem(context, settings.sysroot);
  const generations: readonly Generation[] = system === undefined ? ['059', '106'] : [system.generation];
  const show = context.flag('show');
  if (show !== undefined) {
    const found = [...new Set(generations.map((one) => modulesOf(one, own)).flatMap((one) => one.get(show) ?? []))];
    // an unknown name is an error with the nearest one
    if (found.length === 0) moduleNamed(modulesOf(generations.at(-1)!, own), show);
    const { stringify } = await import('yaml');
    terminal.out(
      settings.json ? `${JSON.stringify(found, null, 2)}\n` : found.map((one) => stringify(one)).join('---\n'),
    );
    return;
  }
  const rows = rowsOf(own, generations, system?.tree);
  if (settings.json) {
    const dracut =
      system === undefined ? undefined : { generation: system.generation, version: system.version ?? null };
    terminal.out(`${JSON.stringify({ ...(dracut === undefined ? {} : { dracut }), modules: rows }, null, 2)}\n`);
    return;
  }
  const width = Math.max(...rows.map(({ name }) => name.length));
  for (const row of rows) {
    const notes = [
      ...(row.own ? ['your own'] : []),
      ...(row.kata ? ['taken by default'] : []),
      ...(row.dracut.length < generations.length ? [`dracut ${row.dracut.join(', ')} only`] : []),
    ];
    terminal.out(`${row.name.padEnd(width)}  ${row.title}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}\n`);
    if (row.unfit !== null) terminal.out(`${' '.repeat(width)}  cannot be taken: ${row.unfit}\n`);
  }
}

function rowsOf(own: readonly DracutModule[], generations: readonly Generation[], system: Tree | undefined): Row[] {
  const names = new Set([...own, ...DRACUT_MODULES].map(({ name }) => name));
  const rows: Row[] = [];
  for (const name of [...names].sort()) {
    const found = generations.flatMap((one) => {
      const module = modulesOf(one, own).get(name);
      return module === undefined ? [] : [{ generation: one, module }];
    });
    const last = found.at(-1)?.module;
    if (last === undefined) continue;
    // without a system only those are unfit that are rejected everywhere
    const reasons = found.map(({ module }) =>
      system === undefined ? module.rejected : unfit(module, (what) => hasProgram(system, what)),
    );
    rows.push({
      name,
      title: last.title,
      dracut: found.map(({ generation }) => generation),
      depends: last.depends ?? [],
      kata: KATA_MODULES.includes(name),
      own: own.includes(last),
      unfit: reasons.every((reason) => reason !== undefined) ? reasons[0]! : null,
    });
  }
  return rows;
}

async function openSystem(context: Context, path: string) {
  const { systemAt } = await import('../pipeline/system.ts');
  // only names are looked at afterwards, which need no open archive
  return withHost(context, async (host) => {
    const { sysroot } = await systemAt(path, host);
    const { generation, version } = dracutOf(sysroot);
    return { tree: sysroot, generation, version };
  });
}
