import { latin1 } from '../../bytes/struct.ts';
import { localSize, remoteSize } from './attributes.ts';
import { addressIn, type Found, forkExtents } from './forks.ts';
import { hashName } from './hash.ts';
import { ATTRIBUTE, AttributeLeaf, FORMAT, HASH, HashBlock } from './layout.ts';
import type { RawInode, Volume } from './volume.ts';

/**
 * Checks what finds extended attributes outside of an inode: that leaves have the hashes of their names, in order, that
 * entries lie where their leaf says and do not overlap, and that nodes lead to the leaves. The attributes have been read
 * before, so that nothing is cut off.
 */
export function checkAttributes(volume: Volume, raw: RawInode, at: string): void {
  if (raw.attributeRoom === 0 || raw.attrFormat === FORMAT.local) return;
  const extents = forkExtents(volume, raw, 'attributes', at);
  if (extents.length > 0) new Walk(volume, raw, extents, at).descend(0, undefined);
}

class Walk {
  private readonly volume: Volume;
  private readonly raw: RawInode;
  private readonly extents: readonly Found[];
  private readonly at: string;
  private last = 0;

  constructor(volume: Volume, raw: RawInode, extents: readonly Found[], at: string) {
    this.volume = volume;
    this.raw = raw;
    this.extents = extents;
    this.at = at;
  }

  /** Returns the highest hash of a block and of those below it. */
  descend(block: number, level: number | undefined): number {
    const { volume, at } = this;
    const address = addressIn(volume, this.extents, block, at);
    const bytes = volume.bytes(address, volume.blockSize, at);
    volume.checkBlock(bytes, HashBlock.offset, { address, owner: this.raw.number, at });
    const header = HashBlock.read(bytes);
    if (header.magic !== HASH.node) {
      if (header.magic !== HASH.attributes || (level !== undefined && level !== 0))
        throw volume.corrupt(at, 'there is no leaf of attributes at its place');
      return this.leaf(bytes);
    }
    // levels count down, which also ends loops
    const fits = header.level > 0 && header.level <= 5 && (level === undefined || header.level === level);
    if (!fits || header.count === 0 || HashBlock.size + 8 * header.count > bytes.length)
      throw volume.corrupt(at, `a node of attributes on level ${header.level} with ${header.count} entries`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let highest = 0;
    for (let i = 0; i < header.count; i++) {
      highest = view.getUint32(HashBlock.size + 8 * i);
      const below = this.descend(view.getUint32(HashBlock.size + 8 * i + 4), header.level - 1);
      if (below !== highest) throw volume.corrupt(at, 'a node of attributes names another hash than its leaf has');
    }
    return highest;
  }

  private leaf(bytes: Uint8Array): number {
    const { volume, at } = this;
    const { count, usedBytes, firstUsed } = AttributeLeaf.read(bytes);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const places: { from: number; end: number }[] = [];
    let used = 0;
    for (let i = 0; i < count; i++) {
      const entry = AttributeLeaf.size + 8 * i;
      const hash = view.getUint32(entry);
      const from = view.getUint16(entry + 4);
      const flags = view.getUint8(entry + 6);
      const local = (flags & ATTRIBUTE.local) !== 0;
      const nameLength = bytes[from + (local ? 2 : 8)]!;
      const nameAt = from + (local ? 3 : 9);
      const name = latin1(bytes.subarray(nameAt, nameAt + nameLength));
      // that of a parent's name counts its inode, too
      if ((flags & ATTRIBUTE.parent) === 0 && hashName(name) !== hash)
        throw volume.corrupt(at, 'the hash of an extended attribute is not that of its name');
      if (hash < this.last) throw volume.corrupt(at, 'the hashes of its attributes are not in order');
      this.last = hash;
      const size = local ? localSize(nameLength, view.getUint16(from)) : remoteSize(nameLength);
      places.push({ from, end: from + size });
      used += size;
    }
    places.sort((a, b) => a.from - b.from);
    let free = Math.max(firstUsed, AttributeLeaf.size + 8 * count);
    for (const { from, end } of places) {
      if (from < free || end > bytes.length)
        throw volume.corrupt(at, 'an extended attribute overlaps what is beside it in its leaf');
      free = end;
    }
    if (used !== usedBytes)
      throw volume.corrupt(at, `a leaf says that its attributes take ${usedBytes} bytes, they take ${used}`);
    return this.last;
  }
}
