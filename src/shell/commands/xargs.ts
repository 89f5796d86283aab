import type { Call, Command } from '../command.ts';
import type { Taken } from '../given.ts';

const XARGS: Taken = {
  known:
    '0,null a,arg-file= d,delimiter= E= e,eof=? I= i,replace=? L= l,max-lines=? n,max-args= o,open-tty P,max-procs= r,no-run-if-empty s,max-chars= t,verbose x,exit',
  missing: 'p,interactive process-slot-var= show-limits',
  stop: true,
};

/** One word of the input and the line it came from. */
interface Item {
  readonly text: string;
  readonly line: number;
}

/** Splits the input at blanks, respecting quotes and backslashes; a string is an error. */
function wordsOf(text: string, end: string | undefined): Item[] | string {
  const words: Item[] = [];
  let word: string | undefined;
  let line = 0;
  for (let i = 0; i <= text.length; i++) {
    const c = text[i];
    if (c === '"' || c === "'") {
      const close = text.indexOf(c, i + 1);
      const inner = text.slice(i + 1, close < 0 ? text.length : close);
      if (close < 0 || inner.includes('\n'))
        return `unmatched ${c === '"' ? 'double' : 'single'} quote; by default quotes are special to xargs unless you use the -0 option`;
      word = (word ?? '') + inner;
      i = close;
    } else if (c === '\\') word = (word ?? '') + (text[++i] ?? '');
    else if (c === ' ' || c === '\t' || c === '\n' || c === undefined) {
      if (word !== undefined) {
        if (word === end) return words;
        words.push({ text: word, line });
      }
      // a line that ends in a blank is continued on the next one
      if (c === '\n' && !(i > 0 && (text[i - 1] === ' ' || text[i - 1] === '\t'))) line++;
      word = undefined;
    } else word = (word ?? '') + c;
  }
  return words;
}

function delimiterOf(text: string): string | undefined {
  const escapes: Readonly<Record<string, string>> = {
    n: '\n',
    t: '\t',
    r: '\r',
    '0': '\0',
    '\\': '\\',
    a: '\x07',
    b: '\b',
    f: '\f',
    v: '\v',
  };
  const octal = /^\\([0-7]{1,3})$/.exec(text);
  if (octal !== null) return String.fromCharCode(Number.parseInt(octal[1]!, 8) & 255);
  if (text.length === 1) return text;
  return text.length === 2 && text[0] === '\\' ? escapes[text[1]!] : undefined;
}

function xargs(call: Call): number {
  const given = call.parse(XARGS);
  const { budget } = call.shell;
  const text = given.has('a') ? call.read(given.last('a')!) : call.input();
  const lastMode = given.lastOf('I', 'i', 'L', 'l', 'n');
  const replace = lastMode === 'I' ? given.last('I') : lastMode === 'i' ? given.last('i') || '{}' : undefined;
  const delimiter = given.has('0') ? '\0' : given.has('d') ? delimiterOf(given.last('d')!) : undefined;
  if (given.has('d') && !given.has('0') && delimiter === undefined)
    return call.fail(`Invalid input delimiter specification ${given.last('d')}`);
  for (const name of ['n', 'L', 'P', 's'])
    if (given.has(name) && !/^[0-9]+$/.test(given.last(name)!))
      return call.fail(`invalid number "${given.last(name)}" for -${name} option`);
  budget.scan(text.length * 4);
  let items: Item[];
  if (delimiter !== undefined) {
    const all = text.split(delimiter);
    if (all.at(-1) === '') all.pop();
    items = all.map((one, line) => ({ text: one, line }));
  } else if (replace !== undefined) {
    // each line is one item, without the blanks at its start; quotes and backslashes are still special
    items = [];
    for (const [line, one] of text.split('\n').entries()) {
      const words = wordsOf(
        one.replace(/[ \t]/g, (blank) => `\\${blank}`),
        undefined,
      );
      if (typeof words === 'string') return call.fail(words);
      const joined = words
        .map((word) => word.text)
        .join('')
        .replace(/^[ \t]+/, '');
      if (joined !== '') items.push({ text: joined, line });
    }
  } else {
    const words = wordsOf(text, given.last('E', 'e') || undefined);
    if (typeof words === 'string') return call.fail(words);
    items = words;
  }
  const command = given.operands.length === 0 ? ['echo'] : given.operands;
  if (items.length === 0 && (given.has('r') || replace !== undefined)) return 0;
  const batches: string[][] = [];
  const lines = lastMode === 'L' || lastMode === 'l' ? Number(given.last('L', 'l') || 1) : 0;
  const most = lastMode === 'n' ? Number(given.last('n')) : Number.POSITIVE_INFINITY;
  const bytes = given.has('s') ? Number(given.last('s')) : 131_072;
  const own = command.reduce((sum, word) => sum + word.length + 1, 0);
  let size = own;
  let first = 0;
  for (const item of items) {
    const batch = batches.at(-1);
    const full =
      batch === undefined ||
      batch.length >= most ||
      (replace !== undefined && batch.length > 0) ||
      (lines > 0 && item.line - first >= lines) ||
      size + item.text.length + 1 > bytes;
    if (full) {
      batches.push([]);
      size = own;
      first = item.line;
    }
    batches.at(-1)!.push(item.text);
    size += item.text.length + 1;
  }
  if (batches.length === 0) batches.push([]);
  let status = 0;
  for (const batch of batches) {
    budget.spend();
    const args =
      replace === undefined ? [...command, ...batch] : command.map((arg) => arg.replaceAll(replace, () => batch[0]!));
    if (given.has('t')) call.shell.write(2, `${args.join(' ')}\n`);
    const ended = call.shell.invoke(args, true);
    if (ended === 255) return call.fail(`${command[0]}: exited with status 255; aborting`, 124);
    if (ended === 127 || ended === 126) return ended;
    if (ended !== 0) status = 123;
  }
  return status;
}

/** Running commands on words of the input. */
export const XARGS_COMMANDS: Readonly<Record<string, Command>> = { xargs };
