import type { Part, Word } from './ast.ts';
import type { Budget } from './limits.ts';

/** One unquoted character, or a piece that is not changed. */
type Atom = string | Part;

/** Brace expansion of bash: `a{b,c}` is two words, `{1..3}` three. */
export function expandBraces(word: Word, budget: Budget): Word[] {
  if (!word.some((part) => part.kind === 'text' && !part.quoted && part.text.includes('{'))) return [word];
  const atoms = word.flatMap<Atom>((part) => (part.kind === 'text' && !part.quoted ? [...part.text] : [part]));
  return budget.deeper(() => expand(atoms, budget)).map(joined);
}

function joined(atoms: readonly Atom[]): Word {
  const out: Part[] = [];
  let text = '';
  const flush = () => {
    if (text !== '') out.push({ kind: 'text', text, quoted: false });
    text = '';
  };
  for (const atom of atoms)
    if (typeof atom === 'string') text += atom;
    else {
      flush();
      out.push(atom);
    }
  flush();
  return out;
}

function expand(atoms: readonly Atom[], budget: Budget): Atom[][] {
  budget.spend(1 + (atoms.length >>> 3));
  for (let open = atoms.indexOf('{'); open >= 0; open = atoms.indexOf('{', open + 1)) {
    const choices = choicesAt(atoms, open, budget);
    if (choices === undefined) continue;
    const head = atoms.slice(0, open);
    const tails = budget.deeper(() => expand(atoms.slice(choices.end), budget));
    const out: Atom[][] = [];
    for (const choice of choices.list)
      for (const middle of budget.deeper(() => expand(choice, budget)))
        for (const tail of tails) {
          const made = [...head, ...middle, ...tail];
          budget.spend(1 + (made.length >>> 2));
          out.push(made);
        }
    return out;
  }
  return [[...atoms]];
}

/** The alternatives of the brace at `open` and the position after it; undefined when it is an ordinary character. */
function choicesAt(atoms: readonly Atom[], open: number, budget: Budget): { list: Atom[][]; end: number } | undefined {
  let depth = 0;
  let from = open + 1;
  const list: Atom[][] = [];
  for (let at = open + 1; at < atoms.length; at++) {
    const c = atoms[at];
    if (c === '{') depth++;
    else if (c === '}') {
      if (depth-- > 0) continue;
      list.push(atoms.slice(from, at));
      if (list.length > 1) return { list, end: at + 1 };
      const range = rangeOf(list[0]!, budget);
      return range === undefined ? undefined : { list: range, end: at + 1 };
    } else if (c === ',' && depth === 0) {
      list.push(atoms.slice(from, at));
      from = at + 1;
    }
  }
  return undefined;
}

/** `1..5`, `a..e`, `01..10..2`. */
function rangeOf(atoms: readonly Atom[], budget: Budget): Atom[][] | undefined {
  if (atoms.some((atom) => typeof atom !== 'string')) return undefined;
  const match = /^(?:(-?[0-9]+)\.\.(-?[0-9]+)|([A-Za-z])\.\.([A-Za-z]))(?:\.\.(-?[0-9]+))?$/.exec(atoms.join(''));
  if (match === null) return undefined;
  const letters = match[3] !== undefined;
  const from = letters ? match[3]!.charCodeAt(0) : Number(match[1]);
  const to = letters ? match[4]!.charCodeAt(0) : Number(match[2]);
  const step = Math.abs(Number(match[5] ?? 1)) || 1;
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to)) return undefined;
  // before the list is made: each choice takes memory
  budget.spend(8 * (1 + Math.floor(Math.abs(to - from) / step)));
  const padded = !letters && [match[1]!, match[2]!].some((text) => /^-?0[0-9]/.test(text));
  const width = padded ? Math.max(match[1]!.length, match[2]!.length) : 0;
  const out: Atom[][] = [];
  for (let n = from; from <= to ? n <= to : n >= to; n += from <= to ? step : -step) {
    const text = letters
      ? String.fromCharCode(n)
      : `${n < 0 ? '-' : ''}${String(Math.abs(n)).padStart(width - (n < 0 ? 1 : 0), '0')}`;
    out.push([...text]);
  }
  return out;
}
