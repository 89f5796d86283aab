import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { SHARE_ENV, Worker } from 'node:worker_threads';

/**
 * Worker threads that run functions of our own modules. A task module exports `async function task(input)`; its
 * input and result are structured-cloned, except array buffers that are handed over (see `transfer`).
 */

/** The URL of a task module next to the caller's module: `taskModule('./inflate-task', import.meta.url)`. */
export function taskModule(name: string, base: string): URL {
  // .js when compiled, .ts when Node runs the sources directly by stripping types
  return new URL(`${name}${extname(new URL(base).pathname)}`, base);
}

/** What a task may return to hand over buffers without copying. */
export interface Transferred<T> {
  readonly value: T;
  readonly transfer: readonly ArrayBuffer[];
}

/** Wraps a task's result so that `buffers` are moved, not copied. */
export function transferred<T>(
  value: T,
  buffers: readonly ArrayBuffer[],
): Transferred<T> & { readonly __transferred: true } {
  return { value, transfer: buffers, __transferred: true };
}

interface Job {
  readonly module: string;
  readonly input: unknown;
  readonly transfer: readonly ArrayBuffer[];
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  job: Job | undefined;
}

/** Errors travel between threads as plain data; a BuildError arrives as a BuildError. */
export type Revive = (plain: {
  name: string;
  code?: string;
  context?: unknown;
  hint?: string;
  message: string;
  stack?: string;
}) => Error;

/** What Node says of a thread that it cannot start or go on with, as an error of ours; other errors as they are. */
function lostThread(error: unknown, revive: Revive): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  const memory = code === 'ERR_WORKER_OUT_OF_MEMORY';
  if (!memory && code !== 'ERR_WORKER_INIT_FAILED') return error;
  const files = /\bE[MN]FILE\b/.test(message);
  return revive({
    ...{ name: 'BuildError', code: 'THREAD_LOST', message },
    context: { reason: memory ? 'out of memory' : files ? 'too many open files' : message },
    hint: files ? 'allow this process more open files (ulimit -n)' : 'use fewer threads: `jobs` 1 needs none',
  });
}

/**
 * Tasks work on large buffers and few objects: with the default, 48 MiB, each thread keeps memory that it has no use for.
 */
const LIMITS = { maxYoungGenerationSizeMb: 8 };

/** A set of threads with one queue. Threads start when first needed and do not keep the process alive when idle. */
export class Pool {
  readonly size: number;
  private readonly threads: Thread[] = [];
  private readonly queue: Job[] = [];
  private readonly revive: Revive;
  private closed = false;

  constructor(size: number, revive: Revive) {
    this.size = Math.max(1, size);
    this.revive = revive;
  }

  /** Runs a task module's `task(input)` in a thread, in the order of the calls. */
  run<R>(module: URL, input: unknown, transfer: readonly ArrayBuffer[] = []): Promise<R> {
    if (this.closed) return Promise.reject(new TypeError('the worker pool was closed'));
    return new Promise<R>((resolve, reject) => {
      this.queue.push({ module: module.href, input, transfer, resolve: resolve, reject });
      this.dispatch();
    });
  }

  /**
   * Runs a task over a sequence, keeping results in order and at most `ahead` of them in flight, so that memory stays
   * bounded however long the sequence is.
   */
  async *map<I, R>(
    module: URL,
    inputs: AsyncIterable<I> | Iterable<I>,
    transferOf: (input: I) => readonly ArrayBuffer[] = () => [],
    ahead = this.size * 2,
  ): AsyncGenerator<R> {
    const flying: Promise<R>[] = [];
    try {
      for await (const input of inputs) {
        const result = this.run<R>(module, input, transferOf(input));
        result.catch(() => {}); // reported when its turn comes
        flying.push(result);
        if (flying.length >= ahead) yield await flying.shift()!;
      }
      while (flying.length > 0) yield await flying.shift()!;
    } finally {
      await Promise.allSettled(flying);
    }
  }

  /**
   * Starts the threads in advance and lets them load a task module, since both take time that can overlap with finding out
   * what the tasks are.
   */
  expect(module: URL): void {
    try {
      while (!this.closed && this.threads.length < this.size) this.start().worker.unref();
    } catch {
      // where the system gives no thread, the first task says so, or there is none
    }
    for (const { worker } of this.threads) worker.postMessage({ expected: module.href });
  }

  private dispatch(): void {
    while (this.queue.length > 0) {
      let thread = this.threads.find((t) => t.job === undefined);
      if (thread === undefined) {
        if (this.threads.length >= this.size) return;
        try {
          thread = this.start();
        } catch (error) {
          // tasks go on in the threads that there are
          if (this.threads.length > 0) return;
          this.queue.shift()!.reject(lostThread(error, this.revive));
          continue;
        }
      }
      const job = this.queue.shift()!;
      thread.job = job;
      thread.worker.ref();
      try {
        thread.worker.postMessage({ module: job.module, input: job.input }, job.transfer as ArrayBuffer[]);
      } catch (error) {
        thread.job = undefined;
        thread.worker.unref();
        job.reject(error);
      }
    }
  }

  private start(): Thread {
    const worker = new Worker(taskModule('./thread', import.meta.url), { resourceLimits: LIMITS, env: SHARE_ENV });
    const thread: Thread = { worker, job: undefined };
    worker.on('message', (answer: { value?: never; error?: Parameters<Revive>[0] }) => {
      const job = thread.job!;
      thread.job = undefined;
      worker.unref();
      if (answer.error === undefined) job.resolve(answer.value as never);
      else job.reject(this.revive(answer.error));
      this.dispatch();
    });
    const lost = (error: unknown) => {
      const index = this.threads.indexOf(thread);
      if (index >= 0) this.threads.splice(index, 1);
      thread.job?.reject(lostThread(error, this.revive));
      thread.job = undefined;
      if (!this.closed) this.dispatch();
    };
    worker.on('error', lost);
    worker.on('exit', (code) => lost(new Error(`a worker thread ended early (exit ${code})`)));
    this.threads.push(thread);
    return thread;
  }

  /** Ends the threads that have nothing to do, to release their memory; others start when they are needed. */
  async rest(): Promise<void> {
    const idle = this.threads.filter(({ job }) => job === undefined);
    for (const thread of idle) this.threads.splice(this.threads.indexOf(thread), 1);
    await Promise.all(idle.map(({ worker }) => worker.terminate()));
  }

  /** Ends all threads; tasks still queued are rejected. */
  async close(): Promise<void> {
    this.closed = true;
    for (const job of this.queue.splice(0)) job.reject(new TypeError('the worker pool was closed'));
    await Promise.all(this.threads.splice(0).map((thread) => thread.worker.terminate()));
  }
}

/** The number of threads that the machine can run in parallel. */
export function parallelism(): number {
  return availableParallelism();
}
