/**
 * `npm run fuzz -- TARGET|all [SECONDS] [SEED]`: changed inputs for one parser, or for all, three at a time or as many as
 * there are cores. Prints the seed;
 * a fault is made smaller and saved in `fuzz-faults/`. Put the file into `fixtures/fuzz/TARGET/` with its fix.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { sha256 } from '../../src/bytes/digest.ts';
import { fuzz } from './fuzz.ts';
import { TARGETS } from './targets.ts';

const [name = '', seconds = '60', given] = process.argv.slice(2);
const names = name === 'all' ? Object.keys(TARGETS) : [name];
if (names.some((one) => TARGETS[one] === undefined) || !(Number(seconds) > 0)) {
  process.stderr.write(
    `usage: npm run fuzz -- TARGET|all [SECONDS] [SEED]\ntargets: ${Object.keys(TARGETS).join(' ')}\n`,
  );
  process.exit(2);
}
const seed = given === undefined ? Math.floor(Date.now() / 1000) % 1_000_000 : Number(given);
process.stdout.write(`seed ${seed}, ${seconds} s for each of ${names.length} targets\n`);
const queue = [...names];
let faults = 0;
await Promise.all(
  Array.from({ length: Math.max(3, availableParallelism()) }, async () => {
    for (let target = queue.shift(); target !== undefined; target = queue.shift()) {
      const { rounds, fault, input } = await fuzz(target, Number(seconds) * 1000, seed);
      process.stdout.write(`${target}: ${rounds} inputs${fault === undefined ? '' : `\n  FAULT ${fault}`}\n`);
      if (input === undefined) continue;
      faults++;
      mkdirSync('fuzz-faults', { recursive: true });
      const path = join('fuzz-faults', `${target}-${sha256(input).slice(0, 12)}`);
      writeFileSync(path, input);
      process.stdout.write(`  ${input.length} bytes in ${path}\n`);
    }
  }),
);
process.exit(faults === 0 ? 0 : 1);
