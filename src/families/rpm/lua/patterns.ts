/**
 * Lua's patterns (reference manual 5.3, section 6.4.1), with counted work: a pattern such as `(.-)(.-)(.-)x` goes through
 * the subject again and again, and the interpreter's own library does that outside of its instruction count.
 */

/** A pattern that the manual does not allow; its message goes to the script. */
export class PatternError extends Error {}

/** Where a capture lies: bytes from `start` to before `end`, or a position alone. */
export interface Capture {
  readonly start: number;
  /** `position` for `()`; `open` when its bracket is never closed, which is an error when it is asked for. */
  readonly end: number | 'position' | 'open';
}

/** A match: its place and its captures. */
export interface Match {
  readonly start: number;
  readonly end: number;
  readonly captures: readonly Capture[];
}

/** Most captures of a pattern, and most levels of calls for one match. */
const CAPTURES_MAX = 32;
const DEPTH_MAX = 200;

const [PERCENT, OPEN, CLOSE, DOLLAR, STAR, PLUS, MINUS, QUESTION, LEFT, RIGHT, CARET, DOT] = [...'%()$*+-?[]^.'].map(
  (one) => one.charCodeAt(0),
) as [number, number, number, number, number, number, number, number, number, number, number, number];

type OpenCapture = { -readonly [K in keyof Capture]: Capture[K] };

/** Searches one subject for one pattern. */
export class Matcher {
  private readonly subject: Uint8Array;
  private readonly pattern: Uint8Array;
  private readonly charge: (steps: number) => void;
  private captures: OpenCapture[] = [];
  private depth = 0;

  /** `charge` is called for every step, and throws to stop the search. */
  constructor(subject: Uint8Array, pattern: Uint8Array, charge: (steps: number) => void) {
    this.subject = subject;
    this.pattern = pattern;
    this.charge = charge;
  }

  /** The match of the pattern from byte `from` of it on that begins at `start`; undefined when there is none. */
  at(start: number, from = 0): Match | undefined {
    this.captures = [];
    this.depth = 0;
    const end = this.match(start, from);
    if (end < 0) return undefined;
    return { start, end, captures: this.captures };
  }

  /** The first match that begins at `start` or later. */
  search(start: number): Match | undefined {
    const anchored = this.pattern[0] === CARET;
    for (let at = start; at <= this.subject.length; at++) {
      const found = this.at(at, anchored ? 1 : 0);
      if (found !== undefined || anchored) return found;
    }
    return undefined;
  }

  /** End of the match of the pattern from `p` on at `s`, or -1. */
  private match(s: number, p: number): number {
    if (++this.depth > DEPTH_MAX) throw new PatternError('pattern too complex');
    try {
      return this.matchHere(s, p);
    } finally {
      this.depth--;
    }
  }

  private matchHere(start: number, from: number): number {
    const { subject, pattern } = this;
    let s = start;
    let p = from;
    for (;;) {
      this.charge(1);
      if (p >= pattern.length) return s;
      const first = pattern[p]!;
      if (first === OPEN) {
        const position = pattern[p + 1] === CLOSE;
        return this.open(s, p + (position ? 2 : 1), position ? 'position' : 'open');
      }
      if (first === CLOSE) return this.close(s, p + 1);
      if (first === DOLLAR && p + 1 === pattern.length) return s === subject.length ? s : -1;
      if (first === PERCENT) {
        const kind = pattern[p + 1];
        if (kind === 0x62) {
          s = this.balanced(s, p + 2);
          if (s < 0) return -1;
          p += 4;
          continue;
        }
        if (kind === 0x66) {
          const set = p + 2;
          if (pattern[set] !== LEFT) throw new PatternError("missing '[' after '%f' in pattern");
          const after = this.classEnd(set);
          const before = s === 0 ? 0 : subject[s - 1]!;
          const here = s < subject.length ? subject[s]! : 0;
          if (this.inSet(before, set, after - 1) || !this.inSet(here, set, after - 1)) return -1;
          p = after;
          continue;
        }
        if (kind !== undefined && kind >= 0x30 && kind <= 0x39) {
          s = this.back(s, kind);
          if (s < 0) return -1;
          p += 2;
          continue;
        }
      }
      const after = this.classEnd(p);
      const suffix = pattern[after];
      if (suffix === STAR || suffix === PLUS) return this.most(s, p, after, suffix === PLUS ? 1 : 0);
      if (suffix === MINUS) return this.least(s, p, after);
      const fits = this.single(s, p, after);
      if (suffix === QUESTION) {
        if (fits) {
          const end = this.match(s + 1, after + 1);
          if (end >= 0) return end;
        }
        p = after + 1;
        continue;
      }
      if (!fits) return -1;
      s++;
      p = after;
    }
  }

  private open(s: number, p: number, end: OpenCapture['end']): number {
    if (this.captures.length >= CAPTURES_MAX) throw new PatternError('too many captures');
    const level = this.captures.length;
    this.captures.push({ start: s, end });
    const found = this.match(s, p);
    if (found < 0) this.captures.length = level;
    return found;
  }

  private close(s: number, p: number): number {
    const capture = this.captures.findLast((one) => one.end === 'open');
    if (capture === undefined) throw new PatternError('invalid pattern capture');
    capture.end = s;
    const found = this.match(s, p);
    if (found < 0) capture.end = 'open';
    return found;
  }

  /** As many as fit, then fewer. */
  private most(s: number, p: number, after: number, least: number): number {
    let count = 0;
    while (this.single(s + count, p, after)) {
      count++;
      this.charge(1);
    }
    for (; count >= least; count--) {
      const end = this.match(s + count, after + 1);
      if (end >= 0) return end;
    }
    return -1;
  }

  /** As few as fit, then more. */
  private least(start: number, p: number, after: number): number {
    for (let s = start; ; s++) {
      const end = this.match(s, after + 1);
      if (end >= 0) return end;
      if (!this.single(s, p, after)) return -1;
    }
  }

  private back(s: number, digit: number): number {
    const { subject } = this;
    const capture = this.captures[digit - 0x31];
    if (capture === undefined || capture.end === 'open')
      throw new PatternError(`invalid capture index %${String.fromCharCode(digit)}`);
    const size = capture.end === 'position' ? 0 : capture.end - capture.start;
    if (size > subject.length - s) return -1;
    this.charge(size);
    for (let i = 0; i < size; i++) if (subject[capture.start + i] !== subject[s + i]) return -1;
    return s + size;
  }

  private balanced(start: number, p: number): number {
    const { subject, pattern } = this;
    if (p + 1 >= pattern.length) throw new PatternError("missing arguments to '%b'");
    const [open, close] = [pattern[p]!, pattern[p + 1]!];
    if (subject[start] !== open) return -1;
    let level = 1;
    for (let s = start + 1; s < subject.length; s++) {
      this.charge(1);
      if (subject[s] === close) {
        if (--level === 0) return s + 1;
      } else if (subject[s] === open) level++;
    }
    return -1;
  }

  /** Index after the class that begins at `p`. */
  private classEnd(p: number): number {
    const { pattern } = this;
    if (pattern[p] === PERCENT) {
      if (p + 1 >= pattern.length) throw new PatternError("malformed pattern (ends with '%')");
      return p + 2;
    }
    if (pattern[p] !== LEFT) return p + 1;
    let at = p + 1;
    if (pattern[at] === CARET) at++;
    // the first one is a member, also when it is a bracket
    do {
      if (at >= pattern.length) throw new PatternError("malformed pattern (missing ']')");
      at += pattern[at] === PERCENT ? 2 : 1;
      this.charge(1);
    } while (pattern[at] !== RIGHT);
    return at + 1;
  }

  private single(s: number, p: number, after: number): boolean {
    const { subject, pattern } = this;
    if (s >= subject.length) return false;
    const byte = subject[s]!;
    switch (pattern[p]) {
      case DOT:
        return true;
      case PERCENT:
        return inClass(byte, pattern[p + 1]!);
      case LEFT:
        return this.inSet(byte, p, after - 1);
      default:
        return pattern[p] === byte;
    }
  }

  /** True when a byte is in the set from the bracket at `p` to the one at `last`. */
  private inSet(byte: number, p: number, last: number): boolean {
    const { pattern } = this;
    this.charge((last - p) / 4);
    let at = p + 1;
    const negated = pattern[at] === CARET;
    if (negated) at++;
    while (at < last) {
      if (pattern[at] === PERCENT) {
        if (inClass(byte, pattern[at + 1]!)) return !negated;
        at += 2;
      } else if (pattern[at + 1] === MINUS && at + 2 < last) {
        if (pattern[at]! <= byte && byte <= pattern[at + 2]!) return !negated;
        at += 3;
      } else if (pattern[at++] === byte) return !negated;
    }
    return negated;
  }
}

const between = (byte: number, from: string, to: string) => byte >= from.charCodeAt(0) && byte <= to.charCodeAt(0);
const isUpper = (byte: number) => between(byte, 'A', 'Z');
const isLower = (byte: number) => between(byte, 'a', 'z');
const isDigit = (byte: number) => between(byte, '0', '9');
const isAlpha = (byte: number) => isUpper(byte) || isLower(byte);

/** Classes of the C locale, by their letter. */
const CLASSES: Readonly<Record<string, (byte: number) => boolean>> = {
  a: isAlpha,
  c: (byte) => byte < 32 || byte === 127,
  d: isDigit,
  g: (byte) => byte > 32 && byte < 127,
  l: isLower,
  p: (byte) => byte > 32 && byte < 127 && !isAlpha(byte) && !isDigit(byte),
  s: (byte) => byte === 32 || (byte >= 9 && byte <= 13),
  u: isUpper,
  w: (byte) => isAlpha(byte) || isDigit(byte),
  x: (byte) => isDigit(byte) || between(byte, 'a', 'f') || between(byte, 'A', 'F'),
};

function inClass(byte: number, letter: number): boolean {
  const name = String.fromCharCode(letter);
  const test = CLASSES[name.toLowerCase()];
  if (test === undefined || !isAlpha(letter)) return letter === byte;
  return test(byte) === isLower(letter);
}
