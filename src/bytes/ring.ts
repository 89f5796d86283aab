/**
 * A ring of buffers between two threads: one fills, the other empties, in order, each waiting when needed. Nothing is
 * copied except what the filler puts in, and no message is sent.
 */

/** Bytes of one buffer. */
const BUFFER = 256 * 1024;
const BUFFERS = 32;

/** Words of the shared table: buffers filled and emptied so far, then what each holds. */
const FILLED = 0;
const EMPTIED = 1;
const CONTENTS = 2;

/** What a buffer contains: bytes, a run of zeros of that length, or the end of the stream. */
const END = 0;

const TABLE = 4 * (CONTENTS + BUFFERS);

/** Shared memory of a ring, to be passed to both threads. */
export function ringMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(TABLE + BUFFERS * BUFFER);
}

class Ring {
  protected readonly table: Int32Array;
  private readonly memory: SharedArrayBuffer;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.table = new Int32Array(memory, 0, CONTENTS + BUFFERS);
  }

  protected buffer(count: number): Uint8Array {
    return new Uint8Array(this.memory, TABLE + (count % BUFFERS) * BUFFER, BUFFER);
  }

  protected get waiting(): number {
    return Atomics.load(this.table, FILLED) - Atomics.load(this.table, EMPTIED);
  }
}

/** The filling end. */
export class RingWriter extends Ring {
  private count = 0;
  private open: Uint8Array | undefined;
  private used = 0;

  /** True when nothing can be put in until the other end has emptied a buffer. */
  get full(): boolean {
    return this.open === undefined && this.waiting === BUFFERS;
  }

  /** Waits for the other end to empty a buffer, at most some milliseconds, since the other thread may have ended. */
  wait(milliseconds: number): void {
    const emptied = Atomics.load(this.table, EMPTIED);
    if (this.full) Atomics.wait(this.table, EMPTIED, emptied, milliseconds);
  }

  /**
   * Puts in as many of the bytes from `at` on as one buffer takes; it must not be {@link full}. Returns their number.
   */
  put(bytes: Uint8Array, at: number): number {
    this.open ??= this.buffer(this.count);
    const size = Math.min(bytes.length - at, BUFFER - this.used);
    this.open.set(size === bytes.length ? bytes : bytes.subarray(at, at + size), this.used);
    this.used += size;
    if (this.used === BUFFER) this.flush();
    return size;
  }

  /** Hands over what was put in so far. */
  flush(): void {
    if (this.used > 0) this.publish(this.used);
  }

  /** Puts in a run of zeros without their bytes; flushed before, and not {@link full}. */
  putZeros(size: number): void {
    this.publish(-size);
  }

  /** Marks the end of the stream; flushed before, and not {@link full}. */
  end(): void {
    this.publish(END);
  }

  private publish(content: number): void {
    this.table[CONTENTS + (this.count % BUFFERS)] = content;
    this.count++;
    this.open = undefined;
    this.used = 0;
    Atomics.add(this.table, FILLED, 1);
    Atomics.notify(this.table, FILLED);
  }
}

/** The emptying end. */
export class RingReader extends Ring {
  /** Yields everything that was put in, in order, until the end; a run of zeros as its length. */
  *contents(): Generator<Uint8Array | number> {
    for (let count = 0; ; count++) {
      while (this.waiting === 0) Atomics.wait(this.table, FILLED, count | 0);
      const content = this.table[CONTENTS + (count % BUFFERS)]!;
      if (content === END) return;
      yield content > 0 ? this.buffer(count).subarray(0, content) : -content;
      Atomics.add(this.table, EMPTIED, 1);
      Atomics.notify(this.table, EMPTIED);
    }
  }
}
