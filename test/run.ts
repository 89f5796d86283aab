/**
 * Runs the tests.
 *
 *     npm test                     all tests, which takes minutes
 *     npm run test:fast            quick tests: without the files of test/slow.list
 *     npm run test:boot:all        guests of all four architectures under QEMU (*.boot.ts)
 *     node dist/test/run.js PART…  files whose path contains one of the parts
 *
 * At the end it lists the skipped tests with the reasons, so that a test whose reference tool is missing never looks
 * like one that passed. `--times` lists the slowest files, too.
 */
import { accessSync, constants, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import { ROOT } from './support/root.ts';
import { slowFiles } from './support/slow.ts';

const here = dirname(fileURLToPath(import.meta.url));
const args = process.argv.slice(2);
const bootAll = args.includes('--boot-all');
const fast = args.includes('--fast');
const parts = args.filter((arg) => !arg.startsWith('--'));
const ending = bootAll ? /\.boot\.[jt]s$/ : /\.test\.[jt]s$/;
// read by the helpers that tests skip with: a fast file may hold single tests that boot or download
if (fast) process.env['OSBUILDER_TEST_FAST'] = '1';

// an ordinary user of a machine whose temporary folder is root's alone
try {
  accessSync(tmpdir(), constants.W_OK);
} catch {
  const own = join(ROOT, 'out', 'tmp');
  mkdirSync(own, { recursive: true });
  // programs that tests make there are no modules of this package
  writeFileSync(join(own, 'package.json'), '{}\n');
  console.error(`${tmpdir()} cannot be written to: the tests use ${own}`);
  process.env['TMPDIR'] = own;
}

const source = (name: string) => name.replaceAll(sep, '/').replace(/\.js$/, '.ts');
const slow = new Set(fast ? slowFiles().keys() : []);
const all = readdirSync(here, { recursive: true, encoding: 'utf8' })
  .filter((name) => ending.test(name) && !name.endsWith('.d.ts'))
  .filter((name) => parts.length === 0 || parts.some((part) => source(name).includes(part)))
  .sort();
const files = all.filter((name) => !slow.has(source(name)));
if (files.length === 0) {
  console.error(`no test file matches ${parts.join(' ') || ending.source}`);
  process.exit(2);
}

const skipped = new Map<string, string[]>();
const seconds = new Map<string, number>();
let failed = 0;
const stream = run({
  files: files.map((name) => join(here, name)),
  concurrency: bootAll ? 1 : availableParallelism(),
});
stream.on('test:pass', (event) => {
  if (event.file !== undefined && event.nesting === 0) {
    const name = relative(here, event.file);
    seconds.set(name, (seconds.get(name) ?? 0) + event.details.duration_ms / 1000);
  }
  if (event.skip === undefined || event.skip === false) return;
  const reason = event.skip === true || event.skip === '' ? 'no reason given' : String(event.skip);
  const list = skipped.get(reason) ?? [];
  list.push(`${event.file === undefined ? '' : `${relative(here, event.file)}: `}${event.name}`);
  skipped.set(reason, list);
});
stream.on('test:fail', () => {
  failed++;
});
stream.compose(new spec()).pipe(process.stdout);
stream.on('end', () => {
  const lines: string[] = [];
  if (args.includes('--times')) {
    lines.push('', 'Slowest files:');
    for (const [name, time] of [...seconds].sort((a, b) => b[1] - a[1]).slice(0, 15))
      lines.push(`  ${time.toFixed(1).padStart(6)} s  ${name}`);
  }
  if (all.length > files.length)
    lines.push('', `Left out ${all.length - files.length} slow files (test/slow.list); npm test runs them.`);
  if (skipped.size > 0) {
    const count = [...skipped.values()].reduce((sum, list) => sum + list.length, 0);
    lines.push('', `Skipped ${count} tests:`);
    for (const [reason, list] of [...skipped].sort()) {
      lines.push(`  ${reason} (${list.length})`);
      for (const name of list) lines.push(`    ${name}`);
    }
  } else lines.push('', 'No test was skipped.');
  process.stdout.write(`${lines.join('\n')}\n`);
  process.exitCode = failed > 0 ? 1 : 0;
});
