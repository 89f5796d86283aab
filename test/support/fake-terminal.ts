import { cells } from '../../src/report/progress-line.ts';
import { Screen } from '../../src/report/screen.ts';

/**
 * A terminal in memory that understands what the program may send to one: text, newline, carriage return and "clear to the
 * end" of the line and of the screen. Everything else throws. Lines that are longer than the terminal is wide continue in the next row, as
 * they do in terminals that reflow when they are resized.
 */
export class FakeTerminal {
  columns: number;
  time = 0;
  /** All that was written. */
  written = '';
  /** Logical lines; the last one is the one with the cursor. */
  private lines: string[] = [''];
  private cursor = 0;
  private wraps = true;

  constructor(columns: number) {
    this.columns = columns;
  }

  /** A screen that writes here. */
  screen(terminal = true): Screen {
    const self = this;
    return new Screen({
      write: (text) => this.take(text),
      terminal,
      get columns() {
        return self.columns;
      },
      now: () => this.time,
    });
  }

  /** The rows that are shown, as wide as the terminal is now. */
  rows(): string[] {
    return this.text().flatMap((line) => this.wrapped(line));
  }

  /** The lines as they were written, however wide the terminal is. */
  text(): string[] {
    return this.lines.at(-1) === '' ? this.lines.slice(0, -1) : this.lines;
  }

  private wrapped(line: string): string[] {
    const rows = [''];
    for (const character of line) {
      if (cells(rows.at(-1)! + character) > this.columns) rows.push('');
      rows[rows.length - 1] += character;
    }
    return rows;
  }

  /** Writes to it, as a program does. */
  take(text: string): void {
    this.written += text;
    for (const [, control, plain] of text.matchAll(/(\r|\n|\x1b\[[JK]|\x1b\[\?7[lh])|([^\r\n\x1b]+|\x1b)/g)) {
      const line = this.lines.at(-1)!;
      if (control === '\n') {
        this.lines.push('');
        this.cursor = 0;
      } else if (control === '\r') this.cursor = 0;
      else if (control?.endsWith('l') || control?.endsWith('h')) this.wraps = control.endsWith('h');
      else if (control !== undefined) this.lines[this.lines.length - 1] = line.slice(0, this.cursor);
      else if (/[\u0000-\u001f\u007f-\u009f]/.test(plain!))
        throw new Error(`a control character was written: ${JSON.stringify(plain)}`);
      else {
        if (!this.wraps && cells(plain!) > this.columns) throw new Error(`a status line is too long: ${plain}`);
        this.lines[this.lines.length - 1] =
          line.slice(0, this.cursor) + plain + line.slice(this.cursor + plain!.length);
        this.cursor += plain!.length;
      }
    }
  }
}
