import { order } from './lines.ts';

/** The order of a character in a version: tilde, end, digits, letters, others. */
function rank(c: string | undefined): number {
  if (c === '~') return -2;
  if (c === undefined) return -1;
  if (c >= '0' && c <= '9') return 0;
  if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) return c.charCodeAt(0);
  return c.charCodeAt(0) + 256;
}

/** Compares as Debian's version order, which `sort -V` uses for the parts of a name. */
function partOrder(a: string, b: string): number {
  let i = 0;
  let j = 0;
  const digit = (c: string | undefined) => c !== undefined && c >= '0' && c <= '9';
  while (i < a.length || j < b.length) {
    while ((i < a.length && !digit(a[i])) || (j < b.length && !digit(b[j]))) {
      const x = digit(a[i]) ? 0 : rank(a[i]);
      const y = digit(b[j]) ? 0 : rank(b[j]);
      if (x !== y) return x - y;
      i++;
      j++;
    }
    while (a[i] === '0') i++;
    while (b[j] === '0') j++;
    let first = 0;
    while (digit(a[i]) && digit(b[j])) {
      if (first === 0) first = a.charCodeAt(i) - b.charCodeAt(j);
      i++;
      j++;
    }
    if (digit(a[i])) return 1;
    if (digit(b[j])) return -1;
    if (first !== 0) return first;
  }
  return 0;
}

/** Length of a name without its suffixes such as `.tar.gz`. */
function prefixLength(name: string): number {
  return name.length - (/(?:\.[A-Za-z~][A-Za-z0-9~]*)*$/.exec(name)?.[0].length ?? 0);
}

/** Order of `sort -V` and `ls -v`: filevercmp of gnulib. */
export function versionOrder(a: string, b: string): number {
  if (a === b) return 0;
  if (a === '' || b === '') return a === '' ? -1 : 1;
  // `.` and `..` come first, then hidden names
  for (const name of ['.', '..']) if (a === name || b === name) return a === name ? -1 : 1;
  const [hiddenA, hiddenB] = [a.startsWith('.'), b.startsWith('.')];
  if (hiddenA !== hiddenB) return hiddenA ? -1 : 1;
  const [x, y] = [a.slice(0, prefixLength(a)), b.slice(0, prefixLength(b))];
  const by = x === y ? 0 : partOrder(x, y);
  return by || partOrder(a, b) || order(a, b);
}
