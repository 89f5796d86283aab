import { spawn } from 'node:child_process';
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import { type ConsoleLine, ConsoleLog, type Sought, shows } from './console-log.ts';

/** The only file of the program that starts another program: QEMU. */

/** What a machine is watched for, and how long. */
export interface Watch {
  /** Ends the machine when the console shows it. */
  readonly until?: Sought | undefined;
  /** Ends the machine as failed when the console shows it first. */
  readonly failure: Sought;
  /** Seconds; undefined for as long as it runs. */
  readonly timeout?: number | undefined;
  /** Wait until the machine ends by itself, also when `until` was seen. */
  readonly untilOff?: boolean;
  /** The console is this process's terminal. */
  readonly interactive?: boolean;
  /** Milliseconds, from any start. */
  now(): number;
  /** Is called for each line of the log. */
  line(line: ConsoleLine): void;
}

/** How a machine ended. */
export interface Ran {
  readonly outcome: 'seen' | 'failed' | 'ended' | 'timeout' | 'missing';
  /** The line that shows what was sought, or the failure. */
  readonly line: ConsoleLine | undefined;
  /** The log. */
  readonly log: ConsoleLog;
  readonly seconds: number;
  /** What QEMU itself said. */
  readonly stderr: string;
  /** Exit status, or name of a signal, when the machine ended by itself. */
  readonly status: number | string | undefined;
}

/** Milliseconds between two looks at the log. */
const INTERVAL = 40;
/** Milliseconds that QEMU has to end after it was asked to. */
const PATIENCE = 5000;
/** Characters of QEMU's own messages that are kept. */
const STDERR_LIMIT = 16 * 1024;

/** Runs QEMU and watches the file at `path`, its log. QEMU has ended when this returns, and also if this process ends. */
export async function runMachine(program: string, args: readonly string[], path: string, watch: Watch): Promise<Ran> {
  writeFileSync(path, '');
  const fd = openSync(path, 'r');
  const started = watch.now();
  const seconds = () => Math.round((watch.now() - started) / 10) / 100;
  const log = new ConsoleLog();
  const terminal = watch.interactive ? 'inherit' : 'ignore';
  const child = spawn(program, args, { stdio: [terminal, terminal, 'pipe'] });
  // whatever ends this process, QEMU must not outlive it
  const kill = (): void => void child.kill('SIGKILL');
  process.on('exit', kill);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    if (stderr.length < STDERR_LIMIT) stderr += piece;
  });
  const gone = new Promise<number | string | undefined>((resolve) => {
    // `close` comes after the last of stderr
    child.on('close', (code, signal) => resolve(signal ?? code ?? undefined));
    child.on('error', () => resolve(undefined));
  });
  const missing = new Promise<boolean>((resolve) => {
    child.on('error', () => resolve(true));
    child.on('spawn', () => resolve(false));
  });
  try {
    if (await missing) return { outcome: 'missing', line: undefined, log, seconds: 0, stderr: '', status: undefined };
    const ran = await watched();
    // QEMU's own messages may come after what it shows
    await ended();
    return { ...ran, stderr };
  } finally {
    await ended();
    process.off('exit', kill);
    closeSync(fd);
  }

  async function watched(): Promise<Ran> {
    const chunk = new Uint8Array(1 << 16);
    let seen: ConsoleLine | undefined;
    let status: number | string | undefined;
    let running = true;
    void gone.then((how) => {
      status = how;
      running = false;
    });
    const done = (outcome: Ran['outcome'], line?: ConsoleLine): Ran => ({
      ...{ outcome, line, log, stderr, status },
      seconds: seconds(),
    });
    for (;;) {
      const last = !running;
      const lines: ConsoleLine[] = [];
      for (let n = readSync(fd, chunk, 0, chunk.length, null); n > 0; n = readSync(fd, chunk, 0, chunk.length, null))
        lines.push(...log.add(chunk.subarray(0, n), seconds()));
      if (last) lines.push(...log.end(seconds()));
      for (const line of lines) {
        watch.line(line);
        if (seen !== undefined) continue;
        if (watch.until !== undefined && shows(line.text, watch.until, true)) seen = line;
        else if (shows(line.text, watch.failure, true)) return done('failed', line);
      }
      const open = log.unfinished(seconds());
      if (seen === undefined && watch.until !== undefined && shows(open.text, watch.until, false)) seen = open;
      if (seen !== undefined && (!watch.untilOff || last)) return done('seen', seen);
      if (last) return done('ended');
      if (watch.timeout !== undefined && seconds() >= watch.timeout) return done('timeout');
      await Promise.race([gone, new Promise((resolve) => setTimeout(resolve, INTERVAL))]);
    }
  }

  /** Asks QEMU to end, and ends it when it does not. */
  async function ended(): Promise<void> {
    if (child.pid === undefined) return;
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    const timer = setTimeout(kill, PATIENCE);
    await gone;
    clearTimeout(timer);
  }
}
