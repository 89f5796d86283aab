import type { Report } from '../../events/events.ts';
import { COMPARISON, dependenciesOf, type RpmDependency, SENSE } from '../../formats/rpm/dependencies.ts';
import { type RpmScript, type RpmTrigger, type ScriptName, scriptOf, triggersOf } from '../../formats/rpm/scripts.ts';
import { compareEvr, parseEvr } from '../../formats/rpm/version.ts';
import type { ConfigureContext } from '../../system/context.ts';
import { type FailedOutcome, type Followed, outcomeEvents } from '../../system/scripts.ts';
import { sysusersLines } from '../../system/sysusers.ts';
import type { History } from '../../tree/history.ts';
import { dirname } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';
import { Installation, type Installed } from './install.ts';
import { installOrder } from './order.ts';
import { ScriptRunner } from './scriptlets.ts';
import type { UnpackedRpm } from './unpack.ts';

/** How to install. */
export interface InstallOptions {
  /** Unix seconds that no time stamp may be later than; the time scripts see. */
  readonly epoch: number;
  /** `uname -m` as scripts see it. */
  readonly machine: string;
  readonly report: Report;
  /** Called for every package and script that changed the tree. */
  readonly history?: History;
}

/** What was installed, and how far each script was followed. */
export interface InstalledPackages {
  /** In the order of installation. */
  readonly packages: readonly Installed[];
  readonly scripts: readonly Followed[];
}

/** Names of scripts in messages: as spec files have them. */
const TITLES: Readonly<Record<ScriptName, string>> = {
  pretrans: 'pretrans',
  prein: 'pre',
  postin: 'post',
  posttrans: 'posttrans',
};

/** File triggers of at least this priority run before a package's own %post. */
const EARLY = 10_000;

/**
 * Installs packages with their scripts and triggers, in the order of rpm's events for a fresh root. Nothing is run:
 * scripts are interpreted over the tree, and lines that are not understood become warnings.
 */
export function install(tree: Tree, packages: readonly UnpackedRpm[], options: InstallOptions): InstalledPackages {
  return new Transaction(tree, options).run(packages);
}

class Transaction {
  private readonly options: InstallOptions;
  private readonly installation: Installation;
  private readonly runner: ScriptRunner;
  private readonly context: ConfigureContext;
  private readonly tree: Tree;
  private readonly followed: Followed[] = [];

  constructor(tree: Tree, options: InstallOptions) {
    const { epoch, machine, report } = options;
    this.tree = tree;
    this.options = options;
    this.installation = new Installation(tree, epoch, report);
    this.context = { machine, defaultLibraryFolders: LIBRARY_FOLDERS, epoch, report };
    this.runner = new ScriptRunner(tree, this.context);
  }

  run(packages: readonly UnpackedRpm[]): InstalledPackages {
    const order = installOrder(
      packages.map(({ package: of, main, table }) => ({
        name: of.name,
        main,
        paths: table.files.map((file) => file.path),
        colour: table.files.reduce((bits, file) => bits | file.colour, 0),
      })),
    ).map((i) => packages[i]!);
    const failed = new Set<UnpackedRpm>();
    for (const one of order) if (!this.script(one, 'pretrans')) failed.add(one);
    this.installation.prepare(order.filter((one) => !failed.has(one)));
    this.options.history?.mark(this.tree, { step: 'prepared' });
    for (const one of order) if (!failed.has(one)) this.element(one);
    const { packages: installed } = this.installation;
    for (const { unpacked } of installed) this.script(unpacked, 'posttrans');
    this.transFileTriggers();
    this.runner.finish();
    this.options.history?.mark(this.tree, { step: 'owners' });
    return { packages: installed, scripts: this.followed };
  }

  /** All events of one package. */
  private element(one: UnpackedRpm): void {
    this.accounts(one);
    this.triggers(one, SENSE.triggerPrein);
    // rpm leaves out a package whose %pre fails, and goes on
    if (!this.script(one, 'prein')) return;
    this.installation.add(one);
    const { name, version } = one.package;
    this.options.history?.mark(this.tree, { step: 'package', package: name, version });
    this.fileTriggers(one, (priority) => priority >= EARLY);
    this.script(one, 'postin');
    this.triggers(one, SENSE.triggerIn);
    this.fileTriggers(one, (priority) => priority < EARLY);
  }

  /** Accounts that a package provides as sysusers.d lines in base64 (rpm since 4.19). */
  private accounts({ main, package: { name, version } }: UnpackedRpm): void {
    const text = dependenciesOf(main, 'provides')
      .filter(
        ({ name, flags, version }) =>
          /^(user|group|groupmember)\(/.test(name) && (flags & SENSE.equal) !== 0 && version !== '',
      )
      .map(({ version }) => Buffer.from(version, 'base64').toString('latin1').replace(/\0+$/, '').trim())
      .filter((line) => /^[ugm]!? /.test(line));
    if (text.length === 0) return;
    sysusersLines(this.tree, this.context, `${text.join('\n')}\n`);
    this.options.history?.mark(this.tree, { step: 'script', package: name, version, script: 'sysusers' });
    this.installation.refresh();
  }

  /** Runs one of the package's own scripts. False when it failed. */
  private script(one: UnpackedRpm, name: ScriptName): boolean {
    const script = scriptOf(one.main, name);
    return script === undefined || this.follow(one, TITLES[name], script, ['1']);
  }

  private follow(one: UnpackedRpm, title: string, script: RpmScript, args: readonly string[], input = ''): boolean {
    const { package: of } = one;
    const name = `${of.name}.${title}`;
    const outcome = this.runner.run({ package: of.name, title: name, script, args, input });
    this.installation.refresh();
    this.options.history?.mark(this.tree, {
      step: 'script',
      ...{ package: of.name, version: of.version, script: [title, ...args].join(' ') },
    });
    this.followed.push({ package: of, script: title, args, outcome });
    const failure = ({ status, line, reason }: FailedOutcome) =>
      `${name}${line === undefined ? '' : `:${line}`}: the script ended with status ${status}${reason === '' ? '' : `: ${reason}`}`;
    for (const event of outcomeEvents({ title: name, package: of.name }, outcome, failure)) this.options.report(event);
    return outcome.kind !== 'failed';
  }

  /** Triggers that installing `one` sets off: other packages' on it, and its own on packages that are there already. */
  private triggers(one: UnpackedRpm, sense: number): void {
    const { packages } = this.installation;
    for (const { unpacked } of packages) {
      if (unpacked === one) continue;
      for (const trigger of triggersOf(unpacked.main, 'triggers'))
        if (trigger.conditions.some((condition) => meets(condition, one, sense)))
          this.trigger(unpacked, trigger, sense);
    }
    const own = triggersOf(one.main, 'triggers');
    const others = packages.map(({ unpacked }) => unpacked).filter((other) => other !== one);
    for (const trigger of own)
      if (others.some((other) => trigger.conditions.some((condition) => meets(condition, other, sense))))
        this.trigger(one, trigger, sense);
  }

  private trigger(of: UnpackedRpm, { script }: RpmTrigger, sense: number): void {
    this.follow(of, sense === SENSE.triggerIn ? 'triggerin' : 'triggerprein', script, ['1', '1']);
  }

  /** File triggers of other packages on the files of `one`, then its own on all files that are there. */
  private fileTriggers(one: UnpackedRpm, fits: (priority: number) => boolean): void {
    const { packages } = this.installation;
    const mine = packages.at(-1)!;
    for (const { unpacked } of packages) if (unpacked !== one) this.fileTriggersOf(unpacked, [mine], fits);
    this.fileTriggersOf(one, packages, fits);
  }

  private fileTriggersOf(of: UnpackedRpm, packages: readonly Installed[], fits: (priority: number) => boolean): void {
    for (const { script, conditions, priority } of triggersOf(of.main, 'fileTriggers')) {
      if (!fits(priority)) continue;
      const input = matching(conditions, packages);
      if (input !== '') this.follow(of, 'filetriggerin', script, ['0'], input);
    }
  }

  /** Once at the end, those of higher priority first. */
  private transFileTriggers(): void {
    const { packages } = this.installation;
    const all = packages.flatMap(({ unpacked }) =>
      triggersOf(unpacked.main, 'transFileTriggers').map((trigger) => ({ unpacked, trigger })),
    );
    // sort is stable: equal ones stay in the order of installation
    all.sort((a, b) => b.trigger.priority - a.trigger.priority);
    for (const { unpacked, trigger } of all) {
      const input = matching(trigger.conditions, packages);
      if (input !== '') this.follow(unpacked, 'transfiletriggerin', trigger.script, ['0'], input);
    }
  }
}

/** Where glibc's loader looks by itself on rpm distributions. */
const LIBRARY_FOLDERS: readonly string[] = ['/lib64', '/usr/lib64', '/lib', '/usr/lib'];

/** True when a package is what a trigger waits for. */
function meets(condition: RpmDependency, { package: of }: UnpackedRpm, sense: number): boolean {
  if ((condition.flags & sense) === 0 || condition.name !== of.name) return false;
  if ((condition.flags & COMPARISON) === 0 || condition.version === '') return true;
  const order = compareEvr(parseEvr(of.version), parseEvr(condition.version));
  const bit = order < 0 ? SENSE.less : order > 0 ? SENSE.greater : SENSE.equal;
  return (condition.flags & bit) !== 0;
}

/**
 * Absolute paths that begin with one of a file trigger's prefixes, a line each: packages in order, files as in their tables.
 * rpm finds packages by the directories of their files: one whose only match is the prefix itself is not found.
 */
function matching(conditions: readonly RpmDependency[], packages: readonly Installed[]): string {
  const prefixes = conditions.filter(({ flags }) => (flags & SENSE.triggerIn) !== 0).map(({ name }) => name);
  if (prefixes.length === 0) return '';
  let text = '';
  for (const { unpacked } of packages) {
    const { files } = unpacked.table;
    const fitting = prefixes.filter((prefix) => files.some(({ path }) => `/${dirname(path)}/`.startsWith(prefix)));
    if (fitting.length === 0) continue;
    for (const { path } of files) {
      const absolute = `/${path}`;
      if (fitting.some((prefix) => absolute.startsWith(prefix))) text += `${absolute}\n`;
    }
  }
  return text;
}
