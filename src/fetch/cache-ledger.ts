import { createHash } from 'node:crypto';
import { appendFileSync, type BigIntStats, closeSync, constants, fstatSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openFile } from '../bytes/handles.ts';
import { closeQuietly, reading } from '../bytes/reason.ts';
import { replaceQuietly } from '../bytes/temporary.ts';

/** What was known of an entry when its digest was last checked. */
export interface LedgerRow {
  /** Inode, size, modification and change time; another value means that the file may have changed. */
  readonly identity: string;
  readonly sha256: string;
}

/** Lines beyond which the ledger is written anew, when most of them are outdated. */
const MANY_LINES = 2000;
/** A ledger of more bytes is not read: it would name millions of entries. */
const MOST_BYTES = 64 << 20;

/**
 * The digests of a cache's entries, and the identity that each file had when its digest was checked: a text file with a
 * line per check, the last of an entry counts. Builds append to it; a line that is lost or damaged costs another check.
 */
export class Ledger {
  readonly file: string;
  private rows = new Map<string, LedgerRow>();
  private loaded = '';
  /** Of the file that was read: its inode, the end of its last complete line, how many lines. */
  private inode: bigint | undefined;
  private end = 0;
  private lines = 0;

  constructor(directory: string) {
    this.file = join(directory, 'checked');
  }

  /** The row of an entry. Reads the file again when another thread or build has written to it. */
  row(name: string, identity: string): LedgerRow | undefined {
    const row = this.rows.get(name);
    if (row?.identity === identity) return row;
    this.load();
    return this.rows.get(name);
  }

  /** The row of an entry that {@link Ledger.row} returned, or that was noted. */
  known(name: string): LedgerRow | undefined {
    return this.rows.get(name);
  }

  private load(): void {
    let text: string;
    try {
      const stat = statSync(this.file, { bigint: true, throwIfNoEntry: false });
      if (stat === undefined || !stat.isFile() || stat.size > MOST_BYTES) return;
      const state = identityOf(stat);
      if (state === this.loaded) return;
      // others append to it while this build runs: what was read of the same file is not read again
      const goesOn = stat.ino === this.inode && Number(stat.size) > this.end;
      const from = goesOn ? this.end : 0;
      const bytes = readFrom(this.file, from, Number(stat.size));
      const complete = bytes.lastIndexOf(NEWLINE) + 1;
      text = bytes.toString('latin1', 0, complete);
      if (!goesOn) {
        this.rows = new Map();
        this.lines = 0;
      }
      this.inode = stat.ino;
      this.end = from + complete;
      this.loaded = state;
    } catch {
      // then every entry is checked again
      return;
    }
    const lines = text.split('\n');
    for (const line of lines) {
      const match = /^(\S+) ([\d:]+) ([0-9a-f]{64})$/.exec(line);
      if (match !== null) this.rows.set(match[1]!, { identity: match[2]!, sha256: match[3]! });
    }
    this.lines += lines.length;
    if (this.lines > MANY_LINES && this.lines > 2 * this.rows.size) this.shorten();
  }

  /** Notes a check. A cache that cannot be written to is checked again by the next build. */
  note(name: string, row: LedgerRow): void {
    this.rows.set(name, row);
    try {
      // one short write at the end: builds side by side do not mix their lines
      const flag = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
      const fd = openFile(this.file, flag, 0o644);
      try {
        appendFileSync(fd, `\n${name} ${row.identity} ${row.sha256}\n`);
      } finally {
        closeSync(fd);
      }
    } catch {
      // kept in memory only
    }
  }

  private shorten(): void {
    const text = [...this.rows].map(([name, { identity, sha256 }]) => `${name} ${identity} ${sha256}\n`).join('');
    // a cache that cannot be written to keeps its long one
    replaceQuietly(this.file, Buffer.from(text, 'latin1'));
  }
}

const NEWLINE = 10;

/** Bytes of a file between two places; fewer where it has become shorter. */
function readFrom(path: string, from: number, to: number): Buffer {
  const fd = openFile(path, 'r');
  try {
    const bytes = Buffer.alloc(Math.max(0, to - from));
    let at = 0;
    for (let count = 1; count > 0 && at < bytes.length; at += count)
      count = readSync(fd, bytes, at, bytes.length - at, from + at);
    return bytes.subarray(0, at);
  } finally {
    closeSync(fd);
  }
}

/** What tells whether a file is the one that was checked. */
export function identityOf(stat: BigIntStats): string {
  return `${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`;
}

/** Bytes of the file with that identity. */
export function sizeIn(identity: string): number {
  return Number(identity.split(':')[1]);
}

/**
 * Digest of a file in hex, with the identity that it had meanwhile; undefined when it changed or cannot be read. With
 * `strict` a file that cannot be read is the error `READ_FAILED`.
 */
export function digestOf(
  path: string,
  algorithm: string,
  strict = false,
): { readonly hex: string; readonly identity: string } | undefined {
  let fd: number;
  try {
    fd = openFile(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch (cause) {
    return unreadable(path, cause, strict);
  }
  try {
    const before = fstatSync(fd, { bigint: true });
    if (!before.isFile()) return undefined;
    const hash = createHash(algorithm);
    const buffer = new Uint8Array(Number(before.size < 1n << 20n ? before.size + 1n : 1n << 20n));
    let left = Number(before.size);
    while (left > 0) {
      const count = readSync(fd, buffer, 0, buffer.length, null);
      if (count === 0) break;
      hash.update(buffer.subarray(0, count));
      left -= count;
    }
    const identity = identityOf(fstatSync(fd, { bigint: true }));
    return left === 0 && identity === identityOf(before) ? { hex: hash.digest('hex'), identity } : undefined;
  } catch (cause) {
    return unreadable(path, cause, strict);
  } finally {
    closeQuietly(fd);
  }
}

function unreadable(path: string, cause: unknown, strict: boolean): undefined {
  // a link in place of a file is not what was stored
  if (strict && (cause as NodeJS.ErrnoException).code !== 'ELOOP')
    reading(path, () => {
      throw cause;
    });
  return undefined;
}
