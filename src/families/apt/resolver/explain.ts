import type { Dependency } from '../packages-index.ts';
import { printAlternatives, printRelation, type Relation } from '../relations.ts';
import { critical, NONE, type Node, negative, type State } from './state.ts';

/** A package that will be installed, and the first reason for it. */
export interface Reason {
  readonly node: Node;
  readonly reason: string;
  /** The package that needs it. */
  readonly by?: string;
}

const VERBS: Readonly<Record<Dependency['type'], string>> = {
  'Pre-Depends': 'depends on it beforehand',
  Depends: 'depends on it',
  Recommends: 'recommends it',
  Suggests: 'suggests it',
  Conflicts: 'conflicts with it',
  Breaks: 'breaks it',
};

/** Reasons of all packages that will be installed, closest to the requests first. */
export function reasons(state: State, asked: ReadonlyMap<Node, string>): Reason[] {
  const found = new Map<Node, Omit<Reason, 'node'>>();
  for (const [node, reason] of asked) if (node.install !== NONE) found.set(node, { reason });
  const queue = [...found.keys()];
  for (let at = 0; at < queue.length; at++) {
    const node = queue[at]!;
    for (const dependency of state.index.dependencies(node.install)) {
      if (negative(dependency) || !state.important(dependency)) continue;
      for (const relation of dependency.alternatives)
        for (const id of state.index.satisfiers(relation)) {
          const other = state.nodeOf(id);
          if (other.install !== id || found.has(other)) continue;
          const as = relation.name === other.name ? '' : ` as ${relation.name}`;
          found.set(other, { reason: `${node.name} ${VERBS[dependency.type]}${as}`, by: node.name });
          queue.push(other);
        }
    }
  }
  for (const node of state.nodes())
    if (node.install !== NONE && !found.has(node)) found.set(node, { reason: 'left from a choice that was given up' });
  return [...found].map(([node, reason]) => ({ node, ...reason }));
}

/** Why the request cannot be fulfilled, one sentence for each obstacle. */
export function explain(state: State, asked: ReadonlyMap<Node, string>, forbidden: ReadonlySet<Node>): string[] {
  const chains = new Set<string>();
  for (const node of [...state.nodes()]) {
    if (node.install === NONE || !state.broken(node)) continue;
    for (const dependency of state.index.dependencies(node.install)) {
      if (!critical(dependency) || state.holds(node, dependency)) continue;
      for (const { text, by } of blame(state, node, node.install, dependency, forbidden, new Set([node]))) {
        const above = [...by, ...trail(state, node, asked)];
        chains.add(above.length === 0 ? text : `${text}: required by ${above.join(' <- ')}`);
      }
    }
  }
  return [...chains];
}

/** The chain of packages that required this one, from the nearest up to the request. */
function trail(state: State, node: Node, asked: ReadonlyMap<Node, string>): string[] {
  const seen = new Set([node]);
  const names: string[] = [];
  let at = node;
  while (!asked.has(at)) {
    const above = [...state.nodes()].find(
      (other) =>
        other.install !== NONE &&
        !seen.has(other) &&
        state.index
          .dependencies(other.install)
          .some(
            (one) =>
              !negative(one) &&
              one.alternatives.some((relation) => state.index.satisfiers(relation).includes(at.install)),
          ),
    );
    if (above === undefined) break;
    seen.add(above);
    names.push(above.name);
    at = above;
  }
  return names;
}

/** An obstacle, and the chain of packages that required the package it concerns. */
interface Blame {
  readonly text: string;
  readonly by: readonly string[];
}

function blame(
  state: State,
  node: Node,
  id: number,
  dependency: Dependency,
  forbidden: ReadonlySet<Node>,
  seen: ReadonlySet<Node>,
): Blame[] {
  const { index } = state;
  const says = `${node.name} ${index.version(id)}`;
  if (negative(dependency)) return [{ text: hits(state, node, says, dependency), by: [] }];
  const asks = `${says} depends on ${printAlternatives(dependency.alternatives)}`;
  const faults: string[] = [];
  const deeper: Blame[] = [];
  for (const relation of dependency.alternatives) {
    const ids = index.satisfiers(relation);
    if (ids.length === 0) faults.push(missing(state, relation));
    for (const one of ids) {
      const other = state.nodeOf(one);
      if (forbidden.has(other)) faults.push(`${other.name} is excluded by the request`);
      else if (other.failure !== undefined && !seen.has(other)) {
        const { failure } = other;
        if (failure.kind === 'conflict') faults.push(clash(state, other, one, failure.other, failure.dependency));
        else
          for (const { text, by } of blame(state, other, one, failure.dependency, forbidden, new Set([...seen, other])))
            deeper.push({ text, by: [...by, node.name] });
      } else if (other.candidate !== one)
        faults.push(`${other.name} ${index.version(one)} is not the version to be installed`);
    }
  }
  if (faults.length === 0 && deeper.length > 0) return deeper;
  const text = faults.length === 0 ? asks : `${asks}, but ${[...new Set(faults)].join(', ')}`;
  return [{ text, by: [] }, ...deeper];
}

/** The conflict between two packages. */
function clash(state: State, node: Node, id: number, other: number, dependency: Dependency): string {
  const { index } = state;
  const own = index.dependencies(id).includes(dependency);
  const [from, to] = own || other === NONE ? [id, other] : [other, id];
  const verb = dependency.type === 'Breaks' ? 'breaks' : 'conflicts with';
  const against = to === NONE ? '' : ` (${index.name(to)} ${index.version(to)})`;
  return `${index.name(from === NONE ? id : from)} ${verb} ${printAlternatives(dependency.alternatives)}${against}${own ? '' : `, so ${node.name} cannot be installed`}`;
}

function hits(state: State, node: Node, says: string, dependency: Dependency): string {
  const verb = dependency.type === 'Breaks' ? 'breaks' : 'conflicts with';
  const others = dependency.alternatives
    .flatMap((relation) => state.index.satisfiers(relation))
    .filter((id) => state.nodeOf(id).install === id && state.nodeOf(id) !== node)
    .map((id) => `${state.index.name(id)} ${state.index.version(id)}`);
  return `${says} ${verb} ${printAlternatives(dependency.alternatives)}, which is ${others.join(' and ')}`;
}

function missing(state: State, relation: Relation): string {
  const { index } = state;
  const versions = index.versions(relation.name).map((id) => index.version(id));
  if (versions.length > 0 && relation.comparison !== undefined)
    return `only ${relation.name} ${versions.join(', ')} is available`;
  if (versions.length > 0) return `${printRelation(relation)} is not available for ${index.architecture}`;
  const providers = index.providers(relation.name);
  if (providers.length > 0)
    return `${relation.name} is provided only by ${providers.map(({ id, version }) => `${index.name(id)}${version === '' ? '' : ` (= ${version})`}`).join(', ')}`;
  return `there is no package ${relation.name}`;
}
