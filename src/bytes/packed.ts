import { BuildError } from '../errors/error.ts';
import { type Bytes, type Content, type FileContent, isZeroPage, PIECE } from './content.ts';

/** One member of an archive as its writer planned it: a head made when it is written, data, and zeros after it. */
export interface Part {
  /** Bytes of the head. */
  readonly head: number;
  /** Writes the head at `at` of `into`, all of its bytes. */
  write(into: Buffer, at: number): void;
  readonly content?: Content | FileContent;
  /** Zero bytes after the content. */
  readonly padding: number;
  /** The member's name in messages: a byte string. */
  readonly path: string;
}

/** Contents up to this size are copied between the heads; larger ones are passed through. */
const SMALL = 64 * 1024;
/** The same limit for contents that are read directly into the output buffer. */
const SMALL_READ = PIECE;

/**
 * Streams the members of an archive back to back. Heads and small contents are gathered into pieces of
 * {@link PIECE} bytes, so that tens of thousands of small files cost a few hundred pieces. A content that yields a
 * different number of bytes than declared is an error with its name: the archive's layout depends on it.
 */
export async function* packed(parts: Iterable<Part>): Bytes {
  const bytes = new Uint8Array(PIECE);
  const batch = Buffer.from(bytes.buffer);
  let used = 0;
  for (const part of parts) {
    if (used + part.head > PIECE && used > 0) {
      yield bytes.subarray(0, used);
      used = 0;
    }
    if (part.head > PIECE) {
      const large = Buffer.alloc(part.head);
      part.write(large, 0);
      yield large;
    } else {
      part.write(batch, used);
      used += part.head;
    }
    const content = part.content;
    if (content !== undefined && content.size > 0) {
      if ('readSync' in content && content.size <= (content.copyTo === undefined ? SMALL : SMALL_READ)) {
        if (used + content.size > PIECE) {
          yield bytes.subarray(0, used);
          used = 0;
        }
        if (content.copyTo !== undefined) {
          // allocating an array for each of tens of thousands of files would dominate the cost here
          content.copyTo(bytes, used);
        } else {
          const data = content.readSync();
          if (data.length !== content.size) throw wrongSize(part, data.length);
          bytes.set(data, used);
        }
        used += content.size;
      } else {
        let read = 0;
        for await (const piece of content.open()) {
          read += piece.length;
          if (read > content.size) throw wrongSize(part, read);
          if (piece.length < SMALL && !isZeroPage(piece)) {
            // a source of tiny pieces must not become an archive of tiny pieces
            if (used + piece.length > PIECE) {
              yield bytes.subarray(0, used);
              used = 0;
            }
            bytes.set(piece, used);
            used += piece.length;
          } else {
            if (used > 0) {
              yield bytes.subarray(0, used);
              used = 0;
            }
            yield piece;
          }
        }
        if (read !== content.size) throw wrongSize(part, read);
      }
    }
    for (let left = part.padding; left > 0; ) {
      if (used === PIECE) {
        yield bytes;
        used = 0;
      }
      const run = Math.min(left, PIECE - used);
      batch.fill(0, used, used + run);
      used += run;
      left -= run;
    }
  }
  if (used > 0) yield bytes.subarray(0, used);
}

function wrongSize(part: Part, read: number): BuildError<'CONTENT_SIZE'> {
  return new BuildError('CONTENT_SIZE', { path: messageName(part.path), declared: part.content!.size, read });
}

/** Names are byte strings; messages are UTF-8. */
function messageName(path: string): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}
