import { FLAG_UNSIGNED_HASH, HashRoot, INODE_ENCRYPTED } from '../layout.ts';
import { nameHasher } from './names.ts';
import type { FoundDirectory, State } from './state.ts';

const INODE_CASEFOLD = 0x40000000;
const ROOT_AT = 24;

/** What the index says about a block: the range of hashes, and how far below the root it is. */
interface Expected {
  readonly low: number;
  /** Hashes below it, or equal when the next block continues with the same hash. */
  readonly high: number;
  readonly level: number;
}

/** The index of a hashed directory. Blocks are given to it in ascending order, each once. */
export class HashTree {
  private readonly state: State;
  private readonly directory: FoundDirectory;
  private readonly expected = new Map<number, Expected>();
  /** Leaves and nodes that were seen before the node that names them. */
  private readonly early = new Map<number, { low: number; high: number }>();
  private readonly nodes = new Set<number>();
  /** Nodes that were seen before the node that names them; they are read again. */
  private readonly later = new Set<number>();
  private hasher: ((name: string) => number) | undefined;
  private levels = 0;
  private broken = false;

  constructor(state: State, directory: FoundDirectory) {
    this.state = state;
    this.directory = directory;
  }

  private fault(reason: string): void {
    this.state.findings.inode(this.directory.number, `its index: ${reason}`);
  }

  hash(name: string): number | undefined {
    return this.hasher?.(name);
  }

  /** Takes a block if it is a node of the index; true then. */
  node(bytes: Uint8Array, logical: number): boolean {
    const { volume } = this.state;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (logical === 0) {
      this.root(bytes, view);
      return !this.broken;
    }
    if (this.broken || this.levels === 0) return false;
    const expected = this.expected.get(logical);
    const length = view.getUint16(4, true);
    const whole = length === bytes.length || (bytes.length === 65536 && (length === 65535 || length === 0));
    const looks = view.getUint32(0, true) === 0 && whole;
    if (expected === undefined) {
      // the node that names this block comes later
      if (!looks || view.getUint16(8, true) !== this.limit(8, volume.blockSize)) return false;
      this.later.add(logical);
      return true;
    }
    if (expected.level > this.levels) return false;
    if (!looks) {
      this.fault(`block ${logical} is not a node`);
      return false;
    }
    this.entries(logical, bytes, 8, expected);
    return true;
  }

  private root(bytes: Uint8Array, view: DataView): void {
    const { volume, findings } = this.state;
    const { sb } = volume;
    const { zero, version, length, levels, flags } = HashRoot.read(bytes, ROOT_AT);
    const most = volume.features.has('large_dir') ? 2 : 1;
    this.broken = true;
    findings.count('index');
    if (view.getUint16(4, true) !== 12 || zero !== 0 || length !== HashRoot.size) return this.fault('there is no root');
    if (flags & 1) return this.fault(`flags ${flags}`);
    if (levels > most) return this.fault(`${levels} levels, at most ${most} are possible`);
    const both = INODE_CASEFOLD | INODE_ENCRYPTED;
    if (version > 5 && !(version === 6 && (this.directory.flags & both) === both))
      return this.fault(`hash version ${version}`);
    this.broken = false;
    this.levels = levels;
    const signed = version < 3 && (sb.flags & FLAG_UNSIGNED_HASH) === 0;
    if (this.directory.flags & INODE_CASEFOLD) findings.unchecked.add('hashes of names that ignore case');
    else this.hasher = nameHasher(version, sb.hashSeed, signed);
    this.entries(0, bytes, ROOT_AT + HashRoot.size, { low: 0, high: 2 ** 32, level: 0 });
  }

  private block(logical: number): Uint8Array {
    const { volume } = this.state;
    const run = this.directory.runs!.find((one) => logical >= one.logical && logical < one.logical + one.length)!;
    volume.spend(1, `inode ${this.directory.number}`);
    return volume.block(run.physical + logical - run.logical, `directory ${this.directory.number}`);
  }

  /** Entries that fit a node whose entries begin at `at`. */
  private limit(at: number, size: number): number {
    return Math.floor((size - at - (this.state.volume.checksums ? 8 : 0)) / 8);
  }

  private entries(logical: number, bytes: Uint8Array, at: number, self: Expected): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const limit = view.getUint16(at, true);
    const count = view.getUint16(at + 2, true);
    const right = this.limit(at, bytes.length);
    this.nodes.add(logical);
    if (limit !== right) return this.fault(`block ${logical} has room for ${limit} entries, ${right} is right`);
    if (count === 0 || count > limit) return this.fault(`block ${logical} has ${count} entries of ${limit}`);
    const blocks = this.directory.size / bytes.length;
    let low = self.low;
    for (let i = 0; i < count; i++) {
      const hash = i === 0 ? self.low : view.getUint32(at + i * 8, true);
      const child = view.getUint32(at + i * 8 + 4, true) & 0x0fffffff;
      const next = i + 1 < count ? view.getUint32(at + (i + 1) * 8, true) : self.high;
      if (hash < low || hash > self.high) this.fault(`block ${logical} has hash 0x${hash.toString(16)} out of order`);
      low = hash;
      if (child === 0 || child >= blocks) {
        this.fault(`block ${logical} names block ${child} of ${blocks}`);
        continue;
      }
      if (this.expected.has(child)) {
        this.fault(`block ${child} is named twice`);
        continue;
      }
      const expected = { low: hash, high: next, level: self.level + 1 };
      this.expected.set(child, expected);
      if (expected.level <= this.levels && this.later.delete(child))
        this.entries(child, this.block(child), 8, expected);
      const early = this.early.get(child);
      if (early !== undefined) this.range(child, early, expected);
    }
  }

  /** A block of names: its hashes must lie in the range of its entry. */
  leaf(logical: number, hashes: readonly number[]): void {
    if (this.broken || this.hasher === undefined || hashes.length === 0) return;
    let low = Infinity;
    let high = 0;
    for (const hash of hashes) {
      if (hash < low) low = hash;
      if (hash > high) high = hash;
    }
    const expected = this.expected.get(logical);
    if (expected === undefined) this.early.set(logical, { low, high });
    else this.range(logical, { low, high }, expected);
  }

  private range(logical: number, found: { low: number; high: number }, expected: Expected): void {
    // the lowest bit of an entry says that it continues with the hash of the one before
    if (found.low < (expected.low & ~1) >>> 0 || found.high >= expected.high)
      this.fault(
        `block ${logical} has hashes 0x${found.low.toString(16)} to 0x${found.high.toString(16)}, not in 0x${expected.low.toString(16)} to 0x${expected.high.toString(16)}`,
      );
  }

  /** When all blocks were seen. */
  finish(blocks: number): void {
    if (this.broken) return;
    for (const logical of this.later.keys()) this.fault(`block ${logical} is a node that no other names`);
    for (let logical = 1; logical < blocks; logical++)
      if (!this.expected.has(logical) && !this.later.has(logical)) this.fault(`block ${logical} is not named by it`);
    for (const [logical, { level }] of this.expected)
      if (level <= this.levels && !this.nodes.has(logical)) this.fault(`block ${logical} is not a node`);
  }
}
