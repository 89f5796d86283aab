import { appendFileSync, closeSync, constants, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openFile } from '../bytes/handles.ts';
import { replaceQuietly } from '../bytes/temporary.ts';

/** Seconds after which a use is noted again: a build that runs longer may find an entry removed, and makes it anew. */
const NOTED_AGAIN = 3600;
/** A file of more bytes is not read: it would name millions of entries. */
const MOST_BYTES = 64 << 20;

/**
 * When each entry of a cache was last used: a text file with a line per use, the last of an entry counts. The access times
 * of files do not serve: most file systems do not keep them, and setting them would change what identifies a checked file.
 */
export class Usage {
  readonly file: string;
  private times: Map<string, number> | undefined;
  private lines = 0;

  constructor(directory: string) {
    this.file = join(directory, 'used');
  }

  /** Seconds of the last use by name. */
  all(): ReadonlyMap<string, number> {
    return this.load();
  }

  private load(): Map<string, number> {
    if (this.times !== undefined) return this.times;
    this.times = new Map();
    try {
      const stat = statSync(this.file, { throwIfNoEntry: false });
      if (stat === undefined || !stat.isFile() || stat.size > MOST_BYTES) return this.times;
      for (const line of readFileSync(this.file, 'latin1').split('\n')) {
        const match = /^(\d{1,12}) (\S+)$/.exec(line);
        if (match === null) continue;
        this.lines++;
        this.times.set(match[2]!, Number(match[1]));
      }
    } catch {
      // then the times of the files count
    }
    return this.times;
  }

  /** Notes a use, at most once an hour. A cache that cannot be written to is not noted in. */
  note(name: string, now: number): void {
    const times = this.load();
    const last = times.get(name);
    if (last !== undefined && last <= now && now - last < NOTED_AGAIN) return;
    times.set(name, now);
    try {
      // one short write at the end: builds side by side do not mix their lines
      const flag = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
      const fd = openFile(this.file, flag, 0o644);
      try {
        appendFileSync(fd, `\n${now} ${name}\n`);
      } finally {
        closeSync(fd);
      }
    } catch {
      // kept in memory only
    }
  }

  /** Writes the file anew with the entries that are still there, when most of its lines are outdated. */
  shorten(kept: ReadonlySet<string>): void {
    const times = this.load();
    const rows = [...times].filter(([name]) => kept.has(name));
    if (this.lines <= 2 * rows.length) return;
    // a cache that cannot be written to keeps its long one
    replaceQuietly(this.file, Buffer.from(rows.map(([name, time]) => `${time} ${name}\n`).join(''), 'latin1'));
  }
}
