import { LuaError, type LuaValue } from './binding.ts';

/** Messages of the C library by number, from 1: those that a call on files may give, and those of the numbers of signals. */
const MESSAGES: readonly string[] = [
  'Operation not permitted',
  'No such file or directory',
  'No such process',
  'Interrupted system call',
  'Input/output error',
  'No such device or address',
  'Argument list too long',
  'Exec format error',
  'Bad file descriptor',
  'No child processes',
  'Resource temporarily unavailable',
  'Cannot allocate memory',
  'Permission denied',
  'Bad address',
  'Block device required',
  'Device or resource busy',
  'File exists',
  'Invalid cross-device link',
  'No such device',
  'Not a directory',
  'Is a directory',
  'Invalid argument',
  'Too many open files in system',
  'Too many open files',
  'Inappropriate ioctl for device',
  'Text file busy',
  'File too large',
  'No space left on device',
  'Illegal seek',
  'Read-only file system',
  'Too many links',
];
/** Those above. */
const FURTHER: ReadonlyMap<string, number> = new Map([
  ['File name too long', 36],
  ['Directory not empty', 39],
  ['Too many levels of symbolic links', 40],
]);

/** `nil, "PATH: MESSAGE", NUMBER`, as the libraries return it; calls with two paths name none, so theirs is undefined. */
export function failure(path: string | undefined, message: string): readonly LuaValue[] {
  const number = FURTHER.get(message) ?? MESSAGES.indexOf(message) + 1;
  return [undefined, path === undefined ? message : `${path}: ${message}`, number];
}

/** What `rpm.execute` returns of a program: rpm 4 takes the status that `wait` gives for the number of an error. */
export function waited(status: number): readonly LuaValue[] {
  if (status === 0) return [0];
  const signal = signalOf(status);
  const number = signal ?? status * 256;
  return [undefined, MESSAGES[number - 1] ?? `Unknown error ${number}`, number];
}

/** What `os.execute` and a closed pipe return of a program. */
export function ended(status: number): readonly LuaValue[] {
  const signal = signalOf(status);
  return [status === 0 ? true : undefined, signal === undefined ? 'exit' : 'signal', signal ?? status];
}

/** The signal that ended a program, as a shell's status says it: no program ends so by itself. */
function signalOf(status: number): number | undefined {
  return status > 128 && status <= 128 + MESSAGES.length ? status - 128 : undefined;
}

/** An argument that has to be a string; numbers become text as in Lua. */
export function stringAt(args: readonly LuaValue[], at: number): string {
  const value = args[at];
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  throw new LuaError(`bad argument #${at + 1} (string expected, got ${at < args.length ? 'another' : 'no'} value)`);
}
