/** Runs commands of the program one after the other in one process, with file operations that fail; see `failing-files`. */
import { understandArguments } from '../../src/cli/arguments.ts';
import { runCommand } from '../../src/commands/commands.ts';
import { BuildError } from '../../src/errors/error.ts';
import { Screen } from '../../src/report/screen.ts';
import { type FailurePlan, follow } from './failing-files.ts';

/** A command to run. */
export interface FailingRun {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly temporary: string;
  readonly plan?: Omit<FailurePlan, 'counters'>;
}

/** How it ended. */
export interface FailingResult {
  /** Absent when it was done. */
  readonly error?: { readonly code?: string; readonly message: string; readonly stack: string };
  readonly out: string;
  /** How many operations failed. */
  readonly failed: number;
}

async function run({ args, cwd, temporary, plan }: FailingRun): Promise<FailingResult> {
  process.chdir(cwd);
  process.env['TMPDIR'] = temporary;
  const counters = new Int32Array(new SharedArrayBuffer(8));
  const out: Buffer[] = [];
  const understood = understandArguments(args);
  if ('answer' in understood) throw new TypeError('expected a command');
  const screen = new Screen({ write: () => {}, terminal: false, columns: 80, now: () => 0 });
  follow(plan === undefined ? undefined : { ...plan, counters });
  let error: FailingResult['error'];
  try {
    const terminal = {
      environment: {},
      architecture: 'x86_64',
      version: 'test',
      out: (data: string | Uint8Array) => void out.push(Buffer.from(data as string)),
      screen,
      attended: false,
      clock: () => 1_800_000_000,
    };
    await runCommand(terminal, understood);
  } catch (cause) {
    const { message, stack = '' } = cause as Error;
    error = { message, stack, ...(cause instanceof BuildError ? { code: cause.code } : {}) };
  } finally {
    follow(undefined);
  }
  return {
    out: Buffer.concat(out).toString('latin1'),
    failed: counters[1]!,
    ...(error === undefined ? {} : { error }),
  };
}

process.on('message', (job: FailingRun) => {
  run(job).then(
    (result) => process.send!(result),
    (error: Error) =>
      process.send!({ error: { message: String(error), stack: error.stack ?? '' }, out: '', failed: 0 }),
  );
});
