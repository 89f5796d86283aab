/** One line of a guest's console. */
export interface ConsoleLine {
  /** Seconds since the machine was started. */
  readonly seconds: number;
  readonly text: string;
}

/** What a line of the console is searched for. */
export interface Sought {
  /** For messages. */
  readonly what: string;
  /** True if the line shows it. `whole`: the line is complete. */
  in(line: string, whole: boolean): boolean;
}

/** A text anywhere in a line; also in a line that is not complete yet, as a prompt. */
export function soughtText(text: string): Sought {
  return { what: `"${text}"`, in: (line) => line.includes(text) };
}

/** A pattern, for complete lines. */
export function soughtPattern(pattern: RegExp): Sought {
  return { what: String(pattern), in: (line, whole) => whole && pattern.test(line) };
}

/** The kernel repeats its command line, and with it what is searched for. */
const ECHO = /command line(:| parameters )/i;

/** Longest line that is kept: a guest may write without ever ending a line. */
const LINE_LIMIT = 16 * 1024;
/** Lines that are kept. */
const LINES_LIMIT = 100_000;

/** Control sequences of terminals (ECMA-48: CSI, OSC, two-character ones), and other control characters. */
const CONTROL = /\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]|[\x00-\x08\x0b-\x1f\x7f]/g;

/** A line without control characters. */
export function plainLine(text: string): string {
  return text.replace(CONTROL, '');
}

/** The text of a console, made into lines as it comes. */
export class ConsoleLog {
  /** The first and the last lines, {@link LINES_LIMIT} of them at most. */
  readonly lines: ConsoleLine[] = [];
  private open = '';
  private readonly decoder = new TextDecoder('utf-8');

  /** Adds bytes that came at that time. Returns the lines that are complete now. */
  add(bytes: Uint8Array, seconds: number): ConsoleLine[] {
    const parts = (this.open + this.decoder.decode(bytes, { stream: true })).split('\n');
    this.open = parts.pop()!;
    while (this.open.length > LINE_LIMIT) {
      parts.push(this.open.slice(0, LINE_LIMIT));
      this.open = this.open.slice(LINE_LIMIT);
    }
    const added = parts.map((text) => ({ seconds, text: plainLine(text) }));
    for (const line of added) this.keep(line);
    return added;
  }

  /** The line that is not complete yet. */
  unfinished(seconds: number): ConsoleLine {
    return { seconds, text: plainLine(this.open) };
  }

  /** Ends the last line, when nothing more comes. */
  end(seconds: number): ConsoleLine[] {
    if (plainLine(this.open) === '') return [];
    const line = this.unfinished(seconds);
    this.open = '';
    this.keep(line);
    return [line];
  }

  /** The last lines that say something; the last of them is `end`, if it is given. */
  last(count: number, end?: ConsoleLine): string[] {
    const stop = end === undefined ? -1 : this.lines.indexOf(end);
    return this.lines
      .slice(0, stop < 0 ? undefined : stop + 1)
      .filter(({ text }) => text.trim() !== '')
      .slice(-count)
      .map(({ text }) => text.trimEnd());
  }

  private keep(line: ConsoleLine): void {
    this.lines.push(line);
    if (this.lines.length > LINES_LIMIT) this.lines.splice(LINES_LIMIT / 2, LINES_LIMIT / 10);
  }
}

/** True if the line shows what is sought, and is not the kernel's repetition of its command line. */
export function shows(line: string, sought: Sought, whole: boolean): boolean {
  return !ECHO.test(line) && sought.in(line, whole);
}
