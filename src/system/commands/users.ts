import { type Call, type Command, type Options, options } from '../../shell/command.ts';
import { Accounts } from '../accounts.ts';
import { type CommandTable, type GuestWorld, idIn, withOptions } from './binding.ts';

/** Commands that run another one as another user: files it creates belong to that user. */
export function userCommands(world: GuestWorld): CommandTable {
  /** Runs `words` as a user by name or number; `group` defaults to the user's own. */
  const as = (call: Call, user: string, group: string | undefined, words: readonly string[]): number => {
    const accounts = new Accounts(world.tree, world.context);
    const found = accounts.user(user) ?? accounts.userById(idIn(user) ?? -1);
    if (found === undefined)
      return call.fail(`user ${user} does not exist or the user entry does not contain all the required fields`);
    const gid = group === undefined ? found.gid : (accounts.group(group)?.gid ?? idIn(group));
    if (gid === undefined) return call.fail(`group ${group} does not exist`);
    const { files } = call;
    const before = files.owner;
    files.owner = { uid: found.uid, gid };
    try {
      return words.length === 0 ? 0 : call.shell.invoke(words);
    } finally {
      files.owner = before;
    }
  };

  // further groups, terminals and environments have no effect on what is created
  const long =
    'command= fast group= supp-group= login preserve-environment pty shell= user= whitelist-environment= session-command=';
  /** `su [-] [USER [ARGUMENT…]] [-c COMMAND]`; runuser also supports `-u USER COMMAND…`. */
  const su: Command = (call) => {
    const words = call.args.map((arg) => (arg === '-' ? '--login' : arg));
    const given = options(words, call.name === 'runuser' ? '+c:fg:G:lmpPs:u:w:' : 'c:fg:G:lmpPs:w:', long);
    if (given.unknown !== undefined) return call.shell.unknown(`${call.name} ${given.unknown}`);
    const group = given.last('g', 'group');
    const user = given.last('u', 'user');
    if (user !== undefined) return as(call, user, group, given.operands);
    // options may also follow the user's name
    const [name = 'root', ...rest] = given.operands;
    const after = options(rest, '+c:s:', 'command= shell= session-command=');
    if (after.unknown !== undefined) return call.shell.unknown(`${call.name} ${after.unknown}`);
    const command = given.last('c', 'command', 'session-command') ?? after.last('c', 'command', 'session-command');
    const line = command === undefined ? after.operands : ['-c', command, ...after.operands];
    return as(call, name, group, line.length === 0 ? [] : ['sh', ...line]);
  };

  const setpriv = (call: Call, given: Options) =>
    as(call, given.last('reuid', 'euid') ?? 'root', given.last('regid', 'egid'), given.operands);
  // privileges are those of a running process
  const privileges =
    'nnp no-new-privs ambient-caps= inh-caps= bounding-set= ruid= rgid= clear-groups keep-groups init-groups groups= securebits= pdeathsig= selinux-label= apparmor-profile= landlock-access= landlock-rule= reset-env';

  const sudo = (call: Call, given: Options) =>
    as(call, given.last('u', 'user') ?? 'root', given.last('g', 'group'), given.operands);

  return {
    runuser: su,
    setpriv: withOptions('+', `reuid= euid= regid= egid= ${privileges}`, setpriv),
    su,
    sudo: withOptions(
      '+AbEHnPSu:g:i',
      'askpass background preserve-env=? set-home non-interactive preserve-groups stdin user= group= login',
      sudo,
    ),
  };
}
