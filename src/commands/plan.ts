import { keptDocument } from '../pipeline/chisel.ts';
import { plan as planBuild, previewKept, study } from '../pipeline/plan.ts';
import { printable } from '../report/escape.ts';
import { keptLines } from '../report/kept.ts';
import { scriptLines, scriptRow } from '../report/scripts.ts';
import { size } from '../report/terminal.ts';
import { type Context, withHost } from './context.ts';
import { packageRow } from './packages.ts';
import { requestOf } from './request.ts';

/** `osbuilder plan`, and `osbuilder plan --scripts`. */
export async function plan(context: Context): Promise<void> {
  const { terminal, settings, collected, call } = context;
  const request = await requestOf(context);
  const { keep } = request;
  if (keep !== undefined) return planKept(context, { ...request, keep });
  const { plan: decided, scripts } = await withHost(context, async (host) =>
    call.own['scripts'] === true ? study(request, host) : { plan: await planBuild(request, host), scripts: undefined },
  );
  const { chosen } = decided;
  if (settings.json) {
    const document = {
      packages: chosen.map(packageRow),
      ...(decided.trust === undefined ? {} : { repositories: decided.trust }),
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

/** What each item of `keep` keeps and costs; the packages are fetched for that. */
async function planKept(context: Context, request: Parameters<typeof previewKept>[0]): Promise<void> {
  const { terminal, settings, collected } = context;
  const { plan: decided, kept } = await withHost(context, (host) => previewKept(request, host));
  if (settings.json) {
    const { warnings, notes, timings } = collected;
    const document = { packages: decided.chosen.map(packageRow), kept: keptDocument(kept), warnings, notes, timings };
    terminal.out(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  for (const line of keptLines(kept)) terminal.out(`${printable(line)}\n`);
}
