import type { FileContent } from '../bytes/content.ts';
import { sameBytes } from '../bytes/same.ts';
import type { Inode } from '../tree/inode.ts';
import { display } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';
import { textDifference } from './text-difference.ts';

/** One property of a path that differs. */
export interface FieldDifference {
  readonly field: string;
  readonly from: string;
  readonly to: string;
}

/** A path that is in one tree only, or differs. */
export interface PathDifference {
  readonly path: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** What an added or removed path is; what differs in a changed one. */
  readonly fields: readonly FieldDifference[];
  /** The lines in which two text files differ. */
  readonly text?: readonly string[];
}

/** Bytes of files that are compared as text at most. */
const TEXT_MAX = 256 * 1024;
/** Paths with their text at most, so that a report stays readable. */
const TEXTS_MAX = 200;

/** Every path in which two trees differ, in the order of paths. */
export async function treeDifference(a: Tree, b: Tree): Promise<PathDifference[]> {
  const [from, to] = [inodesOf(a), inodesOf(b)];
  const [namesA, namesB] = [linksOf(from), linksOf(to)];
  const found: PathDifference[] = [];
  let texts = 0;
  for (const path of [...new Set([...from.keys(), ...to.keys()])].sort(byBytes)) {
    const [before, after] = [from.get(path), to.get(path)];
    const shown = `/${display(path)}`;
    if (before === undefined || after === undefined) {
      const one = (before ?? after)!;
      const change = before === undefined ? 'added' : 'removed';
      const facts = factsOf(one).map(
        ([field, value]): FieldDifference =>
          change === 'added' ? { field, from: '', to: value } : { field, from: value, to: '' },
      );
      found.push({ path: shown, change, fields: facts });
      continue;
    }
    const fields = differingFields(before, after);
    const [linkA, linkB] = [namesA.get(path), namesB.get(path)];
    if (linkA !== linkB) fields.push({ field: 'hard link', from: linkA ?? 'none', to: linkB ?? 'none' });
    let text: readonly string[] | undefined;
    if (before.kind === 'file' && after.kind === 'file' && !(await sameBytes(before.content, after.content))) {
      fields.push({ field: 'content', from: sizeText(before.content), to: sizeText(after.content) });
      if (texts < TEXTS_MAX) text = textOf(before.content, after.content);
      if (text !== undefined) texts++;
    }
    if (fields.length > 0)
      found.push({ path: shown, change: 'changed', fields, ...(text === undefined ? {} : { text }) });
  }
  return found;
}

const byBytes = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const sizeText = ({ size }: FileContent) => `${size} bytes`;

function inodesOf(tree: Tree): Map<string, Inode> {
  const found = new Map<string, Inode>();
  for (const { path, inode } of tree.walk()) found.set(path, inode);
  return found;
}

/** For each path of a file with several names the first of them. */
function linksOf(inodes: ReadonlyMap<string, Inode>): Map<string, string> {
  const first = new Map<Inode, string>();
  const found = new Map<string, string>();
  for (const [path, inode] of inodes) {
    if (inode.kind === 'directory') continue;
    const other = first.get(inode);
    if (other === undefined) first.set(inode, path);
    else found.set(path, `/${display(other)}`);
  }
  return found;
}

/** What an inode is, by field. */
function factsOf(inode: Inode): [field: string, value: string][] {
  const { kind, mode, uid, gid, mtime, nanoseconds } = inode;
  const facts: [string, string][] = [
    ['type', kind],
    ['mode', modeText(mode)],
    ['owner', `${uid}:${gid}`],
  ];
  if (inode.kind === 'file') facts.push(['size', sizeText(inode.content)]);
  if (inode.kind === 'symlink') facts.push(['target', display(inode.target)]);
  if (inode.kind === 'char' || inode.kind === 'block') facts.push(['device', `${inode.major}:${inode.minor}`]);
  for (const [name, value] of [...(inode.xattrs ?? [])].sort(([x], [y]) => byBytes(x, y)))
    facts.push(xattrFact(name, value));
  facts.push(['time', nanoseconds === undefined ? String(mtime) : `${mtime}.${String(nanoseconds).padStart(9, '0')}`]);
  return facts;
}

function xattrFact(name: string, value: Uint8Array): [string, string] {
  if (name === 'security.capability') return ['capabilities', capabilityText(value)];
  const text = Buffer.from(value).toString('latin1').replace(/\0$/, '');
  return [`attribute ${display(name)}`, /^[\x20-\x7e]*$/.test(text) ? text : `0x${Buffer.from(value).toString('hex')}`];
}

/** Mode in octal, and what its high bits are called. */
function modeText(mode: number): string {
  const bits = mode & 0o7777;
  const names = [bits & 0o4000 ? 'setuid' : '', bits & 0o2000 ? 'setgid' : '', bits & 0o1000 ? 'sticky' : ''];
  const high = names.filter((name) => name !== '');
  return `${bits.toString(8).padStart(4, '0')}${high.length === 0 ? '' : ` (${high.join(', ')})`}`;
}

/** `security.capability` (linux/capability.h, vfs_cap_data): the sets of permitted and inheritable ones in hex. */
function capabilityText(value: Uint8Array): string {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  if (value.length < 12) return `0x${Buffer.from(value).toString('hex')}`;
  const magic = view.getUint32(0, true);
  const high = value.length >= 20;
  const set = (at: number) => {
    const upper = high ? BigInt(view.getUint32(at + 8, true)) : 0n;
    return ((upper << 32n) | BigInt(view.getUint32(at, true))).toString(16);
  };
  return `permitted 0x${set(4)} inheritable 0x${set(8)}${magic & 1 ? ' effective' : ''}`;
}

function differingFields(a: Inode, b: Inode): FieldDifference[] {
  const [from, to] = [new Map(factsOf(a)), new Map(factsOf(b))];
  // content says more
  if (a.kind === 'file' && b.kind === 'file') {
    from.delete('size');
    to.delete('size');
  }
  const found: FieldDifference[] = [];
  for (const field of new Set([...from.keys(), ...to.keys()])) {
    const [before, after] = [from.get(field) ?? 'none', to.get(field) ?? 'none'];
    if (before !== after) found.push({ field, from: before, to: after });
  }
  return found;
}

function textOf(a: FileContent, b: FileContent): string[] | undefined {
  if (a.size > TEXT_MAX || b.size > TEXT_MAX) return undefined;
  const [from, to] = [a, b].map((one) => decoded(one.readSync()));
  return from === undefined || to === undefined ? undefined : textDifference(from, to);
}

/** The text of a file; undefined for bytes that are none. */
function decoded(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
