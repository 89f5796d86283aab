import { BuildError } from '../errors/error.ts';

/**
 * The error of a write to `path`; an existing write error is returned unchanged, so that reasons are not wrapped twice.
 */
export function writeFailed(path: string, cause: unknown, hint?: string): BuildError {
  if (cause instanceof BuildError && (cause.code !== 'WRITE_FAILED' || hint === undefined)) return cause;
  const inner = cause instanceof BuildError ? cause.cause : cause;
  const reason = reasonOf(inner ?? cause);
  return new BuildError('WRITE_FAILED', { path, reason }, { cause: inner, ...(hint === undefined ? {} : { hint }) });
}

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
  ENOENT: 'no such file or directory',
  EISDIR: 'is a directory',
  ENOTDIR: 'a part of the path is not a directory',
  EDQUOT: 'disk quota exceeded',
  EPIPE: 'the reader has closed the pipe',
  EFBIG: 'file too large for this file system',
};
