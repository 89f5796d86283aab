import type { Pool } from './pool.ts';
import { KINDS } from './types.ts';

/**
 * dnf keeps parsed metadata in libsolv's own form, in which each package's dependencies are sorted by how often they occur
 * in the repository. The order of recommendations decides which one is followed first, so it is made here too.
 */
export function sortRecommendations(pool: Pool): void {
  const { starts, items } = pool.dependencies.recommends;
  if (items.length === 0) return;
  const needs = new Needs(pool);
  pool.repositories.forEach(({ packages }, repository) => {
    needs.count(repository);
    for (let row = 0; row < packages.name.length; row++) {
      const id = pool.first(repository) + row;
      const list = items.subarray(starts[id], starts[id + 1]);
      if (list.length > 1) list.sort((a, b) => needs.compare(a, b));
    }
  });
}

/** How often one repository needs its names and relations. */
class Needs {
  private readonly pool: Pool;
  private readonly names: Int32Array;
  private readonly relations: Int32Array;

  constructor(pool: Pool) {
    this.pool = pool;
    this.names = new Int32Array(pool.relations.texts.length);
    this.relations = new Int32Array(pool.relations.count);
  }

  count(repository: number): void {
    const { pool, names, relations } = this;
    names.fill(0);
    relations.fill(0);
    const from = pool.first(repository);
    const to = from + pool.repositories[repository]!.packages.name.length;
    for (let id = from; id < to; id++) {
      names[pool.name[id]!]!++;
      names[pool.evr[id]!]!++;
      names[pool.arch[id]!]!++;
    }
    for (const kind of KINDS) {
      const { starts, items } = pool.dependencies[kind];
      for (let at = starts[from]!; at < starts[to]!; at++)
        if (items[at]! > 0) names[items[at]!]!++;
        else relations[-items[at]!]!++;
    }
    // a relation needs its parts once; those of a rich one come before it
    for (let relation = relations.length - 1; relation > 0; relation--) {
      const need = relations[relation]!;
      if (need === 0) continue;
      for (const part of [pool.relations.name(-relation), pool.relations.operand(-relation)])
        if (part >= 0) names[part]!++;
        else relations[-part] = Math.max(relations[-part]!, need + 1);
    }
  }

  /** Names first, then relations; what is needed more often comes first. */
  compare(a: number, b: number): number {
    const { pool, names, relations } = this;
    if (a > 0 !== b > 0) return a > 0 ? -1 : 1;
    if (a < 0) return relations[-b]! - relations[-a]! || b - a;
    if (names[a] !== names[b]) return names[b]! - names[a]!;
    const x = pool.relations.texts.get(a);
    const y = pool.relations.texts.get(b);
    return x < y ? -1 : x > y ? 1 : 0;
  }
}

/** By number of a text: its place in the order in which texts occur in the repositories' metadata. */
export function orderOfMention(pool: Pool): Int32Array {
  const { canonical, firstText, texts } = pool.relations;
  const order = new Int32Array(texts.length);
  let next = 1;
  pool.repositories.forEach(({ packages }, repository) => {
    const base = firstText[repository]!;
    for (let i = 0; i < packages.texts.length; i++) {
      const id = canonical[base + i]!;
      if (order[id] === 0) order[id] = next++;
    }
  });
  return order;
}
