import { inflateRawSync, type ZlibOptions } from 'node:zlib';
import { forgetFile, type RandomAccess, randomAccess } from '../../bytes/file.ts';
import { BuildError } from '../../errors/error.ts';

/**
 * Signed indexes and packages are gzip members back to back, and what is signed or named by a checksum is one compressed
 * member, so members must be kept apart.
 */
export interface Member {
  readonly offset: number;
  /** The bytes in the file. */
  readonly size: number;
  readonly raw: Uint8Array;
  readonly plain: Uint8Array;
}

/** Longest member held in memory: signatures and control segments are a few KB, the largest index some 10 MB. */
const PLAIN_LIMIT = 256 << 20;

/** Length of a gzip header (RFC 1952), or undefined when it is invalid or goes beyond `bytes`. */
function headerLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < 10 || bytes[0] !== 0x1f || bytes[1] !== 0x8b || bytes[2] !== 8) return undefined;
  const flags = bytes[3]!;
  let at = 10;
  if (flags & 4) at += 2 + (bytes[at] ?? 0) + 256 * (bytes[at + 1] ?? 0);
  for (const flag of [8, 16]) if (flags & flag) while (at < bytes.length && bytes[at++] !== 0);
  if (flags & 2) at += 2;
  return at < bytes.length ? at : undefined;
}

/** The member that begins at `offset` of bytes in memory; undefined when they end before it does. */
export function memberAt(bytes: Uint8Array, offset: number, path: string): Member | undefined {
  const rest = bytes.subarray(offset);
  if (rest.length >= 2 && (rest[0] !== 0x1f || rest[1] !== 0x8b)) throw notGzip(path, offset);
  const header = headerLength(rest);
  if (header === undefined) return undefined;
  const options: ZlibOptions & { info: true } = { info: true, maxOutputLength: PLAIN_LIMIT };
  let plain: Uint8Array;
  let used: number;
  try {
    const result = inflateRawSync(rest.subarray(header), options) as unknown as {
      buffer: Uint8Array;
      engine: { bytesWritten: number };
    };
    plain = result.buffer;
    used = result.engine.bytesWritten;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'Z_BUF_ERROR') return undefined;
    const reason = code === 'ERR_BUFFER_TOO_LARGE' ? `is longer than ${PLAIN_LIMIT} bytes` : 'is corrupt';
    throw new BuildError('APK_FORMAT', { path, reason: `the gzip member at ${offset} ${reason}` }, { cause });
  }
  const size = header + used + 8;
  return size > rest.length ? undefined : { offset, size, raw: rest.subarray(0, size), plain };
}

/** All members of bytes in memory. */
export function membersOf(bytes: Uint8Array, path: string): Member[] {
  const members: Member[] = [];
  for (let at = 0; at < bytes.length; ) {
    const member = memberAt(bytes, at, path);
    if (member === undefined)
      throw new BuildError('APK_FORMAT', { path, reason: `it ends within the gzip member at ${at}` });
    members.push(member);
    at += member.size;
  }
  return members;
}

/** Reads members from the front of a file, as many as are asked for. */
export class MemberFile {
  readonly size: number;
  private readonly path: string;
  private readonly name: string;
  private readonly file: RandomAccess;

  /** `name` is the name of the file at `path` in messages. */
  constructor(path: string, name: string) {
    this.path = path;
    this.name = name;
    this.file = randomAccess(path);
    this.size = this.file.size;
  }

  /** Closes the file: a download that is verified under a temporary name is renamed afterwards. */
  close(): void {
    forgetFile(this.path);
  }

  /** The first bytes of the file. */
  first(length: number): Uint8Array {
    return this.read(0, length);
  }

  /** The member at `offset`. */
  at(offset: number): Member {
    for (let window = 64 << 10; ; window *= 4) {
      const bytes = this.read(offset, window);
      const member = memberAt(bytes, 0, this.name);
      if (member !== undefined) return { ...member, offset };
      if (bytes.length < window || window > PLAIN_LIMIT)
        throw new BuildError('APK_FORMAT', { path: this.name, reason: `it ends within the gzip member at ${offset}` });
    }
  }

  private read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
    this.file.readAt(offset, bytes);
    return bytes;
  }
}

function notGzip(path: string, offset: number): BuildError<'APK_FORMAT'> {
  return new BuildError('APK_FORMAT', { path, reason: `at ${offset} a gzip member should begin` });
}
