/** More history than this is not kept, though a header may ask for 4 GiB; `xz -9` asks for 64 MiB. */
const LIMIT = 1 << 29;

const FIRST = 1 << 18;

/**
 * The most recently decoded bytes, in one linear array: matches are copied without wrapping, and decoded bytes are
 * yielded without copying. When the array is full, the history moves to its front.
 */
export class Window {
  bytes: Uint8Array;
  /** Where the next byte goes. */
  at = 0;
  /** Where history begins: the dictionary was reset here. Negative once that position has moved out of the array. */
  start = 0;
  readonly dictionary: number;

  constructor(dictionary: number) {
    this.dictionary = Math.max(dictionary, 4096);
    this.bytes = new Uint8Array(Math.min(FIRST, this.dictionary));
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
    if (this.at + size <= this.bytes.length) return;
    const history = Math.min(this.at - Math.max(this.start, 0), this.dictionary);
    const drop = this.at - history;
    const needed = history + size;
    if (needed > this.bytes.length || drop < history / 2) {
      const full = this.dictionary + Math.max(size, Math.min(this.dictionary, 1 << 24));
      const grown = new Uint8Array(Math.max(needed, Math.min(full, 2 * needed)));
      grown.set(this.bytes.subarray(drop, this.at));
      this.bytes = grown;
    } else {
      this.bytes.copyWithin(0, drop, this.at);
    }
    this.at = history;
    this.start -= drop;
  }
}
