import { hash } from 'node:crypto';
import { type Content, isZeroPage, memory, type Reopening, zeroPieces } from '../../bytes/content.ts';
import { taskModule } from '../../workers/pool.ts';
import { jobs, pool } from '../../workers/shared.ts';
import { type Geometry, geometryOf, placeOf } from './geometry.ts';
import { type HashShare, hashParts } from './hash-file.ts';
import { type HashInput, hashRecords, saltRecords } from './hash-task.ts';
import type { HashFormat } from './layout.ts';

const TASK = taskModule('./hash-task', import.meta.url);
const FILE_TASK = taskModule('./hash-file-task', import.meta.url);

/** Bytes of blocks that a thread digests at a time. */
const BATCH = 1 << 20;
/** Less data than this is digested by the calling thread alone. */
const WORTH_THREADS = 8 << 20;

/** The hash tree of some data. */
export interface HashTree {
  readonly root: Uint8Array;
  /** All levels, top first; empty for one block of data. */
  readonly bytes: Uint8Array;
  readonly geometry: Geometry;
}

/**
 * Computes a hash tree while data passes by. Blocks are copied into memory that all threads see and digested there, while
 * the caller produces the next ones; the bytes do not depend on the number of threads. Memory: the tree, which is 1/128 of
 * the data, and a few batches.
 */
export class TreeBuilder {
  readonly geometry: Geometry;
  private readonly format: HashFormat;
  private readonly tree: SharedArrayBuffer;
  private readonly view: Buffer;
  private readonly recordSize: number;
  /** Where a block begins in a record. */
  private readonly lead: number;
  private readonly threads: number;
  private readonly zeroBlock: Uint8Array;
  private zeroDigest: string | undefined;
  private readonly free: SharedArrayBuffer[] = [];
  private readonly flying: Promise<SharedArrayBuffer>[] = [];
  private slot: SharedArrayBuffer | undefined;
  private records: Uint8Array = new Uint8Array(0);
  private places: number[] = [];
  /** Blocks begun so far, and bytes of the last one. */
  private blocks = 0;
  private filled = 0;
  private failure: Error | undefined;

  /** `dataSize` is in bytes, a multiple of the block size. */
  constructor(dataSize: number, format: HashFormat) {
    const { dataBlockSize, salt, hashType } = format;
    if (dataSize % dataBlockSize !== 0)
      throw new RangeError(`${dataSize} bytes are not a whole number of blocks of ${dataBlockSize}`);
    this.format = format;
    this.geometry = geometryOf(dataSize / dataBlockSize, format);
    this.tree = treeMemory(this.geometry, format);
    this.view = Buffer.from(this.tree);
    this.recordSize = salt.length + dataBlockSize;
    this.lead = hashType === 1 ? salt.length : 0;
    this.threads = dataSize < WORTH_THREADS || jobs() < 2 ? 0 : jobs();
    this.zeroBlock = new Uint8Array(dataBlockSize);
  }

  /** Takes the next bytes; they are copied before this returns. Wait for the promise, if there is one, before the next. */
  update(piece: Uint8Array): Promise<void> | undefined {
    const { dataBlockSize } = this.format;
    const zeros = isZeroPage(piece);
    for (let at = 0; at < piece.length; ) {
      const left = piece.length - at;
      if (this.filled === 0 && left >= dataBlockSize) {
        const block = piece.subarray(at, at + dataBlockSize);
        if (zeros || Buffer.compare(block, this.zeroBlock) === 0) {
          this.writeZeroDigest(this.next());
          at += dataBlockSize;
          continue;
        }
      }
      if (this.filled === 0) this.places.push(this.next());
      const size = Math.min(left, dataBlockSize - this.filled);
      const record = (this.places.length - 1) * this.recordSize + this.lead;
      this.room().set(size === piece.length ? piece : piece.subarray(at, at + size), record + this.filled);
      at += size;
      this.filled += size;
      if (this.filled < dataBlockSize) continue;
      this.filled = 0;
      if ((this.places.length + 1) * this.recordSize > this.records.length) this.dispatch();
    }
    return this.flying.length > this.threads ? this.settle(this.threads) : undefined;
  }

  /** Ends the data. Throws what went wrong in a thread. */
  async finish(): Promise<HashTree> {
    if (this.filled > 0 || this.blocks !== this.geometry.dataBlocks)
      throw new RangeError(`${this.blocks} blocks of data came, ${this.geometry.dataBlocks} were announced`);
    this.dispatch();
    await this.settle(0);
    if (this.failure !== undefined) throw this.failure;
    return completed(this.view, this.geometry, this.format);
  }

  /** The place of the next block's digest. */
  private next(): number {
    const { dataBlocks } = this.geometry;
    if (this.blocks >= dataBlocks) throw new RangeError(`more than the ${dataBlocks} blocks that were announced`);
    return placeOf(this.geometry, this.blocks++);
  }

  private writeZeroDigest(place: number): void {
    this.zeroDigest ??= saltedDigest(this.zeroBlock, this.format).toString('latin1');
    this.view.write(this.zeroDigest, place, 'latin1');
  }

  /** Memory for records, with the salt in each. */
  private room(): Uint8Array {
    if (this.slot !== undefined) return this.records;
    const count = Math.max(1, Math.floor(BATCH / this.recordSize));
    const slot = this.free.pop() ?? this.salted(count);
    this.slot = slot;
    this.records = new Uint8Array(slot);
    return this.records;
  }

  private salted(count: number): SharedArrayBuffer {
    const slot = new SharedArrayBuffer(count * this.recordSize);
    saltRecords(new Uint8Array(slot), count, this.format);
    return slot;
  }

  /** Gives the records so far to a thread, or digests them here. */
  private dispatch(): void {
    const { slot, places } = this;
    if (slot === undefined || places.length === 0) return;
    this.places = [];
    const { algorithm } = this.format;
    if (this.threads === 0) {
      hashRecords(algorithm, this.records, this.recordSize, places, this.view);
      return;
    }
    this.slot = undefined;
    this.records = new Uint8Array(0);
    const input: HashInput = { algorithm, records: slot, size: this.recordSize, places, into: this.tree };
    const done = pool()
      .run<void>(TASK, input)
      .catch((error: unknown) => {
        this.failure ??= error instanceof Error ? error : new Error(String(error));
      });
    this.flying.push(done.then(() => slot));
  }

  /** Waits until at most `most` batches are with the threads. */
  private async settle(most: number): Promise<void> {
    while (this.flying.length > most) this.free.push(await this.flying.shift()!);
  }
}

/** Memory for a tree; the digest of a single block of data goes where a tree would be. */
export function treeMemory({ levels, blocks, digestSize }: Geometry, { hashBlockSize }: HashFormat): SharedArrayBuffer {
  return new SharedArrayBuffer(levels.length === 0 ? digestSize : blocks * hashBlockSize);
}

/** Completes a tree in {@link treeMemory} that has all digests of the data: digests each level into the one above it. */
export function completed(view: Buffer, geometry: Geometry, format: HashFormat): HashTree {
  const { levels, place, digestSize } = geometry;
  const { hashBlockSize } = format;
  if (levels.length === 0)
    return { root: Uint8Array.from(view.subarray(0, digestSize)), bytes: new Uint8Array(0), geometry };
  for (const [i, level] of levels.entries()) {
    const above = levels[i + 1];
    for (let block = 0; block < level.blocks; block++) {
      const start = (level.start + block) * hashBlockSize;
      const digest = saltedDigest(view.subarray(start, start + hashBlockSize), format);
      if (above === undefined) return { root: Uint8Array.from(digest), bytes: view, geometry };
      digest.copy(view, place(above, block));
    }
  }
  throw new RangeError('a tree without a top');
}

/** The digest of one block with the salt. */
export function saltedDigest(block: Uint8Array, { algorithm, salt, hashType }: HashFormat): Buffer {
  const record = hashType === 1 ? [salt, block] : [block, salt];
  return hash(algorithm, Buffer.concat(record), 'buffer');
}

/** The hash tree of data, which all threads read where it is a file, and digest. */
export async function hashTreeOf(data: Content, format: HashFormat): Promise<HashTree> {
  const reopening = data.size < WORTH_THREADS || jobs() < 2 ? undefined : data.reopening?.();
  if (reopening !== undefined) return hashTreeOfFile(data, reopening, format);
  const builder = new TreeBuilder(data.size, format);
  for await (const piece of data.open()) {
    const waiting = builder.update(piece);
    if (waiting !== undefined) await waiting;
  }
  return builder.finish();
}

async function hashTreeOfFile(data: Content, content: Reopening, format: HashFormat): Promise<HashTree> {
  const geometry = geometryOf(data.size / format.dataBlockSize, format);
  const into = treeMemory(geometry, format);
  const begun = new Int32Array(new SharedArrayBuffer(4));
  const share: HashShare = { content, size: data.size, format, into, begun };
  // this thread is one of them
  const others = Array.from({ length: jobs() - 1 }, () => pool().run<void>(FILE_TASK, share));
  const all = Promise.allSettled(others);
  const own = await hashParts(share).catch((error: unknown) => ({ error }));
  const failed = (await all).find((one) => one.status === 'rejected');
  if (own !== undefined) throw own.error;
  if (failed !== undefined) throw failed.reason;
  return completed(Buffer.from(into), geometry, format);
}

/** Data with its hash tree. */
export interface Measured {
  /** The same bytes; the tree is computed while they are read. */
  readonly data: Content;
  /** The tree without a superblock. Opened before the data was read to its end, it reads the data itself. */
  readonly tree: Content;
  /** The root hash; reads the data if nobody has. */
  root(): Promise<Uint8Array>;
}

/**
 * Measures data, so that a disk with data before the tree is written in one pass.
 *
 * @example
 * ```ts
 * import { KATA_FORMAT, measured, memory } from 'osbuilder';
 *
 * const { root } = measured(memory(new Uint8Array(8192)), { ...KATA_FORMAT, salt: new Uint8Array(32) });
 * console.log(Buffer.from(await root()).toString('hex').length); // prints: 64
 * ```
 */
export function measured(data: Content, format: HashFormat): Measured {
  let known: HashTree | undefined;
  const { blocks } = geometryOf(data.size / format.dataBlockSize, format);
  const reading: Content = {
    size: data.size,
    async *open() {
      if (known !== undefined) {
        yield* data.open();
        return;
      }
      const builder = new TreeBuilder(data.size, format);
      for await (const piece of data.open()) {
        const waiting = builder.update(piece);
        yield piece;
        if (waiting !== undefined) await waiting;
      }
      known = await builder.finish();
    },
  };
  const complete = async (): Promise<HashTree> => {
    if (known === undefined && data.reopening !== undefined) known = await hashTreeOf(data, format);
    else if (known === undefined) for await (const _ of reading.open());
    return known!;
  };
  const tree: Content = {
    size: blocks * format.hashBlockSize,
    async *open() {
      yield* memory((await complete()).bytes).open();
    },
  };
  return { data: reading, tree, root: async () => (await complete()).root };
}

/** Pads a content with zeros to a multiple of `size` bytes. */
export function padded(content: Content, size: number): Content {
  const missing = (size - (content.size % size)) % size;
  if (missing === 0) return content;
  return {
    size: content.size + missing,
    async *open() {
      yield* content.open();
      yield* zeroPieces(missing);
    },
  };
}
