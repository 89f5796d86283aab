import type { Event, Phase, Report, Warning } from '../events/events.ts';
import { Phases } from './phases.ts';

/** Content of a build's JSON document besides its outputs: warnings, notes and how long each phase took. */
export class Collected {
  readonly warnings: Warning[] = [];
  readonly notes: string[] = [];
  /** Bytes are those that a phase worked on, without what was in the cache already. */
  readonly timings: { phase: Phase; seconds: number; bytes: number }[] = [];
  private readonly phases: Phases;

  /** `now` gives milliseconds, from any start. */
  constructor(now: () => number) {
    this.phases = new Phases(now);
  }

  /** Receives events as they happen. */
  readonly report: Report = (event: Event) => {
    const finished = this.phases.take(event);
    if (event.kind === 'warning') {
      const { kind: _, ...warning } = event;
      this.warnings.push(warning);
    } else if (event.kind === 'note') this.notes.push(event.message);
    // the time of an inner phase is in that of the outer one
    else if (finished !== undefined && !finished.inner) {
      const { phase, seconds, moved } = finished;
      this.timings.push({ phase, seconds: Math.round(seconds * 1000) / 1000, bytes: moved });
    }
  };
}
