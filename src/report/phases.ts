import type { Event, Phase } from '../events/events.ts';

/** A phase that is running. */
export interface RunningPhase {
  readonly phase: Phase;
  /** Milliseconds, on the caller's clock. */
  readonly started: number;
  /** Bytes to work on; undefined when nobody knows. */
  total: number | undefined;
  /** Bytes done. */
  bytes: number;
  /** Bytes of those that took time: not what was in the cache already. */
  moved: number;
  /** The file it is about, or the one it is at. */
  item: string | undefined;
}

/** A phase that ended. */
export interface FinishedPhase extends Readonly<RunningPhase> {
  readonly seconds: number;
  /** It was part of another phase, whose time includes it. */
  readonly inner: boolean;
}

/** Follows events and keeps what is known of the running phases. One phase may contain another. */
export class Phases {
  private readonly running: RunningPhase[] = [];
  private readonly now: () => number;
  /** Counters of the mirror, which never start again. */
  private downloads = { bytes: 0, received: 0 };
  /** Sums of downloads whose sizes became known one by one, by phase. */
  private readonly growing = new WeakSet<RunningPhase>();

  /** `now` gives milliseconds, from any start. */
  constructor(now: () => number) {
    this.now = now;
  }

  /** The innermost phase that is running. */
  get current(): RunningPhase | undefined {
    return this.running.at(-1);
  }

  /** Takes an event; returns the phase that it ended, if it did. */
  take(event: Event): FinishedPhase | undefined {
    const { current } = this;
    switch (event.kind) {
      case 'phase': {
        const { phase, bytes: total, item } = event;
        if (current?.phase === phase) {
          // more is known about it now
          current.total = total ?? current.total;
          current.item = item ?? current.item;
        } else this.running.push({ phase, started: this.now(), total, bytes: 0, moved: 0, item });
        return undefined;
      }
      case 'progress':
        this.progress(event);
        return undefined;
      case 'expected':
        if (current === undefined || (current.total !== undefined && !this.growing.has(current))) return undefined;
        this.growing.add(current);
        current.total = (current.total ?? current.bytes) + event.size;
        return undefined;
      case 'fetched':
        if (current?.phase === 'fetch' && event.cached) current.bytes += event.size;
        return undefined;
      case 'ended':
        return this.end(event);
      default:
        return undefined;
    }
  }

  private progress(event: Event & { readonly kind: 'progress' }): void {
    const { current } = this;
    const { phase, bytes, received = bytes, item } = event;
    if (phase === 'fetch') {
      const [more, moved] = [bytes - this.downloads.bytes, received - this.downloads.received];
      this.downloads = { bytes, received };
      // lists of packages are downloaded while the plan is made
      if (current?.phase !== 'fetch' && current?.phase !== 'plan') return;
      current.bytes += more;
      current.moved += moved;
    } else {
      if (current?.phase !== phase) return;
      current.bytes = bytes;
      current.moved = received;
    }
    current.item = item ?? current.item;
  }

  private end({ phase, bytes, item }: Event & { readonly kind: 'ended' }): FinishedPhase | undefined {
    const at = this.running.findLastIndex((one) => one.phase === phase);
    if (at < 0) return undefined;
    const one = this.running[at]!;
    // inner phases that were left without an end are over as well
    this.running.length = at;
    const seconds = (this.now() - one.started) / 1000;
    const done = bytes ?? one.bytes;
    const moved = phase === 'fetch' || phase === 'plan' ? one.moved : done;
    return { ...one, bytes: done, moved, item, seconds, inner: at > 0 };
  }
}
