import type { Extent, Range } from './extents.ts';

/**
 * The older mapping of a file's blocks: twelve numbers in the inode, then blocks full of numbers, one, two and
 * three levels deep. Used when extents are switched off.
 */

/** Numbers in the inode that name data blocks. */
const DIRECT = 12;

/** Blocks of numbers that a file with these data needs. */
export function mapBlocks(ranges: readonly Range[], blockSize: number): number {
  const per = blockSize / 4;
  let count = 0;
  // blocks of numbers are visited in ascending order: remember the last one of each kind
  let lastSingle = -1;
  let lastDouble = -1;
  let triple = false;
  for (const [start, length] of ranges) {
    for (let at = Math.max(start, DIRECT), end = start + length; at < end; ) {
      const beyond = at - DIRECT;
      const single = Math.floor(beyond / per);
      if (single !== lastSingle) {
        lastSingle = single;
        count++;
      }
      if (single > 0) {
        const double = Math.floor((single - 1) / per);
        if (double !== lastDouble) {
          lastDouble = double;
          count++;
        }
        if (double > 0 && !triple) {
          triple = true;
          count++;
        }
      }
      at = DIRECT + (single + 1) * per;
    }
  }
  return count;
}

/** Most blocks that a file of this kind can have. */
export function mapLimit(blockSize: number): number {
  const per = blockSize / 4;
  return DIRECT + per + per ** 2 + per ** 3;
}

/** i_block and the blocks of numbers; `place` returns where the n-th of these is. */
export function blockMap(
  extents: readonly Extent[],
  blockSize: number,
  place: (block: number) => number,
): { readonly root: Uint8Array; readonly nodes: readonly Uint8Array[] } {
  const per = blockSize / 4;
  const root = new Uint8Array(60);
  const rootView = new DataView(root.buffer);
  const nodes: Uint8Array[] = [];
  const views: DataView[] = [];
  const made = (): number => {
    nodes.push(new Uint8Array(blockSize));
    views.push(new DataView(nodes[nodes.length - 1]!.buffer));
    return nodes.length - 1;
  };
  let single: { index: number; node: number } | undefined;
  let double: { index: number; node: number } | undefined;
  let triple: number | undefined;
  const singleFor = (index: number): number => {
    if (single?.index === index) return single.node;
    single = { index, node: made() };
    if (index === 0) rootView.setUint32(48, place(single.node), true);
    else {
      const under = Math.floor((index - 1) / per);
      views[doubleFor(under)]!.setUint32(((index - 1) % per) * 4, place(single.node), true);
    }
    return single.node;
  };
  const doubleFor = (index: number): number => {
    if (double?.index === index) return double.node;
    double = { index, node: made() };
    if (index === 0) rootView.setUint32(52, place(double.node), true);
    else {
      if (triple === undefined) {
        triple = made();
        rootView.setUint32(56, place(triple), true);
      }
      views[triple]!.setUint32((index - 1) * 4, place(double.node), true);
    }
    return double.node;
  };
  for (const { logical, physical, length } of extents) {
    for (let i = 0; i < length; i++) {
      const at = logical + i;
      if (at < DIRECT) rootView.setUint32(at * 4, physical + i, true);
      else views[singleFor(Math.floor((at - DIRECT) / per))]!.setUint32(((at - DIRECT) % per) * 4, physical + i, true);
    }
  }
  return { root, nodes };
}
