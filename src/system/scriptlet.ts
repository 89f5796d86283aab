import type { Dialect } from '../shell/ast.ts';
import type { Command, World } from '../shell/command.ts';
import type { Limits } from '../shell/limits.ts';
import { type RunResult, runScript } from '../shell/run.ts';
import type { Tree } from '../tree/tree.ts';
import type { LeftOut, Outcome, UnfollowedLine } from './scripts.ts';

/** A script of a package, as its family gives it to an interpreter. */
export interface Scriptlet {
  /** Its name in messages: `chrony.postinst`. */
  readonly title: string;
  /** Byte string. */
  readonly text: string;
  readonly args: readonly string[];
  /** `$0`: where the package manager puts the script to run it; the title by default. */
  readonly self?: string;
  /** Standard input; empty by default. */
  readonly input?: string;
  /** The shell that the package manager starts it with; by default the one that its first line names. */
  readonly shell?: { readonly dialect: Dialect; readonly options: string };
}

/** The environment in which scripts of one package manager run. */
export interface ScriptletContext {
  readonly tree: Tree;
  /** Unix seconds: the time of everything a script creates, and what `date` prints. */
  readonly epoch: number;
  /** As `uname -m` prints it. */
  readonly machine: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Programs besides the core ones of the shell, which they may replace. */
  readonly commands: ReadonlyMap<string, Command>;
  /** Replacements for reading a sourced file, by path. */
  readonly sourced?: World['sourced'];
  readonly limits?: Limits;
  /** The language of the guest's `/bin/sh`; dash's by default. */
  readonly sh?: 'dash' | 'bash-posix';
  /** Write each command with its expanded words to standard error, as `sh -x` does. */
  readonly trace?: boolean;
}

/** What one script did. */
export interface ScriptletRun extends RunResult {
  readonly outcome: Outcome;
}

/** The program that a script's first line names. */
export interface ScriptInterpreter {
  /** Base name of the program; `sh` if the script has no such line. */
  readonly name: string;
  readonly isShell: boolean;
  /** Single-letter options on that line (`e` of `#!/bin/sh -e`). */
  readonly options: string;
}

const SHELL = /^(?:ba|da|a)?sh$/;

/** Reads the `#!` line of a script. `env sh` and `busybox sh` are `sh`. */
export function interpreterOf(text: string): ScriptInterpreter {
  const line = text.split('\n', 1)[0]!;
  const [, program, rest] = /^#![ \t]*(\S+)(.*)$/.exec(line) ?? [undefined, 'sh', ''];
  let name = program.slice(program.lastIndexOf('/') + 1);
  let words = rest.trim();
  if (name === 'env' || name === 'busybox') {
    const [, inner, others] = /^(\S+)(.*)$/.exec(words) ?? [undefined, name, ''];
    name = inner.slice(inner.lastIndexOf('/') + 1);
    words = others.trim();
  }
  return { name, isShell: SHELL.test(name), options: /^-([a-zA-Z]+)/.exec(words)?.[1] ?? '' };
}

/** The first line of a script in a language that is not interpreted, with the reason. */
export function foreignLine(text: string): UnfollowedLine {
  const reason = `written for ${interpreterOf(text).name}, which is not interpreted`;
  return { line: 1, source: text.split('\n', 1)[0]!, reason };
}

/** A run that interpreted nothing. */
export function withoutRun(outcome: Outcome): ScriptletRun {
  return { status: 0, stdout: '', stderr: '', unknown: [], error: undefined, steps: 0, ended: undefined, outcome };
}

/** Interprets a shell script over the tree with the options of its first line. */
export function interpret({ title, text, args, self, input, shell }: Scriptlet, context: ScriptletContext): RunResult {
  const { tree, epoch, machine, environment, commands, sourced, limits, sh, trace } = context;
  return runScript(text, {
    ...{ tree, name: title, args, environment, commands, machine, time: epoch },
    options: (shell === undefined ? interpreterOf(text).options : shell.options) + (trace ? 'x' : ''),
    ...(shell === undefined ? {} : { dialect: shell.dialect }),
    ...(self === undefined ? {} : { self }),
    ...(input === undefined ? {} : { input }),
    ...(sourced === undefined ? {} : { sourced }),
    ...(limits === undefined ? {} : { limits }),
    ...(sh === undefined ? {} : { sh }),
  });
}

/**
 * Follows a script by interpreting it over the tree. Nothing of the guest is run; a script that is not written for a
 * shell is not followed at all. `leftOut` is what its commands left out on purpose, filled while it runs.
 */
export function runScriptlet(
  scriptlet: Scriptlet,
  context: ScriptletContext,
  leftOut: readonly LeftOut[] = [],
): ScriptletRun {
  if (scriptlet.shell === undefined && !interpreterOf(scriptlet.text).isShell)
    return withoutRun({ kind: 'none', lines: [foreignLine(scriptlet.text)] });
  const result = interpret(scriptlet, context);
  return { ...result, outcome: outcomeOf(result, scriptlet.title, leftOut) };
}

/**
 * How far the run of the script `title` got. `before` are lines known not to be followed, in addition to those that
 * the run found.
 */
export function outcomeOf(
  result: RunResult,
  title: string,
  reported: readonly LeftOut[] = [],
  before: readonly UnfollowedLine[] = [],
): Outcome {
  const lines: UnfollowedLine[] = [...before];
  const leftOut = [...reported];
  for (const { line, text, tested, command, script, missing } of result.unknown) {
    if (tested && !missing && !leftOut.some((one) => one.command === command))
      leftOut.push({ command, reason: 'not emulated; the script goes on without it' });
    if (tested || lines.some((other) => other.line === line && other.source === text)) continue;
    const reason = `not emulated: ${command}`;
    lines.push({ line, source: text, reason, ...(script === title ? {} : { file: script }) });
  }
  const { status, error, ended } = result;
  if (error === undefined && status === 0)
    return lines.length === 0 ? { kind: 'whole', by: 'interpreter', leftOut } : { kind: 'partial', lines, leftOut };
  const lastLine = result.stderr
    .trimEnd()
    .split('\n')
    .findLast((line) => !line.startsWith('+ '));
  return {
    kind: 'failed',
    status,
    // a limit's message begins with the script's name, as ours does
    reason: error === undefined ? (lastLine ?? '') : error.message.replace(/^[^:]*: /, ''),
    ...(ended === undefined || ended.script !== title ? {} : { line: ended.line }),
    lines,
    leftOut,
  };
}
