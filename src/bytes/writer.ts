import { createHash } from 'node:crypto';
import { type Pool, taskModule } from '../workers/pool.ts';
import { expectThread, giveThread, jobs, takeThread } from '../workers/shared.ts';
import { isZeroPage } from './content.ts';
import { RingWriter, ringMemory } from './ring.ts';
import { writeAt } from './write-at.ts';
import type { Writing, Written } from './writer-task.ts';

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

const TASK = taskModule('./writer-task', import.meta.url);

/** Starts the thread for the next large file in advance. */
export function expectLargeFile(): void {
  expectThread(TASK);
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
  private readonly thread: Pool;
  private readonly answer: Promise<string>;
  private gone = false;
  /** The thread was given back, and may be another one's. */
  private complete = false;

  constructor(fd: number, sparse: boolean) {
    const memory = ringMemory();
    this.ring = new RingWriter(memory, (bytes, behind) => {
      // digesting and writing take about as long as making the bytes: whoever has time writes
      const here = behind && !this.gone;
      if (here) writeAt(fd, bytes, this.size);
      this.size += bytes.length;
      return here;
    });
    this.thread = takeThread();
    this.answer = this.thread
      .run<Written>(TASK, { memory, fd, sparse } satisfies Writing)
      .then((written) => {
        if ('error' in written) throw Object.assign(new Error(written.error.message), written.error);
        this.complete = true;
        giveThread(this.thread);
        return written.sha256;
      })
      .finally(() => {
        this.gone = true;
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
    if (!this.complete) await this.thread.close();
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
