import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** One run of a whole process. */
export interface Run {
  readonly seconds: number;
  /** Peak resident memory of the process with all its threads, in MiB; 0 where it is unknown. */
  readonly peak: number;
}

/** Runs a command to its end and measures it. Its output is dropped; a failure ends the bench. */
export async function timed(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Run> {
  const started = process.hrtime.bigint();
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...environment } });
  let complaint = '';
  child.stderr.on('data', (piece) => {
    complaint = (complaint + piece).slice(-4000);
  });
  const peak = watch(child);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}\n${complaint}`);
  return { seconds, peak: peak() };
}

/** The kernel's peak value for a process, read repeatedly: it only grows, so the last reading is close to the peak. */
function watch(child: ChildProcess): () => number {
  let most = 0;
  const look = () => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'latin1');
      most = Math.max(most, Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024);
    } catch {}
  };
  const timer = setInterval(look, 20);
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

/**
 * Runs contenders in turns, so that noise of the machine affects all of them; prints medians and ratios to the last one,
 * the peer. `warm` runs each once before, uncounted, so that all find their input in the kernel's cache and an older
 * output at their path. Returns lines of a Markdown table.
 */
export async function race(
  title: string,
  contenders: readonly Contender[],
  rounds: number,
  options: { readonly warm?: boolean } = {},
): Promise<string[]> {
  if (options.warm) for (const one of contenders) await one.run();
  const runs = new Map(contenders.map((one) => [one, [] as Run[]]));
  for (let round = 0; round < rounds; round++)
    for (const one of contenders) {
      const run = await one.run();
      runs.get(one)!.push(run);
      process.stderr.write(`  ${title} ${round + 1}/${rounds}: ${one.name} ${run.seconds.toFixed(2)} s\n`);
    }
  const peer = median(runs.get(contenders.at(-1)!)!.map((run) => run.seconds));
  const lines = [`| ${title} | median s | min–max | × peer | peak MiB |`, '|---|---|---|---|---|'];
  for (const [one, list] of runs) {
    const seconds = list.map((run) => run.seconds);
    const middle = median(seconds);
    lines.push(
      `| ${one.name} | ${middle.toFixed(2)} | ${Math.min(...seconds).toFixed(2)}–${Math.max(...seconds).toFixed(2)} | ${(middle / peer).toFixed(2)} | ${Math.max(...list.map((run) => run.peak)) || '–'} |`,
    );
  }
  return [...lines, ''];
}

/** Races of about a second are run often enough for a meaningful median. */
export function atLeast5(rounds: number): number {
  return Math.max(5, rounds);
}

/** The machine and versions that the figures are from. */
export function machine(): string {
  return `${process.platform} ${process.arch}, ${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), Node ${process.versions.node}`;
}
