import { copyOf } from '../bytes/content.ts';
import type { Budget } from './limits.ts';

/** A token of a pattern with bash's groups: `?(…)`, `*(…)`, `+(…)`, `@(…)`, `!(…)`. */
export type ExtendedToken =
  | '*'
  | '?'
  | { readonly char: number }
  | { readonly set: Uint8Array }
  | { readonly group: '?' | '*' | '+' | '@' | '!'; readonly alternatives: readonly (readonly ExtendedToken[])[] };

/** The tokens for matching the reversed text. */
export function reverseTokens(tokens: readonly ExtendedToken[]): ExtendedToken[] {
  return tokens
    .map((token) =>
      typeof token === 'object' && 'group' in token
        ? { group: token.group, alternatives: token.alternatives.map(reverseTokens) }
        : token,
    )
    .reverse();
}

/** Lengths of all prefixes of `text` that match, in ascending order. All positions are followed at once. */
export function extendedEnds(tokens: readonly ExtendedToken[], text: string, budget: Budget | undefined): number[] {
  const start = new Uint8Array(text.length + 1);
  start[0] = 1;
  const ends = follow(tokens, start, text, budget);
  const out: number[] = [];
  for (const [i, reached] of ends.entries()) if (reached) out.push(i);
  return out;
}

/** The positions that `tokens` lead to from any of `from`. */
function follow(tokens: readonly ExtendedToken[], from: Uint8Array, text: string, budget?: Budget): Uint8Array {
  let at = from;
  for (const token of tokens) {
    budget?.spend(1 + (text.length >>> 5));
    at = step(token, at, text, budget);
  }
  return at;
}

function step(token: ExtendedToken, from: Uint8Array, text: string, budget?: Budget): Uint8Array {
  const next = new Uint8Array(from.length);
  if (token === '*') {
    const first = from.indexOf(1);
    if (first >= 0) next.fill(1, first);
  } else if (token === '?') next.set(from.subarray(0, -1), 1);
  else if ('group' in token) return group(token, from, text, budget);
  else
    for (let i = 0; i < text.length; i++)
      if (from[i]) {
        const c = text.charCodeAt(i);
        if ('char' in token ? token.char === c : token.set[c]) next[i + 1] = 1;
      }
  return next;
}

function group(
  token: Extract<ExtendedToken, { group: string }>,
  from: Uint8Array,
  text: string,
  budget?: Budget,
): Uint8Array {
  const once = (start: Uint8Array) => {
    const out = new Uint8Array(start.length);
    for (const one of token.alternatives)
      for (const [i, reached] of follow(one, start, text, budget).entries()) if (reached) out[i] = 1;
    return out;
  };
  if (token.group === '@') return once(from);
  if (token.group === '!') {
    // from each position: everything that no alternative matches
    const out = new Uint8Array(from.length);
    for (const [i, reached] of from.entries()) {
      if (!reached) continue;
      const start = new Uint8Array(from.length);
      start[i] = 1;
      const matched = once(start);
      for (let end = i; end < out.length; end++) if (!matched[end]) out[end] = 1;
    }
    return out;
  }
  const all = token.group === '+' ? once(from) : copyOf(from);
  if (token.group === '?') {
    for (const [i, reached] of once(from).entries()) if (reached) all[i] = 1;
    return all;
  }
  for (let frontier = copyOf(all); frontier.includes(1); ) {
    const made = once(frontier);
    frontier = new Uint8Array(from.length);
    for (const [i, reached] of made.entries()) if (reached && !all[i]) all[i] = frontier[i] = 1;
  }
  return all;
}
