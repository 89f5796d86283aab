import { Brackets } from '../brackets.ts';
import type { Budget } from '../limits.ts';
import { compileRegex, type Regex } from '../regex.ts';

/** Thrown for an invalid script. */
export class SedError extends Error {
  readonly status: number;

  constructor(message: string, status = 1) {
    super(message);
    this.status = status;
  }
}

/** The lines an instruction applies to. */
export type Address =
  | { kind: 'line'; line: number }
  | { kind: 'last' }
  | { kind: 'regex'; regex: Regex | undefined }
  | { kind: 'step'; first: number; step: number }
  | { kind: 'plus'; count: number }
  /** `addr,~N`: up to the next multiple. */
  | { kind: 'multiple'; of: number };

/** One command of a program. */
export interface Instruction {
  readonly from: Address | undefined;
  readonly to: Address | undefined;
  readonly negated: boolean;
  readonly letter: string;
  /** Text of a, i, c; label of b, t, T and `:`; file of r and w. */
  readonly text: string;
  readonly substitution: Substitution | undefined;
  /** Where the block that begins or is skipped here ends. */
  end: number;
  active: boolean;
  until: number;
}

/** What `s` does. */
export interface Substitution {
  readonly regex: Regex | undefined;
  readonly pieces: readonly (string | number | { fold: string })[];
  readonly global: boolean;
  readonly print: boolean;
  readonly nth: number;
  readonly file: string | undefined;
}

/** Parses a program. Throws {@link SedError}. */
export function parseSed(text: string, extended: boolean, budget: Budget): Instruction[] {
  budget.scan(text.length * 8);
  return new SedParser(codes(text), extended, budget).parse();
}

class SedParser {
  readonly #text: string;
  readonly #extended: boolean;
  readonly #budget: Budget;
  readonly #brackets: Brackets;
  #at = 0;

  constructor(text: string, extended: boolean, budget: Budget) {
    this.#text = text;
    this.#brackets = new Brackets(text, 'none');
    this.#extended = extended;
    this.#budget = budget;
  }

  parse(): Instruction[] {
    const out: Instruction[] = [];
    const blocks: number[] = [];
    for (;;) {
      this.#skip(/[ \t\n;]*/y);
      if (this.#at >= this.#text.length) break;
      if (this.#text[this.#at] === '#') {
        this.#skip(/[^\n]*/y);
        continue;
      }
      if (this.#text[this.#at] === '}') {
        this.#at++;
        const open = blocks.pop();
        if (open === undefined) throw new SedError("unexpected '}'");
        out[open]!.end = out.length;
        continue;
      }
      const made = this.#instruction();
      if (made.letter === '{') blocks.push(out.length);
      out.push(made);
    }
    if (blocks.length > 0) throw new SedError("unmatched '{'");
    for (const one of out)
      if ('btT'.includes(one.letter)) {
        const label = out.findIndex((other) => other.letter === ':' && other.text === one.text);
        if (label < 0 && one.text !== '') throw new SedError(`can't find label for jump to '${one.text}'`, 4);
        one.end = one.text === '' ? out.length : label;
      }
    return out;
  }

  #skip(what: RegExp): string {
    what.lastIndex = this.#at;
    const found = what.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }

  #instruction(): Instruction {
    const from = this.#address();
    let to: Address | undefined;
    if (from !== undefined) {
      this.#skip(/[ \t]*/y);
      if (this.#text[this.#at] === ',') {
        this.#at++;
        this.#skip(/[ \t]*/y);
        to = this.#address(true);
        if (to === undefined) throw new SedError("unexpected ','");
      }
    }
    this.#skip(/[ \t]*/y);
    const negated = this.#skip(/![ \t!]*/y) !== '';
    const letter = this.#text[this.#at++];
    if (letter === undefined) throw new SedError('missing command');
    let text = '';
    let substitution: Substitution | undefined;
    if (letter === 's') substitution = this.#substitution();
    else if (letter === 'y') text = this.#transliteration();
    else if ('aic'.includes(letter)) text = this.#block();
    else if (':btT'.includes(letter)) {
      this.#skip(/[ \t]*/y);
      text = this.#skip(/[^\s;}]*/y);
      if (letter === ':' && text === '') throw new SedError('":" lacks a label');
    } else if ('rwRW'.includes(letter)) {
      this.#skip(/[ \t]*/y);
      text = this.#skip(/[^\n]*/y);
    } else if (letter === 'q' || letter === 'Q' || letter === 'l') {
      this.#skip(/[ \t]*/y);
      text = this.#skip(/[0-9]*/y);
    } else if (!'{dDpPnNgGhHx=zF'.includes(letter)) throw new SedError(`unknown command: '${letter}'`);
    // GNU sed treats what follows a label and a blank as the next command
    if (letter !== '{' && letter !== ':' && !'aic'.includes(letter)) {
      this.#skip(/[ \t]*/y);
      if (this.#at < this.#text.length && !/[\n;}#]/.test(this.#text[this.#at]!))
        throw new SedError('extra characters after command');
    }
    return { from, to, negated, letter, text, substitution, end: 0, active: false, until: 0 };
  }

  #address(second = false): Address | undefined {
    const c = this.#text[this.#at];
    if (c === '$') {
      this.#at++;
      return { kind: 'last' };
    }
    if (second && (c === '+' || c === '~')) {
      this.#at++;
      const count = Number(this.#skip(/[0-9]+/y));
      return c === '+' ? { kind: 'plus', count } : { kind: 'multiple', of: count };
    }
    if (c !== undefined && /[0-9]/.test(c)) {
      const line = Number(this.#skip(/[0-9]+/y));
      if (this.#text[this.#at] !== '~') return { kind: 'line', line };
      this.#at++;
      return { kind: 'step', first: line, step: Number(this.#skip(/[0-9]+/y)) };
    }
    if (c !== '/' && c !== '\\') return undefined;
    this.#at += c === '/' ? 1 : 2;
    const source = this.#delimited(this.#text[this.#at - 1]!, true);
    const flags = this.#skip(/[ \t]*[IM]+|/y);
    return { kind: 'regex', regex: this.#regex(source, flags) };
  }

  #regex(source: string, flags: string): Regex | undefined {
    if (source === '') return undefined;
    return compileRegex(source, this.#budget, {
      extended: this.#extended,
      ignoreCase: /[iI]/.test(flags),
      multiline: /[mM]/.test(flags),
    });
  }

  /** Text up to the delimiter. In an expression a bracket may contain the delimiter; an escaped one is literal. */
  #delimited(delimiter: string, expression: boolean): string {
    let out = '';
    for (;;) {
      const c = this.#text[this.#at];
      if (c === undefined || (c === '\n' && expression)) throw new SedError("unterminated 's' or address");
      this.#at++;
      if (c === delimiter) return out;
      if (c === '\\') {
        const next = this.#text[this.#at++] ?? '';
        if (next === delimiter) out += /[|+?(){}.*[\]^$]/.test(next) && expression ? `[${next}]` : next;
        else if (next === '\n' && expression) out += '\n';
        else if (next === 'c' && /[A-Za-z[\]^_]/.test(this.#text[this.#at] ?? ''))
          out += String.fromCharCode(this.#text[this.#at++]!.toUpperCase().charCodeAt(0) ^ 64);
        else out += c + next;
      } else if (c === '[' && expression) {
        const end = this.#brackets.read(this.#at)?.end;
        if (end === undefined) out += c;
        else {
          out += c + this.#text.slice(this.#at, end).replaceAll('\\n', '\n').replaceAll('\\t', '\t');
          this.#at = end;
        }
      } else out += c;
    }
  }

  #substitution(): Substitution {
    const delimiter = this.#text[this.#at++];
    if (delimiter === undefined || delimiter === '\n' || delimiter === '\\')
      throw new SedError("unterminated 's' command");
    const source = this.#delimited(delimiter, true);
    const replacement = this.#delimited(delimiter, false);
    const flags = this.#skip(/[gpiIMme0-9]*/y);
    let file: string | undefined;
    if (this.#text[this.#at] === 'w') {
      this.#at++;
      file = this.#skip(/[^\n]*/y).trim();
    }
    if (flags.includes('e')) throw new SedError("the 'e' flag is not allowed");
    if (/0/.test(flags) && !/[1-9]/.test(flags)) throw new SedError("number option to `s' command may not be zero");
    for (const flag of ['g', 'p'])
      if (flags.split(flag).length > 2) throw new SedError(`multiple \`${flag}' options to \`s' command`);
    const regex = this.#regex(source, flags);
    const pieces = replacementPieces(replacement);
    for (const piece of pieces)
      if (typeof piece === 'number' && regex !== undefined && piece > regex.groups)
        throw new SedError(`invalid reference \\${piece} on 's' command's RHS`);
    return {
      regex,
      pieces,
      global: flags.includes('g'),
      print: flags.includes('p'),
      nth: Number(/[0-9]+/.exec(flags)?.[0] ?? 1),
      file,
    };
  }

  #transliteration(): string {
    const delimiter = this.#text[this.#at++] ?? '';
    const clean = (text: string) =>
      text.replace(/\\([\s\S])/g, (_, c: string) => (c === 'n' ? '\n' : c === 't' ? '\t' : c));
    const from = clean(this.#delimited(delimiter, false));
    const to = clean(this.#delimited(delimiter, false));
    if (from.length !== to.length) throw new SedError("strings for 'y' command are different lengths");
    return from + to;
  }

  /** Text of a, i and c: on the same line, or on the lines after a backslash. */
  #block(): string {
    this.#skip(/[ \t]*/y);
    if (this.#text[this.#at] === '\\') {
      this.#at++;
      // blanks after the backslash are kept unless the text is on the next line
      if (this.#skip(/[ \t]*\n/y) === '' && this.#at >= this.#text.length)
        throw new SedError("expected \\ after `a', `c' or `i'");
    } else if (this.#at >= this.#text.length) throw new SedError("expected \\ after `a', `c' or `i'");
    let out = '';
    while (this.#at < this.#text.length) {
      const c = this.#text[this.#at++]!;
      if (c === '\n') break;
      if (c !== '\\') out += c;
      else {
        const next = this.#text[this.#at++] ?? '';
        out += next === 't' ? '\t' : next === 'n' ? '\n' : next;
      }
    }
    return `${out}\n`;
  }
}

function replacementPieces(text: string): (string | number | { fold: string })[] {
  const out: (string | number | { fold: string })[] = [];
  let plain = '';
  const flush = () => {
    if (plain !== '') out.push(plain);
    plain = '';
  };
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === '&') {
      flush();
      out.push(0);
    } else if (c !== '\\') plain += c;
    else {
      const next = text[++i] ?? '';
      if (/[0-9]/.test(next)) {
        flush();
        out.push(Number(next));
      } else if (/[ULEul]/.test(next)) {
        flush();
        out.push({ fold: next });
      } else plain += next === 'n' ? '\n' : next === 't' ? '\t' : next;
    }
  }
  flush();
  return out;
}

/** Replaces character codes (`\\x27`, `\\o47`, `\\d039`) by the characters themselves. */
function codes(text: string): string {
  return text.replace(
    /\\\\|\\x([0-9A-Fa-f]{1,2})|\\o([0-7]{1,3})|\\d([0-9]{3})/g,
    (all, hex?: string, octal?: string, decimal?: string) => {
      if (hex === undefined && octal === undefined && decimal === undefined) return all;
      const value =
        hex !== undefined
          ? Number.parseInt(hex, 16)
          : octal !== undefined
            ? Number.parseInt(octal, 8)
            : Number(decimal);
      const c = String.fromCharCode(value & 255);
      return /[\\&^/]/.test(c) ? `\\${c}` : c;
    },
  );
}
