import { BuildError } from '../../src/errors/error.ts';

/** What the tests of threads ask for. */
export interface Input {
  readonly value: number;
  /** How the task ends, if not with its value. */
  readonly end?: 'error' | 'build error' | 'exit' | 'no memory';
  /** The task ends once this is not 0. */
  readonly gate?: Int32Array;
}

/** Returns twice the value. */
export async function task({ value, end, gate }: Input): Promise<number> {
  if (gate !== undefined) Atomics.wait(gate, 0, 0);
  if (end === 'error') throw new RangeError(`no ${value}`);
  if (end === 'build error') throw new BuildError('READ_FAILED', { path: `file ${value}`, reason: 'it is a test' });
  if (end === 'exit') process.exit(7);
  if (end === 'no memory') for (const kept: object[] = []; ; ) kept.push(new Array(1 << 16).fill(kept.length));
  return 2 * value;
}
