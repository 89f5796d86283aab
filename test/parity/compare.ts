import { createHash } from 'node:crypto';
import type { FileContent } from '../../src/bytes/content.ts';
import type { Inode } from '../../src/tree/inode.ts';
import { toText } from '../../src/tree/path.ts';
import type { Tree } from '../../src/tree/tree.ts';

/** Properties of a path that must agree, as text; `-` where the kind has no such property. */
export interface Row {
  readonly type: string;
  readonly mode: string;
  readonly owner: string;
  readonly size: string;
  readonly sha256: string;
  readonly target: string;
  readonly xattrs: string;
}

/** Paths with their properties. */
export type Rows = ReadonlyMap<string, Row>;

/** A path at which two trees differ. */
export interface Difference {
  readonly path: string;
  readonly theirs: Row | undefined;
  readonly ours: Row | undefined;
  /** `missing` if only theirs has it, `added` if only ours has it, else the properties that differ. */
  readonly parts: readonly (keyof Row | 'missing' | 'added')[];
}

const LETTERS = { file: 'f', directory: 'd', symlink: 'l', char: 'c', block: 'b', fifo: 'p', socket: 's' } as const;

const digests = new WeakMap<FileContent, string>();

/** SHA-256 of the actual bytes, not the one from an index. */
function digest(content: FileContent): string {
  let known = digests.get(content);
  if (known === undefined) {
    known = createHash('sha256').update(content.readSync()).digest('hex');
    digests.set(content, known);
  }
  return known;
}

/** Properties of an inode that must agree. */
export function rowOf(inode: Inode): Row {
  const isFile = inode.kind === 'file';
  const device = inode.kind === 'char' || inode.kind === 'block' ? `${inode.major}:${inode.minor}` : '-';
  return {
    type: LETTERS[inode.kind],
    mode: inode.mode.toString(8).padStart(4, '0'),
    owner: `${inode.uid}:${inode.gid}`,
    size: isFile ? String(inode.content.size) : '-',
    sha256: isFile ? digest(inode.content) : '-',
    target: inode.kind === 'symlink' ? toText(inode.target) : device,
    xattrs:
      [...(inode.xattrs ?? [])].map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`).join(',') ||
      '-',
  };
}

/** Every path of a tree, from `/`. */
export function rowsOf(tree: Tree): Rows {
  const rows = new Map<string, Row>();
  for (const { path, inode } of tree.walk()) rows.set(`/${toText(path)}`, rowOf(inode));
  return rows;
}

/** Differences path by path, in the order of `theirs`, then those only in ours. */
export function compare(theirs: Rows, ours: Rows): Difference[] {
  const found: Difference[] = [];
  for (const [path, row] of theirs) {
    const mine = ours.get(path);
    if (mine === undefined) {
      found.push({ path, theirs: row, ours: undefined, parts: ['missing'] });
      continue;
    }
    const parts = (Object.keys(row) as (keyof Row)[]).filter((key) => row[key] !== mine[key]);
    if (parts.length > 0) found.push({ path, theirs: row, ours: mine, parts });
  }
  for (const [path, row] of ours)
    if (!theirs.has(path)) found.push({ path, theirs: undefined, ours: row, parts: ['added'] });
  return found;
}

/** A difference as a line: `PATH: mode 0644 for 0640, …`. */
export function spell({ path, theirs, ours, parts }: Difference): string {
  const one = (part: Difference['parts'][number]) => {
    if (part === 'missing') return `missing (${theirs!.type} ${theirs!.mode} ${theirs!.owner}${ending(theirs!)})`;
    if (part === 'added') return `not in the reference (${ours!.type} ${ours!.mode} ${ours!.owner}${ending(ours!)})`;
    const short = (text: string) => (part === 'sha256' ? text.slice(0, 12) : text);
    return `${part} ${short(ours![part])} for ${short(theirs![part])}`;
  };
  return `${path}: ${parts.map(one).join(', ')}`;
}

function ending(row: Row): string {
  return row.target === '-' ? (row.size === '-' ? '' : `, ${row.size} bytes`) : ` -> ${row.target}`;
}
