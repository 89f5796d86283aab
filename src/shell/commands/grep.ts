import type { Call, Command } from '../command.ts';
import { type Given, type Taken, UsageError } from '../given.ts';
import { compilePattern, matches, type Pattern } from '../pattern.ts';
import { compileRegex, type Regex, RegexError } from '../regex.ts';
import { linesOf } from './lines.ts';

const GREP: Taken = {
  known:
    'E,extended-regexp P,perl-regexp F,fixed-strings G,basic-regexp e,regexp= f,file= i,ignore-case no-ignore-case y v,invert-match w,word-regexp x,line-regexp c,count color=? colour=? L,files-without-match l,files-with-matches m,max-count= o,only-matching q,quiet,silent s,no-messages b,byte-offset H,with-filename h,no-filename label= n,line-number T,initial-tab Z,null A,after-context= B,before-context= C,context= a,text binary-files= I exclude= exclude-from= exclude-dir= include= r,recursive R,dereference-recursive d,directories= D,devices= line-buffered U,binary z,null-data group-separator= no-group-separator',
  missing: 'V',
  status: 2,
  digits: 'C',
};
const WORD = /[A-Za-z0-9_]/;

/** What a line must match. */
class Matcher {
  readonly #regexes: readonly Regex[];
  readonly #whole: boolean;
  readonly #word: boolean;
  readonly #call: Call;

  constructor(call: Call, given: Given, patterns: readonly string[]) {
    const fixed = given.lastOf('E', 'F', 'G') === 'F' || (call.name === 'fgrep' && !given.has('E', 'G'));
    const extended = !fixed && (given.lastOf('E', 'F', 'G') === 'E' || (call.name === 'egrep' && !given.has('G')));
    const ignoreCase =
      given.lastOf('i', 'y', 'no-ignore-case') !== undefined &&
      given.lastOf('i', 'y', 'no-ignore-case') !== 'no-ignore-case';
    this.#whole = given.has('x');
    this.#word = given.has('w');
    this.#call = call;
    const perl = given.lastOf('E', 'F', 'G', 'P') === 'P';
    this.#regexes = patterns.map((pattern) => {
      if (perl) return compileRegex(fromPerl(pattern, this.#whole), call.shell.budget, { extended: true, ignoreCase });
      const source = fixed ? pattern.replace(/[\\.*[\]^$]/g, '\\$&') : pattern;
      const anchored = this.#whole && !fixed ? (extended ? `^(${source})$` : `^\\(${source}\\)$`) : source;
      return compileRegex(anchored, call.shell.budget, { extended, ignoreCase });
    });
    this.fixedWhole = this.#whole && fixed;
  }

  /** Fixed strings that must be complete lines are compared by their length. */
  readonly fixedWhole: boolean;

  test(line: string): boolean {
    const { budget } = this.#call.shell;
    if (!this.#word && !this.fixedWhole) return this.#regexes.some((regex) => regex.test(line, budget));
    return this.search(line, 0) !== undefined;
  }

  /** The first match at or after `from` of any of the expressions, honouring -w and -x. */
  search(line: string, from: number): [number, number] | undefined {
    const { budget } = this.#call.shell;
    let best: [number, number] | undefined;
    for (const regex of this.#regexes)
      for (let at = from; at <= line.length; ) {
        budget.spend();
        const found = regex.exec(line, at, budget);
        if (found === undefined) break;
        const [start, end] = found as [number, number];
        const fits = this.#whole
          ? start === 0 && end === line.length
          : !this.#word || (!WORD.test(line[start - 1] ?? '') && !WORD.test(line[end] ?? ''));
        if (fits) {
          if (best === undefined || start < best[0] || (start === best[0] && end > best[1])) best = [start, end];
          break;
        }
        if (this.#whole) break;
        at = start + 1;
      }
    return best;
  }
}

/** An expression of Perl as an extended one; throws a {@link UsageError} for what only Perl has. */
function fromPerl(pattern: string, whole: boolean): string {
  const classes: Readonly<Record<string, string>> = {
    ...{ '\\d': '[0-9]', '\\D': '[^0-9]', '\\h': '[ \t]', '\\t': '\t', '\\n': '\n', '\\r': '\r', '(?:': '(' },
  };
  const source = pattern.replace(/\\[\s\S]|\(\?:|\(\?|[*+?}][+?]|\[\^?\]?(?:\\[\s\S]|[^\]])*\]/g, (all) => {
    if (Object.hasOwn(classes, all)) return classes[all]!;
    if (all.startsWith('['))
      return all
        .replace(/\\d/g, '0-9')
        .replace(/\\t/g, '\t')
        .replace(/\\s/g, ' \t\n\v\f\r')
        .replace(/\\w/g, 'A-Za-z0-9_')
        .replace(/\\([^A-Za-z0-9])/g, '$1');
    if (/^\\[A-Za-z]$/.test(all) ? !/^\\[wWsSbB]$/.test(all) : !all.startsWith('\\'))
      throw new UsageError(`-P with ${all} is not implemented`, `-P (${all})`, true, 2);
    return all;
  });
  return whole ? `^(${source})$` : source;
}

/** Files to search, with folders walked for -r. */
function targetsOf(
  call: Call,
  given: Given,
  operands: readonly string[],
  recursive: boolean,
): { paths: string[]; status: number } {
  const { files } = call;
  const { budget } = call.shell;
  const patterns = (name: string): Pattern[] => given.all(name).map((text) => compilePattern(text, budget));
  const [includes, excludes, folders] = [patterns('include'), patterns('exclude'), patterns('exclude-dir')];
  const paths: string[] = [];
  let status = 0;
  const wanted = (name: string) =>
    (includes.length === 0 || includes.some((one) => matches(one, name, budget))) &&
    !excludes.some((one) => matches(one, name, budget));
  const gather = (path: string, top: boolean): void => {
    budget.spend();
    const inode = files.find(path, top || given.has('R'));
    const name = path.split('/').pop()!;
    if (inode?.kind === 'directory' && path !== '-') {
      if (recursive) {
        if (!top && folders.some((one) => matches(one, name, budget))) return;
        budget.deeper(() => {
          for (const child of files.list(path))
            gather(path === '.' && operands.length === 0 ? child : `${path.replace(/\/$/, '')}/${child}`, false);
        });
      } else if (given.last('d') !== 'skip') {
        if (!given.has('s')) call.complain(`${path}: Is a directory`);
        status = 2;
      }
    } else if (inode?.kind === 'symlink' && !top) return;
    else if (path === '-' || wanted(name)) paths.push(path);
  };
  for (const path of operands.length === 0 ? [recursive ? '.' : '-'] : operands) gather(path, true);
  return { paths, status };
}

/** A number of lines for -A, -B, -C and -m. */
function numberOf(text: string | undefined): number {
  return text === undefined ? Number.NaN : /^-?[0-9]+$/.test(text) ? Number(text) : Number.NaN;
}

function grep(call: Call): number {
  const given = call.parse(GREP);
  const operands = [...given.operands];
  let patterns = given.all('e');
  for (const path of given.all('f')) for (const each of linesOf(call.read(path))) patterns.push(each);
  if (!given.has('e', 'f')) {
    const first = operands.shift();
    if (first === undefined) return call.fail('usage: grep [OPTION]... PATTERNS [FILE]...', 2);
    patterns = [first];
  }
  patterns = patterns.flatMap((pattern) => pattern.split('\n'));
  for (const name of ['A', 'B', 'C', 'm'])
    if (given.has(name) && Number.isNaN(numberOf(given.last(name))))
      return call.fail(`${given.last(name)}: invalid context length argument`, 2);
  let matcher: Matcher;
  try {
    matcher = new Matcher(call, given, patterns);
  } catch (error) {
    if (error instanceof RegexError) return call.fail(error.message, 2);
    throw error;
  }
  const recursive = given.has('r', 'R') || given.last('d') === 'recurse';
  const { paths, status } = targetsOf(call, given, operands, recursive);
  const many = operands.length > 1 || recursive;
  const named = given.lastOf('H', 'h') === 'H' || (many && given.lastOf('H', 'h') !== 'h');
  let trouble = status !== 0;
  let any = false;
  const output = new Output(call, given, named);
  for (const path of paths) {
    let text = '';
    const read = () => {
      text = call.read(path);
    };
    if (given.has('s') && path !== '-' && path !== '/dev/null' && call.files.find(path) === undefined) {
      trouble = true;
      continue;
    }
    if (!call.attempt(path, read)) {
      trouble = true;
      continue;
    }
    if (output.file(path, text, matcher)) {
      any = true;
      if (given.has('q')) return 0;
    }
  }
  return trouble ? 2 : any ? 0 : 1;
}

/** Searches files and prints what the options ask for. */
class Output {
  readonly #call: Call;
  readonly #given: Given;
  readonly #named: boolean;
  /** Something was printed before, so that a separator is due. */
  #printed = false;

  constructor(call: Call, given: Given, named: boolean) {
    this.#call = call;
    this.#given = given;
    this.#named = named;
  }

  /** Searches one file; true when a line was selected. */
  file(path: string, text: string, matcher: Matcher): boolean {
    const given = this.#given;
    const { budget } = this.#call.shell;
    const invert = given.has('v');
    const shown = path === '-' ? (given.last('label') ?? '(standard input)') : path;
    const end = given.has('z') ? '\0' : '\n';
    const lines = linesOf(text, end);
    const most = given.has('m') ? numberOf(given.last('m')) : Number.POSITIVE_INFINITY;
    const lists = given.has('l', 'L', 'c', 'q');
    const context = numberOf(given.last('C'));
    const after = numberOf(given.last('A') ?? (Number.isNaN(context) ? '0' : String(context)));
    const before = numberOf(given.last('B') ?? (Number.isNaN(context) ? '0' : String(context)));
    const binary = !given.has('a', 'U') && given.last('binary-files') !== 'text' && text.includes('\0') && end === '\n';
    if (binary && (given.has('I') || given.last('binary-files') === 'without-match')) return false;
    let count = 0;
    let last = -1;
    let position = 0;
    let trailing = 0;
    for (const [i, line] of lines.entries()) {
      budget.spend();
      const selected = count < (most < 0 ? Number.POSITIVE_INFINITY : most) && matcher.test(line) !== invert;
      if (selected) {
        count++;
        if (given.has('q', 'l') || (given.has('L') && !given.has('c'))) {
          this.#call.enough();
          break;
        }
        if (binary && !lists) {
          this.#call.enough();
          this.#call.out(`Binary file ${shown} matches\n`);
          break;
        }
        if (!lists) {
          const from = Math.max(last + 1, i - before);
          const separator = given.last('group-separator') ?? '--';
          const gaps = (before > 0 || after > 0) && from > last + 1 && !given.has('o');
          if (
            ((gaps && last >= 0) || (this.#printed && last < 0 && (before > 0 || after > 0))) &&
            !given.has('no-group-separator')
          )
            this.#call.out(`${separator}\n`);
          let at = position;
          for (let n = i - 1; n >= from; n--) at -= lines[n]!.length + 1;
          for (let n = from; n < i && !given.has('o'); n++) {
            this.#line(shown, n, at, '-', lines[n]! + end);
            at += lines[n]!.length + 1;
          }
          if (given.has('o')) this.#parts(shown, i, position, line, matcher, invert);
          else this.#line(shown, i, position, ':', line + end);
          last = i;
          trailing = after;
        }
      } else if (trailing > 0 && !lists) {
        trailing--;
        last = i;
        if (!given.has('o')) this.#line(shown, i, position, '-', line + end);
      }
      position += line.length + 1;
      if (count >= most && trailing === 0) {
        this.#call.enough();
        break;
      }
    }
    const name = shown + (given.has('Z') ? '\0' : '\n');
    if (given.has('q')) return count > 0;
    if (given.has('c') && !given.has('l', 'L'))
      this.#call.out(`${this.#named ? `${shown}${given.has('Z') ? '\0' : ':'}` : ''}${count}\n`);
    if (given.has('l') && count > 0) this.#call.out(name);
    if (given.has('L') && !given.has('l')) {
      if (count === 0) this.#call.out(name);
      return count > 0;
    }
    return count > 0;
  }

  #line(path: string, index: number, offset: number, sign: string, text: string): void {
    const given = this.#given;
    let head = '';
    if (this.#named) head += given.has('Z') ? `${path}\0` : path + sign;
    if (given.has('n')) head += (given.has('T') ? String(index + 1).padStart(4) : String(index + 1)) + sign;
    if (given.has('b')) head += offset + sign;
    if (given.has('T') && head !== '') head += '\t';
    this.#printed = true;
    this.#call.out(head + text);
  }

  /** The matching parts of a line, for -o. */
  #parts(path: string, index: number, offset: number, line: string, matcher: Matcher, invert: boolean): void {
    if (invert) return;
    for (let at = 0; at <= line.length; ) {
      const hit = matcher.search(line, at);
      if (hit === undefined) return;
      if (hit[1] > hit[0]) this.#line(path, index, offset + hit[0], ':', `${line.slice(hit[0], hit[1])}\n`);
      at = hit[1] > hit[0] ? hit[1] : hit[1] + 1;
    }
  }
}

/** The grep family. */
export const GREP_COMMANDS: Readonly<Record<string, Command>> = { grep, egrep: grep, fgrep: grep };
