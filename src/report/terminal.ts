import type { Event, Phase, Report } from '../events/events.ts';
import { printable, printableLine } from './escape.ts';

const TITLES: Readonly<Record<Phase, string>> = {
  plan: 'Planning',
  fetch: 'Fetching',
  unpack: 'Unpacking',
  configure: 'Configuring',
  provision: 'Provisioning',
  write: 'Writing',
};

/** Verbosity. */
export type Loudness = 'quiet' | 'normal' | 'verbose';

/** Output and clock. */
export interface Screen {
  write(text: string): void;
  readonly terminal: boolean;
  readonly columns: number;
  /** Milliseconds, from any start. */
  now(): number;
}

/**
 * Turns events into lines of text: a phase with its bytes and rate when it ends, warnings as they occur, and on a
 * terminal one progress line.
 */
export function terminalReport(screen: Screen, loudness: Loudness): Report {
  let phase: { name: Phase; started: number; total: number | undefined; bytes: number } | undefined;
  let drawn = 0;
  let shown = false;

  const clear = () => {
    if (shown) screen.write('\r\x1b[K');
    shown = false;
  };
  const line = (text: string) => {
    clear();
    screen.write(`${printable(text)}\n`);
  };
  const draw = (item: string | undefined) => {
    if (!screen.terminal || loudness === 'quiet' || phase === undefined) return;
    const now = screen.now();
    if (now - drawn < 100) return;
    drawn = now;
    const seconds = (now - phase.started) / 1000;
    const share = phase.total
      ? ` ${String(Math.min(100, Math.floor((phase.bytes / phase.total) * 100))).padStart(3)} %`
      : '';
    const text = `${TITLES[phase.name].padEnd(12)}${share} ${size(phase.bytes)}${rate(phase.bytes, seconds)}${item === undefined ? '' : `  ${item}`}`;
    screen.write(`\r\x1b[K${printableLine(text).slice(0, Math.max(20, screen.columns - 1))}`);
    shown = true;
  };

  return (event: Event) => {
    switch (event.kind) {
      case 'phase':
        phase = { name: event.phase, started: screen.now(), total: event.bytes, bytes: 0 };
        drawn = 0;
        draw(undefined);
        return;
      case 'progress':
        if (phase?.name === event.phase) phase.bytes = event.bytes;
        draw(event.item);
        return;
      case 'ended': {
        const now = screen.now();
        const bytes = event.bytes ?? phase?.bytes ?? 0;
        const seconds = phase === undefined ? 0 : (now - phase.started) / 1000;
        if (loudness !== 'quiet')
          line(
            `${TITLES[event.phase].padEnd(12)} ${seconds.toFixed(1).padStart(6)} s${bytes > 0 ? `  ${size(bytes)}${rate(bytes, seconds)}` : ''}`,
          );
        phase = undefined;
        return;
      }
      case 'fetched':
        if (loudness === 'verbose') line(`${event.cached ? 'cached ' : 'fetched'} ${size(event.size)}  ${event.url}`);
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
      case 'written':
        clear();
        return;
      default:
        event satisfies never;
    }
  };
}

/** Human-readable bytes, in binary units: `12.3 MiB`. */
export function size(bytes: number): string {
  let value = bytes;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (value < 1024 || unit === 'GiB') return `${unit === 'B' ? value : value.toFixed(1)} ${unit}`.padStart(10);
    value /= 1024;
  }
  return '';
}

function rate(bytes: number, seconds: number): string {
  return bytes > 0 && seconds > 0.05 ? `  ${size(bytes / seconds).trim()}/s` : '';
}
