import type { FileContent } from './content.ts';
import { digestOf } from './digest.ts';

/** True when two contents have the same bytes. Where one has a digest, only the other is read. */
export async function sameBytes(a: FileContent, b: FileContent): Promise<boolean> {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  if (a.sha256 !== undefined || b.sha256 !== undefined)
    return (a.sha256 ?? (await digestOf(a))) === (b.sha256 ?? (await digestOf(b)));
  const others = b.open()[Symbol.asyncIterator]();
  let piece = new Uint8Array(0);
  let at = 0;
  try {
    for await (const one of a.open())
      for (let done = 0; done < one.length; ) {
        if (at === piece.length) {
          const next = await others.next();
          if (next.done === true) return false;
          // a piece belongs to its producer until the next is asked for
          piece = Uint8Array.from(next.value);
          at = 0;
        }
        const length = Math.min(one.length - done, piece.length - at);
        if (Buffer.compare(one.subarray(done, done + length), piece.subarray(at, at + length)) !== 0) return false;
        done += length;
        at += length;
      }
    return true;
  } finally {
    await others.return?.();
  }
}
