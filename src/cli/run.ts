import { existsSync, readFileSync, writeSync } from 'node:fs';
import { machine } from 'node:os';
import { dropUnfinished } from '../bytes/pour.ts';
import type { Terminal } from '../commands/context.ts';
import { EXIT, errorDocument, type Sources, shownError } from '../report/errors.ts';
import { printable } from '../report/escape.ts';
import { Screen } from '../report/screen.ts';
import { yesNo } from '../settings/setting.ts';
import { closePool } from '../workers/shared.ts';
import { understandArguments } from './arguments.ts';
import { columnsOf, deviceOf } from './device.ts';

/** Runs the program with arguments and an environment. Returns an exit code. */

const version = (() => {
  // the compiled program is one folder deeper than its source
  for (let at = new URL('.', import.meta.url); ; at = new URL('..', at)) {
    const path = new URL('package.json', at);
    if (existsSync(path)) return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
  }
})();

/** Writes synchronously: data buffered by stdout's stream would be lost when the process ends by a signal. */
function writeOut(data: string | Uint8Array): void {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') continue;
      // the reader of the pipe has exited, as `head` does
      if (code === 'EPIPE') process.exit(EXIT.done);
      throw error;
    }
  }
}

const screen = new Screen(deviceOf(process.stderr, process.env));

const terminal: Terminal = {
  environment: process.env,
  architecture: machine(),
  version,
  out(data) {
    screen.clear();
    writeOut(data);
  },
  screen,
  clock: () => Math.floor(Date.now() / 1000),
};

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => {
    dropUnfinished();
    screen.write('\ninterrupted: unfinished outputs were removed\n');
    process.exit(EXIT.interrupted);
  });

const argv = process.argv.slice(2);
let given: Sources = new Map();
let json: boolean | undefined;
try {
  const understood = await understandArguments(argv, version, columnsOf(process.stdout) ?? 100);
  if ('text' in understood) writeOut(understood.text === '' ? '' : `${understood.text}\n`);
  else {
    const { runCommand } = await import('../commands/commands.ts');
    await runCommand(terminal, understood, (gathered) => {
      given = gathered.given;
      json = gathered.settings.json === true;
    });
  }
} catch (error) {
  process.exitCode = await show(error);
} finally {
  await closePool();
}

/** Prints an error as text and, if requested, as JSON. Returns the exit code. */
async function show(error: unknown): Promise<number> {
  const shown = shownError(error, given);
  const bug = shown.exit === EXIT.bug;
  if (json ?? (await asksForJson()))
    writeOut(`${JSON.stringify(errorDocument(bug ? { ...shown, message: String(error) } : shown), null, 2)}\n`);
  const message = bug
    ? `internal error; please report it with the following\n${shown.message}`
    : `${shown.message} [${shown.code}]`;
  screen.write(`osbuilder: ${printable(message)}\n`);
  if (shown.hint !== undefined) screen.write(`  ${printable(shown.hint)}\n`);
  return shown.exit;
}

/** True when JSON is requested, as far as known before settings are read: by flag, else environment, else file. */
async function asksForJson(): Promise<boolean> {
  const flag = argv.findLast((word) => /^--(no-)?json(=.*)?$/.test(word));
  const variable = process.env['OSBUILDER_JSON'] ?? '';
  try {
    if (flag !== undefined) return !flag.startsWith('--no-') && yesNo.parse(flag.split('=')[1] ?? 'yes');
    if (variable !== '') return yesNo.parse(variable);
    const { readConfig } = await import('../commands/config.ts');
    const config = await readConfig(flagValue('--config'));
    return yesNo.fromConfig((config?.values as { json?: unknown } | null | undefined)?.json ?? false);
  } catch {
    // the error itself may be about this file or this value
    return false;
  }
}

function flagValue(flag: string): string | undefined {
  const at = argv.findIndex((word) => word === flag || word.startsWith(`${flag}=`));
  if (at < 0) return undefined;
  return argv[at] === flag ? argv[at + 1] : argv[at]!.slice(flag.length + 1);
}
