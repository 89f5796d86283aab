import type { Device } from '../report/screen.ts';

/** Columns where a terminal's width is unknown. */
const USUAL = 80;

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
  return {
    write(text) {
      stream.write(text);
    },
    // a dumb terminal cannot clear a line
    terminal: stream.isTTY === true && environment['TERM'] !== 'dumb',
    get columns() {
      return columnsOf(stream) ?? USUAL;
    },
    now: () => performance.now(),
  };
}
