import type { Reopening } from '../bytes/content.ts';
import { digestOf } from '../bytes/digest.ts';
import { forgetFile } from '../bytes/file.ts';
import { isUnchanged, reopened } from '../bytes/host-directory.ts';
import { BuildError } from '../errors/error.ts';

/** The input of a task that digests contents together with the main thread. */
export interface DigestTask {
  readonly contents: readonly Reopening[];
  /** Which contents a thread has begun, one each; all threads see it. */
  readonly begun: Int32Array;
}

/** Contents that the thread digested, by their number: SHA-256 in hex. */
export type Digested = readonly (readonly [number: number, sha256: string])[];

/** Claims a content for the calling thread. False where another one has it. */
export function claim(begun: Int32Array, number: number): boolean {
  return Atomics.exchange(begun, number, 1) === 0;
}

/**
 * Digests contents that no other thread has begun, the last one first, as the main thread begins with the first. What cannot
 * be read is left out: the main thread finds out why.
 */
export async function task({ contents, begun }: DigestTask): Promise<Digested> {
  // another file may have taken a name since this thread read it last
  for (const file of new Set(contents.map((one) => ('file' in one ? one.file : undefined))))
    if (file !== undefined) forgetFile(file);
  const digested: [number, string][] = [];
  for (let number = contents.length - 1; number >= 0; number--) {
    if (!claim(begun, number)) continue;
    const reopening = contents[number]!;
    try {
      const sha256 = await digestOf(reopened(reopening));
      if (isUnchanged(reopening)) digested.push([number, sha256]);
    } catch (error) {
      if (!(error instanceof BuildError)) throw error;
    }
  }
  return digested;
}
