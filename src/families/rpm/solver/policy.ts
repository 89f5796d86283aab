import { NOARCH } from './architecture.ts';
import type { Pool } from './pool.ts';
import type { State } from './state.ts';
import { EQUAL, LESS } from './types.ts';
import { isEnhancing, isSupplementing, Wishes } from './weak.ts';

/** Which of several candidates is taken: the policy of libsolv, with the flags that dnf sets. */
export class Policy {
  readonly recommended: Wishes;
  private readonly suggested: Wishes;
  private readonly state: State;
  private readonly pool: Pool;

  constructor(state: State) {
    this.state = state;
    this.pool = state.pool;
    this.recommended = new Wishes(state, 'recommends');
    this.suggested = new Wishes(state, 'suggests');
    state.onRevert = (count) => {
      this.recommended.reverted(count);
      this.suggested.reverted(count);
    };
  }

  /** The best candidates, not asking what is decided already. */
  best(list: readonly number[]): number[] {
    return best(this.pool, list);
  }

  /** The best candidates; of those the recommended ones, if any are. */
  preferred(list: readonly number[]): number[] {
    const found = this.best(list);
    if (found.length < 2) return found;
    const wished = found.filter((id) => this.isWished(id));
    return wished.length === 0 ? found : wished;
  }

  /** The candidates in the order in which they are tried. */
  ranked(list: readonly number[]): number[] {
    const found = this.preferred(list);
    return found.length < 2 ? found : this.reordered(found);
  }

  /** The same packages, those that are better tried first in front. */
  reordered(list: readonly number[]): number[] {
    const { pool, state } = this;
    const current = toBack(list, (id) => isOld(pool, id));
    const sorted = urpmOrder(state, byCommonProvides(pool, current));
    this.suggested.update();
    return toBack(sorted, (id) => !this.suggested.marked[id] && !isEnhancing(state, id));
  }

  /** True when decided packages recommend a package, or it supplements them. */
  isWished(id: number): boolean {
    this.recommended.update();
    return this.recommended.marked[id] === 1 || isSupplementing(this.state, id);
  }
}

/** Moves those that `bad` names behind the others; each group keeps its order. */
function toBack(list: readonly number[], bad: (id: number) => boolean): number[] {
  const good: number[] = [];
  const moved: number[] = [];
  for (const id of list) (bad(id) ? moved : good).push(id);
  return [...good, ...moved];
}

/** Best priority, best architecture, newest version of each name, and nothing that another one obsoletes. */
export function best(pool: Pool, list: readonly number[]): number[] {
  if (list.length < 2) return [...list];
  const priority = (id: number) => pool.repositories[pool.repository[id]!]!.priority;
  const highest = Math.min(...list.map(priority));
  let found = list.filter((id) => priority(id) === highest);
  if (found.length > 1) found = bestArchitecture(pool, found);
  if (found.length > 1) found = newest(pool, found);
  return found.length > 1 ? withoutObsoleted(pool, found) : found;
}

function bestArchitecture(pool: Pool, list: readonly number[]): number[] {
  let score = 0;
  for (const id of list) {
    const own = pool.score[id]!;
    if (own > NOARCH && (score === 0 || own < score)) score = own;
  }
  if (score === 0) return [...list];
  const found = list.filter((id) => pool.score[id] === NOARCH || pool.score[id] === score);
  return found.length === 0 ? [...list] : found;
}

/** The order in which names come: their bytes, then better architectures, cheaper repositories, earlier packages. */
function compareCandidates(pool: Pool, a: number, b: number): number {
  if (pool.name[a] !== pool.name[b]) {
    const x = pool.relations.texts.get(pool.name[a]!);
    const y = pool.relations.texts.get(pool.name[b]!);
    return x < y ? -1 : 1;
  }
  if (pool.arch[a] !== pool.arch[b]) {
    const x = pool.score[a]!;
    const y = pool.score[b]!;
    if (x !== y && x > NOARCH && y > NOARCH) return x < y ? -1 : 1;
  }
  const cost = pool.repositories[pool.repository[a]!]!.cost - pool.repositories[pool.repository[b]!]!.cost;
  return cost !== 0 ? cost : a - b;
}

function newest(pool: Pool, list: readonly number[]): number[] {
  const sorted = mergeSort(list, (a, b) => compareCandidates(pool, a, b));
  const found: number[] = [];
  for (const id of sorted) {
    const last = found[found.length - 1];
    if (last === undefined || pool.name[last] !== pool.name[id]) found.push(id);
    else if (pool.relations.compareEvr(pool.evr[last]!, pool.evr[id]!) < 0) found[found.length - 1] = id;
  }
  return found;
}

/**
 * Stable sort by halves, always comparing the same pairs: not all orders here are consistent, and then what is compared
 * with what decides the result.
 */
export function mergeSort<T>(list: readonly T[], compare: (a: T, b: T) => number): T[] {
  if (list.length < 2) return [...list];
  const middle = list.length >> 1;
  const left = mergeSort(list.slice(0, middle), compare);
  const right = mergeSort(list.slice(middle), compare);
  const found: T[] = [];
  let i = 0;
  let j = 0;
  while (i < left.length && j < right.length) found.push(compare(left[i]!, right[j]!) <= 0 ? left[i++]! : right[j++]!);
  while (i < left.length) found.push(left[i++]!);
  while (j < right.length) found.push(right[j++]!);
  return found;
}

/** Removes candidates that another one obsoletes; those that obsolete each other in a circle stay. */
function withoutObsoleted(pool: Pool, list: readonly number[]): number[] {
  const position = new Map(list.map((id, i) => [id, i]));
  const { starts, items } = pool.dependencies.obsoletes;
  const obsoleted = (id: number): number[] => {
    const found: number[] = [];
    for (let i = starts[id]!; i < starts[id + 1]!; i++)
      for (let at = pool.whatProvides(items[i]!); pool.data[at] !== 0; at++) {
        const other = pool.data[at]!;
        if (pool.name[other] === pool.name[id] || !position.has(other)) continue;
        if (pool.isNamed(other, items[i]!)) found.push(position.get(other)!);
      }
    return found;
  };
  const edges = list.map(obsoleted);
  if (edges.every((to) => to.length === 0)) return [...list];
  return new Components(edges).kept().map((i) => list[i]!);
}

/** Tarjan's components, of which only those remain that no other component leads to. */
class Components {
  private readonly edges: readonly (readonly number[])[];
  /** 0: not visited, below 0: dropped. */
  private readonly low: number[];
  private readonly stack: number[] = [];
  private next = 1;
  private firstIndex = 1;
  private top = 1;

  constructor(edges: readonly (readonly number[])[]) {
    this.edges = edges;
    this.low = edges.map(() => 0);
  }

  kept(): number[] {
    for (let i = 0; i < this.edges.length; i++) {
      if (this.low[i] !== 0) continue;
      this.firstIndex = this.next;
      this.top = this.next;
      if (this.edges[i]!.length > 0) this.visit(i);
      else {
        this.stack[this.next] = i;
        this.low[i] = this.next++;
      }
    }
    return this.edges.flatMap((_, i) => (this.low[i]! >= 0 ? [i] : []));
  }

  private visit(node: number): void {
    const { low, stack } = this;
    const start = this.top;
    let index = this.next++;
    low[node] = index;
    stack[this.top++] = node;
    for (const to of this.edges[node]!) {
      if (low[to] === 0) {
        if (this.edges[to]!.length === 0) {
          this.next++;
          low[to] = -1;
          continue;
        }
        this.visit(to);
      }
      const found = low[to]!;
      if (found < 0) continue;
      if (found < this.firstIndex) {
        // a component found earlier is obsoleted by this one
        for (let k = found; low[stack[k]!] === found; k++) low[stack[k]!] = -1;
      } else if (found < low[node]) low[node] = found;
    }
    if (low[node] !== index) return;
    if (index !== this.firstIndex) index = -1;
    for (let i = start; i < this.top; i++) low[stack[i]!] = index;
    this.top = start;
  }
}

/** True when a newer version of the package exists, or the same in a better repository. */
function isOld(pool: Pool, id: number): boolean {
  const priority = pool.repositories[pool.repository[id]!]!.priority;
  for (let at = pool.whatProvides(pool.name[id]!); pool.data[at] !== 0; at++) {
    const other = pool.data[at]!;
    if (other === id || pool.name[other] !== pool.name[id] || pool.arch[other] !== pool.arch[id]) continue;
    const theirs = pool.repositories[pool.repository[other]!]!.priority;
    if (theirs !== priority) {
      if (theirs < priority) return true;
    } else if (pool.relations.compareEvr(pool.evr[other]!, pool.evr[id]!) > 0) return true;
  }
  return false;
}

interface Provided {
  readonly index: number;
  readonly name: number;
  /** Below 0 when anything less than it is provided. */
  readonly evr: number;
}

/** Brings those to the front that provide higher versions of what several provide. */
function byCommonProvides(pool: Pool, list: readonly number[]): number[] {
  const { relations } = pool;
  const { starts, items } = pool.dependencies.provides;
  const entries: Provided[] = [];
  list.forEach((id, index) => {
    for (let i = starts[id]!; i < starts[id + 1]!; i++) {
      const dependency = items[i]!;
      if (dependency >= 0) continue;
      const operator = relations.operator(dependency);
      const evr = relations.operand(dependency);
      if (operator !== EQUAL && operator !== (EQUAL | LESS) && operator !== LESS) continue;
      // digests, as of build identifiers, have no order
      if (operator === EQUAL && /^[a-f0-9]{4,}$/.test(relations.texts.get(evr))) continue;
      entries.push({ index, name: relations.name(dependency), evr: operator === LESS ? -evr : evr });
    }
  });
  if (entries.length < 2) return [...list];
  const compare = (a: Provided, b: Provided): number => {
    if (a.name !== b.name) return a.name < b.name ? -1 : 1;
    if (a.evr === b.evr) return 0;
    const found = relations.matchEvr(Math.abs(b.evr), Math.abs(a.evr));
    if (found === 0 && (a.evr < 0 || b.evr < 0)) {
      if (b.evr >= 0) return 1;
      if (a.evr >= 0) return -1;
    }
    return found;
  };
  const sorted = mergeSort(entries, compare);
  const badness = new Int32Array(list.length);
  let bad = 0;
  sorted.forEach((entry, i) => {
    const before = sorted[i - 1];
    if (before === undefined || before.name !== entry.name) bad = 0;
    else if (before.index !== entry.index && compare(before, entry) === -1) bad++;
    badness[entry.index]! += bad;
  });
  return list
    .map((id, i) => ({ id, bad: badness[i]! }))
    .sort((a, b) => a.bad - b.bad)
    .map(({ id }) => id);
}

/** dnf asks for this order: packages for a kernel or language that is decided come first. */
function urpmOrder(state: State, list: readonly number[]): number[] {
  const scores = new Map(list.map((id) => [id, urpmScore(state, id)]));
  return [...list].sort((a, b) => scores.get(b)! - scores.get(a)!);
}

function urpmScore(state: State, id: number): number {
  const { pool } = state;
  const { texts } = pool.relations;
  const name = texts.get(pool.name[id]!);
  let score = 1;
  const kernel = kernelOf(name);
  if (kernel !== undefined && isDecided(state, pool.relations.known(kernel))) score = 4;
  if (score !== 1) return score;
  const { starts, items } = pool.dependencies.requires;
  for (let i = starts[id]!; i < starts[id + 1]!; i++) {
    const required = pool.relations.plainName(items[i]!);
    const at = texts.get(required).indexOf('locales-');
    if (at < 0) continue;
    if (texts.get(required).startsWith('en', at + 8)) score = 2;
    else return isDecided(state, required) ? 4 : 0;
  }
  return score;
}

/** Name of the kernel that a `kernel-*-devel-*` or `*-kernel-1.2…-flavour-release` package belongs to. */
function kernelOf(name: string): string | undefined {
  if (name.startsWith('kernel-')) {
    const devel = name.indexOf('-devel-');
    return devel < 0 ? undefined : name.slice(0, devel) + name.slice(devel + 6);
  }
  const found = /-kernel-([0-9]\.[^-]*)(-[^-]*)(-.*)$/.exec(name);
  return found === null ? undefined : `kernel${found[2]}-${found[1]}${found[3]}`;
}

function isDecided(state: State, name: number | undefined): boolean {
  if (name === undefined) return false;
  const { pool, level } = state;
  for (let at = pool.whatProvides(name); pool.data[at] !== 0; at++) if (level[pool.data[at]!]! > 0) return true;
  return false;
}
