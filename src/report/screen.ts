/** Where text for people goes, and a clock. */
export interface Device {
  write(text: string): void;
  /** True when lines can be cleared and drawn again. */
  readonly terminal: boolean;
  /** Columns at this moment. */
  readonly columns: number;
  /** Milliseconds, from any start. */
  now(): number;
}

/** Clears the line first: tmux scrolls what is left on a whole screen that is cleared into its history. */
const CLEAR = '\r\x1b[K\x1b[J';
/** DECAWM: a terminal that has just become narrower, and did not say so yet, cuts the line instead of breaking it. */
const [NO_WRAP, WRAP] = ['\x1b[?7l', '\x1b[?7h'];

/**
 * Text for people, with a status line below it on a terminal. The cursor waits at the status line's first column: when a
 * terminal becomes narrower and breaks the line, clearing from there to the end of the screen still removes all of it.
 */
export class Screen {
  private readonly device: Device;
  private drawn = false;

  constructor(device: Device) {
    this.device = device;
  }

  get terminal(): boolean {
    return this.device.terminal;
  }

  get columns(): number {
    return this.device.columns;
  }

  now(): number {
    return this.device.now();
  }

  /** Writes text, which ends with a newline, above the status line. */
  write(text: string): void {
    this.clear();
    this.device.write(text);
  }

  /** Draws the status line. It must be shorter than the terminal is wide. */
  status(text: string): void {
    this.device.write(`${CLEAR}${NO_WRAP}${text}${WRAP}\r`);
    this.drawn = true;
  }

  /** Removes the status line. */
  clear(): void {
    if (this.drawn) this.device.write(CLEAR);
    this.drawn = false;
  }
}
