import type { Bytes } from '../../bytes/content.ts';
import { Cursor } from '../../bytes/cursor.ts';
import { withoutEnding } from '../../bytes/ending.ts';
import { latin1 } from '../../bytes/struct.ts';
import { BuildError } from '../../errors/error.ts';
import { END, Header, MAGIC, THIN_MAGIC } from './layout.ts';

/**
 * A member of an ar archive. Its data can be read once, before the next member is requested; unread data is skipped.
 */
export interface ArMember {
  /** As a byte string, without the padding or slash of its spelling. */
  readonly name: string;
  readonly mtime: number;
  readonly uid: number;
  readonly gid: number;
  /** st_mode, type bits included. */
  readonly mode: number;
  /** Bytes of data. */
  readonly size: number;
  /** Where the data begins in the archive. */
  readonly offset: number;
  readonly data: Bytes;
}

/** Longest accepted member name, in bytes: the kernel's limit for paths. */
const NAME_LIMIT = 4096;
/** Largest accepted table of long names, in bytes, since it is held in memory. */
const TABLE_LIMIT = 16 << 20;

/** True when these are the first bytes of an ar archive. */
export function isAr(first: Uint8Array): boolean {
  return latin1(first.subarray(0, MAGIC.length)) === MAGIC;
}

/**
 * Members of a common ar archive in order: plain, GNU (`//` table of long names, `/` after short ones) and BSD (`#1/N`)
 * spellings. GNU's symbol tables come as members named `/` and `/SYM64/`.
 */
export async function* readAr(source: Bytes, path: string): AsyncGenerator<ArMember> {
  const cursor = new Cursor(source, path);
  try {
    const magic = latin1(await cursor.upTo(MAGIC.length));
    if (magic === THIN_MAGIC)
      throw new BuildError('ARCHIVE_UNSUPPORTED', { path, offset: 0, what: 'a thin ar archive' });
    if (magic !== MAGIC)
      throw new BuildError('AR_CORRUPT', { path, offset: 0, reason: `it does not begin with "!<arch>"` });
    let longNames: string | undefined;
    while (!(await cursor.atEnd())) {
      const at = cursor.offset;
      const corrupt = (reason: string) => new BuildError('AR_CORRUPT', { path, offset: at, reason });
      const header = Header.read(await cursor.exactly(Header.size, 'a member header'));
      if (header.end !== END) throw corrupt('the member header does not end as it should');
      const number = (field: 'mtime' | 'uid' | 'gid' | 'mode' | 'size', radix: 8 | 10): number => {
        const digits = withoutEnding(header[field], ' ');
        if (digits === '' && field !== 'size') return 0; // GNU's `//` member leaves them blank
        if (!(radix === 8 ? /^[0-7]+$/ : /^[0-9]+$/).test(digits)) throw corrupt(`the ${field} is not a number`);
        return Number.parseInt(digits, radix);
      };
      let size = number('size', 10);
      const padding = size % 2;
      let name = withoutEnding(header.name, ' ');
      if (name === '//') {
        if (size > TABLE_LIMIT) throw corrupt(`a table of long names of ${size} bytes`);
        longNames = latin1(await cursor.exactly(size, 'the table of long names'));
        await skipPadding(cursor, padding);
        continue;
      }
      const reference = /^\/(\d+)$/.exec(name);
      const inData = /^#1\/(\d+)$/.exec(name);
      if (reference !== null) {
        if (longNames === undefined) throw corrupt('a long name, but no table of long names before it');
        const start = Number(reference[1]);
        // names end in "/\n"; some writers leave out the slash or end them with NUL
        const end = /\/?[\n\0]|$/.exec(longNames.slice(start));
        if (start >= longNames.length) throw corrupt('a long name beyond the table of long names');
        name = longNames.slice(start, start + end!.index);
      } else if (inData !== null) {
        const length = Number(inData[1]);
        if (length > size || length > NAME_LIMIT) throw corrupt(`a name of ${length} bytes`);
        name = withoutEnding(latin1(await cursor.exactly(length, 'a long member name')), '\0');
        size -= length;
      } else if (name !== '/' && name !== '/SYM64/') {
        name = name.replace(/\/$/, '');
      }
      if (name === '' || name.includes('\0')) throw corrupt('a member without a usable name');
      const offset = cursor.offset;
      yield {
        name,
        mtime: number('mtime', 10),
        uid: number('uid', 10),
        gid: number('gid', 10),
        mode: number('mode', 8),
        size,
        offset,
        data: cursor.through(size, `member "${name}"`),
      };
      await cursor.skip(offset + size - cursor.offset, `member "${name}"`);
      await skipPadding(cursor, padding);
    }
  } finally {
    await cursor.close();
  }
}

/** The last member's padding may be missing: dpkg accepts such packages too. */
async function skipPadding(cursor: Cursor, padding: number): Promise<void> {
  if (padding > 0 && !(await cursor.atEnd())) await cursor.skip(padding, 'padding');
}
