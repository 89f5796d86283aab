import { crc32c } from '../../bytes/crc32c.ts';
import { BuildError } from '../../errors/error.ts';
import type { NameHash } from './hash.ts';
import { DirectoryTail, FILE_TYPE, HASH_HALF_MD4, HashRoot, TAIL_TYPE } from './layout.ts';

/** What determines the layout of directory blocks. */
export interface DirectoryRules {
  readonly blockSize: number;
  /** metadata_csum: each block ends with a checksum. */
  readonly checksums: boolean;
  /** filetype: entries carry their file type. */
  readonly types: boolean;
  /** dir_index: directories of several blocks are hashed. */
  readonly indexed: boolean;
  /** large_dir: one more level of the tree is allowed. */
  readonly large: boolean;
}

/** How the entries of one directory are distributed over its blocks. */
export interface DirectoryLayout {
  readonly blocks: number;
  /** Names by index, in the order they are written; absent: as given. */
  readonly order?: Uint32Array;
  /** First entry of each leaf (each block, when not hashed), and behind them the number of entries. */
  readonly leaves: Uint32Array;
  /** Hash with which each leaf begins, and the number of levels between root and leaves; absent when not hashed. */
  readonly hashes?: Uint32Array;
  readonly levels: number;
}

/** "." and ".." */
const DOTS = 24;
const HASH_ROOT_AT = 24;
const ENTRIES_AT = 32;

const recordLength = (name: number) => (name + 11) & ~3;

/** Bytes available for entries in one block. */
function spaceIn(rules: DirectoryRules): number {
  return rules.blockSize - (rules.checksums ? DirectoryTail.size : 0);
}

/** Index entries (the one that states their number included) that fit the root and the other nodes. */
export function indexLimits(rules: DirectoryRules): { root: number; node: number } {
  const tail = rules.checksums ? 8 : 0;
  return {
    root: Math.floor((rules.blockSize - ENTRIES_AT - tail) / 8),
    node: Math.floor((rules.blockSize - 8 - tail) / 8),
  };
}

/** Distributes the names of a directory over blocks; `atLeast` blocks when it is not hashed. */
export function layOutDirectory(
  names: readonly string[],
  rules: DirectoryRules,
  hash: NameHash,
  atLeast: number,
  path: () => string,
): DirectoryLayout {
  const space = spaceIn(rules);
  let total = DOTS;
  for (const name of names) total += recordLength(name.length);
  if (total <= space) return { blocks: atLeast, leaves: Uint32Array.of(0, names.length), levels: 0 };
  if (!rules.indexed) {
    const leaves = spread(names, undefined, space, DOTS);
    return { blocks: Math.max(atLeast, leaves.length - 1), leaves: Uint32Array.from(leaves), levels: 0 };
  }
  const hashes = new Uint32Array(names.length);
  for (let i = 0; i < names.length; i++) hashes[i] = hash.of(names[i]!);
  const order = sortedByHash(hashes);
  const leaves = spread(names, order, space, 0);
  const count = leaves.length - 1;
  const limits = indexLimits(rules);
  let levels = 0;
  let reach = limits.root;
  const most = rules.large ? 2 : 1;
  while (reach < count && levels < most) {
    levels++;
    reach *= limits.node;
  }
  if (reach < count) throw new BuildError('EXT4_DIRECTORY_SIZE', { path: path(), blocks: count, limit: reach });
  const first = new Uint32Array(count);
  for (let leaf = 1; leaf < count; leaf++) {
    const value = hashes[order[leaves[leaf]!]!]!;
    // the lowest bit says that the leaf before ends with names of the same hash
    first[leaf] = value === hashes[order[leaves[leaf]! - 1]!]! ? value + 1 : value;
  }
  let blocks = 1 + count;
  for (let level = 0, below = count; level < levels; level++) {
    below = Math.ceil(below / limits.node);
    blocks += below;
  }
  return { blocks, order, leaves: Uint32Array.from(leaves), hashes: first, levels };
}

/** Indices of names by hash; among equals, as given. */
function sortedByHash(hashes: Uint32Array): Uint32Array {
  // hash and index share a double's 53 bits, so that the engine's numeric sort does the work
  const keys = new Float64Array(hashes.length);
  for (let i = 0; i < hashes.length; i++) keys[i] = (hashes[i]! >>> 1) * 2 ** 22 + i;
  if (hashes.length > 2 ** 22) throw new RangeError(`${hashes.length} names in one directory`);
  keys.sort();
  const order = new Uint32Array(hashes.length);
  for (let i = 0; i < order.length; i++) order[i] = keys[i]! % 2 ** 22;
  return order;
}

function spread(names: readonly string[], order: Uint32Array | undefined, space: number, taken: number): number[] {
  const starts = [0];
  let used = taken;
  for (let i = 0; i < names.length; i++) {
    const length = recordLength(names[order === undefined ? i : order[i]!]!.length);
    if (used + length > space) {
      starts.push(i);
      used = 0;
    }
    used += length;
  }
  starts.push(names.length);
  return starts;
}

/** What writing a directory needs in addition to its layout. */
export interface DirectoryEntries {
  readonly number: number;
  readonly parent: number;
  readonly names: readonly string[];
  /** Inode number and kind by the place among the names. */
  child(index: number): { readonly number: number; readonly type: number };
  /** Checksum seed of the inode. */
  readonly seed: number;
}

/** Writes the blocks of one directory into `into`, which is zero and has `layout.blocks` blocks. */
export function writeDirectory(
  into: Uint8Array,
  layout: DirectoryLayout,
  entries: DirectoryEntries,
  rules: DirectoryRules,
): void {
  const writer = new BlockWriter(into, rules, entries);
  if (layout.hashes !== undefined) {
    writeTree(writer, layout);
    return;
  }
  const leaves = layout.leaves.length - 1;
  for (let block = 0; block < layout.blocks; block++) {
    writer.begin(block);
    if (block === 0) writer.dots(12);
    if (block < leaves) writer.names(layout, block);
    writer.end();
  }
}

function writeTree(writer: BlockWriter, layout: DirectoryLayout): void {
  const hashes = layout.hashes!;
  const limits = indexLimits(writer.rules);
  // root, then the index from the top down, then the leaves
  const levels: number[] = [];
  for (let level = 0, below = hashes.length; level < layout.levels; level++) {
    below = Math.ceil(below / limits.node);
    levels.unshift(below);
  }
  const begins: number[] = [1];
  for (const nodes of levels) begins.push(begins[begins.length - 1]! + nodes);
  // leaves below one entry of a level, from the root's entries downward
  const span = (level: number) => limits.node ** (layout.levels - level);
  writer.begin(0);
  writer.dots(writer.rules.blockSize - 12);
  writer.hashRoot(layout.levels);
  const rootEntries = layout.levels === 0 ? hashes.length : levels[0]!;
  writer.index(ENTRIES_AT, limits.root, rootEntries, (i) => ({ hash: hashes[i * span(0)]!, block: begins[0]! + i }));
  for (const [level, nodes] of levels.entries()) {
    const below = level + 1 < levels.length ? levels[level + 1]! : hashes.length;
    for (let node = 0; node < nodes; node++) {
      const from = node * limits.node;
      const count = Math.min(limits.node, below - from);
      writer.begin(begins[level]! + node);
      writer.unused(writer.rules.blockSize);
      writer.index(8, limits.node, count, (i) => ({
        hash: hashes[(from + i) * span(level + 1)]!,
        block: begins[level + 1]! + from + i,
      }));
    }
  }
  const firstLeaf = begins[begins.length - 1]!;
  for (let leaf = 0; leaf < hashes.length; leaf++) {
    writer.begin(firstLeaf + leaf);
    writer.names(layout, leaf);
    writer.end();
  }
}

class BlockWriter {
  readonly rules: DirectoryRules;
  private readonly into: Uint8Array;
  private readonly view: DataView;
  private readonly entries: DirectoryEntries;
  private start = 0;
  private at = 0;
  /** Where the last record begins: its length will reach to the end. */
  private last = 0;

  constructor(into: Uint8Array, rules: DirectoryRules, entries: DirectoryEntries) {
    this.into = into;
    this.view = new DataView(into.buffer, into.byteOffset, into.length);
    this.rules = rules;
    this.entries = entries;
  }

  begin(block: number): void {
    this.start = block * this.rules.blockSize;
    this.at = this.start;
    this.last = -1;
  }

  private record(number: number, type: number, name: string, length: number): void {
    const { view, at } = this;
    view.setUint32(at, number, true);
    view.setUint16(at + 4, lengthField(length), true);
    view.setUint8(at + 6, name.length);
    if (this.rules.types) view.setUint8(at + 7, type);
    for (let i = 0; i < name.length; i++) this.into[at + 8 + i] = name.charCodeAt(i);
    this.last = at;
    this.at = at + length;
  }

  dots(second: number): void {
    this.record(this.entries.number, FILE_TYPE.directory, '.', 12);
    this.record(this.entries.parent, FILE_TYPE.directory, '..', second);
  }

  names(layout: DirectoryLayout, leaf: number): void {
    for (let i = layout.leaves[leaf]!; i < layout.leaves[leaf + 1]!; i++) {
      const index = layout.order === undefined ? i : layout.order[i]!;
      const name = this.entries.names[index]!;
      const { number, type } = this.entries.child(index);
      this.record(number, type, name, recordLength(name.length));
    }
  }

  /** A record without inode over the complete block: old readers see an empty block. */
  unused(length: number): void {
    this.view.setUint16(this.at + 4, lengthField(length), true);
  }

  hashRoot(levels: number): void {
    HashRoot.write(this.into, this.start + HASH_ROOT_AT, { version: HASH_HALF_MD4, length: HashRoot.size, levels });
  }

  /** The index of a node: limit, count, and a hash for every block but the first. */
  index(at: number, limit: number, count: number, entry: (i: number) => { hash: number; block: number }): void {
    const { view } = this;
    const base = this.start + at;
    for (let i = 0; i < count; i++) {
      const { hash, block } = entry(i);
      view.setUint32(base + i * 8, hash, true);
      view.setUint32(base + i * 8 + 4, block, true);
    }
    view.setUint16(base, limit, true);
    view.setUint16(base + 2, count, true);
    if (!this.rules.checksums) return;
    const tail = base + limit * 8;
    let crc = crc32c(this.entries.seed, this.into, this.start, base + count * 8);
    crc = crc32c(crc, this.into, tail, tail + 8); // dt_reserved and a zero in place of the checksum
    view.setUint32(tail + 4, crc, true);
  }

  /** Extends the last record to the end and writes the checksum after it. */
  end(): void {
    const end = this.start + spaceIn(this.rules);
    if (this.last < 0) this.unused(end - this.start);
    else this.view.setUint16(this.last + 4, lengthField(end - this.last), true);
    if (!this.rules.checksums) return;
    DirectoryTail.write(this.into, end, {
      recordLength: DirectoryTail.size,
      type: TAIL_TYPE,
      checksum: crc32c(this.entries.seed, this.into, this.start, end),
    });
  }
}

/** rec_len as it is stored: 65536 does not fit sixteen bits and is written as 65535. */
function lengthField(length: number): number {
  return length >= 65536 ? 65535 : length;
}
