import type { Call, Command } from '../../shell/command.ts';
import type { Tree } from '../../tree/tree.ts';

/*
 * Files that a command reads and writes whole. Each call costs steps by their size: a script that adds one user after the
 * other would else do work that grows with the square of its length, and that no limit counts.
 */

const ACCOUNTS = ['etc/passwd', 'etc/group', 'etc/shadow', 'etc/gshadow', 'etc/subuid', 'etc/subgid'];
const UCF = ['var/lib/ucf/hashfile', 'var/lib/ucf/registry'];

const FILES: readonly (readonly [files: readonly string[], commands: string])[] = [
  [ACCOUNTS, 'useradd usermod userdel groupadd groupmod groupdel groupmems gpasswd chage chfn chsh passwd chpasswd'],
  [ACCOUNTS, 'adduser addgroup deluser delgroup grpconv grpunconv pwconv pwunconv getent id groups newusers chgpasswd'],
  [ACCOUNTS, 'systemd-sysusers systemd-tmpfiles su runuser setpriv chpst'],
  [['var/lib/dpkg/diversions'], 'dpkg-divert'],
  [['var/lib/dpkg/statoverride', ...ACCOUNTS], 'dpkg-statoverride'],
  [UCF, 'ucf ucfr ucfq'],
  [['etc/shells'], 'add-shell remove-shell update-shells'],
];

/** A step for so many bytes: as many as these commands handle in the time of a step. */
const BYTES = 16;

/** Counts a file that a command reads whole. */
export function spendFile(call: Call, tree: Tree, path: string): void {
  call.shell.budget.spend(Math.floor((tree.file(path)?.content.size ?? 0) / BYTES));
}

/** The same commands, which count what they read. */
export function counted(commands: Iterable<readonly [string, Command]>, tree: Tree): Map<string, Command> {
  const all = new Map(commands);
  for (const [files, names] of FILES)
    for (const name of names.split(' ')) {
      const command = all.get(name);
      if (command === undefined) continue;
      all.set(name, (call) => {
        let bytes = 0;
        for (const path of files) bytes += tree.file(path)?.content.size ?? 0;
        call.shell.budget.spend(Math.floor(bytes / BYTES));
        return command(call);
      });
    }
  return all;
}
