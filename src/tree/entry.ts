import type { Inode } from './inode.ts';

/**
 * One member of an archive, in archive order: an inode under a path, or one more name (`link`) for an earlier one.
 * Paths are byte strings as the archive has them (`./usr/bin/ls`): make them safe with `safePath` before use.
 */
export type Entry = { readonly path: string; readonly inode: Inode } | { readonly path: string; readonly link: string };
