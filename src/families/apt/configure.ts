import { BuildError } from '../../errors/error.ts';
import type { Report } from '../../events/events.ts';
import type { Unpacked } from '../../fetch/package.ts';
import { putText } from '../../system/context.ts';
import { settleOwners } from '../../system/owners.ts';
import {
  type FailedOutcome,
  type Followed,
  type LeftOut,
  type Outcome,
  outcomeEvents,
  type ScriptReport,
  type UnfollowedLine,
} from '../../system/scripts.ts';
import type { History, Step } from '../../tree/history.ts';
import { Tree } from '../../tree/tree.ts';
import { type DebianContext, tripletOf } from './architecture.ts';
import { BASE_RULES } from './configure/base-rules.ts';
import { controlText } from './configure/control.ts';
import { Debconf } from './configure/debconf.ts';
import { inPackageOrder } from './configure/dpkg-hash.ts';
import type { InstallState } from './configure/install-state.ts';
import { interpreted } from './configure/interpreted.ts';
import { configureOrder, essentialFirst, Providers, preDependencies } from './configure/order.ts';
import { NOTHING, type Rule, scriptDigest } from './configure/rules.ts';
import type { ScriptName, ScriptRunner } from './configure/runner.ts';
import { followSection, splitScript } from './configure/snippets.ts';
import { type Interest, interests } from './configure/triggers.ts';
import { VERIFIED } from './configure/verified.ts';
import { Installation } from './install.ts';
import type { AptPackage } from './package.ts';

/** The digest of a script without hand-written lines. */
const TRIVIAL = scriptDigest('set -e', '@', undefined);

/** True where the package's built-in rule was verified against the script with that digest, or nothing in it is written by hand. */
function isVerified({ name }: AptPackage, digest: string): boolean {
  return digest === TRIVIAL || (Object.hasOwn(VERIFIED, name) && VERIFIED[name]!.includes(digest));
}

/** How packages are configured. */
export interface ConfigureOptions extends DebianContext {
  /** Answers to packages' questions by name, before the templates' own defaults. */
  readonly preseed?: ReadonlyMap<string, string>;
  /** Make everything that cannot be followed an error. */
  readonly strict?: boolean;
  /** Creates the runner for scripts without a rule; the interpreter by default. */
  readonly runner?: (state: InstallState) => ScriptRunner;
  /** Is called for every package and script that changed the tree. */
  readonly history?: History;
  /** Rules by package name, tried before the runner; the built-in ones by default. */
  readonly rules?: Readonly<Record<string, Rule>>;
}

/** A tree in which packages are installed and configured. */
export interface Configured {
  readonly tree: Tree;
  readonly installation: Installation;
  /** Packages in unpacking order. */
  readonly unpackOrder: readonly Unpacked<AptPackage>[];
  /** Names in configuration order. */
  readonly configureOrder: readonly string[];
  readonly scripts: readonly Followed[];
}

/**
 * Installs packages into a tree, empty or not, and configures them as dpkg would: essential packages and their
 * dependencies first, then the others; preinst, unpacking and postinst in dpkg's order; triggers once at the
 * end; owners by name last. No program of the guest is run.
 */
export function configure(
  packages: readonly Unpacked<AptPackage>[],
  options: ConfigureOptions,
  tree: Tree = new Tree(),
): Configured {
  return new Driver(packages, options, tree).run();
}

/** Passes each warning on only once: triggers run scripts again. */
function onceEach(report: Report): Report {
  const reported = new Set<string>();
  return (event) => {
    if (event.kind === 'warning') {
      const key = [event.code, event.package, event.line, event.message].join('\0');
      if (reported.has(key)) return;
      reported.add(key);
    }
    report(event);
  };
}

const named = ({ name, version }: AptPackage) => ({ package: name, version });

class Driver {
  private readonly packages: readonly Unpacked<AptPackage>[];
  private readonly options: ConfigureOptions;
  private readonly tree: Tree;
  private readonly installation: Installation;
  private readonly debconf: Debconf;
  private readonly runner: ScriptRunner;
  private readonly providers: Providers;
  private readonly byPackage = new Map<AptPackage, Unpacked<AptPackage>>();
  private readonly byName = new Map<string, Unpacked<AptPackage>>();
  private readonly unpackOrder: Unpacked<AptPackage>[] = [];
  private readonly configured = new Set<AptPackage>();
  private readonly configuredNames = new Set<string>();
  private readonly triggers = new Set<string>();
  private readonly asked = {
    awaits: (one: AptPackage) => this.awaits(one),
    hasPostinst: (one: AptPackage) => this.byPackage.get(one)!.control.has('postinst'),
  };
  private readonly interests = new Map<Unpacked<AptPackage>, readonly Interest[]>();
  private readonly scripts: Followed[] = [];
  private readonly rejected: string[] = [];

  constructor(packages: readonly Unpacked<AptPackage>[], options: ConfigureOptions, tree: Tree) {
    this.packages = packages;
    this.options = { ...options, report: onceEach(options.report) };
    this.tree = tree;
    this.installation = new Installation(tree, options);
    this.debconf = new Debconf(options.preseed);
    this.providers = new Providers(packages.map((one) => one.package));
    for (const one of packages) this.byPackage.set(one.package, one);
    this.runner = (options.runner ?? interpreted)({
      tree,
      context: this.options,
      debconf: this.debconf,
      installation: this.installation,
      unpacked: this.byName,
      configured: this.configuredNames,
      trigger: (name) => void this.triggers.add(name),
    });
  }

  run(): Configured {
    const { packages, options, tree } = this;
    this.installation.mergeUsr(packages);
    this.mark({ step: 'merged-usr' });
    const all = packages.map((one) => one.package);
    const first = essentialFirst(all, this.providers);
    const essential = packages.filter((one) => first.has(one.package));
    // create these before any script runs: scripts rely on essential packages
    for (const one of essential) this.extract(one);
    if (essential.length > 0) this.nativeArchitecture();
    for (const one of essential) this.script(one, 'preinst', ['install']);
    for (const one of configureOrder(
      essential.map((e) => e.package),
      this.providers,
      this.configured,
      { hasPostinst: this.asked.hasPostinst },
    ))
      this.configureOne(one);

    const rest = all.filter((one) => !first.has(one));
    for (const one of rest) this.install(one);
    if (essential.length === 0) this.nativeArchitecture();
    // `dpkg --configure --pending` processes packages in the order of its table
    const pending = inPackageOrder(rest, (one) => one.name);
    for (const one of configureOrder(pending, this.providers, this.configured, this.asked)) this.configureOne(one);
    this.runTriggers();
    settleOwners(tree, options);
    this.mark({ step: 'owners' });
    for (const name of this.debconf.unknownAnswers())
      options.report({ kind: 'note', message: `preseed: no package of the guest asks "${name}"` });
    if (this.rejected.length > 0 && options.strict === true)
      throw new BuildError(
        'SCRIPTS_NOT_UNDERSTOOD',
        { lines: this.rejected },
        { hint: 'a plan with scripts reports on every script; without `strict` these are warnings' },
      );
    return {
      tree,
      installation: this.installation,
      unpackOrder: this.unpackOrder,
      configureOrder: [...this.configuredNames],
      scripts: this.scripts,
    };
  }

  /** Attributes what changed since the last call to a step. */
  private mark(step: Step): void {
    this.options.history?.mark(this.tree, step);
  }

  /** dpkg's record of the architectures it installs for. */
  private nativeArchitecture(): void {
    if (!this.tree.has('var/lib/dpkg/arch') && this.tree.has('var/lib/dpkg'))
      putText(this.tree, this.options, 'var/lib/dpkg/arch', `${this.options.architecture}\n`);
    this.mark({ step: 'database' });
  }

  /** Runs preinst and unpacks, after everything that must be configured before. */
  private install(one: AptPackage): void {
    const unpacked = this.byPackage.get(one)!;
    if (this.unpackOrder.includes(unpacked)) return;
    const before = preDependencies(one, this.providers, this.configured);
    for (const needed of before) this.install(needed);
    for (const needed of configureOrder(before, this.providers, this.configured, this.asked)) this.configureOne(needed);
    if (this.unpackOrder.includes(unpacked)) return;
    this.loadTemplates(unpacked);
    this.script(unpacked, 'preinst', ['install']);
    this.extract(unpacked);
  }

  private extract(unpacked: Unpacked<AptPackage>): void {
    this.loadTemplates(unpacked);
    this.installation.add(unpacked);
    this.mark({ step: 'package', ...named(unpacked.package) });
    this.unpackOrder.push(unpacked);
    this.byName.set(unpacked.package.name, unpacked);
    for (const line of (controlText(unpacked, 'triggers') ?? '').split('\n')) {
      const activated = /^\s*activate(?:-await|-noawait)?\s+(\S+)/.exec(line);
      if (activated !== null) this.triggers.add(activated[1]!);
    }
  }

  private loadTemplates(unpacked: Unpacked<AptPackage>): void {
    const templates = unpacked.control.get('templates');
    if (templates !== undefined) this.debconf.load(templates.content);
  }

  private configureOne(one: AptPackage): void {
    if (this.configured.has(one)) return;
    const unpacked = this.byPackage.get(one)!;
    // a `config` script runs when its postinst reads confmodule, as without apt-utils
    this.script(unpacked, 'postinst', ['configure', '']);
    this.configured.add(one);
    this.configuredNames.add(one.name);
  }

  /**
   * The rule for a script. A built-in rule applies only to the scripts it was verified against; others are followed
   * line by line. Where nothing is written by hand there is nothing for a rule to replace: what other releases do there,
   * this one leaves to its generated parts.
   */
  private ruleOf(one: AptPackage, script: ScriptName, text: string): Rule | undefined {
    const rules = this.options.rules ?? BASE_RULES;
    const rule = Object.hasOwn(rules, one.name) ? rules[one.name] : undefined;
    if (rule === undefined || rule !== BASE_RULES[one.name] || script === 'config') return rule;
    const digest = this.digest(one, text);
    if (digest === TRIVIAL) return NOTHING;
    return isVerified(one, digest) ? rule : undefined;
  }

  private digest({ version }: AptPackage, text: string): string {
    return scriptDigest(text, version, tripletOf(this.options.architecture));
  }

  private script(of: Unpacked<AptPackage>, script: ScriptName, args: readonly string[]): void {
    const text = controlText(of, script);
    if (text === undefined) return;
    const { package: one } = of;
    const rule = this.ruleOf(one, script, text);
    if (rule === undefined) return this.record(one, script, args, this.runner.run(of, script, args));
    const digest = this.digest(one, text);
    const ruleReport = { digest, verified: isVerified(one, digest) };
    this.record(one, script, args, this.followRule(rule, of, script, text), ruleReport);
  }

  private followRule(rule: Rule, of: Unpacked<AptPackage>, script: ScriptName, text: string): Outcome {
    if (script === 'config') return { kind: 'whole', by: 'rule', leftOut: [] };
    const { name } = of.package;
    const leftOut: LeftOut[] = [];
    const context = { ...this.options, package: name };
    rule[script]?.({
      tree: this.tree,
      context,
      package: of.package,
      unpacked: of,
      debconf: this.debconf,
      script: splitScript(text)
        .own.map((line) => line.text)
        .join('\n'),
      trigger: (trigger) => void this.triggers.add(trigger),
      leaveOut: (command, reason) => void leftOut.push({ command, reason }),
    });
    const lines: UnfollowedLine[] = [];
    if (script === 'postinst')
      for (const section of splitScript(text).sections)
        if (!followSection(this.tree, context, section))
          lines.push({ line: section.line, source: `# added by ${section.tool}`, reason: 'not emulated' });
    return lines.length === 0 ? { kind: 'whole', by: 'rule', leftOut } : { kind: 'partial', lines, leftOut };
  }

  /** Stores the result of a script, and reports what was not followed. */
  private record(
    one: AptPackage,
    script: ScriptName,
    args: readonly string[],
    outcome: Outcome,
    rule?: ScriptReport['rule'],
  ): void {
    this.mark({ step: 'script', ...named(one), script: [script, ...args].join(' ').trim() });
    this.scripts.push({ package: one, script, args, outcome, ...(rule === undefined ? {} : { rule }) });
    const failure = ({ status, line, reason }: FailedOutcome) =>
      new BuildError('SCRIPT_FAILED', {
        ...{ package: one.name, script, status, reason },
        ...(line === undefined ? {} : { line }),
      }).message;
    for (const event of outcomeEvents({ title: `${one.name}.${script}`, package: one.name }, outcome, failure)) {
      if (event.kind === 'warning') {
        // a trigger may reach the same line again
        if (this.rejected.includes(event.message)) continue;
        this.rejected.push(event.message);
      }
      this.options.report(event);
    }
  }

  /** Each interested package is triggered once, with all its pending triggers. */
  private runTriggers(): void {
    for (const unpacked of this.unpackOrder) {
      const names = this.interestsOf(unpacked).map((one) => one.name);
      // a package is triggered by what others install under a path it watches
      const active = names.filter((name) =>
        name.startsWith('/') ? this.heldBelow(name, unpacked.package) : this.triggers.has(name),
      );
      if (active.length === 0 || controlText(unpacked, 'postinst') === undefined) continue;
      const rule = this.ruleOf(unpacked.package, 'postinst', controlText(unpacked, 'postinst')!);
      if (rule !== undefined) {
        const context = { ...this.options, package: unpacked.package.name };
        rule.triggered?.(
          {
            tree: this.tree,
            context,
            package: unpacked.package,
            unpacked,
            debconf: this.debconf,
            script: controlText(unpacked, 'postinst')!,
            trigger: () => {},
            leaveOut: () => {},
          },
          active,
        );
        this.mark({ step: 'script', ...named(unpacked.package), script: `postinst triggered ${active.join(' ')}` });
      } else {
        const args = ['triggered', active.join(' ')];
        this.record(unpacked.package, 'postinst', args, this.runner.run(unpacked, 'postinst', args));
      }
    }
  }

  /** True when a package activates a trigger that it awaits: dpkg counts it as installed only after processing it. */
  private awaits(one: AptPackage): boolean {
    const of = this.byPackage.get(one)!;
    const set = new Set<string>();
    for (const line of (controlText(of, 'triggers') ?? '').split('\n')) {
      const activated = /^\s*activate(?:-await)?\s+(\S+)/.exec(line);
      if (activated !== null) set.add(activated[1]!);
    }
    for (const other of this.unpackOrder) {
      if (other === of) return this.namedAfter(of, set);
      for (const { name, await: waited } of this.interestsOf(other)) {
        if (!waited) continue;
        if (set.has(name)) return true;
        // interest in a path applies to packages unpacked after it was declared
        const prefix = `${name.slice(1)}/`;
        if (name.startsWith('/') && of.entries.some(({ path }) => path.replace(/^\.?\/+/, '').startsWith(prefix)))
          return true;
      }
    }
    return false;
  }

  private namedAfter(of: Unpacked<AptPackage>, set: ReadonlySet<string>): boolean {
    return this.unpackOrder
      .slice(this.unpackOrder.indexOf(of) + 1)
      .some((other) => this.interestsOf(other).some((one) => one.await && set.has(one.name)));
  }

  private interestsOf(of: Unpacked<AptPackage>): readonly Interest[] {
    let known = this.interests.get(of);
    if (known === undefined) {
      known = interests(controlText(of, 'triggers') ?? '');
      this.interests.set(of, known);
    }
    return known;
  }

  private heldBelow(path: string, self: AptPackage): boolean {
    const prefix = `${path.slice(1)}/`;
    for (const [held, owners] of this.installation.held())
      if (held.startsWith(prefix) && owners.some((one) => one !== self)) return true;
    return false;
  }
}
