import type { Inode } from '../tree/inode.ts';
import { dirname } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';
import { Accounts, type User } from './accounts.ts';
import { type ConfigureContext, copyIfAbsent, ensureDirectory, made } from './context.ts';
import { LoginDefs } from './login-defs.ts';

/** Homes and mailboxes of users, as shadow's programs make and change them. */

/** The numbers of an owner. */
type Owner = Readonly<Record<'uid' | 'gid', number>>;

/** The files of a skeleton in a new home, which are the user's. A skeleton that the home is in is copied without it. */
export function copySkeleton(
  tree: Tree,
  context: ConfigureContext,
  skeleton: string,
  home: string,
  owner: Owner,
): void {
  const end = tree.stat(home);
  const copy = (from: string, to: string): void => {
    for (const name of tree.list(from)) {
      const [source, target] = [`${from}/${name}`, `${to}/${name}`];
      const inode = tree.lstat(source)!;
      if (inode === end) continue;
      if (inode.kind === 'directory') {
        ensureDirectory(tree, context, target, made(context, inode.mode, owner.uid, owner.gid));
        copy(source, target);
      } else if (inode.kind === 'symlink')
        tree.symlink(target, inode.target, made(context, 0o777, owner.uid, owner.gid));
      else if (copyIfAbsent(tree, context, source, target)) Object.assign(tree.file(target)!, owner);
    }
  };
  copy(skeleton, home);
}

/** Files of a user's home have the new ids where they had the old ones, as usermod changes them: if the home is the user's. */
export function giveHome(tree: Tree, home: string, before: Owner, { uid, gid }: Owner): void {
  const top = tree.stat(home);
  if ((uid === before.uid && gid === before.gid) || (top?.uid !== before.uid && top?.uid !== uid)) return;
  const give = (inode: Inode): void => {
    if (inode.uid === before.uid) inode.uid = uid;
    if (inode.gid === before.gid) inode.gid = gid;
    if (inode.kind === 'directory') for (const child of inode.children.values()) give(child);
  };
  give(top);
}

/** A user's mailbox follows a new name and a new id. */
export function giveMailbox(tree: Tree, { name, uid }: User, renamed: string, before: number): void {
  const path = mailboxOf(tree, name);
  const mailbox = tree.stat(path);
  if (mailbox?.uid !== before) return;
  mailbox.uid = uid;
  if (renamed === name || tree.has(mailboxOf(tree, renamed))) return;
  tree.set(mailboxOf(tree, renamed), mailbox);
  tree.remove(path);
}

/** The file of a user's mail: in the folder that login.defs names. */
export function mailboxOf(tree: Tree, name: string): string {
  return `${new LoginDefs(tree).text('MAIL_DIR') ?? '/var/mail'}/${name}`;
}

/** An empty mailbox, where the configuration of useradd asks for one. */
export function makeMailbox(tree: Tree, context: ConfigureContext, { name, uid, gid }: User): void {
  if (!/^CREATE_MAIL_SPOOL=yes$/im.test(tree.text('etc/default/useradd') ?? '')) return;
  const path = mailboxOf(tree, name);
  if (tree.has(path) || tree.stat(dirname(path))?.kind !== 'directory') return;
  const mail = new Accounts(tree, context).group('mail');
  tree.writeFile(path, '', made(context, mail === undefined ? 0o600 : 0o660, uid, mail?.gid ?? gid));
}
