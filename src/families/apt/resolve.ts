import { BuildError } from '../../errors/error.ts';
import { nearestNames } from '../../errors/nearest.ts';
import type { Chosen } from '../family.ts';
import { ASKED } from '../requests.ts';
import type { AptPackage } from './package.ts';
import type { PackageIndex } from './packages-index.ts';
import { MARK_ESSENTIAL, PRIORITIES } from './packages-table.ts';
import { versionSatisfies } from './relations.ts';
import { explain, type Reason, reasons } from './resolver/explain.ts';
import { unpackOrder } from './resolver/order.ts';
import { repair } from './resolver/repair.ts';
import { parseRequest, type Request } from './resolver/request.ts';
import { critical, NONE, type Node, negative, State } from './resolver/state.ts';
import { sweep } from './resolver/sweep.ts';

/** Options of the resolver. */
export interface ResolveOptions {
  /** Install recommended packages, too. */
  readonly recommends?: boolean;
  /** Install suggested packages, too. */
  readonly suggests?: boolean;
  /** Names preferred where alternatives or providers leave a choice (`usr-is-merged`). */
  readonly prefer?: readonly string[];
  /** Names that count as Essential although no list marks them; apt counts itself. */
  readonly essential?: readonly string[];
  /** Installed packages, by name and version; each must be in the index. Empty for an empty tree. */
  readonly installed?: readonly { readonly name: string; readonly version: string }[];
}

/** The packages to install. */
export interface Resolution {
  /** In unpacking order, each with its reason. */
  readonly packages: readonly Chosen<AptPackage>[];
  /** Names of installed packages to remove; empty when nothing was installed. */
  readonly removed: readonly string[];
}

/**
 * Decides which packages fulfil the requests, as apt would, or fails with the chain of dependencies that makes it
 * impossible. Pure: the same index, requests and options always give the same answer. Requests are written as for
 * apt-get: `name`, `name:arch`, `name=version`, `name/suite`, `name-`, `?essential`, `?priority(required)`.
 */
export function resolve(requests: readonly string[], index: PackageIndex, options: ResolveOptions = {}): Resolution {
  const currents = new Map<string, number>();
  for (const { name, version } of options.installed ?? []) {
    const id = index.versions(name).find((one) => index.version(one) === version);
    if (id === undefined) throw new RangeError(`${name} ${version} is installed but not in the index`);
    currents.set(name, id);
  }
  const state = new State(
    index,
    {
      recommends: options.recommends ?? false,
      suggests: options.suggests ?? false,
      prefer: options.prefer ?? [],
      essential: options.essential ?? [],
    },
    currents,
  );
  const parsed = requests.map((text) => parseRequest(text, index));
  const forbidden = new Set<Node>();
  for (const request of parsed) {
    if (request.kind !== 'forbid') continue;
    const node = state.node(request.name);
    if (node.candidate === NONE && index.providers(request.name).length === 0)
      throw notFound(request.name, request.text, index);
    forbidden.add(node);
    state.markDelete(node, true);
    state.fix(node);
  }

  const asked = new Map<Node, string>();
  const switched: { node: Node; suite: string }[] = [];
  for (const request of parsed) {
    if (request.kind === 'forbid') continue;
    for (const { id, reason } of requestedPackages(request, state)) {
      const node = state.nodeOf(id);
      state.setCandidate(node, id);
      state.fix(node);
      state.markInstall(node, false, true);
      forbidden.delete(node);
      if (!asked.has(node)) asked.set(node, reason);
      if (request.kind === 'install' && request.suite !== undefined) switched.push({ node, suite: request.suite });
    }
  }
  for (const { node, suite } of switched) switchSuite(state, node, suite, new Set());
  for (const node of asked.keys()) state.markInstall(node, true, true);

  if (!repair(state, new Set([...asked.keys(), ...forbidden]))) {
    const chains = explain(state, asked, forbidden);
    throw new BuildError('UNSATISFIABLE', { chains });
  }
  sweep(state);

  const chosen = new Map<AptPackage, Omit<Reason, 'node'>>();
  const why = new Map(reasons(state, asked).map(({ node, ...reason }) => [node, reason]));
  const removed: string[] = [];
  for (const node of state.nodes()) {
    if (node.install === node.current) continue;
    if (node.install === NONE) removed.push(node.name);
    else chosen.set(index.package(node.install), why.get(node)!);
  }
  return {
    packages: unpackOrder([...chosen.keys()]).map((one) => ({ package: one, ...chosen.get(one)! })),
    removed: removed.sort(),
  };
}

/** The packages that a request refers to. */
function requestedPackages(
  request: Exclude<Request, { kind: 'forbid' }>,
  state: State,
): { id: number; reason: string }[] {
  const { index } = state;
  switch (request.kind) {
    case 'essential':
    case 'priority': {
      const essential = request.kind === 'essential';
      const rank = essential ? 0 : PRIORITIES.indexOf(request.priority as (typeof PRIORITIES)[number]);
      const names = index.namesMarked((marks) => (essential ? (marks & MARK_ESSENTIAL) !== 0 : (marks & 7) === rank));
      if (essential) names.push(...state.options.essential.filter((name) => !names.includes(name)));
      return names
        .map((name) => state.node(name))
        .filter(
          (node) =>
            node.candidate !== NONE && (essential ? state.essential(node) : index.priority(node.candidate) === rank),
        )
        .map((node) => ({
          id: node.candidate,
          reason: essential ? 'Essential' : `Priority: ${request.priority}`,
        }));
    }
    case 'install':
      return [{ id: named(request, state), reason: ASKED }];
    default: {
      const never: never = request;
      throw new TypeError(`no such request: ${String(never)}`);
    }
  }
}

function named(request: Extract<Request, { kind: 'install' }>, state: State): number {
  const { index } = state;
  const { name, text, version, suite } = request;
  const ids = index.versions(name);
  if (ids.length === 0) {
    const owners = [...new Set(index.providers(name).map(({ id }) => state.nodeOf(id)))].filter(
      (node) => node.candidate !== NONE && index.providers(name).some(({ id }) => id === node.candidate),
    );
    if (owners.length === 1 && version === undefined && suite === undefined) return owners[0]!.candidate;
    if (owners.length > 0)
      throw new BuildError(
        'PACKAGE_IS_VIRTUAL',
        { name, providers: owners.map((node) => node.name).sort() },
        { hint: 'ask for one of them by its own name' },
      );
    throw notFound(name, text, index);
  }
  if (version !== undefined) {
    const id = ids.find((one) => versionMatches(index.version(one), version));
    if (id !== undefined) return id;
  } else if (suite !== undefined) {
    const id = ids.find((one) => index.inSuite(one, suite));
    if (id !== undefined) return id;
  } else {
    const { candidate } = state.node(name);
    if (candidate !== NONE) return candidate;
  }
  throw new BuildError('PACKAGE_VERSION_NOT_FOUND', {
    name,
    wanted: version ?? (suite === undefined ? 'an allowed version' : `part of ${suite}`),
    available: ids.map((one) => index.version(one)),
  });
}

function notFound(name: string, request: string, index: PackageIndex): BuildError {
  const near = nearestNames(
    name,
    index.namesMarked(() => true),
  );
  const suggestion = near.length === 0 ? '' : `did you mean ${near.join(' or ')}? `;
  const hint = `${suggestion}packages of other components, suites or archives need \`repoComponents\`, \`repoSuites\` or \`repo\``;
  return new BuildError('PACKAGE_NOT_FOUND', { name, request }, { hint });
}

/** The version itself, or with `*` any version with that prefix. */
function versionMatches(version: string, pattern: string): boolean {
  return pattern.endsWith('*') ? version.startsWith(pattern.slice(0, -1)) : version === pattern;
}

/** Allows dependencies from the suite of the package where the usual candidates do not suffice. */
function switchSuite(state: State, node: Node, suite: string, seen: Set<Node>): void {
  const { index } = state;
  if (seen.has(node)) return;
  seen.add(node);
  for (const dependency of index.dependencies(node.candidate)) {
    if (negative(dependency) || (!critical(dependency) && !state.important(dependency))) continue;
    const fine = dependency.alternatives.some((relation) =>
      index.satisfiers(relation).some((id) => state.nodeOf(id).candidate === id),
    );
    if (fine) continue;
    for (const relation of dependency.alternatives) {
      const id = index
        .versions(relation.name)
        .find((one) => index.inSuite(one, suite) && versionSatisfies(index.version(one), relation));
      if (id === undefined) continue;
      const other = state.nodeOf(id);
      if (other.fixed) continue;
      state.setCandidate(other, id);
      switchSuite(state, other, suite, seen);
      break;
    }
  }
}
