import type { Directory, Inode } from './inode.ts';
import { display, NAME_MAX } from './path.ts';
import { Tree } from './tree.ts';

/** The path of an inode, found by walking: for messages. */
export function pathIn(root: Directory, inode: Inode): string {
  for (const visit of new Tree(root).walk()) if (visit.inode === inode) return display(visit.path);
  return '?';
}

/** Why no file system of Linux can hold this name, or undefined when it can. */
export function nameFault(name: string): string | undefined {
  if (name.length > NAME_MAX) return `it has ${name.length} bytes, ${NAME_MAX} is the limit`;
  if (name === '' || name === '.' || name === '..') return 'it is reserved';
  if (name.includes('/') || name.includes('\0')) return 'it contains a slash or a NUL byte';
  return undefined;
}
