import type { Inode } from '../../tree/inode.ts';
import type { Call, Command } from '../command.ts';
import type { Given, Taken } from '../given.ts';
import { bashQuote, singleQuote } from '../transform.ts';
import { blocksOf, modeText, sizeOf } from './modes.ts';
import { groupName, userName } from './owners.ts';
import { versionOrder } from './version-order.ts';

const LS: Taken = {
  known:
    'a,all A,almost-all b,escape B,ignore-backups c d,directory f F classify=? file-type g G,no-group h,human-readable H,dereference-command-line dereference-command-line-symlink-to-dir i,inode I,ignore= l L,dereference m n,numeric-uid-gid N,literal o p q,hide-control-chars show-control-chars Q,quote-name quoting-style= r,reverse R,recursive s,size S sort= t time= time-style= full-time u U v w,width= x C X 1 color=? group-directories-first indicator-style= si k,kibibytes author hide= zero',
  missing: 'format= D,dired T,tabsize= Z,context block-size= hyperlink=?',
  status: 2,
};

interface Entry {
  readonly name: string;
  readonly path: string;
  readonly inode: Inode | undefined;
}

/** Sorts entries by the options. */
function arranged(entries: Entry[], given: Given, followed: (one: Entry) => Inode | undefined): Entry[] {
  const how =
    given.last('sort') ??
    { t: 'time', S: 'size', X: 'extension', v: 'version', U: 'none', f: 'none' }[
      given.lastOf('t', 'S', 'X', 'v', 'U', 'f') ?? ''
    ];
  const byName = (a: Entry, b: Entry) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  const extension = (name: string) => (name.includes('.') ? name.slice(name.lastIndexOf('.')) : '');
  const time = (one: Entry) => one.inode?.mtime ?? 0;
  const by: Readonly<Record<string, (a: Entry, b: Entry) => number>> = {
    time: (a, b) => time(b) - time(a) || (b.inode?.nanoseconds ?? 0) - (a.inode?.nanoseconds ?? 0),
    size: (a, b) => (b.inode === undefined ? 0 : sizeOf(b.inode)) - (a.inode === undefined ? 0 : sizeOf(a.inode)),
    extension: (a, b) => (extension(a.name) < extension(b.name) ? -1 : extension(a.name) > extension(b.name) ? 1 : 0),
    version: (a, b) => versionOrder(a.name, b.name),
  };
  const compare = how !== undefined && Object.hasOwn(by, how) ? by[how] : undefined;
  if (how !== 'none') entries.sort((a, b) => compare?.(a, b) || byName(a, b));
  if (given.has('r') && how !== 'none') entries.reverse();
  const folder = (one: Entry) => ((followed(one) ?? one.inode)?.kind === 'directory' ? 0 : 1);
  return given.has('group-directories-first') ? entries.sort((a, b) => folder(a) - folder(b)) : entries;
}

/** The character that `-F`, `-p` and `--file-type` add. */
function indicator(inode: Inode | undefined, given: Given, long: boolean): string {
  const style = given.lastOf('F', 'classify', 'p', 'file-type', 'indicator-style');
  const kind = style === 'indicator-style' ? given.last('indicator-style') : style;
  if (inode === undefined || kind === undefined || kind === 'none') return '';
  if (kind === 'classify' && /^(never|no|none|auto)$/.test(given.last('classify') ?? '')) return '';
  if (inode.kind === 'directory') return '/';
  if (kind === 'p' || kind === 'slash') return '';
  const sign = { symlink: long ? '' : '@', fifo: '|', socket: '=', file: '', char: '', block: '' }[inode.kind];
  if (inode.kind === 'file' && (kind === 'F' || kind === 'classify') && (inode.mode & 0o111) !== 0) return '*';
  return sign;
}

function quotedName(name: string, given: Given): string {
  const style = given.lastOf('Q', 'b', 'N', 'quoting-style');
  const named =
    style === 'quoting-style' ? given.last('quoting-style') : { Q: 'c', b: 'escape', N: 'literal' }[style ?? ''];
  const escapes: Readonly<Record<string, string>> = {
    ...{ '\x07': '\\a', '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\v': '\\v', '\\': '\\\\' },
  };
  const octal = (c: string) => escapes[c] ?? `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`;
  if (named === 'c') return `"${name.replace(/[\x00-\x1f\x7f-\xff\\]/g, octal).replaceAll('"', '\\"')}"`;
  if (named === 'escape') return name.replace(/[\x00-\x1f\x7f-\xff\\]/g, octal).replaceAll(' ', '\\ ');
  if (named === 'shell') return /^[A-Za-z0-9_@%+:,./-]+$/.test(name) ? name : singleQuote(name);
  if (named === 'shell-always') return singleQuote(name);
  if (named === 'shell-escape') return bashQuote(name) === name ? name : singleQuote(name);
  return given.has('q') ? name.replace(/[\x00-\x1f\x7f-\xff]/g, '?') : name;
}

function human(bytes: number, base: number): string {
  const units = base === 1000 ? 'kMGTPE' : 'KMGTPE';
  if (bytes < base) return String(bytes);
  let value = bytes;
  let unit = -1;
  while (value >= base && unit < units.length - 1) {
    value /= base;
    unit++;
  }
  const rounded = value < 10 ? Math.ceil(value * 10) / 10 : Math.ceil(value);
  return `${value < 10 && rounded < 10 ? rounded.toFixed(1) : rounded}${units[unit]}`;
}

/** Columns of a long line before the name. */
function longColumns(call: Call, inode: Inode, given: Given, links: ReadonlyMap<Inode, number>): string[] {
  const { files } = call;
  const numeric = given.has('n');
  const size =
    inode.kind === 'char' || inode.kind === 'block'
      ? `${inode.major}, ${inode.minor}`
      : given.has('h')
        ? human(sizeOf(inode), 1024)
        : given.has('si')
          ? human(sizeOf(inode), 1000)
          : String(sizeOf(inode));
  const owner = numeric ? String(inode.uid) : userName(files, inode.uid);
  return [
    ...(given.has('i') ? ['1'] : []),
    ...(given.has('s') ? [String(blocksOf(inode) / 2)] : []),
    modeText(inode),
    String(links.get(inode) ?? 1),
    ...(given.has('g') ? [] : [owner]),
    ...(given.has('o', 'G') ? [] : [numeric ? String(inode.gid) : groupName(files, inode.gid)]),
    ...(given.has('author') ? [owner] : []),
    size,
    timeText(inode, given, files.time),
  ];
}

function timeText(inode: Inode, given: Given, now: number): string {
  const style = given.has('full-time') ? 'full-iso' : (given.last('time-style') ?? 'locale').replace(/^posix-/, '');
  const at = new Date(inode.mtime * 1000);
  if (Number.isNaN(at.getTime())) return String(inode.mtime);
  const iso = at.toISOString();
  const nanoseconds = String(inode.nanoseconds ?? 0).padStart(9, '0');
  if (style === 'full-iso') return `${iso.slice(0, 10)} ${iso.slice(11, 19)}.${nanoseconds} +0000`;
  if (style === 'long-iso') return `${iso.slice(0, 10)} ${iso.slice(11, 16)}`;
  const month = 'JanFebMarAprMayJunJulAugSepOctNovDec'.slice(at.getUTCMonth() * 3, at.getUTCMonth() * 3 + 3);
  const day = String(at.getUTCDate()).padStart(2);
  const recent = inode.mtime > now - 15_778_476 && inode.mtime <= now;
  if (style === 'iso') return recent ? `${iso.slice(5, 10)} ${iso.slice(11, 16)}` : `${iso.slice(0, 10)} `;
  return `${month} ${day} ${recent ? iso.slice(11, 16) : String(at.getUTCFullYear()).padStart(5)}`;
}

function ls(call: Call): number {
  const given = call.parse(LS);
  const { files } = call;
  let status = 0;
  const long =
    given.has('l', 'n', 'o', 'g', 'full-time') &&
    !['1', 'm', 'x', 'C'].includes(given.lastOf('l', 'n', 'o', 'g', 'full-time', 'm', 'x', 'C') ?? '');
  const links = long ? files.linkCounts() : new Map<Inode, number>();
  const style = given.last('time-style');
  if (style?.startsWith('+')) return call.unsupported(`ls --time-style=${style}`);

  const show = (entries: readonly Entry[], top: boolean): void => {
    const names = entries.map((one) => {
      const target = one.inode?.kind === 'symlink' && long ? ` -> ${quotedName(one.inode.target, given)}` : '';
      const pointed = target === '' ? undefined : files.find(one.path);
      const sign = target === '' ? indicator(one.inode, given, long) : indicator(pointed, given, long);
      return `${quotedName(one.name, given)}${target}${sign}`;
    });
    const end = given.has('zero') ? '\0' : '\n';
    if (given.has('m') && !long) return void (names.length > 0 && call.out(`${wrapped(names, given)}\n`));
    if (!long) {
      const front = (one: Entry) =>
        `${given.has('i') ? '1 ' : ''}${given.has('s') && one.inode !== undefined ? `${blocksOf(one.inode) / 2} ` : ''}`;
      if (!top && given.has('s'))
        call.out(
          `total ${entries.reduce((sum, one) => sum + (one.inode === undefined ? 0 : blocksOf(one.inode)), 0) / 2}\n`,
        );
      return call.out(names.map((name, i) => front(entries[i]!) + name + end).join(''));
    }
    files.budget.spend(entries.length * 6);
    const rows = entries.map((one) => (one.inode === undefined ? [] : longColumns(call, one.inode, given, links)));
    const widths: number[] = [];
    for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
    if (!top)
      call.out(
        `total ${entries.reduce((sum, one) => sum + (one.inode === undefined ? 0 : blocksOf(one.inode)), 0) / 2}\n`,
      );
    const left = (i: number, row: readonly string[]) => {
      // names of owners are aligned to the left, numbers to the right
      const first = (given.has('i') ? 1 : 0) + (given.has('s') ? 1 : 0);
      return i === first || (i > first + 1 && i < row.length - 2 && !given.has('n'));
    };
    call.out(
      rows
        .map(
          (row, n) =>
            `${row.map((cell, i) => (left(i, row) ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' ')} ${names[n]}${end}`,
        )
        .join(''),
    );
  };

  const follow = given.has('L');
  const target = (one: Entry) => (one.inode?.kind === 'symlink' ? files.find(one.path) : one.inode);
  const single: Entry[] = [];
  const folders: Entry[] = [];
  const operands = given.operands.length === 0 ? ['.'] : given.operands;
  for (const path of operands) {
    // a link to a folder is followed on the command line, unless it is shown itself
    const followed = follow || given.has('H') || (!long && !given.has('d', 'F'));
    const inode = (followed ? files.find(path) : undefined) ?? files.find(path, false);
    if (inode === undefined) status = call.fail(`cannot access '${path}': No such file or directory`, 2);
    else (inode.kind === 'directory' && !given.has('d') ? folders : single).push({ name: path, path, inode });
  }
  if (single.length > 0) show(arranged(single, given, target), true);
  let shown = single.length;
  const queue = arranged(folders, given, target);
  const titled = operands.length > 1 || given.has('R');
  for (let i = 0; i < queue.length; i++) {
    const { path } = queue[i]!;
    const entries = arranged(entriesOf(call, path, given), given, target);
    if (titled) call.out(`${shown++ > 0 ? '\n' : ''}${path}:\n`);
    show(entries, false);
    files.budget.spend(4);
    if (!given.has('R')) continue;
    const below = entries.filter(({ name, inode }) => inode?.kind === 'directory' && name !== '.' && name !== '..');
    queue.splice(i + 1, 0, ...below.map((one) => ({ ...one, name: one.path })));
  }
  return status;
}

function entriesOf(call: Call, path: string, given: Given): Entry[] {
  const { files } = call;
  let names = files.list(path);
  if (given.has('a', 'f')) names = ['.', '..', ...names];
  else if (!given.has('A')) names = names.filter((name) => !name.startsWith('.'));
  if (given.has('B')) names = names.filter((name) => !name.endsWith('~'));
  const base = path === '/' ? '' : path.replace(/\/$/, '');
  const entries = names.map((name): Entry => {
    const full = `${base}/${name}`;
    return {
      name,
      path: full,
      inode: (given.has('L') ? files.find(full) : undefined) ?? files.find(full, name === '.' || name === '..'),
    };
  });
  const ignored = [...given.all('I'), ...(given.has('a', 'A') ? [] : given.all('hide'))];
  if (ignored.length === 0) return entries;
  return entries.filter(({ name }) => !ignored.some((pattern) => files.fits(pattern, name)));
}

/** `-m`: names with commas, in lines of 80 columns. */
function wrapped(names: readonly string[], given: Given): string {
  const width = Number(given.last('w') ?? 80) || Number.POSITIVE_INFINITY;
  let out = '';
  let column = 0;
  for (const [i, name] of names.entries()) {
    const comma = i < names.length - 1 ? 2 : 0;
    if (i > 0) {
      if (column + name.length + comma < width) {
        out += ' ';
        column++;
      } else {
        out += '\n';
        column = 0;
      }
    }
    out += name + (comma > 0 ? ',' : '');
    column += name.length + (comma > 0 ? 1 : 0);
  }
  return out;
}

/** Listing directories. */
export const LS_COMMANDS: Readonly<Record<string, Command>> = { ls, dir: ls };
