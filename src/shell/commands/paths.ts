import type { Inode } from '../../tree/inode.ts';
import { type Call, type Command, options } from '../command.ts';
import { groupName, userName } from './owners.ts';

function basename(call: Call): number {
  const given = options(call.args, '+as:z', 'multiple suffix= zero');
  const many = given.has('a', 'multiple', 's', 'suffix');
  const suffix = many ? given.last('s', 'suffix') : given.operands[1];
  const names = many ? given.operands : given.operands.slice(0, 1);
  if (names.length === 0) return call.fail('missing operand');
  for (const path of names) {
    let name = path === '' ? '' : path.replace(/\/+$/, '').split('/').pop() || '/';
    if (suffix !== undefined && name !== suffix && name.endsWith(suffix))
      name = name.slice(0, name.length - suffix.length);
    call.out(`${name}\n`);
  }
  return 0;
}

function dirname(call: Call): number {
  const { operands } = options(call.args, '+z', 'zero');
  if (operands.length === 0) return call.fail('missing operand');
  for (const path of operands) {
    const clean = path.replace(/\/+$/, '') || path.slice(0, 1);
    const slash = clean.lastIndexOf('/');
    call.out(`${slash < 0 ? '.' : clean.slice(0, slash).replace(/\/+$/, '') || '/'}\n`);
  }
  return 0;
}

/** The path with its links resolved; missing parts are kept unchanged where that is allowed. */
function canonical(call: Call, path: string, missing: 'none' | 'last' | 'any'): string | undefined {
  const real = call.files.real(path);
  if (real !== undefined) return real;
  if (missing === 'none' || path === '') return undefined;
  // a dangling link at the end is followed too
  const link = call.files.find(path, false);
  if (link?.kind === 'symlink')
    return canonical(
      call,
      link.target.startsWith('/') ? link.target : `${path.replace(/[^/]*$/, '')}${link.target}`,
      missing,
    );
  const clean = call.files.absolute(path).replace(/\/+$/, '');
  const slash = clean.lastIndexOf('/');
  const name = clean.slice(slash + 1);
  const parent = call.shell.budget.deeper(() =>
    canonical(call, clean.slice(0, slash) || '/', missing === 'any' ? 'any' : 'none'),
  );
  if (parent === undefined) return undefined;
  if (name === '..') return parent.replace(/\/[^/]*$/, '') || '/';
  return name === '.' || name === '' ? parent : `${parent === '/' ? '' : parent}/${name}`;
}

function readlink(call: Call): number {
  const given = options(
    call.args,
    'femnqsvz',
    'canonicalize canonicalize-existing canonicalize-missing no-newline quiet silent verbose zero',
  );
  let status = 0;
  if (given.operands.length === 0) return call.fail('missing operand');
  for (const path of given.operands) {
    let out: string | undefined;
    if (given.has('e', 'canonicalize-existing')) out = canonical(call, path, 'none');
    else if (given.has('m', 'canonicalize-missing')) out = canonical(call, path, 'any');
    else if (given.has('f', 'canonicalize')) out = canonical(call, path, 'last');
    else {
      const inode = call.files.find(path, false);
      out = inode?.kind === 'symlink' ? inode.target : undefined;
    }
    if (out === undefined) status = 1;
    else call.out(out + (given.has('n', 'no-newline') ? '' : given.has('z', 'zero') ? '\0' : '\n'));
  }
  return status;
}

function realpath(call: Call): number {
  const given = options(
    call.args,
    'emsqzLP',
    'canonicalize-existing canonicalize-missing strip no-symlinks quiet zero logical physical relative-to= relative-base=',
  );
  let status = 0;
  for (const path of given.operands) {
    const how = given.has('e', 'canonicalize-existing')
      ? 'none'
      : given.has('m', 'canonicalize-missing')
        ? 'any'
        : 'last';
    const out = canonical(call, path, how);
    if (out !== undefined) call.out(`${out}\n`);
    else {
      status = 1;
      if (!given.has('q', 'quiet')) call.complain(`${path}: No such file or directory`);
    }
  }
  return status;
}

const KIND_LETTERS: Readonly<Record<Inode['kind'], string>> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  char: 'c',
  block: 'b',
  fifo: 'p',
  socket: 's',
};

/** Mode in letters, as printed by `ls -l`. */
function modeText(inode: Inode): string {
  let text = '';
  for (let shift = 6; shift >= 0; shift -= 3) {
    const bits = (inode.mode >> shift) & 7;
    text += (bits & 4 ? 'r' : '-') + (bits & 2 ? 'w' : '-');
    const special = (inode.mode >> (9 + shift / 3)) & 1;
    const letter = shift === 0 ? 't' : 's';
    text += special ? (bits & 1 ? letter : letter.toUpperCase()) : bits & 1 ? 'x' : '-';
  }
  return KIND_LETTERS[inode.kind] + text;
}

const sizeOf = (inode: Inode) =>
  inode.kind === 'file'
    ? inode.content.size
    : inode.kind === 'symlink'
      ? inode.target.length
      : inode.kind === 'directory'
        ? 4096
        : 0;

/** Counts the links of inodes; the tree is walked once, when the first is asked for. */
function linkCounter(files: Call['files']): (inode: Inode) => number {
  let names: Map<Inode, number> | undefined;
  return (inode) => {
    if (inode.kind === 'directory')
      return 2 + [...inode.children.values()].filter((child) => child.kind === 'directory').length;
    if (names === undefined) {
      names = new Map();
      let entries = 0;
      for (const one of files.tree.walk()) {
        entries++;
        names.set(one.inode, (names.get(one.inode) ?? 0) + 1);
      }
      files.budget.spend(entries);
    }
    return names.get(inode) ?? 1;
  };
}

function ls(call: Call): number {
  const given = options(
    call.args,
    'aAdlL1RrtSnogFhipqcuUvxCmX',
    'all almost-all directory reverse color=? no-group human-readable recursive',
  );
  const { files } = call;
  let status = 0;
  const long = given.has('l', 'n', 'o', 'g');
  const links = linkCounter(files);
  const line = (path: string, name: string) => {
    const inode = files.find(path, given.has('L'));
    if (!long || inode === undefined) return `${name}\n`;
    files.budget.spend(6);
    const owner = given.has('n')
      ? `${inode.uid} ${inode.gid}`
      : `${userName(files, inode.uid)} ${groupName(files, inode.gid)}`;
    const day = new Date(inode.mtime * 1000).toISOString();
    const to = inode.kind === 'symlink' ? ` -> ${inode.target}` : '';
    return `${modeText(inode)} ${links(inode)} ${owner} ${sizeOf(inode)} ${day.slice(0, 10)} ${day.slice(11, 16)} ${name}${to}\n`;
  };
  const operands = given.operands.length === 0 ? ['.'] : [...given.operands].sort();
  const folders: string[] = [];
  for (const path of operands) {
    const inode = files.find(path) ?? files.find(path, false);
    if (inode === undefined) {
      call.complain(`cannot access '${path}': No such file or directory`);
      status = 2;
    } else if (inode.kind === 'directory' && !given.has('d', 'directory')) folders.push(path);
    else call.out(line(path, path));
  }
  for (const [i, path] of folders.entries()) {
    let names = files.list(path);
    if (given.has('a', 'all')) names = ['.', '..', ...names];
    else if (!given.has('A', 'almost-all')) names = names.filter((name) => !name.startsWith('.'));
    if (given.has('t'))
      names.sort(
        (a, b) => (files.find(`${path}/${b}`, false)?.mtime ?? 0) - (files.find(`${path}/${a}`, false)?.mtime ?? 0),
      );
    if (given.has('r', 'reverse')) names.reverse();
    if (operands.length > 1 || given.has('R')) call.out(`${i > 0 ? '\n' : ''}${path}:\n`);
    call.out(names.map((name) => line(`${path}/${name}`, name)).join(''));
    if (given.has('R'))
      for (const name of names)
        if (files.find(`${path}/${name}`, false)?.kind === 'directory') folders.push(`${path}/${name}`);
    files.budget.spend(4);
  }
  return status;
}

const KIND_NAMES: Readonly<Record<Inode['kind'], string>> = {
  file: 'regular file',
  directory: 'directory',
  symlink: 'symbolic link',
  char: 'character special file',
  block: 'block special file',
  fifo: 'fifo',
  socket: 'socket',
};

function stat(call: Call): number {
  const given = options(call.args, 'Lc:ft', 'dereference format= printf= file-system terse');
  const { files } = call;
  const links = linkCounter(files);
  const printf = given.last('printf');
  const format = printf ?? given.last('c', 'format') ?? '%N %a %U %G %s';
  let status = 0;
  for (const path of given.operands) {
    const done = call.attempt(path, () => {
      const inode = files.stat(path, given.has('L', 'dereference'));
      const text = format.replace(/%([a-zA-Z%])/g, (all, letter: string) => {
        switch (letter) {
          case 'a':
            return inode.mode.toString(8);
          case 'A':
            return modeText(inode);
          case 'u':
            return String(inode.uid);
          case 'g':
            return String(inode.gid);
          case 'U':
            return userName(files, inode.uid);
          case 'G':
            return groupName(files, inode.gid);
          case 's':
            return String(sizeOf(inode));
          case 'n':
            return path;
          case 'N':
            return `'${path}'${inode.kind === 'symlink' ? ` -> '${inode.target}'` : ''}`;
          case 'F':
            return inode.kind === 'file' && inode.content.size === 0 ? 'regular empty file' : KIND_NAMES[inode.kind];
          case 'X':
          case 'Y':
          case 'Z':
            return String(inode.mtime);
          case 'h':
            return String(links(inode));
          case 'd':
          case 'i':
            return '1';
          case 'm':
            return '/';
          case '%':
            return '%';
          default:
            return all;
        }
      });
      call.out(printf === undefined ? `${text}\n` : text.replaceAll('\\n', '\n'));
    });
    if (!done) status = 1;
  }
  return status;
}

/** `mktemp`: names come from a counter instead of random numbers, so that builds are reproducible. */
function mktemp(call: Call): number {
  const given = options(call.args, 'dqut:p:', 'directory quiet dry-run tmpdir=? suffix=');
  const { files, shell } = call;
  const template = given.operands[0] ?? given.last('t') ?? 'tmp.XXXXXXXXXX';
  if (!/X{3,}/.test(template)) return call.fail(`too few X's in template '${template}'`);
  const folder = given.last('p') || given.last('tmpdir') || shell.get('TMPDIR') || '/tmp';
  const inside = given.operands[0] === undefined || given.has('t', 'p', 'tmpdir');
  for (let n = 0; ; n++) {
    files.budget.spend(4);
    const name =
      template.replace(/X{3,}(?!.*X{3})/, (run) => n.toString(36).padStart(run.length, '0')) +
      (given.last('suffix') ?? '');
    const path = inside ? `${folder.replace(/\/+$/, '')}/${name}` : name;
    if (files.find(path, false) !== undefined) continue;
    if (folder === '/tmp' && files.find('/tmp') === undefined) files.mkdir('/tmp').mode = 0o1777;
    if (!given.has('u', 'dry-run')) {
      if (given.has('d', 'directory')) files.mkdir(path).mode = 0o700;
      else files.open(path)!.mode = 0o600;
    }
    call.out(`${path}\n`);
    return 0;
  }
}

function which(call: Call): number {
  const given = options(call.args, 'as', 'all');
  let status = given.operands.length === 0 ? 1 : 0;
  for (const name of given.operands) {
    const path = call.shell.lookUp(name);
    if (path === undefined) status = 1;
    else if (!given.has('s')) call.out(`${path}\n`);
  }
  return status;
}

/** Commands about paths and the files at them. */
export const PATH_COMMANDS: Readonly<Record<string, Command>> = {
  basename,
  dir: ls,
  dirname,
  ls,
  mktemp,
  readlink,
  realpath,
  stat,
  tempfile: mktemp,
  which,
};
