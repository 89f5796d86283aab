/**
 * apk's version order: digits separated by dots, a letter, suffixes (`_alpha` … `_p`) with numbers, `~` and a commit, `-r`
 * and the package's own revision. Cases: the version tests that apk-tools publishes.
 */

/** What a part of a version is. Of two versions that are equal so far, the one whose next part is listed later here is smaller. */
const FIRST = 0;
const NUMBER = 1;
const LETTER = 2;
const SUFFIX = 3;
const SUFFIX_NUMBER = 4;
const COMMIT = 5;
const REVISION = 6;
const END = 7;
const INVALID = 8;

/** Suffixes in their order; those before `RELEASE` make a version smaller than the same without. */
const SUFFIXES: ReadonlyMap<string, number> = new Map(
  ['alpha', 'beta', 'pre', 'rc', '', 'cvs', 'svn', 'git', 'hg', 'p'].map((name, i) => [name, i]),
);
const RELEASE = 4;

const isDigit = (code: number) => code >= 48 && code <= 57;
const isLower = (code: number) => code >= 97 && code <= 122;
const isHex = (code: number) => isDigit(code) || (code >= 97 && code <= 102);

/** Reads a version part by part; `kind` and the bounds describe the part just read. */
class Parts {
  kind = FIRST;
  start = 0;
  end = 0;
  suffix = RELEASE;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
    this.take(0, isDigit, FIRST);
  }

  /** The characters of the part. */
  get value(): string {
    return this.text.slice(this.start, this.end);
  }

  next(): void {
    const at = this.end;
    const { text, kind } = this;
    if (kind >= END) return;
    if (at >= text.length) {
      this.kind = END;
      return;
    }
    const code = text.charCodeAt(at);
    if (isLower(code)) {
      if (kind > NUMBER) this.kind = INVALID;
      else this.part(LETTER, at, at + 1);
    } else if (isDigit(code)) {
      if (kind === SUFFIX) this.take(at, isDigit, SUFFIX_NUMBER);
      else this.kind = INVALID;
    } else if (code === 46 /* . */ && kind <= NUMBER) {
      this.take(at + 1, isDigit, NUMBER);
    } else if (code === 95 /* _ */ && kind <= SUFFIX_NUMBER) {
      this.take(at + 1, isLower, SUFFIX);
      const order = this.start === this.end ? undefined : SUFFIXES.get(this.value);
      if (order === undefined) this.kind = INVALID;
      else this.suffix = order;
    } else if (code === 126 /* ~ */ && kind < COMMIT) {
      this.take(at + 1, isHex, COMMIT);
    } else if (code === 45 /* - */ && kind < REVISION && text.charCodeAt(at + 1) === 114 /* r */) {
      this.take(at + 2, isDigit, REVISION);
    } else {
      this.kind = INVALID;
    }
  }

  private take(from: number, accept: (code: number) => boolean, kind: number): void {
    let to = from;
    while (to < this.text.length && accept(this.text.charCodeAt(to))) to++;
    if (to === from) this.kind = INVALID;
    else this.part(kind, from, to);
  }

  private part(kind: number, start: number, end: number): void {
    this.kind = kind;
    this.start = start;
    this.end = end;
  }
}

/** True when `text` is a version in apk's sense. */
export function isVersion(text: string): boolean {
  const parts = new Parts(text);
  while (parts.kind < END) parts.next();
  return parts.kind === END;
}

const sign = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Compares strings of digits of any length by value. */
function compareNumbers(a: string, b: string): number {
  const x = a.replace(/^0+/, '');
  const y = b.replace(/^0+/, '');
  return x.length - y.length || sign(x, y);
}

function compareParts(a: Parts, b: Parts): number {
  switch (a.kind) {
    case SUFFIX:
      return a.suffix - b.suffix;
    case LETTER:
    case COMMIT:
      return sign(a.value, b.value);
    case NUMBER:
      // a part with a leading zero is read as a fraction: 1.01 < 1.1
      if (a.value.startsWith('0') || b.value.startsWith('0')) return sign(a.value, b.value);
      return compareNumbers(a.value, b.value);
    default:
      return compareNumbers(a.value, b.value);
  }
}

/**
 * Negative, 0 or positive as `a` comes before, with or after `b`. With `fuzzy`, `b` stands for every version that begins
 * with it part by part (`~`).
 */
export function compareVersions(a: string, b: string, fuzzy = false): number {
  if (a === b) return 0;
  const x = new Parts(a);
  const y = new Parts(b);
  while (x.kind === y.kind && x.kind < END) {
    const order = compareParts(x, y);
    if (order !== 0) return order;
    x.next();
    y.next();
  }
  if (x.kind === y.kind) return 0;
  if (fuzzy && y.kind === END) return 0;
  if (x.kind === SUFFIX && x.suffix < RELEASE) return -1;
  if (y.kind === SUFFIX && y.suffix < RELEASE) return 1;
  return y.kind - x.kind;
}
