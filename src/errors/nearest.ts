/** Maximum number of edits between a name and a suggestion. */
const MOST_EDITS = 2;

/**
 * Names that the user may have meant with `wanted`: those that differ by a letter or two, nearest first, at most `most` of
 * them. For hints in errors.
 */
export function nearestNames(wanted: string, names: Iterable<string>, most = 3): string[] {
  const limit = wanted.length < 5 ? 1 : MOST_EDITS;
  const found: { name: string; edits: number }[] = [];
  for (const name of new Set(names)) {
    const edits = editsBetween(wanted, name, limit);
    if (edits <= limit) found.push({ name, edits });
  }
  found.sort((a, b) => a.edits - b.edits || (a.name < b.name ? -1 : 1));
  return found.slice(0, most).map(({ name }) => name);
}

/** `; did you mean "x"?` for the nearest of some names; empty when none is near. Case is ignored. */
export function didYouMean(wanted: string, names: Iterable<string>): string {
  const found = nearestNames(wanted.trim().toLowerCase(), names, 1)[0];
  return found === undefined ? '' : `; did you mean "${found}"?`;
}

/** Letters inserted, removed, replaced or swapped with their neighbour (optimal string alignment); `limit` + 1 when more. */
function editsBetween(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      let edits = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) edits = Math.min(edits, before[j - 2]! + 1);
      next.push(edits);
      least = Math.min(least, edits);
    }
    if (least > limit) return limit + 1;
    before = row;
    row = next;
  }
  return row[b.length]!;
}
