import { BuildError } from '../errors/error.ts';
import type { Tree } from '../tree/tree.ts';
import type { Dialect } from './ast.ts';
import type { Command, UnknownCommand, World } from './command.ts';
import { CORE_COMMANDS } from './commands.ts';
import type { Limits } from './limits.ts';
import { dialectOf } from './script-shell.ts';
import { Shell } from './shell.ts';
import { NULL, OutputStream, textStream } from './streams.ts';
import { makeWorld } from './world.ts';

/** Options of {@link runScript}. */
export interface RunOptions {
  readonly tree: Tree;
  /** The script's name in messages, and `$0` unless `self` is given. */
  readonly name: string;
  /** `$0`: the path the script would have on the guest. */
  readonly self?: string;
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Shell options that are set at the start, by letter (`e`). */
  readonly options?: string;
  /** Unix seconds: the time of everything the script creates, and what `date` prints. */
  readonly time: number;
  /** Programs in addition to the core ones, which they may replace. */
  readonly commands?: ReadonlyMap<string, Command>;
  /** Names that `command -v` finds although the tree has no file for them, in addition to the core programs. */
  readonly present?: Iterable<string>;
  /** Replacements for sourced files, by path. */
  readonly sourced?: World['sourced'];
  /** As printed by `uname -m`. */
  readonly machine?: string;
  readonly limits?: Limits;
  /** Directory to start in, `/` by default. */
  readonly cwd?: string;
  /** The language of the guest's `sh`, dash's by default. */
  readonly sh?: 'dash' | 'bash-posix';
  /** The language of this script; by default what its first line names. */
  readonly dialect?: Dialect;
}

/** The result of running a script. */
export interface RunResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Unknown commands in the order they were met. */
  readonly unknown: readonly UnknownCommand[];
  /** The limit that stopped it, if one did. What the script did before that is kept. */
  readonly error: BuildError | undefined;
  /** Steps used. */
  readonly steps: number;
  /** Where the script stopped, by a limit, an error or `exit`; undefined when it ran to its end. */
  readonly ended: { readonly script: string; readonly line: number } | undefined;
}

/**
 * Runs a script over the tree. The script cannot reach anything outside the tree: no processes, no network, no clock,
 * no other files. It always ends: a script that exceeds a limit is stopped with that limit's error code.
 */
export function runScript(text: string, options: RunOptions): RunResult {
  const unknown: UnknownCommand[] = [];
  const commands = options.commands === undefined ? CORE_COMMANDS : new Map([...CORE_COMMANDS, ...options.commands]);
  const world = makeWorld(options.name, options.tree, {
    commands,
    present: new Set([...CORE_COMMANDS.keys(), ...(options.present ?? [])]),
    sourced: options.sourced ?? new Map(),
    machine: options.machine ?? 'x86_64',
    sh: options.sh ?? 'dash',
    time: options.time,
    unknown: (command) => unknown.push(command),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const dialect = options.dialect ?? dialectOf(text, world.sh);
  const shell = new Shell(world, options.self ?? options.name, Object.entries(options.environment ?? {}), dialect);
  if (options.cwd !== undefined) world.files.cwd = options.cwd;
  shell.positional = options.args ?? [];
  for (const letter of options.options ?? '') shell.options.add(letter);
  const out = new OutputStream(world.budget);
  const err = new OutputStream(world.budget);
  shell.descriptors.set(0, options.input === undefined ? NULL : textStream(options.input));
  shell.descriptors.set(1, out);
  shell.descriptors.set(2, err);
  let status = 0;
  let failure: BuildError | undefined;
  let ended: RunResult['ended'];
  try {
    status = shell.main(() => {
      try {
        return shell.runScript(text, { name: options.name, text });
      } catch (error) {
        ended = shell.ended;
        throw error;
      }
    });
  } catch (error) {
    if (error instanceof BuildError && error.code.startsWith('SCRIPT_')) failure = error;
    else if (error instanceof RangeError && /call stack/.test(error.message))
      failure = new BuildError(
        'SCRIPT_DEPTH',
        { script: options.name, limit: world.budget.limits.depth },
        { cause: error },
      );
    else if (error instanceof RangeError && /^Invalid (string|array) length|maximum size exceeded/.test(error.message))
      failure = new BuildError(
        'SCRIPT_OUTPUT',
        { script: options.name, what: 'a string', limit: world.budget.limits.string },
        { cause: error },
      );
    else throw error;
    status = 2;
  }
  return { status, stdout: out.text, stderr: err.text, unknown, error: failure, steps: world.budget.steps, ended };
}
