/**
 * Runs the tests: `npm test` all that take minutes, `npm run test:boot:all` guests of every architecture under QEMU.
 * Arguments are parts of file names to run alone. At the end it says what was skipped, and why: a judge that is not
 * installed must never look like a test that passed.
 */
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const args = process.argv.slice(2);
const bootAll = args.includes('--boot-all');
const wanted = args.filter((arg) => !arg.startsWith('--'));
const ending = bootAll ? /\.boot\.[jt]s$/ : /\.test\.[jt]s$/;

const files = readdirSync(here, { recursive: true, encoding: 'utf8' })
  .filter((name) => ending.test(name) && !name.endsWith('.d.ts'))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .sort()
  .map((name) => join(here, name));
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(' ') || ending.source}`);
  process.exit(2);
}

const skipped = new Map<string, string[]>();
let failed = 0;
const stream = run({ files, concurrency: bootAll ? 1 : availableParallelism() });
stream.on('test:pass', (event) => {
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
  if (skipped.size > 0) {
    const count = [...skipped.values()].reduce((sum, list) => sum + list.length, 0);
    process.stdout.write(`\nSkipped ${count} tests for want of something:\n`);
    for (const [reason, list] of [...skipped].sort()) {
      process.stdout.write(`  ${reason} (${list.length})\n`);
      for (const name of list.slice(0, 5)) process.stdout.write(`    ${name}\n`);
      if (list.length > 5) process.stdout.write(`    … and ${list.length - 5} more\n`);
    }
  }
  process.exitCode = failed > 0 ? 1 : 0;
});
