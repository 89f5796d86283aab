/**
 * POSIX access control lists in archives. star's text form (`user::rwx,user:bin:r--:2,mask::r-x`, also as GNU tar and
 * libarchive write it) becomes the binary form of the attributes `system.posix_acl_access` and
 * `system.posix_acl_default` (kernel: include/uapi/linux/posix_acl_xattr.h).
 */

/** The attribute for each pax keyword of star. */
export const ACL_ATTRIBUTES: ReadonlyMap<string, string> = new Map([
  ['SCHILY.acl.access', 'system.posix_acl_access'],
  ['SCHILY.acl.default', 'system.posix_acl_default'],
]);

const VERSION = 2;
const TAG = { user: 0x01, namedUser: 0x02, group: 0x04, namedGroup: 0x08, mask: 0x10, other: 0x20 } as const;
/** Tags in the order that the kernel requires. */
const TAGS: readonly number[] = Object.values(TAG);
/** Id of entries that name no user or group. */
const NO_ID = 0xffff_ffff;

interface AclEntry {
  readonly tag: number;
  readonly permissions: number;
  readonly id: number;
}

/** A list read from text. */
export interface TextAcl {
  /** The value of the attribute; absent when the list is equivalent to the mode's nine bits. */
  readonly value?: Uint8Array;
  /** Users and groups whose number is unknown: their entries are left out. */
  readonly unknown: readonly string[];
}

/** Reads star's text form; a string is the reason why it cannot be used. `idOf` resolves some names to numbers. */
export function textAcl(
  text: string,
  idOf: (kind: 'user' | 'group', name: string) => number | undefined,
): TextAcl | string {
  const entries: AclEntry[] = [];
  const unknown: string[] = [];
  for (const line of text.split(/[,\n]/)) {
    const word = line.replace(/#.*$/, '').trim();
    if (word === '') continue;
    const fields = word.split(':').map((field) => field.trim());
    if (/^d(efault)?$/.test(fields[0]!)) fields.shift();
    const kind = KINDS.get(fields[0]!);
    if (kind === undefined) return `"${word}" is not an entry of a list`;
    // Solaris writes "mask:rwx" and "other:rwx", without the empty field for a name
    if (fields.length === 2 && (kind === 'mask' || kind === 'other')) fields.splice(1, 0, '');
    const [, name = '', letters = '', number] = fields;
    if (fields.length > 4 || !/^[r-][w-][x-]$/.test(letters)) return `"${word}" is not an entry of a list`;
    const permissions = [...letters].reduce((bits, letter) => bits * 2 + (letter === '-' ? 0 : 1), 0);
    if (name === '' || (kind !== 'user' && kind !== 'group')) {
      if (name !== '') return `"${word}" is not an entry of a list`;
      entries.push({ tag: TAG[kind], permissions, id: NO_ID });
      continue;
    }
    const id = numberIn(number) ?? numberIn(name) ?? idOf(kind, name);
    if (id === undefined) unknown.push(`${kind} ${name}`);
    else entries.push({ tag: kind === 'user' ? TAG.namedUser : TAG.namedGroup, permissions, id });
  }
  entries.sort((a, b) => TAGS.indexOf(a.tag) - TAGS.indexOf(b.tag) || a.id - b.id);
  const reason = faultOf(entries);
  if (reason !== undefined) return reason;
  return { ...(entries.length > 3 ? { value: encode(entries) } : {}), unknown };
}

const KINDS: ReadonlyMap<string, 'user' | 'group' | 'mask' | 'other'> = new Map([
  ['u', 'user'],
  ['user', 'user'],
  ['g', 'group'],
  ['group', 'group'],
  ['m', 'mask'],
  ['mask', 'mask'],
  ['o', 'other'],
  ['other', 'other'],
]);

function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,10}$/.test(text) && Number(text) < NO_ID ? Number(text) : undefined;
}

/** What the kernel (posix_acl_valid) rejects: an entry missing or twice, or named entries without a mask. */
function faultOf(entries: readonly AclEntry[]): string | undefined {
  const seen = new Set<string>();
  for (const { tag, id } of entries) {
    const key = `${tag}:${id}`;
    if (seen.has(key)) return 'it has an entry twice';
    seen.add(key);
  }
  for (const tag of [TAG.user, TAG.group, TAG.other])
    if (!entries.some((entry) => entry.tag === tag)) return 'it has no entries for owner, group and others';
  const named = entries.some(({ tag }) => tag === TAG.namedUser || tag === TAG.namedGroup);
  if (named && !entries.some(({ tag }) => tag === TAG.mask)) return 'it names users or groups and has no mask';
  return undefined;
}

function encode(entries: readonly AclEntry[]): Uint8Array {
  const out = new DataView(new ArrayBuffer(4 + entries.length * 8));
  out.setUint32(0, VERSION, true);
  for (const [i, { tag, permissions, id }] of entries.entries()) {
    out.setUint16(4 + i * 8, tag, true);
    out.setUint16(6 + i * 8, permissions, true);
    out.setUint32(8 + i * 8, id, true);
  }
  return new Uint8Array(out.buffer);
}

/** Why a binary list cannot be used; undefined when it can. */
export function binaryAclFault(value: Uint8Array): string | undefined {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  if (value.length < 4 || (value.length - 4) % 8 !== 0 || view.getUint32(0, true) !== VERSION)
    return `its ${value.length} bytes are not a list of version ${VERSION}`;
  const entries: AclEntry[] = [];
  for (let at = 4; at < value.length; at += 8) {
    const tag = view.getUint16(at, true);
    if (!TAGS.includes(tag)) return `it has an entry with the unknown tag ${tag}`;
    entries.push({ tag, permissions: view.getUint16(at + 2, true), id: view.getUint32(at + 4, true) });
  }
  return entries.length === 0 ? undefined : faultOf(entries);
}
