import type { Chiselled } from '../rootfs/chisel/chisel.ts';
import { size } from './terminal.ts';

/** A table of what each item keeps, the most expensive first. */
export function keptLines({ items, before, after }: Chiselled): string[] {
  const width = Math.max(0, ...items.map(({ item }) => item.length));
  const rows = [...items].sort((a, b) => b.bytes - a.bytes || (a.item < b.item ? -1 : 1));
  const lines = [`${'item'.padEnd(width)}  paths      size  alone`];
  for (const { item, paths, bytes, alone } of rows)
    lines.push(`${item.padEnd(width)}  ${String(paths).padStart(5)} ${size(bytes)} ${size(alone)}`);
  const share = before.bytes === 0 ? 100 : Math.round((100 * after.bytes) / before.bytes);
  lines.push(
    `${after.paths} of ${before.paths} paths, ${size(after.bytes).trim()} of ${size(before.bytes).trim()} (${share} %)`,
  );
  return lines;
}
