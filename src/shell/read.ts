import type { Call } from './command.ts';

/** `read`: splits one line of standard input at IFS into variables. */
export function readBuiltin(call: Call): number {
  const { shell } = call;
  let raw = false;
  let i = 0;
  for (; i < call.args.length && call.args[i]!.startsWith('-'); i++) {
    if (call.args[i] === '--') {
      i++;
      break;
    }
    if (call.args[i]!.includes('r')) raw = true;
    if (call.args[i] === '-p') i++;
  }
  const names = call.args.slice(i);
  if (names.length === 0) return call.fail('arg count', 2);
  const stream = shell.stream(0);
  const rest = stream?.rest() ?? '';
  const { text, literal, taken, ended } = takeLine(rest, raw);
  stream?.consume(taken);
  if (!ended && stream?.isEndless === true) shell.budget.length(Number.POSITIVE_INFINITY, 'a line that is read');
  shell.budget.look(taken);
  const values = divide(text, literal, names.length, shell.get('IFS') ?? ' \t\n');
  for (const [n, name] of names.entries()) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || shell.variables.get(name)?.readonly)
      return call.fail(`${name}: bad variable name`, 2);
    shell.assign(name, values[n] ?? '');
  }
  return ended ? 0 : 1;
}

/** The first line of `rest`; `literal` holds the positions of characters that a backslash protected. */
export function takeLine(rest: string, raw: boolean, delimiter = '\n') {
  const literal = new Set<number>();
  let newline = rest.indexOf(delimiter);
  const end = newline < 0 ? rest.length : newline;
  if (raw || rest.lastIndexOf('\\', end) < 0)
    return { text: rest.slice(0, end), literal, taken: newline < 0 ? end : end + 1, ended: newline >= 0 };
  let text = '';
  let at = 0;
  for (newline = -1; at < rest.length; at++) {
    const c = rest[at]!;
    if (c === delimiter) {
      newline = at;
      break;
    }
    if (c !== '\\') {
      text += c;
      continue;
    }
    const next = rest[++at];
    if (next === undefined || next === '\n') continue;
    literal.add(text.length);
    text += next;
  }
  return { text, literal, taken: newline < 0 ? rest.length : newline + 1, ended: newline >= 0 };
}

/** Splits a line among `count` names: the last gets the rest, without trailing blanks. */
export function divide(text: string, literal: ReadonlySet<number>, count: number, ifs: string): string[] {
  const blank = (i: number) => !literal.has(i) && ' \t\n'.includes(text[i]!) && ifs.includes(text[i]!);
  const separator = (i: number) => !literal.has(i) && ifs.includes(text[i]!);
  const out: string[] = [];
  let at = 0;
  while (at < text.length && blank(at)) at++;
  while (out.length < count - 1 && at < text.length) {
    const from = at;
    while (at < text.length && !separator(at)) at++;
    out.push(text.slice(from, at));
    while (at < text.length && blank(at)) at++;
    if (at < text.length && separator(at) && !blank(at)) {
      at++;
      while (at < text.length && blank(at)) at++;
    }
  }
  if (at < text.length) {
    let end = text.length;
    while (end > at && blank(end - 1)) end--;
    // one separator at the very end belongs to the last field only when there are others in it
    if (end > at && separator(end - 1)) {
      let inner = false;
      for (let i = at; i < end - 1; i++) inner ||= separator(i) && !blank(i);
      if (!inner) {
        end--;
        while (end > at && blank(end - 1)) end--;
      }
    }
    out.push(text.slice(at, end));
  }
  return out;
}
