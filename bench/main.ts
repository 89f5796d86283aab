/**
 * `npm run bench [NAME…]`: ours against a peer in the same run, in turns, medians. `--rounds N` for more or fewer,
 * `--write` puts the tables into bench/RESULTS.md.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../test/support/data.ts';
import { alpineBench } from './alpine.ts';
import { cpioBench, gzipBench } from './archives.ts';
import { debianBench } from './debian.ts';
import { ext4Bench } from './ext4.ts';
import { machine } from './measure.ts';

const BENCHES: Readonly<Record<string, (rounds: number) => Promise<string[]>>> = {
  debian: debianBench,
  alpine: alpineBench,
  cpio: cpioBench,
  gzip: gzipBench,
  ext4: ext4Bench,
};

const args = process.argv.slice(2);
const rounds = Number(/^\d+$/.exec(args[args.indexOf('--rounds') + 1] ?? '')?.[0] ?? 3);
const names = args.filter((arg) => arg in BENCHES);
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
process.stdout.write(`${lines.join('\n')}\n`);
if (args.includes('--write')) writeFileSync(join(ROOT, 'bench', 'RESULTS.md'), `${lines.join('\n')}\n`);
