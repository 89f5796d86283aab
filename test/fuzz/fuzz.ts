import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { ROOT } from '../support/data.ts';
import { mutated } from './mutate.ts';
import { TARGETS } from './targets.ts';
import type { FuzzJob } from './worker.ts';

/** Longest time for one input. */
const STALL = 20_000;
const MEBIBYTES = 768;

/** What fuzzing a target found. */
export interface FuzzResult {
  readonly rounds: number;
  readonly fault?: string;
  /** The smallest input found that has the fault. */
  readonly input?: Uint8Array;
}

/** Inputs of a target that are kept as files: faults of the past, which must not come back. */
export function keptInputs(target: string): Uint8Array[] {
  const folder = join(ROOT, 'fixtures', 'fuzz', target);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => readFileSync(join(folder, name)));
}

/** Fuzzes a target for some milliseconds. */
export async function fuzz(target: string, time: number, seed: number): Promise<FuzzResult> {
  const kept = keptInputs(target);
  const found = await inThread({ target, seed, from: 0, kept, time });
  if (found.fault === undefined) return found;
  const input = found.input ?? mutated([...(await TARGETS[target]!.seeds()), ...kept], seed, found.round);
  return { ...found, input: await smaller(target, input) };
}

/** Cuts pieces away as long as the fault stays; a limited number of attempts. */
async function smaller(target: string, input: Uint8Array): Promise<Uint8Array> {
  let best = input;
  let attempts = 60;
  for (let size = Math.floor(input.length / 2); size >= 1 && attempts > 0; size = Math.floor(size / 2))
    for (let at = 0; at < best.length && attempts > 0; ) {
      const tried = Uint8Array.from(Buffer.concat([best.subarray(0, at), best.subarray(at + size)]));
      attempts--;
      const { fault } = await inThread({ target, seed: 0, from: 0, kept: [], time: STALL, only: tried });
      if (fault === undefined) at += size;
      else best = tried;
    }
  return best;
}

function inThread(job: Omit<FuzzJob, 'round'>): Promise<FuzzResult & { readonly round: number }> {
  const round = new Int32Array(new SharedArrayBuffer(4));
  const suffix = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const worker = new Worker(new URL(`./worker${suffix}`, import.meta.url), {
    workerData: { ...job, round },
    resourceLimits: { maxOldGenerationSizeMb: MEBIBYTES },
  });
  return new Promise((resolve) => {
    let last = -1;
    let since = performance.now();
    const end = (result: FuzzResult) => {
      clearInterval(watch);
      void worker.terminate();
      resolve({ ...result, round: Atomics.load(round, 0) });
    };
    const watch = setInterval(() => {
      const now = Atomics.load(round, 0);
      if (now !== last) {
        last = now;
        since = performance.now();
      } else if (performance.now() - since > STALL + (last <= 0 ? STALL : 0))
        end({ rounds: now, fault: `no end after ${STALL} ms` });
    }, 500);
    worker.on('message', (result: FuzzResult) => end(result));
    worker.on('error', (error) => end({ rounds: Atomics.load(round, 0), fault: `${error.name}: ${error.message}` }));
  });
}
