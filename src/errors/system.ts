import { BuildError } from './error.ts';

/** The short reason in an error: words for the system's codes, the sentence of our own errors, else its message. */
export function reasonOf(error: unknown): string {
  if (error instanceof BuildError) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  return code === undefined ? String(message ?? error) : (REASONS[code] ?? code);
}

const REASONS: Record<string, string> = {
  ENOSPC: 'no space left on the device',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'read-only file system',
  EIO: 'input/output error',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files on this system',
  ENOENT: 'no such file or directory',
  EISDIR: 'is a directory',
  ENOTDIR: 'a part of the path is not a directory',
  ELOOP: 'too many levels of symbolic links',
  ENAMETOOLONG: 'file name too long',
  EDQUOT: 'disk quota exceeded',
  EPIPE: 'the reader has closed the pipe',
  EBUSY: 'in use, or a file system is mounted there',
  EXDEV: 'on another file system',
  EFBIG: 'file too large for this file system',
};

/** What to do about a system's error that is neither the file's fault nor the folder's; undefined for the others. */
export function systemHint(error: unknown): string | undefined {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EMFILE' ? 'allow this process more open files (ulimit -n)' : undefined;
}

/** The options of an error with its cause, and with a hint where there is one for it. */
export function causedBy(cause: unknown, hint?: string): { readonly cause: unknown; readonly hint?: string } {
  const said = systemHint(cause) ?? hint;
  return said === undefined ? { cause } : { cause, hint: said };
}

/** System calls that change something; the others read. */
const WRITING: ReadonlySet<string> = new Set([
  ...['write', 'fsync', 'fdatasync', 'ftruncate', 'truncate', 'mkdir', 'mkdtemp', 'rename', 'link', 'symlink'],
  ...['unlink', 'rm', 'rmdir', 'chmod', 'fchmod', 'chown', 'lchown', 'fchown', 'utime', 'futime', 'lutime', 'copyfile'],
]);

/** System calls on files that only read. */
const READING: ReadonlySet<string> = new Set([
  ...['open', 'close', 'read', 'stat', 'lstat', 'fstat', 'statfs', 'access', 'scandir', 'opendir', 'readlink'],
  'realpath',
]);

/** An error of a system call on a file as an error of the catalogue; undefined for every other error. */
export function systemFailure(error: unknown): BuildError | undefined {
  const { syscall, code, path } = error as NodeJS.ErrnoException;
  if (!(error instanceof Error) || typeof syscall !== 'string' || typeof code !== 'string') return undefined;
  // sockets are read and written, too
  if (/^E(CONN|HOST|NET|TIMEDOUT)/.test(code) || !(WRITING.has(syscall) || READING.has(syscall))) return undefined;
  const context = { path: path ?? 'a file', reason: reasonOf(error) };
  return new BuildError(WRITING.has(syscall) ? 'WRITE_FAILED' : 'READ_FAILED', context, causedBy(error));
}
