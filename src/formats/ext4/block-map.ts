/** What a walk over a block map needs. */
export interface BlockMapVisitor {
  /** A block of data; `logical` counts blocks of the file. */
  data(logical: number, block: number): void;
  /** The bytes of a block of numbers whose first entry maps `logical`; undefined when the walk should not enter it. */
  numbers(block: number, logical: number): Uint8Array | undefined;
}

/**
 * Walks the map that ext2 and ext3 use instead of extents (Documentation/filesystems/ext4/blockmap.rst): twelve numbers in
 * the inode, then blocks of numbers, one, two and three levels deep. 0 is a hole. `root` is i_block, 60 bytes.
 */
export function walkBlockMap(root: Uint8Array, blockSize: number, visitor: BlockMapVisitor): void {
  const per = blockSize / 4;
  const below = (block: number, level: number, logical: number): void => {
    if (block === 0) return;
    if (level === 0) return visitor.data(logical, block);
    const bytes = visitor.numbers(block, logical);
    if (bytes === undefined) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const span = per ** (level - 1);
    for (let i = 0; i < per; i++) below(view.getUint32(i * 4, true), level - 1, logical + i * span);
  };
  const view = new DataView(root.buffer, root.byteOffset);
  for (let i = 0; i < 12; i++) below(view.getUint32(i * 4, true), 0, i);
  let logical = 12;
  for (let level = 1; level <= 3; level++) {
    below(view.getUint32(44 + level * 4, true), level, logical);
    logical += per ** level;
  }
}
