/**
 * A ring of buffers between two threads: one fills, the other empties, in order, each waiting when needed. Nothing is
 * copied except what the filler puts in, and no message is sent.
 */

/** Bytes of one buffer. */
const BUFFER = 256 * 1024;
const BUFFERS = 32;

/**
 * V8 copies into shared memory in words where both sides have the same place within one, and otherwise byte by byte,
 * which takes eight times as long (measured: 1.3 instead of 11 GB/s). So bytes keep their place within a word.
 */
const WORD = 8;
/** From this many bytes, a copy in words is worth a buffer that is not quite full. */
const LONG = 4096;

/** Words of the shared table: buffers filled and emptied so far, then what each holds, and where in it that starts (see DONE). */
const FILLED = 0;
const EMPTIED = 1;
const CONTENTS = 2;

/** What a buffer contains: bytes, a run of zeros of that length, or the end of the stream. */
const END = 0;

/** Added to the start of what the filler has done the work on already. */
const DONE = WORD;

const STARTS = CONTENTS + BUFFERS;
const TABLE = 4 * (STARTS + BUFFERS);
const STRIDE = BUFFER + WORD;

/** Shared memory of a ring, to be passed to both threads. */
export function ringMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(TABLE + BUFFERS * STRIDE);
}

class Ring {
  protected readonly table: Int32Array;
  private readonly memory: SharedArrayBuffer;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.table = new Int32Array(memory, 0, STARTS + BUFFERS);
  }

  protected buffer(count: number): Uint8Array {
    return new Uint8Array(this.memory, TABLE + (count % BUFFERS) * STRIDE, STRIDE);
  }

  protected get waiting(): number {
    return Atomics.load(this.table, FILLED) - Atomics.load(this.table, EMPTIED);
  }
}

/** What a ring hands over: bytes, or a number of zeros; `done` as the filler said. */
export interface Filled {
  readonly content: Uint8Array | number;
  readonly done: boolean;
}

/** Beyond this many waiting buffers the emptier is behind. */
const BEHIND = BUFFERS / 4;

/** The filling end. */
export class RingWriter extends Ring {
  private count = 0;
  private readonly handing: (bytes: Uint8Array, behind: boolean) => boolean;
  private open: Uint8Array | undefined;
  /** Where the bytes in the open buffer start, and where the next ones go. */
  private start = 0;
  private next = 0;

  /**
   * `handing` is called with the bytes of each buffer before it is handed over, and is told whether the other end is behind: it
   * may do a part of the work on them here, and says so by true.
   */
  constructor(memory: SharedArrayBuffer, handing: (bytes: Uint8Array, behind: boolean) => boolean = () => false) {
    super(memory);
    this.handing = handing;
  }

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
   * Puts in as many of the bytes from `at` on as one buffer takes; it must not be {@link full}. Returns their number,
   * which is 0 where they need a buffer of their own and none is free.
   */
  put(bytes: Uint8Array, at: number): number {
    const place = (bytes.byteOffset + at) % WORD;
    if (this.open !== undefined && bytes.length - at >= LONG && this.next % WORD !== place) {
      this.flush();
      if (this.full) return 0;
    }
    if (this.open === undefined) {
      this.open = this.buffer(this.count);
      this.start = this.next = place;
    }
    const size = Math.min(bytes.length - at, this.start + BUFFER - this.next);
    this.open.set(size === bytes.length ? bytes : bytes.subarray(at, at + size), this.next);
    this.next += size;
    if (this.next === this.start + BUFFER) this.flush();
    return size;
  }

  /** Hands over what was put in so far. */
  flush(): void {
    if (this.open === undefined) return;
    const done = this.handing(this.open.subarray(this.start, this.next), this.waiting > BEHIND);
    this.publish(this.next - this.start, this.start + (done ? DONE : 0));
  }

  /** Puts in a run of zeros without their bytes; flushed before, and not {@link full}. */
  putZeros(size: number): void {
    this.publish(-size, 0);
  }

  /** Marks the end of the stream; flushed before, and not {@link full}. */
  end(): void {
    this.publish(END, 0);
  }

  private publish(content: number, start: number): void {
    this.table[CONTENTS + (this.count % BUFFERS)] = content;
    this.table[STARTS + (this.count % BUFFERS)] = start;
    this.count++;
    this.open = undefined;
    Atomics.add(this.table, FILLED, 1);
    Atomics.notify(this.table, FILLED);
  }
}

/** The emptying end. */
export class RingReader extends Ring {
  /** Yields everything that was put in, in order, until the end; a run of zeros as its length. */
  *contents(): Generator<Filled> {
    for (let count = 0; ; count++) {
      while (this.waiting === 0) Atomics.wait(this.table, FILLED, count | 0);
      const content = this.table[CONTENTS + (count % BUFFERS)]!;
      if (content === END) return;
      const flagged = this.table[STARTS + (count % BUFFERS)]!;
      const start = flagged % DONE;
      const bytes = content > 0 ? this.buffer(count).subarray(start, start + content) : -content;
      yield { content: bytes, done: flagged >= DONE };
      Atomics.add(this.table, EMPTIED, 1);
      Atomics.notify(this.table, EMPTIED);
    }
  }
}
