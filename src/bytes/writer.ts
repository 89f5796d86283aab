import { createHash } from 'node:crypto';
import { SHARE_ENV, Worker } from 'node:worker_threads';
import { taskModule } from '../workers/pool.ts';
import { jobs } from '../workers/shared.ts';
import { isZeroPage } from './content.ts';
import { RingWriter, ringMemory } from './ring.ts';
import { writeAt } from './write-at.ts';
import type { Writing, Written } from './writer-thread.ts';

/** Writes a file piece by piece, and digests it. */
export interface Writer {
  /** Adds a piece. It may be overwritten once the returned promise resolves, or immediately when there is none. */
  write(piece: Uint8Array): Promise<void> | undefined;
  /** Ends the file: all bytes were given to the system. Returns the SHA-256 in hex; throws the system's error of any write. */
  finish(): Promise<string>;
  /** Ends when the file is abandoned; nothing is written afterwards. */
  abandon(): Promise<void>;
}

/** From this many bytes, a separate thread saves more time than it takes to start. */
const WORTH_A_THREAD = 64 * 1024 * 1024;

/**
 * A writer of an empty file, open as `fd`, of about `size` bytes (0 when unknown). With `sparse`, runs of zeros are left out:
 * the file's length is to be set when it is complete.
 */
export function writerOf(fd: number, size: number, sparse: boolean): Writer {
  return size >= WORTH_A_THREAD && jobs() > 1 ? new ThreadedWriter(fd, sparse) : new PlainWriter(fd, sparse);
}

/** A writer that runs in the calling thread. */
export class PlainWriter implements Writer {
  private readonly hash = createHash('sha256');
  private readonly fd: number;
  private readonly sparse: boolean;
  private size = 0;

  constructor(fd: number, sparse: boolean) {
    this.fd = fd;
    this.sparse = sparse;
  }

  write(piece: Uint8Array): undefined {
    this.hash.update(piece);
    if (!this.sparse || !isZeroPage(piece)) writeAt(this.fd, piece, this.size);
    this.size += piece.length;
  }

  async finish(): Promise<string> {
    return this.hash.digest('hex');
  }

  async abandon(): Promise<void> {}
}

let ready: Worker | undefined;

function start(): Worker {
  return new Worker(taskModule('./writer-thread', import.meta.url), { env: SHARE_ENV });
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
 * A writer with its own thread, so that bytes are written and digested while the next ones are produced. The thread is not one
 * of the pool's, since those may be busy for the producer of the bytes.
 */
export class ThreadedWriter implements Writer {
  /** Bytes that were handed over. */
  private size = 0;
  private readonly ring: RingWriter;
  private readonly worker: Worker;
  private readonly answer: Promise<string>;
  private gone = false;

  constructor(fd: number, sparse: boolean) {
    const memory = ringMemory();
    this.ring = new RingWriter(memory, (bytes, behind) => {
      // digesting and writing take about as long as making the bytes: whoever has time writes
      const here = behind && !this.gone;
      if (here) writeAt(fd, bytes, this.size);
      this.size += bytes.length;
      return here;
    });
    this.worker = ready ?? start();
    ready = undefined;
    this.worker.ref();
    this.worker.postMessage({ memory, fd, sparse } satisfies Writing);
    this.answer = new Promise((resolve, reject) => {
      const lost = (cause: unknown) => {
        this.gone = true;
        reject(cause instanceof Error ? cause : new Error('the thread that writes ended early'));
      };
      this.worker.once('message', (written: Written) => {
        if ('sha256' in written) resolve(written.sha256);
        else lost(Object.assign(new Error(written.error.message), written.error));
      });
      this.worker.once('error', lost);
      this.worker.once('exit', lost);
    });
    this.answer.catch(() => {}); // thrown to the caller of finish()
  }

  write(piece: Uint8Array): Promise<void> | undefined {
    if (isZeroPage(piece)) return this.writeZeros(piece.length);
    for (let at = 0; at < piece.length; at += this.ring.put(piece, at)) {
      if (!this.ring.full) continue;
      this.ring.wait(PATIENCE);
      if (this.ring.full) return this.writeSlowly(piece, at);
    }
    return undefined;
  }

  private async writeSlowly(piece: Uint8Array, from: number): Promise<void> {
    for (let at = from; at < piece.length; at += this.ring.put(piece, at)) await this.space();
  }

  private async writeZeros(size: number): Promise<void> {
    this.ring.flush();
    await this.space();
    this.ring.putZeros(size);
    this.size += size;
  }

  async finish(): Promise<string> {
    if (this.gone) return this.answer;
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
