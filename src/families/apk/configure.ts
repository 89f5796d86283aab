import { type Report, warning } from '../../events/events.ts';
import { contentText } from '../../shell/files.ts';
import { Budget } from '../../shell/limits.ts';
import { compilePattern, matches, type Pattern } from '../../shell/pattern.ts';
import { runScript } from '../../shell/run.ts';
import type { ScriptReport, UnfollowedLine } from '../../system/scripts.ts';
import type { Tree } from '../../tree/tree.ts';
import { Accounts } from './accounts.ts';
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
  /** Unix seconds that no time stamp may be later than; the time scripts see. */
  readonly epoch: number;
  /** `uname -m` as scripts see it. */
  readonly machine: string;
  /** Follow install scripts and triggers (apk's `--no-scripts` is the opposite). */
  readonly scripts: boolean;
  readonly report: Report;
  /** Takes how far each script was followed. */
  readonly followed?: (report: ScriptReport) => void;
}

/**
 * Installs packages in order, each with its scripts, then the triggers: what apk does for a world in an empty root.
 * Nothing is run: scripts are interpreted over the tree, and lines that are not understood become warnings.
 */
export function install(tree: Tree, packages: readonly ToInstall[], options: InstallOptions): Installed[] {
  const accounts = new Accounts(tree);
  const installation = new Installation(tree, accounts, options.epoch);
  const commands = options.scripts ? alpineCommands(tree, options.epoch) : new Map();
  const script = (of: UnpackedApk, name: string, args: readonly string[]): void => {
    const file = of.control.get(`.${name}`)?.content;
    if (file === undefined || !options.scripts) return;
    const { name: self, version } = of.package;
    const title = `${self}-${version}.${name}`;
    const text = contentText(file, new Budget(title));
    // where apk would put the script to run it; a package that brings the folder finds it there
    if (tree.stat('lib/apk/exec') === undefined)
      tree.makeDirectory('lib/apk/exec', { mode: 0o700, uid: 0, gid: 0, mtime: options.epoch });
    const interpreter = /^#![ \t]*(\S+)(?:[ \t]+(\S+))?(?:[ \t]+-([a-z]+))?/.exec(text.split('\n', 1)[0]!);
    const program = interpreter?.[1]?.replace(/^.*\//, '') ?? 'sh';
    const told = (followed: ScriptReport['followed'], lines: readonly UnfollowedLine[], failure?: string) => {
      for (const line of lines)
        options.report(warning('SCRIPT_LINE', { script: title, ...line }, { package: self, line: line.line }));
      if (failure !== undefined) options.report(warning('SCRIPT_FAILED', { reason: failure }, { package: self }));
      options.followed?.({
        ...{ package: self, version, script: name, followed, by: 'interpreter', lines, leftOut: [] },
        ...(failure === undefined ? {} : { failure }),
      });
    };
    const shell = program === 'busybox' || program === 'env' ? interpreter?.[2] : program;
    if (shell === undefined || !/^(ba|da|a)?sh$/.test(shell)) {
      const reason = `written for ${shell ?? program}, which is not interpreted`;
      told('none', [{ line: 1, source: text.split('\n', 1)[0]!, reason }]);
      return;
    }
    const letters = /^-[a-z]+$/.test(interpreter?.[2] ?? '') ? interpreter![2]!.slice(1) : (interpreter?.[3] ?? '');
    const result = runScript(text, {
      tree,
      name: title,
      args,
      // the environment of apk 2.14
      environment: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      options: letters,
      time: options.epoch,
      commands,
      machine: options.machine,
    });
    accounts.refresh();
    const lines = result.unknown
      .filter((one) => !one.tested)
      .map(({ line, text: source, command, script: file }) => ({
        ...{ line, source, reason: `not emulated: ${command}` },
        ...(file === title ? {} : { file }),
      }));
    const said = result.stderr.trim().split('\n').at(-1) ?? '';
    if (result.refusal !== undefined) told('failed', lines, result.refusal.message);
    else if (result.status !== 0)
      told('failed', lines, `${title} ended with ${result.status}${said === '' ? '' : `: ${said}`}`);
    else told(lines.length === 0 ? 'whole' : 'partial', lines);
  };
  for (const { unpacked, tag } of packages) {
    const { version } = unpacked.package;
    script(unpacked, 'pre-install', [version]);
    installation.add(unpacked, tag);
    script(unpacked, 'post-install', [version]);
  }
  for (const { unpacked } of installation.packages) {
    const patterns = unpacked.info.triggers.map((text) => text.split('/').map((part) => compilePattern(part)));
    if (patterns.length === 0) continue;
    const budget = new Budget(`${unpacked.package.name}.trigger`);
    const touched = [...installation.touched]
      .map((path) => `/${path}`)
      .filter((path) => patterns.some((pattern) => matchesPath(pattern, path.split('/'), budget)))
      .sort();
    if (touched.length > 0) script(unpacked, 'trigger', touched);
  }
  return installation.packages;
}

/** As fnmatch(3) with FNM_PATHNAME: no wildcard matches a slash. */
function matchesPath(pattern: readonly Pattern[], path: readonly string[], budget: Budget): boolean {
  return pattern.length === path.length && pattern.every((one, i) => matches(one, path[i]!, budget));
}
