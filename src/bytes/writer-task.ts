import { createHash } from 'node:crypto';
import { zeroPieces } from './content.ts';
import { RingReader } from './ring.ts';
import { writeAt } from './write-at.ts';

/** The input of the task that writes and digests one file while another thread makes its bytes. */
export interface Writing {
  /** The ring that another thread fills. */
  readonly memory: SharedArrayBuffer;
  /** An empty file, open for writing. All threads of a process share its number. */
  readonly fd: number;
  /** Leave runs of zeros out, as holes. */
  readonly sparse: boolean;
}

/** Its result: the SHA-256 in hex, or the system's error of a write. */
export type Written = { readonly sha256: string } | { readonly error: Partial<NodeJS.ErrnoException> };

/** Writes and digests a file as long as the other thread fills the ring. */
export async function task({ memory, fd, sparse }: Writing): Promise<Written> {
  const hash = createHash('sha256');
  let size = 0;
  const add = (piece: Uint8Array, written: boolean) => {
    if (!written) writeAt(fd, piece, size);
    hash.update(piece);
    size += piece.length;
  };
  try {
    for (const { content, done } of new RingReader(memory).contents())
      if (typeof content !== 'number') add(content, done);
      else for (const zeros of zeroPieces(content)) add(zeros, sparse);
  } catch (error) {
    const { message, code, errno, syscall } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return { error: { message, code, errno, syscall } };
  }
  return { sha256: hash.digest('hex') };
}
