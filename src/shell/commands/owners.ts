import type { Inode } from '../../tree/inode.ts';
import { contentText, FileError, type Files } from '../files.ts';

/** Rows of an account file of the tree (`/etc/passwd`, `/etc/group`), split at the colons. */
export function accountRows(files: Files, path: string): string[][] {
  const inode = files.find(path);
  if (inode?.kind !== 'file') return [];
  files.budget.scan(inode.content.size * 4);
  return contentText(inode.content, files.budget)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

function id(files: Files, path: string, name: string, kind: string): number {
  const row = accountRows(files, path).find((candidate) => candidate[0] === name);
  if (row !== undefined) return Number(row[2]);
  if (/^\+?[0-9]{1,10}$/.test(name)) return Number(name);
  if (name === 'root') return 0;
  throw new FileError(`invalid ${kind}: '${name}'`);
}

/** Number of a user by name or number. */
export function userId(files: Files, name: string): number {
  return id(files, '/etc/passwd', name, 'user');
}

/** Number of a group by name or number. */
export function groupId(files: Files, name: string): number {
  return id(files, '/etc/group', name, 'group');
}

/** Name of a user, or its number when it has no name. */
export function userName(files: Files, uid: number): string {
  return (
    accountRows(files, '/etc/passwd').find((row) => Number(row[2]) === uid)?.[0] ?? (uid === 0 ? 'root' : String(uid))
  );
}

/** Name of a group, or its number when it has no name. */
export function groupName(files: Files, gid: number): string {
  return (
    accountRows(files, '/etc/group').find((row) => Number(row[2]) === gid)?.[0] ?? (gid === 0 ? 'root' : String(gid))
  );
}

/** Parses owner and group as `chown` does: `user`, `user:group`, `user:`, `:group`, also with a dot. */
export function parseOwner(files: Files, text: string): { uid?: number; gid?: number } {
  let at = text.indexOf(':');
  if (at < 0) {
    const known = accountRows(files, '/etc/passwd').some((row) => row[0] === text);
    if (!known) at = text.indexOf('.');
  }
  const user = at < 0 ? text : text.slice(0, at);
  const group = at < 0 ? undefined : text.slice(at + 1);
  const out: { uid?: number; gid?: number } = {};
  if (user !== '') out.uid = userId(files, user);
  if (group !== undefined && group !== '') out.gid = groupId(files, group);
  else if (group === '' && user !== '') {
    const row = accountRows(files, '/etc/passwd').find((r) => r[0] === user || r[2] === user);
    if (row !== undefined) out.gid = Number(row[3]);
  }
  return out;
}

/** Sets an inode's owner. As in the kernel, this clears setuid and setgid of a file. */
export function setOwner(inode: Inode, owner: { uid?: number; gid?: number }): void {
  if (owner.uid !== undefined) {
    inode.uid = owner.uid;
    delete inode.user;
  }
  if (owner.gid !== undefined) {
    inode.gid = owner.gid;
    delete inode.group;
  }
  if (inode.kind !== 'file') return;
  inode.mode &= ~0o4000;
  if ((inode.mode & 0o010) !== 0) inode.mode &= ~0o2000;
}

/** Applies a mode as `chmod` takes it, octal or symbolic, to an existing mode; undefined when it is invalid. */
export function applyMode(text: string, mode: number, isDirectory: boolean, umask: number): number | undefined {
  if (/^[0-7]{1,5}$/.test(text)) {
    const bits = Number.parseInt(text, 8) & 0o7777;
    // GNU keeps a directory's setuid and setgid unless all five digits are given
    return isDirectory && text.length < 5 ? bits | (mode & 0o6000) : bits;
  }
  let out = mode;
  for (const clause of text.split(',')) {
    const match = /^([ugoa]*)((?:[-+=](?:[ugo]|[rwxXst]*))+)$/.exec(clause);
    if (match === null) return undefined;
    const who = match[1]!;
    const everyone = who === '' || who.includes('a');
    let mask = 0;
    if (everyone || who.includes('u')) mask |= 0o4700;
    if (everyone || who.includes('g')) mask |= 0o2070;
    if (everyone || who.includes('o')) mask |= 0o1007;
    for (const [, sign, letters = ''] of match[2]!.matchAll(/([-+=])([ugo]|[rwxXst]*)/g)) {
      let bits = 0;
      if (letters === 'u') bits = ((out >> 6) & 7) * 0o111;
      else if (letters === 'g') bits = ((out >> 3) & 7) * 0o111;
      else if (letters === 'o') bits = (out & 7) * 0o111;
      else
        for (const letter of letters) {
          if (letter === 'r') bits |= 0o444;
          else if (letter === 'w') bits |= 0o222;
          else if (letter === 'x' || (letter === 'X' && (isDirectory || (out & 0o111) !== 0))) bits |= 0o111;
          else if (letter === 's') bits |= 0o6000;
          else if (letter === 't') bits |= 0o1000;
        }
      bits &= who === '' ? mask & ~umask : mask;
      if (sign === '+') out |= bits;
      else if (sign === '-') out &= ~bits;
      else out = (out & ~(mask & (isDirectory ? 0o1777 : 0o7777))) | bits;
    }
  }
  return out;
}
