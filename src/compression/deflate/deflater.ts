import { copyOf } from '../../bytes/content.ts';
import { assemble, compile, type Instance, instantiate } from '../wasm/assemble.ts';
import { DEFLATE, OUTPUT_MAX, PLACE } from './code.ts';
import { type Alphabet, Code, codesOf } from './huffman.ts';
import {
  CODE_LENGTH_EXTRA,
  CODE_LENGTH_ORDER,
  CODE_LENGTHS,
  DISTANCE_BASE,
  DISTANCE_EXTRA,
  DISTANCES,
  distanceSymbols,
  END,
  FIRST_LENGTH,
  FIXED_DISTANCES,
  FIXED_LITERALS,
  LENGTH_BASE,
  LENGTH_EXTRA,
  LITERALS,
  lengthSymbols,
} from './tables.ts';

/** What a level does; zlib's table. */
interface Level {
  readonly good: number;
  readonly lazy: number;
  readonly nice: number;
  readonly depth: number;
  /** Takes each match at once. */
  readonly fast?: true;
}

const LEVELS: readonly (Level | undefined)[] = [
  undefined,
  { good: 4, lazy: 4, nice: 8, depth: 4, fast: true },
  { good: 4, lazy: 5, nice: 16, depth: 8, fast: true },
  { good: 4, lazy: 6, nice: 32, depth: 32, fast: true },
  { good: 4, lazy: 4, nice: 16, depth: 16 },
  { good: 8, lazy: 16, nice: 32, depth: 32 },
  { good: 8, lazy: 16, nice: 128, depth: 128 },
  { good: 8, lazy: 32, nice: 128, depth: 256 },
  { good: 32, lazy: 128, nice: 258, depth: 1024 },
  { good: 32, lazy: 258, nice: 258, depth: 4096 },
];

/** The most bytes that one call takes, with those that precede. Output of incompressible input is a little longer. */
export const INPUT_MAX = 256 * 1024 + 32 * 1024;

/** Size of zlib's window, and what it keeps free in it. */
const WINDOW = 32 * 1024;
const FREE = 262;
/**
 * Symbols of a full block: zlib's memory level 7. Its default is 8. Smaller blocks fit the mixture of a root file system
 * better: measured 0.4 % smaller at the same speed.
 */
const SYMBOLS = 2 ** 13 - 1;
/** pako hands its output on in pieces of this size. */
const PIECE = 64 * 1024;

const LITERAL_ALPHABET: Alphabet = {
  size: LITERALS,
  longest: 15,
  extra: LENGTH_EXTRA,
  extraFrom: FIRST_LENGTH,
  fixed: FIXED_LITERALS,
};
const DISTANCE_ALPHABET: Alphabet = {
  size: DISTANCES,
  longest: 15,
  extra: DISTANCE_EXTRA,
  extraFrom: 0,
  fixed: FIXED_DISTANCES,
};
const LENGTH_ALPHABET: Alphabet = { size: CODE_LENGTHS, longest: 7, extra: CODE_LENGTH_EXTRA, extraFrom: 0 };

const FIXED_LITERAL_CODES = codesOf(FIXED_LITERALS);
const FIXED_DISTANCE_CODES = Uint16Array.from(codesOf(new Uint8Array(32).fill(5)).subarray(0, DISTANCES));

/** A mutable global of the code. */
interface Global {
  value: number;
}

/** What the code has for us. */
interface Exports extends Instance {
  readonly depth: Global;
  readonly good: Global;
  readonly lazy: Global;
  readonly nice: Global;
  readonly full: Global;
  readonly barred: Global;
  readonly at: Global;
  readonly edge: Global;
  readonly count: Global;
  readonly length: Global;
  readonly open: Global;
  readonly out: Global;
  readonly held: Global;
  enter(at: number, end: number): void;
  slow(end: number): number;
  fast(end: number): number;
  put(value: number, bits: number): void;
  align(): void;
  write(): void;
}

let compiled: object | undefined;

/**
 * Deflates (RFC 1951). The output is that of pako's `Deflate` with `raw`, the same level, memory level 7 and a chunk size of
 * 64 KiB: integer arithmetic only, so that it is the same on every machine.
 */
export class Deflater {
  private readonly code: Exports;
  private readonly memory: Uint8Array;
  private readonly view: DataView;
  private readonly literals = new Code(LITERAL_ALPHABET);
  private readonly distances = new Code(DISTANCE_ALPHABET);
  private readonly lengths = new Code(LENGTH_ALPHABET);
  /** Where the last stored block ended. */
  private aligned = 0;
  /** Symbols of the code lengths of both codes, each with its further bits. */
  private readonly runs: number[] = [];

  constructor() {
    compiled ??= compile(assemble(DEFLATE));
    this.code = instantiate<Exports>(compiled);
    this.memory = new Uint8Array(this.code.memory.buffer);
    this.view = new DataView(this.code.memory.buffer);
    this.memory.set(lengthSymbols(), PLACE.lengthSymbols);
    this.memory.set(distanceSymbols(), PLACE.distanceSymbols);
    for (let i = 0; i < DISTANCES; i++)
      this.view.setUint32(PLACE.distanceBases + 4 * i, DISTANCE_BASE[i]! | (DISTANCE_EXTRA[i]! << 24), true);
  }

  /**
   * Deflates `bytes` from `before` on, at most {@link INPUT_MAX}; what precedes is what matches may refer to. The last part
   * ends the stream, each other ends at a byte with an empty stored block.
   */
  deflate(bytes: Uint8Array, before: number, level: number, last: boolean): Uint8Array<ArrayBuffer> {
    if (bytes.length > INPUT_MAX) throw new RangeError(`an input of ${bytes.length} bytes`);
    const { code } = this;
    const end = this.begin(bytes, before, level);
    const find = LEVELS[level]!.fast ? code.fast : code.slow;
    let start = PLACE.input + before;
    const block = (isLast: boolean) => {
      this.block(start, isLast);
      start = code.edge.value;
    };
    while (find(end) === 1) block(false);
    if (last) {
      block(true);
      code.align();
    } else {
      if (code.count.value > 0) block(false);
      const flushed = this.flushed();
      this.stored(0, 0, false);
      // pako writes this mark again when the end of a piece of its output cuts the first one
      if (Math.floor((code.out.value - PLACE.output) / PIECE) > Math.floor(flushed / PIECE)) this.stored(0, 0, false);
    }
    return copyOf(this.memory.subarray(PLACE.output, code.out.value));
  }

  /** Bytes that pako has handed on: it holds 16 bits back, counted from the last stored block. */
  private flushed(): number {
    const { out, held } = this.code;
    const bits = 8 * (out.value - this.aligned) + held.value;
    return this.aligned - PLACE.output + (bits > 0 ? 2 * Math.floor((bits - 1) / 16) : 0);
  }

  /** Copies the input, enters what precedes; returns the address of the end. */
  private begin(bytes: Uint8Array, before: number, level: number): number {
    const { code, memory } = this;
    const { good, lazy, nice, depth } = LEVELS[level]!;
    const { input } = PLACE;
    const end = input + bytes.length;
    memory.fill(0, PLACE.heads, PLACE.heads + 4 * 32768);
    memory.fill(0, PLACE.literalCounts, PLACE.literalCodes);
    memory.set(bytes, input);
    for (const [name, value] of Object.entries({ good, lazy, nice, depth })) code[name as 'good'].value = value;
    code.full.value = SYMBOLS;
    code.at.value = code.edge.value = input + before;
    code.out.value = this.aligned = PLACE.output;
    code.length.value = 2;
    code.count.value = code.open.value = 0;
    // the hash of the last three bytes that precede is made when what follows is not yet known
    const known = Math.max(0, before - 3);
    code.enter(input, input + known);
    if (before >= 3) {
      const next = memory[input + before]!;
      memory[input + before] = 0;
      code.enter(input + known, input + known + 1);
      memory[input + before] = next;
    }
    code.enter(input + Math.max(0, before - 2), Math.min(input + before, end - 2));
    this.imitateWindow(bytes.length, end);
    return end;
  }

  /**
   * zlib moves its window of 64 KiB by half of it. Two things depend on where the window is at the end: the byte behind
   * the input, which the hash of the last three bytes takes in, and whether the first byte of the window is found.
   */
  private imitateWindow(size: number, end: number): void {
    const turn = 2 * WINDOW - FREE;
    let base = Math.max(0, Math.ceil((size - 2 * WINDOW) / WINDOW)) * WINDOW;
    const isMoved = size - base >= turn && size - base < 2 * WINDOW;
    this.code.barred.value = isMoved ? PLACE.input + base + turn : 0;
    if (size - 3 - base >= turn) base += WINDOW;
    this.memory[end] = base > 0 ? this.memory[end - WINDOW]! : 0;
  }

  /** Writes the symbols found since `start` as the smallest kind of block. */
  private block(start: number, last: boolean): void {
    const { code, literals, distances, lengths } = this;
    this.takeCounts();
    literals.counts[END] = 1;
    literals.make();
    distances.make();
    const shown = this.describe();
    const size = code.edge.value - start;
    const fixed = (literals.fixedBits + distances.fixedBits + 3 + 7) >>> 3;
    const own = (literals.bits + distances.bits + lengths.bits + 3 * shown + 14 + 3 + 7) >>> 3;
    const least = Math.min(fixed, own);
    if (size + 4 <= least) this.stored(start, size, last);
    else if (fixed === least) {
      code.put(2 + Number(last), 3);
      this.write(FIXED_LITERALS, FIXED_LITERAL_CODES, FIXED_DISTANCES, FIXED_DISTANCE_CODES);
    } else {
      code.put(4 + Number(last), 3);
      this.writeCodes(shown);
      this.write(literals.lengths, literals.codes, distances.lengths, distances.codes);
    }
    code.count.value = 0;
    this.memory.fill(0, PLACE.literalCounts, PLACE.literalCodes);
  }

  private takeCounts(): void {
    const { view, literals, distances } = this;
    for (let i = 0; i < LITERALS; i++) literals.counts[i] = view.getUint32(PLACE.literalCounts + 4 * i, true);
    for (let i = 0; i < DISTANCES; i++) distances.counts[i] = view.getUint32(PLACE.distanceCounts + 4 * i, true);
  }

  /** Makes the code of the lengths of both codes; returns how many of its own lengths are written. */
  private describe(): number {
    const { literals, distances, lengths, runs } = this;
    lengths.counts.fill(0);
    runs.length = 0;
    for (const { lengths: bits, last } of [literals, distances]) runsOf(bits, last, runs);
    for (let i = 0; i < runs.length; i += 2) lengths.counts[runs[i]!]!++;
    lengths.make();
    let shown: number = CODE_LENGTHS;
    while (shown > 4 && lengths.lengths[CODE_LENGTH_ORDER[shown - 1]!] === 0) shown--;
    return shown;
  }

  private writeCodes(shown: number): void {
    const { code, literals, distances, lengths, runs } = this;
    code.put(literals.last + 1 - FIRST_LENGTH, 5);
    code.put(distances.last, 5);
    code.put(shown - 4, 4);
    for (let i = 0; i < shown; i++) code.put(lengths.lengths[CODE_LENGTH_ORDER[i]!]!, 3);
    for (let i = 0; i < runs.length; i += 2) {
      const symbol = runs[i]!;
      code.put(lengths.codes[symbol]!, lengths.lengths[symbol]!);
      if (CODE_LENGTH_EXTRA[symbol]! > 0) code.put(runs[i + 1]!, CODE_LENGTH_EXTRA[symbol]!);
    }
  }

  private write(literals: Uint8Array, codes: Uint16Array, distances: Uint8Array, distanceCodes: Uint16Array): void {
    const { view, code } = this;
    const set = (table: number, i: number, value: number, bits: number) =>
      view.setUint32(table + 4 * i, value | (bits << 24), true);
    for (let i = 0; i <= END; i++) set(PLACE.literalCodes, i, codes[i]!, literals[i]!);
    for (let symbol = 0; symbol < LENGTH_EXTRA.length; symbol++) {
      const bits = literals[FIRST_LENGTH + symbol]!;
      if (bits === 0) continue;
      const extra = LENGTH_EXTRA[symbol]!;
      const first = LENGTH_BASE[symbol]!;
      const after = symbol === 28 ? 256 : Math.min(first + 2 ** extra, 255);
      for (let i = first; i < after; i++)
        set(PLACE.lengthCodes, i, codes[FIRST_LENGTH + symbol]! | ((i - first) << bits), bits + extra);
    }
    for (let i = 0; i < DISTANCES; i++) set(PLACE.distanceCodes, i, distanceCodes[i]!, distances[i]!);
    code.write();
    code.put(codes[END]!, literals[END]!);
  }

  /** A stored block. */
  private stored(start: number, size: number, last: boolean): void {
    const { code, memory } = this;
    code.put(Number(last), 3);
    code.align();
    code.put(size, 16);
    code.put(size ^ 0xffff, 16);
    memory.copyWithin(code.out.value, start, start + size);
    this.aligned = code.out.value += size;
    if (code.out.value > PLACE.output + OUTPUT_MAX) throw new RangeError('the output is longer than it can be');
  }
}

/**
 * Appends the lengths of a code as symbols: 0 to 15 a length, 16 the last length 3 to 6 times more, 17 and 18 zeros; each
 * with its further bits. Which runs are taken together is zlib's choice.
 */
function runsOf(lengths: Uint8Array, last: number, runs: number[]): void {
  let former = -1;
  for (let at = 0; at <= last; ) {
    const length = lengths[at]!;
    const most = length === 0 ? 138 : length === former ? 6 : 7;
    const least = length === 0 || length === former ? 3 : 4;
    let count = 1;
    while (count < most && at + count <= last && lengths[at + count] === length) count++;
    if (count < least) for (let i = 0; i < count; i++) runs.push(length, 0);
    else if (length !== 0) {
      if (length !== former) runs.push(length, 0);
      runs.push(16, count - Number(length !== former) - 3);
    } else if (count <= 10) runs.push(17, count - 3);
    else runs.push(18, count - 11);
    former = length;
    at += count;
  }
}
