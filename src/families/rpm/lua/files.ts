import { BuildError } from '../../../errors/error.ts';
import { type Inode, special, TYPE_BITS } from '../../../tree/inode.ts';
import { Owners } from '../owners.ts';
import {
  type Binding,
  commandLine,
  LuaError,
  LuaExit,
  type LuaFunction,
  type LuaValue,
  onOwnState,
  text,
} from './binding.ts';
import { failure } from './failure.ts';
import { ioFunctions } from './handles.ts';

const KINDS: Readonly<Record<Inode['kind'], string>> = {
  file: 'regular',
  directory: 'directory',
  symlink: 'link',
  char: 'character device',
  block: 'block device',
  fifo: 'fifo',
  socket: 'socket',
};

/** `posix`, `os` and `io`, as far as rpm's scripts use them, over the tree. */
export function fileFunctions(binding: Binding): void {
  const calls = new Calls(binding);
  binding.table('posix', { ...posixFiles(calls), ...posixOwners(calls), ...posixProcess(calls) }, true);
  binding.table('os', osFunctions(calls));
  ioFunctions(binding, (mode) => calls.meta(mode));
  const print: LuaFunction = () => [];
  binding.global('print', print);
}

type Functions = Readonly<Record<string, LuaFunction>>;

/** Calls of the system on paths of the tree; results as the libraries return them. */
class Calls {
  readonly binding: Binding;
  readonly tree: Binding['tree'];

  constructor(binding: Binding) {
    this.binding = binding;
    this.tree = binding.tree;
  }

  /** Bits that what is made does not get. */
  umask = 0o022;

  /** Of what root makes now. */
  meta(mode: number) {
    return { mode: mode & ~this.umask, uid: 0, gid: 0, mtime: this.binding.context.epoch };
  }

  /** Runs an action; what the tree rejects is a failed call, not an error of the script. */
  attempt(path: string, action: () => readonly LuaValue[]): readonly LuaValue[] {
    try {
      return action();
    } catch (error) {
      if (error instanceof BuildError) return failure(path, error.code === 'PATH_EXISTS' ? 'EISDIR' : 'ENOTDIR');
      throw error;
    }
  }

  /** A function whose first argument is a path. */
  onPath(act: (path: string, args: readonly LuaValue[]) => readonly LuaValue[]): LuaFunction {
    return (args) => {
      const path = this.binding.absolute(text(args[0]));
      return this.attempt(path, () => act(path, args));
    };
  }

  remove(path: string, kind: 'directory' | 'other' | 'any'): readonly LuaValue[] {
    const inode = this.tree.lstat(path);
    if (inode === undefined) return failure(path, 'ENOENT');
    if (inode.kind === 'directory') {
      if (kind === 'other') return failure(path, 'EISDIR');
      if (inode.children.size > 0) return failure(path, 'ENOTEMPTY');
    } else if (kind === 'directory') return failure(path, 'ENOTDIR');
    return this.tree.remove(path) ? [0] : failure(path, 'EINVAL');
  }

  /** A program by its name, in the folders of the script's PATH. */
  program(name: string): string | undefined {
    const folders = (this.binding.environment['PATH'] ?? '').split(':').map((one) => this.binding.absolute(one || '.'));
    return folders.map((folder) => `${folder}/${name}`).find((path) => this.tree.stat(path)?.kind === 'file');
  }

  create(path: string, make: () => void): readonly LuaValue[] {
    if (this.tree.lstat(path) !== undefined) return failure(path, 'EEXIST');
    if (this.tree.locate(path)?.parent === undefined) return failure(path, 'ENOENT');
    make();
    return [0];
  }

  names(path: string): string[] | undefined {
    const inode = this.tree.stat(path);
    return inode?.kind === 'directory' ? ['.', '..', ...[...inode.children.keys()].sort()] : undefined;
  }
}

/** What a call with two paths returns: its messages name none. */
function unnamed(result: readonly LuaValue[]): readonly LuaValue[] {
  const [ok, message, number] = result;
  return ok === undefined ? [ok, text(message).replace(/^.*: /, ''), number] : result;
}

/** Paths: what is there, and what is made and removed. */
function posixFiles(calls: Calls): Functions {
  return {
    access: calls.onPath((path, [, mode]) => {
      const inode = calls.tree.stat(path);
      if (inode === undefined) return failure(path, 'ENOENT');
      // root may read and write everything, and run what anybody may
      const runs = !text(mode).includes('x') || inode.kind === 'directory' || (inode.mode & 0o111) !== 0;
      return runs ? [0] : [undefined, `${path}: Permission denied`, 13];
    }),
    stat: calls.onPath((path, [, selector]) => {
      const inode = calls.tree.lstat(path);
      if (inode === undefined) return failure(path, 'ENOENT');
      const fields: Record<string, LuaValue> = {
        type: KINDS[inode.kind],
        mode: modeText(inode.mode),
        _mode: inode.mode | TYPE_BITS[inode.kind],
        ino: calls.binding.inodeOf(calls.tree.locate(path)!.path),
        dev: 1,
        nlink: 1,
        uid: inode.uid,
        gid: inode.gid,
        size: inode.kind === 'file' ? inode.content.size : inode.kind === 'symlink' ? inode.target.length : 4096,
        atime: inode.mtime,
        mtime: inode.mtime,
        ctime: inode.mtime,
      };
      return [selector === undefined ? fields : fieldOf(fields, selector)];
    }),
    readlink: calls.onPath((path) => {
      const inode = calls.tree.lstat(path);
      if (inode === undefined) return failure(path, 'ENOENT');
      return inode.kind === 'symlink' ? [inode.target] : failure(path, 'EINVAL');
    }),
    symlink: ([target, given]) => {
      const path = calls.binding.absolute(text(given));
      return calls.attempt(path, () =>
        unnamed(calls.create(path, () => calls.tree.symlink(path, text(target), { ...calls.meta(0), mode: 0o777 }))),
      );
    },
    link: ([given, second]) => {
      const [from, to] = [calls.binding.absolute(text(given)), calls.binding.absolute(text(second))];
      return calls.attempt(to, () => {
        const inode = calls.tree.lstat(from);
        if (inode === undefined) return failure('', 'ENOENT');
        return unnamed(calls.create(to, () => calls.tree.set(to, inode)));
      });
    },
    mkdir: calls.onPath((path) => calls.create(path, () => calls.tree.makeDirectory(path, calls.meta(0o777)))),
    mkfifo: calls.onPath((path) => calls.create(path, () => calls.tree.set(path, special('fifo', calls.meta(0o777))))),
    rmdir: calls.onPath((path) => calls.remove(path, 'directory')),
    unlink: calls.onPath((path) => calls.remove(path, 'other')),
    utime: calls.onPath((path, [, time]) => {
      const inode = calls.tree.stat(path);
      if (inode === undefined) return failure(path, 'ENOENT');
      const { epoch } = calls.binding.context;
      inode.mtime = typeof time === 'number' ? Math.min(Math.floor(time), epoch) : epoch;
      return [0];
    }),
    dir: calls.onPath((path) => {
      const all = calls.names(path);
      return all === undefined ? failure(path, 'ENOENT') : [all];
    }),
    files: calls.onPath((path) => {
      const all = calls.names(path);
      if (all === undefined) return failure(path, 'ENOENT');
      let at = 0;
      return [() => [all[at++]]];
    }),
  };
}

/** Modes and owners. */
function posixOwners(calls: Calls): Functions {
  const owners = new Owners(calls.tree);
  return {
    chmod: calls.onPath((path, [, mode]) => {
      const inode = calls.tree.stat(path);
      if (inode === undefined) return failure(path, 'ENOENT');
      const bits = modeOf(text(mode), inode.mode);
      if (bits === undefined) return [undefined, 'bad mode', 22];
      inode.mode = bits;
      return [0];
    }),
    chown: calls.onPath((path, [, user, group]) => {
      const inode = calls.tree.lstat(path);
      if (inode === undefined) return failure(path, 'ENOENT');
      owners.refresh();
      const uid = typeof user === 'number' ? user : owners.uid(text(user));
      const gid = typeof group === 'number' ? group : owners.gid(text(group));
      if (uid === undefined || gid === undefined) return failure(path, 'EINVAL');
      if (uid >= 0) inode.uid = uid;
      if (gid >= 0) inode.gid = gid;
      return [0];
    }),
  };
}

/** The field that a script asks for by its name; undefined for a name that is none. */
function fieldOf(fields: Readonly<Record<string, LuaValue>>, selector: LuaValue): LuaValue {
  const name = text(selector);
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

/** A row of /etc/passwd or /etc/group by name or number; one field of it, or all. */
function account(calls: Calls, path: string, fields: readonly string[]): LuaFunction {
  return ([who, selector]) => {
    const rows = (calls.tree.text(path) ?? '').split('\n').map((row) => row.split(':'));
    calls.binding.charge(rows.length);
    const row = rows.find(
      (one) => one.length > 2 && (typeof who === 'number' ? Number(one[2]) === who : one[0] === text(who)),
    );
    if (row === undefined) return [undefined];
    const found: Record<string, LuaValue> = {};
    for (const [i, field] of fields.entries()) found[field] = /^[ug]id$/.test(field) ? Number(row[i]) : row[i];
    return [selector === undefined ? found : fieldOf(found, selector)];
  };
}

/** The process and its environment. */
function posixProcess(calls: Calls): Functions {
  const { binding } = calls;
  const { context } = binding;
  const done: LuaFunction = () => [0];
  return {
    getenv: ([name]) => [text(name) === '' ? { ...binding.environment } : binding.environment[text(name)]],
    setenv: onOwnState(([name, value, overwrite]) => {
      if (overwrite === undefined || overwrite || binding.environment[text(name)] === undefined)
        binding.environment[text(name)] = text(value);
      return [0];
    }),
    unsetenv: onOwnState(([name]) => {
      delete binding.environment[text(name)];
      return [];
    }),
    putenv: onOwnState(([given]) => {
      const [name = '', ...value] = text(given).split('=');
      binding.environment[name] = value.join('=');
      return [0];
    }),
    umask: onOwnState(([given]) => {
      if (given !== undefined) {
        const allowed = modeOf(text(given), 0o777 & ~calls.umask);
        if (allowed === undefined) return [undefined, 'bad mode', 22];
        calls.umask = 0o777 & ~allowed;
      }
      return [modeText(0o777 & ~calls.umask)];
    }),
    getcwd: onOwnState(() => [binding.cwd]),
    chdir: onOwnState(
      calls.onPath((path, [given]) => {
        const inode = calls.tree.stat(path);
        if (inode?.kind !== 'directory') return failure(text(given), inode === undefined ? 'ENOENT' : 'ENOTDIR');
        binding.cwd = `/${calls.tree.realpath(path) ?? ''}`;
        return [0];
      }),
    ),
    getpasswd: account(calls, 'etc/passwd', ['name', 'passwd', 'uid', 'gid', 'gecos', 'dir', 'shell']),
    getgroup: account(calls, 'etc/group', ['name', 'passwd', 'gid']),
    getprocessid: ([what]) => [/id$/.test(text(what)) && !/^p/.test(text(what)) ? 0 : 1],
    getpid: () => [1],
    uname: ([format]) => [uname(text(format) || '%s %n %r %v %m', context.machine)],
    sleep: done,
    sync: done,
    kill: done,
    fork: () => binding.fork(),
    // every child has ended by now
    wait: ([pid]) => {
      const at = typeof pid === 'number' && pid > 0 ? binding.children.indexOf(pid) : binding.children.length - 1;
      return at < 0 ? [undefined, 'No child processes', 10] : binding.children.splice(at, 1);
    },
    exec: executing(calls, (path) => calls.binding.absolute(path)),
    execp: executing(calls, (name) => (name.includes('/') ? calls.binding.absolute(name) : calls.program(name))),
    redirect2null: done,
    errno: () => ['', 0],
    ctermid: () => ['/dev/tty'],
  };
}

/** `exec`: the child process becomes another program, which `find` gives the path of. */
function executing(calls: Calls, find: (name: string) => string | undefined): LuaFunction {
  return ([given, ...words]) => {
    const { binding } = calls;
    if (!binding.isChild) throw new LuaError('exec not permitted in this context');
    const path = find(text(given));
    const inode = path === undefined ? undefined : calls.tree.stat(path);
    if (inode === undefined) return failure(text(given), 'ENOENT');
    if (inode.kind !== 'file' || (inode.mode & 0o111) === 0) return failure(text(given), 'EACCES');
    throw new LuaExit(binding.shell(commandLine([path, ...words])));
  };
}

function osFunctions(calls: Calls): Functions {
  const { context } = calls.binding;
  return {
    remove: calls.onPath((path) => {
      const result = calls.remove(path, 'any');
      return result[0] === 0 ? [true] : result;
    }),
    rename: calls.onPath((from, [, to]) => {
      if (calls.tree.lstat(from) === undefined) return failure('', 'ENOENT');
      calls.tree.rename(from, calls.binding.absolute(text(to)));
      return [true];
    }),
    execute: ([line]) => {
      if (line === undefined) return [true];
      const status = calls.binding.shell(text(line));
      return [status === 0 ? true : undefined, 'exit', status];
    },
    tmpname: () => {
      let number = 0;
      while (calls.tree.lstat(`tmp/lua_${number}`) !== undefined) calls.binding.charge(++number);
      return [`/tmp/lua_${number}`];
    },
    exit: ([status]) => {
      // the program that installs packages must not end
      if (!calls.binding.isChild) throw new LuaError('exit not permitted in this context');
      throw new LuaExit(typeof status === 'number' ? status : status === false ? 1 : 0);
    },
    getenv: ([name]) => [calls.binding.environment[text(name)]],
    time: () => [context.epoch],
    clock: () => [0],
    date: () => [new Date(context.epoch * 1000).toISOString()],
  };
}

/** `rwxr-xr-x`. */
function modeText(mode: number): string {
  const letters = [...'rwxrwxrwx'].map((letter, i) => ((mode >> (8 - i)) & 1 ? letter : '-'));
  for (const [at, bit, letter] of [
    [2, 0o4000, 's'],
    [5, 0o2000, 's'],
    [8, 0o1000, 't'],
  ] as const)
    if (mode & bit) letters[at] = letters[at] === 'x' ? letter : letter.toUpperCase();
  return letters.join('');
}

/** A mode as octal digits, as `rwxr-xr-x`, or as changes (`u+x,go-w`). */
function modeOf(given: string, before: number): number | undefined {
  if (/^[0-7]{1,5}$/.test(given)) return Number.parseInt(given, 8) & 0o7777;
  if (/^[r-][w-][xsS-][r-][w-][xsS-][r-][w-][xtT-]$/.test(given)) {
    let mode = 0;
    for (const [i, letter] of [...given].entries()) {
      if (/[rwxst]/.test(letter)) mode |= 1 << (8 - i);
      if (/[sStT]/.test(letter)) mode |= [0o4000, 0o2000, 0o1000][Math.floor(i / 3)]!;
    }
    return mode;
  }
  let mode = before;
  for (const clause of given.split(',')) {
    const match = /^([ugoa]*)([-+=])([rwxst]*)$/.exec(clause);
    if (match === null) return undefined;
    const who = match[1] === '' || match[1]!.includes('a') ? 'ugo' : match[1]!;
    let bits = 0;
    let all = 0;
    for (const [i, one] of [...'ugo'].entries())
      if (who.includes(one)) {
        all |= 7 << (6 - 3 * i);
        for (const [j, letter] of [...'rwx'].entries()) if (match[3]!.includes(letter)) bits |= 1 << (8 - 3 * i - j);
        if (match[3]!.includes('s') && i < 2) bits |= i === 0 ? 0o4000 : 0o2000;
      }
    if (match[3]!.includes('t')) bits |= 0o1000;
    mode = match[2] === '+' ? mode | bits : match[2] === '-' ? mode & ~bits : (mode & ~all) | bits;
  }
  return mode;
}

function uname(format: string, machine: string): string {
  // new enough for every test of a kernel's version; a guest's kernel is not known here
  const fields: Readonly<Record<string, string>> = {
    s: 'Linux',
    n: 'localhost',
    r: '6.12.0',
    v: '#1',
    m: machine,
    '%': '%',
  };
  return format.replace(/%(.)/g, (whole, letter: string) => fields[letter] ?? whole);
}
