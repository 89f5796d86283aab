import type { Report } from '../events/events.ts';
import { type Chiselled, chisel, licencesIn } from '../rootfs/chisel/chisel.ts';
import type { KeepList } from '../rootfs/chisel/list.ts';
import { pathsOf } from '../rootfs/chisel/match.ts';
import type { Inode } from '../tree/inode.ts';
import { display } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';
import type { Base } from './assemble.ts';

/** Notes what a tree has before the build's own steps, and reduces it after them. */
export class Chisel {
  readonly #list: KeepList;
  readonly #licences: ReadonlyMap<string, Inode>;
  readonly #programs: readonly string[];
  #before: ReadonlyMap<string, Inode> = new Map();

  /** Call it before anything is trimmed. `programs`: what the build's own parts run. */
  constructor(list: KeepList, tree: Tree, programs: readonly string[]) {
    this.#list = list;
    this.#programs = programs;
    this.#licences = licencesIn(tree);
  }

  /** Call it before the build's own steps: what is new afterwards is kept. */
  begin(tree: Tree): void {
    this.#before = pathsIn(tree);
  }

  /** Reduces the tree. Throws `KEEP_UNMATCHED`. */
  async finish({ tree, owners, database, epoch, history }: Base, machine: string, report: Report): Promise<Chiselled> {
    const own = new Map<string, string>();
    for (const [path, inode] of pathsIn(tree)) {
      const before = this.#before.get(path);
      // text that a step changed belongs to its package; a program that it put in place of another is its own
      const replaced = before !== inode && inode.kind === 'file' && (inode.mode & 0o111) !== 0;
      if (before === undefined || replaced) own.set(path, 'made by the build');
    }
    for (const name of this.#programs)
      for (const path of pathsOf(tree, name, () => [])) own.set(path, 'run by the agent');
    if (database !== undefined && tree.has(database)) own.set(database, 'database of packages');
    const known = (await owners?.()) ?? new Map<string, readonly string[]>();
    const result = chisel(tree, {
      list: this.#list,
      owners: known,
      own,
      licences: this.#licences,
      machine,
      epoch,
      report,
    });
    history?.mark(tree, { step: 'keep' });
    const { before, after } = result;
    const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
    report({
      kind: 'note',
      message: `kept ${after.paths} of ${before.paths} paths, ${mib(after.bytes)} of ${mib(before.bytes)} MiB`,
    });
    return result;
  }
}

function pathsIn(tree: Tree): Map<string, Inode> {
  const paths = new Map<string, Inode>();
  for (const { path, inode } of tree.walk()) if (inode.kind !== 'directory') paths.set(path, inode);
  return paths;
}

/** A kept guest for programs: every path and why it is kept. */
export function keptDocument({ items, reasons, before, after }: Chiselled): object {
  const paths = [...reasons]
    .map(([path, reason]) => ({ path: `/${display(path)}`, reason }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  return { before, after, items, paths };
}
