import { COMPARISON, dependenciesOf, type RpmDependency, SENSE } from '../../formats/rpm/dependencies.ts';
import type { Header } from '../../formats/rpm/header.ts';
import { compareEvr, parseEvr } from '../../formats/rpm/version.ts';

/** What is ordered: a package by its header and the paths it has. */
export interface Ordered {
  readonly name: string;
  readonly main: Header;
  readonly paths: Iterable<string>;
}

/** Requirements that say nothing of the order, unless one of `FORCING` says so. */
const UNORDERED = SENSE.rpmlib | SENSE.config | SENSE.pretrans | SENSE.posttrans | SENSE.verify | SENSE.meta;
const FORCING = SENSE.pre | SENSE.post | SENSE.preun | SENSE.postun | SENSE.interpreter | SENSE.prereq;
/** What has to be there before a script of the package runs. */
const BEFORE_SCRIPTS = SENSE.prereq | SENSE.pre | SENSE.post;

interface Node {
  readonly index: number;
  /** Packages that this one requires, and whether a script of it does. */
  readonly needs: Map<Node, boolean>;
  /** Packages that require this one, in the order in which they were found. */
  readonly neededBy: Node[];
  /** Packages that are required and not installed yet. */
  open: number;
  /** Number of its strongly connected component; 0 when it is installed. */
  component: number;
}

/**
 * The order in which rpm installs packages: what a package requires comes before it, as far as there are no loops. Ties
 * are decided as rpm does (lib/order.c of rpm 4.18, read for its rules): what more packages require comes first. Returns
 * indexes into `packages`.
 */
export function installOrder(packages: readonly Ordered[]): number[] {
  const nodes = relate(packages);
  const components = connected(nodes);
  const order: number[] = [];
  const waiting = components.map((members) =>
    members.reduce((sum, one) => sum + [...one.needs.keys()].filter((q) => q.component !== one.component).length, 0),
  );
  const queue: Node[] = [];
  const enqueue = (into: Node[], node: Node) => {
    // ahead of everything that is required by no more packages
    const at = into.findIndex((one) => one.neededBy.length <= node.neededBy.length);
    into.splice(at < 0 ? into.length : at, 0, node);
  };
  const single = (node: Node) => components[node.component - 1]!.length === 1;
  for (const members of components) if (waiting[members[0]!.component - 1] === 0) enqueue(queue, members[0]!);
  const install = (node: Node, inner: Node[] | undefined) => {
    order.push(node.index);
    const own = node.component;
    node.component = 0;
    for (const next of node.neededBy) {
      if (next.component === 0) continue;
      if (next.component === own) {
        if (--next.open === 0 && inner !== undefined) enqueue(inner, next);
      } else if (--waiting[next.component - 1]! === 0) enqueue(queue, components[next.component - 1]![0]!);
    }
  };
  while (queue.length > 0) {
    const node = queue.shift()!;
    if (single(node)) install(node, undefined);
    else installLoop(components[node.component - 1]!, install);
  }
  return order;
}

/** Packages that require each other: begun where breaking the loop does the least harm to scripts. */
function installLoop(members: readonly Node[], install: (node: Node, inner: Node[]) => void): void {
  const number = members[0]!.component;
  for (const one of members) one.open = [...one.needs.keys()].filter((q) => q.component === number && q !== one).length;
  const distance = distances(members, number);
  const inner: Node[] = [];
  for (;;) {
    const rest = members.filter((one) => one.component === number);
    if (rest.length === 0) return;
    if (inner.length === 0) {
      let best = rest[0]!;
      for (const one of rest) if (distance.get(one)! > distance.get(best)!) best = one;
      inner.push(best);
    }
    const node = inner.shift()!;
    if (node.component === number) install(node, inner);
    // those that were begun with may stand in the queue a second time
    while (inner.length > 0 && inner[0]!.component !== number) inner.shift();
  }
}

/** For each member how many requirements lie between a script that needs something of the loop and it. */
function distances(members: readonly Node[], number: number): Map<Node, number> {
  const distance = new Map<Node, number>();
  const todo: Node[] = [];
  for (const one of members)
    if ([...one.needs].some(([needed, script]) => script && needed.component === number)) {
      distance.set(one, 0);
      todo.push(one);
    }
  for (let at = 0; at < todo.length; at++)
    for (const next of todo[at]!.neededBy)
      if (next.component === number && !distance.has(next)) {
        distance.set(next, distance.get(todo[at]!)! + 1);
        todo.push(next);
      }
  for (const one of members) if (!distance.has(one)) distance.set(one, Number.MAX_SAFE_INTEGER);
  return distance;
}

/** Finds which package satisfies which requirement. */
function relate(packages: readonly Ordered[]): Node[] {
  const nodes = packages.map((_, index): Node => ({ index, needs: new Map(), neededBy: [], open: 0, component: 0 }));
  const providers = new Map<string, { readonly node: Node; readonly provided: RpmDependency }[]>();
  const files = new Map<string, Node>();
  for (const [i, { main, paths }] of packages.entries()) {
    for (const provided of dependenciesOf(main, 'provides')) {
      const list = providers.get(provided.name);
      if (list === undefined) providers.set(provided.name, [{ node: nodes[i]!, provided }]);
      else list.push({ node: nodes[i]!, provided });
    }
    for (const path of paths) if (!files.has(`/${path}`)) files.set(`/${path}`, nodes[i]!);
  }
  const satisfier = (wanted: RpmDependency, self: Node): Node | undefined => {
    const fitting = (providers.get(wanted.name) ?? []).filter(({ provided }) => overlap(provided, wanted));
    if (fitting.some(({ node }) => node === self)) return undefined;
    return fitting[0]?.node ?? (wanted.name.startsWith('/') ? files.get(wanted.name) : undefined);
  };
  for (const [i, { main }] of packages.entries()) {
    const node = nodes[i]!;
    const wanted = [...dependenciesOf(main, 'requires'), ...dependenciesOf(main, 'order')];
    // weak dependencies count only where a script asks for them
    for (const kind of ['recommends', 'suggests'] as const)
      wanted.push(...dependenciesOf(main, kind).filter(({ flags }) => (flags & FORCING) !== 0));
    for (const one of wanted) {
      if ((one.flags & UNORDERED) !== 0 && (one.flags & FORCING) === 0) continue;
      for (const part of one.name.startsWith('(') ? richNames(one) : [one]) {
        const needed = satisfier(part, node);
        if (needed === undefined || needed === node) continue;
        const script = (one.flags & BEFORE_SCRIPTS) !== 0;
        if (!node.needs.has(needed)) needed.neededBy.push(node);
        node.needs.set(needed, script || node.needs.get(needed) === true);
      }
    }
  }
  return nodes;
}

/** The names in a rich dependency: each of them that is installed comes first. */
function richNames({ name, flags }: RpmDependency): RpmDependency[] {
  const words = name.replace(/[<>=]+\s*\S+/g, ' ').match(/(?:[^\s()]|\([^\s()]*\))+/g) ?? [];
  return words
    .filter((word) => !/^(and|or|if|else|unless|with|without)$/.test(word))
    .map((word) => ({ name: word, flags: flags & ~COMPARISON, version: '' }));
}

/** True when what is provided is what is wanted. */
function overlap(provided: RpmDependency, wanted: RpmDependency): boolean {
  if ((wanted.flags & COMPARISON) === 0 || wanted.version === '') return true;
  if ((provided.flags & COMPARISON) === 0 || provided.version === '') return false;
  const order = compareEvr(parseEvr(provided.version), parseEvr(wanted.version));
  if (order < 0) return (provided.flags & SENSE.greater) !== 0 || (wanted.flags & SENSE.less) !== 0;
  if (order > 0) return (provided.flags & SENSE.less) !== 0 || (wanted.flags & SENSE.greater) !== 0;
  return (provided.flags & wanted.flags & COMPARISON) !== 0;
}

/** Strongly connected components (Tarjan), numbered from 1 in `component`; members in the packages' order. */
function connected(nodes: readonly Node[]): Node[][] {
  const found: Node[][] = [];
  const index = new Map<Node, number>();
  const low = new Map<Node, number>();
  const stack: Node[] = [];
  const onStack = new Set<Node>();
  for (const root of nodes) {
    if (index.has(root)) continue;
    // an explicit stack: chains of requirements may be longer than the call stack
    const work: { readonly node: Node; readonly next: Iterator<Node> }[] = [];
    const enter = (node: Node) => {
      index.set(node, index.size);
      low.set(node, index.get(node)!);
      stack.push(node);
      onStack.add(node);
      work.push({ node, next: node.needs.keys() });
    };
    enter(root);
    while (work.length > 0) {
      const { node, next } = work.at(-1)!;
      const step = next.next();
      if (!step.done) {
        if (!index.has(step.value)) enter(step.value);
        else if (onStack.has(step.value)) low.set(node, Math.min(low.get(node)!, index.get(step.value)!));
        continue;
      }
      work.pop();
      const above = work.at(-1)?.node;
      if (above !== undefined) low.set(above, Math.min(low.get(above)!, low.get(node)!));
      if (low.get(node) !== index.get(node)) continue;
      const group = stack.splice(stack.indexOf(node));
      for (const one of group) onStack.delete(one);
      found.push(group.sort((a, b) => a.index - b.index));
    }
  }
  found.sort((a, b) => a[0]!.index - b[0]!.index);
  for (const [i, group] of found.entries()) for (const one of group) one.component = i + 1;
  return found;
}
