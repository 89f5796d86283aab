/** Lines of a text that are compared at most; beyond it is only said that the texts differ. */
const LINES_MAX = 20_000;
/** Cells of the table of common lines. */
const CELLS_MAX = 4_000_000;
/** Lines that are shown around a difference. */
const AROUND = 2;

/** One line of a difference: ` ` is in both, `-` only in the first, `+` only in the second. */
export type DifferenceLine = `${' ' | '-' | '+'}${string}`;

/**
 * The lines in which two texts differ, with a few that they have in common around them; undefined where they are too
 * long to compare. Parts that are left out become one line `@@`.
 */
export function textDifference(a: string, b: string): string[] | undefined {
  const [x, y] = [linesOf(a), linesOf(b)];
  if (x.length > LINES_MAX || y.length > LINES_MAX) return undefined;
  let start = 0;
  while (start < x.length && start < y.length && x[start] === y[start]) start++;
  let end = 0;
  while (end < x.length - start && end < y.length - start && x[x.length - 1 - end] === y[y.length - 1 - end]) end++;
  const middle = changes(x.slice(start, x.length - end), y.slice(start, y.length - end));
  const before = x.slice(Math.max(0, start - AROUND), start).map((line): DifferenceLine => ` ${line}`);
  const after = x.slice(x.length - end, x.length - end + AROUND).map((line): DifferenceLine => ` ${line}`);
  return shortened([...before, ...middle, ...after]);
}

function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  // a missing newline at the end is a difference
  else lines.push('\\ no newline at the end');
  return lines;
}

/** The shortest way from one list of lines to another, by the longest common subsequence. */
function changes(x: readonly string[], y: readonly string[]): DifferenceLine[] {
  const all = (lines: readonly string[], sign: '-' | '+') => lines.map((line): DifferenceLine => `${sign}${line}`);
  if (x.length * y.length > CELLS_MAX) return [...all(x, '-'), ...all(y, '+')];
  const width = y.length + 1;
  const common = new Uint32Array((x.length + 1) * width);
  for (let i = x.length - 1; i >= 0; i--)
    for (let j = y.length - 1; j >= 0; j--)
      common[i * width + j] =
        x[i] === y[j]
          ? common[(i + 1) * width + j + 1]! + 1
          : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
  const found: DifferenceLine[] = [];
  let [i, j] = [0, 0];
  while (i < x.length && j < y.length) {
    if (x[i] === y[j]) {
      found.push(` ${x[i]!}`);
      i++;
      j++;
    } else if (common[(i + 1) * width + j]! >= common[i * width + j + 1]!) found.push(`-${x[i++]!}`);
    else found.push(`+${y[j++]!}`);
  }
  return [...found, ...all(x.slice(i), '-'), ...all(y.slice(j), '+')];
}

/** Without the lines that are in both and far from every difference. */
function shortened(lines: readonly DifferenceLine[]): string[] {
  const near = new Set<number>();
  for (const [i, line] of lines.entries())
    if (!line.startsWith(' ')) for (let at = i - AROUND; at <= i + AROUND; at++) near.add(at);
  const found: string[] = [];
  let left = false;
  for (const [i, line] of lines.entries()) {
    if (near.has(i)) {
      if (left && found.length > 0) found.push('@@');
      left = false;
      found.push(line);
    } else left = true;
  }
  return found;
}
