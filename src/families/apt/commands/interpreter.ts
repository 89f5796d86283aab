import type { Unpacked } from '../../../fetch/package.ts';
import type { Command, RunningShell } from '../../../shell/command.ts';
import { contentText } from '../../../shell/files.ts';
import type { Limits } from '../../../shell/limits.ts';
import { Budget } from '../../../shell/limits.ts';
import { type RunResult, runScript } from '../../../shell/run.ts';
import type { ConfigureContext } from '../../../system/context.ts';
import type { LeftOut, UnfollowedLine } from '../../../system/scripts.ts';
import type { Tree } from '../../../tree/tree.ts';
import type { Debconf } from '../configure/debconf.ts';
import type { Outcome, ScriptName, ScriptRunner } from '../configure/runner.ts';
import type { AptPackage } from '../package.ts';
import { accountCommands } from './accounts.ts';
import { apacheCommands } from './apache.ts';
import type { DebianWorld, KnownPackage } from './binding.ts';
import { cacheCommands } from './caches.ts';
import { debconfCommands, enterConfmodule } from './confmodule.ts';
import { dpkgCommands } from './dpkg.ts';
import { javaCommands } from './java.ts';
import { postgresqlCommands } from './postgresql.ts';
import { prepare } from './prepared.ts';
import { QUESTIONS, uncovered } from './questions.ts';
import { serverCommands } from './servers.ts';
import { serviceCommands } from './services.ts';
import { systemCommands } from './system.ts';
import { userCommands } from './users.ts';
import { vimCommands } from './vim.ts';

/** What the interpreter of maintainer scripts needs. */
export interface InterpreterOptions {
  readonly tree: Tree;
  readonly context: ConfigureContext;
  readonly debconf: Debconf;
  /** Packages of the guest by name, as dpkg knows them at this moment; asked on every look. */
  known?(name: string): KnownPackage | undefined;
  packages?(): Iterable<KnownPackage>;
  /** Takes triggers that scripts set off (`dpkg-trigger`), and `ldconfig`. */
  trigger?(name: string, by: string): void;
  readonly limits?: Limits;
  /** Write each command with its expanded words to standard error, as `sh -x` does. */
  readonly trace?: boolean;
}

/** `uname -m` by Debian architecture. */
const MACHINES: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  arm64: 'aarch64',
  armhf: 'armv7l',
  i386: 'i686',
  ppc64el: 'ppc64le',
  riscv64: 'riscv64',
  s390x: 's390x',
};

const CONFMODULES = ['/usr/share/debconf/confmodule', '/usr/share/debconf/confmodule.sh'];

const TABLES = [
  accountCommands,
  userCommands,
  apacheCommands,
  cacheCommands,
  dpkgCommands,
  javaCommands,
  postgresqlCommands,
  serverCommands,
  serviceCommands,
  debconfCommands,
  systemCommands,
  vimCommands,
];

/** Thrown when a script reads confmodule for the first time. */
class Frontend extends Error {}

/** Where a script lies while dpkg runs it. */
function scriptPath({ name, architecture, multiArch }: AptPackage, script: ScriptName): string {
  if (script === 'preinst') return '/var/lib/dpkg/tmp.ci/preinst';
  return `/var/lib/dpkg/info/${name}${multiArch === 'same' ? `:${architecture}` : ''}.${script}`;
}

/** What one script did. */
export interface Interpretation extends RunResult {
  readonly outcome: Outcome;
}

/** Follows maintainer scripts by interpreting them: nothing is run, and only the tree changes. */
export class Interpreter implements ScriptRunner {
  readonly #options: InterpreterOptions;

  constructor(options: InterpreterOptions) {
    this.#options = options;
  }

  run(of: Unpacked<AptPackage>, script: ScriptName, args: readonly string[]): Outcome {
    return this.interpret(of, script, args)?.outcome ?? { kind: 'absent' };
  }

  /** As {@link run}, with all that is known of the run; undefined when there is no such script. */
  interpret(of: Unpacked<AptPackage>, script: ScriptName, args: readonly string[]): Interpretation | undefined {
    const file = of.control.get(script)?.content;
    if (file === undefined) return undefined;
    const { tree, context, debconf } = this.#options;
    const templates = of.control.get('templates');
    if (templates !== undefined) debconf.load(templates.content);
    const name = `${of.package.name}.${script}`;
    const text = contentText(file, new Budget(name));
    const interpreter = INTERPRETER.exec(text.split('\n', 1)[0]!);
    const language = languageOf(text);
    if (script === 'config' && language !== undefined && Object.hasOwn(QUESTIONS, of.package.name)) return ASKED;
    if (language !== undefined) return foreign(text);
    const leftOut: LeftOut[] = [];
    const world = this.#world(of, leftOut);
    prepare(world, script);
    const commands = new Map<string, Command>(TABLES.flatMap((table) => Object.entries(table(world))));
    // The first to read confmodule is replaced by debconf's frontend, which runs the package's config script and then
    // the script afresh.
    let frontend = false;
    const sourced = (shell: RunningShell) => {
      if (!frontend && script !== 'config') throw new Frontend();
      return enterConfmodule(shell);
    };
    const traced = this.#options.trace ? 'x' : '';
    const common = {
      tree,
      environment: {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        HOME: '/root',
        LC_ALL: 'C.UTF-8',
        DEBIAN_FRONTEND: 'noninteractive',
        DEBCONF_NONINTERACTIVE_SEEN: 'true',
        DPKG_ROOT: '',
        DPKG_ADMINDIR: '/var/lib/dpkg',
        DPKG_MAINTSCRIPT_PACKAGE: of.package.name,
        DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT: '1',
        DPKG_MAINTSCRIPT_ARCH: of.package.architecture,
        DPKG_MAINTSCRIPT_NAME: script,
        DPKG_RUNNING_VERSION: this.#options.known?.('dpkg')?.version ?? '1.22.0',
      },
      time: context.epoch,
      commands,
      sourced: new Map(CONFMODULES.map((path) => [path, sourced])),
      machine: MACHINES[context.architecture] ?? context.architecture,
      ...(this.#options.limits === undefined ? {} : { limits: this.#options.limits }),
    };
    const self = scriptPath(of.package, script);
    const own = () => runScript(text, { ...common, name, self, args, options: (interpreter?.[4] ?? '') + traced });
    let asked: RunResult | undefined;
    const unasked: UnfollowedLine[] = [];
    let result: RunResult;
    try {
      result = own();
    } catch (error) {
      if (!(error instanceof Frontend)) throw error;
      frontend = true;
      const config = of.control.get('config');
      const questions = config === undefined ? '' : contentText(config.content, new Budget(name));
      if (args[0] !== 'triggered' && languageOf(questions) !== undefined) unasked.push(...this.#ask(of, questions));
      else if (config !== undefined && args[0] !== 'triggered') {
        const letters = /^#!\S+[ \t]+-([a-z]+)/.exec(questions)?.[1] ?? '';
        asked = runScript(questions, {
          ...common,
          name: `${of.package.name}.config`,
          self: scriptPath(of.package, 'config'),
          args: ['configure', args[1] ?? ''],
          options: letters + traced,
        });
      }
      const ended = asked === undefined || (asked.status === 0 && asked.refusal === undefined);
      result = ended ? own() : asked!;
    }
    if (asked !== undefined && asked !== result)
      result = {
        ...result,
        stderr: asked.stderr + result.stderr,
        unknown: [...asked.unknown, ...result.unknown],
        steps: asked.steps + result.steps,
      };
    return { ...result, outcome: outcomeOf(result, name, leftOut, unasked) };
  }

  /** Lets what stands for a config script in another language set its answers; what nothing stands for is told. */
  #ask(of: Unpacked<AptPackage>, text: string): UnfollowedLine[] {
    const { tree, debconf } = this.#options;
    const { name } = of.package;
    const questions = Object.hasOwn(QUESTIONS, name) ? QUESTIONS[name]! : undefined;
    if (questions === undefined) return [{ ...unreadable(text), file: `${name}.config` }];
    questions.ask(debconf, tree);
    return uncovered(questions, text, `${name}.config`);
  }

  #world(of: Unpacked<AptPackage>, leftOut: LeftOut[]): DebianWorld {
    const { tree, context, debconf, known, packages, trigger } = this.#options;
    const name = of.package.name;
    return {
      tree,
      context: { ...context, package: name },
      debconf,
      package: name,
      known: (wanted) => known?.(wanted),
      packages: () => packages?.() ?? [],
      trigger: (wanted) => trigger?.(wanted, name),
      leaveOut(command, reason) {
        if (!leftOut.some((one) => one.command === command)) leftOut.push({ command, reason });
      },
    };
  }
}

const INTERPRETER = /^#![ \t]*(\S*\/)?(env[ \t]+)?(\S+)(?:[ \t]+-([a-zA-Z]+))?/;

/** The language of a script that is not written for a shell. */
function languageOf(text: string): string | undefined {
  const language = INTERPRETER.exec(text.split('\n', 1)[0]!)?.[3]?.split('/').pop() ?? 'sh';
  return /^(sh|dash|bash)$/.test(language) ? undefined : language;
}

/** A config script that something else stands for, once its package reads confmodule. */
const ASKED: Interpretation = {
  status: 0,
  stdout: '',
  stderr: '',
  unknown: [],
  refusal: undefined,
  steps: 0,
  ended: undefined,
  outcome: { kind: 'whole', by: 'rule', leftOut: [] },
};

function outcomeOf(
  result: RunResult,
  name: string,
  told: readonly LeftOut[],
  unasked: readonly UnfollowedLine[],
): Outcome {
  const lines: UnfollowedLine[] = [...unasked];
  const leftOut = [...told];
  for (const { line, text, tested, command, script, missing } of result.unknown) {
    if (tested && !missing && !leftOut.some((one) => one.command === command))
      leftOut.push({ command, reason: 'not emulated; the script goes on without it' });
    if (tested || lines.some((other) => other.line === line && other.source === text)) continue;
    const reason = `not emulated: ${command}`;
    lines.push({ line, source: text, reason, ...(script === name ? {} : { file: script }) });
  }
  const { status, refusal, ended } = result;
  if (refusal === undefined && status === 0)
    return lines.length === 0 ? { kind: 'whole', by: 'interpreter', leftOut } : { kind: 'partial', lines, leftOut };
  const said = result.stderr
    .trimEnd()
    .split('\n')
    .findLast((line) => !line.startsWith('+ '));
  return {
    kind: 'failed',
    status,
    // a limit's message begins with the script's name, as ours does
    reason: refusal === undefined ? (said ?? '') : refusal.message.replace(/^[^:]*: /, ''),
    ...(ended === undefined || ended.script !== name ? {} : { line: ended.line }),
    lines,
    leftOut,
  };
}

/** The line that tells of a script in another language than the shell. */
function unreadable(text: string): UnfollowedLine {
  return {
    line: 1,
    source: text.split('\n', 1)[0]!,
    reason: `written for ${languageOf(text)}, which is not interpreted`,
  };
}

/** A script in another language than the shell: named, not run. */
function foreign(text: string): Interpretation {
  const outcome: Outcome = { kind: 'none', lines: [unreadable(text)] };
  return { status: 0, stdout: '', stderr: '', unknown: [], refusal: undefined, steps: 0, ended: undefined, outcome };
}
