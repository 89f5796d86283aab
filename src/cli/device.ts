import { writeSync } from 'node:fs';
import { printableDocument } from '../report/escape.ts';
import type { Device } from '../report/screen.ts';

/** Columns where a terminal's width is unknown. */
const USUAL = 80;

/** Columns of help that goes to a file. */
export const PAGE = 100;

/** Columns of a terminal at this moment: `stream.columns` is updated only after the signal was handled. */
export function columnsOf(stream: NodeJS.WriteStream): number | undefined {
  if (stream.isTTY !== true) return undefined;
  try {
    return stream.getWindowSize()[0] || undefined;
  } catch {
    // the terminal has gone
    return stream.columns || undefined;
  }
}

/** A stream of this process as a device for text. */
export function deviceOf(
  stream: NodeJS.WriteStream,
  environment: Readonly<Record<string, string | undefined>>,
): Device {
  // messages that nobody can take (a full disk, a reader that has left) must not end a build that can go on
  stream.on('error', () => {});
  return {
    write(text) {
      stream.write(text);
    },
    // a dumb terminal cannot clear a line
    terminal: stream.isTTY === true && environment['TERM'] !== 'dumb',
    get columns() {
      return columnsOf(stream) ?? USUAL;
    },
    // not `performance`: Node loads all of node:perf_hooks for it
    now: () => Number(process.hrtime.bigint()) / 1e6,
  };
}

/** What standard output is called where a path is expected. */
const OUT = 'standard output';

/** True for the error of {@link writeOut} when the reader of a pipe has gone, as `head` does: the program then ends silently. */
export function isReaderGone(error: unknown): boolean {
  const { code, path } = error as NodeJS.ErrnoException;
  return code === 'EPIPE' && path === OUT;
}

/**
 * Writes to standard output, synchronously: data buffered by stdout's stream would be lost when the process ends by a
 * signal. Text is made safe for a terminal, bytes of files are written as they are. Throws the system's error with a path.
 */
export function writeOut(data: string | Uint8Array): void {
  const bytes = typeof data === 'string' ? Buffer.from(printableDocument(data)) : data;
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') continue;
      throw Object.assign(error as Error, { path: OUT });
    }
  }
}
