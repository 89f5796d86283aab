import { type Call, type Command, options } from '../../../shell/command.ts';
import { Accounts } from '../../../system/accounts.ts';
import type { CommandTable, DebianWorld } from './binding.ts';

/** Commands that run another one as another user: files it creates belong to that user. */
export function userCommands(world: DebianWorld): CommandTable {
  /** Runs `words` as a user by name or number; `group` defaults to the user's own. */
  const as = (call: Call, user: string, group: string | undefined, words: readonly string[]): number => {
    const accounts = new Accounts(world.tree, world.context);
    const found = accounts.user(user) ?? accounts.userById(/^[0-9]+$/.test(user) ? Number(user) : -1);
    if (found === undefined)
      return call.fail(`user ${user} does not exist or the user entry does not contain all the required fields`);
    const gid = group === undefined ? found.gid : (accounts.group(group)?.gid ?? Number(group));
    if (!Number.isInteger(gid)) return call.fail(`group ${group} does not exist`);
    const { files } = call;
    const before = files.owner;
    files.owner = { uid: found.uid, gid };
    try {
      return words.length === 0 ? 0 : call.shell.invoke(words);
    } finally {
      files.owner = before;
    }
  };

  /** `su [-] [USER [ARGUMENT…]] [-c COMMAND]`; runuser also supports `-u USER COMMAND…`. */
  const su: Command = (call) => {
    const words = call.args.map((arg) => (arg === '-' ? '--login' : arg));
    const given = options(
      words,
      call.name === 'runuser' ? '+c:fg:G:hlmpPs:u:Vw:' : 'c:fg:G:hlmpPs:Vw:',
      'command= fast group= supp-group= login preserve-environment pty shell= user= whitelist-environment= session-command=',
    );
    const group = given.last('g', 'group');
    const user = given.last('u', 'user');
    if (user !== undefined) return as(call, user, group, given.operands);
    // options may also follow the user's name
    const [name = 'root', ...rest] = given.operands;
    const after = options(rest, '+c:s:', 'command= shell= session-command=');
    const command = given.last('c', 'command', 'session-command') ?? after.last('c', 'command', 'session-command');
    const line = command === undefined ? after.operands : ['-c', command, ...after.operands];
    return as(call, name, group, line.length === 0 ? [] : ['sh', ...line]);
  };

  const setpriv: Command = (call) => {
    const given = options(
      call.args,
      '+dhV',
      'dump nnp no-new-privs ambient-caps= inh-caps= bounding-set= ruid= euid= rgid= egid= reuid= regid= clear-groups keep-groups init-groups groups= securebits= pdeathsig= selinux-label= apparmor-profile= landlock-access= landlock-rule= reset-env',
    );
    return as(call, given.last('reuid', 'euid') ?? 'root', given.last('regid', 'egid'), given.operands);
  };

  const sudo: Command = (call) => {
    const given = options(call.args, '+AbEHnPSu:g:i', 'user= group= preserve-env login set-home non-interactive');
    return as(call, given.last('u', 'user') ?? 'root', given.last('g', 'group'), given.operands);
  };

  return { runuser: su, setpriv, su, sudo };
}
