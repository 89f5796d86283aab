import type { Tree } from '../tree/tree.ts';
import { type ConfigureContext, lines, putText } from './context.ts';
import { LoginDefs } from './login-defs.ts';
import { type PasswordAges, passwordAges } from './password-ages.ts';

/** A line of /etc/passwd: passwd(5). */
export interface User {
  name: string;
  password: string;
  uid: number;
  gid: number;
  gecos: string;
  home: string;
  shell: string;
}

/** A line of /etc/group: group(5). */
export interface Group {
  name: string;
  password: string;
  gid: number;
  members: string[];
}

/** A range of ids, both ends included. */
export interface IdRange {
  readonly first: number;
  readonly last: number;
}

/** Ids for system accounts that adduser and systemd-sysusers allocate. */
const SYSTEM_IDS: IdRange = { first: 100, last: 999 };
const PASSWD = 'etc/passwd';
const GROUP = 'etc/group';
const SHADOW_GROUP = 42;
const SECONDS_A_DAY = 86400;

/** Fields of /etc/shadow that the tools set: shadow(5). */
const SHADOW_FIELDS = { changed: 2, least: 3, most: 4, warning: 5, inactive: 6, expires: 7 } as const;

/** Fields of /etc/shadow of a new user; empty by default. */
export interface NewShadow {
  /** Minimum, maximum and warning days of the password's age. */
  readonly aging?: readonly [string, string, string] | undefined;
  readonly inactive?: string | undefined;
  /** Days since 1970. */
  readonly expires?: string | undefined;
}

/**
 * The four account files of a tree. Lines that are not accounts are kept unchanged; additions are appended, as the
 * real tools do.
 */
export class Accounts {
  readonly users: User[] = [];
  readonly groups: Group[] = [];
  /** Lines of passwd and group that are not accounts, and the account they follow. */
  private readonly others: {
    readonly path: string;
    readonly after: User | Group | undefined;
    readonly line: string;
  }[] = [];
  private readonly shadow: string[][];
  private readonly gshadow: string[][];
  private readonly hasShadow: boolean;
  /** True where groups have passwords and administrators in a file of their own. */
  readonly hasGshadow: boolean;
  private readonly tree: Tree;
  private readonly context: ConfigureContext;

  constructor(tree: Tree, context: ConfigureContext) {
    this.tree = tree;
    this.context = context;
    for (const row of rowsOf(tree, PASSWD)) {
      const [name, password, uid, gid, gecos, home, shell] = padded(row, 7);
      if (isId(uid) && isId(gid))
        this.users.push({
          name: name!,
          password: password!,
          uid: Number(uid),
          gid: Number(gid),
          gecos: gecos!,
          home: home!,
          shell: shell!,
        });
      else this.others.push({ path: PASSWD, after: this.users.at(-1), line: row });
    }
    for (const row of rowsOf(tree, GROUP)) {
      const [name, password, gid, members] = padded(row, 4);
      if (isId(gid))
        this.groups.push({
          name: name!,
          password: password!,
          gid: Number(gid),
          members: members!.split(',').filter((m) => m !== ''),
        });
      else this.others.push({ path: GROUP, after: this.groups.at(-1), line: row });
    }
    this.hasShadow = tree.has('etc/shadow');
    this.hasGshadow = tree.has('etc/gshadow');
    this.shadow = rowsOf(tree, 'etc/shadow').map((row) => padded(row, 9));
    this.gshadow = rowsOf(tree, 'etc/gshadow').map((row) => padded(row, 4));
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

  /** Ids of all users, or of all groups. */
  private taken(of: 'user' | 'group'): Set<number> {
    return new Set(of === 'user' ? this.users.map((user) => user.uid) : this.groups.map((group) => group.gid));
  }

  /** The lowest free id of a range, as adduser allocates them; undefined when all are in use. */
  firstFree(of: 'user' | 'group', { first, last }: IdRange = SYSTEM_IDS): number | undefined {
    const taken = this.taken(of);
    for (let id = first; id <= last; id++) if (!taken.has(id)) return id;
    return undefined;
  }

  /** The lowest system id free as user and as group; undefined when none is. */
  firstFreeId(): number | undefined {
    const [uids, gids] = [this.taken('user'), this.taken('group')];
    for (let id: number = SYSTEM_IDS.first; id <= SYSTEM_IDS.last; id++) if (!uids.has(id) && !gids.has(id)) return id;
    return undefined;
  }

  /** True for a system id that no user has, or no group. */
  isFree(of: 'user' | 'group', id: number): boolean {
    return id >= SYSTEM_IDS.first && id <= SYSTEM_IDS.last && !this.taken(of).has(id);
  }

  /** The highest system id free as user and as group, as systemd-sysusers allocates them; undefined when none is. */
  lastFreeId(): number | undefined {
    const [uids, gids] = [this.taken('user'), this.taken('group')];
    for (let id: number = SYSTEM_IDS.last; id >= SYSTEM_IDS.first; id--) if (!uids.has(id) && !gids.has(id)) return id;
    return undefined;
  }

  /**
   * The id that useradd and groupadd take: below the lowest system id in use, or above the highest of the others;
   * when that range is full, the first free id from the other end. `preferred` is used first, if it is free and not
   * above the range; a system id may be below it. Undefined when all are in use.
   */
  shadowId(of: 'user' | 'group', system: boolean, preferred?: number): number | undefined {
    const { first, last } = new LoginDefs(this.tree).ids(of, system);
    const taken = this.taken(of);
    const lowest = system ? 1 : first;
    if (preferred !== undefined && preferred >= lowest && preferred <= last && !taken.has(preferred)) return preferred;
    let next = system ? last : first;
    for (const id of taken) {
      if (id < first || id > last) continue;
      next = system ? Math.min(next, id - 1) : Math.max(next, id + 1);
    }
    if (next >= first && next <= last) return next;
    for (let i = 0; i <= last - first; i++) {
      const id = system ? last - i : first + i;
      if (!taken.has(id)) return id;
    }
    return undefined;
  }

  /** Adds a group; `shadowPassword` goes to gshadow (`!` from adduser, `!*` from systemd-sysusers). */
  addGroup(name: string, gid: number, shadowPassword: string): Group {
    const group: Group = { name, password: 'x', gid, members: [] };
    this.groups.push(group);
    this.gshadow.push([name, shadowPassword, '', '']);
    return group;
  }

  /** Adds a user. */
  addUser(user: Omit<User, 'password'>, shadowPassword: string, shadow: NewShadow = {}): User {
    const added: User = { ...user, password: 'x' };
    const { aging = ['', '', ''], inactive = '', expires = '' } = shadow;
    this.users.push(added);
    this.shadow.push([user.name, shadowPassword, String(this.today()), ...aging, inactive, expires, '']);
    return added;
  }

  /** Removes a user from a group. */
  removeMember(user: string, group: Group): void {
    group.members = group.members.filter((member) => member !== user);
    const entry = this.gshadow.find(([name]) => name === group.name);
    if (entry !== undefined) entry[3] = withoutName(entry[3]!, user);
  }

  /** Gives a user another login name. Its lines, and its name in memberships, become the last, as usermod writes them. */
  renameUser(user: User, name: string): void {
    moveToEnd(this.users, (one) => one === user);
    for (const entry of moveToEnd(this.shadow, ([one]) => one === user.name)) entry[0] = name;
    const renamed = (list: readonly string[]) =>
      list.includes(user.name) ? [...list.filter((member) => member !== user.name), name] : [...list];
    for (const group of this.groups) group.members = renamed(group.members);
    for (const entry of this.gshadow) for (const at of [2, 3]) entry[at] = renamed(entry[at]!.split(',')).join(',');
    user.name = name;
  }

  /** Gives a group another name. Its lines become the last, as groupmod writes them. */
  renameGroup(group: Group, name: string): void {
    moveToEnd(this.groups, (one) => one === group);
    for (const entry of moveToEnd(this.gshadow, ([one]) => one === group.name)) entry[0] = name;
    group.name = name;
  }

  /** Gives a group another id, and the users whose primary group it is. */
  setGid(group: Group, gid: number): void {
    for (const user of this.users) if (user.gid === group.gid) user.gid = gid;
    group.gid = gid;
  }

  /** Sets who administers a group; false where there is no gshadow, which has it. */
  setAdministrators(group: Group, users: readonly string[]): boolean {
    if (!this.hasGshadow) return false;
    let entry = this.gshadow.find(([name]) => name === group.name);
    if (entry === undefined) {
      entry = [group.name, group.password, '', group.members.join(',')];
      this.gshadow.push(entry);
    }
    entry[2] = users.join(',');
    return true;
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

  /** Sets a field of a user's line in shadow: a number of days (`changed`, `expires`: since 1970), or empty. */
  setShadow(name: string, field: keyof typeof SHADOW_FIELDS, days: string): void {
    const entry = this.shadow.find(([n]) => n === name);
    if (entry !== undefined) entry[SHADOW_FIELDS[field]] = days;
  }

  /** Removes a user with its shadow entry and memberships. */
  removeUser(name: string): void {
    removeWhere(this.users, (user) => user.name === name);
    removeWhere(this.shadow, ([n]) => n === name);
    for (const group of this.groups) group.members = group.members.filter((member) => member !== name);
    for (const entry of this.gshadow) entry[3] = withoutName(entry[3]!, name);
  }

  /** Removes a group with its gshadow entry. */
  removeGroup(name: string): void {
    removeWhere(this.groups, (group) => group.name === name);
    removeWhere(this.gshadow, ([n]) => n === name);
  }

  /** Turns shadow passwords on (`pwconv`, `grpconv`): moves passwords over and adds the entries that are missing. */
  convertToShadow(): void {
    let ages: PasswordAges | undefined;
    for (const user of this.users) {
      if (this.shadow.some(([name]) => name === user.name)) {
        user.password = 'x';
        continue;
      }
      ages ??= passwordAges(this.tree);
      this.shadow.push([user.name, user.password, String(this.today()), ...ages, '', '', '']);
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
    const users = this.users.map((u) => [u.name, u.password, u.uid, u.gid, u.gecos, u.home, u.shell].join(':'));
    const groups = this.groups.map((g) => [g.name, g.password, g.gid, g.members.join(',')].join(':'));
    putText(tree, context, PASSWD, this.withOthers(PASSWD, this.users, users));
    putText(tree, context, GROUP, this.withOthers(GROUP, this.groups, groups));
    for (const [path, entries, present] of [
      ['etc/shadow', this.shadow, this.hasShadow],
      ['etc/gshadow', this.gshadow, this.hasGshadow],
    ] as const) {
      if (!present && !shadow) continue;
      const before = tree.file(path);
      putText(tree, context, path, entries.map((entry) => `${entry.join(':')}\n`).join(''), before?.mode ?? 0o640);
      const file = tree.file(path)!;
      // the tools keep the mode and the owner of a file that is there
      file.uid = before?.uid ?? 0;
      file.gid = before?.gid ?? this.group('shadow')?.gid ?? SHADOW_GROUP;
      delete file.user;
      delete file.group;
    }
  }

  /** The text of a file: a line for each account, and between them the lines that are not accounts. */
  private withOthers(path: string, accounts: readonly (User | Group)[], rows: readonly string[]): string {
    const others = this.others.filter((one) => one.path === path);
    const following = (after: User | Group | undefined) =>
      others.filter((one) => one.after === after).map((one) => one.line);
    const all = [...following(undefined)];
    for (const [i, account] of accounts.entries()) all.push(rows[i]!, ...(others.length > 0 ? following(account) : []));
    // those that followed a removed account
    for (const { after, line } of others) if (after !== undefined && !accounts.includes(after)) all.push(line);
    return all.map((row) => `${row}\n`).join('');
  }
}

function removeWhere<T>(from: T[], matches: (item: T) => boolean): void {
  for (let i = from.length - 1; i >= 0; i--) if (matches(from[i]!)) from.splice(i, 1);
}

/** Moves the items that match to the end, and returns them. */
function moveToEnd<T>(items: T[], matches: (item: T) => boolean): T[] {
  const moved = items.filter(matches);
  removeWhere(items, matches);
  for (const each of moved) items.push(each);
  return moved;
}

/** A list of names with commas, without one of them. */
function withoutName(list: string, name: string): string {
  return list
    .split(',')
    .filter((member) => member !== '' && member !== name)
    .join(',');
}

/** The lines of an account file, without empty ones and comments, which the tools do not keep. */
function rowsOf(tree: Tree, path: string): string[] {
  return lines(tree.text(path) ?? '').filter((line) => line !== '' && !line.startsWith('#'));
}

/** Exactly `count` fields of a line. */
function padded(row: string, count: number): string[] {
  const parts = row.split(':');
  while (parts.length < count) parts.push('');
  return parts.slice(0, count);
}

function isId(text: string | undefined): boolean {
  return text !== undefined && /^[0-9]{1,10}$/.test(text);
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
