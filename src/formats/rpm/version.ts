/**
 * Versions of rpm packages: `[EPOCH:]VERSION[-RELEASE]`, compared as rpm's rpmvercmp does. Versions are byte strings.
 */
export interface Evr {
  /** 0 when it is not written. */
  readonly epoch: number;
  readonly version: string;
  /** Empty when it is not written. */
  readonly release: string;
}

/** Splits `[EPOCH:]VERSION[-RELEASE]`. An epoch that is not a number counts as 0, as in rpm. */
export function parseEvr(text: string): Evr {
  const colon = text.indexOf(':');
  const digits = colon > 0 ? text.slice(0, colon) : '';
  const hasEpoch = /^\d+$/.test(digits);
  const rest = hasEpoch || colon === 0 ? text.slice(colon + 1) : text;
  const dash = rest.lastIndexOf('-');
  return {
    epoch: hasEpoch ? Number(digits) : 0,
    version: dash < 0 ? rest : rest.slice(0, dash),
    release: dash < 0 ? '' : rest.slice(dash + 1),
  };
}

/** The short form: the epoch only when it is not 0, the release only when there is one. */
export function evrText({ epoch, version, release }: Evr): string {
  return `${epoch === 0 ? '' : `${epoch}:`}${version}${release === '' ? '' : `-${release}`}`;
}

/** Order of two complete versions: epoch, version, release; a release is compared only when both have one. */
export function compareEvr(a: Evr, b: Evr): number {
  if (a.epoch !== b.epoch) return a.epoch < b.epoch ? -1 : 1;
  const order = rpmvercmp(a.version, b.version);
  if (order !== 0 || a.release === '' || b.release === '') return order;
  return rpmvercmp(a.release, b.release);
}

const ZERO = 48;
const NINE = 57;
const TILDE = 126;
const CARET = 94;

const isDigit = (c: number) => c >= ZERO && c <= NINE;
const isLetter = (c: number) => (c >= 65 && c <= 90) || (c >= 97 && c <= 122);

/**
 * rpm's order of versions or releases: -1, 0 or 1. Runs of digits compare as numbers, runs of ASCII letters as text,
 * everything else only separates; `~` sorts before the end of the text, `^` after the end but before anything else.
 */
export function rpmvercmp(a: string, b: string): number {
  if (a === b) return 0;
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    while (i < a.length && separates(a.charCodeAt(i))) i++;
    while (j < b.length && separates(b.charCodeAt(j))) j++;
    const c = i < a.length ? a.charCodeAt(i) : 0;
    const d = j < b.length ? b.charCodeAt(j) : 0;
    if (c === TILDE || d === TILDE) {
      if (c !== TILDE) return 1;
      if (d !== TILDE) return -1;
      i++;
      j++;
      continue;
    }
    if (c === CARET || d === CARET) {
      if (c === 0) return -1;
      if (d === 0) return 1;
      if (c !== CARET) return 1;
      if (d !== CARET) return -1;
      i++;
      j++;
      continue;
    }
    if (c === 0 || d === 0) break;
    const numeric = isDigit(c);
    const same = numeric ? isDigit : isLetter;
    const from = i;
    const start = j;
    while (i < a.length && same(a.charCodeAt(i))) i++;
    while (j < b.length && same(b.charCodeAt(j))) j++;
    // numbers are newer than letters
    if (start === j) return numeric ? 1 : -1;
    let one = a.slice(from, i);
    let two = b.slice(start, j);
    if (numeric) {
      one = one.replace(/^0+/, '');
      two = two.replace(/^0+/, '');
      if (one.length !== two.length) return one.length > two.length ? 1 : -1;
    }
    if (one !== two) return one > two ? 1 : -1;
  }
  if (i >= a.length && j >= b.length) return 0;
  return i < a.length ? 1 : -1;
}

function separates(c: number): boolean {
  return !isDigit(c) && !isLetter(c) && c !== TILDE && c !== CARET;
}
