import { createHash } from 'node:crypto';
import { SHARE_ENV, Worker } from 'node:worker_threads';
import { taskModule } from '../workers/pool.ts';
import { jobs } from '../workers/shared.ts';
import { isZeroPage } from './content.ts';
import { RingWriter, ringMemory } from './ring.ts';

/** Digests a stream piece by piece. */
export interface Digester {
  /** Adds a piece. It may be overwritten once the returned promise resolves, or immediately when there is none. */
  update(piece: Uint8Array): Promise<void> | undefined;
  /** Ends the stream. Returns the SHA-256 in hex. */
  finish(): Promise<string>;
  /** Releases everything when the stream is abandoned. */
  abandon(): Promise<void>;
}

/** From this many bytes, a separate thread saves more time than it takes to start. */
const WORTH_A_THREAD = 64 * 1024 * 1024;

/** A digester for a stream of about `size` bytes, 0 when unknown. */
export function digester(size: number): Digester {
  return size >= WORTH_A_THREAD && jobs() > 1 ? new ThreadedDigester() : new PlainDigester();
}

/** A digester that runs in the calling thread. */
export class PlainDigester implements Digester {
  private readonly hash = createHash('sha256');

  update(piece: Uint8Array): undefined {
    this.hash.update(piece);
  }

  async finish(): Promise<string> {
    return this.hash.digest('hex');
  }

  async abandon(): Promise<void> {}
}

let ready: Worker | undefined;

function start(): Worker {
  return new Worker(taskModule('./digester-thread', import.meta.url), { env: SHARE_ENV });
}

/**
 * Starts the thread for the next large file in advance, because starting takes time that can overlap with deciding on
 * the bytes. The thread does not keep the process alive.
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

/** How long to wait for the thread before checking that it is still alive, in milliseconds. */
const PATIENCE = 20;

/**
 * A digester with its own thread, so that bytes are digested while the next ones are produced. The thread is not one of
 * the pool's, since those may be busy for the producer of the bytes.
 */
export class ThreadedDigester implements Digester {
  private readonly ring: RingWriter;
  private readonly worker: Worker;
  private readonly answer: Promise<string>;
  private gone = false;

  constructor() {
    const memory = ringMemory();
    this.ring = new RingWriter(memory);
    this.worker = ready ?? start();
    ready = undefined;
    this.worker.ref();
    this.worker.postMessage(memory);
    this.answer = new Promise((resolve, reject) => {
      const lost = (cause: unknown) => {
        this.gone = true;
        reject(cause instanceof Error ? cause : new Error('the thread that digests ended early'));
      };
      this.worker.once('message', resolve);
      this.worker.once('error', lost);
      this.worker.once('exit', lost);
    });
    this.answer.catch(() => {}); // thrown to the caller of finish()
  }

  update(piece: Uint8Array): Promise<void> | undefined {
    if (isZeroPage(piece)) return this.updateZeros(piece.length);
    for (let at = 0; at < piece.length; at += this.ring.put(piece, at)) {
      if (!this.ring.full) continue;
      this.ring.wait(PATIENCE);
      if (this.ring.full) return this.updateSlowly(piece, at);
    }
    return undefined;
  }

  private async updateSlowly(piece: Uint8Array, from: number): Promise<void> {
    for (let at = from; at < piece.length; at += this.ring.put(piece, at)) await this.space();
  }

  private async updateZeros(size: number): Promise<void> {
    this.ring.flush();
    await this.space();
    this.ring.putZeros(size);
  }

  async finish(): Promise<string> {
    this.ring.flush();
    await this.space();
    this.ring.end();
    return this.answer;
  }

  async abandon(): Promise<void> {
    await this.worker.terminate();
  }

  /** Waits for free space in the ring; throws when the thread has ended. */
  private async space(): Promise<void> {
    while (this.ring.full && !this.gone) {
      this.ring.wait(PATIENCE);
      // so that the end of the thread is noticed
      if (this.ring.full) await new Promise((resolve) => setImmediate(resolve));
    }
    if (this.gone) await this.answer;
  }
}
