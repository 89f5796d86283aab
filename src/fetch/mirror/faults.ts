import { BuildError, isBuildError } from '../../errors/error.ts';
import { STALLED } from './client-failures.ts';
import type { Answer } from './http.ts';
import { TooSlow } from './pace.ts';

/** A server that asks us to wait longer than this is not tried again. */
const PATIENCE = 60_000;

/** A body that failed: stalled, truncated, or an error of our own. */
export function broken(
  error: unknown,
  url: string,
  part: { size: number },
  expected: number | undefined,
  wait: number,
): unknown {
  if (error instanceof TooSlow) {
    const context = { url, received: part.size, seconds: wait / 1000 };
    const some = error.bytes === 0 ? {} : { bytes: error.bytes };
    return new BuildError('DOWNLOAD_STALLED', { ...context, ...some }, { cause: error });
  }
  if (!isBuildError(error, 'CONNECTION_FAILED')) return error;
  if (error.context.reason === STALLED)
    return new BuildError('DOWNLOAD_STALLED', { url, received: part.size, seconds: wait / 1000 }, { cause: error });
  if (expected === undefined) return error;
  return new BuildError('DOWNLOAD_CUT', { url, received: part.size, expected }, { cause: error });
}

/** A server that named a time for the next attempt. */
class WaitingStatus extends BuildError<'HTTP_STATUS'> {
  readonly wait: number;

  constructor(url: string, status: number, wait: number) {
    super('HTTP_STATUS', { url, status });
    this.wait = wait;
  }
}

/** An answer other than the file. */
export function statusFailure(url: string, answer: Answer): BuildError {
  const { status } = answer;
  if (status === 404 || status === 410) {
    const hint =
      'check address, release and architecture; a mirror that is being updated may have it later, or another one as `repoUrl`';
    return new BuildError('NOT_FOUND', { url, status }, { hint });
  }
  const after = answer.header('retry-after');
  if (after === undefined || !isTransient(status)) return new BuildError('HTTP_STATUS', { url, status });
  // RFC 9110 section 10.2.3: seconds, or a date; the server's own clock is the one to compare with
  const wait = /^\d+$/.test(after) ? Number(after) * 1000 : Date.parse(after) - Date.parse(answer.header('date') ?? '');
  return Number.isNaN(wait) ? new BuildError('HTTP_STATUS', { url, status }) : new WaitingStatus(url, status, wait);
}

function isTransient(status: number): boolean {
  // 416: our part was longer than the file, and has been dropped
  return status >= 500 || status === 408 || status === 416 || status === 425 || status === 429;
}

/** Milliseconds to wait before the next attempt, or undefined when there should be none. */
export function pauseAfter(error: unknown, failures: number): number | undefined {
  const backOff = Math.min(500 * 2 ** failures, 8000);
  if (error instanceof WaitingStatus) return error.wait > PATIENCE ? undefined : Math.max(error.wait, 0);
  if (isBuildError(error, 'HTTP_STATUS')) return isTransient(error.context.status) ? backOff : undefined;
  for (const code of ['CONNECTION_FAILED', 'DOWNLOAD_CUT', 'DOWNLOAD_STALLED'] as const)
    if (isBuildError(error, code)) return backOff;
  return undefined;
}
