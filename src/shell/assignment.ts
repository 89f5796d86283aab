import type { Assignment, Part, Word } from './ast.ts';

const ASSIGNMENT = /^([A-Za-z_][A-Za-z0-9_]*)(\+?)=/;
const ELEMENT = /^([A-Za-z_][A-Za-z0-9_]*)\[/;

/** The word as `name=value`, or undefined when it is not an assignment. */
export function asAssignment(word: Word, bash: boolean): Assignment | undefined {
  const first = word[0];
  if (first?.kind !== 'text' || first.quoted) return undefined;
  const match = ASSIGNMENT.exec(first.text);
  if (match !== null) {
    if (match[2] === '+' && !bash) return undefined;
    const value = after(word, 0, match[0].length);
    return { name: match[1]!, value, ...(match[2] === '+' ? { append: true } : {}) };
  }
  return bash ? asElement(word, first.text) : undefined;
}

/** The pieces of a word after `offset` characters of its piece `index`. */
function after(word: Word, index: number, offset: number): Word {
  const part = word[index] as Part & { kind: 'text' };
  const rest = part.text.slice(offset);
  return [...(rest === '' ? [] : [{ ...part, text: rest }]), ...word.slice(index + 1)];
}

/** `name[subscript]=value`; the subscript may have quotes and expansions. */
function asElement(word: Word, text: string): Assignment | undefined {
  const match = ELEMENT.exec(text);
  if (match === null) return undefined;
  const subscript: Part[] = [];
  let depth = 0;
  for (const [i, part] of word.entries()) {
    if (part.kind !== 'text' || part.quoted) {
      subscript.push(part);
      continue;
    }
    const from = i === 0 ? match[0].length : 0;
    for (let at = from; at < part.text.length; at++) {
      const c = part.text[at];
      if (c === '[') depth++;
      if (c !== ']' || depth-- > 0) continue;
      const operator = /^\+?=/.exec(part.text.slice(at + 1))?.[0];
      if (operator === undefined) return undefined;
      if (at > from) subscript.push({ ...part, text: part.text.slice(from, at) });
      return {
        name: match[1]!,
        subscript,
        value: after(word, i, at + 1 + operator.length),
        ...(operator === '+=' ? { append: true } : {}),
      };
    }
    if (from < part.text.length) subscript.push({ ...part, text: part.text.slice(from) });
  }
  return undefined;
}

/** An element of `name=(…)` as `[subscript]=value`. */
export function asArrayElement(word: Word): Assignment | undefined {
  const first = word[0];
  if (first?.kind !== 'text' || first.quoted || !first.text.startsWith('[')) return undefined;
  return asElement([{ ...first, text: `_${first.text}` }, ...word.slice(1)], `_${first.text}`);
}
