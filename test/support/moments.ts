import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/*
 * Moments of a run of the program, counted by its own file operations instead of the clock: a module that Node loads
 * first, in every thread, counts the calls that open, write, rename, remove or sync a file, and sends a signal to its own
 * process just before the call with a given number. So a test reaches the same moments on any machine under any load.
 */

const MODULE = `
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';

const { writeFileSync } = fs;
const [number, signal] = (process.env.OSBUILDER_TEST_MOMENT ?? '').split(' ');
const file = process.env.OSBUILDER_TEST_MOMENTS;
let calls = 0;
for (const name of [
  'openSync', 'closeSync', 'writeSync', 'write', 'writeFileSync', 'renameSync', 'rmSync', 'mkdirSync', 'fsync',
  'fsyncSync', 'ftruncateSync', 'fchmodSync', 'readSync', 'utimesSync', 'symlinkSync',
]) {
  const original = fs[name];
  fs[name] = (...args) => {
    if (++calls === Number(number)) process.kill(process.pid, signal);
    return original(...args);
  };
}
syncBuiltinESMExports();
if (file !== undefined && isMainThread) process.on('exit', () => writeFileSync(file, String(calls)));
`;

const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(MODULE)}`;

/** Environment of a run that sends itself `signal` before the file operation with that number. */
export function atOperation(number: number, signal: NodeJS.Signals): Record<string, string> {
  return { NODE_OPTIONS, OSBUILDER_TEST_MOMENT: `${number} ${signal}` };
}

/** Runs the program once with the environment it gets, and returns the number of file operations of its main thread. */
export async function countOperations(
  folder: string,
  run: (env: Record<string, string>) => Promise<unknown>,
): Promise<number> {
  const file = join(folder, 'operations');
  await run({ NODE_OPTIONS, OSBUILDER_TEST_MOMENTS: file });
  const count = Number(readFileSync(file, 'utf8'));
  rmSync(file);
  return count;
}
