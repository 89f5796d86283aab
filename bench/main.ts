/**
 * `npm run bench -- [NAME…]`: ours against a peer in the same run, in turns, medians.
 *
 *     --rounds N   number of rounds, 3 by default
 *     --only ROW   only rows whose title or name contains ROW, and their peers
 *     --check      compare the ratios with bench/RESULTS.md; exit 1 when a row is more than 10 % worse
 *     --write      put the tables into bench/RESULTS.md
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '../test/support/data.ts';
import { alpineBench } from './alpine.ts';
import { compressBench, cpioBench } from './archives.ts';
import { commandsBench } from './commands.ts';
import { debianBench } from './debian.ts';
import { depmodBench } from './depmod.ts';
import { dracutBench } from './dracut.ts';
import { erofsBench } from './erofs.ts';
import { ext4Bench } from './ext4.ts';
import { largeBench } from './large.ts';
import { machine, ratiosOf, select, worse } from './measure.ts';
import { rpmBench } from './rpm.ts';
import { selinuxBench } from './selinux.ts';
import { verityBench } from './verity.ts';
import { xfsBench } from './xfs.ts';

const BENCHES: Readonly<Record<string, (rounds: number) => Promise<string[]>>> = {
  commands: commandsBench,
  debian: debianBench,
  large: largeBench,
  alpine: alpineBench,
  rpm: rpmBench,
  cpio: cpioBench,
  compress: compressBench,
  ext4: ext4Bench,
  xfs: xfsBench,
  erofs: erofsBench,
  selinux: selinuxBench,
  depmod: depmodBench,
  dracut: dracutBench,
  verity: verityBench,
};

const { values, positionals } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
    check: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const rounds = Number(values.rounds);
const unknown = positionals.find((name) => !(name in BENCHES));
if (unknown !== undefined || !Number.isInteger(rounds) || rounds < 1) {
  process.stderr.write(
    `usage: npm run bench -- [--rounds N] [--only ROW] [--check] [--write] [${Object.keys(BENCHES).join('|')}]\n`,
  );
  process.exit(2);
}
if (values.write && (values.only !== undefined || positionals.length > 0)) {
  process.stderr.write('--write replaces all tables, so it goes with complete runs only\n');
  process.exit(2);
}
select(values.only);
const results = join(ROOT, 'bench', 'RESULTS.md');
const names = positionals;
const lines = [
  '# Results',
  '',
  `Taken with \`npm run bench\` on ${machine()}, ${rounds} rounds in turns (5 at least where one takes about a second), whole processes, node's start included.`,
  '',
];
for (const name of names.length === 0 ? Object.keys(BENCHES) : names) {
  process.stderr.write(`${name}\n`);
  lines.push(...(await BENCHES[name]!(rounds)));
}
const text = `${lines.join('\n')}\n`;
process.stdout.write(text);
if (values.check) {
  const measured = ratiosOf(text);
  const known = ratiosOf(readFileSync(results, 'utf8'));
  const compared = [...measured.keys()].filter((row) => known.has(row)).length;
  const slower = worse(known, measured);
  process.stdout.write(`${compared} rows compared with bench/RESULTS.md, ${slower.length} more than 10 % worse\n`);
  for (const line of slower) process.stdout.write(`  ${line}\n`);
  if (slower.length > 0 || compared === 0) process.exitCode = 1;
}
if (values.write) writeFileSync(results, text);
