import type { Call } from '../command.ts';

/** Byte order. */
export const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** The lines of a text, without a last empty one. `end` is what ends a line. */
export function linesOf(text: string, end = '\n'): string[] {
  if (text === '') return [];
  const all = text.split(end);
  if (text.endsWith(end)) all.pop();
  return all;
}

/** Reads each operand, or standard input when there is none; prints an error for those that cannot be read. */
export function inputs(
  call: Call,
  operands: readonly string[],
): { texts: { path: string; text: string }[]; status: number } {
  const texts: { path: string; text: string }[] = [];
  let status = 0;
  for (const path of operands.length === 0 ? ['-'] : operands)
    if (!call.attempt(path, () => texts.push({ path, text: call.read(path) }))) status = 1;
  return { texts, status };
}
