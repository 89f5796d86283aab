import { FileError } from '../../../shell/files.ts';
import type { Budget } from '../../../shell/limits.ts';
import { type Inode, special, TYPE_BITS } from '../../../tree/inode.ts';
import { Owners } from '../owners.ts';
import { type Binding, LuaError, type LuaFunction, type LuaValue, onOwnState, text } from './binding.ts';
import { Calls, type Functions, fieldOf } from './calls.ts';
import { stringAt } from './failure.ts';
import { ioFunctions, type StandardStreams } from './handles.ts';
import { modeOf, modeText } from './modes.ts';
import { osFunctions, posixProcess } from './process.ts';

const KINDS: Readonly<Record<Inode['kind'], string>> = {
  file: 'regular',
  directory: 'directory',
  symlink: 'link',
  char: 'character device',
  block: 'block device',
  fifo: 'fifo',
  socket: 'socket',
};

/** What all processes of a script have in common. */
export interface Shared {
  readonly budget: Budget;
  readonly streams: StandardStreams;
}

/** `posix`, `os` and `io`, as far as rpm's scripts use them, over the tree. */
export function fileFunctions(binding: Binding, { budget, streams }: Shared): void {
  const calls = new Calls(binding, budget);
  binding.table(
    'posix',
    { ...posixFiles(calls), ...posixOwners(calls), ...posixProcess(calls), version: 'posix' },
    true,
  );
  binding.table('os', { ...osFunctions(calls), ...osFiles(calls) });
  const difftime: LuaFunction = ([a, b]) => [Number(a) - Number(b)];
  binding.table('os', { difftime }, true);
  ioFunctions(calls, streams);
  const print: LuaFunction = () => [];
  binding.global('print', print);
}

/** Paths: what is there, and what is made and removed. */
function posixFiles(calls: Calls): Functions {
  const { binding, files } = calls;
  return {
    access: calls.onPath((path, [, mode]) => {
      const how = text(mode);
      if (!/^[rwxf ]*$/.test(how)) throw new LuaError("bad argument #2 to 'access' (unknown mode option)");
      const inode = files.stat(path);
      // root may read and write everything, and run what anybody may
      if (how.includes('x') && inode.kind !== 'directory' && (inode.mode & 0o111) === 0)
        throw new FileError('Permission denied');
      return [0];
    }),
    stat: calls.onPath((path, [, selector]) => {
      const inode = files.stat(path, false);
      const fields: Record<string, LuaValue> = {
        type: KINDS[inode.kind],
        mode: modeText(inode.mode),
        _mode: inode.mode | TYPE_BITS[inode.kind],
        ino: binding.inodeOf(files.place(path).path),
        dev: 1,
        nlink: 1,
        uid: inode.uid,
        gid: inode.gid,
        size: inode.kind === 'file' ? inode.content.size : inode.kind === 'symlink' ? inode.target.length : 4096,
        atime: inode.mtime,
        mtime: inode.mtime,
        ctime: inode.mtime,
      };
      // counting names means to look at every inode
      if (selector === 'nlink') fields['nlink'] = files.linkCounts().get(inode);
      return [selector === undefined ? fields : fieldOf(fields, selector)];
    }),
    readlink: calls.onPath((path) => {
      const inode = files.stat(path, false);
      if (inode.kind !== 'symlink') throw new FileError('Invalid argument');
      return [inode.target];
    }),
    symlink: calls.onPaths((target, path) => {
      if (target === '') throw new FileError('No such file or directory');
      files.symlink(path, target);
    }),
    link: calls.onPaths((from, to) => {
      const { inode } = calls.named(from);
      const place = files.place(to);
      if (place.inode !== undefined) throw new FileError('File exists');
      if (inode.kind === 'directory') throw new FileError('Operation not permitted');
      files.put(place, inode);
    }),
    mkdir: calls.onPath((path) => {
      files.mkdir(path);
      return [0];
    }),
    mkfifo: calls.onPath((path) => {
      const place = files.place(path);
      if (place.inode !== undefined) throw new FileError('File exists');
      files.put(place, special('fifo', files.meta(0o777)));
      return [0];
    }),
    rmdir: calls.onPath((path) => {
      calls.removeDirectory(path);
      return [0];
    }),
    unlink: calls.onPath((path) => {
      calls.removeFile(path);
      return [0];
    }),
    utime: calls.onPath((path, [, time]) => {
      const inode = files.stat(path);
      files.touch(inode);
      if (typeof time === 'number') inode.mtime = Math.min(Math.floor(time), files.time);
      return [0];
    }),
    dir: ([given = '.']) => calls.attempt(text(given), () => [calls.names(text(given))]),
    files: ([given = '.']) =>
      calls.attempt(text(given), () => {
        const all = calls.names(text(given));
        let at = 0;
        return [() => [all[at++]]];
      }),
    getcwd: onOwnState(() => [files.cwd]),
    chdir: onOwnState(
      calls.onPath((path) => {
        if (files.stat(path).kind !== 'directory') throw new FileError('Not a directory');
        files.cwd = files.real(path)!;
        return [0];
      }),
    ),
  };
}

function osFiles(calls: Calls): Functions {
  return {
    remove: calls.onPath((path) => {
      try {
        calls.removeFile(path);
      } catch (error) {
        if (!(error instanceof FileError) || error.reason !== 'Is a directory') throw error;
        calls.removeDirectory(path);
      }
      return [true];
    }),
    rename: calls.onPaths((from, to) => calls.rename(from, to), true),
    tmpname: () => {
      let number = 0;
      while (calls.files.find(`/tmp/lua_${number}`, false) !== undefined) calls.binding.charge(++number);
      return [`/tmp/lua_${number}`];
    },
  };
}

/** Modes and owners. */
function posixOwners(calls: Calls): Functions {
  const { binding, files } = calls;
  const owners = new Owners(binding.tree);
  /** The number of an owner; undefined for one that is not known, or is to stay. */
  const numberOf = (who: LuaValue, byName: (name: string) => number | undefined): number | undefined => {
    const number = typeof who === 'string' && /^\s*-?\d+\s*$/.test(who) ? Number(who) : who;
    if (typeof number === 'number') return number < 0 ? undefined : number;
    return typeof number === 'string' ? byName(number) : undefined;
  };
  return {
    chmod: calls.onPath((path, args) => {
      const given = stringAt(args, 1);
      const inode = files.stat(path);
      const bits = modeOf(given, inode.mode);
      if (bits === undefined) throw new LuaError("bad argument #2 to 'chmod' (bad mode)");
      inode.mode = bits;
      return [0];
    }),
    chown: calls.onPath((path, [, user, group]) => {
      const inode = files.stat(path);
      owners.refresh();
      inode.uid = numberOf(user, (name) => owners.uid(name)) ?? inode.uid;
      inode.gid = numberOf(group, (name) => owners.gid(name)) ?? inode.gid;
      // as the kernel: no longer a program that runs as another one
      if (inode.kind === 'file') inode.mode &= inode.mode & 0o010 ? ~0o6000 : ~0o4000;
      return [0];
    }),
    umask: onOwnState(([given]) => {
      if (given !== undefined) {
        const allowed = modeOf(text(given), 0o777 & ~files.umask);
        if (allowed === undefined) return [undefined];
        files.umask = 0o777 & ~allowed;
      }
      return [modeText(0o777 & ~files.umask)];
    }),
  };
}
