import { plan as planBuild, study } from '../pipeline/plan.ts';
import { scriptLines, scriptRow } from '../report/scripts.ts';
import { size } from '../report/terminal.ts';
import { type Context, withHost } from './context.ts';
import { packageRow, profileOf } from './packages.ts';

/** `osbuilder plan`, and `osbuilder plan --scripts`. */
export async function plan(context: Context): Promise<void> {
  const { terminal, settings, collected, call } = context;
  const profile = await profileOf(context);
  const { architecture: hostArchitecture, version } = terminal;
  const request = { settings, hostArchitecture, version, ...(profile === undefined ? {} : { profile }) };
  const { plan: decided, scripts } = await withHost(context, async (host) =>
    call.own['scripts'] === true ? study(request, host) : { plan: await planBuild(request, host), scripts: undefined },
  );
  const { chosen } = decided;
  if (settings.json) {
    const document = {
      packages: chosen.map(packageRow),
      ...(scripts === undefined ? {} : { scripts: scripts.map(scriptRow) }),
      warnings: collected.warnings,
      notes: collected.notes,
      timings: collected.timings,
      sourceDateEpoch: settings.sourceDateEpoch ?? decided.date,
    };
    terminal.out(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  if (scripts !== undefined) {
    for (const line of scriptLines(chosen.length, scripts)) terminal.out(`${line}\n`);
    return;
  }
  const rows = chosen
    .map(({ package: one, reason }) => ({ name: one.name, version: one.version, size: one.size, reason }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const width = (key: 'name' | 'version') => Math.max(0, ...rows.map((row) => row[key].length));
  for (const row of rows)
    terminal.out(
      `${row.name.padEnd(width('name'))}  ${row.version.padEnd(width('version'))} ${size(row.size)}  ${row.reason}\n`,
    );
  const total = rows.reduce((sum, row) => sum + row.size, 0);
  terminal.out(`${rows.length} packages, ${size(total).trim()} to fetch\n`);
}
