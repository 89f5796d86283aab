import { isoTime } from '../bytes/iso-time.ts';
import { display } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';

/** Statistics of a tree. */
export interface TreeFacts {
  readonly entries: number;
  readonly files: number;
  readonly directories: number;
  readonly links: number;
  readonly others: number;
  /** Bytes of regular files, hard-linked ones once. */
  readonly bytes: number;
  /** The guest's own summary, unmodified, if it has one. */
  readonly summary: string | undefined;
}

/** Computes the statistics of a tree. */
export function treeFacts(tree: Tree): TreeFacts {
  const count = { files: 0, directories: 0, links: 0, others: 0 };
  let entries = 0;
  let bytes = 0;
  const seen = new Set<unknown>();
  for (const { path, inode } of tree.walk()) {
    if (path === '') continue; // every tree has its top folder
    entries++;
    if (inode.kind === 'file') {
      count.files++;
      if (!seen.has(inode)) bytes += inode.content.size;
      seen.add(inode);
    } else if (inode.kind === 'directory') count.directories++;
    else if (inode.kind === 'symlink') count.links++;
    else count.others++;
  }
  return { entries, ...count, bytes, summary: tree.text('var/lib/osbuilder/osbuilder.yaml') };
}

const LETTER = { file: '-', directory: 'd', symlink: 'l', char: 'c', block: 'b', fifo: 'p', socket: 's' } as const;

/** One line for each entry, like `tar -tv`'s with numbers for owners: mode, owner, size or device, time, path. */
export function* listing(tree: Tree): Generator<string> {
  for (const { path, inode } of tree.walk()) {
    if (path === '') continue;
    const what =
      inode.kind === 'file'
        ? String(inode.content.size)
        : inode.kind === 'char' || inode.kind === 'block'
          ? `${inode.major},${inode.minor}`
          : '0';
    const time = isoTime(inode.mtime).replace('T', ' ').replace('Z', '');
    const target = inode.kind === 'symlink' ? ` -> ${display(inode.target)}` : '';
    yield `${LETTER[inode.kind]}${permissions(inode.mode)} ${`${inode.uid}/${inode.gid}`.padEnd(9)} ${what.padStart(10)} ${time} ${display(path)}${target}`;
  }
}

function permissions(mode: number): string {
  const letters = ['r', 'w', 'x', 'r', 'w', 'x', 'r', 'w', 'x'].map((letter, i) =>
    mode & (0o400 >> i) ? letter : '-',
  );
  const special = (bit: number, at: number, set: string) => {
    if (mode & bit) letters[at] = letters[at] === 'x' ? set : set.toUpperCase();
  };
  special(0o4000, 2, 's');
  special(0o2000, 5, 's');
  special(0o1000, 8, 't');
  return letters.join('');
}
