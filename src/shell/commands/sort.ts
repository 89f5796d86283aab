import { type Call, type Command, options } from '../command.ts';
import { inputs, linesOf, order } from './lines.ts';

/** A key of sort: fields from and to (1-based), characters within, and its own letters. */
interface Key {
  readonly from: number;
  readonly fromChar: number;
  readonly to: number | undefined;
  readonly toChar: number;
  readonly letters: string;
}

function parseKey(text: string): Key | undefined {
  const match = /^([0-9]+)(?:\.([0-9]+))?([bdfgiMhnrV]*)(?:,([0-9]+)(?:\.([0-9]+))?([bdfgiMhnrV]*))?$/.exec(text);
  if (match === null) return undefined;
  return {
    from: Number(match[1]),
    fromChar: Number(match[2] ?? 1),
    to: match[4] === undefined ? undefined : Number(match[4]),
    toChar: Number(match[5] ?? 0),
    letters: match[3]! + (match[6] ?? ''),
  };
}

function keyText(line: string, key: Key, separator: string | undefined): string {
  const fields = separator === undefined ? (line.match(/[ \t]*[^ \t]+/g) ?? []) : line.split(separator);
  const part = fields.slice(key.from - 1, key.to);
  if (key.to !== undefined && key.toChar > 0 && part.length > 0)
    part[part.length - 1] = part[part.length - 1]!.slice(0, key.toChar);
  const text = part.join(separator ?? '');
  return (key.letters.includes('b') ? text.trimStart() : text).slice(key.fromChar - 1);
}

/** Compares digits as numbers and the rest as text, as `sort -V` does for most names. */
function versionOrder(a: string, b: string): number {
  const cut = (text: string) => text.match(/[0-9]+|[^0-9]+/g) ?? [];
  const [left, right] = [cut(a), cut(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const x = left[i] ?? '';
    const y = right[i] ?? '';
    if (x === y) continue;
    if (/^[0-9]/.test(x) && /^[0-9]/.test(y)) {
      const by = Number(x) - Number(y);
      if (by !== 0) return by;
      continue;
    }
    // a tilde sorts before everything, including the end
    if (x.startsWith('~') || y.startsWith('~')) return x.startsWith('~') ? (y.startsWith('~') ? order(x, y) : -1) : 1;
    return order(x, y);
  }
  return 0;
}

function compareBy(letters: string, a: string, b: string): number {
  let by: number;
  if (/[ngh]/.test(letters)) by = (Number.parseFloat(a) || 0) - (Number.parseFloat(b) || 0);
  else if (letters.includes('V')) by = versionOrder(a, b);
  else {
    const clean = (text: string) => {
      let out = letters.includes('f') ? text.toUpperCase() : text;
      if (letters.includes('d')) out = out.replace(/[^A-Za-z0-9 \t]/g, '');
      return letters.includes('b') ? out.trimStart() : out;
    };
    by = order(clean(a), clean(b));
  }
  return letters.includes('r') ? -by : by;
}

function sort(call: Call): number {
  const given = options(
    call.args,
    'bdfgihMnrVuscCmzk:t:o:S:T:',
    'unique reverse numeric-sort version-sort key= field-separator= output= stable check ignore-case zero-terminated ignore-leading-blanks',
  );
  const letters =
    [...'bdfgihMnrV'].filter((letter) => given.has(letter)).join('') +
    (given.has('reverse') ? 'r' : '') +
    (given.has('numeric-sort') ? 'n' : '') +
    (given.has('version-sort') ? 'V' : '');
  const keys: Key[] = [];
  for (const text of [...(given.values.get('k') ?? []), ...(given.values.get('key') ?? [])]) {
    const key = parseKey(text);
    if (key === undefined) return call.fail(`invalid key '${text}'`, 2);
    keys.push(key);
  }
  const separator = given.last('t', 'field-separator');
  const { texts, status } = inputs(call, given.operands);
  const end = given.has('z', 'zero-terminated') ? '\0' : '\n';
  const lines = texts.flatMap(({ text }) =>
    end === '\n' ? linesOf(text) : text.split('\0').filter((line) => line !== ''),
  );
  call.shell.budget.spend(lines.length);
  const { budget } = call.shell;
  const byKeys = (a: string, b: string) => {
    budget.spend();
    budget.scan((a.length + b.length) * (keys.length + 1));
    if (keys.length > 0) budget.spend(keys.length);
    if (keys.length === 0) return compareBy(letters, a, b);
    for (const key of keys) {
      const by = compareBy(
        /[^b]/.test(key.letters) ? key.letters : key.letters + letters,
        keyText(a, key, separator),
        keyText(b, key, separator),
      );
      if (by !== 0) return by;
    }
    return 0;
  };
  const whole = (a: string, b: string) =>
    byKeys(a, b) || (given.has('s', 'stable', 'u', 'unique') ? 0 : letters.includes('r') ? order(b, a) : order(a, b));
  if (given.has('c', 'check', 'C')) return lines.every((line, i) => i === 0 || whole(lines[i - 1]!, line) <= 0) ? 0 : 1;
  lines.sort(whole);
  const out = given.has('u', 'unique')
    ? lines.filter((line, i) => i === 0 || byKeys(lines[i - 1]!, line) !== 0)
    : lines;
  const text = out.map((line) => line + end).join('');
  const to = given.last('o', 'output');
  if (to === undefined) call.out(text);
  else call.files.write(to, text);
  return status === 0 ? 0 : 2;
}

/** Sorting. */
export const SORT_COMMANDS: Readonly<Record<string, Command>> = { sort };
