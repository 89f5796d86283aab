import { BuildError } from '../errors/error.ts';

/** How much one script may do before it is stopped. */
export interface Limits {
  /** Commands, loop turns, matcher work: about a microsecond's worth each. */
  readonly steps: number;
  /** Functions, substitutions, sourced files and nested syntax, one within the other. */
  readonly depth: number;
  /** Bytes of one string: a variable, a command's output, a file written. */
  readonly string: number;
  /** Bytes that all commands together may write. */
  readonly written: number;
  /** Inodes the script may make. */
  readonly inodes: number;
}

/**
 * Three times what the largest maintainer script of Debian needs (keyboard-configuration's 2 MB), a hundred times what
 * the others do. A script that uses all of its steps takes a few seconds.
 */
export const LIMITS: Limits = { steps: 6_000_000, depth: 200, string: 32 << 20, written: 256 << 20, inodes: 200_000 };

/** What is left of the limits while a script runs. Every overrun is a refusal with a code of its own. */
export class Budget {
  readonly limits: Limits;
  readonly script: string;
  #steps = 0;
  #looked = 0;
  #written = 0;
  #inodes = 0;
  #depth = 0;

  constructor(script: string, limits: Limits = LIMITS) {
    this.script = script;
    this.limits = limits;
  }

  /** Steps used so far. */
  get steps(): number {
    return this.#steps;
  }

  /** Uses up steps. */
  spend(steps = 1): void {
    this.#steps += steps;
    if (this.#steps > this.limits.steps)
      throw new BuildError('SCRIPT_STEPS', { script: this.script, limit: this.limits.steps });
  }

  /** Uses up steps for looking at `bytes` bytes once, as indexOf does: a step for every 512, and a quarter for each look. */
  look(bytes: number): void {
    this.#looked += bytes + 128;
    if (this.#looked < 512) return;
    this.spend(this.#looked >>> 9);
    this.#looked &= 511;
  }

  /** Uses up steps for going through `bytes` bytes one by one, or line by line: a step for every 64, nothing for less. */
  scan(bytes: number): void {
    if (bytes >= 64) this.spend(bytes >>> 6);
  }

  /** Counts bytes written. */
  write(bytes: number): void {
    this.look(bytes);
    this.#written += bytes;
    if (this.#written > this.limits.written)
      throw new BuildError('SCRIPT_OUTPUT', {
        script: this.script,
        what: 'all its output',
        limit: this.limits.written,
      });
  }

  /** Refuses a string that has grown too long. */
  length(bytes: number, what = 'a string'): void {
    if (bytes > this.limits.string)
      throw new BuildError('SCRIPT_OUTPUT', { script: this.script, what, limit: this.limits.string });
  }

  /** Counts a file, directory or link made. */
  inode(): void {
    if (++this.#inodes > this.limits.inodes)
      throw new BuildError('SCRIPT_STEPS', { script: this.script, limit: this.limits.inodes });
  }

  /** Runs `body` one level deeper. */
  deeper<T>(body: () => T): T {
    if (this.#depth >= this.limits.depth)
      throw new BuildError('SCRIPT_DEPTH', { script: this.script, limit: this.limits.depth });
    this.#depth++;
    try {
      return body();
    } finally {
      this.#depth--;
    }
  }
}
