import { type ConfigureContext, lines, putText, warn } from '../../../system/context.ts';
import { own, resolveOwner } from '../../../system/owners.ts';
import type { Tree } from '../../../tree/tree.ts';
import { inPathOrder } from './dpkg-hash.ts';

/** dpkg-statoverride(1): owners and modes that packages or administrators set instead of the archive's. */

const DATABASE = 'var/lib/dpkg/statoverride';

/** One line of the database. */
export interface StatOverride {
  readonly user: string;
  readonly group: string;
  /** Octal digits. */
  readonly mode: string;
  /** Absolute path. */
  readonly path: string;
}

/** All overrides, in dpkg's order. */
export function statOverrides(tree: Tree): StatOverride[] {
  return lines(tree.text(DATABASE) ?? '').flatMap((line) => {
    const [user, group, mode, ...path] = line.split(' ');
    return path.length === 0 ? [] : [{ user: user!, group: group!, mode: mode!, path: path.join(' ') }];
  });
}

/** `dpkg-statoverride --add`; with `update` the file is changed immediately. False when there is one already. */
export function addStatOverride(
  tree: Tree,
  context: ConfigureContext,
  override: StatOverride,
  update: boolean,
  force = false,
): boolean {
  const path = override.path.replace(/(.)\/+$/, '$1');
  const present = statOverrides(tree);
  if (present.some((one) => one.path === path) && !force) return false;
  const mode = Number.parseInt(override.mode, 8).toString(8);
  const kept = present.filter((one) => one.path !== path);
  write(tree, context, [...kept, { ...override, mode, path }]);
  if (update) applyOverride(tree, context, { ...override, mode, path });
  return true;
}

/** `dpkg-statoverride --remove`. False when there was none. */
export function removeStatOverride(tree: Tree, context: ConfigureContext, path: string): boolean {
  const present = statOverrides(tree);
  const kept = present.filter((one) => one.path !== path);
  if (kept.length === present.length) return false;
  write(tree, context, kept);
  return true;
}

function write(tree: Tree, context: ConfigureContext, all: readonly StatOverride[]): void {
  const sorted = inPathOrder(all, (one) => one.path);
  putText(tree, context, DATABASE, sorted.map((o) => `${o.user} ${o.group} ${o.mode} ${o.path}\n`).join(''));
}

/** Gives the file its overridden owner and mode, if it exists. */
export function applyOverride(tree: Tree, context: ConfigureContext, override: StatOverride): void {
  const inode = tree.stat(override.path);
  if (inode === undefined) return;
  const name = (one: string) => (one.startsWith('#') ? one.slice(1) : one);
  const owner = resolveOwner(tree, context, `${name(override.user)}:${name(override.group)}`);
  if (owner === undefined) {
    warn(context, 'OWNER_UNKNOWN', {
      file: 'statoverride',
      who: `user ${override.user} or group ${override.group}`,
      path: override.path,
    });
    return;
  }
  own(inode, owner);
  inode.mode = Number.parseInt(override.mode, 8) & 0o7777;
}
