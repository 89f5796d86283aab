import { BuildError, isBuildError } from '../errors/error.ts';
import { type Report, warning } from '../events/events.ts';

/** What went wrong with a remote cache: it costs time, is one warning, and never fails a build. */
export class RemoteTrouble {
  private readonly shown: string;
  private readonly report: Report;
  private warned = false;
  /** The place does not answer as it should: it is not asked again. */
  lost = false;

  constructor(shown: string, report: Report) {
    this.shown = shown;
    this.report = report;
  }

  /** Takes note of an error. Throws it again where it is not the place's: a bug, or a cache of ours that cannot be written. */
  note(error: unknown): void {
    if (!(error instanceof BuildError)) throw error;
    if (isBuildError(error, 'NOT_FOUND')) return;
    if (isBuildError(error, 'WRITE_FAILED')) throw error;
    // one wrong file says nothing of the others; a place that does not answer would cost its time for each
    if (!isBuildError(error, 'DIGEST_MISMATCH') && !isBuildError(error, 'CONTENT_SIZE')) this.lost = true;
    if (this.warned) return;
    this.warned = true;
    this.report(warning('REMOTE_CACHE_UNUSED', { cache: this.shown, reason: error.message }));
  }
}
