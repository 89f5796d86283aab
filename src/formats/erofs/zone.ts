import { BLOCK } from './layout.ts';

/** Gaps that are remembered: more would cost time and save little. */
const GAPS = 64;

interface Gap {
  start: number;
  size: number;
}

/**
 * Hands out space for inodes and what follows them, from a fixed start upwards. Gaps before block ends, left by objects
 * that must not cross one, are filled with later objects.
 */
export class Zone {
  /** End of the space that was taken, in bytes. */
  end: number;
  private readonly gaps: Gap[] = [];

  constructor(start: number) {
    this.end = start;
  }

  /** Space that may cross block ends. */
  take(size: number, alignment: number): number {
    const found = this.fromGap(size, alignment);
    if (found !== undefined) return found;
    const start = align(this.end, alignment);
    this.end = start + size;
    return start;
  }

  /** Space inside one block; `size` is at most a block. */
  takeWithin(size: number, alignment: number): number {
    const found = this.fromGap(size, alignment);
    if (found !== undefined) return found;
    let start = align(this.end, alignment);
    const left = BLOCK - (start % BLOCK);
    if (size > left) {
      this.keep({ start, size: left });
      start += left;
    }
    this.end = start + size;
    return start;
  }

  private fromGap(size: number, alignment: number): number | undefined {
    for (const [i, gap] of this.gaps.entries()) {
      const start = align(gap.start, alignment);
      const left = gap.start + gap.size - start - size;
      if (left < 0) continue;
      if (left < alignment) this.gaps.splice(i, 1);
      else {
        gap.start = start + size;
        gap.size = left;
      }
      return start;
    }
    return undefined;
  }

  private keep(gap: Gap): void {
    if (gap.size < 32) return;
    this.gaps.push(gap);
    if (this.gaps.length <= GAPS) return;
    // the smallest is the least useful
    let smallest = 0;
    for (const [i, { size }] of this.gaps.entries()) if (size < this.gaps[smallest]!.size) smallest = i;
    this.gaps.splice(smallest, 1);
  }
}

const align = (value: number, to: number) => Math.ceil(value / to) * to;
