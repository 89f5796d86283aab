#!/usr/bin/env node
import { existsSync, readFileSync, writeSync } from 'node:fs';
import { machine } from 'node:os';
import { dropUnfinished } from '../bytes/pour.ts';
import type { Terminal } from '../commands/context.ts';
import { BuildError } from '../errors/error.ts';
import { closePool } from '../workers/shared.ts';
import { understandArguments } from './arguments.ts';

/** Exit codes: 0 done, 1 refused, 2 misused, 70 our bug, 130 interrupted. */
const REFUSED = 1;
const MISUSED = 2;
const BUG = 70;
const INTERRUPTED = 130;

const version = (() => {
  // the compiled program lies one folder deeper than its source
  for (let at = new URL('.', import.meta.url); ; at = new URL('..', at)) {
    const path = new URL('package.json', at);
    if (existsSync(path)) return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
  }
})();

/** Writes all of it now: what stdout's stream buffers would be lost when the process ends in a hurry. */
function writeOut(data: string | Uint8Array): void {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') continue;
      // whoever read our output has gone, as `head` does
      if (code === 'EPIPE') process.exit(0);
      throw error;
    }
  }
}

const terminal: Terminal = {
  environment: process.env,
  architecture: machine(),
  version,
  out: writeOut,
  screen: {
    write: (text) => {
      process.stderr.write(text);
    },
    terminal: process.stderr.isTTY === true,
    columns: process.stderr.columns || 100,
    now: () => performance.now(),
  },
  clock: () => Math.floor(Date.now() / 1000),
};

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => {
    dropUnfinished();
    process.stderr.write('\ninterrupted: nothing unfinished stays behind\n');
    process.exit(INTERRUPTED);
  });

const json = process.argv.some((word) => /^--json(=(yes|true|1))?$/.test(word));
try {
  const understood = await understandArguments(process.argv.slice(2), version, process.stdout.columns || 100);
  if ('text' in understood) writeOut(understood.text === '' ? '' : `${understood.text}\n`);
  else {
    const { runCommand } = await import('../commands/commands.ts');
    process.exitCode = await runCommand(terminal, understood);
  }
} catch (error) {
  process.exitCode = tell(error);
} finally {
  await closePool();
}

/** Says what went wrong, to people and (with --json) to programs. Returns the exit code. */
function tell(error: unknown): number {
  if (error instanceof BuildError) {
    if (json) {
      const { code, message, hint, context } = error;
      writeOut(`${JSON.stringify({ error: { code, message, hint: hint ?? null, context } }, null, 2)}\n`);
    }
    process.stderr.write(`osbuilder: ${error.message} [${error.code}]\n`);
    if (error.hint !== undefined) process.stderr.write(`  ${error.hint}\n`);
    return error.code === 'USAGE' ? MISUSED : REFUSED;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (json)
    writeOut(
      `${JSON.stringify({ error: { code: 'BUG', message: String(error), hint: null, context: {} } }, null, 2)}\n`,
    );
  process.stderr.write(`osbuilder: this is our bug, please report it with what follows\n${stack}\n`);
  return BUG;
}
