/** Runs one target in a thread of its own, so that its parent can end it. */
import { parentPort, workerData } from 'node:worker_threads';
import { BuildError } from '../../src/errors/error.ts';
import { mutated } from './mutate.ts';
import { TARGETS } from './targets.ts';

/** What a thread is asked to do. */
export interface FuzzJob {
  readonly target: string;
  readonly seed: number;
  /** First round; or one input alone. */
  readonly from: number;
  readonly only?: Uint8Array;
  /** Inputs that are kept as files, besides the seeds. */
  readonly kept: readonly Uint8Array[];
  /** Milliseconds. */
  readonly time: number;
  /** The round that runs, for the parent. */
  readonly round: Int32Array;
}

/** The fault of an input: an error that is not one of this program's own. */
export async function faultOf(target: string, input: Uint8Array): Promise<string | undefined> {
  try {
    await TARGETS[target]!.run(Uint8Array.from(input));
    return undefined;
  } catch (error) {
    if (error instanceof BuildError) return undefined;
    return error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ''}` : String(error);
  }
}

if (parentPort !== null && workerData !== null) {
  const job = workerData as FuzzJob;
  const end = performance.now() + job.time;
  let rounds = 0;
  let fault: string | undefined;
  let input: Uint8Array | undefined;
  if (job.only !== undefined) {
    Atomics.store(job.round, 0, 0);
    fault = await faultOf(job.target, job.only);
    input = job.only;
  } else {
    const seeds = [...(await TARGETS[job.target]!.seeds()), ...job.kept];
    for (let round = job.from; performance.now() < end && fault === undefined; round++) {
      Atomics.store(job.round, 0, round);
      input = mutated(seeds, job.seed, round);
      fault = await faultOf(job.target, input);
      rounds++;
    }
  }
  parentPort.postMessage({ rounds, ...(fault === undefined ? {} : { fault, input }) });
}
