import { crc32c, crc32cWord } from '../../bytes/crc32c.ts';
import { DirectoryTail, HashRoot, ORPHAN_MAGIC, OrphanTail, TAIL_TYPE, XattrHeader } from './layout.ts';
import type { Comparison } from './volume.ts';

/** The checksum of a block of extended attributes, stored and computed; it covers the block's own number. */
export function xattrBlockSums(bytes: Uint8Array, block: number, seed: number): Comparison {
  const at = XattrHeader.offset.checksum;
  let crc = crc32cWord(seed, block % 2 ** 32);
  crc = crc32cWord(crc, Math.floor(block / 2 ** 32));
  crc = crc32c(crc, bytes, 0, at);
  crc = crc32cWord(crc, 0);
  return { stored: word(bytes, at), computed: crc32c(crc, bytes, at + 4) };
}

/**
 * The checksum of a directory block, stored and computed: of an index node when the directory is hashed and the block
 * looks like one, else of a block of names. Undefined when the block has no checksum field.
 */
export function directoryBlockSums(
  bytes: Uint8Array,
  seed: number,
  indexed: boolean,
  first: boolean,
): Comparison | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = indexed ? indexAt(view, first) : undefined;
  if (count !== undefined) {
    const limit = view.getUint16(count, true);
    const entries = view.getUint16(count + 2, true);
    const tail = count + limit * 8;
    if (entries > limit || tail + 8 > bytes.length) return undefined;
    let crc = crc32c(seed, bytes, 0, count + entries * 8);
    crc = crc32c(crc, bytes, tail, tail + 4);
    return { stored: view.getUint32(tail + 4, true), computed: crc32cWord(crc, 0) };
  }
  const tail = bytes.length - DirectoryTail.size;
  const found = DirectoryTail.read(bytes, tail);
  if (
    found.inode !== 0 ||
    found.recordLength !== DirectoryTail.size ||
    found.nameLength !== 0 ||
    found.type !== TAIL_TYPE
  )
    return undefined;
  return { stored: found.checksum, computed: crc32c(seed, bytes, 0, tail) };
}

/** Where limit and count of an index are in a block, if the block is an index. */
function indexAt(view: DataView, first: boolean): number | undefined {
  const size = view.byteLength;
  const length = view.getUint16(4, true);
  const whole = (value: number, expected: number) => value === expected || (expected === 65536 && value === 65535);
  if (whole(length, size) && view.getUint32(0, true) === 0) return 8;
  if (first && length === 12 && view.getUint32(24, true) === 0 && view.getUint8(29) === HashRoot.size)
    return 24 + HashRoot.size;
  return undefined;
}

/** The checksum of a block of the orphan file, stored and computed; undefined when it is not such a block. */
export function orphanBlockSums(bytes: Uint8Array, block: number, seed: number): Comparison | undefined {
  const at = bytes.length - OrphanTail.size;
  const tail = OrphanTail.read(bytes, at);
  if (tail.magic !== ORPHAN_MAGIC) return undefined;
  let crc = crc32cWord(seed, block % 2 ** 32);
  crc = crc32cWord(crc, Math.floor(block / 2 ** 32));
  return { stored: tail.checksum, computed: crc32c(crc, bytes, 0, at) };
}

function word(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(at, true);
}
