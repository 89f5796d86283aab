import { type ConfigureContext, lines, makeParents, putText } from '../../../system/context.ts';
import type { Tree } from '../../../tree/tree.ts';
import { inPathOrder } from './dpkg-hash.ts';

/** dpkg-divert(1): paths whose files, when another package ships them, are installed elsewhere. */

const DATABASE = 'var/lib/dpkg/diversions';

/** Three lines of the database. Paths are absolute and compared as written, as dpkg does. */
export interface Diversion {
  readonly from: string;
  readonly to: string;
  /** The package whose own file stays at `from`; `:` for the administrator's. */
  readonly package: string;
}

/** All diversions, in dpkg's order. */
export function diversions(tree: Tree): Diversion[] {
  const rows = lines(tree.text(DATABASE) ?? '');
  const all: Diversion[] = [];
  for (let i = 0; i + 2 < rows.length; i += 3) all.push({ from: rows[i]!, to: rows[i + 1]!, package: rows[i + 2]! });
  return all;
}

/**
 * `dpkg-divert --add`, with or without `--rename`. False when the path is already diverted elsewhere; the same
 * diversion again is accepted.
 */
export function addDiversion(tree: Tree, context: ConfigureContext, diversion: Diversion, rename: boolean): boolean {
  const all = diversions(tree);
  const present = all.find(
    (one) => one.from === diversion.from || one.to === diversion.from || one.from === diversion.to,
  );
  if (present !== undefined)
    return present.from === diversion.from && present.to === diversion.to && present.package === diversion.package;
  write(tree, context, [...all, diversion]);
  if (rename && tree.lstat(diversion.from) !== undefined) {
    makeParents(tree, context, diversion.to);
    tree.rename(diversion.from, diversion.to);
  }
  return true;
}

/** `dpkg-divert --remove`: given `to` and `package` must match. True also when there was none. */
export function removeDiversion(
  tree: Tree,
  context: ConfigureContext,
  removed: { readonly from: string; readonly to?: string; readonly package?: string },
  rename: boolean,
): boolean {
  const all = diversions(tree);
  const present = all.find((one) => one.from === removed.from);
  if (present === undefined) return true;
  if (removed.to !== undefined && removed.to !== present.to) return false;
  if (removed.package !== undefined && removed.package !== present.package) return false;
  write(
    tree,
    context,
    all.filter((one) => one !== present),
  );
  if (rename && tree.lstat(present.to) !== undefined) tree.rename(present.to, present.from);
  return true;
}

/** `dpkg-divert --truename`: the actual path of a file of any package but the diverting one. */
export function trueName(tree: Tree, path: string): string {
  return diversions(tree).find((one) => one.from === path)?.to ?? path;
}

/** `dpkg-divert --listpackage`: `LOCAL` for the administrator's; undefined when not diverted. */
export function divertedBy(tree: Tree, path: string): string | undefined {
  const found = diversions(tree).find((one) => one.from === path);
  return found === undefined ? undefined : found.package === ':' ? 'LOCAL' : found.package;
}

function write(tree: Tree, context: ConfigureContext, all: readonly Diversion[]): void {
  const sorted = inPathOrder(all, (one) => one.from);
  putText(tree, context, DATABASE, sorted.map((d) => `${d.from}\n${d.to}\n${d.package}\n`).join(''));
}
