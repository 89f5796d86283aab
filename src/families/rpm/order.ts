import { COMPARISON, dependenciesOf, type RpmDependency, SENSE } from '../../formats/rpm/dependencies.ts';
import type { Header } from '../../formats/rpm/header.ts';
import { compareEvr, parseEvr } from '../../formats/rpm/version.ts';
import { AND, IF, UNLESS } from './solver/operators.ts';
import { parseRich } from './solver/rich-parse.ts';
import { EQUAL, GREATER, LESS } from './solver/types.ts';

/** What is ordered: a package by its header and the paths it has. */
export interface Ordered {
  readonly name: string;
  readonly main: Header;
  readonly paths: Iterable<string>;
  /** Bits of its files: 1 has ELF files of 32 bits, 2 of 64. */
  readonly colour: number;
}

/** Requirements that say nothing of the order, unless one of `FORCING` says so. */
const UNORDERED = SENSE.rpmlib | SENSE.config | SENSE.pretrans | SENSE.posttrans | SENSE.verify | SENSE.meta;
const FORCING = SENSE.pre | SENSE.post | SENSE.preun | SENSE.postun | SENSE.interpreter | SENSE.prereq;
/** What has to be there before a script of the package runs. */
const BEFORE_SCRIPTS = SENSE.prereq | SENSE.pre | SENSE.post;

/** What a package needs before it, and what needs it before: rpm 4.18 counts weak dependencies, later ones do not. */
const FORWARD = ['requires', 'recommends', 'suggests', 'order'] as const;
const REVERSED = ['supplements', 'enhances'] as const;

interface Node {
  readonly index: number;
  /** Bits of its files: 1 has ELF files of 32 bits, 2 of 64. */
  readonly colour: number;
  /** Packages that this one requires, and whether a script of it does. */
  readonly needs: Map<Node, boolean>;
  /** Packages that require this one, in the order in which they were found. */
  readonly neededBy: Node[];
  /** Packages that are required and not installed yet. */
  open: number;
  /** Number of its strongly connected component; 0 when it is installed. */
  component: number;
}

/** The colour of files for 64 bits, which rpm prefers. */
const PREFERRED = 2;

/**
 * The order in which rpm installs packages: what a package requires comes before it, as far as there are no loops. Ties
 * are decided as rpm does (lib/order.c of rpm 4.18, read for its rules): what more packages require comes first, then
 * what became ready later. `packages` are in the order in which rpm is given them. Returns indexes into `packages`.
 */
export function installOrder(packages: readonly Ordered[]): number[] {
  const nodes = relate(packages);
  const loops = connected(nodes);
  for (const node of nodes) node.open = node.needs.size;
  // by number of the loop: requirements of its members outside of it
  const waiting = loops.map((members) =>
    members.reduce((sum, one) => sum + [...one.needs.keys()].filter((q) => q.component !== one.component).length, 0),
  );
  const order: number[] = [];
  const queue: Node[] = [];
  for (const node of nodes) if (node.open === 0) enqueue(queue, node);
  for (const [i, members] of loops.entries()) if (waiting[i] === 0) enqueue(queue, members[0]!);
  const install = (node: Node, inner: Node[]) => {
    order.push(node.index);
    const own = node.component;
    // those that were found last are released first
    for (let at = node.neededBy.length - 1; at >= 0; at--) {
      const next = node.neededBy[at]!;
      if (next.component === 0) continue;
      if (--next.open === 0) enqueue(next.component === own && own !== ALONE ? inner : queue, next);
      if (next.component !== ALONE && next.component !== own && --waiting[next.component - LOOPS]! === 0)
        enqueue(queue, next);
    }
    node.component = 0;
  };
  while (queue.length > 0) {
    const node = queue.shift()!;
    if (node.component === ALONE) install(node, []);
    else if (node.component !== 0) installLoop(loops[node.component - LOOPS]!, install);
  }
  return order;
}

/** Puts a package ahead of those that no more packages require. */
function enqueue(queue: Node[], node: Node): void {
  const at = queue.findIndex((one) => one.neededBy.length <= node.neededBy.length);
  queue.splice(at < 0 ? queue.length : at, 0, node);
}

/** Packages that require each other: begun where breaking the loop does the least harm to scripts. */
function installLoop(members: readonly Node[], install: (node: Node, inner: Node[]) => void): void {
  const number = members[0]!.component;
  const distance = distances(members, number);
  for (;;) {
    let best: Node | undefined;
    for (const one of members)
      if (one.component === number && (best === undefined || distance.get(one)! >= distance.get(best)!)) best = one;
    if (best === undefined) return;
    const inner = [best];
    for (let node = inner.shift(); node !== undefined; node = inner.shift())
      if (node.component === number) install(node, inner);
  }
}

/** For each member how many requirements lead to it from one whose scripts need something of the loop. */
function distances(members: readonly Node[], number: number): Map<Node, number> {
  const distance = new Map<Node, number>(members.map((one) => [one, Number.MAX_SAFE_INTEGER]));
  const todo: Node[] = [];
  for (const one of members)
    if ([...one.needs].some(([needed, script]) => script && needed.component === number)) {
      distance.set(one, 0);
      todo.push(one);
    }
  for (let at = 0; at < todo.length; at++) {
    const next = distance.get(todo[at]!)! + 1;
    for (const needed of todo[at]!.needs.keys()) {
      if (needed.component !== number || distance.get(needed)! <= next) continue;
      distance.set(needed, next);
      todo.push(needed);
    }
  }
  return distance;
}

/** Finds which package satisfies which requirement. */
function relate(packages: readonly Ordered[]): Node[] {
  const nodes = packages.map(
    ({ colour }, index): Node => ({ index, colour, needs: new Map(), neededBy: [], open: 0, component: 0 }),
  );
  const providers = new Map<string, { readonly node: Node; readonly provided: RpmDependency }[]>();
  const files = new Map<string, Node[]>();
  for (const [i, { main, paths }] of packages.entries()) {
    for (const provided of dependenciesOf(main, 'provides')) {
      const list = providers.get(provided.name);
      if (list === undefined) providers.set(provided.name, [{ node: nodes[i]!, provided }]);
      else list.push({ node: nodes[i]!, provided });
    }
    for (const path of paths) {
      const having = files.get(`/${path}`);
      if (having === undefined) files.set(`/${path}`, [nodes[i]!]);
      else having.push(nodes[i]!);
    }
  }
  const satisfier = (wanted: RpmDependency, self: Node): Node | undefined => {
    // who has a file comes before those who only say that they provide it
    const having = wanted.name.startsWith('/') ? files.get(wanted.name) : undefined;
    const fitting =
      having ??
      (providers.get(wanted.name) ?? []).filter(({ provided }) => overlap(provided, wanted)).map(({ node }) => node);
    const [first] = fitting;
    if (first === undefined) return undefined;
    const score = (node: Node) => (node.colour === PREFERRED ? 2 : 0) + (node === self ? 1 : 0);
    let best = first;
    for (const node of fitting) if (score(node) > score(best)) best = node;
    return best;
  };
  const relation = (node: Node, needed: Node | undefined, script: boolean) => {
    if (needed === undefined || needed === node) return;
    if (!node.needs.has(needed)) needed.neededBy.push(node);
    node.needs.set(needed, script || node.needs.get(needed) === true);
  };
  for (const [i, { main }] of packages.entries()) {
    const node = nodes[i]!;
    const wanted = FORWARD.flatMap((kind) => dependenciesOf(main, kind));
    for (const one of wanted) {
      if ((one.flags & UNORDERED) !== 0 && (one.flags & FORCING) === 0) continue;
      const script = (one.flags & BEFORE_SCRIPTS) !== 0;
      for (const part of partsOf(one)) relation(node, satisfier(part, node), script);
    }
    // what a package supplements comes after it
    for (const one of REVERSED.flatMap((kind) => dependenciesOf(main, kind)))
      for (const part of partsOf(one)) {
        const supplemented = satisfier(part, node);
        if (supplemented !== undefined) relation(supplemented, node, false);
      }
  }
  return nodes;
}

/**
 * The names in a rich dependency: each of them that is installed comes first. Neither conditions nor what is wanted
 * otherwise count.
 */
function partsOf({ name, flags, version }: RpmDependency): RpmDependency[] {
  if (!name.startsWith('(')) return [{ name, flags, version }];
  const rest = flags & ~COMPARISON;
  // a number is a name, or an operator with two numbers
  const nodes: (string | readonly [number, number, number])[] = [''];
  const number = (node: (typeof nodes)[number]) => nodes.push(node) - 1;
  const root = parseRich({ text: number, relation: (...parts) => number(parts) }, name);
  const found: RpmDependency[] = [];
  const todo = root === 0 ? [] : [root];
  for (let id = todo.pop(); id !== undefined; id = todo.pop()) {
    const node = nodes[id]!;
    if (typeof node === 'string') {
      found.push({ name: node, flags: rest, version: '' });
      continue;
    }
    const [left, operator, right] = node;
    const [of, to] = [nodes[left]!, nodes[right]!];
    if (operator < AND) {
      found.push({ name: of as string, flags: rest | senseOf(operator), version: to as string });
      continue;
    }
    if (operator !== IF && operator !== UNLESS) todo.push(right);
    todo.push(left);
  }
  return found;
}

const senseOf = (operator: number) =>
  (operator & LESS ? SENSE.less : 0) | (operator & EQUAL ? SENSE.equal : 0) | (operator & GREATER ? SENSE.greater : 0);

/** True when what is provided is what is wanted. */
function overlap(provided: RpmDependency, wanted: RpmDependency): boolean {
  if ((wanted.flags & COMPARISON) === 0 || wanted.version === '') return true;
  if ((provided.flags & COMPARISON) === 0 || provided.version === '') return false;
  const order = compareEvr(parseEvr(provided.version), parseEvr(wanted.version));
  if (order < 0) return (provided.flags & SENSE.greater) !== 0 || (wanted.flags & SENSE.less) !== 0;
  if (order > 0) return (provided.flags & SENSE.less) !== 0 || (wanted.flags & SENSE.greater) !== 0;
  return (provided.flags & wanted.flags & COMPARISON) !== 0;
}

/** Values of `component`: packages in no loop, and the first loop. */
const ALONE = 1;
const LOOPS = 2;

/**
 * Strongly connected components of more than one package (Tarjan), numbered from {@link LOOPS} in `component`; members
 * in the order in which they were found on the way from what is required to what requires it.
 */
function connected(nodes: readonly Node[]): Node[][] {
  const found: Node[][] = [];
  const index = new Map<Node, number>();
  const low = new Map<Node, number>();
  const stack: Node[] = [];
  const onStack = new Set<Node>();
  for (const root of nodes) {
    if (index.has(root)) continue;
    // an explicit stack: chains of requirements may be longer than the call stack
    const work: { readonly node: Node; left: number }[] = [];
    const enter = (node: Node) => {
      index.set(node, index.size);
      low.set(node, index.get(node)!);
      stack.push(node);
      onStack.add(node);
      work.push({ node, left: node.neededBy.length });
    };
    enter(root);
    while (work.length > 0) {
      const top = work.at(-1)!;
      const { node } = top;
      if (top.left > 0) {
        // what was found last is visited first
        const next = node.neededBy[--top.left]!;
        if (!index.has(next)) enter(next);
        else if (onStack.has(next)) low.set(node, Math.min(low.get(node)!, index.get(next)!));
        continue;
      }
      work.pop();
      const above = work.at(-1)?.node;
      if (above !== undefined) low.set(above, Math.min(low.get(above)!, low.get(node)!));
      if (low.get(node) !== index.get(node)) continue;
      const group = stack.splice(stack.indexOf(node));
      if (group.length > 1) found.push(group);
      for (const one of group) {
        onStack.delete(one);
        one.component = group.length > 1 ? found.length - 1 + LOOPS : ALONE;
      }
    }
  }
  return found;
}
