import { readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { understandArguments } from '../../src/cli/arguments.ts';
import { runCommand } from '../../src/commands/commands.ts';
import { shownError } from '../../src/report/errors.ts';
import { Screen } from '../../src/report/screen.ts';
import { closePool } from '../../src/workers/shared.ts';

/** How a command of the table ended. */
export interface Ended {
  readonly name: string;
  /** `done`, or the code of the error. */
  readonly code: string;
  readonly exit: number;
  readonly message: string;
  /** Milliseconds of processor time. */
  readonly cpu: number;
}

/** One run: a name, and the command line. */
export interface Run {
  readonly name: string;
  readonly args: readonly string[];
}

const say = (line: unknown) => writeSync(1, `${JSON.stringify(line)}\n`);

/** Runs command lines one after another in this process; before each its name is printed, after each how it ended. */
async function main([list]: readonly string[]): Promise<void> {
  const runs = JSON.parse(readFileSync(list!, 'utf8')) as Run[];
  const screen = new Screen({ write: () => {}, terminal: false, columns: 80, now: () => 0 });
  const environment = { HOME: join(list!, 'nowhere'), PATH: process.env['PATH'] };
  for (const { name, args } of runs) {
    say({ begun: name });
    const before = process.cpuUsage();
    let ended = { code: 'done', exit: 0, message: '' };
    try {
      const call = understandArguments(args);
      if ('answer' in call) throw new TypeError('it only prints a text');
      await runCommand(
        {
          ...{ environment, architecture: 'x86_64', version: '0.0.0', out: () => {}, screen },
          ...{ clock: () => 1_800_000_000, attended: false },
        },
        call,
      );
    } catch (error) {
      const { code, exit, message } = shownError(error, new Map());
      ended = { code, exit, message };
    }
    const { user, system } = process.cpuUsage(before);
    say({ name, ...ended, cpu: Math.round((user + system) / 1000) });
  }
  await closePool();
  say({ peak: process.resourceUsage().maxRSS });
  process.exitCode = 0;
}

await main(process.argv.slice(2));
