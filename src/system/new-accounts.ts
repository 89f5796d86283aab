import type { Tree } from '../tree/tree.ts';
import { Accounts, type Group, type User } from './accounts.ts';
import { type ConfigureContext, ensureDirectory, made } from './context.ts';
import { copySkeleton, makeMailbox } from './homes.ts';
import { LoginDefs } from './login-defs.ts';
import { passwordAges } from './password-ages.ts';

/** Creating users and groups: the parts that useradd(8), groupadd(8), adduser(8) and addgroup(8) have in common. */

const NOGROUP = 65534;
const NOLOGIN = '/usr/sbin/nologin';
/** Home of users that have none. */
export const NO_HOME = '/nonexistent';

/** How a tool allocates ids. */
export interface IdAllocation {
  /** The id of a new user; undefined when none is free. */
  user(accounts: Accounts): number | undefined;
  /** The id of a new group, undefined when none is free; `uid` is that of the user it is made for. */
  group(accounts: Accounts, uid?: number): number | undefined;
}

/** useradd and groupadd: system ids downwards, others upwards, the user's own id for its group if that is free. */
export function shadowIds(system: boolean): IdAllocation {
  return {
    user: (accounts) => accounts.shadowId('user', system),
    group: (accounts, uid) => accounts.shadowId('group', system, uid),
  };
}

/** `adduser --system` before 3.157: the first free ids, user and group independently. */
export const ADDUSER_SYSTEM_IDS: IdAllocation = {
  user: (accounts) => accounts.firstFree('user'),
  group: (accounts) => accounts.firstFree('group'),
};

/**
 * `adduser --system` of the tree. Since 3.157 (Debian 14) a user with a group of its own has one id for both, and another one that
 * of its group where no user has it.
 */
function systemIds(tree: Tree, group: PrimaryGroup): IdAllocation {
  const text = tree.text('usr/sbin/adduser') ?? '';
  if (group === 'own') {
    if (!text.includes('sys uidgid=')) return ADDUSER_SYSTEM_IDS;
    return {
      user: (accounts) => accounts.firstFreeId(),
      group: (accounts, uid) =>
        uid !== undefined && accounts.isFree('group', uid) ? uid : accounts.firstFree('group'),
    };
  }
  if (!text.includes('preferred_uid')) return ADDUSER_SYSTEM_IDS;
  return {
    ...ADDUSER_SYSTEM_IDS,
    user(accounts) {
      const gid = 'gid' in group ? group.gid : accounts.group(group.name)?.gid;
      return gid !== undefined && accounts.isFree('user', gid) ? gid : accounts.firstFree('user');
    },
  };
}

/** The primary group of a new user: one of the same name, another by name or number, or the tool's default. */
export type PrimaryGroup = 'own' | { readonly name: string } | { readonly gid: number };

/** A user to create. */
export interface NewUser {
  readonly name: string;
  /** Allocated by `ids` if left out. */
  readonly uid?: number;
  readonly ids: IdAllocation;
  readonly group: PrimaryGroup;
  /** The password in the line of a group of its own where there is no gshadow: `x`, as groupadd writes it, by default. */
  readonly groupPassword?: string;
  /** Further groups by name; unknown ones are ignored. */
  readonly groups?: readonly string[];
  readonly gecos?: string;
  readonly home: string;
  /** Mode of the home directory to create, and the folder whose files are copied into it. */
  readonly createHome?: { readonly mode: number; readonly skeleton?: string };
  readonly shell: string;
  /** Password hash; `!`, for none, by default. */
  readonly password?: string;
  /** Minimum, maximum and warning days of the password's age; empty by default. */
  readonly aging?: readonly [string, string, string];
  /** Days after which an expired password disables the account, and the day since 1970 on which the account expires. */
  readonly inactive?: string;
  readonly expires?: string;
}

/**
 * Creates a user with its group and home directory. Does nothing when the user exists. Undefined, and nothing
 * changed, when no id is free.
 */
export function createUser(tree: Tree, context: ConfigureContext, request: NewUser): User | undefined {
  const accounts = new Accounts(tree, context);
  const present = accounts.user(request.name);
  if (present !== undefined) return present;
  const { name, gecos = '', home, shell, createHome } = request;
  const uid = request.uid ?? request.ids.user(accounts);
  const gid = uid === undefined ? undefined : primaryGroup(accounts, request, uid);
  if (uid === undefined || gid === undefined) return undefined;
  const user = accounts.addUser({ name, uid, gid, gecos, home, shell }, request.password ?? '!', {
    aging: request.aging,
    inactive: request.inactive,
    expires: request.expires,
  });
  for (const group of request.groups ?? []) {
    const found = accounts.group(group);
    if (found !== undefined) accounts.addMember(name, found);
  }
  accounts.save();
  if (createHome !== undefined && !tree.has(home)) {
    ensureDirectory(tree, context, home, made(context, createHome.mode, uid, gid));
    const { skeleton } = createHome;
    if (skeleton !== undefined) copySkeleton(tree, context, skeleton, home, { uid, gid });
  }
  return user;
}

function primaryGroup(
  accounts: Accounts,
  { name, group, groupPassword, ids }: NewUser,
  uid: number,
): number | undefined {
  if (group === 'own') {
    const present = accounts.group(name);
    if (present !== undefined) return present.gid;
    const gid = ids.group(accounts, uid);
    if (gid === undefined) return undefined;
    const added = accounts.addGroup(name, gid, '!');
    if (!accounts.hasGshadow) added.password = groupPassword ?? added.password;
    return gid;
  }
  if ('gid' in group) return group.gid;
  return accounts.group(group.name)?.gid ?? (/^\d{1,10}$/.test(group.name) ? Number(group.name) : NOGROUP);
}

/** Creates a group; `gid` is allocated by `ids` if left out. Does nothing when it exists; undefined when no id is free. */
export function createGroup(
  tree: Tree,
  context: ConfigureContext,
  request: { readonly name: string; readonly gid?: number; readonly ids: IdAllocation; readonly password?: string },
): Group | undefined {
  const accounts = new Accounts(tree, context);
  const present = accounts.group(request.name);
  if (present !== undefined) return present;
  const gid = request.gid ?? request.ids.group(accounts);
  if (gid === undefined) return undefined;
  const group = accounts.addGroup(request.name, gid, request.password ?? '!');
  accounts.save();
  return group;
}

/** Options of `adduser --system`. */
export interface SystemUser {
  readonly name: string;
  /** nogroup by default. */
  readonly group?: PrimaryGroup;
  readonly uid?: number;
  readonly home?: string;
  readonly createHome?: boolean;
  readonly shell?: string;
  readonly gecos?: string;
}

/** `adduser --system`: ids from 100 upwards. Does nothing when the user exists. */
export function addSystemUser(tree: Tree, context: ConfigureContext, request: SystemUser): User | undefined {
  const { name, uid, group = { gid: NOGROUP }, home = NO_HOME, createHome = true, shell = NOLOGIN, gecos } = request;
  return createUser(tree, context, {
    ...{ name, group, home, shell, ids: systemIds(tree, group) },
    ...(uid === undefined ? {} : { uid }),
    // adduser before 3.130 filled the four parts of the GECOS field with commas
    ...(gecos === undefined ? {} : { gecos: gecos + (filledGecos(tree) ? ',,,' : '') }),
    ...(createHome && home !== NO_HOME ? { createHome: { mode: 0o755 } } : {}),
  });
}

/** True when the tree's adduser is one that appends commas to GECOS. */
function filledGecos(tree: Tree): boolean {
  const text = tree.text('usr/sbin/adduser');
  return text !== undefined && !text.includes("'comment:s'");
}

/** `adduser USER GROUP`: false when either is unknown. */
export function addToGroup(tree: Tree, context: ConfigureContext, user: string, group: string): boolean {
  const accounts = new Accounts(tree, context);
  const found = accounts.group(group);
  if (found === undefined || accounts.user(user) === undefined) return false;
  accounts.addMember(user, found);
  accounts.save();
  return true;
}

/** Options of `useradd`. */
export interface UserAdd {
  readonly name: string;
  readonly system?: boolean;
  readonly uid?: number;
  /** A group of the same name by default; `users` for the default group of all users. */
  readonly group?: PrimaryGroup | 'users';
  readonly groups?: readonly string[];
  readonly home?: string;
  /** Create the home directory with the files of `skeleton`, /etc/skel by default. */
  readonly createHome?: boolean;
  readonly skeleton?: string;
  readonly shell?: string;
  readonly gecos?: string;
  readonly password?: string;
  readonly inactive?: string;
  readonly expires?: string;
}

/** `useradd`: system ids from 999 downwards, others from 1000 upwards, in the ranges of login.defs. */
export function userAdd(tree: Tree, context: ConfigureContext, request: UserAdd): User | undefined {
  const { name, system = false, group = 'own', home = `/home/${name}`, createHome, skeleton, ...rest } = request;
  const defs = new LoginDefs(tree);
  const user = createUser(tree, context, {
    ...rest,
    ...{ name, home, ids: shadowIds(system), groupPassword: '!' },
    group: group === 'users' ? { gid: new Accounts(tree, context).group('users')?.gid ?? 100 } : group,
    shell: request.shell ?? (system ? '/bin/sh' : '/bin/bash'),
    ...(createHome ? { createHome: { mode: defs.number('HOME_MODE', 0o700), skeleton: skeleton ?? 'etc/skel' } } : {}),
    ...(system ? {} : { aging: passwordAges(tree) }),
  });
  if (user !== undefined && !system) makeMailbox(tree, context, user);
  return user;
}
