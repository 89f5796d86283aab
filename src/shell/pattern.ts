import { Brackets } from './brackets.ts';
import { type ExtendedToken, extendedEnds, reverseTokens } from './extglob.ts';
import type { Budget } from './limits.ts';

/**
 * A compiled shell pattern as in fnmatch(3): `*`, `?`, `[…]`, backslash. Compiling takes time linear in
 * the pattern; matching at most the product of the two lengths, counted against a budget where one is given.
 */
export interface Pattern {
  readonly tokens: readonly PatternToken[];
  /** The literal text, when the pattern has no special characters. */
  readonly literal: string | undefined;
  /** Instead of tokens, when it has groups such as `@(a|b)`. */
  readonly extended?: readonly ExtendedToken[];
}

type PatternToken = '*' | '?' | { readonly char: number } | { readonly set: Uint8Array };

/** Characters that must be escaped so that they match themselves. */
export function escapePattern(text: string): string {
  return text.replace(/[*?[\]\\!^()|@+-]/g, '\\$&');
}

/** True when a pattern has special characters. `extended`: `@(…)` and similar count too. */
export function isPattern(pattern: string, extended = false): boolean {
  return /(^|[^\\])(\\\\)*[*?[]/.test(pattern) || (extended && GROUP.test(pattern));
}

const GROUP = /(^|[^\\])(\\\\)*[?*+@!]\(/;

/** The text of a pattern without its backslashes. */
export function unescapePattern(pattern: string): string {
  return pattern.includes('\\') ? pattern.replace(/\\([\s\S])/g, '$1') : pattern;
}

const compiled = new Map<string, Pattern>();

/**
 * Compiles a pattern; a few thousand are cached. `literalBackslash`: a backslash is an ordinary character, as with
 * FNM_NOESCAPE.
 */
export function compilePattern(pattern: string, budget?: Budget, literalBackslash = false, extended = false): Pattern {
  const groups = extended && GROUP.test(pattern);
  const key = literalBackslash ? `\0${pattern}` : groups ? `\x01${pattern}` : pattern;
  const known = compiled.get(key);
  if (known !== undefined) return known;
  budget?.scan(pattern.length * 16);
  if (groups) {
    const made = compileExtended(pattern, budget);
    if (pattern.length < 1000) compiled.set(key, made);
    return made;
  }
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

/** Compiles a pattern with groups. */
function compileExtended(pattern: string, budget: Budget | undefined): Pattern {
  const brackets = new Brackets(pattern, 'quote');
  let at = 0;
  let depth = 0;
  const sequence = (): ExtendedToken[] => {
    const tokens: ExtendedToken[] = [];
    for (; at < pattern.length; at++) {
      const c = pattern[at]!;
      if (depth > 0 && (c === '|' || c === ')')) return tokens;
      if (pattern[at + 1] === '(' && '?*+@!'.includes(c)) {
        const alternatives: ExtendedToken[][] = [];
        at += 2;
        depth++;
        const read = () => alternatives.push(sequence());
        if (budget === undefined) read();
        else budget.deeper(read);
        while (pattern[at] === '|') {
          at++;
          alternatives.push(sequence());
        }
        depth--;
        tokens.push({ group: c as '?', alternatives });
      } else if (c === '*') tokens.push('*');
      else if (c === '?') tokens.push('?');
      else if (c === '\\' && at + 1 < pattern.length) tokens.push({ char: pattern.charCodeAt(++at) });
      else {
        const found = c === '[' ? brackets.read(at + 1) : undefined;
        if (found === undefined) tokens.push({ char: pattern.charCodeAt(at) });
        else {
          tokens.push({ set: found.set });
          at = found.end - 1;
        }
      }
    }
    return tokens;
  };
  return { tokens: [], literal: undefined, extended: sequence() };
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
  if (pattern.extended !== undefined) return extendedEnds(pattern.extended, text, budget).includes(text.length);
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
  if (pattern.extended !== undefined) {
    const ends = extendedEnds(pattern.extended, text, budget);
    return longest ? ends.at(-1) : ends[0];
  }
  return prefix(pattern.tokens, text.length, (i) => text.charCodeAt(i), longest, budget);
}

/** Length of the shortest or longest suffix of `text` that matches; undefined when none does. */
export function matchEnd(pattern: Pattern, text: string, longest: boolean, budget: Budget): number | undefined {
  if (pattern.extended !== undefined) {
    budget.scan(text.length * 8);
    const ends = extendedEnds(reverseTokens(pattern.extended), [...text].reverse().join(''), budget);
    return longest ? ends.at(-1) : ends[0];
  }
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
