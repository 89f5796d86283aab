import type { Call } from '../command.ts';
import type { Stream } from '../streams.ts';

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
): { texts: { path: string; text: string; endless: Stream | undefined }[]; status: number } {
  const texts: { path: string; text: string; endless: Stream | undefined }[] = [];
  let status = 0;
  for (const path of operands.length === 0 ? ['-'] : operands)
    if (
      !call.attempt(path, () => {
        const text = call.read(path);
        texts.push({ path, text, endless: call.endless });
        // head knows how much of each it needs
        if (call.name === 'head') call.enough();
      })
    )
      status = 1;
    // nothing comes after what has no end
    else if (call.endless !== undefined) break;
  return { texts, status };
}
