import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** One run of a command, with all processes that it started. */
export interface Run {
  readonly seconds: number;
  /** Seconds of processor time, user and system, of all processes and threads. */
  readonly cpu: number;
  /** Peak resident memory of the largest process, with all its threads, in MiB; 0 where it is unknown. */
  readonly peak: number;
}

/** Runs the command, then writes the processor times of what it started to descriptor 3; its status is kept. */
const WRAPPER = '"$@"; status=$?; times >&3; exit $status';

/** Where it names certificates, Node reads them all whenever it starts, which takes longer than starting; no run needs them. */
const ENVIRONMENT = { NODE_EXTRA_CA_CERTS: '' };

/** Runs a command to its end and measures it. Its output is dropped; a failure ends the bench. */
export async function timed(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Run> {
  const started = process.hrtime.bigint();
  const child = spawn('/bin/sh', ['-c', WRAPPER, 'sh', command, ...args], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...ENVIRONMENT, ...environment },
  });
  let errors = '';
  child.stderr!.on('data', (piece) => {
    errors = (errors + piece).slice(-4000);
  });
  let times = '';
  child.stdio[3]!.on('data', (piece) => {
    times += piece;
  });
  const peak = watch(child);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}\n${errors}`);
  return { seconds, cpu: childTimes(times), peak: peak() };
}

/** The sum of the second line that the shell's `times` prints: `0m1.25s 0m0.31s`. */
function childTimes(text: string): number {
  const line = text.split('\n')[1] ?? '';
  let sum = 0;
  for (const [, minutes, seconds] of line.matchAll(/(\d+)m([\d.]+)s/g)) sum += Number(minutes) * 60 + Number(seconds);
  return sum;
}

/** The kernel's peak value of each process below the shell, read repeatedly: it only grows, so the last reading is close. */
function watch(child: ChildProcess): () => number {
  let most = 0;
  const look = (pid: string) => {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'latin1');
      most = Math.max(most, Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024);
      for (const below of readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' '))
        if (below !== '') look(below);
    } catch {}
  };
  const timer = setInterval(() => look(String(child.pid)), 20);
  child.on('exit', () => clearInterval(timer));
  return () => Math.round(most);
}

/** The median. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** A contender in a race: its name, and a function for one run. */
export interface Contender {
  readonly name: string;
  run(): Promise<Run>;
}

let only: string | undefined;

/** Measures only contenders whose title and name contain `text`, and their peers. */
export function select(text: string | undefined): void {
  only = text?.toLowerCase();
}

/** True when {@link select} chose a row of that title and name. */
export function isSelected(row: string): boolean {
  return only === undefined || row.toLowerCase().includes(only);
}

/**
 * Runs contenders in turns, so that noise of the machine affects all of them; prints medians and ratios to the last one,
 * the peer. `warm` runs each once before, uncounted, so that all find their input in the kernel's cache and an older
 * output at their path. Returns lines of a Markdown table; none when {@link select} leaves out all but the peer.
 */
export async function race(
  title: string,
  all: readonly Contender[],
  rounds: number,
  options: { readonly warm?: boolean } = {},
): Promise<string[]> {
  const chosen = (one: Contender) => isSelected(`${title} ${one.name}`);
  if (!all.some(chosen)) return [];
  const contenders = all.filter((one, i) => chosen(one) || i === all.length - 1);
  if (options.warm) for (const one of contenders) await one.run();
  const runs = new Map(contenders.map((one) => [one, [] as Run[]]));
  for (let round = 0; round < rounds; round++)
    for (const one of contenders) {
      const run = await one.run();
      runs.get(one)!.push(run);
      process.stderr.write(
        `  ${title} ${round + 1}/${rounds}: ${one.name} ${run.seconds.toFixed(2)} s, ${run.cpu.toFixed(2)} s of CPU\n`,
      );
    }
  const theirs = runs.get(contenders.at(-1)!)!;
  const peer = median(theirs.map((run) => run.seconds));
  const peerCpu = median(theirs.map((run) => run.cpu));
  const lines = [
    `| ${title} | median s | min–max | CPU s | × peer’s CPU | × peer | peak MiB |`,
    '|---|---|---|---|---|---|---|',
  ];
  for (const [one, list] of runs) {
    const seconds = list.map((run) => run.seconds);
    const middle = median(seconds);
    const range = `${Math.min(...seconds).toFixed(2)}–${Math.max(...seconds).toFixed(2)}`;
    const cpu = median(list.map((run) => run.cpu));
    const ofCpu = peerCpu === 0 ? '–' : (cpu / peerCpu).toFixed(2);
    const most = Math.max(...list.map((run) => run.peak)) || '–';
    lines.push(
      `| ${one.name} | ${middle.toFixed(2)} | ${range} | ${cpu.toFixed(2)} | ${ofCpu} | ${(middle / peer).toFixed(2)} | ${most} |`,
    );
  }
  return [...lines, ''];
}

/** The ratios to the peer in tables of {@link race}, by `title: row`. */
export function ratiosOf(markdown: string): Map<string, number> {
  const ratios = new Map<string, number>();
  let title = '';
  for (const line of markdown.split('\n')) {
    title = /^\| (.+) \| median s \|/.exec(line)?.[1] ?? title;
    // names contain bars (`find | cpio`), so a row is read from its end; older results have no CPU columns
    const row =
      /^\| (.+) \| [\d.]+ \| [\d.]+–[\d.]+ \|(?: [\d.]+ \|)?(?: (?:[\d.]+|–) \|)? ([\d.]+) \| (?:\d+|–) \|$/.exec(line);
    if (row !== null) ratios.set(`${title}: ${row[1]}`, Number(row[2]));
  }
  return ratios;
}

/** Rows of `now` whose ratio is more than `tolerance` above the one in `then`, as sentences. */
export function worse(then: ReadonlyMap<string, number>, now: ReadonlyMap<string, number>, tolerance = 0.1): string[] {
  return [...now].flatMap(([row, ratio]) => {
    const old = then.get(row);
    return old === undefined || ratio <= old * (1 + tolerance) ? [] : [`${row}: ${ratio} × the peer, was ${old} ×`];
  });
}

/** Races of about a second are run often enough for a meaningful median. */
export function atLeast5(rounds: number): number {
  return Math.max(5, rounds);
}

/** The machine and versions that the figures are from. */
export function machine(): string {
  return `${process.platform} ${process.arch}, ${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), Node ${process.versions.node}`;
}
