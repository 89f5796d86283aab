import type { Call, Command, Options } from '../../shell/command.ts';
import type { Tree } from '../../tree/tree.ts';
import { Accounts, type Group, shadowConfig, type User } from '../accounts.ts';
import { giveHome, giveMailbox, mailboxOf } from '../homes.ts';
import { LoginDefs } from '../login-defs.ts';
import { createGroup, type PrimaryGroup, shadowIds, userAdd } from '../new-accounts.ts';
import { type CommandTable, type GuestWorld, idIn, nothing, ROOT, ROOT_OR_PREFIX, withOptions } from './binding.ts';

/** The tools of the shadow suite that create and change accounts: useradd(8), groupadd(8), usermod(8), … */
export function shadowCommands(world: GuestWorld): CommandTable {
  const convert = withOptions(
    'R:',
    'root=',
    () => {
      shadowConfig(world.tree, world.context);
      return 0;
    },
    ROOT,
  );
  return {
    chage: chage(world),
    chfn: chfn(world),
    chsh: chsh(world),
    gpasswd: gpasswd(world),
    groupadd: groupadd(world),
    groupdel: groupdel(world),
    groupmod: groupmod(world),
    // they check and report, and change nothing
    grpck: nothing,
    pwck: nothing,
    grpconv: convert,
    pwconv: convert,
    passwd: passwd(world),
    useradd: useradd(world),
    userdel: userdel(world),
    usermod: usermod(world),
  };
}

/** Days since 1970 of a date `YYYY-MM-DD` or a number of days; empty for none, undefined when it is neither. */
function daysIn(text: string): string | undefined {
  if (text === '' || text === '-1') return '';
  if (/^\d{1,9}$/.test(text)) return text;
  const date = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (date === null) return undefined;
  return String(Math.floor(Date.UTC(Number(date[1]), Number(date[2]) - 1, Number(date[3])) / 86_400_000));
}

function primaryGroupOf(given: Options): PrimaryGroup | 'users' | undefined {
  const group = given.last('g', 'gid');
  if (group !== undefined) return { name: group };
  return given.has('N', 'no-user-group') ? 'users' : undefined;
}

function useradd({ tree, context }: GuestWorld): Command {
  const run = (call: Call, given: Options): number => {
    const name = given.operands[0];
    if (name === undefined) return call.fail('usage: useradd [options] LOGIN', 2);
    const accounts = new Accounts(tree, context);
    if (accounts.user(name) !== undefined) return call.fail(`user '${name}' already exists`, 9);
    const group = given.last('g', 'gid');
    if (group !== undefined && findGroup(accounts, group) === undefined)
      return call.fail(`group '${group}' does not exist`, 6);
    if (group === undefined && !given.has('N', 'no-user-group') && accounts.group(name) !== undefined)
      return call.fail(`group ${name} exists - if you want to add this user to that group, use -g.`, 9);
    const requested = given.last('u', 'uid');
    const uid = idIn(requested);
    if (requested !== undefined && uid === undefined) return call.fail(`invalid user ID '${requested}'`, 3);
    if (uid !== undefined && accounts.userById(uid) !== undefined && !given.has('o', 'non-unique'))
      return call.fail(`UID ${uid} is not unique`, 4);
    const expires = daysIn(given.last('e', 'expiredate') ?? '');
    if (expires === undefined) return call.fail(`invalid date '${given.last('e', 'expiredate')}'`, 3);
    const base = given.last('b', 'base-dir');
    const primary = primaryGroupOf(given);
    const optional = {
      home: given.last('d', 'home-dir', 'home') ?? (base === undefined ? undefined : `${base}/${name}`),
      shell: given.last('s', 'shell') ?? /^SHELL=(.+)$/m.exec(tree.text('etc/default/useradd') ?? '')?.[1],
      gecos: given.last('c', 'comment'),
      groups: given.last('G', 'groups')?.split(','),
      skeleton: given.last('k', 'skel'),
      password: given.last('p', 'password'),
      inactive: given.last('f', 'inactive')?.replace(/^-1$/, ''),
    };
    const user = userAdd(tree, context, {
      ...{
        name,
        expires,
        system: given.has('r', 'system'),
        createHome: given.has('m', 'create-home') || (!given.has('M', 'no-create-home') && makesHomes(tree, given)),
      },
      ...(uid === undefined ? {} : { uid }),
      ...(primary === undefined ? {} : { group: primary }),
      ...withoutUndefined(optional),
    });
    return user === undefined ? call.fail('no more available UIDs', 4) : 0;
  };
  // the databases of logins are those of a running system
  const harmless = 'no-log-init no-create-home user-group badname badnames';
  return withOptions(
    'b:c:d:e:f:g:G:k:lmMNop:rR:P:s:u:U',
    `base-dir= comment= home-dir= home= expiredate= inactive= gid= groups= skel= create-home no-user-group non-unique password= system root= prefix= shell= uid= ${harmless}`,
    run,
    ROOT_OR_PREFIX,
  );
}

/** True where login.defs says that users get a home without asking for one; those of the system do not. */
function makesHomes(tree: Tree, given: Options): boolean {
  return !given.has('r', 'system') && new LoginDefs(tree).yes('CREATE_HOME', false);
}

/** The properties that are not undefined. */
function withoutUndefined<T extends object>(properties: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function findGroup(accounts: Accounts, group: string): Group | undefined {
  const id = idIn(group);
  return accounts.group(group) ?? (id === undefined ? undefined : accounts.groupById(id));
}

function groupadd({ tree, context }: GuestWorld): Command {
  const run = (call: Call, given: Options): number => {
    const name = given.operands[0];
    if (name === undefined) return call.fail('usage: groupadd [options] GROUP', 2);
    const accounts = new Accounts(tree, context);
    if (accounts.group(name) !== undefined)
      return given.has('f', 'force') ? 0 : call.fail(`group '${name}' already exists`, 9);
    const requested = given.last('g', 'gid');
    const id = idIn(requested);
    if (requested !== undefined && id === undefined) return call.fail(`invalid group ID '${requested}'`, 3);
    const taken = id !== undefined && accounts.groupById(id) !== undefined && !given.has('o', 'non-unique');
    if (taken && !given.has('f', 'force')) return call.fail(`GID '${id}' already exists`, 4);
    const password = given.last('p', 'password');
    const group = createGroup(tree, context, {
      name,
      ids: shadowIds(given.has('r', 'system')),
      // -f chooses another id instead of one that is in use
      ...(id === undefined || taken ? {} : { gid: id }),
      ...(password === undefined ? {} : { password }),
    });
    return group === undefined ? call.fail('no more available GIDs', 4) : 0;
  };
  return withOptions('fg:op:rR:P:', 'force gid= non-unique password= system root= prefix=', run, ROOT_OR_PREFIX);
}

function groupmod({ tree, context }: GuestWorld): Command {
  const run = (call: Call, given: Options): number => {
    const name = given.operands[0];
    if (name === undefined) return call.fail('usage: groupmod [options] GROUP', 2);
    const accounts = new Accounts(tree, context);
    const group = accounts.group(name);
    if (group === undefined) return call.fail(`group '${name}' does not exist`, 6);
    const requested = given.last('g', 'gid');
    const id = idIn(requested);
    if (requested !== undefined && id === undefined) return call.fail(`invalid group ID '${requested}'`, 3);
    const other = id === undefined || id === group.gid ? undefined : accounts.groupById(id);
    if (other !== undefined && !given.has('o', 'non-unique')) return call.fail(`GID '${id}' already exists`, 4);
    const renamed = given.last('n', 'new-name');
    if (renamed !== undefined && renamed !== name && accounts.group(renamed) !== undefined)
      return call.fail(`group '${renamed}' already exists`, 9);
    if (id !== undefined) accounts.setGid(group, id);
    if (renamed !== undefined) accounts.renameGroup(group, renamed);
    accounts.save();
    return 0;
  };
  return withOptions('g:n:oR:P:', 'gid= new-name= non-unique root= prefix=', run, ROOT_OR_PREFIX);
}

/** Changes one account and saves; an account that is missing is an error (usermod: 6, the others: 1). */
function change(
  { tree, context }: GuestWorld,
  call: Call,
  name: string | undefined,
  edit: (accounts: Accounts, user: User) => number,
): number {
  const accounts = new Accounts(tree, context);
  const user = name === undefined ? undefined : accounts.user(name);
  if (user === undefined) return call.fail(`user '${name ?? ''}' does not exist`, call.name === 'usermod' ? 6 : 1);
  const status = edit(accounts, user);
  if (status === 0) accounts.save();
  return status;
}

/** Locks a password with an exclamation mark. */
function lock(accounts: Accounts, { name }: User): void {
  const password = accounts.password(name) ?? '';
  if (!password.startsWith('!')) accounts.setPassword(name, `!${password}`);
}

/** Unlocks a password; false when no password would be left. */
function unlock(accounts: Accounts, { name }: User): boolean {
  const password = accounts.password(name) ?? '';
  if (password === '!') return false;
  accounts.setPassword(name, password.replace(/^!/, ''));
  return true;
}

function usermod(world: GuestWorld): Command {
  const run = (call: Call, given: Options): number =>
    change(world, call, given.operands[0], (accounts, user) => {
      const group = given.last('g', 'gid');
      const primary = group === undefined ? undefined : findGroup(accounts, group);
      if (group !== undefined && primary === undefined) return call.fail(`group '${group}' does not exist`, 6);
      const expires = daysIn(given.last('e', 'expiredate') ?? '');
      if (expires === undefined) return call.fail(`invalid date '${given.last('e', 'expiredate')}'`, 3);
      const login = given.last('l', 'login');
      if (login !== undefined && accounts.user(login) !== undefined)
        return call.fail(`user '${login}' already exists`, 9);
      const groups = given.last('G', 'groups');
      if (groups !== undefined) {
        const names = groups.split(',').filter((one) => one !== '');
        const missing = names.find((one) => findGroup(accounts, one) === undefined);
        if (missing !== undefined) return call.fail(`group '${missing}' does not exist`, 6);
        changeMemberships(accounts, user, names, given);
      }
      const requested = given.last('u', 'uid');
      const uid = idIn(requested);
      if (requested !== undefined && uid === undefined) return call.fail(`invalid user ID '${requested}'`, 3);
      if (uid !== undefined && (accounts.userById(uid) ?? user) !== user && !given.has('o', 'non-unique'))
        return call.fail(`UID '${uid}' already exists`, 4);
      const before = { uid: user.uid, gid: user.gid };
      user.uid = uid ?? user.uid;
      user.gid = primary?.gid ?? user.gid;
      giveMailbox(world.tree, user, login ?? user.name, before.uid);
      giveHome(world.tree, given.last('d', 'home') ?? user.home, before, user);
      user.gecos = given.last('c', 'comment') ?? user.gecos;
      user.home = given.last('d', 'home') ?? user.home;
      user.shell = given.last('s', 'shell') ?? user.shell;
      const password = given.last('p', 'password');
      if (password !== undefined) accounts.setPassword(user.name, password);
      if (given.has('L', 'lock')) lock(accounts, user);
      if (given.has('U', 'unlock') && !unlock(accounts, user))
        call.complain("unlocking the user's password would result in a passwordless account.");
      if (given.has('e', 'expiredate')) accounts.setShadow(user.name, 'expires', expires);
      const inactive = given.last('f', 'inactive');
      if (inactive !== undefined) accounts.setShadow(user.name, 'inactive', inactive.replace(/^-1$/, ''));
      if (login !== undefined) accounts.renameUser(user, login);
      return 0;
    });
  return withOptions(
    'ac:d:e:f:g:G:l:Lop:rR:P:s:u:U',
    'append comment= home= expiredate= inactive= gid= groups= login= lock non-unique password= remove root= prefix= shell= uid= unlock badname badnames',
    run,
    ROOT_OR_PREFIX,
  );
}

/** `usermod -G`: the groups listed become the only ones; with -a they are added, with -r removed. */
function changeMemberships(accounts: Accounts, user: User, names: readonly string[], given: Options): void {
  const listed = names.map((name) => findGroup(accounts, name)!);
  if (given.has('r', 'remove')) {
    for (const group of listed) accounts.removeMember(user.name, group);
    return;
  }
  if (!given.has('a', 'append'))
    for (const group of accounts.groups) if (!listed.includes(group)) accounts.removeMember(user.name, group);
  for (const group of listed) accounts.addMember(user.name, group);
}

/** Options of a number of days, by field of /etc/shadow. */
type DayOptions = Readonly<Record<'least' | 'most' | 'warning' | 'inactive', readonly [short: string, long: string]>>;

function setDays(accounts: Accounts, user: User, given: Options, names: DayOptions): void {
  for (const [field, [short, long]] of Object.entries(names) as [keyof DayOptions, readonly [string, string]][]) {
    const days = given.last(short, long);
    if (days !== undefined) accounts.setShadow(user.name, field, days.replace(/^-1$/, ''));
  }
}

function passwd(world: GuestWorld): Command {
  const run = (call: Call, given: Options): number => {
    if (given.values.size === 0) return call.shell.unknown(`${call.name} without options`);
    return change(world, call, given.operands[0] ?? 'root', (accounts, user) => {
      if (given.has('l', 'lock')) lock(accounts, user);
      if (given.has('u', 'unlock') && !unlock(accounts, user))
        return call.fail('unlocking the password would result in a passwordless account.', 3);
      if (given.has('d', 'delete')) accounts.setPassword(user.name, '');
      if (given.has('e', 'expire')) accounts.setShadow(user.name, 'changed', '0');
      setDays(accounts, user, given, {
        least: ['n', 'mindays'],
        most: ['x', 'maxdays'],
        warning: ['w', 'warndays'],
        inactive: ['i', 'inactive'],
      });
      return 0;
    });
  };
  return withOptions(
    'dei:ln:qR:uw:x:',
    'delete expire inactive= lock mindays= quiet unlock maxdays= warndays= root=',
    run,
    ROOT,
  );
}

function chage(world: GuestWorld): Command {
  const run = (call: Call, given: Options): number =>
    change(world, call, given.operands[0], (accounts, user) => {
      for (const [field, short, long] of [
        ['changed', 'd', 'lastday'],
        ['expires', 'E', 'expiredate'],
      ] as const) {
        const text = given.last(short, long);
        const days = text === undefined ? undefined : daysIn(text);
        if (text !== undefined && days === undefined) return call.fail(`invalid date '${text}'`, 2);
        if (days !== undefined) accounts.setShadow(user.name, field, days);
      }
      setDays(accounts, user, given, {
        least: ['m', 'mindays'],
        most: ['M', 'maxdays'],
        warning: ['W', 'warndays'],
        inactive: ['I', 'inactive'],
      });
      return 0;
    });
  return withOptions(
    'd:E:I:m:M:R:W:',
    'lastday= expiredate= inactive= mindays= maxdays= warndays= root=',
    (call, given) => (given.values.size === 0 ? call.shell.unknown(`${call.name} without options`) : run(call, given)),
    ROOT,
  );
}

function gpasswd({ tree, context }: GuestWorld): Command {
  const run = (call: Call, given: Options): number => {
    const accounts = new Accounts(tree, context);
    const name = given.operands[0] ?? '';
    const group = accounts.group(name);
    if (group === undefined) return call.fail(`group '${name}' does not exist in /etc/group`, 3);
    if (given.values.size === 0) return call.shell.unknown(`${call.name} without options`);
    const member = given.last('a', 'add');
    const former = given.last('d', 'delete');
    const listed = (text: string | undefined) => text?.split(',').filter((one) => one !== '');
    const all = listed(given.last('M', 'members'));
    const administrators = listed(given.last('A', 'administrators'));
    for (const user of [...(member === undefined ? [] : [member]), ...(all ?? []), ...(administrators ?? [])])
      if (accounts.user(user) === undefined) return call.fail(`user '${user}' does not exist`, 3);
    if (former !== undefined && !group.members.includes(former))
      return call.fail(`user '${former}' is not a member of '${name}'`, 3);
    if (administrators !== undefined && !accounts.setAdministrators(group, administrators))
      return call.fail('shadow group passwords required for -A', 2);
    if (all !== undefined) for (const user of [...group.members]) accounts.removeMember(user, group);
    for (const user of [...(member === undefined ? [] : [member]), ...(all ?? [])]) accounts.addMember(user, group);
    if (former !== undefined) accounts.removeMember(former, group);
    accounts.save();
    return 0;
  };
  return withOptions('a:A:d:M:Q:', 'add= administrators= delete= members= root=', run, { Q: '/', root: '/' });
}

/**
 * Removes a user, and its own group unless that has other members or is another user's primary group; with
 * `home` its home directory and mail, if they belong to it.
 */
export function removeAccount({ tree, context }: GuestWorld, user: User, home: boolean): void {
  const accounts = new Accounts(tree, context);
  const own = accounts.group(user.name);
  accounts.removeUser(user.name);
  if (
    own !== undefined &&
    own.gid === user.gid &&
    own.members.length === 0 &&
    !accounts.users.some((one) => one.gid === user.gid)
  )
    accounts.removeGroup(user.name);
  accounts.save(true);
  if (home)
    for (const path of [user.home, mailboxOf(tree, user.name)])
      if (tree.stat(path)?.uid === user.uid && path.replace(/\/+/g, '') !== '') tree.remove(path);
}

function userdel(world: GuestWorld): Command {
  const run = (call: Call, given: Options): number => {
    const name = given.operands[0] ?? '';
    const user = new Accounts(world.tree, world.context).user(name);
    if (user === undefined) return call.fail(`user '${name}' does not exist`, 6);
    removeAccount(world, user, given.has('r', 'remove'));
    return 0;
  };
  return withOptions('frR:P:', 'force remove root= prefix=', run, ROOT_OR_PREFIX);
}

/** Why a group cannot be removed: it is a user's primary one. */
export function primaryOf(accounts: Accounts, group: Group): User | undefined {
  return accounts.users.find((user) => user.gid === group.gid);
}

function groupdel({ tree, context }: GuestWorld): Command {
  const run = (call: Call, given: Options): number => {
    const accounts = new Accounts(tree, context);
    const name = given.operands[0] ?? '';
    const group = accounts.group(name);
    if (group === undefined) return call.fail(`group '${name}' does not exist`, 6);
    const user = primaryOf(accounts, group);
    if (user !== undefined && !given.has('f', 'force'))
      return call.fail(`cannot remove the primary group of user '${user.name}'`, 8);
    accounts.removeGroup(name);
    accounts.save(true);
    return 0;
  };
  return withOptions('fR:P:', 'force root= prefix=', run, ROOT_OR_PREFIX);
}

function chsh(world: GuestWorld): Command {
  const run = (call: Call, given: Options): number => {
    const shell = given.last('s', 'shell');
    if (shell === undefined) return call.shell.unknown(`${call.name} without a shell`);
    return change(world, call, given.operands[0] ?? 'root', (_, user) => {
      user.shell = shell;
      return 0;
    });
  };
  return withOptions('s:R:', 'shell= root=', run, ROOT);
}

/** Parts of the GECOS field in order, by option of chfn. */
const GECOS_PARTS = [
  ['f', 'full-name'],
  ['r', 'room'],
  ['w', 'work-phone'],
  ['h', 'home-phone'],
  ['o', 'other'],
] as const;

function chfn(world: GuestWorld): Command {
  const run = (call: Call, given: Options): number =>
    change(world, call, given.operands[0] ?? 'root', (_, user) => {
      const parts = user.gecos.split(',');
      for (const [i, names] of GECOS_PARTS.entries()) {
        const value = given.last(...names);
        if (value === undefined) continue;
        while (parts.length <= i) parts.push('');
        parts[i] = value;
      }
      user.gecos = parts.join(',');
      return 0;
    });
  return withOptions(
    'f:h:o:r:w:R:',
    'full-name= home-phone= other= room= work-phone= root=',
    (call, given) => (given.values.size === 0 ? call.shell.unknown(`${call.name} without options`) : run(call, given)),
    ROOT,
  );
}
