import { createRequire } from 'node:module';
import { printableLine } from './escape.ts';

/** What a progress line shows. */
export interface Progress {
  readonly title: string;
  /** Bytes done. */
  readonly bytes: number;
  /** Bytes in all; undefined when nobody knows. */
  readonly total?: number | undefined;
  /** Bytes per second; undefined when it is not known yet. */
  readonly rate?: number | undefined;
  /** Name of the file or package. */
  readonly item?: string | undefined;
}

/** Columns of a title, so that lines are aligned where there is space. */
const TITLE = 12;
const BAR = { least: 6, most: 24 } as const;
/** A shorter rest of a name says nothing. */
const SHORTEST_ITEM = 10;
/** Columns of a name that are worth more than a longer bar. */
const ITEM = 24;
/** Remaining times beyond this many seconds are not known well enough to be shown. */
const LONGEST = 100 * 3600;

/**
 * One line of at most `columns` columns: `Writing  45 % [#####-----]  58.2 MiB of 128.0 MiB  5.1 MiB/s  0:13 left  NAME`.
 * In a narrow terminal the less important parts are left out: first the name, then bytes, then the bar.
 */
export function progressLine(progress: Progress, columns: number): string {
  const { bytes, total, rate } = progress;
  const wide = columns >= 60;
  const known = total !== undefined && total > 0;
  const title = printableLine(progress.title).padEnd(wide ? TITLE : 0);
  const head = known ? `${title} ${percent(bytes, total).padStart(5)}` : title;
  let left = columns - cells(head);
  if (left < 0) return shortened(head, columns);
  const take = (text: string | undefined): string => {
    if (text === undefined || cells(text) > left) return '';
    left -= cells(text);
    return text;
  };
  // what matters most takes its space first
  const seconds = known && rate !== undefined && rate > 0 ? Math.max(0, total - bytes) / rate : undefined;
  const time = take(
    seconds === undefined || seconds > LONGEST ? undefined : ` ${clock(seconds)}${wide ? ' left' : ''}`,
  );
  const speed = take(rate === undefined || rate <= 0 ? undefined : ` ${amount(rate)}/s`);
  const barSpace = known && left >= BAR.least + 3 ? BAR.least + 3 : 0;
  left -= barSpace;
  const done = take(bytes > 0 || known ? ` ${amount(bytes)}${known && wide ? ` of ${amount(total)}` : ''}` : undefined);
  const item = printableLine(progress.item ?? '');
  // a long name is cut before the bar is
  const wanted = item === '' || left < SHORTEST_ITEM + 2 ? 0 : Math.min(cells(item), ITEM) + 2;
  const grown = barSpace === 0 ? 0 : Math.max(0, Math.min(BAR.most - BAR.least, wanted > 0 ? left - wanted : left));
  const bar = barSpace === 0 ? '' : ` ${gauge(bytes / total!, BAR.least + grown)}`;
  left -= grown;
  const name = left >= SHORTEST_ITEM + 2 && item !== '' ? `  ${shortened(item, left - 2)}` : '';
  return `${head}${bar}${done}${speed}${time}${name}`;
}

/** `[####----]`, `width` characters and two brackets. */
function gauge(share: number, width: number): string {
  const filled = Math.floor(Math.min(1, Math.max(0, share)) * width);
  return `[${'#'.repeat(filled)}${'-'.repeat(width - filled)}]`;
}

function percent(bytes: number, total: number): string {
  return `${Math.min(100, Math.max(0, Math.floor((bytes / total) * 100)))} %`;
}

/** A duration: `0:07`, `12:30`, `1:02:03`. */
export function clock(seconds: number): string {
  const all = Math.ceil(seconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  const [hours, minutes, rest] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Human-readable bytes, in binary units: `12.3 MiB`. */
export function amount(bytes: number): string {
  let value = bytes;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    // 1023.95 would be written as 1024.0
    if (value < (unit === 'B' ? 1024 : 1023.95) || unit === 'GiB')
      return `${unit === 'B' ? Math.floor(value) : value.toFixed(1)} ${unit}`;
    value /= 1024;
  }
  return '';
}

/** Marks on the letter before them, and characters without a shape. */
const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]$/u;

type Widths = Pick<typeof import('get-east-asian-width'), 'eastAsianWidth'>;

let widths: Widths | undefined;

function cellsOf(character: string): number {
  const point = character.codePointAt(0)!;
  if (point >= 0x20 && point < 0x7f) return 1;
  if (NO_WIDTH.test(character)) return 0;
  // hardly a line needs it, and every command would load it
  widths ??= createRequire(import.meta.url)('get-east-asian-width') as Widths;
  return widths.eastAsianWidth(point);
}

/** Columns that printable text takes on a terminal. */
export function cells(text: string): number {
  let sum = 0;
  for (const character of text) sum += cellsOf(character);
  return sum;
}

/** Text of at most `columns` columns: the end of a longer one, after `…`, since paths and versions end with what differs. */
export function shortened(text: string, columns: number): string {
  if (cells(text) <= columns) return text;
  if (columns < 1) return '';
  const characters = [...text];
  let [from, used] = [characters.length, 1];
  while (from > 0 && used + cellsOf(characters[from - 1]!) <= columns) used += cellsOf(characters[--from]!);
  // a mark alone would join the dots
  while (from < characters.length && cellsOf(characters[from]!) === 0) from++;
  return `…${characters.slice(from).join('')}`;
}
