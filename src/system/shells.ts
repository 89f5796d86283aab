import { basename, dirname } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';
import { type ConfigureContext, lines, putText } from './context.ts';

/** update-shells(8): /etc/shells from the packages' entries, keeping local changes. */

const TEMPLATE = 'usr/share/debianutils/shells';
const FOLDER = 'usr/share/debianutils/shells.d';
const STATE = 'var/lib/shells.state';
const SHELLS = 'etc/shells';

/**
 * Updates /etc/shells and the saved state. `merged` false: as if /bin were not a link yet, as the first
 * users of usrmerge saw it.
 */
export function updateShells(tree: Tree, context: ConfigureContext, merged = true): void {
  const offered = new Set<string>();
  for (const path of [TEMPLATE, ...tree.list(FOLDER).map((name) => `${FOLDER}/${name}`)])
    for (const line of lines(tree.text(path) ?? '')) {
      const shell = line.split('#')[0]!;
      if (shell === '') continue;
      offered.add(shell);
      if (!merged) continue;
      const folder = tree.realpath(dirname(shell));
      offered.add(`/${folder ?? dirname(shell).replace(/^\//, '')}/${basename(shell)}`);
    }
  const before = new Set(lines(tree.text(STATE) ?? '').map((line) => line.split('#')[0]!));
  const kept: string[] = [];
  const present = new Set<string>();
  for (const line of lines(tree.text(SHELLS) ?? tree.text(TEMPLATE) ?? '')) {
    const shell = line.split('#')[0]!;
    // remove shells we added that no package offers any more; comments and local additions stay
    if (shell !== '' && !offered.has(shell) && before.has(shell)) continue;
    if (shell !== '' && present.has(shell)) continue;
    present.add(shell);
    kept.push(line);
  }
  for (const shell of offered) if (!present.has(shell) && !before.has(shell)) kept.push(shell);
  putText(tree, context, SHELLS, kept.map((line) => `${line}\n`).join(''));
  putText(tree, context, STATE, [...offered].map((shell) => `${shell}\n`).join(''));
}

/** `add-shell SHELL…` of packages older than shells.d. */
export function addShell(tree: Tree, context: ConfigureContext, shells: readonly string[]): void {
  const present = lines(tree.text(SHELLS) ?? '');
  const added = shells.filter((shell) => !present.includes(shell));
  if (added.length > 0) putText(tree, context, SHELLS, [...present, ...added].map((line) => `${line}\n`).join(''));
}

/** `remove-shell SHELL…`. */
export function removeShell(tree: Tree, context: ConfigureContext, shells: readonly string[]): void {
  const present = lines(tree.text(SHELLS) ?? '');
  const kept = present.filter((line) => !shells.includes(line));
  if (kept.length < present.length) putText(tree, context, SHELLS, kept.map((line) => `${line}\n`).join(''));
}
