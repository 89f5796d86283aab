import { withoutEnding } from '../../bytes/ending.ts';
import type { Call, Command } from '../command.ts';
import type { Taken } from '../given.ts';

const BASENAME: Taken = { known: 'a,multiple s,suffix= z,zero', stop: true };
const DIRNAME: Taken = { known: 'z,zero' };

function basename(call: Call): number {
  const given = call.parse(BASENAME);
  const many = given.has('a', 's');
  const suffix = many ? given.last('s') : given.operands[1];
  if (given.operands.length === 0) return call.fail('missing operand');
  if (!many && given.operands.length > 2) return call.fail(`extra operand '${given.operands[2]}'`);
  for (const path of many ? given.operands : given.operands.slice(0, 1)) {
    let name = path === '' ? '' : withoutEnding(path, '/').split('/').pop() || '/';
    if (suffix !== undefined && suffix !== '' && name !== suffix && name.endsWith(suffix))
      name = name.slice(0, name.length - suffix.length);
    call.out(name + (given.has('z') ? '\0' : '\n'));
  }
  return 0;
}

function dirname(call: Call): number {
  const given = call.parse(DIRNAME);
  if (given.operands.length === 0) return call.fail('missing operand');
  for (const path of given.operands) {
    const clean = withoutEnding(path, '/') || path.slice(0, 1);
    const slash = clean.lastIndexOf('/');
    const out = slash < 0 ? '.' : withoutEnding(clean.slice(0, slash), '/') || '/';
    call.out(out + (given.has('z') ? '\0' : '\n'));
  }
  return 0;
}

/** Most symbolic links that are followed for one path: MAXSYMLINKS of the kernel. */
const MOST_LINKS = 40;

/** The path with its links resolved, as canonicalize_filename_mode of gnulib; undefined where a part is missing. */
function canonical(call: Call, path: string, missing: 'none' | 'last' | 'any', links = true): string | undefined {
  const { files } = call;
  if (path === '') return undefined;
  const waiting = files.absolute(path).split('/').reverse();
  // a path that ends in a slash must be a directory, unless everything may be missing
  const folder = /\/$/.test(path) && missing !== 'any';
  let out = '';
  let followed = 0;
  while (waiting.length > 0) {
    const name = waiting.pop()!;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      out = out.slice(0, Math.max(0, out.lastIndexOf('/')));
      continue;
    }
    files.budget.spend();
    const at = `${out}/${name}`;
    const inode = files.find(at, false);
    const rest = waiting.some((part) => part !== '' && part !== '.');
    if (inode === undefined) {
      if (missing === 'none' || (missing === 'last' && rest)) return undefined;
    } else if (inode.kind === 'symlink' && links) {
      if (++followed > MOST_LINKS) return undefined;
      if (inode.target.startsWith('/')) out = '';
      for (const each of inode.target.split('/').reverse()) waiting.push(each);
      continue;
    } else if (inode.kind !== 'directory' && (rest || (folder && waiting.length > 0)) && missing !== 'any')
      return undefined;
    out = at;
  }
  if (folder && out !== '' && files.find(out) !== undefined && files.find(out)!.kind !== 'directory') return undefined;
  return out === '' ? '/' : out;
}

const READLINK: Taken = {
  known: 'f,canonicalize e,canonicalize-existing m,canonicalize-missing n,no-newline q,quiet s,silent v,verbose z,zero',
};
const MODES = { f: 'last', e: 'none', m: 'any' } as const;

function readlink(call: Call): number {
  const given = call.parse(READLINK);
  let status = 0;
  if (given.operands.length === 0) return call.fail('missing operand');
  const mode = given.lastOf('f', 'e', 'm') as keyof typeof MODES | undefined;
  const end = given.has('n') && given.operands.length === 1 ? '' : given.has('z') ? '\0' : '\n';
  for (const path of given.operands) {
    let out: string | undefined;
    if (mode !== undefined) out = canonical(call, path, MODES[mode]);
    else {
      const inode = call.files.find(path, false);
      out = inode?.kind === 'symlink' ? inode.target : undefined;
    }
    if (out !== undefined) call.out(out + end);
    else {
      status = 1;
      if (given.lastOf('v', 'q', 's') === 'v') call.complain(`${path}: No such file or directory`);
    }
  }
  return status;
}

const REALPATH: Taken = {
  known:
    'e,canonicalize-existing m,canonicalize-missing L,logical P,physical q,quiet relative-to= relative-base= s,strip,no-symlinks z,zero',
};

function realpath(call: Call): number {
  const given = call.parse(REALPATH);
  if (given.operands.length === 0) return call.fail('missing operand');
  const mode = MODES[(given.lastOf('e', 'm') as 'e' | 'm' | undefined) ?? 'f'];
  const resolve = (path: string) => canonical(call, path, mode, !given.has('s'));
  const folder = (name: string) => (given.has(name) ? resolve(given.last(name)!) : undefined);
  const to = folder('relative-to');
  const base = folder('relative-base');
  if ((given.has('relative-to') && to === undefined) || (given.has('relative-base') && base === undefined))
    return call.fail('No such file or directory');
  let status = 0;
  for (const path of given.operands) {
    const found = resolve(path);
    if (found === undefined) {
      status = 1;
      if (!given.has('q')) call.complain(`${path}: No such file or directory`);
      continue;
    }
    const below = base === undefined || isBelow(found, base);
    const from = to ?? base;
    const shown =
      from !== undefined && below && (base === undefined || isBelow(from, base)) ? relativePath(found, from) : found;
    call.out(shown + (given.has('z') ? '\0' : '\n'));
  }
  return status;
}

const isBelow = (path: string, folder: string) => folder === '/' || path === folder || path.startsWith(`${folder}/`);

/** The way from the directory `from` to `path`, both absolute and resolved. */
export function relativePath(path: string, from: string): string {
  const [a, b] = [path, from].map((one) => one.split('/').filter((part) => part !== '')) as [string[], string[]];
  let same = 0;
  while (same < a.length && same < b.length && a[same] === b[same]) same++;
  return [...b.slice(same).map(() => '..'), ...a.slice(same)].join('/') || '.';
}

/** The path that a relative link at `to` needs to name `from`. */
export function relativeTarget(call: Call, from: string, to: string): string {
  const target = canonical(call, from, 'any') ?? call.files.absolute(from);
  const folder = canonical(call, to.replace(/[^/]*\/*$/, '') || '.', 'any') ?? '/';
  return relativePath(target, folder);
}

const MKTEMP: Taken = { known: 'd,directory q,quiet u,dry-run t p= tmpdir=? suffix=' };
const TEMPFILE: Taken = { known: 'd,directory= m,mode= n,name= p,prefix= s,suffix=' };

/** `mktemp`: names come from a counter instead of random numbers, so that builds are reproducible. */
function mktemp(call: Call): number {
  const given = call.parse(MKTEMP);
  const { shell } = call;
  if (given.operands.length > 1) return call.fail('too many templates');
  const template = given.operands[0] ?? 'tmp.XXXXXXXXXX';
  const suffix = given.last('suffix') ?? '';
  const match = /^([\s\S]*?)(X{3,})([^X]*)$/.exec(template);
  if (match === null || (given.has('suffix') && match[3] !== ''))
    return given.has('q') ? 1 : call.fail(`too few X's in template '${template}'`);
  const inside = given.operands[0] === undefined || given.has('t', 'p', 'tmpdir');
  if (inside && template.startsWith('/') && given.operands[0] !== undefined)
    return call.fail(`invalid template, '${template}'; with --tmpdir, it may not be absolute`);
  const folder = given.last('p', 'tmpdir') || shell.get('TMPDIR') || '/tmp';
  return makeTemporary(call, {
    ...{ start: inside ? `${withoutEnding(folder, '/')}/${match[1]}` : match[1]!, end: match[3]! + suffix },
    ...{
      width: match[2]!.length,
      directory: given.has('d'),
      dry: given.has('u'),
      quiet: given.has('q'),
      mode: undefined,
    },
  });
}

/** Debian's old `tempfile`. */
function tempfile(call: Call): number {
  const given = call.parse(TEMPFILE);
  const folder = call.shell.get('TMPDIR') || given.last('d') || '/tmp';
  const mode = Number.parseInt(given.last('m') ?? '600', 8);
  return makeTemporary(call, {
    ...{ start: `${withoutEnding(folder, '/')}/${given.last('p') ?? 'file'}`, end: given.last('s') ?? '', width: 6 },
    ...{ directory: false, dry: false, quiet: false, mode },
  });
}

interface Temporary {
  readonly start: string;
  readonly width: number;
  readonly end: string;
  readonly directory: boolean;
  readonly dry: boolean;
  readonly quiet: boolean;
  readonly mode: number | undefined;
}

function makeTemporary(call: Call, { start, width, end, directory, dry, quiet, mode }: Temporary): number {
  const { files } = call;
  if (start.startsWith('/tmp/') && files.find('/tmp') === undefined) files.mkdir('/tmp').mode = 0o1777;
  for (let n = 0; ; n++) {
    files.budget.spend(4);
    const path = `${start}${n.toString(36).padStart(width, '0')}${end}`;
    if (files.find(path, false) !== undefined) continue;
    if (!dry) {
      const make = () => {
        if (directory) files.mkdir(path).mode = 0o700;
        else files.open(path)!.mode = mode ?? 0o600;
      };
      if (quiet) {
        if (files.find(path.replace(/\/?[^/]*$/, '') || (path.startsWith('/') ? '/' : '.')) === undefined) return 1;
        make();
      } else if (!call.attempt(`failed to create ${directory ? 'directory' : 'file'} via template`, make)) return 1;
    }
    call.out(`${path}\n`);
    return 0;
  }
}

const WHICH: Taken = { known: 'a s', status: 2 };

function which(call: Call): number {
  const given = call.parse(WHICH);
  let status = given.operands.length === 0 ? 1 : 0;
  for (const name of given.operands) {
    const path = call.shell.lookUp(name);
    if (path === undefined) status = 1;
    else if (!given.has('s')) call.out(`${path}\n`);
  }
  return status;
}

const PATHCHK: Taken = { known: 'p P portability' };

function pathchk(call: Call): number {
  const given = call.parse(PATHCHK);
  if (given.operands.length === 0) return call.fail('missing operand');
  const portable = given.has('p', 'portability');
  let status = 0;
  for (const path of given.operands) {
    const names = path.split('/').filter((name) => name !== '');
    const most = portable ? 14 : 255;
    const bad =
      (portable && /[^A-Za-z0-9._/-]/.test(path)) ||
      path.length >= (portable ? 256 : 4096) ||
      names.some((name) => name.length > most) ||
      (given.has('P', 'portability') && (path === '' || names.some((name) => name.startsWith('-'))));
    if (bad) status = call.fail(`'${path}' is not portable`);
  }
  return status;
}

/** Commands about paths. */
export const PATH_COMMANDS: Readonly<Record<string, Command>> = {
  ...{ basename, dirname, mktemp, pathchk, readlink, realpath, tempfile, which },
};
