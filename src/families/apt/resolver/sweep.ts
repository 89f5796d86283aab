import { NONE, type Node, type State } from './state.ts';

/**
 * Reverts what was pulled in and is no longer needed, for instance the dependencies of a choice that was given up
 * later. As in apt, a package is needed when any remaining package names it, even as a mere suggestion.
 */
export function sweep(state: State): void {
  const { index } = state;
  const used = new Set<Node>();
  const waiting: Node[] = [];
  const use = (node: Node) => {
    if (node.install === NONE || used.has(node)) return;
    used.add(node);
    waiting.push(node);
  };
  for (const node of state.nodes()) if (!node.auto || node.fixed || state.essential(node)) use(node);
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop())
    for (const { type, alternatives } of index.dependencies(node.install)) {
      if (type === 'Conflicts' || type === 'Breaks') continue;
      for (const relation of alternatives)
        for (const id of index.satisfiers(relation)) {
          const other = state.nodeOf(id);
          if (other.install === id) use(other);
        }
    }
  const removed: Node[] = [];
  for (const node of [...state.nodes()]) {
    if (used.has(node) || node.mode !== 'install' || node.current !== NONE) continue;
    if (state.markDelete(node)) removed.push(node);
  }
  // nothing in use depends on what was removed; this check guards against bugs
  for (const node of removed)
    for (const other of used)
      if (state.broken(other)) {
        state.markInstall(node, false);
        break;
      }
}
