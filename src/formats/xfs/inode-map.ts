import { CHUNK } from './layout.ts';

const ALL = 2n ** 64n - 1n;

/** Which inodes are allocated, by chunks of 64 in ascending order, and which of them were found to be in use. */
export class InodeMap {
  private readonly firsts: number[] = [];
  /** Bits of inodes that are free, or were found. */
  private readonly masks: bigint[] = [];

  /** Adds a chunk behind all others. */
  add(first: number, free: bigint): void {
    this.firsts.push(first);
    this.masks.push(free);
  }

  /** The mask of the chunk that begins with an inode. */
  maskAt(first: number): bigint | undefined {
    const index = this.indexOf(first);
    return this.firsts[index] === first ? this.masks[index] : undefined;
  }

  /** Marks an inode as found. False when no record says that it is allocated. */
  take(number: number): boolean {
    const index = this.indexOf(number);
    const first = this.firsts[index];
    if (first === undefined || number >= first + CHUNK) return false;
    const bit = 1n << BigInt(number - first);
    if ((this.masks[index]! & bit) !== 0n) return false;
    this.masks[index]! |= bit;
    return true;
  }

  /** The first inode of each chunk that is allocated, but was not found. */
  *unnamed(): Generator<number> {
    for (const [index, mask] of this.masks.entries()) {
      if (mask === ALL) continue;
      let bit = 0;
      while ((mask >> BigInt(bit)) & 1n) bit++;
      yield this.firsts[index]! + bit;
    }
  }

  /** Index of the last chunk that begins at or before an inode; -1 when there is none. */
  private indexOf(number: number): number {
    let low = -1;
    let high = this.firsts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.firsts[middle]! <= number) low = middle;
      else high = middle;
    }
    return low;
  }
}
