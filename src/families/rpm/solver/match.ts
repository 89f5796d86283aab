import { orderOfMention } from './cache-order.ts';
import { FIRST, type Pool } from './pool.ts';
import { globTest, isGlob, subjectsOf } from './subject.ts';
import { EQUAL, GREATER, LESS } from './types.ts';

/** The packages that a request means. */
export interface Match {
  /** Each list is asked for by itself: a pattern asks for all names that it matches. */
  readonly groups: readonly (readonly number[])[];
}

interface Named {
  readonly ids: number[];
  /** True when neither a version nor an architecture is spelled. */
  readonly onlyName: boolean;
  readonly arch: string | undefined;
}

/** Packages that can be installed and whose name, version or architecture is spelled so; undefined when none is. */
function byForms(pool: Pool, text: string): Named | undefined {
  const { texts } = pool.relations;
  for (const { name, arch, onlyName, fits } of subjectsOf(text)) {
    const ids = packagesNamed(pool, name).filter(
      (id) =>
        pool.installable[id] && fits(texts.get(pool.name[id]!), texts.get(pool.evr[id]!), texts.get(pool.arch[id]!)),
    );
    if (ids.length > 0) return { ids, onlyName, arch };
  }
  return undefined;
}

/** All packages of a name or of a pattern of names, in the order of their numbers. */
export function packagesNamed(pool: Pool, pattern: string): number[] {
  const found: number[] = [];
  const { relations } = pool;
  if (!isGlob(pattern)) {
    const name = relations.known(pattern);
    if (name === undefined) return found;
    for (let id = pool.name.indexOf(name, FIRST); id >= 0; id = pool.name.indexOf(name, id + 1)) found.push(id);
    return found;
  }
  const test = globTest(pattern);
  const known = new Map<number, boolean>();
  for (let id = FIRST; id < pool.size; id++) {
    const name = pool.name[id]!;
    let matches = known.get(name);
    if (matches === undefined) known.set(name, (matches = test(relations.texts.get(name))));
    if (matches) found.push(id);
  }
  return found;
}

/** Packages that provide what a request spells: `a`, `a = 1`, a pattern of names. */
function byProvides(pool: Pool, text: string): number[] {
  const { relations } = pool;
  const compared = /^(\S+)\s*(<=|>=|==|=|<|>)\s*(\S+)$/.exec(text);
  if (compared !== null) {
    const name = relations.known(compared[1]!);
    if (name === undefined) return [];
    const sign = compared[2]!;
    const flags =
      (sign.includes('<') ? LESS : 0) | (sign.includes('>') ? GREATER : 0) | (sign.includes('=') ? EQUAL : 0);
    return pool.providers(relations.relation(name, flags, relations.text(compared[3]!.replace(/^0+:/, ''))));
  }
  if (!isGlob(text)) {
    const name = relations.known(text);
    return name === undefined ? [] : pool.providers(name);
  }
  const test = globTest(text);
  const found = new Set<number>();
  const { starts, items } = pool.dependencies.provides;
  const known = new Map<number, boolean>();
  for (let id = FIRST; id < pool.size; id++)
    for (let i = starts[id]!; i < starts[id + 1]!; i++) {
      const name = relations.plainName(items[i]!);
      let matches = known.get(name);
      if (matches === undefined) known.set(name, (matches = test(relations.texts.get(name))));
      if (matches) found.add(id);
    }
  return [...found];
}

/** Packages that name one of the given packages, with its version, in their obsoletes. */
function obsoleters(pool: Pool, ids: readonly number[]): number[] {
  const wanted = new Set(ids);
  const { relations } = pool;
  const { starts, items } = pool.dependencies.obsoletes;
  // most of a distribution's obsoletes are about other names: their providers need not be looked for
  const names = new Set(ids.map((id) => pool.name[id]!));
  const mayMean = (dependency: number) =>
    dependency > 0
      ? names.has(dependency)
      : relations.operator(dependency) >= 8 || names.has(relations.plainName(dependency));
  const found: number[] = [];
  for (let id = FIRST; id < pool.size; id++) {
    if (starts[id] === starts[id + 1] || !pool.installable[id] || wanted.has(id)) continue;
    search: for (let i = starts[id]!; i < starts[id + 1]!; i++) {
      if (!mayMean(items[i]!)) continue;
      for (let at = pool.whatProvides(items[i]!); pool.data[at] !== 0; at++) {
        const other = pool.data[at]!;
        if (!wanted.has(other) || !pool.isNamed(other, items[i]!)) continue;
        found.push(id);
        break search;
      }
    }
  }
  return found;
}

const union = (a: readonly number[], b: readonly number[]) => [...new Set([...a, ...b])].sort((x, y) => x - y);

function grouped(ids: readonly number[], key: (id: number) => number): number[][] {
  const groups = new Map<number, number[]>();
  for (const id of ids) {
    const group = groups.get(key(id));
    if (group === undefined) groups.set(key(id), [id]);
    else group.push(id);
  }
  return [...groups.values()];
}

/** A group for each name, in the order in which the names occur in the metadata, as libsolv numbers them. */
function groupedByName(pool: Pool, ids: readonly number[]): number[][] {
  const groups = grouped(ids, (id) => pool.name[id]!);
  if (groups.length < 2) return groups;
  const order = orderOfMention(pool);
  return groups.sort((a, b) => order[pool.name[a[0]!]!]! - order[pool.name[b[0]!]!]!);
}

/**
 * The packages that a request means, as dnf looks for them: the forms of a package's name first, then what is provided,
 * then paths. Packages that obsolete the named ones come along. Undefined when nothing matches.
 */
export function matchRequest(pool: Pool, text: string): Match | undefined {
  const named = byForms(pool, text);
  if (named !== undefined) {
    const { ids, onlyName, arch } = named;
    const withObsoleters = (list: readonly number[]) => union(list, obsoleters(pool, list));
    // a pattern of architectures asks for each name and architecture by itself; of one name, noarch comes first
    if (arch !== undefined && isGlob(arch)) {
      const byName = groupedByName(pool, ids);
      const groups = byName.flatMap((list) =>
        grouped(list, (id) => pool.arch[id]!).sort((a, b) => pool.score[a[0]!]! - pool.score[b[0]!]!),
      );
      return { groups: groups.map(withObsoleters) };
    }
    const lists = isGlob(text) ? groupedByName(pool, ids) : [ids];
    return { groups: onlyName ? lists.map(withObsoleters) : lists };
  }
  const providers = byProvides(pool, text).filter((id) => pool.installable[id]);
  if (providers.length > 0) return { groups: isGlob(text) ? groupedByName(pool, providers) : [providers] };
  const having = text.startsWith('/') ? pool.havingFile(text) : [];
  return having.length > 0 ? { groups: [having] } : undefined;
}

/** The packages that an exclusion names: forms of names only. */
export function matchExclusion(pool: Pool, text: string): readonly number[] {
  return byForms(pool, text)?.ids ?? [];
}
