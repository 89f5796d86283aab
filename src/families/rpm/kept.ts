import { packArrays, unpackArrays } from './kept-arrays.ts';
import type { Primary } from './primary.ts';
import type { Texts } from './solver/texts.ts';
import { KINDS, type Kind, type Lists } from './solver/types.ts';

/** Increase when the layout below changes, or what is read of primary.xml: kept files of another version are made anew. */
export const KEPT_VERSION = 3;
const MAGIC = 0x4d50524b;

/** A parsed package list as it is kept in the cache. */
export function keptBytes({ table, facts }: Primary): Uint8Array[] {
  const { relations, dependencies } = table;
  const numbers = [
    ...[relations.name, relations.evr, Int32Array.from(relations.flags)],
    ...[table.name, table.evr, table.arch, table.files.starts, table.files.items],
    ...KINDS.flatMap((kind) => [dependencies[kind].starts, dependencies[kind].items]),
  ];
  return packArrays(MAGIC, KEPT_VERSION, { numbers, texts: [table.texts, facts] });
}

/** The inverse of {@link keptBytes}; undefined when the bytes are incomplete, damaged or of another version. */
export function keptPrimary(bytes: Uint8Array): Primary | undefined {
  const kept = unpackArrays(bytes, MAGIC, KEPT_VERSION, { numbers: 8 + 2 * KINDS.length, texts: 2 });
  if (kept === undefined) return undefined;
  const [texts, facts] = kept.texts as [Texts, Texts];
  let at = 0;
  const numbers = () => kept.numbers[at++]!;
  const lists = (): Lists => ({ starts: numbers(), items: numbers() });
  const relations = { name: numbers(), evr: numbers(), flags: Uint8Array.from(numbers()) };
  const columns = { name: numbers(), evr: numbers(), arch: numbers(), files: lists() };
  const dependencies = Object.fromEntries(KINDS.map((kind) => [kind, lists()])) as Record<Kind, Lists>;
  return { table: { texts, relations, ...columns, dependencies }, facts };
}
