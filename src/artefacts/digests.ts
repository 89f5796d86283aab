import { hash } from 'node:crypto';
import { PIECE } from '../bytes/content.ts';
import { digestOf } from '../bytes/digest.ts';
import type { Tree } from '../tree/tree.ts';

/**
 * Ensures that every file's content has its SHA-256. Packages contain them, an archive or a folder does not; with
 * all of them known, what is derived from a tree (UUIDs, hash seeds) follows from its content alone, so the same rootfs
 * produces the same image regardless of where it was read from.
 */
export async function completeDigests(tree: Tree): Promise<void> {
  let small: Uint8Array | undefined;
  for (const { inode } of tree.walk()) {
    if (inode.kind !== 'file' || inode.content.sha256 !== undefined) continue;
    const { content } = inode;
    if (content.size <= PIECE && content.copyTo !== undefined) {
      small ??= new Uint8Array(PIECE);
      content.copyTo(small, 0);
      content.sha256 = hash('sha256', small.subarray(0, content.size), 'hex');
    } else if (content.size <= PIECE) content.sha256 = hash('sha256', content.readSync(), 'hex');
    else content.sha256 = await digestOf(content);
  }
}
