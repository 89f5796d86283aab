import type { Report } from '../../events/events.ts';
import type { Command } from '../../shell/command.ts';
import { contentText } from '../../shell/files.ts';
import { Budget } from '../../shell/limits.ts';
import { compilePath, matchesPath } from '../../shell/pattern.ts';
import { AccountNumbers } from '../../system/account-numbers.ts';
import { runScriptlet } from '../../system/scriptlet.ts';
import { type FailedOutcome, type Followed, outcomeEvents } from '../../system/scripts.ts';
import type { History } from '../../tree/history.ts';
import type { Tree } from '../../tree/tree.ts';
import { alpineCommands } from './commands/commands.ts';
import { Installation, type Installed } from './install.ts';
import type { UnpackedApk } from './unpack.ts';

/** A package to be installed, with its tag. */
export interface ToInstall {
  readonly unpacked: UnpackedApk;
  readonly tag: string | undefined;
}

/** How to install. */
export interface InstallOptions {
  /** Unix seconds: no time stamp is later, and scripts see it as the present time. */
  readonly epoch: number;
  /** `uname -m` as scripts see it. */
  readonly machine: string;
  /** Follow install scripts and triggers (apk's `--no-scripts` is the opposite). */
  readonly scripts: boolean;
  readonly report: Report;
  /** Called for every package and script that changed the tree. */
  readonly history?: History;
}

/** What was installed, and how far each script was followed. */
export interface InstalledPackages {
  readonly packages: readonly Installed[];
  readonly scripts: readonly Followed[];
}

/** The environment in which apk 2.14 runs scripts. */
const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

/**
 * Installs packages in order, each with its scripts, then the triggers: what apk does for a world in an empty root.
 * Nothing is run: scripts are interpreted over the tree, and lines that are not understood become warnings.
 */
export function install(tree: Tree, packages: readonly ToInstall[], options: InstallOptions): InstalledPackages {
  return new Installer(tree, options).run(packages);
}

class Installer {
  private readonly tree: Tree;
  private readonly options: InstallOptions;
  private readonly accounts: AccountNumbers;
  private readonly installation: Installation;
  private readonly commands: ReadonlyMap<string, Command>;
  private readonly followed: Followed[] = [];

  constructor(tree: Tree, options: InstallOptions) {
    this.tree = tree;
    this.options = options;
    this.accounts = new AccountNumbers(tree);
    this.installation = new Installation(tree, this.accounts, options.epoch);
    this.commands = options.scripts ? alpineCommands(tree, options.epoch) : new Map();
  }

  run(packages: readonly ToInstall[]): InstalledPackages {
    for (const { unpacked, tag } of packages) {
      const { version } = unpacked.package;
      this.script(unpacked, 'pre-install', [version]);
      this.installation.add(unpacked, tag);
      this.options.history?.mark(this.tree, { step: 'package', package: unpacked.package.name, version });
      this.script(unpacked, 'post-install', [version]);
    }
    for (const { unpacked } of this.installation.packages) this.trigger(unpacked);
    return { packages: this.installation.packages, scripts: this.followed };
  }

  /** Follows a package's trigger, if directories that it watches have changed. */
  private trigger(unpacked: UnpackedApk): void {
    const patterns = unpacked.info.triggers.map((text) => compilePath(text));
    if (patterns.length === 0) return;
    const budget = new Budget(`${unpacked.package.name}.trigger`);
    const touched = [...this.installation.touched]
      .map((path) => `/${path}`)
      .filter((path) => patterns.some((pattern) => matchesPath(pattern, path, budget)))
      .sort();
    if (touched.length > 0) this.script(unpacked, 'trigger', touched);
  }

  private script({ package: of, control }: UnpackedApk, script: string, args: readonly string[]): void {
    const file = control.get(`.${script}`)?.content;
    const { tree, options, commands } = this;
    if (file === undefined || !options.scripts) return;
    const { epoch, machine, report } = options;
    const title = `${of.name}-${of.version}.${script}`;
    const text = contentText(file, new Budget(title));
    // where apk puts the script to run it: a package that contains this directory finds it present
    if (tree.stat('lib/apk/exec') === undefined)
      tree.makeDirectory('lib/apk/exec', { mode: 0o700, uid: 0, gid: 0, mtime: epoch });
    const context = { tree, epoch, machine, commands, environment: ENVIRONMENT };
    const { outcome } = runScriptlet({ title, text, args }, context);
    options.history?.mark(tree, {
      step: 'script',
      ...{ package: of.name, version: of.version, script: [script, ...args].join(' ') },
    });
    this.accounts.refresh();
    this.followed.push({ package: of, script, args, outcome });
    const failure = ({ status, line, reason }: FailedOutcome) =>
      `${title}${line === undefined ? '' : `:${line}`}: the script ended with status ${status}${reason === '' ? '' : `: ${reason}`}`;
    for (const event of outcomeEvents({ title, package: of.name }, outcome, failure)) report(event);
  }
}
