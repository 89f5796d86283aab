import { forgetFile } from '../../bytes/file.ts';
import { type HashShare, hashParts } from './hash-file.ts';

/** Digests parts of a file in a thread. */
export async function task(share: HashShare): Promise<void> {
  // another file may have taken its name since this thread read it last
  if ('file' in share.content) forgetFile(share.content.file);
  await hashParts(share);
}
