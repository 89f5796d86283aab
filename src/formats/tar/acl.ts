import {
  ACL_ACCESS,
  ACL_DEFAULT,
  ACL_NO_ID,
  ACL_TAG,
  type AclEntry,
  aclFault,
  decodeAcl,
  encodeAcl,
} from '../acl/acl.ts';

/**
 * Access control lists in archives: star's text form (`user::rwx,user:bin:r--:2,mask::r-x`), as GNU tar and libarchive
 * write it too, becomes the binary form of attributes.
 */

/** The attribute for each pax keyword of star. */
export const ACL_ATTRIBUTES: ReadonlyMap<string, string> = new Map([
  ['SCHILY.acl.access', ACL_ACCESS],
  ['SCHILY.acl.default', ACL_DEFAULT],
]);

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
      entries.push({ tag: ACL_TAG[kind], permissions, id: ACL_NO_ID });
      continue;
    }
    const id = numberIn(number) ?? numberIn(name) ?? idOf(kind, name);
    if (id === undefined) unknown.push(`${kind} ${name}`);
    else entries.push({ tag: kind === 'user' ? ACL_TAG.namedUser : ACL_TAG.namedGroup, permissions, id });
  }
  const reason = aclFault(entries);
  if (reason !== undefined) return reason;
  return { ...(entries.length > 3 ? { value: encodeAcl(entries) } : {}), unknown };
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
  return text !== undefined && /^[0-9]{1,10}$/.test(text) && Number(text) < ACL_NO_ID ? Number(text) : undefined;
}

/** Why a binary list cannot be used; undefined when it can. */
export function binaryAclFault(value: Uint8Array): string | undefined {
  const entries = decodeAcl(value);
  if (typeof entries === 'string') return entries;
  return entries.length === 0 ? undefined : aclFault(entries);
}
