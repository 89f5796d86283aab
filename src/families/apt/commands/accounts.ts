import { type Call, type Command, options } from '../../../shell/command.ts';
import {
  Accounts,
  addSystemGroup,
  addSystemUser,
  addToGroup,
  groupAdd,
  type SystemUser,
  shadowConfig,
  userAdd,
} from '../../../system/accounts.ts';
import { type CommandTable, type DebianWorld, nothing } from './binding.ts';

/** Commands that create and change accounts: adduser(8), useradd(8) and related ones. */
export function accountCommands(world: DebianWorld): CommandTable {
  const { tree, context } = world;

  const adduser: Command = (call) => {
    const given = options(
      call.args,
      'qvhsf',
      'system group ingroup= gid= uid= home= no-create-home shell= gecos= comment= disabled-password disabled-login quiet verbose debug force-badname allow-badname allow-bad-names allow-all-names firstuid= lastuid= firstgid= lastgid= add_extra_groups add-extra-groups encrypt-home conf= stdoutmsglevel= stderrmsglevel= logmsglevel=',
    );
    const [name, group] = given.operands;
    if (name === undefined) return call.fail('Only one or two names allowed.');
    if (group !== undefined)
      return addToGroup(tree, context, name, group) ? 0 : call.fail(`The user or group '${group}' does not exist.`);
    const number = (text: string | undefined) =>
      text === undefined || !/^[0-9]+$/.test(text) ? undefined : Number(text);
    const gid = number(given.last('gid'));
    if (call.name === 'addgroup' || (given.has('group') && !given.has('system') && !given.has('home'))) {
      if (given.has('system')) addSystemGroup(tree, context, name, gid);
      else groupAdd(tree, context, { name, gid: gid ?? new Accounts(tree, context).firstFreeGid(1000, 59999) });
      return 0;
    }
    const uid = number(given.last('uid'));
    const gecos = given.last('gecos', 'comment');
    const shell = given.last('shell');
    const home = given.last('home');
    const ingroup = given.last('ingroup');
    const common: { name: string; uid?: number; home?: string; shell?: string; gecos?: string; createHome: boolean } = {
      name,
      ...(uid === undefined ? {} : { uid }),
      ...(home === undefined ? {} : { home }),
      ...(shell === undefined ? {} : { shell }),
      ...(gecos === undefined ? {} : { gecos }),
      createHome: !given.has('no-create-home'),
    };
    if (given.has('system')) {
      let chosen: SystemUser['group'];
      if (given.has('group')) chosen = 'own';
      else if (ingroup !== undefined) chosen = { name: ingroup };
      else if (gid !== undefined) chosen = { gid };
      else if (given.has('gid')) chosen = { name: given.last('gid')! };
      addSystemUser(tree, context, { ...common, ...(chosen === undefined ? {} : { group: chosen }) });
      return 0;
    }
    // adduser uses the first free id, useradd continues after the last
    common.uid ??= new Accounts(tree, context).firstFreeUid(1000, 59999);
    userAdd(tree, context, { ...common, ...(ingroup === undefined ? {} : { group: ingroup }) });
    return 0;
  };

  const useradd: Command = (call) => {
    const given = options(
      call.args,
      'b:c:d:De:f:g:G:k:K:lmMNop:rR:P:s:u:UZ:',
      'base-dir= comment= home-dir= home= expiredate= inactive= gid= groups= skel= key= no-log-init create-home no-create-home no-user-group non-unique password= system root= prefix= shell= uid= user-group badname badnames',
    );
    const name = given.operands[0];
    if (name === undefined) return call.fail('usage: useradd [options] LOGIN', 2);
    const accounts = new Accounts(tree, context);
    if (accounts.user(name) !== undefined) return call.fail(`user '${name}' already exists`, 9);
    const group = given.last('g', 'gid');
    if (group !== undefined && accounts.group(group) === undefined && accounts.groupById(Number(group)) === undefined)
      return call.fail(`group '${group}' does not exist`, 6);
    if (group === undefined && !given.has('N', 'no-user-group') && accounts.group(name) !== undefined)
      return call.fail(`group ${name} exists - if you want to add this user to that group, use -g.`, 9);
    const uid = given.last('u', 'uid');
    if (uid !== undefined && accounts.userById(Number(uid)) !== undefined && !given.has('o', 'non-unique'))
      return call.fail(`UID ${uid} is not unique`, 4);
    const home = given.last('d', 'home-dir', 'home');
    const shell = given.last('s', 'shell') ?? /^SHELL=(.+)$/m.exec(tree.text('etc/default/useradd') ?? '')?.[1];
    const gecos = given.last('c', 'comment');
    const groups = given.last('G', 'groups');
    userAdd(tree, context, {
      name,
      system: given.has('r', 'system'),
      noUserGroup: given.has('N', 'no-user-group'),
      createHome: given.has('m', 'create-home'),
      ...(uid === undefined ? {} : { uid: Number(uid) }),
      ...(group === undefined ? {} : { group }),
      ...(home === undefined ? {} : { home }),
      ...(shell === undefined ? {} : { shell }),
      ...(gecos === undefined ? {} : { gecos }),
      ...(groups === undefined ? {} : { groups: groups.split(',') }),
    });
    return 0;
  };

  const groupadd: Command = (call) => {
    const given = options(
      call.args,
      'fg:K:op:rR:P:U:',
      'force gid= key= non-unique password= system root= prefix= users=',
    );
    const name = given.operands[0];
    if (name === undefined) return call.fail('usage: groupadd [options] GROUP', 2);
    if (new Accounts(tree, context).group(name) !== undefined)
      return given.has('f', 'force') ? 0 : call.fail(`group '${name}' already exists`, 9);
    const asked = given.last('g', 'gid');
    const taken = asked !== undefined && new Accounts(tree, context).groupById(Number(asked)) !== undefined;
    if (taken && !given.has('o', 'non-unique') && !given.has('f', 'force'))
      return call.fail(`GID '${asked}' already exists`, 4);
    // -f picks another one instead
    const gid = taken && !given.has('o', 'non-unique') ? undefined : asked;
    groupAdd(tree, context, {
      name,
      system: given.has('r', 'system'),
      ...(gid === undefined ? {} : { gid: Number(gid) }),
    });
    return 0;
  };

  /** Changes one account and saves. */
  const change = (
    call: Call,
    name: string | undefined,
    edit: (accounts: Accounts, user: NonNullable<ReturnType<Accounts['user']>>) => void,
  ) => {
    const accounts = new Accounts(tree, context);
    const user = name === undefined ? undefined : accounts.user(name);
    if (user === undefined) return call.fail(`user '${name ?? ''}' does not exist`, 6);
    edit(accounts, user);
    accounts.save(true);
    return 0;
  };

  const usermod: Command = (call) => {
    const given = options(
      call.args,
      'ab:c:d:e:f:g:G:l:Lmop:rR:P:s:u:Uv:V:w:W:Z:',
      'append comment= home= expiredate= inactive= gid= groups= login= lock move-home non-unique password= remove root= prefix= shell= uid= unlock',
    );
    const name = given.operands[0];
    return change(call, name, (accounts, user) => {
      user.gecos = given.last('c', 'comment') ?? user.gecos;
      user.home = given.last('d', 'home') ?? user.home;
      user.shell = given.last('s', 'shell') ?? user.shell;
      const group = given.last('g', 'gid');
      if (group !== undefined)
        user.gid = accounts.group(group)?.gid ?? (/^[0-9]+$/.test(group) ? Number(group) : user.gid);
      const groups = given.last('G', 'groups');
      if (groups !== undefined) {
        const groupNames = groups.split(',').filter((one) => one !== '');
        if (!given.has('a', 'append'))
          for (const one of accounts.groups)
            if (!groupNames.includes(one.name)) one.members = one.members.filter((member) => member !== name);
        for (const one of groupNames) {
          const found = accounts.group(one);
          if (found !== undefined) accounts.addMember(user.name, found);
        }
      }
      const password = given.last('p', 'password') ?? accounts.password(user.name) ?? '';
      if (given.has('p', 'password')) accounts.setPassword(user.name, password);
      if (given.has('L', 'lock') && !password.startsWith('!')) accounts.setPassword(user.name, `!${password}`);
      if (given.has('U', 'unlock')) accounts.setPassword(user.name, password.replace(/^!/, ''));
      const expires = given.last('e', 'expiredate');
      if (expires !== undefined) accounts.setExpiry(user.name, expires === '' || expires === '-1' ? '' : expires);
    });
  };

  const passwd: Command = (call) => {
    const given = options(
      call.args,
      'adei:kln:qr:R:Suw:x:',
      'all delete expire inactive= lock mindays= quiet status unlock maxdays= warndays=',
    );
    return change(call, given.operands[0], (accounts, user) => {
      const password = accounts.password(user.name) ?? '';
      if (given.has('l', 'lock') && !password.startsWith('!')) accounts.setPassword(user.name, `!${password}`);
      if (given.has('u', 'unlock')) accounts.setPassword(user.name, password.replace(/^!/, ''));
      if (given.has('d', 'delete')) accounts.setPassword(user.name, '');
    });
  };

  const gpasswd: Command = (call) => {
    const given = options(call.args, 'a:d:rRA:M:', 'add= delete= remove-password restrict administrators= members=');
    const accounts = new Accounts(tree, context);
    const group = accounts.group(given.operands[0] ?? '');
    if (group === undefined) return call.fail(`group '${given.operands[0] ?? ''}' does not exist in /etc/group`, 3);
    const member = given.last('a', 'add');
    const leaver = given.last('d', 'delete');
    if (member !== undefined) accounts.addMember(member, group);
    if (leaver !== undefined) group.members = group.members.filter((one) => one !== leaver);
    accounts.save(true);
    return 0;
  };

  /** `deluser`, `userdel`, `delgroup`, `groupdel`. */
  const remove: Command = (call) => {
    const given = options(
      call.args,
      'frqZ',
      'system group quiet remove-home remove-all-files remove-all-home only-if-empty force remove backup backup-to=',
    );
    const [name = '', from] = given.operands;
    const accounts = new Accounts(tree, context);
    const shadow = call.name === 'userdel' || call.name === 'groupdel';
    const isGroup = call.name === 'delgroup' || call.name === 'groupdel' || given.has('group');
    if (from !== undefined) {
      const group = accounts.group(from);
      if (group === undefined) return call.fail(`The group '${from}' does not exist.`, 3);
      group.members = group.members.filter((member) => member !== name);
    } else if (isGroup) {
      if (accounts.group(name) === undefined)
        return given.has('system') ? 0 : call.fail(`The group '${name}' does not exist.`, shadow ? 6 : 3);
      const gid = accounts.group(name)!.gid;
      const primary = accounts.users.find((user) => user.gid === gid);
      if (primary !== undefined && !given.has('f', 'force'))
        return call.fail(`cannot remove the primary group of user '${primary.name}'`, 8);
      accounts.removeGroup(name);
    } else {
      if (accounts.user(name) === undefined)
        return given.has('system') ? 0 : call.fail(`The user '${name}' does not exist.`, shadow ? 6 : 2);
      const own = accounts.group(name);
      const { gid } = accounts.user(name)!;
      accounts.removeUser(name);
      // a user's own group is removed too, unless it has other members
      if (
        own !== undefined &&
        own.gid === gid &&
        own.members.length === 0 &&
        !accounts.users.some((one) => one.gid === gid)
      )
        accounts.removeGroup(name);
    }
    accounts.save(true);
    return 0;
  };

  const chsh: Command = (call) => {
    const given = options(call.args, 's:R:', 'shell= root=');
    return change(call, given.operands[0] ?? 'root', (_, user) => {
      user.shell = given.last('s', 'shell') ?? user.shell;
    });
  };

  const chfn: Command = (call) => {
    const given = options(call.args, 'f:h:o:r:w:R:u', 'full-name= home-phone= other= room= work-phone= root=');
    return change(call, given.operands[0] ?? 'root', (_, user) => {
      const parts = user.gecos.split(',');
      for (const [i, name] of [
        ['f', 'full-name'],
        ['r', 'room'],
        ['w', 'work-phone'],
        ['h', 'home-phone'],
        ['o', 'other'],
      ].entries()) {
        const value = given.last(...name);
        if (value === undefined) continue;
        while (parts.length <= i) parts.push('');
        parts[i] = value;
      }
      user.gecos = parts.join(',');
    });
  };

  return {
    addgroup: adduser,
    adduser,
    chage: nothing,
    chfn,
    chsh,
    delgroup: remove,
    deluser: remove,
    gpasswd,
    groupadd,
    groupdel: remove,
    groupmod: nothing,
    grpck: nothing,
    grpconv: () => {
      shadowConfig(tree, context);
      return 0;
    },
    passwd,
    pwck: nothing,
    pwconv: () => {
      shadowConfig(tree, context);
      return 0;
    },
    shadowconfig: (call) => {
      if (call.args[0] === 'on') shadowConfig(tree, context);
      return 0;
    },
    'update-passwd': nothing,
    useradd,
    userdel: remove,
    usermod,
  };
}
