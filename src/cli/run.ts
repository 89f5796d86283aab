import type { Terminal } from '../commands/context.ts';
import type { Sources } from '../report/errors.ts';
import { Screen } from '../report/screen.ts';
import { type Answer, understandArguments } from './arguments.ts';
import { columnsOf, deviceOf, isReaderGone, PAGE, writeOut } from './device.ts';

/** Commands that take seconds; for the others the time to start decides. */
const BUILDS = new Set(['rootfs', 'initrd', 'image', 'build', 'lock', 'repro', 'extension']);

const screen = new Screen(deviceOf(process.stderr, process.env));

/**
 * Runs the program: arguments and an environment in, an exit code out. What a command needs is loaded only when there is
 * one to run: help and errors in the command line start faster.
 */
export async function run(version: string): Promise<void> {
  const argv = process.argv.slice(2);
  let given: Sources = new Map();
  let json: boolean | undefined;
  try {
    const understood = understandArguments(argv);
    if ('answer' in understood) writeOut(`${await answer(understood, version)}\n`);
    else {
      if (BUILDS.has(understood.command)) (await import('./engine.ts')).tuneEngine();
      const [{ runCommand }, terminal] = await Promise.all([import('../commands/commands.ts'), terminalOf(version)]);
      await runCommand(terminal, understood, (gathered) => {
        given = gathered.given;
        json = gathered.settings.json === true;
      });
    }
  } catch (error) {
    if (isReaderGone(error)) return;
    const { shownError } = await import('../report/errors.ts');
    const shown = shownError(error, given);
    process.exitCode = shown.exit;
    await show(shown, json ?? (await asksForJson(argv)));
  } finally {
    await closeWorkers();
  }
  // not above: an error on its way is still to be shown
  leave();
}

/**
 * Ends the process. Left to itself, Node takes apart all objects in memory first, which after a build takes longer than
 * it took to start. Where a pipe does not write at once (not on Linux), what is on its way goes first.
 */
function leave(): void {
  if (process.stderr.writableLength === 0) process.exit();
}

let closeWorkers = async (): Promise<void> => {};

async function answer(wanted: Answer, version: string): Promise<string> {
  switch (wanted.answer) {
    case 'version':
      return version;
    case 'help':
      return (await import('./help.ts')).helpText(wanted.command, columnsOf(process.stdout) ?? PAGE);
    case 'completion':
      return (await import('./completion.ts')).completionScript(wanted.shell).trimEnd();
    default:
      return wanted satisfies never;
  }
}

/** What a command uses of this process; unfinished outputs are removed when a signal ends it. */
async function terminalOf(version: string): Promise<Terminal> {
  const [{ dropUnfinished }, { closePool }, { machine }, { EXIT }] = await Promise.all([
    import('../bytes/pour.ts'),
    import('../workers/shared.ts'),
    import('node:os'),
    import('../report/errors.ts'),
  ]);
  closeWorkers = closePool;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => {
      dropUnfinished();
      screen.write('\ninterrupted: unfinished outputs were removed\n');
      process.exit(EXIT.interrupted);
    });
  return {
    environment: process.env,
    architecture: machine(),
    version,
    out(data) {
      screen.clear();
      writeOut(data);
    },
    screen,
    clock: () => Math.floor(Date.now() / 1000),
    get attended() {
      return process.stdin.isTTY === true && process.stdout.isTTY === true;
    },
  };
}

/** Prints an error as text and, if requested, as JSON. */
async function show(shown: import('../report/errors.ts').Shown, json: boolean): Promise<void> {
  const [{ EXIT, errorDocument }, { printable }] = await Promise.all([
    import('../report/errors.ts'),
    import('../report/escape.ts'),
  ]);
  const bug = shown.exit === EXIT.bug;
  const [first] = shown.message.split('\n');
  try {
    if (json) writeOut(`${JSON.stringify(errorDocument(bug ? { ...shown, message: first! } : shown), null, 2)}\n`);
  } catch {
    // standard output is what failed: the text below says so
  }
  const message = bug
    ? `internal error; please report it with the following\n${shown.message}`
    : `${shown.message} [${shown.code}]`;
  screen.write(`osbuilder: ${printable(message)}\n`);
  if (shown.hint !== undefined) screen.write(`  ${printable(shown.hint)}\n`);
}

/** True when JSON is requested, as far as known before settings are read: by flag, else environment, else file. */
async function asksForJson(argv: readonly string[]): Promise<boolean> {
  const flag = argv.findLast((word) => /^--(no-)?json(=.*)?$/.test(word));
  const variable = process.env['OSBUILDER_JSON'] ?? '';
  try {
    const { yesNo } = await import('../settings/setting.ts');
    if (flag !== undefined) return !flag.startsWith('--no-') && yesNo.parse(flag.split('=')[1] ?? 'yes');
    if (variable !== '') return yesNo.parse(variable);
    const { readConfig } = await import('../commands/config.ts');
    const config = await readConfig(flagValue(argv, '--config'));
    return yesNo.fromConfig((config?.values as { json?: unknown } | null | undefined)?.json ?? false);
  } catch {
    // the error itself may be about this file or this value
    return false;
  }
}

function flagValue(argv: readonly string[], flag: string): string | undefined {
  const at = argv.findIndex((word) => word === flag || word.startsWith(`${flag}=`));
  if (at < 0) return undefined;
  return argv[at] === flag ? argv[at + 1] : argv[at]!.slice(flag.length + 1);
}
