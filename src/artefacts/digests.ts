import { hash } from 'node:crypto';
import { type FileContent, PIECE } from '../bytes/content.ts';
import { digestOf } from '../bytes/digest.ts';
import { type Report, silent } from '../events/events.ts';
import type { Tree } from '../tree/tree.ts';
import { counted } from './kind.ts';

/**
 * Ensures that every file's content has its SHA-256. Packages contain them, an archive or a folder does not; with
 * all of them known, what is derived from a tree (UUIDs, hash seeds) follows from its content alone, so the same rootfs
 * produces the same image regardless of where it was read from.
 */
export async function completeDigests(tree: Tree, report: Report = silent): Promise<void> {
  const missing = new Set<FileContent>();
  let total = 0;
  for (const { inode } of tree.walk()) {
    if (inode.kind !== 'file' || inode.content.sha256 !== undefined || missing.has(inode.content)) continue;
    missing.add(inode.content);
    total += inode.content.size;
  }
  if (total === 0 && missing.size === 0) return;
  report({ kind: 'phase', phase: 'hash', bytes: total });
  let small: Uint8Array | undefined;
  let bytes = 0;
  for (const content of missing) {
    if (content.size <= PIECE && content.copyTo !== undefined) {
      small ??= new Uint8Array(PIECE);
      content.copyTo(small, 0);
      content.sha256 = hash('sha256', small.subarray(0, content.size), 'hex');
    } else if (content.size <= PIECE) content.sha256 = hash('sha256', content.readSync(), 'hex');
    else {
      const before = bytes;
      const progress = (done: number) => report({ kind: 'progress', phase: 'hash', bytes: before + done });
      content.sha256 = await digestOf({ size: content.size, open: () => counted(content.open(), progress) });
    }
    bytes += content.size;
    report({ kind: 'progress', phase: 'hash', bytes });
  }
  report({ kind: 'ended', phase: 'hash', bytes });
}
