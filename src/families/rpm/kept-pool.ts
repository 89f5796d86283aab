import { createHash } from 'node:crypto';
import { isBuildError } from '../../errors/error.ts';
import type { Cache } from '../../fetch/cache.ts';
import { KEPT_VERSION } from './kept.ts';
import { packArrays, unpackArrays } from './kept-arrays.ts';
import { type KeptPool, Pool } from './solver/pool.ts';
import { TextList } from './solver/texts.ts';
import { KINDS, type Kind, type Lists, type PoolOptions, type SolverRepository } from './solver/types.ts';

/** Increase when the layout below changes, or what a pool makes of its tables: kept files of another version are made anew. */
const VERSION = 2;
const MAGIC = 0x4c4f4f50;
/** A pool of fewer packages is made faster than read. */
const FEW_PACKAGES = 4000;
const NUMBERS = 11 + 2 * KINDS.length;

/** A repository, and the digest of the metadata that its table was read from; without one its pool is not kept. */
export type DigestedRepository = SolverRepository & { readonly digest?: string | undefined };

/**
 * The pool of all packages. That of many packages is kept in the cache, with its index of what they provide: reading it
 * takes a tenth of the time of making it.
 */
export async function poolOf(
  repositories: readonly DigestedRepository[],
  options: PoolOptions,
  cache: Cache,
): Promise<Pool> {
  const count = repositories.reduce((sum, one) => sum + one.packages.name.length, 0);
  if (count < FEW_PACKAGES || repositories.some((one) => one.digest === undefined))
    return new Pool(repositories, options);
  const hash = createHash('sha256');
  const places = repositories.map(({ digest, priority, cost }) => [digest, priority, cost]);
  hash.update(JSON.stringify([KEPT_VERSION, options.architecture, places]));
  const key = `${hash.digest('hex')}.pool-${VERSION}`;
  const bytes = cache.read('parsed', key);
  const kept = bytes && unpackPool(bytes);
  if (kept !== undefined) return new Pool(repositories, options, kept);
  const pool = new Pool(repositories, options);
  try {
    await cache.write('parsed', key, Buffer.concat(packPool(pool.parts())));
  } catch (error) {
    // the pool is usable without being kept
    if (!isBuildError(error, 'WRITE_FAILED')) throw error;
  }
  return pool;
}

/** A pool as it is kept. */
export function packPool({ relations, dependencies, ...own }: KeptPool): Uint8Array[] {
  const numbers = [
    ...[relations.canonical, relations.index, relations.names, relations.operators, relations.operands],
    ...[own.name, own.evr, own.arch, own.data, own.offsets, own.provided],
    ...KINDS.flatMap((kind) => [dependencies[kind].starts, dependencies[kind].items]),
  ];
  return packArrays(MAGIC, VERSION, { numbers, texts: [new TextList(relations.texts)] });
}

/** The inverse of {@link packPool}; undefined when the bytes are incomplete, damaged or of another version. */
export function unpackPool(bytes: Uint8Array): KeptPool | undefined {
  const kept = unpackArrays(bytes, MAGIC, VERSION, { numbers: NUMBERS, texts: 1 });
  if (kept === undefined) return undefined;
  let at = 0;
  const numbers = () => kept.numbers[at++]!;
  const lists = (): Lists => ({ starts: numbers(), items: numbers() });
  const texts = kept.texts[0]!.toArray();
  const relations = {
    ...{ texts, canonical: numbers(), index: numbers() },
    ...{ names: numbers(), operators: numbers(), operands: numbers() },
  };
  const columns = { name: numbers(), evr: numbers(), arch: numbers() };
  const providers = { data: numbers(), offsets: numbers(), provided: numbers() };
  const dependencies = Object.fromEntries(KINDS.map((kind) => [kind, lists()])) as Record<Kind, Lists>;
  return { relations, ...columns, ...providers, dependencies };
}
