import { BuildError } from '../errors/error.ts';

/** How much one script may do before it is stopped. */
export interface Limits {
  /** Commands, loop iterations, matcher work: each step stands for about a microsecond. */
  readonly steps: number;
  /** Nesting depth of functions, substitutions, sourced files and syntax. */
  readonly depth: number;
  /** Bytes of one string: a variable, a command's output, a file written. */
  readonly string: number;
  /** Total bytes that all commands together may write. */
  readonly written: number;
  /** Inodes the script may create. */
  readonly inodes: number;
}

/**
 * Three times what Debian's largest maintainer script needs (keyboard-configuration, 2 MB), and a hundred times what
 * the others need. A script that uses all its steps takes a few seconds.
 */
export const LIMITS: Limits = { steps: 6_000_000, depth: 200, string: 32 << 20, written: 256 << 20, inodes: 200_000 };

/** Tracks a running script's use of its limits. Each kind of overrun has an error code of its own. */
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

  /** Charges steps. */
  spend(steps = 1): void {
    this.#steps += steps;
    if (this.#steps > this.limits.steps)
      throw new BuildError('SCRIPT_STEPS', { script: this.script, limit: this.limits.steps });
  }

  /** Charges for scanning `bytes` bytes once, as indexOf does: a step per 512 bytes plus a quarter step per call. */
  look(bytes: number): void {
    this.#looked += bytes + 128;
    if (this.#looked < 512) return;
    this.spend(this.#looked >>> 9);
    this.#looked &= 511;
  }

  /** Charges for handling `bytes` bytes one by one or line by line: a step per full 64 bytes. */
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

  /** Rejects a string that has grown too long. */
  length(bytes: number, what = 'a string'): void {
    if (bytes > this.limits.string)
      throw new BuildError('SCRIPT_OUTPUT', { script: this.script, what, limit: this.limits.string });
  }

  /** Counts a created file, directory or link. */
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
