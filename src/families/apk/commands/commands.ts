import { type Command, options } from '../../../shell/command.ts';
import { counted } from '../../../system/commands/counted.ts';
import { basename, dirname } from '../../../tree/path.ts';
import type { Tree } from '../../../tree/tree.ts';
import { compareVersions, isVersion } from '../version.ts';
import { accountCommands } from './accounts.ts';
import { appletPaths } from './applets.ts';

/** Programs that Alpine's scripts call besides the shell's own. */
export function alpineCommands(tree: Tree, epoch: number): Map<string, Command> {
  const link = (path: string, target: string) => {
    if (tree.stat(dirname(path)) !== undefined)
      tree.symlink(path, target, { mode: 0o777, uid: 0, gid: 0, mtime: epoch });
  };

  const busybox: Command = (call) => {
    const [applet, ...rest] = call.args;
    const program = `/bin/${call.name}`;
    if (applet === undefined) return 0;
    if (applet === '--list' || applet === '--list-all') {
      const paths = appletPaths(tree, program);
      call.out(paths.map((path) => `${applet === '--list' ? basename(path) : path.slice(1)}\n`).join(''));
      return 0;
    }
    if (applet !== '--install') return call.shell.invoke([applet, ...rest]);
    for (const path of appletPaths(tree, program)) if (tree.lstat(path) === undefined) link(path, program);
    return 0;
  };

  /** The setuid helper takes over those applets that need root, unless another package has them. */
  const bbsuid: Command = (call) => {
    if (call.args[0] !== '--install') return call.fail('only --install is known', 127);
    const bytes = tree.file('bin/bbsuid')?.content.readSync();
    const text =
      bytes === undefined ? '' : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    for (const [, path] of text.matchAll(/\0(\/(?:usr\/)?s?bin\/[a-z0-9_-]+)(?=\0)/g)) {
      if (path === '/bin/busybox' || path === '/bin/bbsuid') continue;
      const there = tree.lstat(path!);
      if (there === undefined || (there.kind === 'symlink' && there.target === '/bin/busybox'))
        link(path!, '/bin/bbsuid');
    }
    return 0;
  };

  const rcUpdate: Command = (call) => {
    const given = options(call.args, 'asuq', 'all stack update quiet');
    const [verb, service, ...levels] = given.operands;
    if (verb === undefined || service === undefined) return 0;
    const remove = verb === 'del' || verb === 'delete';
    if (!remove && verb !== 'add') return call.fail(`unknown command "${verb}"`);
    if (!remove && tree.stat(`etc/init.d/${service}`) === undefined)
      return call.fail(`service \`${service}' does not exist`);
    const all = given.has('a', 'all') ? tree.list('etc/runlevels') : levels.length > 0 ? levels : ['default'];
    for (const level of all) {
      const path = `/etc/runlevels/${level}/${service}`;
      if (remove) tree.remove(path);
      else {
        tree.makeDirectory(dirname(path), { mode: 0o755, uid: 0, gid: 0, mtime: epoch });
        if (tree.lstat(path) === undefined) link(path, `/etc/init.d/${service}`);
      }
    }
    return 0;
  };

  /** `apk version -t A B`, which upgrade scripts call. */
  const apk: Command = (call) => {
    const [verb, flag, a, b] = call.args;
    if (verb !== 'version' || (flag !== '-t' && flag !== '--test') || a === undefined || b === undefined)
      return call.fail('only "version -t" is known', 127);
    if (!isVersion(a) || !isVersion(b)) return call.fail('invalid version');
    const order = compareVersions(a, b);
    call.out(order < 0 ? '<\n' : order > 0 ? '>\n' : '=\n');
    return 0;
  };

  return counted(
    [
      ...accountCommands(tree, epoch),
      ['busybox', busybox],
      ['busybox-extras', busybox],
      ['bbsuid', bbsuid],
      ['rc-update', rcUpdate],
      ['apk', apk],
    ],
    tree,
  );
}
