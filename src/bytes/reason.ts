import { closeSync, rmSync } from 'node:fs';
import { BuildError } from '../errors/error.ts';
import { causedBy, reasonOf } from '../errors/system.ts';

export { causedBy, reasonOf } from '../errors/system.ts';

/**
 * The error of a write to `path`; an existing write error is returned unchanged, so that reasons are not wrapped twice.
 */
export function writeFailed(path: string, cause: unknown, hint?: string): BuildError {
  if (cause instanceof BuildError && (cause.code !== 'WRITE_FAILED' || hint === undefined)) return cause;
  const inner = cause instanceof BuildError ? cause.cause : cause;
  const reason = reasonOf(inner ?? cause);
  return new BuildError('WRITE_FAILED', { path, reason }, causedBy(inner, hint));
}

/** The result of `work`, whose failures are those of reading `path`. Throws `READ_FAILED`, and our own errors unchanged. */
export function reading<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof BuildError) throw cause;
    throw new BuildError('READ_FAILED', { path, reason: reasonOf(cause) }, causedBy(cause));
  }
}

/** The result of `work`, whose failures are those of writing `path`. Throws `WRITE_FAILED`, and our own errors unchanged. */
export function writing<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw writeFailed(path, cause);
  }
}

/** Closes a file from which everything was read, or whose content is dropped: then an error says nothing. */
export function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // the handle is free all the same
  }
}

/** Removes what a failed or finished work left, as far as that is possible. False when something stays. */
export function removeQuietly(path: string): boolean {
  try {
    rmSync(path, { recursive: true, force: true });
    return true;
  } catch {
    // there is nothing more to be done, and the error that led here says more
    return false;
  }
}
