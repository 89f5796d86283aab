import type { Event, Phase, Report } from '../events/events.ts';
import { printable, printableLine } from './escape.ts';
import { type FinishedPhase, Phases, type RunningPhase } from './phases.ts';
import { amount, progressLine } from './progress-line.ts';
import type { Screen } from './screen.ts';

const TITLES: Readonly<Record<Phase, string>> = {
  plan: 'Planning',
  fetch: 'Fetching',
  unpack: 'Unpacking',
  read: 'Reading',
  configure: 'Configuring',
  provision: 'Provisioning',
  hash: 'Hashing',
  write: 'Writing',
  push: 'Pushing',
};

/** Verbosity. */
export type Loudness = 'quiet' | 'normal' | 'verbose';

/** Milliseconds between two drawings of the status line. */
const FRAME = 100;
/** Milliseconds over which the rate is taken. */
const WINDOW = 4000;
/** Reading is mentioned afterwards when it took so many seconds. */
const LONG = 1;

/**
 * Turns events into lines of text: a line for each phase when it ends, warnings as they occur, and on a terminal one
 * status line with a bar.
 */
export function terminalReport(screen: Screen, loudness: Loudness): Report {
  const phases = new Phases(() => screen.now());
  let drawn = Number.NEGATIVE_INFINITY;
  let speed = new Speed();
  let measured: RunningPhase | undefined;

  const line = (text: string): void => screen.write(`${printable(text)}\n`);
  const draw = (): void => {
    const { current } = phases;
    if (!screen.terminal || loudness === 'quiet' || current === undefined) return;
    const now = screen.now();
    if (now - drawn < FRAME) return;
    drawn = now;
    if (measured !== current) speed = new Speed();
    measured = current;
    const { phase, bytes, total, item } = current;
    const name = phase === 'fetch' || phase === 'plan' ? item?.replace(/^.*\//, '') : item;
    const progress = { title: TITLES[phase], bytes, total, rate: speed.at(now, current.moved), item: name };
    screen.status(progressLine(progress, screen.columns - 1));
  };
  const ended = (one: FinishedPhase): void => {
    const { phase, inner, seconds } = one;
    const mentioned = !inner && (phase !== 'read' || seconds >= LONG);
    if (loudness === 'verbose' || (loudness === 'normal' && mentioned)) line(endLine(one));
    else screen.clear();
  };

  return (event: Event) => {
    const finished = phases.take(event);
    if (finished !== undefined) ended(finished);
    switch (event.kind) {
      case 'phase':
        // the first drawing of a phase does not wait, nor that of its size
        drawn = Number.NEGATIVE_INFINITY;
        draw();
        return;
      case 'progress':
        draw();
        return;
      case 'fetched':
        if (loudness === 'verbose')
          line(`${event.cached ? 'cached ' : 'fetched'} ${size(event.size)}  ${printableLine(event.url)}`);
        return;
      case 'retried':
        if (loudness !== 'quiet') line(`trying again (${event.attempt}): ${event.url}: ${event.reason}`);
        return;
      case 'note':
        if (loudness === 'verbose') line(event.message);
        return;
      case 'warning':
        if (loudness !== 'quiet') line(`warning: ${event.message}`);
        return;
      case 'ended':
      case 'expected':
      case 'written':
        return;
      default:
        event satisfies never;
    }
  };
}

function endLine({ phase, seconds, bytes, moved, item }: FinishedPhase): string {
  const parts = [`${TITLES[phase].padEnd(12)} ${seconds.toFixed(1).padStart(6)} s`];
  if (bytes > 0) parts.push(size(bytes));
  if (moved > 0 && seconds > 0.05) parts.push(`${amount(moved / seconds)}/s`);
  if (phase === 'fetch' && moved < bytes) parts.push(moved === 0 ? 'all from the cache' : `${amount(moved)} of it now`);
  if (item !== undefined) parts.push(printableLine(item));
  return parts.join('  ');
}

/** Bytes per second over the last seconds. */
class Speed {
  private readonly samples: { readonly at: number; readonly bytes: number }[] = [];

  /** Takes the bytes done at a time in milliseconds; undefined when it is too early to say. */
  at(now: number, bytes: number): number | undefined {
    this.samples.push({ at: now, bytes });
    while (this.samples.length > 2 && now - this.samples[1]!.at >= WINDOW) this.samples.shift();
    const first = this.samples[0]!;
    return now - first.at < FRAME ? undefined : ((bytes - first.bytes) * 1000) / (now - first.at);
  }
}

/** Human-readable bytes, in binary units, aligned: `  12.3 MiB`. */
export function size(bytes: number): string {
  return amount(bytes).padStart(10);
}
