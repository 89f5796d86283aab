import {
  ACL_ACCESS,
  ACL_DEFAULT,
  ACL_NO_ID,
  ACL_TAG,
  type AclEntry,
  decodeAcl,
  encodeAcl,
} from '../formats/acl/acl.ts';
import type { Inode } from '../tree/inode.ts';
import type { Accounts } from './accounts.ts';

/** Access control lists in the text form of tmpfiles.d and setfacl(1), added to those of a file. */

/** An entry to add to a list. */
export interface NewAclEntry extends AclEntry {
  /** For the list that a directory gives to what is created in it. */
  readonly default: boolean;
  /** `X`: execute only on directories and files that are already executable. */
  readonly conditionalExecute: boolean;
}

/** Reads the short text form (`d:group:adm:r-x,group::r-x`); undefined when a name or keyword is unknown. */
export function parseAcl(text: string, accounts: Accounts): NewAclEntry[] | undefined {
  const entries: NewAclEntry[] = [];
  for (const word of text.split(',')) {
    const parts = word.trim().split(':');
    const isDefault = /^d(efault)?$/.test(parts[0]!);
    if (isDefault) parts.shift();
    const [kind, name = '', permissions = parts[1] ?? ''] = parts as [string, string?, string?];
    if (!/^[rwxX-]*$/.test(permissions)) return undefined;
    const named = parts.length > 2 && name !== '';
    let tag: number;
    let id: number | undefined = ACL_NO_ID;
    if (/^u(ser)?$/.test(kind)) {
      tag = named ? ACL_TAG.namedUser : ACL_TAG.user;
      if (named) id = /^\d+$/.test(name) ? Number(name) : accounts.user(name)?.uid;
    } else if (/^g(roup)?$/.test(kind)) {
      tag = named ? ACL_TAG.namedGroup : ACL_TAG.group;
      if (named) id = /^\d+$/.test(name) ? Number(name) : accounts.group(name)?.gid;
    } else if (/^m(ask)?$/.test(kind)) tag = ACL_TAG.mask;
    else if (/^o(ther)?$/.test(kind)) tag = ACL_TAG.other;
    else return undefined;
    if (id === undefined) return undefined;
    const bit = (letter: string, value: number) => (permissions.includes(letter) ? value : 0);
    entries.push({
      default: isDefault,
      tag,
      id,
      permissions: bit('r', 4) | bit('w', 2) | bit('x', 1),
      conditionalExecute: permissions.includes('X'),
    });
  }
  return entries;
}

/** Adds entries to the access list of an inode, which starts from its mode. */
export function addGroupAcl(inode: Inode, entries: readonly NewAclEntry[]): void {
  if (entries.length > 0) addEntries(inode, ACL_ACCESS, entries);
}

/** Adds entries to the default list of a directory. */
export function addDefaultAcl(inode: Inode, entries: readonly NewAclEntry[]): void {
  if (entries.length > 0) addEntries(inode, ACL_DEFAULT, entries);
}

function addEntries(inode: Inode, attribute: string, entries: readonly NewAclEntry[]): void {
  const all = new Map<string, AclEntry>();
  const put = (entry: AclEntry) => all.set(`${entry.tag}:${entry.id}`, entry);
  for (const entry of present(inode, attribute)) put(entry);
  const executable = inode.kind === 'directory' || (inode.mode & 0o111) !== 0;
  for (const { tag, id, permissions, conditionalExecute } of entries)
    put({ tag, id, permissions: permissions | (conditionalExecute && executable ? 1 : 0) });
  // the mask limits all entries but owner and others: it is the union of them
  if (!entries.some((entry) => entry.tag === ACL_TAG.mask)) {
    let mask = 0;
    for (const entry of all.values())
      if (entry.tag === ACL_TAG.namedUser || entry.tag === ACL_TAG.group || entry.tag === ACL_TAG.namedGroup)
        mask |= entry.permissions;
    put({ tag: ACL_TAG.mask, id: ACL_NO_ID, permissions: mask });
  }
  inode.xattrs ??= new Map();
  inode.xattrs.set(attribute, encodeAcl([...all.values()]));
  if (attribute !== ACL_ACCESS) return;
  // the group bits of the mode show the mask
  const bits = (tag: number) => [...all.values()].find((entry) => entry.tag === tag)?.permissions ?? 0;
  inode.mode = (inode.mode & ~0o777) | (bits(ACL_TAG.user) << 6) | (bits(ACL_TAG.mask) << 3) | bits(ACL_TAG.other);
}

/** The entries of an inode's list; without one, those that its mode is equivalent to. */
function present({ xattrs, mode }: Inode, attribute: string): AclEntry[] {
  const value = xattrs?.get(attribute);
  const entries = value === undefined ? '' : decodeAcl(value);
  return typeof entries === 'string' ? fromMode(mode) : entries;
}

function fromMode(mode: number): AclEntry[] {
  return [
    { tag: ACL_TAG.user, id: ACL_NO_ID, permissions: (mode >> 6) & 7 },
    { tag: ACL_TAG.group, id: ACL_NO_ID, permissions: (mode >> 3) & 7 },
    { tag: ACL_TAG.other, id: ACL_NO_ID, permissions: mode & 7 },
  ];
}
