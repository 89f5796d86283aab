import type { Inode, Kind } from '../../tree/inode.ts';

/** A file that the walk has reached. */
export interface Found {
  readonly path: string;
  readonly name: string;
  readonly inode: Inode;
  readonly depth: number;
  /** The operand under which it was found. */
  readonly start: string;
  readonly above: Found | undefined;
}

/** Letters of -type. */
export const FIND_KINDS: Readonly<Record<string, Kind>> = {
  f: 'file',
  d: 'directory',
  l: 'symlink',
  b: 'block',
  c: 'char',
  p: 'fifo',
  s: 'socket',
};
