import type { Event, Phase, Report, Warning } from '../events/events.ts';

/** Content of a build's JSON document besides its outputs: warnings, notes and how long each phase took. */
export class Collected {
  readonly warnings: Warning[] = [];
  readonly notes: string[] = [];
  readonly timings: { phase: Phase; seconds: number; bytes: number }[] = [];
  private open: { phase: Phase; started: number; bytes: number } | undefined;
  private readonly now: () => number;

  /** `now` gives milliseconds, from any start. */
  constructor(now: () => number) {
    this.now = now;
  }

  /** Receives events as they happen. */
  readonly report: Report = (event: Event) => {
    if (event.kind === 'warning') {
      const { kind: _, ...warning } = event;
      this.warnings.push(warning);
    } else if (event.kind === 'note') this.notes.push(event.message);
    else if (event.kind === 'phase') {
      this.open = { phase: event.phase, started: this.now(), bytes: 0 };
    } else if (event.kind === 'progress' && this.open?.phase === event.phase) {
      this.open.bytes = event.bytes;
    } else if (event.kind === 'ended' && this.open?.phase === event.phase) {
      const seconds = Math.round(this.now() - this.open.started) / 1000;
      this.timings.push({ phase: event.phase, seconds, bytes: event.bytes ?? this.open.bytes });
      this.open = undefined;
    }
  };
}
