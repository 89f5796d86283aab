import type { Tree } from '../tree/tree.ts';
import { Accounts } from './accounts.ts';
import { type ConfigureContext, lines, warn } from './context.ts';

/** sysusers.d(5): accounts declared in files. Written from the manual page. */

const FOLDERS = ['etc/sysusers.d', 'run/sysusers.d', 'usr/local/lib/sysusers.d', 'usr/lib/sysusers.d'];
const NOLOGIN = '/usr/sbin/nologin';

interface Item {
  readonly type: 'u' | 'g' | 'm' | 'r';
  readonly locked: boolean;
  readonly name: string;
  readonly id: string;
  readonly gecos: string;
  readonly home: string;
  readonly shell: string;
}

/** Fields of a line: separated by blanks, quoted by " or ', `-` for nothing. */
export function configurationFields(line: string): string[] {
  const found: string[] = [];
  for (const match of line.matchAll(/"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(\S+)/g))
    found.push((match[1] ?? match[2])?.replace(/\\(.)/g, '$1') ?? match[3]!);
  return found;
}

function itemsOf(text: string): Item[] {
  const items: Item[] = [];
  for (const line of lines(text)) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [type, name, id = '-', gecos = '-', home = '-', shell = '-'] = configurationFields(line);
    if (type === undefined || name === undefined || !/^[ugmr]!?$/.test(type)) continue;
    items.push({
      type: type[0] as Item['type'],
      locked: type.endsWith('!'),
      name,
      id,
      gecos: gecos === '-' ? '' : gecos,
      home: home === '-' ? '/' : home,
      shell: shell === '-' ? '' : shell,
    });
  }
  return items;
}

/**
 * `systemd-sysusers FILE…`: all groups first, then users, then memberships. Missing ids are allocated downwards from
 * 999, one number for a user and its group. Existing accounts are left alone. `files` are names or absolute paths;
 * without any, every file of the sysusers.d folders is read.
 */
export function systemdSysusers(tree: Tree, context: ConfigureContext, files?: readonly string[]): void {
  const items: Item[] = [];
  for (const file of files ?? allFiles(tree)) {
    const text = readConfiguration(tree, file, FOLDERS);
    if (text === undefined) warn(context, 'FILE_MISSING', { kind: 'sysusers.d', path: file });
    else for (const each of itemsOf(text)) items.push(each);
  }
  applyItems(tree, context, items);
}

/** `systemd-sysusers --inline LINE…`, and the lines of a file read from standard input. */
export function sysusersLines(tree: Tree, context: ConfigureContext, text: string): void {
  applyItems(tree, context, itemsOf(text));
}

function allFiles(tree: Tree): string[] {
  const names = new Set(FOLDERS.flatMap((folder) => tree.list(folder)).filter((name) => name.endsWith('.conf')));
  return [...names].sort();
}

/** A file of a configuration family by name (the first folder that has it wins) or by absolute path. */
export function readConfiguration(tree: Tree, file: string, folders: readonly string[]): string | undefined {
  if (file.startsWith('/')) return tree.text(file);
  for (const folder of folders) {
    const text = tree.text(`${folder}/${file}`);
    if (text !== undefined) return text;
  }
  return undefined;
}

function applyItems(tree: Tree, context: ConfigureContext, items: readonly Item[]): void {
  const accounts = new Accounts(tree, context);
  // what is given exactly, or whose group has a line of its own, need not have the same number as its group
  const exact = new Set(
    items.filter(({ type, name }) => type === 'g' && accounts.group(name) === undefined).map(({ name }) => name),
  );
  for (const item of items)
    if (item.type === 'g' && groupOf(tree, accounts, item, exact) === undefined)
      warn(context, 'IDS_EXHAUSTED', { what: 'group', name: item.name });
  for (const item of items)
    if (item.type === 'u' && accounts.user(item.name) === undefined) groupOf(tree, accounts, item, exact);
  for (const item of items) {
    if (item.type !== 'u' || accounts.user(item.name) !== undefined) continue;
    const gid = groupOf(tree, accounts, item, exact);
    const fixed = idOf(tree, item.id);
    /** Free as a user's number, and not the number of another group. */
    const free = (id: number | undefined, alone: boolean) => {
      if (id === undefined || accounts.userById(id) !== undefined) return false;
      return alone || (accounts.groupById(id)?.name ?? item.name) === item.name;
    };
    const alone = item.id.includes(':') || exact.has(item.name);
    const uid = free(fixed, alone) ? fixed : free(gid, false) ? gid : accounts.lastFreeId();
    if (uid === undefined || gid === undefined) {
      warn(context, 'IDS_EXHAUSTED', { what: 'user', name: item.name });
      continue;
    }
    const shell = item.shell !== '' ? item.shell : uid === 0 ? '/bin/sh' : NOLOGIN;
    accounts.addUser(
      { name: item.name, uid, gid, gecos: item.gecos, home: item.home, shell },
      '!*',
      // a fully locked account expired on the first day of 1970
      item.locked ? { expires: '1' } : {},
    );
  }
  for (const item of items) {
    if (item.type !== 'm') continue;
    const group = accounts.group(item.id);
    if (group !== undefined && accounts.user(item.name) !== undefined) accounts.addMember(item.name, group);
  }
  accounts.save(true);
}

/**
 * The group id of an item: that of the group it names, else of the group of its own name, else the number it gives; else
 * a group of its name is created. A number that is given counts more than a group that is `made` in the same run.
 */
function groupOf(tree: Tree, accounts: Accounts, item: Item, made: ReadonlySet<string>): number | undefined {
  const named = item.type === 'u' ? /^([^:]*):(.+)$/.exec(item.id)?.[2] : undefined;
  const number = named !== undefined && /^\d{1,10}$/.test(named) ? Number(named) : undefined;
  const group = named !== undefined && number === undefined ? accounts.group(named) : undefined;
  const present = group ?? (number !== undefined && made.has(item.name) ? undefined : accounts.group(item.name));
  if (present !== undefined) return present.gid;
  if (number !== undefined) return number;
  // the group of an existing user gets that user's number
  const requested = idOf(tree, item.id) ?? accounts.user(item.name)?.uid;
  const other = (id: number) => item.type === 'u' && (accounts.userById(id)?.name ?? item.name) !== item.name;
  const free = requested !== undefined && accounts.groupById(requested) === undefined && !other(requested);
  const gid = free ? requested : accounts.lastFreeId();
  return gid === undefined ? undefined : accounts.addGroup(item.name, gid, '!*').gid;
}

function idOf(tree: Tree, id: string): number | undefined {
  if (id.startsWith('/')) return tree.stat(id)?.uid;
  const number = /^(\d{1,10})(:|$)/.exec(id)?.[1];
  return number === undefined ? undefined : Number(number);
}
