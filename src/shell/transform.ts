import { bashEscapes } from './escapes.ts';
import type { Budget } from './limits.ts';
import { matchEnd, matches, matchStart, type Pattern } from './pattern.ts';

/** Quotes a text as bash's `printf %q` does. */
export function bashQuote(text: string): string {
  if (text === '') return "''";
  if (/[\x00-\x1f\x7f-\xff]/.test(text)) return ansiQuote(text);
  return text
    .replace(/[^A-Za-z0-9_@%+=:,./~^#-]|^[~#]/g, (c) => (c === '~' || c === '#' ? `\\${c}` : `\\${c}`))
    .replace(/\^/g, '\\^');
}

function ansiQuote(text: string): string {
  const plain: Readonly<Record<string, string>> = {
    ...{ '\x07': '\\a', '\b': '\\b', '\x1b': '\\E', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\v': '\\v' },
    ...{ '\\': '\\\\', "'": "\\'" },
  };
  const body = text.replace(
    /[\x00-\x1f\x7f-\xff'\\]/g,
    (c) => plain[c] ?? `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
  return `$'${body}'`;
}

/** Quotes a text as `${x@Q}`, `declare -p` for values without blanks, and `set` do. */
export function singleQuote(text: string): string {
  if (/[\x00-\x1f\x7f-\xff]/.test(text)) return ansiQuote(text);
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Quotes a value between double quotes, as `declare -p` does. */
export function doubleQuote(text: string): string {
  if (/[\x00-\x1f\x7f-\xff]/.test(text)) return ansiQuote(text);
  return `"${text.replace(/[$`"\\]/g, '\\$&')}"`;
}

/** `${x@Q}` and the other transformations of one value; undefined for an unknown letter. */
export function transform(text: string, letter: string, budget: Budget): string | undefined {
  budget.look(text.length);
  switch (letter) {
    case 'Q':
      return singleQuote(text);
    case 'E':
      return bashEscapes(text, 'ansi').text;
    case 'U':
      return text.toUpperCase();
    case 'u':
      return text.slice(0, 1).toUpperCase() + text.slice(1);
    case 'L':
      return text.toLowerCase();
    case 'P':
      return text;
    default:
      return undefined;
  }
}

/** `${x^pattern}` and the similar operators. */
export function changeCase(
  text: string,
  operator: '^' | '^^' | ',' | ',,',
  pattern: Pattern | undefined,
  budget: Budget,
): string {
  budget.scan(text.length * 4);
  const change = (c: string) => {
    if (pattern !== undefined && !matches(pattern, c, budget)) return c;
    return operator.startsWith('^') ? c.toUpperCase() : c.toLowerCase();
  };
  const ascii = (c: string) => (c < '\x80' ? change(c) : c);
  if (operator.length === 1) return text.slice(0, 1).replace(/[\s\S]/, ascii) + text.slice(1);
  return text.replace(/[A-Za-z]/g, ascii);
}

/** `${x/pattern/replacement}` and the similar operators; `undefined` in the replacement is the matched text. */
export function replacePattern(
  text: string,
  operator: '/' | '//' | '/#' | '/%',
  pattern: Pattern,
  replacement: readonly (string | undefined)[],
  budget: Budget,
): string {
  const fill = (found: string) => replacement.map((piece) => piece ?? found).join('');
  budget.look(text.length);
  if (operator === '/#') {
    const length = matchStart(pattern, text, true, budget);
    return length === undefined ? text : fill(text.slice(0, length)) + text.slice(length);
  }
  if (operator === '/%') {
    const length = matchEnd(pattern, text, true, budget);
    return length === undefined ? text : text.slice(0, text.length - length) + fill(text.slice(text.length - length));
  }
  if (pattern.literal !== undefined) {
    if (pattern.literal === '') return text;
    const pieces = operator === '/' ? splitOnce(text, pattern.literal) : text.split(pattern.literal);
    budget.spend(pieces.length >>> 2);
    const filled = fill(pattern.literal);
    budget.length(text.length + filled.length * (pieces.length - 1));
    return pieces.join(filled);
  }
  let out = '';
  let from = 0;
  for (let at = 0; at < text.length || (at === 0 && text === ''); ) {
    const length = matchStart(pattern, at === 0 ? text : text.slice(at), true, budget);
    if (length === undefined || length === 0) {
      if (length === 0 && text === '') return fill('');
      at++;
      continue;
    }
    out += text.slice(from, at) + fill(text.slice(at, at + length));
    budget.length(out.length);
    from = at += length;
    if (operator === '/') break;
  }
  return out + text.slice(from);
}

function splitOnce(text: string, literal: string): string[] {
  const at = text.indexOf(literal);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + literal.length)];
}
