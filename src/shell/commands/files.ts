import type { Directory, Inode } from '../../tree/inode.ts';
import { type Call, type Command, type Options, options } from '../command.ts';
import { FileError, textContent } from '../files.ts';
import { applyMode, groupId, parseOwner, setOwner, userId } from './owners.ts';

const lastName = (path: string) => path.replace(/\/+$/, '').split('/').pop() || '/';
const under = (folder: string, name: string) => `${folder.replace(/\/+$/, '')}/${name}`;

/** Calls `body` for each operand; returns 1 when any of them failed. */
function each(call: Call, operands: readonly string[], body: (path: string) => void): number {
  let status = 0;
  for (const path of operands) if (!call.attempt(path, () => body(path))) status = 1;
  return status;
}

/** `inode` and every inode below it, directories before their contents. */
function* below(path: string, inode: Inode): Generator<{ path: string; inode: Inode }> {
  yield { path, inode };
  if (inode.kind !== 'directory') return;
  for (const [name, child] of [...inode.children].sort(([a], [b]) => (a < b ? -1 : 1)))
    yield* below(under(path, name), child);
}

function mkdir(call: Call): number {
  const given = options(call.args, 'pm:vZ', 'parents mode= verbose');
  const { files } = call;
  const mode = given.last('m', 'mode');
  const parents = given.has('p', 'parents');
  if (given.operands.length === 0) return call.fail('missing operand');
  return each(call, given.operands, (path) => {
    let made: Directory | undefined;
    if (parents) {
      let at = path.startsWith('/') ? '/' : '';
      const names = path.split('/').filter((name) => name !== '');
      for (const [i, name] of names.entries()) {
        at += name;
        const inode = files.find(at);
        if (inode === undefined) made = files.mkdir(at, i === names.length - 1 ? 0o777 : 0o777 | 0o300);
        else if (inode.kind !== 'directory')
          throw new FileError(i === names.length - 1 ? 'File exists' : 'Not a directory');
        else made = undefined;
        at += '/';
      }
    } else made = files.mkdir(path);
    if (made === undefined || mode === undefined) return;
    const bits = applyMode(mode, 0o777, true, files.umask);
    if (bits === undefined) throw new FileError(`invalid mode '${mode}'`);
    made.mode = bits;
  });
}

function rmdir(call: Call): number {
  const given = options(call.args, 'pv', 'parents verbose ignore-fail-on-non-empty');
  const { files } = call;
  const quiet = given.has('ignore-fail-on-non-empty');
  return each(call, given.operands, (operand) => {
    let path = operand.replace(/\/+$/, '') || '/';
    for (;;) {
      const inode = files.stat(path, false);
      if (inode.kind !== 'directory') throw new FileError('Not a directory');
      if (inode.children.size > 0) {
        if (quiet || path !== operand) return;
        throw new FileError('Directory not empty');
      }
      files.unlink(path, true);
      const slash = path.lastIndexOf('/');
      if (!given.has('p', 'parents') || slash <= 0) return;
      path = path.slice(0, slash);
    }
  });
}

function rm(call: Call): number {
  const given = options(
    call.args,
    'rRfdiIv',
    'recursive force dir interactive=? verbose one-file-system preserve-root=? no-preserve-root',
  );
  const { files } = call;
  const force = given.has('f', 'force');
  const recursive = given.has('r', 'R', 'recursive');
  if (given.operands.length === 0) return force ? 0 : call.fail('missing operand');
  return each(call, given.operands, (path) => {
    const inode = force ? files.find(path.replace(/\/+$/, '') || '/', false) : files.stat(path, false);
    if (inode === undefined) return;
    if (/(^|\/)\.\.?\/*$/.test(path)) throw new FileError("refusing to remove '.' or '..' directory");
    if (inode === files.tree.root) throw new FileError('it is dangerous to operate recursively on /');
    if (inode.kind === 'directory' && !recursive) {
      if (!given.has('d', 'dir')) throw new FileError('Is a directory');
      if (inode.children.size > 0) throw new FileError('Directory not empty');
    }
    files.unlink(path.replace(/\/+$/, ''), true);
  });
}

function touch(call: Call): number {
  const given = options(call.args, 'acmhfr:d:t:', 'no-create reference= date= time= no-dereference');
  const { files } = call;
  return each(call, given.operands, (path) => {
    const reference = given.last('r', 'reference');
    const stamp = reference === undefined ? files.time : files.stat(reference).mtime;
    const present = files.find(path, !given.has('h', 'no-dereference'));
    if (present === undefined) {
      if (given.has('c', 'no-create')) return;
      const made = files.open(path);
      if (made !== undefined) made.mtime = stamp;
    } else {
      present.mtime = stamp;
      delete present.nanoseconds;
    }
  });
}

function chmod(call: Call): number {
  // a mode such as -x or -rwx is not an option
  const args = call.args.map((arg) => (/^-[rwxXstugo]+$/.test(arg) && !/^-R$/.test(arg) ? `a${arg}` : arg));
  const given = options(
    args,
    'Rvcf',
    'recursive verbose changes silent quiet reference= preserve-root no-preserve-root',
  );
  const { files } = call;
  const reference = given.last('reference');
  const [mode = '', ...rest] = reference === undefined ? given.operands : ['', ...given.operands];
  if (rest.length === 0) return call.fail('missing operand');
  return each(call, rest, (path) => {
    const all = given.has('R', 'recursive') ? [...below(path, files.stat(path))] : [{ inode: files.stat(path) }];
    for (const { inode } of all) {
      if (inode.kind === 'symlink') continue;
      files.budget.spend(4);
      const bits =
        reference === undefined
          ? applyMode(mode, inode.mode, inode.kind === 'directory', files.umask)
          : files.stat(reference).mode;
      if (bits === undefined) throw new FileError(`invalid mode: '${mode}'`);
      inode.mode = bits;
    }
  });
}

function chown(call: Call): number {
  const given = options(
    call.args,
    'RhvcfHLP',
    'recursive no-dereference dereference verbose changes silent quiet from= reference= preserve-root no-preserve-root',
  );
  const { files } = call;
  const reference = given.last('reference');
  const [owner = '', ...rest] = reference === undefined ? given.operands : ['', ...given.operands];
  if (rest.length === 0) return call.fail('missing operand');
  const recursive = given.has('R', 'recursive');
  const links = recursive || given.has('h', 'no-dereference');
  return each(call, rest, (path) => {
    const model = reference === undefined ? undefined : files.stat(reference);
    const ids =
      model !== undefined
        ? { uid: model.uid, gid: model.gid }
        : call.name === 'chgrp'
          ? { gid: groupId(files, owner) }
          : parseOwner(files, owner);
    const top = files.stat(path, !links);
    for (const { inode } of recursive ? below(path, top) : [{ inode: top }]) {
      files.budget.spend(4);
      const from = given.last('from');
      if (from !== undefined) {
        const required = parseOwner(files, from);
        if ((required.uid ?? inode.uid) !== inode.uid || (required.gid ?? inode.gid) !== inode.gid) continue;
      }
      setOwner(inode, ids);
    }
  });
}

/** Sources and their target paths: into a directory, or a single source under a new name. */
function targets(call: Call, given: Options): [from: string, to: string][] | undefined {
  const folder = given.last('t', 'target-directory');
  const operands = [...given.operands];
  if (folder !== undefined) return operands.map((from) => [from, under(folder, lastName(from))]);
  const to = operands.pop();
  if (to === undefined || operands.length === 0) {
    call.complain('missing file operand');
    return undefined;
  }
  const into =
    !given.has('T', 'no-target-directory') &&
    call.files.find(to)?.kind === 'directory' &&
    !(given.has('n') && call.name === 'ln' && call.files.find(to, false)?.kind === 'symlink');
  if (operands.length > 1 && !into) {
    call.complain(`target '${to}': No such file or directory`);
    return undefined;
  }
  return operands.map((from) => [from, into ? under(to, lastName(from)) : to]);
}

function cp(call: Call): number {
  const given = options(
    call.args,
    'aprRdfinuvlsTt:PLHxZ',
    'archive recursive force interactive no-clobber update=? verbose link symbolic-link no-target-directory target-directory= no-dereference dereference preserve=? no-preserve= remove-destination parents sparse= reflink=? backup=? one-file-system attributes-only',
  );
  const { files } = call;
  const archive = given.has('a', 'archive');
  const pairs = targets(call, given);
  if (pairs === undefined) return 1;
  const keep = archive || given.has('p', 'preserve');
  const recursive = archive || given.has('r', 'R', 'recursive');
  const follow = given.has('L', 'dereference') || (!archive && !given.has('d', 'P', 'no-dereference') && !recursive);
  const copies = new Map<Inode, Inode>();

  const copy = (inode: Inode, to: string): void => {
    files.budget.spend(4);
    if (inode.kind === 'directory') {
      if (!recursive) throw new FileError('-r not specified; omitting directory');
      const there = files.find(to);
      if (there !== undefined && there.kind !== 'directory') throw new FileError('cannot overwrite non-directory');
      const made = there ?? files.mkdir(to, inode.mode & 0o777);
      if (keep) imitate(made, inode);
      for (const [name, child] of [...inode.children]) {
        // the copy may be inside the copied directory
        if (child !== made) copy(given.has('L', 'dereference') ? files.stat(under(to, name)) : child, under(to, name));
      }
      return;
    }
    const there = files.find(to, false);
    if (there !== undefined) {
      if (there === inode) throw new FileError(`'${to}' are the same file`);
      if (there.kind === 'directory') throw new FileError('cannot overwrite directory with non-directory');
      if (given.has('n', 'no-clobber')) return;
      if (given.has('u', 'update') && there.mtime >= inode.mtime) return;
    }
    if (given.has('s', 'symbolic-link')) return files.symlink(to, to);
    if (inode.kind === 'file' && there !== undefined && !given.has('remove-destination') && !given.has('l', 'link')) {
      const open = files.open(to);
      if (open !== undefined) {
        if (open === inode) throw new FileError('are the same file');
        open.content = inode.content;
        files.touch(open);
        if (keep) imitate(open, inode);
      }
      return;
    }
    if (there !== undefined) files.unlink(to);
    if (given.has('l', 'link')) return void files.put(files.place(to), inode);
    const linked = archive ? copies.get(inode) : undefined;
    if (linked !== undefined) return void files.put(files.place(to), linked);
    const made: Inode = { ...inode, ...files.meta(inode.mode & 0o777) };
    delete made.user;
    delete made.group;
    delete made.xattrs;
    if (inode.kind === 'symlink') made.mode = 0o777;
    if (keep) imitate(made, inode);
    copies.set(inode, made);
    files.put(files.place(to), made);
  };

  let status = 0;
  for (const [from, to] of pairs) {
    const target = given.has('parents') ? under(given.operands.at(-1)!, from) : to;
    const done = call.attempt(from, () => {
      if (from === '/dev/null') return files.write(target, '');
      const inode = files.stat(from, follow || (recursive && given.has('H')));
      if (inode.kind === 'directory' && isWithin(inode, files.find(target) ?? parentOf(call, target)))
        throw new FileError('cannot copy a directory into itself');
      copy(inode, target);
    });
    if (!done) status = 1;
  }
  return status;
}

function parentOf(call: Call, path: string): Inode | undefined {
  return call.files.find(
    path.replace(/\/+$/, '').split('/').slice(0, -1).join('/') || (path.startsWith('/') ? '/' : '.'),
  );
}

/** True when `inode` is `folder` or anywhere below it. */
function isWithin(folder: Directory, inode: Inode | undefined): boolean {
  if (inode?.kind !== 'directory') return false;
  if (folder === inode) return true;
  for (const child of folder.children.values()) if (child.kind === 'directory' && isWithin(child, inode)) return true;
  return false;
}

/** Gives a copy the owner, mode, times and attributes of its source. */
function imitate(made: Inode, from: Inode): void {
  made.mode = from.mode;
  made.uid = from.uid;
  made.gid = from.gid;
  made.mtime = from.mtime;
  for (const key of ['user', 'group', 'nanoseconds'] as const) {
    if (from[key] === undefined) delete made[key];
    else Object.assign(made, { [key]: from[key] });
  }
  if (from.xattrs !== undefined) made.xattrs = new Map(from.xattrs);
}

function mv(call: Call): number {
  const given = options(
    call.args,
    'finuvTt:bZ',
    'force interactive no-clobber update=? verbose no-target-directory target-directory= backup=? suffix=',
  );
  const { files } = call;
  const pairs = targets(call, given);
  if (pairs === undefined) return 1;
  let status = 0;
  for (const [from, to] of pairs) {
    const done = call.attempt(from, () => {
      const source = from.replace(/\/+$/, '') || '/';
      const inode = files.stat(source, false);
      const there = files.find(to, false);
      if (inode === files.tree.root) throw new FileError('Device or resource busy');
      if (there !== undefined) {
        if (given.has('n', 'no-clobber')) return;
        if (there === inode) throw new FileError('are the same file');
        if (there.kind === 'directory' && inode.kind !== 'directory') throw new FileError('cannot overwrite directory');
        if (there.kind === 'directory' && there.children.size > 0) throw new FileError('Directory not empty');
        if (there.kind !== 'directory' && inode.kind === 'directory') throw new FileError('Not a directory');
      }
      if (inode.kind === 'directory' && isWithin(inode, parentOf(call, to)))
        throw new FileError('cannot move a directory into itself');
      const place = files.place(to.replace(/\/+$/, ''));
      files.unlink(source, true);
      files.put(place, inode);
    });
    if (!done) status = 1;
  }
  return status;
}

function ln(call: Call): number {
  const given = options(
    call.args,
    'sfnrvTt:biLP',
    'symbolic force no-dereference relative verbose no-target-directory target-directory= backup=? suffix= interactive logical physical',
  );
  const { files } = call;
  const symbolic = given.has('s', 'symbolic');
  const operands = given.operands.length === 1 ? [...given.operands, '.'] : given.operands;
  const pairs = targets(call, {
    ...given,
    operands,
    has: (...names) => given.has(...names) || (names.includes('n') && given.has('no-dereference')),
  });
  if (pairs === undefined) return 1;
  let status = 0;
  for (const [from, to] of pairs) {
    const done = call.attempt(to, () => {
      const source = symbolic ? undefined : files.stat(from, false);
      if (source?.kind === 'directory') throw new FileError('hard link not allowed for directory');
      const there = files.find(to, false);
      if (there !== undefined) {
        if (!given.has('f', 'force')) throw new FileError('File exists');
        if (there === source) return;
        if (there.kind === 'directory') throw new FileError('cannot overwrite directory');
        files.unlink(to);
      }
      if (source !== undefined) files.put(files.place(to), source);
      else files.symlink(to, given.has('r', 'relative') ? relative(call, from, to) : from);
    });
    if (!done) status = 1;
  }
  return status;
}

function relative(call: Call, from: string, to: string): string {
  const clean = (path: string) =>
    (call.files.real(path) ?? call.files.absolute(path)).split('/').filter((part) => part !== '');
  const a = clean(from);
  const b = clean(to.replace(/[^/]*\/*$/, '') || '.');
  let same = 0;
  while (same < a.length && same < b.length && a[same] === b[same]) same++;
  return [...b.slice(same).map(() => '..'), ...a.slice(same)].join('/') || '.';
}

function install(call: Call): number {
  const given = options(
    call.args,
    'dDm:o:g:pvt:TcsCbS:Z',
    'directory mode= owner= group= preserve-timestamps verbose target-directory= no-target-directory compare strip backup=? suffix=',
  );
  const { files } = call;
  const finish = (inode: Inode) => {
    const owner = given.last('o', 'owner');
    const group = given.last('g', 'group');
    if (owner !== undefined) inode.uid = userId(files, owner);
    if (group !== undefined) inode.gid = groupId(files, group);
    inode.mode = applyMode(given.last('m', 'mode') ?? '755', 0, inode.kind === 'directory', 0) ?? 0o755;
  };
  const parents = (path: string) => {
    const folder = path.replace(/\/+$/, '').split('/').slice(0, -1).join('/');
    if (folder !== '') call.shell.invoke(['mkdir', '-p', folder]);
  };
  if (given.has('d', 'directory'))
    return each(call, given.operands, (path) => {
      parents(path);
      const there = files.find(path);
      if (there !== undefined && there.kind !== 'directory') throw new FileError('File exists');
      finish(there ?? files.mkdir(path));
    });
  if (given.has('D')) {
    const folder = given.last('t', 'target-directory');
    if (folder !== undefined) parents(`${folder}/x`);
    else parents(given.operands.at(-1) ?? '');
  }
  const pairs = targets(call, given);
  if (pairs === undefined) return 1;
  let status = 0;
  for (const [from, to] of pairs) {
    const done = call.attempt(from, () => {
      const inode = from === '/dev/null' ? undefined : files.stat(from);
      if (inode !== undefined && inode.kind !== 'file') throw new FileError('not a regular file');
      if (files.find(to, false) !== undefined) files.unlink(to);
      const made = files.open(to)!;
      made.content = inode?.content ?? textContent('');
      if (given.has('p', 'preserve-timestamps') && inode !== undefined) made.mtime = inode.mtime;
      finish(made);
    });
    if (!done) status = 1;
  }
  return status;
}

function mknod(call: Call): number {
  const given = options(call.args, 'm:Z', 'mode=');
  const { files } = call;
  const [path = '', type = call.name === 'mkfifo' ? 'p' : '', major = '0', minor = '0'] = given.operands;
  return each(call, [path], () => {
    const place = files.place(path);
    if (place.inode !== undefined) throw new FileError('File exists');
    const meta = files.meta(0o666);
    const mode = given.last('m', 'mode');
    if (mode !== undefined) meta.mode = applyMode(mode, 0o666, false, files.umask) ?? meta.mode;
    if (type === 'p') files.put(place, { ...meta, kind: 'fifo' });
    else if (/^[bcu]$/.test(type))
      files.put(place, {
        ...meta,
        kind: type === 'b' ? 'block' : 'char',
        major: Number(major) & 0xfff,
        minor: Number(minor) & 0xfffff,
      });
    else throw new FileError(`invalid device type '${type}'`);
  });
}

/** `dd` with if=, of=, bs= and count= of a bounded size. */
function dd(call: Call): number {
  const given = new Map(call.args.map((arg) => [arg.split('=')[0]!, arg.slice(arg.indexOf('=') + 1)]));
  const size = (text: string | undefined, otherwise: number) => {
    const match = /^([0-9]+)([kKMG]?)B?$/.exec(text ?? '');
    return match === null
      ? otherwise
      : Number(match[1]) * ({ k: 1024, K: 1024, M: 1 << 20, G: 1 << 30 }[match[2]!] ?? 1);
  };
  const bytes = given.has('count')
    ? size(given.get('count'), 0) * size(given.get('bs') ?? given.get('ibs'), 512)
    : undefined;
  const from = given.get('if');
  let text: string;
  if (from === '/dev/zero') {
    call.shell.budget.length(bytes ?? Number.POSITIVE_INFINITY);
    text = '\0'.repeat(bytes ?? 0);
  } else text = from === undefined ? call.input() : call.files.read(from);
  if (bytes !== undefined) text = text.slice(0, bytes);
  const to = given.get('of');
  if (to === undefined) call.out(text);
  else call.files.write(to, text);
  return 0;
}

/** Commands that create, move, remove and change files. */
export const FILE_COMMANDS: Readonly<Record<string, Command>> = {
  chgrp: chown,
  chmod,
  chown,
  cp,
  dd,
  install,
  ln,
  mkdir,
  mkfifo: mknod,
  mknod,
  mv,
  rm,
  rmdir,
  touch,
  unlink: (call) => each(call, call.args, (path) => call.files.unlink(path)),
};
