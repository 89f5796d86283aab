import type { Volume } from './volume.ts';

/** Which blocks of a file system have an owner: a bit for each. */
export class BlockMap {
  private readonly volume: Volume;
  private readonly bits: Uint8Array;

  constructor(volume: Volume) {
    this.volume = volume;
    // the image is as long as its blocks, so this is bounded by it
    this.bits = new Uint8Array(Math.ceil(volume.sb.blocks / 8));
  }

  /** Notes the owner of blocks. A second owner is an error unless blocks may be shared. */
  take(block: number, count: number, at: string, shared = false): void {
    if (!Number.isInteger(block) || block < 0 || block + count > this.volume.sb.blocks)
      throw this.volume.corrupt(at, `block ${block} is not in the file system`);
    this.volume.spend(count, at);
    for (let i = block; i < block + count; i++) {
      const bit = 1 << (i & 7);
      if (this.bits[i >> 3]! & bit && !shared) throw this.volume.corrupt(at, `block ${i} has another owner, too`);
      this.bits[i >> 3]! |= bit;
    }
  }

  /** The first block without an owner. */
  unowned(): number | undefined {
    const { blocks } = this.volume.sb;
    for (let i = 0; i < blocks; i++) if ((this.bits[i >> 3]! & (1 << (i & 7))) === 0) return i;
    return undefined;
  }
}
