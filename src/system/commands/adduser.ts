import type { Call, Command, Options } from '../../shell/command.ts';
import { Accounts, type IdRange, shadowConfig } from '../accounts.ts';
import {
  ADDUSER_SYSTEM_IDS,
  addSystemUser,
  addToGroup,
  createGroup,
  type PrimaryGroup,
  type SystemUser,
  userAdd,
} from '../new-accounts.ts';
import { primaryOf, removeAccount } from './accounts.ts';
import { type CommandTable, type GuestWorld, idIn, withOptions } from './binding.ts';

/** adduser(8) and related tools of Debian, which other distributions have as well. */
export function adduserCommands(world: GuestWorld): CommandTable {
  const create = adduser(world);
  const remove = deluser(world);
  return {
    addgroup: create,
    adduser: create,
    delgroup: remove,
    deluser: remove,
    shadowconfig: (call) => {
      if (call.args[0] !== 'on') return call.shell.unknown(`${call.name} ${call.args.join(' ')}`);
      shadowConfig(world.tree, world.context);
      return 0;
    },
  };
}

/** The range of ids for accounts of people: adduser.conf(5). */
const ORDINARY: IdRange = { first: 1000, last: 59999 };

function rangeOf(given: Options, of: 'uid' | 'gid'): IdRange {
  return {
    first: idIn(given.last(`first${of}`)) ?? ORDINARY.first,
    last: idIn(given.last(`last${of}`)) ?? ORDINARY.last,
  };
}

function adduser(world: GuestWorld): Command {
  const { tree, context } = world;
  const run = (call: Call, given: Options): number => {
    const [name, group] = given.operands;
    if (name === undefined) return call.fail('Only one or two names allowed.');
    if (group !== undefined)
      return addToGroup(tree, context, name, group) ? 0 : call.fail(`The user or group '${group}' does not exist.`);
    const gid = idIn(given.last('gid'));
    if (call.name === 'addgroup' || (given.has('group') && !given.has('system') && !given.has('home'))) {
      const ids = given.has('system')
        ? ADDUSER_SYSTEM_IDS
        : { ...ADDUSER_SYSTEM_IDS, group: (accounts: Accounts) => accounts.firstFree('group', rangeOf(given, 'gid')) };
      const made = createGroup(tree, context, { name, ids, ...(gid === undefined ? {} : { gid }) });
      return made === undefined ? call.fail('No GID is available.') : 0;
    }
    const made = given.has('system')
      ? addSystemUser(tree, context, { ...commonOf(name, given), ...systemGroup(given, gid) })
      : addOrdinaryUser(world, name, given);
    return made === undefined ? call.fail('No UID is available.') : 0;
  };
  // questions, passwords and checks of names are for a terminal
  const harmless =
    'disabled-password disabled-login quiet verbose debug force-badname allow-badname allow-bad-names allow-all-names stdoutmsglevel= stderrmsglevel= logmsglevel=';
  return withOptions(
    'q',
    `system group ingroup= gid= uid= home= no-create-home shell= gecos= comment= firstuid= lastuid= firstgid= lastgid= ${harmless}`,
    run,
  );
}

type Common = Pick<SystemUser, 'name' | 'uid' | 'home' | 'shell' | 'gecos'> & { readonly createHome: boolean };

function commonOf(name: string, given: Options): Common {
  const uid = idIn(given.last('uid'));
  const gecos = given.last('gecos', 'comment');
  const shell = given.last('shell');
  const home = given.last('home');
  return {
    name,
    ...(uid === undefined ? {} : { uid }),
    ...(home === undefined ? {} : { home }),
    ...(shell === undefined ? {} : { shell }),
    ...(gecos === undefined ? {} : { gecos }),
    createHome: !given.has('no-create-home'),
  };
}

function systemGroup(given: Options, gid: number | undefined): { readonly group?: PrimaryGroup } {
  const ingroup = given.last('ingroup');
  const name = given.last('gid');
  if (given.has('group')) return { group: 'own' };
  if (ingroup !== undefined) return { group: { name: ingroup } };
  if (gid !== undefined) return { group: { gid } };
  return name === undefined ? {} : { group: { name } };
}

/** adduser uses the first free id, useradd continues after the last. */
function addOrdinaryUser({ tree, context }: GuestWorld, name: string, given: Options) {
  const common = commonOf(name, given);
  const uid = common.uid ?? new Accounts(tree, context).firstFree('user', rangeOf(given, 'uid'));
  const ingroup = given.last('ingroup');
  if (uid === undefined) return undefined;
  return userAdd(tree, context, { ...common, uid, ...(ingroup === undefined ? {} : { group: { name: ingroup } }) });
}

function deluser(world: GuestWorld): Command {
  const { tree, context } = world;
  const run = (call: Call, given: Options): number => {
    const [name = '', from] = given.operands;
    const accounts = new Accounts(tree, context);
    if (from !== undefined) {
      const group = accounts.group(from);
      if (group === undefined) return call.fail(`The group '${from}' does not exist.`, 3);
      accounts.removeMember(name, group);
      accounts.save(true);
      return 0;
    }
    if (call.name === 'delgroup' || given.has('group')) {
      const group = accounts.group(name);
      if (group === undefined) return given.has('system') ? 0 : call.fail(`The group '${name}' does not exist.`, 3);
      const user = primaryOf(accounts, group);
      if (user !== undefined) return call.fail(`The group '${name}' is the primary group of '${user.name}'.`, 8);
      if (given.has('only-if-empty') && group.members.length > 0)
        return call.fail(`The group '${name}' is not empty!`, 5);
      accounts.removeGroup(name);
      accounts.save(true);
      return 0;
    }
    const user = accounts.user(name);
    if (user === undefined) return given.has('system') ? 0 : call.fail(`The user '${name}' does not exist.`, 2);
    removeAccount(world, user, given.has('remove-home'));
    return 0;
  };
  return withOptions('q', 'system group quiet verbose debug remove-home only-if-empty force', run);
}
