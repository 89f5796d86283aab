import type { Inode } from '../tree/inode.ts';
import type { Accounts } from './accounts.ts';

/** POSIX access control lists as stored in extended attributes (acl(5), the kernel's posix_acl_xattr.h). */

const ACCESS = 'system.posix_acl_access';
const DEFAULT = 'system.posix_acl_default';
const VERSION = 2;
const TAG = { user: 0x01, namedUser: 0x02, group: 0x04, namedGroup: 0x08, mask: 0x10, other: 0x20 } as const;
/** Id of entries without a user or group. */
const NOBODY = 0xffffffff;

/** One entry of a list. */
export interface AclEntry {
  /** For entries created below a directory. */
  readonly default: boolean;
  readonly tag: number;
  readonly id: number;
  /** Bits rwx; `X` means execute only on directories and files that are already executable. */
  readonly permissions: number;
  readonly conditionalExecute: boolean;
}

/** Reads the short text form (`d:group:adm:r-x,group::r-x`); undefined when a name or keyword is unknown. */
export function parseAcl(text: string, accounts: Accounts): AclEntry[] | undefined {
  const entries: AclEntry[] = [];
  for (const word of text.split(',')) {
    const parts = word.trim().split(':');
    const isDefault = /^d(efault)?$/.test(parts[0]!);
    if (isDefault) parts.shift();
    const [kind, name = '', permissions = parts[1] ?? ''] = parts as [string, string?, string?];
    if (!/^[rwxX-]*$/.test(permissions)) return undefined;
    const named = parts.length > 2 && name !== '';
    let tag: number;
    let id: number | undefined = NOBODY;
    if (/^u(ser)?$/.test(kind)) {
      tag = named ? TAG.namedUser : TAG.user;
      if (named) id = /^\d+$/.test(name) ? Number(name) : accounts.user(name)?.uid;
    } else if (/^g(roup)?$/.test(kind)) {
      tag = named ? TAG.namedGroup : TAG.group;
      if (named) id = /^\d+$/.test(name) ? Number(name) : accounts.group(name)?.gid;
    } else if (/^m(ask)?$/.test(kind)) tag = TAG.mask;
    else if (/^o(ther)?$/.test(kind)) tag = TAG.other;
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

interface RawEntry {
  readonly tag: number;
  readonly id: number;
  readonly permissions: number;
}

/** Adds entries to the access list of an inode, which starts from its mode. */
export function addGroupAcl(inode: Inode, entries: readonly AclEntry[]): void {
  if (entries.length > 0) addEntries(inode, ACCESS, entries);
}

/** Adds entries to the default list of a directory. */
export function addDefaultAcl(inode: Inode, entries: readonly AclEntry[]): void {
  if (entries.length > 0) addEntries(inode, DEFAULT, entries);
}

function addEntries(inode: Inode, attribute: string, entries: readonly AclEntry[]): void {
  const all = new Map<string, RawEntry>();
  const put = (entry: RawEntry) => all.set(`${entry.tag}:${entry.id}`, entry);
  for (const entry of decode(inode.xattrs?.get(attribute)) ?? fromMode(inode.mode)) put(entry);
  const executable = inode.kind === 'directory' || (inode.mode & 0o111) !== 0;
  for (const { tag, id, permissions, conditionalExecute } of entries)
    put({ tag, id, permissions: permissions | (conditionalExecute && executable ? 1 : 0) });
  // the mask limits all entries but owner and others: it is the union of them
  if (!entries.some((entry) => entry.tag === TAG.mask)) {
    let mask = 0;
    for (const entry of all.values())
      if (entry.tag === TAG.namedUser || entry.tag === TAG.group || entry.tag === TAG.namedGroup)
        mask |= entry.permissions;
    put({ tag: TAG.mask, id: NOBODY, permissions: mask });
  }
  const sorted = [...all.values()].sort((a, b) => a.tag - b.tag || a.id - b.id);
  inode.xattrs ??= new Map();
  inode.xattrs.set(attribute, encode(sorted));
  if (attribute !== ACCESS) return;
  // the group bits of the mode show the mask
  const bits = (tag: number) => sorted.find((entry) => entry.tag === tag)?.permissions ?? 0;
  inode.mode = (inode.mode & ~0o777) | (bits(TAG.user) << 6) | (bits(TAG.mask) << 3) | bits(TAG.other);
}

function fromMode(mode: number): RawEntry[] {
  return [
    { tag: TAG.user, id: NOBODY, permissions: (mode >> 6) & 7 },
    { tag: TAG.group, id: NOBODY, permissions: (mode >> 3) & 7 },
    { tag: TAG.other, id: NOBODY, permissions: mode & 7 },
  ];
}

function encode(entries: readonly RawEntry[]): Uint8Array {
  const out = new DataView(new ArrayBuffer(4 + entries.length * 8));
  out.setUint32(0, VERSION, true);
  for (const [i, entry] of entries.entries()) {
    out.setUint16(4 + i * 8, entry.tag, true);
    out.setUint16(6 + i * 8, entry.permissions, true);
    out.setUint32(8 + i * 8, entry.id, true);
  }
  return new Uint8Array(out.buffer);
}

function decode(bytes: Uint8Array | undefined): RawEntry[] | undefined {
  if (bytes === undefined || bytes.length < 4 || (bytes.length - 4) % 8 !== 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: RawEntry[] = [];
  for (let at = 4; at < bytes.length; at += 8)
    entries.push({
      tag: view.getUint16(at, true),
      permissions: view.getUint16(at + 2, true),
      id: view.getUint32(at + 4, true),
    });
  return entries;
}
