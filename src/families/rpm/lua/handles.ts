import { memory } from '../../../bytes/content.ts';
import { BuildError } from '../../../errors/error.ts';
import { basename } from '../../../tree/path.ts';
import { type Binding, type LuaFunction, type LuaValue, onOwnState, SELF, STRING_MAX, text } from './binding.ts';
import { failure } from './failure.ts';

/** A file that a script reads or writes: its text is held until it is closed. */
function handleOf(binding: Binding, path: string, mode: string, made: MetaOf): LuaValue | undefined {
  const { tree, context } = binding;
  const appending = mode.startsWith('a');
  const inode = tree.file(path);
  const reading = mode.startsWith('r') && !mode.includes('+');
  if (mode.startsWith('r') && inode === undefined) return undefined;
  let data =
    mode.startsWith('w') || inode === undefined ? '' : Buffer.from(inode.content.readSync()).toString('latin1');
  binding.charge(data.length / 64);
  let at = appending ? data.length : 0;
  let changed = !reading && (inode === undefined || mode.startsWith('w'));
  /** What was appended and is not in the file yet: others may append to it meanwhile. */
  let pending = '';
  const write: LuaFunction = ([, ...values]) => {
    if (reading) return [undefined, 'Bad file descriptor', 9];
    for (const value of values) {
      const piece = text(value);
      if (data.length + piece.length > STRING_MAX)
        throw new BuildError('SCRIPT_OUTPUT', { script: binding.title, what: path, limit: STRING_MAX });
      binding.charge(piece.length / 64);
      if (appending) {
        pending += piece;
        at = data.length;
      }
      data = data.slice(0, at) + piece + data.slice(at + piece.length);
      at += piece.length;
    }
    changed = true;
    return [SELF];
  };
  const readOne = (format: LuaValue): LuaValue => {
    const word = text(format).replace(/^\*/, '');
    if (typeof format === 'number') {
      const part = data.slice(at, at + format);
      at += part.length;
      return part === '' && format > 0 ? undefined : part;
    }
    if (word.startsWith('a')) {
      const rest = data.slice(at);
      at = data.length;
      return rest;
    }
    if (at >= data.length) return undefined;
    if (word.startsWith('n')) {
      const [whole, number] = /^\s*([+-]?(?:0[xX][\da-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+))?/.exec(
        data.slice(at, at + 200),
      )!;
      at += whole.length;
      return number === undefined ? undefined : Number(number);
    }
    const end = data.indexOf('\n', at);
    const line = end < 0 ? data.slice(at) : data.slice(at, word.startsWith('L') ? end + 1 : end);
    at = end < 0 ? data.length : end + 1;
    return line;
  };
  const flush = () => {
    if (!changed) return [true];
    const place = tree.file(path);
    if (appending && place !== undefined) {
      data = Buffer.from(place.content.readSync()).toString('latin1') + pending;
      binding.checkString(data.length);
      binding.charge(data.length / 64);
    }
    pending = '';
    if (place !== undefined) {
      place.content = memory(Buffer.from(data, 'latin1'));
      place.mtime = context.epoch;
    } else tree.writeFile(path, memory(Buffer.from(data, 'latin1')), made(0o666));
    changed = false;
    return [true];
  };
  // one that is made is there at once
  if (inode === undefined) flush();
  if (!reading) binding.atEnd.add(flush);
  return {
    read: ([, ...formats]) => (formats.length === 0 ? ['l'] : formats).map(readOne),
    lines: () => [() => [readOne('l')]],
    write,
    seek: ([, whence, offset]) => {
      const base = whence === 'end' ? data.length : whence === 'cur' || whence === undefined ? at : 0;
      at = Math.max(0, Math.min(data.length, base + (typeof offset === 'number' ? offset : 0)));
      return [at];
    },
    flush,
    close: () => {
      binding.atEnd.delete(flush);
      return flush();
    },
    setvbuf: () => [true],
  };
}

/** A command that writes for the script, or reads of it when it is closed. */
function pipeOf(binding: Binding, line: string, writing: boolean): LuaValue {
  let given = '';
  let [status, data] = writing ? [0, ''] : binding.capture(line);
  const read = (format: LuaValue): LuaValue => {
    const word = text(format).replace('*', '');
    const line = data.indexOf('\n');
    const whole = word.startsWith('a') || line < 0;
    const end = typeof format === 'number' ? format : whole ? data.length : line + 1;
    if (data === '' && !word.startsWith('a')) return undefined;
    const part = data.slice(0, end);
    data = data.slice(end);
    return typeof format === 'number' || whole || word.startsWith('L') ? part : part.slice(0, -1);
  };
  return {
    read: ([, ...formats]) => (formats.length === 0 ? ['l'] : formats).map(read),
    lines: () => [() => [read('l')]],
    write: ([, ...values]) => {
      for (const value of values) given += text(value);
      binding.checkString(given.length);
      return [SELF];
    },
    flush: () => [true],
    setvbuf: () => [true],
    close: () => {
      if (writing) [status] = binding.capture(line, given);
      return [status === 0 ? true : undefined, 'exit', status];
    },
  };
}

/** What the tree keeps of a file that is made with such a mode. */
type MetaOf = (mode: number) => { mode: number; uid: number; gid: number; mtime: number };

/** The table `io`. */
export function ioFunctions(binding: Binding, made: MetaOf): void {
  const nowhere: LuaValue = {
    write: () => [SELF],
    close: () => [true],
    flush: () => [true],
    setvbuf: () => [true],
  };
  const lines = binding.input.split('\n').slice(0, -1);
  let next = 0;
  const readInput = ([, format]: readonly LuaValue[]): readonly LuaValue[] => {
    if (text(format).replace('*', '').startsWith('a')) {
      const rest = lines.slice(next).map((line) => `${line}\n`);
      next = lines.length;
      return [rest.join('')];
    }
    return [lines[next++]];
  };
  const open = (given: string, mode: string): readonly LuaValue[] => {
    const path = binding.absolute(given);
    try {
      const handle = handleOf(binding, path, mode, made);
      return handle === undefined ? failure(given, 'ENOENT') : [handle];
    } catch (error) {
      if (error instanceof BuildError) return failure(given, 'ENOTDIR');
      throw error;
    }
  };
  binding.table('io', {
    open: ([path, mode]) => open(text(path), text(mode) || 'r'),
    lines: ([path]) => {
      if (path === undefined) return [onOwnState(() => readInput([undefined, 'l']))];
      const inode = binding.tree.file(binding.absolute(text(path)));
      if (inode === undefined) throw new BuildError('NO_SUCH_PATH', { path: text(path) });
      const all = Buffer.from(inode.content.readSync()).toString('latin1').split('\n');
      if (all.at(-1) === '') all.pop();
      let at = 0;
      return [() => [all[at++]]];
    },
    read: onOwnState((args) => readInput([undefined, ...args])),
    write: () => [],
    stdout: nowhere,
    stderr: nowhere,
    stdin: {
      read: onOwnState(readInput),
      lines: () => [onOwnState(() => readInput([undefined, 'l']))],
      close: () => [true],
    },
    popen: ([line, mode]) => [pipeOf(binding, text(line), text(mode).startsWith('w'))],
    type: ([handle]) => [Array.isArray(handle) ? 'file' : undefined],
  });
  binding.table('posix', { basename: ([path]) => [basename(text(path))] });
}
