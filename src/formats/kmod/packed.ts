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
