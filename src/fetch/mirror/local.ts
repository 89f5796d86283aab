import { closeSync, readSync } from 'node:fs';
import { causedBy, reasonOf } from '../../bytes/reason.ts';
import { openRegular, readRegular } from '../../bytes/regular.ts';
import { BuildError } from '../../errors/error.ts';
import type { Part } from './part.ts';
import { reportProgress, restart, type Transport } from './transport.ts';
import { shown } from './url.ts';
import { verify, type Want, wrongSize } from './want.ts';

/** Copies a local file into `part` and verifies it. */
export async function copyLocal(
  transport: Transport,
  address: string,
  path: string,
  want: Want,
  part: Part,
): Promise<void> {
  if (part.size > 0) restart(transport, part);
  readingLocal(address, path, () => {
    const { fd, size } = openRegular(path);
    try {
      if (want.size !== undefined && size !== want.size) throw wrongSize(shown(address), want.size, size);
      // not beyond its initial size: a file that grows meanwhile would never end
      while (part.size < size) {
        const buffer = new Uint8Array(Math.min(1024 * 1024, size - part.size));
        const count = readSync(fd, buffer, 0, buffer.length, part.size);
        if (count === 0) break;
        part.push(buffer.subarray(0, count));
        transport.received += count;
      }
    } finally {
      closeSync(fd);
    }
  });
  reportProgress(transport, shown(address));
  try {
    await verify(address, want, part);
  } catch (error) {
    restart(transport, part);
    throw error;
  }
}

/** The bytes of a local file, at most `limit`. Throws `DOWNLOAD_TOO_LONG`, `NOT_FOUND` and `READ_FAILED`. */
export function readLocal(address: string, path: string, limit: number): Uint8Array {
  return readingLocal(address, path, () => {
    const { fd, size } = openRegular(path);
    closeSync(fd);
    if (size > limit) throw new BuildError('DOWNLOAD_TOO_LONG', { url: address, limit });
    return readRegular(path, limit);
  });
}

function readingLocal<T>(address: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof BuildError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new BuildError('NOT_FOUND', { url: address }, { cause });
    throw new BuildError('READ_FAILED', { path, reason: reasonOf(cause) }, causedBy(cause));
  }
}
