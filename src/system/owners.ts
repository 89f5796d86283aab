import type { Inode } from '../tree/inode.ts';
import type { Tree } from '../tree/tree.ts';
import { Accounts } from './accounts.ts';
import type { ConfigureContext } from './context.ts';

/**
 * Numbers of an owner written as a name, a number, or `USER:GROUP` in either form; undefined when a name is unknown.
 * An empty part is left unchanged.
 */
export function resolveOwner(
  tree: Tree,
  context: ConfigureContext,
  owner: string,
): { uid?: number; gid?: number } | undefined {
  const accounts = new Accounts(tree, context);
  const [user, group] = owner.split(/[:.]/, 2) as [string, string | undefined];
  const result: { uid?: number; gid?: number } = {};
  if (user !== '') {
    const uid = /^\d+$/.test(user) ? Number(user) : accounts.user(user)?.uid;
    if (uid === undefined) return undefined;
    result.uid = uid;
  }
  if (group !== undefined && group !== '') {
    const gid = /^\d+$/.test(group) ? Number(group) : accounts.group(group)?.gid;
    if (gid === undefined) return undefined;
    result.gid = gid;
  }
  return result;
}

/** Sets an inode's owner by number, dropping the names from its archive. */
export function own(inode: Inode, owner: { readonly uid?: number; readonly gid?: number }): void {
  if (owner.uid !== undefined) {
    inode.uid = owner.uid;
    delete inode.user;
  }
  if (owner.gid !== undefined) {
    inode.gid = owner.gid;
    delete inode.group;
  }
}

/**
 * Makes owners final: a name from the archive takes precedence over its number, as with dpkg; with a name the guest
 * does not know, the number is kept.
 */
export function settleOwners(tree: Tree, context: ConfigureContext): void {
  const accounts = new Accounts(tree, context);
  const uids = new Map(accounts.users.map((user) => [user.name, user.uid]));
  const gids = new Map(accounts.groups.map((group) => [group.name, group.gid]));
  for (const { inode } of tree.walk()) {
    if (inode.user !== undefined) {
      inode.uid = uids.get(inode.user) ?? inode.uid;
      delete inode.user;
    }
    if (inode.group !== undefined) {
      inode.gid = gids.get(inode.group) ?? inode.gid;
      delete inode.group;
    }
  }
}
