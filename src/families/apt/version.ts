/**
 * Debian version numbers, ordered as dpkg orders them: `[epoch:]upstream[-revision]`, each part compared by turns of
 * text and number (Debian policy 5.6.12; deb-version(7)).
 */

/** A parsed version. */
export interface Version {
  readonly epoch: number;
  readonly upstream: string;
  /** Empty when the version has none, which counts as `0`. */
  readonly revision: string;
}

const ZERO = 48;
const NINE = 57;
const TILDE = 126;
/** dpkg keeps epochs in an int. */
const EPOCH_LIMIT = 2 ** 31 - 1;

/** Below zero, zero or above zero, as `a` is earlier than, the same as or later than `b`. Any text can be compared. */
export function compareVersions(a: string, b: string): number {
  if (a === b) return 0;
  const left = splitVersion(a);
  const right = splitVersion(b);
  if (left.epoch !== right.epoch) return left.epoch < right.epoch ? -1 : 1;
  return comparePart(left.upstream, right.upstream) || comparePart(left.revision, right.revision);
}

/** Splits a version without validating it: an invalid epoch is part of the upstream version. */
export function splitVersion(version: string): Version {
  const colon = version.indexOf(':');
  const digits = colon > 0 && isNumber(version, 0, colon);
  const start = digits ? colon + 1 : 0;
  const dash = version.lastIndexOf('-');
  const end = dash >= start ? dash : version.length;
  return {
    epoch: digits ? Number(version.slice(0, colon)) : 0,
    upstream: version.slice(start, end),
    revision: dash >= start ? version.slice(dash + 1) : '',
  };
}

/** Why dpkg would reject the text as a version; undefined when it is valid. */
export function versionFault(version: string): string | undefined {
  if (version.length === 0) return 'it is empty';
  if (/\s/.test(version)) return 'it holds blanks';
  const colon = version.indexOf(':');
  if (colon === 0) return 'its epoch is empty';
  if (colon > 0) {
    if (!isNumber(version, 0, colon)) return 'its epoch is not a number';
    if (Number(version.slice(0, colon)) > EPOCH_LIMIT) return 'its epoch is too big';
    if (colon === version.length - 1) return 'nothing follows its colon';
  }
  const rest = version.slice(colon + 1);
  const dash = rest.lastIndexOf('-');
  const upstream = dash < 0 ? rest : rest.slice(0, dash);
  const revision = dash < 0 ? undefined : rest.slice(dash + 1);
  if (upstream === '') return 'its upstream part is empty';
  if (revision === '') return 'its revision is empty';
  if (!/^[0-9]/.test(upstream)) return 'it does not start with a digit';
  if (!/^[A-Za-z0-9.+~:-]+$/.test(upstream)) return 'its upstream part holds a character that versions may not have';
  if (revision !== undefined && !/^[A-Za-z0-9.+~]+$/.test(revision))
    return 'its revision holds a character that revisions may not have';
  return undefined;
}

function isNumber(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const c = text.charCodeAt(at);
    if (c < ZERO || c > NINE) return false;
  }
  return end > start;
}

/** Tilde sorts before the end, the end and digits before letters, letters before everything else. */
function weight(c: number): number {
  if (c >= ZERO && c <= NINE) return 0;
  if ((c >= 65 && c <= 90) || (c >= 97 && c <= 122)) return c;
  return c === TILDE ? -1 : c + 256;
}

function comparePart(a: string, b: string): number {
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    while ((i < a.length && !isDigit(a, i)) || (j < b.length && !isDigit(b, j))) {
      const left = i < a.length ? weight(a.charCodeAt(i)) : 0;
      const right = j < b.length ? weight(b.charCodeAt(j)) : 0;
      if (left !== right) return left < right ? -1 : 1;
      i++;
      j++;
    }
    while (i < a.length && a.charCodeAt(i) === ZERO) i++;
    while (j < b.length && b.charCodeAt(j) === ZERO) j++;
    let first = 0;
    while (i < a.length && j < b.length && isDigit(a, i) && isDigit(b, j)) {
      if (first === 0) first = a.charCodeAt(i) - b.charCodeAt(j);
      i++;
      j++;
    }
    // the longer run of digits is the bigger number; this avoids number types and their limits
    if (i < a.length && isDigit(a, i)) return 1;
    if (j < b.length && isDigit(b, j)) return -1;
    if (first !== 0) return first < 0 ? -1 : 1;
  }
  return 0;
}

function isDigit(text: string, at: number): boolean {
  const c = text.charCodeAt(at);
  return c >= ZERO && c <= NINE;
}
