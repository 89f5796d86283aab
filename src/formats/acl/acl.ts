/**
 * POSIX access control lists in the binary form of the attributes `system.posix_acl_access` and
 * `system.posix_acl_default` (kernel: include/uapi/linux/posix_acl_xattr.h): a version, then an entry of eight bytes each.
 */

/** Attribute of the list that applies to a file or directory. */
export const ACL_ACCESS = 'system.posix_acl_access';
/** Attribute of the list that a directory gives to what is created in it. */
export const ACL_DEFAULT = 'system.posix_acl_default';

const VERSION = 2;
/** Tags of entries: include/linux/posix_acl.h. */
export const ACL_TAG = {
  user: 0x01,
  namedUser: 0x02,
  group: 0x04,
  namedGroup: 0x08,
  mask: 0x10,
  other: 0x20,
} as const;
/** Tags in the order that the kernel requires. */
const TAGS: readonly number[] = Object.values(ACL_TAG);
/** Id of entries that name no user or group. */
export const ACL_NO_ID = 0xffff_ffff;

/** One entry of a list. */
export interface AclEntry {
  /** One of {@link ACL_TAG}. */
  readonly tag: number;
  /** User or group of a named entry, else {@link ACL_NO_ID}. */
  readonly id: number;
  /** Bits rwx. */
  readonly permissions: number;
}

/** The value of the attribute; entries are sorted as the kernel requires. */
export function encodeAcl(entries: readonly AclEntry[]): Uint8Array {
  const out = new DataView(new ArrayBuffer(4 + entries.length * 8));
  out.setUint32(0, VERSION, true);
  const sorted = [...entries].sort((a, b) => TAGS.indexOf(a.tag) - TAGS.indexOf(b.tag) || a.id - b.id);
  for (const [i, { tag, permissions, id }] of sorted.entries()) {
    out.setUint16(4 + i * 8, tag, true);
    out.setUint16(6 + i * 8, permissions, true);
    out.setUint32(8 + i * 8, id, true);
  }
  return new Uint8Array(out.buffer);
}

/** The entries of an attribute's value; a string is the reason why it is not a list. */
export function decodeAcl(value: Uint8Array): AclEntry[] | string {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  if (value.length < 4 || (value.length - 4) % 8 !== 0 || view.getUint32(0, true) !== VERSION)
    return `its ${value.length} bytes are not a list of version ${VERSION}`;
  const entries: AclEntry[] = [];
  for (let at = 4; at < value.length; at += 8) {
    const tag = view.getUint16(at, true);
    if (!TAGS.includes(tag)) return `it has an entry with the unknown tag ${tag}`;
    entries.push({ tag, permissions: view.getUint16(at + 2, true), id: view.getUint32(at + 4, true) });
  }
  return entries;
}

/** What the kernel (posix_acl_valid) rejects: an entry missing or twice, or named entries without a mask. */
export function aclFault(entries: readonly AclEntry[]): string | undefined {
  const seen = new Set<string>();
  for (const { tag, id } of entries) {
    const key = `${tag}:${id}`;
    if (seen.has(key)) return 'it has an entry twice';
    seen.add(key);
  }
  for (const tag of [ACL_TAG.user, ACL_TAG.group, ACL_TAG.other])
    if (!entries.some((entry) => entry.tag === tag)) return 'it has no entries for owner, group and others';
  const named = entries.some(({ tag }) => tag === ACL_TAG.namedUser || tag === ACL_TAG.namedGroup);
  if (named && !entries.some(({ tag }) => tag === ACL_TAG.mask)) return 'it names users or groups and has no mask';
  return undefined;
}
