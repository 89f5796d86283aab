import type { Budget } from './limits.ts';

/**
 * A compiled shell pattern as in fnmatch(3): `*`, `?`, `[…]`, backslash. Compiling takes time linear in
 * the pattern; matching at most the product of the two lengths, counted against a budget where one is given.
 */
export interface Pattern {
  readonly tokens: readonly PatternToken[];
  /** The literal text, when the pattern has no special characters. */
  readonly literal: string | undefined;
}

type PatternToken = '*' | '?' | { readonly char: number } | { readonly set: Uint8Array };

/** Characters that must be escaped so that they match themselves. */
export function escapePattern(text: string): string {
  return text.replace(/[*?[\]\\!^-]/g, '\\$&');
}

/** True when a pattern has special characters. */
export function isPattern(pattern: string): boolean {
  return /(^|[^\\])(\\\\)*[*?[]/.test(pattern);
}

/** The text of a pattern without its backslashes. */
export function unescapePattern(pattern: string): string {
  return pattern.includes('\\') ? pattern.replace(/\\([\s\S])/g, '$1') : pattern;
}

/** Character classes of the C locale, as POSIX names them. */
export const CLASSES: Readonly<Record<string, (c: number) => boolean>> = {
  alpha: (c) => (c >= 65 && c <= 90) || (c >= 97 && c <= 122),
  digit: (c) => c >= 48 && c <= 57,
  alnum: (c) => (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || (c >= 48 && c <= 57),
  upper: (c) => c >= 65 && c <= 90,
  lower: (c) => c >= 97 && c <= 122,
  space: (c) => c === 32 || (c >= 9 && c <= 13),
  blank: (c) => c === 32 || c === 9,
  punct: (c) => (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126),
  print: (c) => c >= 32 && c <= 126,
  graph: (c) => c >= 33 && c <= 126,
  cntrl: (c) => c < 32 || c === 127,
  xdigit: (c) => (c >= 48 && c <= 57) || (c >= 65 && c <= 70) || (c >= 97 && c <= 102),
};

/**
 * How a backslash inside a bracket expression is read: as an ordinary character, as a quote (shell), or as awk's
 * escapes.
 */
export type BracketEscapes = 'none' | 'quote' | 'awk';

const AWK_ESCAPES: Readonly<Record<string, string>> = {
  ...{ a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' },
};

/**
 * Reads the bracket expressions of one text. All reads together take time linear in the text, even when many of them
 * are not closed: a position from which an earlier read found no end is remembered.
 */
export class Brackets {
  readonly #text: string;
  readonly #escapes: BracketEscapes;
  /** Positions between two items from which no `]` is found. */
  readonly #open = new Set<number>();
  /** Next end of a class, collating symbol or equivalence class, by its kind; -1: none is left. */
  readonly #ends = new Map<string, number>();

  constructor(text: string, escapes: BracketEscapes) {
    this.#text = text;
    this.#escapes = escapes;
  }

  /**
   * The set of bytes of the expression whose `[` is before `from`, and the position after its `]`; undefined when it is
   * not closed.
   */
  read(from: number): { readonly set: Uint8Array; readonly end: number } | undefined {
    const text = this.#text;
    const set = new Uint8Array(256);
    const passed: number[] = [];
    let at = from;
    const negated = text[at] === '!' || text[at] === '^';
    if (negated) at++;
    const first = at;
    for (;;) {
      const c = text[at];
      if (c === undefined || this.#open.has(at)) {
        for (const position of passed) this.#open.add(position);
        return undefined;
      }
      if (c === ']' && at > first) break;
      // a `]` in first position is an item; anywhere else it is the end
      if (at > first) passed.push(at);
      const named = c === '[' ? this.#named(at, set) : undefined;
      if (named === null) return undefined;
      if (named !== undefined) {
        at = named;
        continue;
      }
      const low = this.#character(at);
      at = low.next;
      let high = low.code;
      if (text[at] === '-' && text[at + 1] !== undefined && text[at + 1] !== ']') {
        const last = this.#character(at + 1);
        high = last.code;
        at = last.next;
      }
      for (let i = low.code; i <= high && i < 256; i++) set[i] = 1;
    }
    if (negated) for (let i = 0; i < 256; i++) set[i] = set[i] ? 0 : 1;
    return { set, end: at + 1 };
  }

  /** `[:alpha:]`, `[.x.]` and `[=x=]`: the position after it; undefined when there is none, null on an error. */
  #named(at: number, set: Uint8Array): number | undefined | null {
    const kind = this.#text[at + 1];
    if (kind !== ':' && kind !== '.' && kind !== '=') return undefined;
    let end = this.#ends.get(kind);
    if (end === undefined || (end >= 0 && end < at + 2)) {
      end = this.#text.indexOf(`${kind}]`, at + 2);
      this.#ends.set(kind, end);
    }
    if (end < 0) return undefined;
    const name = end - at > 16 ? '' : this.#text.slice(at + 2, end);
    const belongs = kind === ':' && Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
    if (belongs !== undefined) for (let i = 0; i < 256; i++) if (belongs(i)) set[i] = 1;
    if (belongs !== undefined) return end + 2;
    if (kind !== ':' && name.length === 1) {
      set[name.charCodeAt(0)] = 1;
      return end + 2;
    }
    return kind === ':' && this.#escapes !== 'quote' ? null : undefined;
  }

  #character(at: number): { code: number; next: number } {
    const text = this.#text;
    if (text[at] !== '\\' || this.#escapes === 'none' || at + 1 >= text.length)
      return { code: text.charCodeAt(at), next: at + 1 };
    const next = text[at + 1]!;
    if (this.#escapes === 'quote') return { code: next.charCodeAt(0), next: at + 2 };
    const octal = /[0-7]{1,3}/y;
    octal.lastIndex = at + 1;
    const digits = octal.exec(text)?.[0];
    if (digits !== undefined) return { code: Number.parseInt(digits, 8) & 255, next: at + 1 + digits.length };
    return { code: (AWK_ESCAPES[next] ?? next).charCodeAt(0), next: at + 2 };
  }
}

const compiled = new Map<string, Pattern>();

/**
 * Compiles a pattern; a few thousand are cached. `literalBackslash`: a backslash is an ordinary character, as with
 * FNM_NOESCAPE.
 */
export function compilePattern(pattern: string, budget?: Budget, literalBackslash = false): Pattern {
  const key = literalBackslash ? `\0${pattern}` : pattern;
  const known = compiled.get(key);
  if (known !== undefined) return known;
  budget?.scan(pattern.length * 16);
  const tokens: PatternToken[] = [];
  let brackets: Brackets | undefined;
  for (let at = 0; at < pattern.length; at++) {
    const c = pattern[at]!;
    if (c === '*') {
      if (tokens[tokens.length - 1] !== '*') tokens.push('*');
    } else if (c === '?') tokens.push('?');
    else if (c === '\\' && at + 1 < pattern.length && !literalBackslash)
      tokens.push({ char: pattern.charCodeAt(++at) });
    else {
      if (c === '[') brackets ??= new Brackets(pattern, literalBackslash ? 'none' : 'quote');
      const found = c === '[' ? brackets!.read(at + 1) : undefined;
      if (found === undefined) tokens.push({ char: pattern.charCodeAt(at) });
      else {
        tokens.push({ set: found.set });
        at = found.end - 1;
      }
    }
  }
  const plain = tokens.every((token) => typeof token === 'object' && 'char' in token);
  const literal = plain ? String.fromCharCode(...tokens.slice(0, 4096).map((t) => (t as { char: number }).char)) : '';
  const made: Pattern = { tokens, literal: plain && tokens.length <= 4096 ? literal : undefined };
  if (compiled.size > 4000) compiled.clear();
  if (pattern.length < 1000) compiled.set(key, made);
  return made;
}

/** A pattern for a complete path, one part per name: no wildcard matches a slash (FNM_PATHNAME). */
export type PathPattern = readonly Pattern[];

/** Compiles a pattern for {@link matchesPath}. */
export function compilePath(pattern: string, budget?: Budget): PathPattern {
  return pattern.split('/').map((part) => compilePattern(part, budget));
}

/** True when the complete path matches, as fnmatch(3) with FNM_PATHNAME. */
export function matchesPath(pattern: PathPattern, path: string, budget?: Budget): boolean {
  const names = path.split('/');
  return pattern.length === names.length && pattern.every((one, i) => matches(one, names[i]!, budget));
}

/** True when a pattern may match names that begin with a dot: it begins with one itself. */
export function namesHidden(pattern: string): boolean {
  return pattern.startsWith('.') || pattern.startsWith('\\.');
}

function accepts(token: PatternToken, c: number): boolean {
  if (token === '?' || token === '*') return true;
  return 'char' in token ? token.char === c : token.set[c] === 1;
}

/** True when all of `text` matches. A slash is an ordinary character. */
export function matches(pattern: Pattern, text: string, budget?: Budget): boolean {
  if (pattern.literal !== undefined) return pattern.literal === text;
  const { tokens } = pattern;
  let t = 0;
  let i = 0;
  let star = -1;
  let mark = 0;
  let work = 0;
  while (i < text.length) {
    const token = tokens[t];
    if (token === '*') {
      star = t++;
      mark = i;
      if (t === tokens.length) break;
    } else if (token !== undefined && accepts(token, text.charCodeAt(i))) {
      t++;
      i++;
    } else if (star >= 0) {
      t = star + 1;
      i = ++mark;
    } else return false;
    if ((++work & 31) === 0) budget?.spend();
  }
  while (tokens[t] === '*') t++;
  return t === tokens.length;
}

/** Length of the shortest or longest prefix of `text` that matches; undefined when none does. */
export function matchStart(pattern: Pattern, text: string, longest: boolean, budget: Budget): number | undefined {
  return prefix(pattern.tokens, text.length, (i) => text.charCodeAt(i), longest, budget);
}

/** Length of the shortest or longest suffix of `text` that matches; undefined when none does. */
export function matchEnd(pattern: Pattern, text: string, longest: boolean, budget: Budget): number | undefined {
  const last = text.length - 1;
  budget.scan(pattern.tokens.length * 4);
  return prefix([...pattern.tokens].reverse(), text.length, (i) => text.charCodeAt(last - i), longest, budget);
}

function prefix(
  tokens: readonly PatternToken[],
  length: number,
  at: (i: number) => number,
  longest: boolean,
  budget: Budget,
): number | undefined {
  const end = tokens.length;
  budget.scan(end * 4);
  let work = 0;
  let states = new Uint8Array(end + 1);
  let next = new Uint8Array(end + 1);
  const enter = (set: Uint8Array, state: number) => {
    for (set[state] = 1; tokens[state] === '*'; ) set[++state] = 1;
  };
  enter(states, 0);
  let found = states[end] ? 0 : undefined;
  if (found !== undefined && !longest) return found;
  for (let i = 0; i < length; i++) {
    work += 4 + end;
    if (work >= 256) {
      budget.spend(work >>> 6);
      work &= 63;
    }
    const c = at(i);
    let alive = false;
    next.fill(0);
    for (let state = 0; state < end; state++) {
      if (!states[state]) continue;
      const token = tokens[state]!;
      if (token === '*') enter(next, state);
      else if (accepts(token, c)) enter(next, state + 1);
      else continue;
      alive = true;
    }
    [states, next] = [next, states];
    if (states[end]) {
      found = i + 1;
      if (!longest) return found;
    }
    if (!alive) break;
  }
  return found;
}
