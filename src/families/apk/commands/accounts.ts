import { memory } from '../../../bytes/content.ts';
import { withoutEnding } from '../../../bytes/ending.ts';
import { type Call, type Command, options } from '../../../shell/command.ts';
import { directory, file } from '../../../tree/inode.ts';
import { dirname } from '../../../tree/path.ts';
import type { Tree } from '../../../tree/tree.ts';

/** addgroup and adduser as busybox has them, over the files of the tree. */
export function accountCommands(tree: Tree, epoch: number): [string, Command][] {
  const tables = new Tables(tree, epoch);
  return [
    ['addgroup', (call) => addgroup(call, tables)],
    ['adduser', (call) => adduser(call, tables, tree, epoch)],
    ['add-shell', (call) => changeShells(call, tables, true)],
    ['remove-shell', (call) => changeShells(call, tables, false)],
  ];
}

/** Numbers that busybox assigns: system accounts, and others (SYSTEM and LAST_ID of its configuration). */
const SYSTEM = { first: 100, last: 999 };
const ORDINARY = { first: 1000, last: 60_000 };
const DAY = 86_400;

/** The account files as lines of fields. */
class Tables {
  private readonly tree: Tree;
  private readonly epoch: number;

  constructor(tree: Tree, epoch: number) {
    this.tree = tree;
    this.epoch = epoch;
  }

  lines(path: string): string[] {
    const text = this.tree.text(path) ?? '';
    return text.split('\n').slice(0, text.endsWith('\n') ? -1 : undefined);
  }

  rows(path: string): string[][] {
    return this.lines(path).map((line) => line.split(':'));
  }

  has(path: string): boolean {
    return this.tree.file(path) !== undefined;
  }

  /** Replaces a file and keeps the old version as `NAME-`. */
  write(path: string, lines: readonly string[], backup = true): void {
    const before = this.tree.file(path);
    const content = memory(Buffer.from(lines.map((line) => `${line}\n`).join(''), 'latin1'));
    if (before !== undefined && backup) this.tree.set(`${path}-`, { ...before });
    const { mode, uid, gid } = before ?? { mode: 0o644, uid: 0, gid: 0 };
    this.tree.set(path, file(content, { mode, uid, gid, mtime: this.epoch }));
  }

  /** Today, in days, as shadow(5) counts. */
  get today(): number {
    return Math.floor(this.epoch / DAY);
  }

  ids(path: string): Set<number> {
    return new Set(this.rows(path).map((row) => Number(row[2])));
  }
}

function number(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

function addgroup(call: Call, tables: Tables): number {
  const given = options(call.args, 'g:S', 'gid= system');
  const [first, group] = given.operands;
  if (given.unknown !== undefined || first === undefined) return call.fail('wrong options or no name');
  if (group !== undefined) return addMember(call, tables, first, group);
  return makeGroup(call, tables, first, number(given.last('g', 'gid')), given.has('S', 'system')) === undefined ? 1 : 0;
}

function makeGroup(
  call: Call,
  tables: Tables,
  name: string,
  requested: number | undefined,
  system: boolean,
): number | undefined {
  const rows = tables.rows('etc/group');
  if (rows.some((row) => row[0] === name)) {
    call.complain(`group '${name}' in use`);
    return undefined;
  }
  const taken = tables.ids('etc/group');
  if (requested !== undefined && taken.has(requested)) {
    call.complain(`gid '${requested}' in use`);
    return undefined;
  }
  let gid = requested ?? (system ? SYSTEM : ORDINARY).first;
  while (requested === undefined && taken.has(gid)) gid++;
  tables.write('etc/group', [...tables.lines('etc/group'), `${name}:x:${gid}:`]);
  if (tables.has('etc/gshadow')) tables.write('etc/gshadow', [...tables.lines('etc/gshadow'), `${name}:!::`]);
  return gid;
}

function addMember(call: Call, tables: Tables, user: string, group: string): number {
  if (!tables.rows('etc/passwd').some((row) => row[0] === user)) return call.fail(`unknown user ${user}`);
  if (!tables.rows('etc/group').some((row) => row[0] === group)) return call.fail(`unknown group ${group}`);
  for (const path of ['etc/group', 'etc/gshadow']) {
    if (!tables.has(path)) continue;
    const rows = tables.rows(path);
    const row = rows.find((one) => one[0] === group);
    if (row === undefined) continue;
    const members = (row[3] ?? '').split(',').filter((one) => one !== '');
    if (members.includes(user)) continue;
    row[3] = [...members, user].join(',');
    tables.write(
      path,
      rows.map((one) => one.join(':')),
    );
  }
  return 0;
}

function adduser(call: Call, tables: Tables, tree: Tree, epoch: number): number {
  const given = options(
    call.args,
    'h:g:s:G:DSHu:k:',
    'home= gecos= shell= ingroup= disabled-password empty-password system no-create-home uid= skel=',
  );
  const [name, group] = given.operands;
  if (given.unknown !== undefined || name === undefined) return call.fail('wrong options or no name');
  if (group !== undefined) return addMember(call, tables, name, group);
  const system = given.has('S', 'system');
  const users = tables.rows('etc/passwd');
  if (users.some((row) => row[0] === name)) return call.fail(`user '${name}' in use`);
  const inGroup = given.last('G', 'ingroup') ?? (system ? 'nogroup' : undefined);
  const groups = tables.rows('etc/group');
  const own = inGroup === undefined ? undefined : groups.find((row) => row[0] === inGroup);
  if (inGroup !== undefined && own === undefined) return call.fail(`unknown group ${inGroup}`);
  if (own === undefined && groups.some((row) => row[0] === name)) return call.fail(`group name '${name}' is in use`);
  const uids = tables.ids('etc/passwd');
  const gids = tables.ids('etc/group');
  const requested = number(given.last('u', 'uid'));
  if (requested !== undefined && uids.has(requested)) return call.fail(`uid '${requested}' in use`);
  let uid = requested ?? (system ? SYSTEM : ORDINARY).first;
  // a group of its own gets the user's number
  while (requested === undefined && (uids.has(uid) || (own === undefined && gids.has(uid)))) uid++;
  const gid = own === undefined ? uid : Number(own[2]);
  const home = given.last('h', 'home') ?? `/home/${name}`;
  const gecos = given.last('g', 'gecos') ?? 'Linux User,,,';
  const shell = given.last('s', 'shell') ?? (system ? '/sbin/nologin' : shellOfRoot(users));
  tables.write('etc/passwd', [...tables.lines('etc/passwd'), [name, 'x', uid, gid, gecos, home, shell].join(':')]);
  if (tables.has('etc/shadow'))
    tables.write('etc/shadow', [...tables.lines('etc/shadow'), `${name}:!:${tables.today}:0:99999:7:::`]);
  if (inGroup === undefined) makeGroup(call, tables, name, gid, system);
  else addMember(call, tables, name, inGroup);
  if (!given.has('H', 'no-create-home')) makeHome(call, tree, home, { uid, gid }, epoch);
  return 0;
}

/** Without $SHELL, busybox gives an ordinary user the shell of the user who creates the account. */
function shellOfRoot(users: readonly string[][]): string {
  return users.find((row) => row[2] === '0')?.[6] ?? '/bin/sh';
}

function makeHome(call: Call, tree: Tree, home: string, owner: { uid: number; gid: number }, epoch: number): void {
  const meta = { ...owner, mode: 0o2755, mtime: epoch };
  const there = tree.stat(home);
  if (there !== undefined) Object.assign(there, { ...owner, mode: 0o2755 });
  else if (tree.stat(dirname(withoutEnding(home, '/'))) === undefined)
    call.complain(`${home}: No such file or directory`);
  else {
    const made = directory(meta);
    const skeleton = tree.stat('etc/skel');
    if (skeleton?.kind === 'directory')
      for (const [name, inode] of skeleton.children)
        if (inode.kind !== 'directory') made.children.set(name, { ...inode, ...owner });
    tree.set(home, made);
  }
}

function changeShells(call: Call, tables: Tables, add: boolean): number {
  const lines = tables.lines('etc/shells');
  const kept = lines.filter((line) => add || !call.args.includes(line));
  if (add) for (const shell of call.args) if (!kept.includes(shell)) kept.push(shell);
  if (kept.length !== lines.length) tables.write('etc/shells', kept, false);
  return 0;
}
