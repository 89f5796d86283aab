import { SHARE_ENV, Worker } from 'node:worker_threads';
import { taskModule } from '../workers/pool.ts';
import { jobs } from '../workers/shared.ts';
import { RingFiller, ringRoom } from './ring.ts';
import type { Sink } from './sink.ts';
import type { SinkAnswer, SinkInput } from './sink-thread.ts';

/** How long to wait for the thread before looking whether it is still there, in milliseconds. */
const PATIENCE = 20;

let ready: Worker | undefined;

function start(): Worker {
  return new Worker(taskModule('./sink-thread', import.meta.url), { env: SHARE_ENV });
}

/**
 * Starts the thread of the next {@link ThreadedSink} ahead of time: it takes some time to get ready, which is best spent
 * while the bytes are being decided on. It keeps nobody from ending.
 */
export function expectLargeFile(): void {
  if (ready !== undefined || jobs() < 2) return;
  const worker = start();
  const forget = () => {
    if (ready === worker) ready = undefined;
  };
  worker.once('error', forget);
  worker.once('exit', forget);
  worker.unref();
  ready = worker;
}

/**
 * A sink with a thread of its own, so that bytes are digested and written while the next ones are made. The thread is not
 * one of the pool's: those may be at work for whoever makes the bytes.
 */
export class ThreadedSink implements Sink {
  private readonly ring: RingFiller;
  private readonly worker: Worker;
  private readonly answer: Promise<SinkAnswer>;
  private gone = false;

  constructor(fd: number) {
    const room = ringRoom();
    this.ring = new RingFiller(room);
    const input: SinkInput = { room, fd };
    this.worker = ready ?? start();
    ready = undefined;
    this.worker.ref();
    this.worker.postMessage(input);
    this.answer = new Promise((resolve, reject) => {
      const lost = (cause: unknown) => {
        this.gone = true;
        reject(cause instanceof Error ? cause : new Error('the thread that writes ended early'));
      };
      this.worker.once('message', resolve);
      this.worker.once('error', lost);
      this.worker.once('exit', lost);
    });
    this.answer.catch(() => {}); // thrown to whoever asks
  }

  put(piece: Uint8Array): Promise<void> | undefined {
    for (let at = 0; at < piece.length; at += this.ring.put(piece, at)) {
      if (!this.ring.full) continue;
      this.ring.wait(PATIENCE);
      if (this.ring.full) return this.putSlowly(piece, at);
    }
    return undefined;
  }

  private async putSlowly(piece: Uint8Array, from: number): Promise<void> {
    for (let at = from; at < piece.length; at += this.ring.put(piece, at)) await this.room();
  }

  async skip(zeros: Uint8Array): Promise<void> {
    this.ring.flush();
    await this.room();
    this.ring.putZeros(zeros.length);
  }

  async finish(): Promise<string> {
    this.ring.flush();
    await this.room();
    this.ring.end();
    const answer = await this.answer;
    if ('sha256' in answer) return answer.sha256;
    throw Object.assign(new Error(answer.message), answer.code === undefined ? {} : { code: answer.code });
  }

  async abandon(): Promise<void> {
    await this.worker.terminate();
  }

  /** Waits for room in the ring; throws when there will be none. */
  private async room(): Promise<void> {
    while (this.ring.full && !this.ring.failed && !this.gone) {
      this.ring.wait(PATIENCE);
      // lets the thread's end be noticed
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (!this.ring.failed && !this.gone) return;
    const answer = await this.answer;
    if ('sha256' in answer) throw new Error('the thread that writes ended before its file');
    throw Object.assign(new Error(answer.message), answer.code === undefined ? {} : { code: answer.code });
  }
}
