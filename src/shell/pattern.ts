import type { Budget } from './limits.ts';

/**
 * Patterns of the shell: `*`, `?`, `[…]`, backslash. Matching keeps a set of states, so its cost is the product of the
 * two lengths and no pattern can make it run away.
 */
export interface Pattern {
  readonly tokens: readonly PatternToken[];
  /** The text itself where nothing in it is special. */
  readonly literal: string | undefined;
}

type PatternToken = '*' | '?' | { readonly char: number } | { readonly set: Uint8Array };

/** Characters that must be escaped so that they match themselves. */
export function escapePattern(text: string): string {
  return text.replace(/[*?[\]\\!^-]/g, '\\$&');
}

/** True when a pattern has something in it that is not just text. */
export function isPattern(pattern: string): boolean {
  return /(^|[^\\])(\\\\)*[*?[]/.test(pattern);
}

/** The text of a pattern with its backslashes taken off. */
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
 * Reads a bracket expression from behind its `[`; undefined when it is not closed. `escapes`: backslash quotes, as in
 * the shell and not in regular expressions.
 */
export function bracket(text: string, from: number, escapes: boolean): { set: Uint8Array; end: number } | undefined {
  const set = new Uint8Array(256);
  let at = from;
  const negated = text[at] === '!' || text[at] === '^';
  if (negated) at++;
  let first = true;
  for (;;) {
    let c = text[at];
    if (c === undefined) return undefined;
    if (c === ']' && !first) break;
    first = false;
    if (c === '[' && (text[at + 1] === ':' || text[at + 1] === '.' || text[at + 1] === '=')) {
      const kind = text[at + 1]!;
      const end = text.indexOf(kind + ']', at + 2);
      if (end > 0) {
        const name = text.slice(at + 2, end);
        if (kind === ':' && CLASSES[name] !== undefined) {
          for (let i = 0; i < 256; i++) if (CLASSES[name](i)) set[i] = 1;
          at = end + 2;
          continue;
        }
        if (kind !== ':' && name.length === 1) {
          set[name.charCodeAt(0)] = 1;
          at = end + 2;
          continue;
        }
        if (kind === ':' && !escapes) return undefined;
      }
    }
    if (c === '\\' && escapes && at + 1 < text.length) c = text[++at]!;
    at++;
    const low = c.charCodeAt(0);
    let high = low;
    if (text[at] === '-' && text[at + 1] !== undefined && text[at + 1] !== ']') {
      at++;
      if (text[at] === '\\' && escapes && at + 1 < text.length) at++;
      high = text.charCodeAt(at++);
    }
    for (let i = low; i <= high && i < 256; i++) set[i] = 1;
  }
  if (negated) for (let i = 0; i < 256; i++) set[i] = set[i] ? 0 : 1;
  return { set, end: at + 1 };
}

const compiled = new Map<string, Pattern>();

/** Compiles a pattern; a few thousand are remembered. */
export function compilePattern(pattern: string): Pattern {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  const tokens: PatternToken[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const c = pattern[at]!;
    if (c === '*') {
      if (tokens[tokens.length - 1] !== '*') tokens.push('*');
    } else if (c === '?') tokens.push('?');
    else if (c === '\\' && at + 1 < pattern.length) tokens.push({ char: pattern.charCodeAt(++at) });
    else {
      const found = c === '[' ? bracket(pattern, at + 1, true) : undefined;
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
  if (pattern.length < 1000) compiled.set(pattern, made);
  return made;
}

function accepts(token: PatternToken, c: number): boolean {
  if (token === '?' || token === '*') return true;
  return 'char' in token ? token.char === c : token.set[c] === 1;
}

/** True when the whole of `text` matches. */
export function matches(pattern: Pattern, text: string, budget: Budget): boolean {
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
    if ((++work & 31) === 0) budget.spend();
  }
  while (tokens[t] === '*') t++;
  return t === tokens.length;
}

/** Length of the shortest or longest beginning of `text` that matches; undefined when none does. */
export function matchStart(pattern: Pattern, text: string, longest: boolean, budget: Budget): number | undefined {
  return prefix(pattern.tokens, text.length, (i) => text.charCodeAt(i), longest, budget);
}

/** Length of the shortest or longest ending of `text` that matches; undefined when none does. */
export function matchEnd(pattern: Pattern, text: string, longest: boolean, budget: Budget): number | undefined {
  const last = text.length - 1;
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
  let states = new Uint8Array(end + 1);
  let next = new Uint8Array(end + 1);
  const enter = (set: Uint8Array, state: number) => {
    for (set[state] = 1; tokens[state] === '*'; ) set[++state] = 1;
  };
  enter(states, 0);
  let found = states[end] ? 0 : undefined;
  if (found !== undefined && !longest) return found;
  for (let i = 0; i < length; i++) {
    if ((i & 63) === 63) budget.spend(4 + end);
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
