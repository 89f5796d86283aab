import { withoutEnding } from '../bytes/ending.ts';
import { type Inode, special } from '../tree/inode.ts';
import type { Tree } from '../tree/tree.ts';
import { Accounts } from './accounts.ts';
import { addDefaultAcl, addGroupAcl, type NewAclEntry, parseAcl } from './acl.ts';
import { type ConfigureContext, ensureDirectory, lines, made, makeParents, putLink, putText, warn } from './context.ts';
import { globPaths } from './glob.ts';
import { own } from './owners.ts';
import { configurationFields, readConfiguration } from './sysusers.ts';

/** systemd-tmpfiles(8) `--create` at installation time. Written from tmpfiles.d(5). */

const FOLDERS = ['etc/tmpfiles.d', 'run/tmpfiles.d', 'usr/local/lib/tmpfiles.d', 'usr/lib/tmpfiles.d'];
/** File systems of a running machine: nothing written there would persist. */
const VOLATILE = /^\/(run|tmp|dev|proc|sys)(\/|$)|^\/var\/run(\/|$)/;

/** Prefixes of the paths to create: any of `only` (empty: all), none of `without`. */
export interface TmpfilesPrefixes {
  readonly only: readonly string[];
  readonly without: readonly string[];
}

/** `systemd-tmpfiles --create FILE…`: names or absolute paths; without any, all files of the tmpfiles.d folders. */
export function systemdTmpfiles(
  tree: Tree,
  context: ConfigureContext,
  files?: readonly string[],
  { only, without }: TmpfilesPrefixes = { only: [], without: [] },
): void {
  const rows: string[] = [];
  for (const file of files ?? allFiles(tree)) {
    const text = readConfiguration(tree, file, FOLDERS);
    if (text === undefined) warn(context, 'FILE_MISSING', { kind: 'tmpfiles.d', path: file });
    else for (const each of lines(text)) rows.push(each);
  }
  const accounts = new Accounts(tree, context);
  for (const row of rows) {
    if (/^\s*(#|$)/.test(row)) continue;
    const [type, path, mode = '-', user = '-', group = '-', , ...rest] = configurationFields(row);
    if (type === undefined || path === undefined || !path.startsWith('/')) continue;
    // "!" is for boot only, "^" takes its content from credentials; "%" specifiers refer to the running machine
    if (/[!^]/.test(type) || path.includes('%') || VOLATILE.test(path)) continue;
    if ((only.length > 0 && !only.some((prefix) => isBelow(path, prefix))) || without.some((one) => isBelow(path, one)))
      continue;
    const argument = row.replace(/^\s*(?:\S+\s+){5}\S+\s*/, '') === row ? rest.join(' ') : argumentOf(row);
    applyLine(tree, context, accounts, { type, path, mode, user, group, argument });
  }
}

function isBelow(path: string, prefix: string): boolean {
  const folder = withoutEnding(prefix, '/');
  return path === folder || path.startsWith(`${folder}/`);
}

interface Line {
  readonly type: string;
  readonly path: string;
  readonly mode: string;
  readonly user: string;
  readonly group: string;
  readonly argument: string;
}

function allFiles(tree: Tree): string[] {
  const names = new Set(FOLDERS.flatMap((folder) => tree.list(folder)).filter((name) => name.endsWith('.conf')));
  return [...names].sort();
}

/** The seventh field is the rest of the line, including blanks. */
function argumentOf(row: string): string {
  let rest = row.trimStart();
  for (let i = 0; i < 6; i++) rest = rest.replace(/^(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\S+)\s*/, '');
  return rest.trimEnd();
}

function applyLine(tree: Tree, context: ConfigureContext, accounts: Accounts, line: Line): void {
  const { path } = line;
  const kind = line.type[0]!;
  const replace = line.type.includes('+');
  // ":" before a mode or owner: applies to what is created, not to what exists
  const owner = ownerOf(context, accounts, line);
  if (owner === undefined) return;
  const permission = /^:?~?:?([0-7]+)$/.exec(line.mode)?.[1];
  const mode = permission === undefined ? undefined : Number.parseInt(permission, 8);
  const settle = (inode: Inode, fresh: boolean) => {
    if (mode !== undefined && (fresh || !line.mode.startsWith(':'))) inode.mode = mode;
    own(inode, {
      ...(owner.uid !== undefined && (fresh || !line.user.startsWith(':')) ? { uid: owner.uid } : {}),
      ...(owner.gid !== undefined && (fresh || !line.group.startsWith(':')) ? { gid: owner.gid } : {}),
    });
  };
  switch (kind) {
    case 'd':
    case 'D':
    case 'q':
    case 'Q':
    case 'v': {
      const present = tree.lstat(path);
      if (present !== undefined && tree.stat(path)?.kind !== 'directory') return;
      ensureDirectory(tree, context, path, made(context, 0o755));
      settle(tree.stat(path)!, present === undefined);
      return;
    }
    case 'e': {
      for (const one of globPaths(tree, path, { hidden: true }))
        if (tree.stat(one)?.kind === 'directory') settle(tree.stat(one)!, false);
      return;
    }
    case 'L': {
      // "?" only when the target exists
      const target = line.argument === '' ? `/usr/share/factory${path}` : line.argument;
      if (line.type.includes('?') && !tree.has(target)) return;
      const present = tree.lstat(path);
      if (present !== undefined && !replace) return;
      if (present?.kind === 'directory' && present.children.size > 0) return;
      putLink(tree, context, path, target);
      return;
    }
    case 'f':
    case 'F': {
      const present = tree.file(path);
      if (tree.lstat(path) !== undefined && present === undefined) return;
      if (present === undefined || replace || kind === 'F')
        putText(tree, context, path, unescapeC(line.argument), present === undefined ? (mode ?? 0o644) : undefined);
      settle(tree.file(path)!, present === undefined);
      return;
    }
    case 'w': {
      for (const one of globPaths(tree, path, { hidden: true })) {
        const text = tree.text(one);
        if (text !== undefined) putText(tree, context, one, (replace ? text : '') + unescapeC(line.argument));
      }
      return;
    }
    case 'C': {
      const source = line.argument === '' ? `/usr/share/factory${path}` : line.argument;
      copyTree(tree, context, source, path);
      const copied = tree.lstat(path);
      if (copied !== undefined) settle(copied, true);
      return;
    }
    case 'p': {
      if (tree.lstat(path) !== undefined && !replace) return;
      makeParents(tree, context, path);
      tree.set(path, special('fifo', made(context, mode ?? 0o644, owner.uid, owner.gid)));
      return;
    }
    case 'c':
    case 'b': {
      const numbers = /^(\d+):(\d+)$/.exec(line.argument);
      if (numbers === null || (tree.lstat(path) !== undefined && !replace)) return;
      makeParents(tree, context, path);
      tree.set(path, {
        ...made(context, mode ?? 0o644, owner.uid, owner.gid),
        kind: kind === 'c' ? 'char' : 'block',
        major: Number(numbers[1]),
        minor: Number(numbers[2]),
      });
      return;
    }
    case 'z':
    case 'Z': {
      for (const one of globPaths(tree, path, { hidden: true }))
        settleBelow(tree.lstat(one)!, kind === 'Z', (inode) => settle(inode, false));
      return;
    }
    case 'a':
    case 'A': {
      const entries = parseAcl(line.argument, accounts);
      if (entries === undefined) {
        warn(context, 'TMPFILES_ACL', { path, text: line.argument });
        return;
      }
      for (const one of globPaths(tree, path, { hidden: true }))
        settleBelow(tree.stat(one)!, kind === 'A', (inode) => applyAcl(inode, entries));
      return;
    }
    // file attributes (chattr), and lines that clean up rather than create
    case 'h':
    case 'H':
    case 'x':
    case 'X':
    case 'r':
    case 'R':
      return;
    case 't':
    case 'T':
      setXattrs(tree, line);
      return;
    default:
      warn(context, 'TMPFILES_TYPE', { path, type: line.type });
  }
}

function applyAcl(inode: Inode, entries: readonly NewAclEntry[]): void {
  addGroupAcl(
    inode,
    entries.filter((entry) => !entry.default),
  );
  if (inode.kind === 'directory')
    addDefaultAcl(
      inode,
      entries.filter((entry) => entry.default),
    );
}

function settleBelow(inode: Inode, deep: boolean, settle: (inode: Inode) => void): void {
  settle(inode);
  if (deep && inode.kind === 'directory') for (const child of inode.children.values()) settleBelow(child, true, settle);
}

function setXattrs(tree: Tree, line: Line): void {
  for (const path of globPaths(tree, line.path, { hidden: true })) {
    const inode = tree.lstat(path)!;
    for (const assignment of configurationFields(line.argument)) {
      const equals = assignment.indexOf('=');
      if (equals <= 0) continue;
      inode.xattrs ??= new Map();
      inode.xattrs.set(assignment.slice(0, equals), Buffer.from(assignment.slice(equals + 1), 'latin1'));
    }
  }
}

function ownerOf(
  context: ConfigureContext,
  accounts: Accounts,
  line: Line,
): { uid?: number; gid?: number } | undefined {
  const owner: { uid?: number; gid?: number } = {};
  const user = line.user.replace(/^:/, '');
  const group = line.group.replace(/^:/, '');
  if (user !== '-') {
    const uid = /^\d+$/.test(user) ? Number(user) : accounts.user(user)?.uid;
    if (uid === undefined) return unknown(context, line, `user ${user}`);
    owner.uid = uid;
  }
  if (group !== '-') {
    const gid = /^\d+$/.test(group) ? Number(group) : accounts.group(group)?.gid;
    if (gid === undefined) return unknown(context, line, `group ${group}`);
    owner.gid = gid;
  }
  return owner;
}

function unknown(context: ConfigureContext, line: Line, who: string): undefined {
  warn(context, 'OWNER_UNKNOWN', { file: 'tmpfiles.d', who, path: line.path });
  return undefined;
}

/** C escapes in the text of `f` and `w` lines. */
function unescapeC(text: string): string {
  const plain = text.replace(/^"([\s\S]*)"$/, '$1');
  return plain.replace(/\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|([abfnrtvs\\"']))/g, (_, hex, octal, letter: string) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
    return (
      ({ a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', s: ' ' } as Record<string, string>)[letter] ??
      letter
    );
  });
}

function copyTree(tree: Tree, context: ConfigureContext, from: string, to: string): void {
  const source = tree.lstat(from);
  const present = tree.lstat(to);
  if (source === undefined) return;
  // a non-empty directory is left alone, as is any file
  if (
    present !== undefined &&
    !(present.kind === 'directory' && source.kind === 'directory' && present.children.size === 0)
  )
    return;
  makeParents(tree, context, to);
  tree.set(to, copyOf(source));
}

function copyOf(inode: Inode): Inode {
  const xattrs = inode.xattrs === undefined ? {} : { xattrs: new Map(inode.xattrs) };
  if (inode.kind !== 'directory') return { ...inode, ...xattrs };
  return { ...inode, ...xattrs, children: new Map([...inode.children].map(([name, child]) => [name, copyOf(child)])) };
}
