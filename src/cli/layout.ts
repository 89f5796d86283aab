/** Columns beyond which lines are hard to read. */
const WIDEST = 110;
/** Columns of a terminal below which explanations get lines of their own. */
const NARROW = 72;

/** A row of help: what to type, and what it means. */
export type Row = readonly [typed: string, meaning: string];

/** Columns of help on a terminal with so many columns. */
export function pageWidth(columns: number): number {
  return Math.max(20, Math.min(WIDEST, columns));
}

/** A heading with rows below it, each explained beside it, or below it in a narrow terminal. */
export function section(title: string, rows: readonly Row[], width: number): string[] {
  const lines = wrapped(`${title}:`, width);
  const longest = Math.max(...rows.map(([typed]) => typed.length));
  // examples are longer than what they mean
  const column = Math.min(longest, 34) + 4;
  for (const [typed, meaning] of rows) {
    const beside = width >= NARROW && typed.length + 4 <= column;
    if (!beside) lines.push(...wrapped(typed, width, 2, 6));
    const indent = width >= NARROW ? column : 6;
    const text = wrapped(meaning, width, indent);
    if (beside) text[0] = `  ${typed}`.padEnd(column) + text[0]!.slice(column);
    lines.push(...text);
  }
  return [...lines, ''];
}

/** Text in lines of at most `width` characters, broken at blanks, or inside a word that is longer than a line. */
export function wrapped(text: string, width: number, indent = 0, further = indent): string[] {
  const lines: string[] = [];
  let line = ' '.repeat(indent);
  let empty = true;
  for (let word of text.split(' ')) {
    if (!empty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = ' '.repeat(further);
      empty = true;
    }
    line += empty ? '' : ' ';
    while (line.length + word.length > width) {
      const part = word.slice(0, Math.max(1, width - line.length));
      lines.push(line + part);
      word = word.slice(part.length);
      line = ' '.repeat(further);
    }
    line += word;
    empty = false;
  }
  return [...lines, line];
}
