import { plan as planBuild } from '../build/order.ts';
import { size } from '../report/terminal.ts';
import { type Context, withDoors } from './context.ts';
import { packageRow, profileOf } from './packages.ts';

/** `osbuilder plan`. */
export async function plan(context: Context): Promise<void> {
  const { host, settings, collected } = context;
  const profile = profileOf(context);
  const supply = await withDoors(context, (doors) =>
    planBuild({ settings, hostArchitecture: host.architecture, ...(profile === undefined ? {} : { profile }) }, doors),
  );
  const { chosen } = supply;
  if (settings.json) {
    const document = {
      packages: chosen.map(packageRow),
      warnings: collected.warnings,
      timings: collected.timings,
      sourceDateEpoch: supply.date,
    };
    host.out(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  const rows = chosen
    .map(({ package: one, reason }) => ({ name: one.name, version: one.version, size: one.size, reason }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const width = (key: 'name' | 'version') => Math.max(0, ...rows.map((row) => row[key].length));
  for (const row of rows)
    host.out(
      `${row.name.padEnd(width('name'))}  ${row.version.padEnd(width('version'))} ${size(row.size)}  ${row.reason}\n`,
    );
  const total = rows.reduce((sum, row) => sum + row.size, 0);
  host.out(`${rows.length} packages, ${size(total).trim()} to fetch\n`);
}
