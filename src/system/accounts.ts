import type { Inode } from '../tree/inode.ts';
import type { Tree } from '../tree/tree.ts';
import { type ConfigureContext, copyIfAbsent, ensureDirectory, lines, made, putText } from './context.ts';

/** A line of /etc/passwd: passwd(5). */
export interface User {
  readonly name: string;
  password: string;
  readonly uid: number;
  gid: number;
  gecos: string;
  home: string;
  shell: string;
}

/** A line of /etc/group: group(5). */
export interface Group {
  readonly name: string;
  password: string;
  readonly gid: number;
  members: string[];
}

/** Ids that the Debian policy reserves for dynamically allocated system accounts. */
export const SYSTEM_IDS = { first: 100, last: 999 } as const;
const NOGROUP = 65534;
const SHADOW_GROUP = 42;
const NOLOGIN = '/usr/sbin/nologin';
const SECONDS_A_DAY = 86400;

/**
 * The four account files of a tree. Lines that are not accounts are kept unchanged; additions are appended, as the
 * real tools do.
 */
export class Accounts {
  readonly users: User[] = [];
  readonly groups: Group[] = [];
  private readonly shadow: string[][];
  private readonly gshadow: string[][];
  private readonly hasShadow: boolean;
  private readonly hasGshadow: boolean;
  private readonly tree: Tree;
  private readonly context: ConfigureContext;

  constructor(tree: Tree, context: ConfigureContext) {
    this.tree = tree;
    this.context = context;
    for (const [name, password, uid, gid, gecos, home, shell] of fields(tree, 'etc/passwd', 7))
      this.users.push({
        name: name!,
        password: password!,
        uid: Number(uid),
        gid: Number(gid),
        gecos: gecos!,
        home: home!,
        shell: shell!,
      });
    for (const [name, password, gid, members] of fields(tree, 'etc/group', 4))
      this.groups.push({
        name: name!,
        password: password!,
        gid: Number(gid),
        members: members!.split(',').filter((m) => m !== ''),
      });
    this.hasShadow = tree.has('etc/shadow');
    this.hasGshadow = tree.has('etc/gshadow');
    this.shadow = fields(tree, 'etc/shadow', 9);
    this.gshadow = fields(tree, 'etc/gshadow', 4);
  }

  user(name: string): User | undefined {
    return this.users.find((user) => user.name === name);
  }

  group(name: string): Group | undefined {
    return this.groups.find((group) => group.name === name);
  }

  userById(uid: number): User | undefined {
    return this.users.find((user) => user.uid === uid);
  }

  groupById(gid: number): Group | undefined {
    return this.groups.find((group) => group.gid === gid);
  }

  /** The lowest free user id, as adduser allocates them. */
  firstFreeUid(first: number = SYSTEM_IDS.first, last: number = SYSTEM_IDS.last): number {
    const taken = new Set(this.users.map((user) => user.uid));
    for (let id = first; id <= last; id++) if (!taken.has(id)) return id;
    throw new RangeError(`no user id is free between ${first} and ${last}`);
  }

  /** The lowest free group id, as adduser allocates them. */
  firstFreeGid(first: number = SYSTEM_IDS.first, last: number = SYSTEM_IDS.last): number {
    const taken = new Set(this.groups.map((group) => group.gid));
    for (let id = first; id <= last; id++) if (!taken.has(id)) return id;
    throw new RangeError(`no group id is free between ${first} and ${last}`);
  }

  /** The highest system id free as user and as group, as systemd-sysusers allocates them. */
  lastFreeId(): number {
    const taken = new Set([...this.users.map((user) => user.uid), ...this.groups.map((group) => group.gid)]);
    for (let id: number = SYSTEM_IDS.last; id >= SYSTEM_IDS.first; id--) if (!taken.has(id)) return id;
    throw new RangeError('no system id is free');
  }

  /**
   * The id that useradd and groupadd take: below the lowest system id in use, or above the highest of the others;
   * when that range is full, the first free id from the other end. `preferred` is used first, if it is free.
   */
  shadowId(of: 'user' | 'group', system: boolean, preferred?: number): number {
    const [first, last] = system ? [SYSTEM_IDS.first + 1, SYSTEM_IDS.last] : [1000, 60000];
    const taken = new Set(of === 'user' ? this.users.map((user) => user.uid) : this.groups.map((group) => group.gid));
    if (preferred !== undefined && preferred >= first && preferred <= last && !taken.has(preferred)) return preferred;
    const used = [...taken].filter((id) => id >= first && id <= last);
    const next = system ? Math.min(last + 1, ...used) - 1 : Math.max(first - 1, ...used) + 1;
    if (next >= first && next <= last) return next;
    for (let i = 0; i <= last - first; i++) {
      const id = system ? last - i : first + i;
      if (!taken.has(id)) return id;
    }
    throw new RangeError(`no ${of} id is free`);
  }

  /** Adds a group; `shadowPassword` goes to gshadow (`!` from adduser, `!*` from systemd-sysusers). */
  addGroup(name: string, gid: number, shadowPassword: string): Group {
    const group: Group = { name, password: 'x', gid, members: [] };
    this.groups.push(group);
    this.gshadow.push([name, shadowPassword, '', '']);
    return group;
  }

  /** Adds a user; `expires` is the account's expiry in days, empty for never. */
  addUser(user: Omit<User, 'password'>, shadowPassword: string, expires = '', aging = ['', '', '']): User {
    const added: User = { ...user, password: 'x' };
    this.users.push(added);
    this.shadow.push([user.name, shadowPassword, String(this.today()), ...aging, '', expires, '']);
    return added;
  }

  /** Adds a user to a group; does nothing if the user is already a member. */
  addMember(user: string, group: Group): void {
    if (!group.members.includes(user)) group.members.push(user);
    const entry = this.gshadow.find(([name]) => name === group.name);
    if (entry === undefined) return;
    const members = entry[3]!.split(',').filter((m) => m !== '');
    if (!members.includes(user)) entry[3] = [...members, user].join(',');
  }

  /** Replaces a user's password field in shadow (or passwd, before shadow passwords are on). */
  setPassword(name: string, crypted: string): void {
    const entry = this.shadow.find(([n]) => n === name);
    if (entry !== undefined) entry[1] = crypted;
    else if (this.user(name) !== undefined) this.user(name)!.password = crypted;
  }

  /** The password field of a user, from shadow or passwd. */
  password(name: string): string | undefined {
    return this.shadow.find(([n]) => n === name)?.[1] ?? this.user(name)?.password;
  }

  /** Sets when an account expires, in days since 1970; empty for never. */
  setExpiry(name: string, days: string): void {
    const entry = this.shadow.find(([n]) => n === name);
    if (entry !== undefined) entry[7] = days;
  }

  /** Removes a user with its shadow entry and memberships. */
  removeUser(name: string): void {
    removeWhere(this.users, (user) => user.name === name);
    removeWhere(this.shadow, ([n]) => n === name);
    for (const group of this.groups) group.members = group.members.filter((member) => member !== name);
    for (const entry of this.gshadow)
      entry[3] = entry[3]!
        .split(',')
        .filter((member) => member !== '' && member !== name)
        .join(',');
  }

  /** Removes a group with its gshadow entry. */
  removeGroup(name: string): void {
    removeWhere(this.groups, (group) => group.name === name);
    removeWhere(this.gshadow, ([n]) => n === name);
  }

  /** Turns shadow passwords on (`pwconv`, `grpconv`): moves passwords over and adds the entries that are missing. */
  convertToShadow(): void {
    for (const user of this.users) {
      if (this.shadow.some(([name]) => name === user.name)) {
        user.password = 'x';
        continue;
      }
      // the aging defaults of Debian's login.defs
      this.shadow.push([user.name, user.password, String(this.today()), '0', '99999', '7', '', '', '']);
      user.password = 'x';
    }
    for (const group of this.groups) {
      if (!this.gshadow.some(([name]) => name === group.name))
        this.gshadow.push([group.name, group.password, '', group.members.join(',')]);
      group.password = 'x';
    }
    this.save(true);
  }

  /** Days since 1970 at the epoch of the build. */
  private today(): number {
    return Math.floor(this.context.epoch / SECONDS_A_DAY);
  }

  /** Writes the files back. shadow and gshadow are written when they exist, or when `shadow` asks for them. */
  save(shadow = false): void {
    const { tree, context } = this;
    putText(
      tree,
      context,
      'etc/passwd',
      this.users.map((u) => `${[u.name, u.password, u.uid, u.gid, u.gecos, u.home, u.shell].join(':')}\n`).join(''),
    );
    putText(
      tree,
      context,
      'etc/group',
      this.groups.map((g) => `${[g.name, g.password, g.gid, g.members.join(',')].join(':')}\n`).join(''),
    );
    for (const [path, entries, present] of [
      ['etc/shadow', this.shadow, this.hasShadow],
      ['etc/gshadow', this.gshadow, this.hasGshadow],
    ] as const) {
      if (!present && !shadow) continue;
      putText(tree, context, path, entries.map((entry) => `${entry.join(':')}\n`).join(''), 0o640);
      const file = tree.file(path)!;
      file.uid = 0;
      file.gid = this.group('shadow')?.gid ?? SHADOW_GROUP;
      delete file.user;
      delete file.group;
    }
  }
}

function removeWhere<T>(from: T[], matches: (item: T) => boolean): void {
  for (let i = from.length - 1; i >= 0; i--) if (matches(from[i]!)) from.splice(i, 1);
}

function fields(tree: Tree, path: string, count: number): string[][] {
  return lines(tree.text(path) ?? '')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const parts = line.split(':');
      while (parts.length < count) parts.push('');
      return parts.slice(0, count);
    });
}

/** /etc/passwd and /etc/group from base-passwd's masters. */
export function installBaseAccounts(tree: Tree, context: ConfigureContext): void {
  for (const [from, to] of [
    ['usr/share/base-passwd/passwd.master', 'etc/passwd'],
    ['usr/share/base-passwd/group.master', 'etc/group'],
  ] as const)
    if (!tree.has(to) && tree.has(from)) putText(tree, context, to, tree.text(from)!, 0o644);
}

/** Turns shadow passwords on. */
export function shadowConfig(tree: Tree, context: ConfigureContext): void {
  new Accounts(tree, context).convertToShadow();
}

/** Options of `adduser --system`. */
export interface SystemUser {
  readonly name: string;
  /** `own`: a group of the same name; `{ name }` or `{ gid }`: that group; absent: nogroup. */
  readonly group?: 'own' | { readonly name: string } | { readonly gid: number };
  readonly uid?: number;
  readonly home?: string;
  readonly createHome?: boolean;
  readonly shell?: string;
  readonly gecos?: string;
}

/** `adduser --system`: ids from 100 upwards, user and group chosen separately. Does nothing when the user exists. */
export function addSystemUser(tree: Tree, context: ConfigureContext, request: SystemUser): User {
  const accounts = new Accounts(tree, context);
  const present = accounts.user(request.name);
  if (present !== undefined) return present;
  const uid = request.uid ?? accounts.firstFreeUid();
  let gid = NOGROUP;
  if (request.group === 'own') {
    const group = accounts.group(request.name) ?? accounts.addGroup(request.name, accounts.firstFreeGid(), '!');
    gid = group.gid;
  } else if (request.group !== undefined) {
    gid = 'gid' in request.group ? request.group.gid : (accounts.group(request.group.name)?.gid ?? NOGROUP);
  }
  const home = request.home ?? '/nonexistent';
  const user = accounts.addUser(
    {
      name: request.name,
      uid,
      gid,
      // adduser before 3.130 filled the four parts of the GECOS field with commas
      gecos: (request.gecos ?? '') + (request.gecos !== undefined && filledGecos(tree) ? ',,,' : ''),
      home,
      shell: request.shell ?? NOLOGIN,
    },
    '!',
  );
  accounts.save();
  if (home !== '/nonexistent' && (request.createHome ?? true) && !tree.has(home))
    ensureDirectory(tree, context, home, made(context, 0o755, uid, gid));
  return user;
}

/** True when the tree's adduser is one that appends commas to GECOS. */
function filledGecos(tree: Tree): boolean {
  const text = tree.text('usr/sbin/adduser');
  return text !== undefined && !text.includes("'comment:s'");
}

/** `addgroup --system`: the lowest free id from 100. */
export function addSystemGroup(tree: Tree, context: ConfigureContext, name: string, gid?: number): Group {
  const accounts = new Accounts(tree, context);
  const present = accounts.group(name);
  if (present !== undefined) return present;
  const group = accounts.addGroup(name, gid ?? accounts.firstFreeGid(), '!');
  accounts.save();
  return group;
}

/** `adduser USER GROUP`, `usermod -aG`: false when either is unknown. */
export function addToGroup(tree: Tree, context: ConfigureContext, user: string, group: string): boolean {
  const accounts = new Accounts(tree, context);
  const found = accounts.group(group);
  if (found === undefined || accounts.user(user) === undefined) return false;
  accounts.addMember(user, found);
  accounts.save();
  return true;
}

/** `groupadd`: with `system` the highest free id below 1000, else the lowest from 1000. */
export function groupAdd(
  tree: Tree,
  context: ConfigureContext,
  request: { readonly name: string; readonly gid?: number; readonly system?: boolean },
): Group {
  const accounts = new Accounts(tree, context);
  const present = accounts.group(request.name);
  if (present !== undefined) return present;
  const gid = request.gid ?? accounts.shadowId('group', request.system ?? false);
  const group = accounts.addGroup(request.name, gid, '!');
  accounts.save();
  return group;
}

/** Options of `useradd`. */
export interface UserAdd {
  readonly name: string;
  readonly system?: boolean;
  readonly uid?: number;
  /** Primary group by name or number; absent: a group of the same name. `none`: users (100). */
  readonly group?: string;
  readonly noUserGroup?: boolean;
  readonly groups?: readonly string[];
  readonly home?: string;
  readonly createHome?: boolean;
  readonly shell?: string;
  readonly gecos?: string;
}

/** `useradd`: system ids from 999 downwards, others from 1000 upwards. */
export function userAdd(tree: Tree, context: ConfigureContext, request: UserAdd): User {
  const accounts = new Accounts(tree, context);
  const present = accounts.user(request.name);
  if (present !== undefined) return present;
  const uid = request.uid ?? accounts.shadowId('user', request.system ?? false);
  let gid: number;
  if (request.group !== undefined) {
    gid = accounts.group(request.group)?.gid ?? (/^\d+$/.test(request.group) ? Number(request.group) : NOGROUP);
  } else if (request.noUserGroup) {
    gid = accounts.group('users')?.gid ?? 100;
  } else {
    const id = accounts.shadowId('group', request.system ?? false, uid);
    gid = (accounts.group(request.name) ?? accounts.addGroup(request.name, id, '!')).gid;
  }
  const home = request.home ?? `/home/${request.name}`;
  const user = accounts.addUser(
    {
      name: request.name,
      uid,
      gid,
      gecos: request.gecos ?? '',
      home,
      shell: request.shell ?? (request.system ? '/bin/sh' : '/bin/bash'),
    },
    '!',
    '',
    request.system ? ['', '', ''] : ['0', '99999', '7'],
  );
  for (const name of request.groups ?? []) {
    const group = accounts.group(name);
    if (group !== undefined) accounts.addMember(request.name, group);
  }
  accounts.save();
  if (request.createHome && !tree.has(home)) {
    ensureDirectory(tree, context, home, made(context, 0o700, uid, gid));
    for (const name of tree.list('etc/skel')) copyIfAbsent(tree, context, `etc/skel/${name}`, `${home}/${name}`);
  }
  return user;
}

/**
 * Numbers of an owner written as a name, a number, or `USER:GROUP` in either form; undefined when a name is unknown.
 * An empty part is left unchanged.
 */
export function resolveOwner(
  tree: Tree,
  context: ConfigureContext,
  owner: string,
): { uid?: number; gid?: number } | undefined {
  const accounts = new Accounts(tree, context);
  const [user, group] = owner.split(/[:.]/, 2) as [string, string | undefined];
  const result: { uid?: number; gid?: number } = {};
  if (user !== '') {
    const uid = /^\d+$/.test(user) ? Number(user) : accounts.user(user)?.uid;
    if (uid === undefined) return undefined;
    result.uid = uid;
  }
  if (group !== undefined && group !== '') {
    const gid = /^\d+$/.test(group) ? Number(group) : accounts.group(group)?.gid;
    if (gid === undefined) return undefined;
    result.gid = gid;
  }
  return result;
}

/** Sets an inode's owner by number, dropping the names from its archive. */
export function own(inode: Inode, owner: { readonly uid?: number; readonly gid?: number }): void {
  if (owner.uid !== undefined) {
    inode.uid = owner.uid;
    delete inode.user;
  }
  if (owner.gid !== undefined) {
    inode.gid = owner.gid;
    delete inode.group;
  }
}

/**
 * Makes owners final: a name from the archive takes precedence over its number, as with dpkg; with a name the guest
 * does not know, the number is kept.
 */
export function settleOwners(tree: Tree, context: ConfigureContext): void {
  const accounts = new Accounts(tree, context);
  const uids = new Map(accounts.users.map((user) => [user.name, user.uid]));
  const gids = new Map(accounts.groups.map((group) => [group.name, group.gid]));
  for (const { inode } of tree.walk()) {
    if (inode.user !== undefined) {
      inode.uid = uids.get(inode.user) ?? inode.uid;
      delete inode.user;
    }
    if (inode.group !== undefined) {
      inode.gid = gids.get(inode.group) ?? inode.gid;
      delete inode.group;
    }
  }
}
