import { BIG_ENDIAN } from '../../bytes/byte-order.ts';
import { assemble, compile, type Instance, instantiate } from '../../compression/wasm/assemble.ts';
import { INPUT, SYMBOLS } from './symbols-code.ts';

/** Names of symbols, each once as far as that costs little. */
export interface SymbolNames {
  /** The names, each ended by NUL. */
  readonly bytes: Uint8Array;
  /** The hash of each: FNV-1a, its upper half mixed into its lower one. */
  readonly hashes: Int32Array;
  /** Where each ends, with its NUL. */
  readonly ends: Int32Array;
}

/** No names. */
export const NO_NAMES: SymbolNames = { bytes: new Uint8Array(0), hashes: new Int32Array(0), ends: new Int32Array(0) };

/** The tables of one module, and how they are read. */
export interface SymbolTables {
  readonly symbols: Uint8Array;
  readonly strings: Uint8Array;
  /** `__versions`: 64 bytes for each name that has a checksum. */
  readonly versions: Uint8Array;
  readonly wide: boolean;
  readonly little: boolean;
  /** True where a symbol may name a register. */
  readonly registers: boolean;
}

/** Bytes of names, which can be many more than the table has: thousands of symbols may have one long name. */
export const NAMES_LIMIT = 64 << 20;

/** Why names could not be gathered: too many bytes, or a name that is outside of the strings. */
export type NamesTrouble = 'many' | 'outside';

interface Variable {
  value: number;
}

/** What the code has for us; see there. */
interface Code extends Instance {
  readonly names: Variable;
  readonly used: Variable;
  readonly limit: Variable;
  readonly hashes: Variable;
  readonly ends: Variable;
  readonly count: Variable;
  readonly read: Variable;
  readonly most: Variable;
  readonly list: Variable;
  readonly section0: Variable;
  readonly section1: Variable;
  readonly section2: Variable;
  readonly section3: Variable;
  readonly section4: Variable;
  sections(...args: [table: number, count: number, step: number, names: number, size: number, big: number]): void;
  needed(
    ...args: [
      at: number,
      end: number,
      step: number,
      section: number,
      kind: number,
      strings: number,
      size: number,
      big: number,
    ]
  ): number;
  exported(...args: [at: number, end: number, step: number, strings: number, size: number, big: number]): number;
  versions(at: number, end: number, skip: number): number;
  listed(at: number, end: number): number;
}

const PAGE = 1 << 16;

/** Space for names that there is at first; more is taken when it is full. */
const FIRST_NAMES = 1 << 16;

/** An instance with more memory is not used again. */
const MEMORY_KEPT = 64 << 20;

let compiled: object | undefined;
let code: Code | undefined;
let memory = new Uint8Array(0);

/** Makes sure that the memory has `size` bytes. */
function reserve(size: number): Code {
  if (code === undefined || (memory.length > MEMORY_KEPT && size <= MEMORY_KEPT)) {
    compiled ??= compile(assemble(SYMBOLS));
    code = instantiate<Code>(compiled);
    code.most.value = NAMES_LIMIT;
    memory = new Uint8Array(code.memory.buffer);
  }
  if (size > memory.length) grow(code, size);
  return code;
}

function grow(one: Code, size: number): void {
  one.memory.grow(Math.ceil((size - memory.length) / PAGE));
  memory = new Uint8Array(one.memory.buffer);
}

/** Bytes behind the names of sections that are read with them. */
const SLACK = 32;

/**
 * The numbers of the sections in {@link SECTIONS}, 0 for one that is not there. `table` has `step` bytes for each section, which
 * begin with the place of its name in `names`.
 */
export function findSections(table: Uint8Array, step: number, names: Uint8Array, little: boolean): number[] {
  const namesAt = INPUT + table.length;
  const one = reserve(namesAt + names.length + SLACK);
  memory.set(table, INPUT);
  memory.set(names, namesAt);
  one.sections(INPUT, table.length / step, step, namesAt, names.length, little ? 0 : 1);
  return [one.section0.value, one.section1.value, one.section2.value, one.section3.value, one.section4.value];
}

/** The names that a module needs and exports. `trouble` makes the error for what cannot be read. */
export function symbolNames(
  tables: SymbolTables,
  trouble: (what: NamesTrouble) => Error,
): { readonly needed: SymbolNames; readonly exported: SymbolNames } {
  const { symbols, strings, versions, wide, registers } = tables;
  const step = wide ? 24 : 16;
  const big = tables.little ? 0 : 1;
  const put = place([strings, symbols, versions], symbols.length / step + versions.length / 64);
  const [stringsAt, symbolsAt, versionsAt] = put.inputs as [number, number, number];
  const symbolsEnd = symbolsAt + symbols.length;
  const first = symbolsAt + step;
  const needed = gather(put, trouble, (one) => [
    [
      first,
      symbolsEnd,
      (at) =>
        one.needed(
          at,
          symbolsEnd,
          step,
          wide ? 6 : 14,
          registers ? (wide ? 4 : 12) : 0,
          stringsAt,
          strings.length,
          big,
        ),
    ],
    // names with a checksum that no symbol needs: module_layout
    [versionsAt, versionsAt + versions.length, (at) => one.versions(at, versionsAt + versions.length, wide ? 8 : 4)],
  ]);
  const exported = gather(put, trouble, (one) => [
    [first, symbolsEnd, (at) => one.exported(at, symbolsEnd, step, stringsAt, strings.length, big)],
  ]);
  return { needed, exported };
}

/** The names in a section that has nothing else: what a module without checksums exports. */
export function listedNames(strings: Uint8Array, trouble: (what: NamesTrouble) => Error): SymbolNames {
  const put = place([strings], strings.length / 2);
  const [at] = put.inputs as [number];
  return gather(put, trouble, (one) => [[at, at + strings.length, (from) => one.listed(from, at + strings.length)]]);
}

/** Addresses of inputs and of what is made of them. */
interface Places {
  readonly inputs: readonly number[];
  readonly ends: number;
  readonly hashes: number;
  readonly names: number;
}

/** Copies inputs into the memory, with space for the numbers of `count` names behind them. */
function place(inputs: readonly Uint8Array[], count: number): Places {
  const aligned = (at: number) => (at + 7) & ~7;
  let end = INPUT;
  const addresses = inputs.map(({ length }) => {
    const at = end;
    end = aligned(at + length);
    return at;
  });
  // a zero is before the first end
  const ends = end + 8;
  const hashes = aligned(ends + 4 * Math.ceil(count));
  const names = aligned(hashes + 4 * Math.ceil(count));
  reserve(names + FIRST_NAMES);
  for (let i = 0; i < inputs.length; i++) memory.set(inputs[i]!, addresses[i]);
  memory.fill(0, ends - 4, ends);
  return { inputs: addresses, ends, hashes, names };
}

/** A part of the work: where it begins and ends, and a function that goes on from an address and says how far it came. */
type Part = readonly [from: number, end: number, run: (at: number) => number];

function gather(put: Places, trouble: (what: NamesTrouble) => Error, parts: (one: Code) => Part[]): SymbolNames {
  const start = code!;
  start.names.value = put.names;
  start.used.value = put.names;
  start.limit.value = memory.length;
  start.hashes.value = put.hashes;
  start.ends.value = put.ends;
  start.count.value = 0;
  start.read.value = 0;
  start.list.value++;
  for (const [from, end, run] of parts(start)) {
    for (let at = from; at < end; ) {
      at = run(at);
      if (at === 0) throw trouble('outside');
      if (at >= end) break;
      if (start.read.value > NAMES_LIMIT) throw trouble('many');
      grow(start, 2 * memory.length);
      start.limit.value = memory.length;
    }
  }
  const count = start.count.value;
  if (count === 0) return NO_NAMES;
  return {
    bytes: kept(memory.subarray(put.names, start.used.value)),
    hashes: keptNumbers(put.hashes, count),
    ends: keptNumbers(put.ends, count),
  };
}

/** Memory that facts of many modules share, in pieces of this many elements. */
const SHARE = 1 << 18;
let freeBytes: Uint8Array = new Uint8Array(0);
let numbers = new Int32Array(0);
/** The same memory as bytes. */
let numberBytes = Buffer.from(numbers.buffer);
let usedNumbers = 0;

/** A copy in memory that is shared with others: thousands of small pieces cost more than their bytes. */
export function kept(bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  if (length > freeBytes.length) freeBytes = new Uint8Array(Math.max(SHARE, length));
  freeBytes.set(bytes);
  const copy = freeBytes.subarray(0, length);
  freeBytes = freeBytes.subarray(length);
  return copy;
}

/** A copy of numbers of the code, which has the lowest byte first on every machine. */
function keptNumbers(at: number, count: number): Int32Array {
  if (usedNumbers + count > numbers.length) {
    numbers = new Int32Array(Math.max(SHARE / 4, count));
    numberBytes = Buffer.from(numbers.buffer);
    usedNumbers = 0;
  }
  const from = usedNumbers;
  usedNumbers += count;
  numberBytes.set(memory.subarray(at, at + 4 * count), 4 * from);
  if (BIG_ENDIAN) numberBytes.subarray(4 * from, 4 * usedNumbers).swap32();
  return numbers.subarray(from, usedNumbers);
}
