import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tool } from './data.ts';

/** Milliseconds between two looks at the screen, and until a wait counts as failed. */
const LOOK = 40;
const PATIENCE = 60_000;

/** A program in a real terminal: a window of tmux. */
export class Tmux {
  private readonly folder = mkdtempSync(join(tmpdir(), 'osbuilder-tmux-'));
  private readonly socket = join(this.folder, 'socket');
  private readonly exit = join(this.folder, 'exit');

  /** Starts a program in a terminal of this size; it stays after the program has ended, until the test has. */
  constructor(
    t: { after(fn: () => void): void },
    size: { readonly columns: number; readonly rows?: number },
    command: readonly string[],
    env: Readonly<Record<string, string>> = {},
    cwd = this.folder,
  ) {
    t.after(() => {
      this.run(['kill-server'], true);
      rmSync(this.folder, { recursive: true, force: true });
    });
    const variables = Object.entries(env).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
    // without status line, so that all rows are the program's; the window stays open when the program ends
    const words = ['set', '-g', 'status', 'off', ';', 'set', '-g', 'remain-on-exit', 'on', ';'];
    words.push('set', '-g', 'remain-on-exit-format', '', ';', 'set', '-g', 'history-limit', '10000', ';');
    const { columns, rows = 40 } = size;
    this.run([
      ...['start-server', ';', ...words],
      ...['new-session', '-d', '-x', String(columns), '-y', String(rows), ...variables, '-c', cwd, '--'],
      ...['/bin/sh', '-c', `"$0" "$@"; echo $? > '${this.exit}'`, ...command],
    ]);
  }

  private run(args: readonly string[], lenient = false): string {
    const { status, stdout, stderr } = spawnSync(tool('tmux')!, ['-S', this.socket, '-f', '/dev/null', '-u', ...args], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm-256color', LC_ALL: 'C.UTF-8' },
    });
    if (status !== 0 && !lenient) throw new Error(`tmux ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** The rows of the terminal with what scrolled away, without empty ones at the end. */
  rows(): string[] {
    const rows = this.run(['capture-pane', '-p', '-S', '-']).split('\n');
    while (rows.at(-1)?.trim() === '') rows.pop();
    return rows.map((row) => row.trimEnd());
  }

  /** Exit code of the program; undefined while it runs. tmux itself sometimes never learns it. */
  exitCode(): number | undefined {
    const text = existsSync(this.exit) ? readFileSync(this.exit, 'utf8') : '';
    return text.endsWith('\n') ? Number(text) : undefined;
  }

  resize(columns: number, rows = 40): void {
    this.run(['resize-window', '-x', String(columns), '-y', String(rows)]);
  }

  type(keys: string): void {
    this.run(['send-keys', '-l', keys]);
  }

  /** Looks at the screen until it is as wanted; returns its rows. */
  async until(wanted: (rows: string[]) => boolean, what: string): Promise<string[]> {
    for (let waited = 0; waited < PATIENCE; waited += LOOK) {
      const rows = this.rows();
      if (wanted(rows)) return rows;
      await new Promise((resolve) => setTimeout(resolve, LOOK));
    }
    throw new Error(`${what} did not appear:\n${this.rows().join('\n')}`);
  }

  /** Waits until the program has ended; returns its exit code. */
  async ended(): Promise<number> {
    await this.until(() => this.exitCode() !== undefined, 'the end of the program');
    return this.exitCode()!;
  }
}
