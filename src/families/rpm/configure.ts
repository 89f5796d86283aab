import { withoutEnding } from '../../bytes/ending.ts';
import { BuildError } from '../../errors/error.ts';
import type { Report } from '../../events/events.ts';
import { dependenciesOf, SENSE } from '../../formats/rpm/dependencies.ts';
import { type RpmScript, type ScriptName, scriptOf } from '../../formats/rpm/scripts.ts';
import type { ConfigureContext } from '../../system/context.ts';
import { type FailedOutcome, type Followed, outcomeEvents } from '../../system/scripts.ts';
import { sysusersLines } from '../../system/sysusers.ts';
import type { History } from '../../tree/history.ts';
import { display } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';
import { Installation, type Installed } from './install.ts';
import { installOrder } from './order.ts';
import { nevra } from './package.ts';
import { ScriptRunner } from './scriptlets.ts';
import { countOf, fileTriggersSetOff, type SetOff, transFileTriggersSetOff, triggersSetOff } from './triggers.ts';
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
    rejectEarlyNeeds(packages);
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
    for (const { unpacked } of installed) this.script(unpacked, 'posttrans', countOf(installed, unpacked.package.name));
    this.setOff(transFileTriggersSetOff(installed), 'transfiletriggerin');
    this.runner.finish();
    this.options.history?.mark(this.tree, { step: 'owners' });
    return { packages: installed, scripts: this.followed };
  }

  /** All events of one package. */
  private element(one: UnpackedRpm): void {
    this.accounts(one);
    const { packages } = this.installation;
    this.setOff(triggersSetOff(one, packages, SENSE.triggerPrein), 'triggerprein');
    const { name, version } = one.package;
    // how many of the name there will be: packages for several architectures may be installed together
    const count = countOf(packages, name) + 1;
    // rpm leaves out a package whose %pre fails, and goes on
    if (!this.script(one, 'prein', count)) return;
    this.installation.add(one);
    this.options.history?.mark(this.tree, { step: 'package', package: name, version });
    const early = (priority: number) => priority >= EARLY;
    this.setOff(fileTriggersSetOff(packages, early), 'filetriggerin');
    this.script(one, 'postin', count);
    this.setOff(triggersSetOff(one, packages, SENSE.triggerIn), 'triggerin');
    this.setOff(
      fileTriggersSetOff(packages, (priority) => !early(priority)),
      'filetriggerin',
    );
  }

  /** Accounts that a package provides as sysusers.d lines in base64 (rpm since 4.19). */
  private accounts({ main, package: { name, version } }: UnpackedRpm): void {
    const text = dependenciesOf(main, 'provides')
      .filter(
        ({ name, flags, version }) =>
          /^(user|group|groupmember)\(/.test(name) && (flags & SENSE.equal) !== 0 && version !== '',
      )
      .map(({ version }) => withoutEnding(Buffer.from(version, 'base64').toString('latin1'), '\0').trim())
      .filter((line) => /^[ugm]!? /.test(line));
    if (text.length === 0) return;
    sysusersLines(this.tree, this.context, `${text.join('\n')}\n`);
    this.options.history?.mark(this.tree, { step: 'script', package: name, version, script: 'sysusers' });
    this.installation.refresh();
  }

  /** Runs one of the package's own scripts. False when it failed. */
  private script(one: UnpackedRpm, name: ScriptName, count = 1): boolean {
    const script = scriptOf(one.main, name);
    return script === undefined || this.follow(one, TITLES[name], script, [String(count)]);
  }

  private follow(one: UnpackedRpm, title: string, script: RpmScript, args: readonly string[], input = ''): boolean {
    const { package: of } = one;
    const name = `${of.name}.${title}`;
    const decides = title === TITLES.pretrans || title === TITLES.prein;
    const outcome = this.runner.run({ package: of.name, title: name, script, args, input, header: one.main });
    this.installation.refresh();
    this.options.history?.mark(this.tree, {
      step: 'script',
      ...{ package: of.name, version: of.version, script: [title, ...args].join(' ') },
    });
    this.followed.push({ package: of, script: title, args, outcome });
    const failure = ({ status, line, reason }: FailedOutcome) =>
      `${name}${line === undefined ? '' : `:${line}`}: the script ended with status ${status}${reason === '' ? '' : `: ${reason}`}${decides ? `; rpm does not install ${of.name} then, so it is left out` : ''}`;
    for (const event of outcomeEvents({ title: name, package: of.name }, outcome, failure)) this.options.report(event);
    return outcome.kind !== 'failed';
  }

  private setOff(triggers: Iterable<SetOff>, title: string): void {
    for (const { of, trigger, args, input } of triggers) this.follow(of, title, trigger.script, args, input);
  }
}

/**
 * Throws `RPM_UNSOLVABLE` for packages that need something before all packages of the transaction: a %pretrans in a shell,
 * say. In an empty root there is nothing, so rpm does not begin. Scripts in Lua need rpm alone.
 */
function rejectEarlyNeeds(packages: readonly UnpackedRpm[]): void {
  const lines = packages.flatMap(({ package: of, main }) =>
    dependenciesOf(main, 'requires')
      .filter(({ flags }) => (flags & SENSE.pretrans) !== 0 && (flags & SENSE.rpmlib) === 0)
      .map(({ name }) => `  ${nevra(of)} needs ${display(name)} before any package is installed, for its %pretrans`),
  );
  if (lines.length > 0)
    throw new BuildError(
      'RPM_UNSOLVABLE',
      { explanation: lines.join('\n') },
      { hint: 'rpm would not install them into an empty root either; leave them out' },
    );
}

/** Where glibc's loader looks by itself on rpm distributions. */
const LIBRARY_FOLDERS: readonly string[] = ['/lib64', '/usr/lib64', '/lib', '/usr/lib'];
