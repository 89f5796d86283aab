import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROGRAM } from './cli.ts';
import { tool } from './data.ts';
import { makeAlpine, makeDebian } from './example-repository.ts';
import { FakeTerminal } from './fake-terminal.ts';
import { asNobody, nobodysFolder, openFolder } from './other-user.ts';
import { serve } from './server.ts';

/** What a typed line did. */
export interface Typed {
  readonly code: number | null;
  /** Lines on the terminal when it was over. */
  readonly lines: string[];
  /** Everything that was sent to the terminal. */
  readonly raw: string;
}

/** An ordinary user, at a terminal of so many columns, or with output that goes to a file. */
export interface Seat {
  readonly columns: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Things to close when the tests of a file are over. */
export class Closing {
  private readonly steps: (() => void | Promise<void>)[] = [];

  after(fn: () => void | Promise<void>): void {
    this.steps.push(fn);
  }

  async close(): Promise<void> {
    for (const step of this.steps.reverse()) await step();
  }
}

/** A made archive in place of Debian's. */
export interface MadeArchive {
  /** Variables for the lines that choose packages: elsewhere the program would warn about them. */
  readonly choosing: Readonly<Record<string, string>>;
  /** The same for Alpine. */
  readonly alpine: Readonly<Record<string, string>>;
}

/** Makes archives of Debian, with the packages that README names, and of Alpine, and serves them. */
export async function madeArchive(closing: Closing): Promise<MadeArchive> {
  const folder = openFolder(closing);
  const keyring = await makeDebian(folder, join(folder, 'archive'), ['iproute2', 'strace']);
  const keys = makeAlpine(folder, join(folder, 'archive'));
  const server = await serve(closing, join(folder, 'archive'));
  return {
    choosing: { REPO_URL: `${server.url}/debian`, KEYRING: keyring },
    alpine: { REPO_URL: `${server.url}/alpine`, KEYRING: keys },
  };
}

/** An ordinary user who has installed the program and types commands into a shell: nobody, when the tests run as root. */
export class Newcomer {
  /** The user's folder; commands are typed there. */
  readonly home: string;
  /** The variables of the user's shell. */
  readonly environment: Readonly<Record<string, string>>;

  /** Variables for the lines that choose packages of a distribution. */
  private readonly choosing: Readonly<Record<string, string>>;

  constructor(t: { after(fn: () => void): void }, { choosing }: MadeArchive) {
    this.choosing = choosing;
    const folder = openFolder(t);
    this.home = nobodysFolder(join(folder, 'home'));
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    for (const [name, shift] of [
      ['osbuilder', ''],
      ['npx', 'shift; '],
    ] as const) {
      writeFileSync(join(bin, name), `#!/bin/sh\n${shift}exec '${process.execPath}' '${PROGRAM}' "$@"\n`);
      chmodSync(join(bin, name), 0o755);
    }
    this.environment = {
      PATH: `${bin}:${process.env['PATH'] ?? ''}`,
      HOME: this.home,
      // the machine's temporary folder may belong to the one who runs the tests
      TMPDIR: nobodysFolder(join(folder, 'tmp')),
      LC_ALL: 'C.UTF-8',
      TERM: 'xterm-256color',
    };
  }

  /** Types a line at a terminal. Throws when the program sends what a terminal should not get. */
  async type(line: string, { columns, env = {} }: Seat): Promise<Typed> {
    const script = ['-q', '-e', '-f', '-c', `stty cols ${columns} rows 30; . ./.line`, '/dev/null'];
    writeFileSync(join(this.home, '.line'), `${line}\n`);
    const { code, text } = await this.run(tool('script')!, script, { ...this.chosenBy(line), ...env });
    const terminal = new FakeTerminal(columns);
    terminal.take(text);
    return { code, lines: terminal.text(), raw: text };
  }

  /** Types a line whose output goes to a file. */
  async pipe(line: string): Promise<Typed> {
    const { code, text } = await this.run('/bin/sh', ['-c', `(${line}) 2>&1`], this.chosenBy(line));
    return { code, lines: text.replace(/\n$/, '').split('\n'), raw: text };
  }

  private chosenBy(line: string): Readonly<Record<string, string>> {
    return /osbuilder (plan|why|which|build)\b/.test(line) ? this.choosing : {};
  }

  private run(command: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    const child = spawn(command, args, {
      cwd: this.home,
      env: { ...this.environment, SHELL: '/bin/sh', ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      ...asNobody,
    });
    const pieces: Buffer[] = [];
    child.stdout.on('data', (piece: Buffer) => pieces.push(piece));
    child.stderr.on('data', (piece: Buffer) => pieces.push(piece));
    return new Promise<{ code: number | null; text: string }>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => {
        child.stdin.destroy();
        resolve({ code, text: Buffer.concat(pieces).toString() });
      });
    });
  }
}
