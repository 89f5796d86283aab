import { copyOf } from '../../bytes/content.ts';
import { latin1 } from '../../bytes/struct.ts';
import { BuildError } from '../../errors/error.ts';
import { XATTR_PREFIXES, XattrEntry, XattrHeader } from './layout.ts';

/** Largest value of an attribute, and largest sum of all of an inode, that the kernel's interface takes. */
const VALUE_MAX = 65535;

const round4 = (size: number) => (size + 3) & ~3;

/** An attribute as it is stored: prefix number, rest of the name (a byte string), value. */
interface Attribute {
  readonly index: number;
  readonly name: string;
  readonly value: Uint8Array;
}

/** The attributes of all inodes: those that several inodes have are stored once. */
export class XattrTable {
  private readonly uses = new Map<string, { attribute: Attribute; count: number; offset: number }>();
  /** The shared attributes; valid after {@link settle}. */
  shared: Uint8Array = new Uint8Array(0);

  /**
   * Notes the attributes of one inode. Returns what {@link encode} takes. Names without a prefix that EROFS has go to
   * `leftOut`, without which they are an error.
   */
  add(
    xattrs: ReadonlyMap<string, Uint8Array>,
    path: () => string,
    leftOut?: (name: string) => void,
  ): readonly string[] {
    const keys: string[] = [];
    for (const [name, value] of xattrs) {
      const attribute = attributeOf(name, value);
      if (attribute === undefined) {
        if (leftOut === undefined) throw new BuildError('EROFS_XATTR_NAME', { path: path(), name });
        leftOut(name);
        continue;
      }
      if (value.length > VALUE_MAX)
        throw new BuildError('EROFS_XATTR_SIZE', { path: path(), name, bytes: value.length, limit: VALUE_MAX });
      const key = `${attribute.index} ${attribute.name}\0${latin1(value)}`;
      const known = this.uses.get(key);
      if (known === undefined) this.uses.set(key, { attribute, count: 1, offset: -1 });
      else known.count++;
      keys.push(key);
    }
    return keys.sort();
  }

  /** Decides what is shared: every attribute of two inodes and more, in byte order. Returns the size of all of them. */
  settle(): number {
    const keys = [...this.uses].filter(([, { count }]) => count > 1).sort(([a], [b]) => (a < b ? -1 : 1));
    const pieces: Uint8Array[] = [];
    let size = 0;
    for (const [, use] of keys) {
      use.offset = size;
      const bytes = entryBytes(use.attribute);
      pieces.push(bytes);
      size += bytes.length;
    }
    this.shared = Buffer.concat(pieces);
    return size;
  }

  /** Bytes that the attributes take behind an inode. */
  sizeOf(keys: readonly string[]): number {
    if (keys.length === 0) return 0;
    let size = XattrHeader.size;
    let shared = 0;
    for (const key of keys) {
      const { attribute, offset } = this.uses.get(key)!;
      if (offset >= 0 && shared < 255) {
        size += 4;
        shared++;
      } else size += sizeOfEntry(attribute);
    }
    return size;
  }

  /** The attributes of an inode; `start` is where the shared ones are, in bytes. */
  encode(keys: readonly string[], start: number): Uint8Array {
    const into = new Uint8Array(this.sizeOf(keys));
    if (keys.length === 0) return into;
    const view = new DataView(into.buffer);
    const own: Attribute[] = [];
    let count = 0;
    for (const key of keys) {
      const { attribute, offset } = this.uses.get(key)!;
      if (offset >= 0 && count < 255) view.setUint32(XattrHeader.size + 4 * count++, (start + offset) / 4, true);
      else own.push(attribute);
    }
    XattrHeader.write(into, 0, { sharedCount: count });
    let at = XattrHeader.size + 4 * count;
    for (const attribute of own) {
      into.set(entryBytes(attribute), at);
      at += sizeOfEntry(attribute);
    }
    return into;
  }
}

/** The value of i_xattr_icount for attributes of that many bytes. */
export function xattrCount(bytes: number): number {
  return bytes === 0 ? 0 : (bytes - XattrHeader.size) / 4 + 1;
}

function attributeOf(name: string, value: Uint8Array): Attribute | undefined {
  for (const [index, prefix] of XATTR_PREFIXES) {
    const whole = !prefix.endsWith('.');
    if (whole ? name !== prefix : !name.startsWith(prefix) || name.length === prefix.length) continue;
    const rest = name.slice(prefix.length);
    return rest.length > 255 ? undefined : { index, name: rest, value };
  }
  return undefined;
}

function sizeOfEntry({ name, value }: Attribute): number {
  return round4(XattrEntry.size + name.length + value.length);
}

function entryBytes(attribute: Attribute): Uint8Array {
  const { index, name, value } = attribute;
  const into = new Uint8Array(sizeOfEntry(attribute));
  XattrEntry.write(into, 0, { nameLength: name.length, nameIndex: index, valueSize: value.length });
  for (let i = 0; i < name.length; i++) into[XattrEntry.size + i] = name.charCodeAt(i);
  into.set(value, XattrEntry.size + name.length);
  return into;
}

/** Reads one entry into `found`. Returns its size, or the fault as text. */
export function decodeEntry(bytes: Uint8Array, at: number, found: Map<string, Uint8Array>): number | string {
  if (at + XattrEntry.size > bytes.length) return 'an extended attribute is cut off';
  const { nameLength, nameIndex, valueSize } = XattrEntry.read(bytes, at);
  const nameEnd = at + XattrEntry.size + nameLength;
  const end = nameEnd + valueSize;
  if (end > bytes.length) return 'an extended attribute is cut off';
  if (nameIndex & 0x80) return 'an extended attribute has a long prefix, which this reader does not know';
  const prefix = XATTR_PREFIXES.find(([index]) => index === nameIndex)?.[1];
  if (prefix === undefined) return `an extended attribute has the unknown name index ${nameIndex}`;
  found.set(prefix + latin1(bytes.subarray(nameEnd - nameLength, nameEnd)), copyOf(bytes.subarray(nameEnd, end)));
  return round4(end - at);
}
