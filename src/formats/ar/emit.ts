import type { Content } from '../../bytes/content.ts';
import { type Part, packed } from '../../bytes/packed.ts';
import { fromLatin1 } from '../../bytes/struct.ts';
import { BuildError } from '../../errors/error.ts';
import { END, Header, MAGIC, PADDING } from './layout.ts';

/** A member to be written. */
export interface ArInput {
  /** At most 16 bytes; .deb files write names without GNU's slash. */
  readonly name: string;
  readonly content: Content;
  readonly mtime?: number;
}

/** A common ar archive as .deb files are: members of owner 0:0, mode 0100644. */
export function arArchive(members: readonly ArInput[]): Content {
  for (const { name, content } of members) {
    const reason =
      name.length > 16 || !/^[^/ ]+$/.test(name)
        ? 'the member name does not fit 16 bytes'
        : content.size > 9_999_999_999
          ? `${content.size} bytes, 9999999999 is the limit`
          : undefined;
    if (reason !== undefined) throw new BuildError('ENTRY_NOT_STORABLE', { path: name, format: 'ar', reason });
  }
  const size = members.reduce(
    (sum, { content }) => sum + Header.size + content.size + (content.size % 2),
    MAGIC.length,
  );
  return { size, open: () => packed(parts(members)) };
}

function* parts(members: readonly ArInput[]): Generator<Part> {
  yield head(fromLatin1(MAGIC), MAGIC);
  for (const { name, content, mtime = 0 } of members) {
    const header = Header.bytes({
      name: name.padEnd(16),
      mtime: String(mtime).padEnd(12),
      uid: '0'.padEnd(6),
      gid: '0'.padEnd(6),
      mode: '100644'.padEnd(8),
      size: String(content.size).padEnd(10),
      end: END,
    });
    yield { ...head(header, name), content };
    if (content.size % 2 === 1) yield head(Uint8Array.of(PADDING), name);
  }
}

function head(bytes: Uint8Array, path: string): Part {
  return { head: bytes.length, write: (into, at) => into.set(bytes, at), padding: 0, path };
}
