import { memory } from '../../../bytes/content.ts';
import type { Inode } from '../../../tree/inode.ts';
import { basename } from '../../../tree/path.ts';
import { type Binding, Handle, LuaError, type LuaFunction, type LuaValue, SELF, text } from './binding.ts';
import type { Calls } from './calls.ts';
import { ended, failure, stringAt } from './failure.ts';

/** What a file that is opened costs, in instructions that would take as long. */
const OPENING = 100;

/** Text and a place in it. */
class Reader {
  data: string;
  at = 0;

  constructor(data: string) {
    this.data = data;
  }

  /** Reads by formats, up to the first that gives nothing. */
  read(formats: readonly LuaValue[]): readonly LuaValue[] {
    const found: LuaValue[] = [];
    for (const format of formats.length === 0 ? ['l'] : formats) {
      found.push(this.one(format));
      if (found.at(-1) === undefined) break;
    }
    return found;
  }

  /** By a number of bytes or a letter; `*` before a letter is from older versions of Lua. */
  private one(format: LuaValue): LuaValue {
    const { data } = this;
    if (typeof format === 'number') {
      if (this.at >= data.length) return undefined;
      return this.take(this.at + format);
    }
    const letter = text(format).replace(/^\*/, '').slice(0, 1);
    if (letter === 'a') return this.take(data.length);
    if (!/^[lLn]$/.test(letter)) throw new LuaError("bad argument #1 to 'read' (invalid format)");
    if (this.at >= data.length) return undefined;
    if (letter === 'n') {
      const [whole, number] = /^\s*([+-]?(?:0[xX][\da-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+))?/.exec(
        data.slice(this.at, this.at + 200),
      )!;
      this.at += whole.length;
      return number === undefined ? undefined : Number(number);
    }
    const end = data.indexOf('\n', this.at);
    const line = this.take(end < 0 ? data.length : end + 1);
    return letter === 'L' || end < 0 ? line : line.slice(0, -1);
  }

  private take(end: number): string {
    const part = this.data.slice(this.at, end);
    this.at += part.length;
    return part;
  }
}

/** The methods of a handle. A closed one raises an error, whatever is asked of it. */
function handleOf(methods: Readonly<Record<string, LuaFunction>>): Handle {
  const open = Object.entries(methods).map(([name, method]): [string, LuaFunction] => [
    name,
    (args) => {
      if (handle.closed) throw new LuaError('attempt to use a closed file');
      if (name === 'close') handle.closed = true;
      return method(args);
    },
  ]);
  const handle: Handle = new Handle({ setvbuf: () => [true], flush: () => [SELF], ...Object.fromEntries(open) });
  return handle;
}

/** Reads lines, or what formats say, of a handle's text: one item at each call. */
function linesOf(reader: Reader, formats: readonly LuaValue[]): LuaFunction {
  return () => reader.read(formats);
}

/** A file that a script reads or writes: its text is held until it is closed. */
function fileHandle({ binding, files }: Calls, path: string, mode: string): Handle {
  const [how] = mode;
  const reads = how === 'r' || mode.includes('+');
  const writes = how !== 'r' || mode.includes('+');
  if (how === 'r') files.stat(path);
  let inode: Inode | undefined;
  if (writes) inode = files.open(path);
  else {
    inode = files.stat(path);
    // it can be opened, not read
    if (inode.kind === 'directory') return directoryHandle();
  }
  // a device has no text
  const target = inode?.kind === 'file' ? inode : undefined;
  if (how === 'w' && target !== undefined) files.fill(target, '');
  const stored = () => (target === undefined ? '' : files.readInode(target));
  const reader = new Reader(stored());
  binding.charge(OPENING + reader.data.length / 64);
  let changed = false;
  /** What was appended and is not in the file yet: others may append to it meanwhile. */
  let pending = '';
  const write: LuaFunction = (args) => {
    if (!writes) return failure(undefined, 'Bad file descriptor');
    for (let i = 1; i < args.length; i++) {
      const piece = stringAt(args, i);
      binding.checkString(reader.data.length + piece.length);
      const end = how === 'a' ? reader.data.length : reader.at;
      if (how === 'a') pending += piece;
      // a piece at the end is joined, without a copy of what is before it
      if (end === reader.data.length) reader.data += piece;
      else {
        binding.charge(reader.data.length / 64);
        reader.data = reader.data.slice(0, end).padEnd(end, '\0') + piece + reader.data.slice(end + piece.length);
      }
      reader.at = end + piece.length;
    }
    changed = true;
    return [SELF];
  };
  const flush = () => {
    if (!changed || target === undefined) return;
    if (how === 'a') reader.data = stored() + pending;
    binding.checkString(reader.data.length);
    binding.charge(reader.data.length / 64);
    pending = '';
    target.content = memory(Buffer.from(reader.data, 'latin1'));
    files.touch(target);
    changed = false;
  };
  if (writes) binding.atEnd.add(flush);
  return handleOf({
    read: ([, ...formats]) => (reads ? reader.read(formats) : failure(undefined, 'Bad file descriptor')),
    lines: ([, ...formats]) => [linesOf(reader, formats)],
    write,
    seek: ([, whence, offset]) => {
      const base = whence === 'end' ? reader.data.length : whence === 'set' ? 0 : reader.at;
      const to = base + (typeof offset === 'number' ? offset : 0);
      if (to < 0) return failure(undefined, 'Invalid argument');
      binding.checkString(to);
      reader.at = to;
      return [to];
    },
    flush: () => {
      flush();
      return [SELF];
    },
    close: () => {
      binding.atEnd.delete(flush);
      flush();
      return [true];
    },
  });
}

/** A folder that is open for reading. */
function directoryHandle(): Handle {
  const refused: LuaFunction = () => failure(undefined, 'Is a directory');
  return handleOf({ read: refused, write: () => failure(undefined, 'Bad file descriptor'), close: () => [true] });
}

/** A command that writes for the script, or reads of it when it is closed. */
function pipeHandle(binding: Binding, line: string, writing: boolean): Handle {
  let given = '';
  const [status, data] = writing ? [0, ''] : binding.capture(line);
  const reader = new Reader(data);
  return handleOf({
    read: ([, ...formats]) => (writing ? failure(undefined, 'Bad file descriptor') : reader.read(formats)),
    lines: ([, ...formats]) => [linesOf(reader, formats)],
    write: (args) => {
      if (!writing) return failure(undefined, 'Bad file descriptor');
      for (let i = 1; i < args.length; i++) given += stringAt(args, i);
      binding.checkString(given.length);
      return [SELF];
    },
    close: () => ended(writing ? binding.capture(line, given)[0] : status),
  });
}

/** The streams that a script has from its start, and those that `io.read` and `io.write` use: all its processes have the same. */
export class StandardStreams {
  readonly stdin: Handle;
  // what a script says is shown nowhere
  readonly stdout: Handle = silent();
  readonly stderr: Handle = silent();
  readonly current: { input: Handle; output: Handle };

  constructor(input: string) {
    const reader = new Reader(input);
    this.stdin = handleOf({
      read: ([, ...formats]) => reader.read(formats),
      lines: ([, ...formats]) => [linesOf(reader, formats)],
      close: () => [true],
    });
    this.current = { input: this.stdin, output: this.stdout };
  }
}

function silent(): Handle {
  return handleOf({ write: () => [SELF], close: () => [true], read: () => [undefined] });
}

/** Calls a method of a handle for a function that is given none. */
function method(handle: Handle, name: string, args: readonly LuaValue[]): readonly LuaValue[] {
  const call = handle.methods[name];
  if (call === undefined) return failure(undefined, 'Bad file descriptor');
  return call([handle, ...args]).map((one) => (one === SELF ? handle : one));
}

/** The table `io`. */
export function ioFunctions(calls: Calls, { stdin, stdout, stderr, current }: StandardStreams): void {
  const { binding } = calls;
  const open = (path: string, mode: string): readonly LuaValue[] => {
    if (!/^[rwa]\+?b?$/.test(mode)) throw new LuaError("bad argument #2 to 'open' (invalid mode)");
    return calls.attempt(path, () => [fileHandle(calls, path, mode)]);
  };
  const opened = (path: string, mode: string): Handle => {
    const [handle, message] = open(path, mode);
    if (handle instanceof Handle) return handle;
    throw new LuaError(text(message));
  };
  /** `io.input` and `io.output`: the present one, or another from now on. */
  const choose =
    (which: 'input' | 'output', mode: string): LuaFunction =>
    ([chosen]) => {
      if (chosen instanceof Handle) current[which] = chosen;
      else if (chosen !== undefined) current[which] = opened(text(chosen), mode);
      return [current[which]];
    };
  binding.table('io', {
    open: (args) => open(stringAt(args, 0), args[1] === undefined ? 'r' : text(args[1])),
    lines: ([path, ...formats]) =>
      method(path === undefined ? current.input : opened(text(path), 'r'), 'lines', formats),
    read: (args) => method(current.input, 'read', args),
    write: (args) => method(current.output, 'write', args),
    close: ([handle]) => method(handle instanceof Handle ? handle : current.output, 'close', []),
    flush: () => method(current.output, 'flush', []),
    input: choose('input', 'r'),
    output: choose('output', 'w'),
    ...{ stdin, stdout, stderr },
    popen: (args) => {
      const line = stringAt(args, 0);
      // what the C library says when there is no shell
      if (!binding.hasShell) return failure(line, 'Cannot allocate memory');
      return [pipeHandle(binding, line, text(args[1]).startsWith('w'))];
    },
    type: ([handle]) => [handle instanceof Handle ? (handle.closed ? 'closed file' : 'file') : undefined],
  });
  binding.table('posix', { basename: ([path]) => [basename(text(path))] });
}
