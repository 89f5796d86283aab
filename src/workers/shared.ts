import { BuildError } from '../errors/error.ts';
import { Pool, parallelism, type Revive } from './pool.ts';

export { taskModule } from './pool.ts';

const revive: Revive = (plain) => {
  if (plain.code !== undefined) {
    const failure = new BuildError(
      plain.code as never,
      plain.context as never,
      plain.hint === undefined ? {} : { hint: plain.hint },
    );
    return failure;
  }
  const error =
    plain.name === 'RangeError'
      ? new RangeError(plain.message)
      : plain.name === 'TypeError'
        ? new TypeError(plain.message)
        : new Error(plain.message);
  if (plain.stack !== undefined) error.stack = plain.stack;
  return error;
};

let shared: Pool | undefined;
let threads = parallelism();

/** The process's worker pool, created on first use. */
export function pool(): Pool {
  shared ??= new Pool(threads, revive);
  return shared;
}

/**
 * Sets the number of threads (`--jobs`). Outputs never depend on it. Takes effect on the next pool.
 *
 * @example
 * ```ts
 * import { setJobs } from 'osbuilder';
 *
 * await setJobs(4);
 * ```
 */
export async function setJobs(jobs: number): Promise<void> {
  threads = Math.max(1, jobs);
  // a thread that was expected is none that may run beside this one
  if ((shared !== undefined && shared.size !== threads) || (spare !== undefined && threads < 2)) await closePool();
}

let spare: Pool | undefined;

/** A pool of one thread for who {@link giveThread gives it back}: for work that must not wait for what {@link pool} is busy with. */
export function takeThread(): Pool {
  const taken = spare ?? new Pool(1, revive);
  spare = undefined;
  return taken;
}

/** Keeps a thread that was taken, and has nothing to do any more, for the next one who takes one. */
export function giveThread(thread: Pool): void {
  if (spare === undefined) spare = thread;
  else void thread.close();
}

/**
 * Starts the thread that is taken next in advance, with the module of its task, because starting takes time that can overlap
 * with deciding on what it does. It does not keep the process alive.
 */
export function expectThread(module: URL): void {
  if (threads < 2) return;
  spare ??= new Pool(1, revive);
  spare.expect(module);
}

/** The number of threads that may run in parallel. */
export function jobs(): number {
  return threads;
}

/**
 * Ends the pool's threads; the next `pool` call creates a new pool.
 *
 * @example
 * ```ts
 * import { closePool, compress, memory, pour, setJobs } from 'osbuilder';
 *
 * await setJobs(2);
 * await pour(compress(memory('x'.repeat(1_000_000)).open(), 'gzip'), 'x.gz');
 * await closePool();
 * ```
 */
export async function closePool(): Promise<void> {
  const old = [shared, spare].filter((one) => one !== undefined);
  shared = spare = undefined;
  await Promise.all(old.map((one) => one.close()));
}
