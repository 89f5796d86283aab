import type { Header } from '../../formats/rpm/header.ts';
import { TAG } from '../../formats/rpm/layout.ts';
import type { RpmScript } from '../../formats/rpm/scripts.ts';
import type { Dialect } from '../../shell/ast.ts';
import { BASH_OPTIONS } from '../../shell/options.ts';
import type { ConfigureContext } from '../../system/context.ts';
import { updateLoaderCache } from '../../system/loader.ts';
import { foreignLine, runScriptlet, type Scriptlet, type ScriptletContext } from '../../system/scriptlet.ts';
import type { LeftOut, Outcome, UnfollowedLine } from '../../system/scripts.ts';
import type { Tree } from '../../tree/tree.ts';
import { rpmCommands } from './commands/commands.ts';
import { runLua } from './lua/run.ts';

/** A script to be run, and what it is called with. */
export interface ScriptRun {
  readonly package: string;
  /** `glibc.post`, for messages. */
  readonly title: string;
  readonly script: RpmScript;
  readonly args: readonly string[];
  /** Standard input: the paths of a file trigger. */
  readonly input: string;
  /** The main header of its package. */
  readonly header?: Header;
}

/** The environment in which rpm runs scripts, besides what it inherits. */
const ENVIRONMENT = { PATH: '/sbin:/bin:/usr/sbin:/usr/bin:/usr/X11R6/bin' };

/** Interprets scripts of packages over a tree. */
export class ScriptRunner {
  private readonly tree: Tree;
  private readonly context: ConfigureContext;
  private readonly commands: ReturnType<typeof rpmCommands>;
  private leftOut: LeftOut[] = [];
  /** A script asked for the loader's cache: it is made once, at the end. */
  private loaderCache = false;

  constructor(tree: Tree, context: ConfigureContext) {
    this.tree = tree;
    this.context = context;
    this.commands = rpmCommands({
      tree,
      context,
      leaveOut: (command, reason) => {
        if (!this.leftOut.some((one) => one.command === command)) this.leftOut.push({ command, reason });
      },
      deferLoaderCache: () => {
        this.loaderCache = true;
      },
    });
  }

  /** Follows one script. */
  run({ title, script, args, input, header }: ScriptRun): Outcome {
    this.leftOut = [];
    const { tree, context, commands } = this;
    const { program, body = '', expand } = script;
    const read = expand ? expanded(body) : { text: body, unknown: [] };
    const text = script.queryFormat ? formatted(read, header) : read;
    const shell: ScriptletContext = {
      tree,
      epoch: context.epoch,
      machine: context.machine,
      environment: { ...ENVIRONMENT, ...prefixVariables(header?.strings(TAG.prefixes) ?? []) },
      commands,
      // the shell of these distributions is bash
      sh: 'bash-posix',
    };
    const outcome = this.interpreted(program, text.text, { title, args, input, shell });
    return text.unknown.length === 0 ? outcome : withLines(outcome, text.unknown);
  }

  private interpreted(
    program: readonly string[],
    body: string,
    { title, args, input, shell }: Pick<ScriptRun, 'title' | 'args' | 'input'> & { readonly shell: ScriptletContext },
  ): Outcome {
    const [path = '/bin/sh', ...options] = program;
    if (path === '<lua>') return runLua({ title, text: body, args, input }, shell, this.leftOut);
    const absent = this.unrunnable(path);
    if (absent !== undefined)
      return { kind: 'failed', status: 127, reason: `${path}: ${absent}`, lines: [], leftOut: [] };
    const name = path.slice(path.lastIndexOf('/') + 1);
    // where rpm puts the text of a script to run it: a package that contains this directory finds it present
    if (body !== '' && this.tree.stat('var/tmp') === undefined)
      this.tree.makeDirectory('var/tmp', { mode: 0o755, uid: 0, gid: 0, mtime: this.context.epoch });
    const started = shellOf(name, options);
    if (started !== undefined && body !== '')
      return runScriptlet({ title, text: body, args, input, shell: started }, shell, this.leftOut).outcome;
    // a program without a text, such as `%post -p /sbin/ldconfig`
    if (body === '') {
      const line = [path, ...options].map(quoted).join(' ');
      return runScriptlet({ title, text: line, args: [], input }, shell, this.leftOut).outcome;
    }
    return { kind: 'none', lines: [foreignLine(`#!${[path, ...options].join(' ')}\n`)] };
  }

  /** Why rpm could not start a program; undefined when it could. */
  private unrunnable(path: string): string | undefined {
    const present = this.tree.stat(path.replace(/^\/+/, ''));
    if (present === undefined) return 'there is no such program when it is called';
    return present.kind === 'file' && (present.mode & 0o111) !== 0 ? undefined : 'it is no program';
  }

  /** What was left for the end. */
  finish(): void {
    if (this.loaderCache) updateLoaderCache(this.tree, this.context);
  }
}

/** What scripts of relocatable packages learn of their places. */
function prefixVariables(prefixes: readonly string[]): Readonly<Record<string, string>> {
  const numbered = prefixes.map((prefix, i): [string, string] => [`RPM_INSTALL_PREFIX${i}`, prefix]);
  const [first] = prefixes;
  return first === undefined ? {} : { RPM_INSTALL_PREFIX: first, ...Object.fromEntries(numbered) };
}

/** Options of shells that change nothing for a script in a file. */
const HARMLESS = new Set(['--norc', '--noprofile', '--', '-']);

/** The shell that a program with its first words is (`bash -e`, `env sh`); undefined when it is none that is known. */
function shellOf(name: string, words: readonly string[]): Scriptlet['shell'] {
  const [first, ...rest] = words;
  if (name === 'env' || name === 'busybox')
    return first === undefined ? undefined : shellOf(first.slice(first.lastIndexOf('/') + 1), rest);
  if (!/^(ba|da|a)?sh$/.test(name)) return undefined;
  let dialect: Dialect = name === 'sh' ? 'bash-posix' : name === 'bash' ? 'bash' : 'dash';
  let options = '';
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (word === '--posix' && dialect === 'bash') dialect = 'bash-posix';
    else if (/^-[aefnuvxCEo]+$/.test(word)) {
      options += word.slice(1).replaceAll('o', '');
      for (const _ of word.matchAll(/o/g)) {
        const option = words[++at] ?? '';
        if (!Object.hasOwn(BASH_OPTIONS, option)) return undefined;
        options += BASH_OPTIONS[option];
      }
    } else if (!HARMLESS.has(word)) return undefined;
  }
  return { dialect, options };
}

function quoted(word: string): string {
  return /^[\w/.:=+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** `%%` becomes `%`; macros are not known here, so a line with one is reported. */
function expanded(body: string): { readonly text: string; readonly unknown: readonly UnfollowedLine[] } {
  const unknown: UnfollowedLine[] = [];
  const text = body
    .split('\n')
    .map((source, i) => {
      const line = source.replaceAll('%%', '\0');
      if (/%[{(\w]/.test(line)) unknown.push({ line: i + 1, source, reason: 'macros are not expanded' });
      return line.replaceAll('\0', '%');
    })
    .join('\n');
  return { text, unknown };
}

/** Tags that texts of scripts have as `%{NAME}` (`%post -q`). */
const QUERIED: ReadonlyMap<string, number> = new Map(
  Object.entries({
    NAME: TAG.name,
    VERSION: TAG.version,
    RELEASE: TAG.release,
    ARCH: TAG.arch,
  }),
);

/** Tags of the package in a text become their values; a line with another one is reported. */
function formatted({ text: body, unknown: before }: ReturnType<typeof expanded>, header: Header | undefined) {
  const unknown = [...before];
  const lines = body.split('\n').map((source, i) =>
    source.replace(/%(?:%|\{(\w+)\}|.)/g, (whole, name: string | undefined) => {
      if (whole === '%%') return '%';
      const tag = QUERIED.get(name?.replace(/^RPMTAG_/i, '').toUpperCase() ?? '');
      const value = tag === undefined ? undefined : header?.string(tag);
      if (value === undefined) unknown.push({ line: i + 1, source, reason: `the tag ${whole} is not known` });
      return value ?? whole;
    }),
  );
  return { text: lines.join('\n'), unknown };
}

function withLines(outcome: Outcome, lines: readonly UnfollowedLine[]): Outcome {
  switch (outcome.kind) {
    case 'whole':
      return { kind: 'partial', lines, leftOut: outcome.leftOut };
    case 'partial':
    case 'none':
    case 'failed':
      return { ...outcome, lines: [...lines, ...outcome.lines] };
    default:
      return outcome;
  }
}
