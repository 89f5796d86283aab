/** More history than this is not kept, though a header may ask for 4 GiB; `xz -9` asks for 64 MiB. */
const LIMIT = 1 << 29;

const FIRST = 1 << 18;

/** Bytes behind the last one that copies of eight bytes may touch. */
const SLACK = 16;

const PAGE = 1 << 16;

/** A memory that grows by pages. */
interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/**
 * The most recently decoded bytes, linear in the upper part of a memory: matches are copied without wrapping, and decoded
 * bytes are yielded without copying. When the memory is full, the history moves to the front. Positions are addresses.
 */
export class Window {
  /** The whole memory. Another array after `reserve`, which may have moved it. */
  bytes: Uint8Array;
  /** Where the next byte goes. */
  at: number;
  /** Where history begins: the dictionary was reset here. Below `base` once that position has moved out. */
  start: number;
  readonly dictionary: number;
  private readonly memory: Memory;
  private readonly base: number;

  /** A window in `memory`, from address `base` on. */
  constructor(memory: Memory, base: number, dictionary: number) {
    this.memory = memory;
    this.base = base;
    this.at = base;
    this.start = base;
    this.dictionary = Math.max(dictionary, 4096);
    this.bytes = new Uint8Array(memory.buffer);
    this.grow(base + Math.min(FIRST, this.dictionary));
  }

  /** Forgets the history. */
  reset(): void {
    this.start = this.at;
  }

  /** True when more history would be needed than is kept. */
  get beyondLimit(): boolean {
    return this.dictionary > LIMIT && this.at - this.start > LIMIT;
  }

  /** Makes space for `size` more bytes. Memory grows with the decoded data, not with the size in a header. */
  reserve(size: number): void {
    if (this.at + size + SLACK <= this.bytes.length) return;
    const { base } = this;
    const history = Math.min(this.at - Math.max(this.start, base), this.dictionary);
    const drop = this.at - base - history;
    const full = this.dictionary + Math.max(size, Math.min(this.dictionary, 1 << 24));
    const fits = base + history + size + SLACK <= this.bytes.length;
    if (fits && (drop >= history / 2 || base + full + SLACK <= this.bytes.length)) {
      this.bytes.copyWithin(base, base + drop, this.at);
      this.at -= drop;
      this.start -= drop;
      // a position below all history may be any one that is as far from a multiple of 16, the largest period of models
      if (this.start < -2 * LIMIT) this.start += LIMIT;
      return;
    }
    const needed = this.at - base + size;
    this.grow(base + Math.max(needed, Math.min(full, 2 * needed)) + SLACK);
  }

  private grow(size: number): void {
    const lacking = size - this.bytes.length;
    if (lacking <= 0) return;
    this.memory.grow(Math.ceil(lacking / PAGE));
    this.bytes = new Uint8Array(this.memory.buffer);
  }
}
