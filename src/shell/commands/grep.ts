import { type Call, type Command, options } from '../command.ts';
import { compileRegex, type Regex, RegexError } from '../regex.ts';
import { linesOf } from './lines.ts';

const WORD = /[A-Za-z0-9_]/;

/** The first match at or after `from` of any of the expressions, honouring -w and -x. */
function search(
  regexes: readonly Regex[],
  line: string,
  from: number,
  whole: boolean,
  word: boolean,
  call: Call,
): [number, number] | undefined {
  let best: [number, number] | undefined;
  for (const regex of regexes) {
    for (let at = from; at <= line.length; ) {
      call.shell.budget.spend();
      const found = regex.exec(line, at, call.shell.budget);
      if (found === undefined) break;
      const [start, end] = found as [number, number];
      const fits = whole
        ? start === 0 && end === line.length
        : !word || (!WORD.test(line[start - 1] ?? '') && !WORD.test(line[end] ?? ''));
      if (fits) {
        if (best === undefined || start < best[0] || (start === best[0] && end > best[1])) best = [start, end];
        break;
      }
      if (whole) break;
      at = start + 1;
    }
  }
  return best;
}

function grep(call: Call): number {
  const given = options(
    call.args,
    'EFGPe:f:ivwxcClLm:noqshHrRaA:B:zbUIZ',
    'extended-regexp fixed-strings basic-regexp regexp= file= ignore-case invert-match word-regexp line-regexp count files-with-matches files-without-match max-count= line-number only-matching quiet silent no-messages no-filename with-filename recursive text color=? colour=? after-context= before-context= include= exclude= null-data',
  );
  const { files, shell } = call;
  const operands = [...given.operands];
  let patterns = [...(given.values.get('e') ?? []), ...(given.values.get('regexp') ?? [])];
  for (const path of [...(given.values.get('f') ?? []), ...(given.values.get('file') ?? [])])
    patterns.push(...linesOf(call.read(path)));
  if (patterns.length === 0 && !given.has('f', 'file')) {
    const first = operands.shift();
    if (first === undefined) return call.fail('usage: grep [OPTION]... PATTERNS [FILE]...', 2);
    patterns = [first];
  }
  patterns = patterns.flatMap((pattern) => pattern.split('\n'));
  const fixed = given.has('F', 'fixed-strings') || call.name === 'fgrep';
  const extended = given.has('E', 'extended-regexp', 'P') || call.name === 'egrep';
  const whole = given.has('x', 'line-regexp');
  const ignoreCase = given.has('i', 'ignore-case');
  let regexes: Regex[];
  try {
    regexes = patterns.map((pattern) => {
      const source = fixed ? pattern.replace(/[\\.*[\]^$]/g, '\\$&') : pattern;
      const anchored = whole && !fixed ? (extended ? `^(${source})$` : `^\\(${source}\\)$`) : source;
      return compileRegex(anchored, shell.budget, { extended: extended && !fixed, ignoreCase });
    });
  } catch (error) {
    if (error instanceof RegexError) return call.fail(error.message, 2);
    throw error;
  }
  const invert = given.has('v', 'invert-match');
  const word = given.has('w', 'word-regexp');
  const quiet = given.has('q', 'quiet', 'silent');
  const recursive = given.has('r', 'R', 'recursive');
  const most = Number(given.last('m', 'max-count') ?? Number.POSITIVE_INFINITY);
  const targets: string[] = [];
  const gather = (path: string): void => {
    const inode = files.find(path);
    files.budget.spend();
    if (recursive && inode?.kind === 'directory') for (const name of files.list(path)) gather(`${path}/${name}`);
    else targets.push(path);
  };
  for (const path of operands.length === 0 ? [recursive ? '.' : '-'] : operands) gather(path);
  const named =
    given.has('H', 'with-filename') || ((targets.length > 1 || recursive) && !given.has('h', 'no-filename'));
  let any = false;
  let trouble = false;
  const after = Number(given.last('A', 'after-context') ?? 0);
  const before = Number(given.last('B', 'before-context') ?? 0);
  const simple = !word && !(whole && fixed);
  for (const path of targets) {
    let text = '';
    const read = () => {
      text = call.read(path);
    };
    if (given.has('s', 'no-messages')) {
      if (path !== '-' && files.find(path)?.kind !== 'file' && path !== '/dev/null') {
        trouble = true;
        continue;
      }
      read();
    } else if (!call.attempt(path, read)) {
      trouble = true;
      continue;
    }
    const label = named ? `${path === '-' ? '(standard input)' : path}:` : '';
    let count = 0;
    const lines = given.has('z', 'null-data') ? text.split('\0') : linesOf(text);
    const shown = new Set<number>();
    for (const [i, line] of lines.entries()) {
      shell.budget.spend();
      const found = simple
        ? regexes.some((regex) => regex.test(line, shell.budget))
        : search(regexes, line, 0, whole, word, call) !== undefined;
      if (found === invert) continue;
      any = true;
      if (quiet) return 0;
      count++;
      if (given.has('l', 'files-with-matches', 'c', 'count', 'L', 'files-without-match')) {
        if (given.has('l', 'files-with-matches')) break;
      } else if (given.has('o', 'only-matching')) {
        if (!invert)
          for (let at = 0; at <= line.length; ) {
            const hit = search(regexes, line, at, whole, word, call);
            if (hit === undefined) break;
            if (hit[1] > hit[0])
              call.out(`${label}${given.has('n') ? `${i + 1}:` : ''}${line.slice(hit[0], hit[1])}\n`);
            at = hit[1] > at ? hit[1] : at + 1;
          }
      } else
        for (let n = Math.max(0, i - before); n <= Math.min(lines.length - 1, i + after); n++) {
          if (shown.has(n)) continue;
          shown.add(n);
          call.out(`${label}${given.has('n', 'line-number') ? `${n + 1}:` : ''}${lines[n]}\n`);
        }
      if (count >= most) break;
    }
    if (given.has('c', 'count')) call.out(`${label}${count}\n`);
    if (given.has('l', 'files-with-matches') && count > 0) call.out(`${path === '-' ? '(standard input)' : path}\n`);
    if (given.has('L', 'files-without-match') && count === 0) call.out(`${path}\n`);
  }
  return trouble && !quiet ? 2 : any ? 0 : trouble ? 2 : 1;
}

/** The grep family. */
export const GREP_COMMANDS: Readonly<Record<string, Command>> = { grep, egrep: grep, fgrep: grep };
