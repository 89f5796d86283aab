import type { Unpacked } from '../../../fetch/package.ts';
import type { RunningShell } from '../../../shell/command.ts';
import { contentText } from '../../../shell/files.ts';
import type { Limits } from '../../../shell/limits.ts';
import { Budget } from '../../../shell/limits.ts';
import type { RunResult } from '../../../shell/run.ts';
import {
  foreignLine,
  interpret,
  interpreterOf,
  outcomeOf,
  type ScriptletContext,
  type ScriptletRun,
  withoutRun,
} from '../../../system/scriptlet.ts';
import type { LeftOut, Outcome, UnfollowedLine } from '../../../system/scripts.ts';
import type { Tree } from '../../../tree/tree.ts';
import type { DebianContext } from '../architecture.ts';
import type { Debconf } from '../configure/debconf.ts';
import type { ScriptName, ScriptRunner } from '../configure/runner.ts';
import type { AptPackage } from '../package.ts';
import type { DebianWorld, KnownPackage } from './binding.ts';
import { debianCommands } from './commands.ts';
import { enterConfmodule } from './confmodule.ts';
import { prepare } from './prepared.ts';
import { QUESTIONS, uncovered } from './questions.ts';

/** Inputs of the interpreter of maintainer scripts. */
export interface InterpreterOptions {
  readonly tree: Tree;
  readonly context: DebianContext;
  readonly debconf: Debconf;
  /** Packages of the guest by name, as dpkg knows them at this moment; evaluated on every access. */
  known?(name: string): KnownPackage | undefined;
  packages?(): Iterable<KnownPackage>;
  /** Receives triggers that scripts activate (`dpkg-trigger`), and `ldconfig`. */
  trigger?(name: string, by: string): void;
  readonly limits?: Limits;
  /** Write each command with its expanded words to standard error, as `sh -x` does. */
  readonly trace?: boolean;
}

const CONFMODULES = ['/usr/share/debconf/confmodule', '/usr/share/debconf/confmodule.sh'];

/** Thrown when a script reads confmodule for the first time. */
class Frontend extends Error {}

/** Path of a script while dpkg runs it. */
function scriptPath({ name, architecture, multiArch }: AptPackage, script: ScriptName): string {
  if (script === 'preinst') return '/var/lib/dpkg/tmp.ci/preinst';
  return `/var/lib/dpkg/info/${name}${multiArch === 'same' ? `:${architecture}` : ''}.${script}`;
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

  /** Like {@link run}, with all details of the run; undefined when there is no such script. */
  interpret(of: Unpacked<AptPackage>, script: ScriptName, args: readonly string[]): ScriptletRun | undefined {
    const file = of.control.get(script)?.content;
    if (file === undefined) return undefined;
    const { tree, context, debconf } = this.#options;
    const templates = of.control.get('templates');
    if (templates !== undefined) debconf.load(templates.content);
    const name = `${of.package.name}.${script}`;
    const text = contentText(file, new Budget(name));
    if (!interpreterOf(text).isShell) {
      const asked = script === 'config' && Object.hasOwn(QUESTIONS, of.package.name);
      // a rule answers these questions, once the package reads confmodule
      if (asked) return withoutRun({ kind: 'whole', by: 'rule', leftOut: [] });
      return withoutRun({ kind: 'none', lines: [foreignLine(text)] });
    }
    const leftOut: LeftOut[] = [];
    const world = this.#world(of, leftOut);
    prepare(world, script);
    const commands = debianCommands(world);
    // The first to read confmodule is replaced by debconf's frontend, which runs the package's config script and then
    // the script from the start.
    let frontend = false;
    const sourced = (shell: RunningShell) => {
      if (!frontend && script !== 'config') throw new Frontend();
      return enterConfmodule(shell);
    };
    const shared: ScriptletContext = {
      tree,
      environment: this.#environment(of, script),
      epoch: context.epoch,
      commands,
      sourced: new Map(CONFMODULES.map((path) => [path, sourced])),
      machine: context.machine,
      trace: this.#options.trace ?? false,
      ...(this.#options.limits === undefined ? {} : { limits: this.#options.limits }),
    };
    const own = () => interpret({ title: name, text, args, self: scriptPath(of.package, script) }, shared);
    let asked: RunResult | undefined;
    const unanswered: UnfollowedLine[] = [];
    let result: RunResult;
    try {
      result = own();
    } catch (error) {
      if (!(error instanceof Frontend)) throw error;
      frontend = true;
      const config = of.control.get('config');
      const questions = config === undefined ? '' : contentText(config.content, new Budget(name));
      if (config !== undefined && args[0] !== 'triggered') {
        if (!interpreterOf(questions).isShell) unanswered.push(...this.#ask(of, questions));
        else
          asked = interpret(
            {
              title: `${of.package.name}.config`,
              text: questions,
              args: ['configure', args[1] ?? ''],
              self: scriptPath(of.package, 'config'),
            },
            shared,
          );
      }
      const ended = asked === undefined || (asked.status === 0 && asked.error === undefined);
      result = ended ? own() : asked!;
    }
    if (asked !== undefined && asked !== result)
      result = {
        ...result,
        stderr: asked.stderr + result.stderr,
        unknown: [...asked.unknown, ...result.unknown],
        steps: asked.steps + result.steps,
      };
    return { ...result, outcome: outcomeOf(result, name, leftOut, unanswered) };
  }

  /** Lets the replacement of a config script in another language set its answers; reports scripts without one. */
  #ask(of: Unpacked<AptPackage>, text: string): UnfollowedLine[] {
    const { tree, debconf } = this.#options;
    const { name } = of.package;
    const questions = Object.hasOwn(QUESTIONS, name) ? QUESTIONS[name]! : undefined;
    if (questions === undefined) return [{ ...foreignLine(text), file: `${name}.config` }];
    questions.ask(debconf, tree);
    return uncovered(questions, text, `${name}.config`);
  }

  #environment(of: Unpacked<AptPackage>, script: ScriptName): Readonly<Record<string, string>> {
    return {
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
    };
  }

  #world(of: Unpacked<AptPackage>, leftOut: LeftOut[]): DebianWorld {
    const { tree, context, debconf, known, packages, trigger } = this.#options;
    const name = of.package.name;
    return {
      tree,
      context: { ...context, package: name },
      debconf,
      package: name,
      known: (name) => known?.(name),
      packages: () => packages?.() ?? [],
      trigger: (activated) => trigger?.(activated, name),
      leaveOut(command, reason) {
        if (!leftOut.some((one) => one.command === command)) leftOut.push({ command, reason });
      },
    };
  }
}
