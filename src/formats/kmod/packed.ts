import type { ModuleData } from './module.ts';
import { NO_NAMES, type SymbolNames } from './symbols.ts';

/**
 * Facts of many modules in two arrays, which go from thread to thread at once: an array for each of thousands of lists would
 * cost more than what is in it.
 */
export interface PackedModules {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly numbers: Int32Array<ArrayBuffer>;
  /** Of each module, what is not in the arrays; undefined where there are no facts. */
  readonly heads: readonly (PackedHead | undefined)[];
}

type PackedHead = Pick<ModuleData, 'bits' | 'littleEndian' | 'machine'>;

/** Copies facts of modules into arrays. */
export function packModules(modules: readonly (ModuleData | undefined)[]): PackedModules {
  let size = 0;
  let count = 0;
  for (const one of modules) {
    if (one === undefined) continue;
    size += one.info.length + one.exported.bytes.length + one.needed.bytes.length;
    // a size for each of the three, and two numbers for each name
    count += 5 + 2 * (one.exported.hashes.length + one.needed.hashes.length);
  }
  const bytes = new Uint8Array(size);
  const numbers = new Int32Array(count);
  let at = 0;
  let place = 0;
  const put = (part: Uint8Array) => {
    bytes.set(part, at);
    at += part.length;
    numbers[place++] = part.length;
  };
  const putNames = (names: SymbolNames) => {
    put(names.bytes);
    const { length } = names.hashes;
    numbers[place++] = length;
    numbers.set(names.hashes, place);
    numbers.set(names.ends, place + length);
    place += 2 * length;
  };
  const heads = modules.map((one) => {
    if (one === undefined) return undefined;
    put(one.info);
    putNames(one.exported);
    putNames(one.needed);
    const { bits, littleEndian, machine } = one;
    return { bits, littleEndian, machine };
  });
  return { bytes, numbers, heads };
}

/** The facts as views of the arrays. */
export function unpackModules({ bytes, numbers, heads }: PackedModules): (ModuleData | undefined)[] {
  let at = 0;
  let place = 0;
  const take = () => {
    const size = numbers[place++]!;
    at += size;
    return bytes.subarray(at - size, at);
  };
  const takeNames = (): SymbolNames => {
    const names = take();
    const count = numbers[place++]!;
    if (count === 0) return NO_NAMES;
    place += 2 * count;
    return {
      bytes: names,
      hashes: numbers.subarray(place - 2 * count, place - count),
      ends: numbers.subarray(place - count, place),
    };
  };
  return heads.map((head) =>
    head === undefined ? undefined : { ...head, info: take(), exported: takeNames(), needed: takeNames() },
  );
}

const NEWLINE = 10;
const WORD = 4;

/** The first line of stored facts. */
interface StoredHead {
  readonly heads: readonly PackedHead[];
  /** Numbers that follow at the next word; the rest are the bytes. */
  readonly count: number;
}

/** Facts of modules as bytes, for machines with this one's order of bytes: a line of JSON, numbers, bytes. */
export function storeModules(modules: readonly ModuleData[]): Uint8Array {
  const { heads, numbers, bytes } = packModules(modules);
  const text = `${JSON.stringify({ heads, count: numbers.length })}\n`;
  const head = Buffer.alloc(padded(text.length));
  head.write(text, 'latin1');
  return Buffer.concat([head, new Uint8Array(numbers.buffer), bytes]);
}

/** The facts that {@link storeModules} stored; undefined when they are not in that form. */
export function storedModules(stored: Uint8Array): readonly ModuleData[] | undefined {
  const end = stored.indexOf(NEWLINE);
  const head = end < 0 ? undefined : headOf(Buffer.from(stored.subarray(0, end)).toString('latin1'));
  if (head === undefined) return undefined;
  const at = padded(end + 1);
  const bytesAt = at + WORD * head.count;
  if (bytesAt > stored.length) return undefined;
  // numbers are read in words, and what was read from a file starts anywhere
  const numbers = new Int32Array(head.count);
  new Uint8Array(numbers.buffer).set(stored.subarray(at, bytesAt));
  const packed = { heads: head.heads, numbers, bytes: new Uint8Array(stored.subarray(bytesAt)) };
  return fits(packed) ? (unpackModules(packed) as ModuleData[]) : undefined;
}

function headOf(text: string): StoredHead | undefined {
  let value: Partial<StoredHead> | null;
  try {
    value = JSON.parse(text) as Partial<StoredHead> | null;
  } catch {
    return undefined;
  }
  const { heads, count } = value ?? {};
  const isHead = (one: Partial<PackedHead> | null) =>
    (one?.bits === 32 || one?.bits === 64) && typeof one.littleEndian === 'boolean' && typeof one.machine === 'string';
  if (!Array.isArray(heads) || !heads.every(isHead) || !Number.isSafeInteger(count) || count! < 0) return undefined;
  return { heads: heads as PackedHead[], count: count! };
}

/** True when the numbers describe exactly the bytes. */
function fits({ heads, numbers, bytes }: PackedModules): boolean {
  let at = 0;
  let place = 0;
  const take = (): number | undefined => {
    const size = numbers[place++];
    if (size === undefined || size < 0) return undefined;
    at += size;
    return size;
  };
  const takeNames = (): boolean => {
    const size = take();
    const count = numbers[place++];
    if (size === undefined || count === undefined || count < 0 || place + 2 * count > numbers.length) return false;
    let before = 0;
    for (const end of numbers.subarray(place + count, place + 2 * count)) {
      if (end < before || end > size) return false;
      before = end;
    }
    place += 2 * count;
    return true;
  };
  for (const _ of heads) if (take() === undefined || !takeNames() || !takeNames()) return false;
  return at === bytes.length && place === numbers.length;
}

function padded(size: number): number {
  return Math.ceil(size / WORD) * WORD;
}
