import { BuildError } from '../errors/error.ts';
import { display } from '../tree/path.ts';
import type { Node, Operator, Part, Redirect, Source, Word } from './ast.ts';
import type { Budget } from './limits.ts';

/** A token. Words have their pieces; `literal` is the text of a single unquoted piece (keywords, aliases). */
export type Token = { readonly line: number; readonly start: number; readonly end: number; readonly text: string } & (
  | { readonly kind: 'word'; readonly word: Word; readonly literal: string | undefined; readonly fd?: undefined }
  | { readonly kind: 'operator'; readonly fd?: number; readonly literal?: undefined }
  | { readonly kind: 'newline' | 'end'; readonly fd?: undefined; readonly literal?: undefined }
);

/** What the lexer needs from the parser, since words may contain commands. */
interface Within {
  /** Parses a list from the lexer's position up to and including `close`. */
  list(close: string): Node | undefined;
  /** Parses a separate text: the content of backquotes. */
  sub(text: string, line: number): Node | undefined;
  /** Splits the body of a here-document, a separate text, into its pieces. */
  document(text: string, line: number): Word;
}

const META = new Set(' \t\n;&|<>()');
const OPERATORS = ['<<-', '&&', '||', ';;', '<<', '>>', '<&', '>&', '<>', '>|', '<', '>', '&', '|', ';', '(', ')'];
const PARAMETER = /[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-]/y;
const SIMPLE_PARAMETER = /[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]/y;

/** Splits a script into tokens, with words already split into their pieces. */
export class Lexer {
  readonly source: Source;
  readonly #budget: Budget;
  readonly #within: Within;
  #text: string;
  #at = 0;
  #line: number;
  #peeked: Token | undefined;
  #documents: { redirect: Redirect; tabs: boolean }[] = [];

  /** Reads `text`, a part of `source` that begins on its line `line`. */
  constructor(source: Source, text: string, budget: Budget, line: number, within: Within) {
    this.source = source;
    this.#text = text;
    this.#budget = budget;
    this.#line = line;
    this.#within = within;
  }

  /** Rejects the script. */
  fail(reason: string): never {
    throw new BuildError('SCRIPT_SYNTAX', { script: this.source.name, line: this.#line, reason: display(reason) });
  }

  /** Runs `body` one level of nesting deeper. */
  deeper<T>(body: () => T): T {
    return this.#budget.deeper(body);
  }

  /** The next token, without consuming it. */
  peek(): Token {
    this.#peeked ??= this.#read();
    return this.#peeked;
  }

  /** The next token. */
  take(): Token {
    const token = this.peek();
    this.#peeked = undefined;
    return token;
  }

  /** Replaces a token that was peeked at by text, for an alias. */
  replace(token: Token, text: string): void {
    this.#text = this.#text.slice(0, token.start) + text + this.#text.slice(token.end);
    this.#at = token.start;
    this.#peeked = undefined;
    this.#budget.look(this.#text.length);
    this.#budget.length(this.#text.length, 'the script');
  }

  /** Announces that the body of a here-document follows this line. */
  expectDocument(redirect: Redirect, tabs: boolean): void {
    this.#documents.push({ redirect, tabs });
  }

  #read(): Token {
    this.#budget.spend(4);
    this.#skipBlanks();
    const start = this.#at;
    const line = this.#line;
    const c = this.#text[start];
    if (c === undefined) {
      if (this.#documents.length > 0) this.#readDocuments();
      return { kind: 'end', line, start, end: start, text: '' };
    }
    if (c === '\n') {
      this.#at++;
      this.#line++;
      this.#readDocuments();
      return { kind: 'newline', line, start, end: this.#at, text: '\n' };
    }
    if (META.has(c)) return this.#operator(line, start, undefined);
    const number = /[0-9]+(?=[<>])/y;
    number.lastIndex = start;
    const fd = number.exec(this.#text)?.[0];
    if (fd !== undefined && fd.length <= 4) {
      this.#at += fd.length;
      return this.#operator(line, start, Number(fd));
    }
    const word = this.#word();
    const only = word.length === 1 ? word[0]! : undefined;
    const literal = only?.kind === 'text' && !only.quoted ? only.text : undefined;
    return { kind: 'word', line, start, end: this.#at, text: this.#text.slice(start, this.#at), word, literal };
  }

  #operator(line: number, start: number, fd: number | undefined): Token {
    for (const text of OPERATORS)
      if (this.#text.startsWith(text, this.#at)) {
        this.#at += text.length;
        return { kind: 'operator', line, start, end: this.#at, text, ...(fd === undefined ? {} : { fd }) };
      }
    return this.fail('an operator was expected');
  }

  #skipBlanks(): void {
    for (;;) {
      const c = this.#text[this.#at];
      if (c === ' ' || c === '\t') this.#at++;
      else if (c === '\\' && this.#text[this.#at + 1] === '\n') {
        this.#at += 2;
        this.#line++;
      } else if (c === '#') {
        const end = this.#text.indexOf('\n', this.#at);
        this.#at = end < 0 ? this.#text.length : end;
      } else return;
    }
  }

  /** An unquoted word, up to a metacharacter. */
  #word(): Word {
    const pieces = new Pieces();
    for (;;) {
      const c = this.#text[this.#at];
      if (c === undefined || META.has(c)) return pieces.done();
      this.#piece(pieces, c);
    }
  }

  /** One piece of unquoted text beginning with `c`. */
  #piece(pieces: Pieces, c: string): void {
    switch (c) {
      case '\\': {
        const next = this.#text[this.#at + 1];
        this.#at += 2;
        if (next === '\n') this.#line++;
        else pieces.text(next ?? '\\', true);
        return;
      }
      case "'": {
        const end = this.#text.indexOf("'", this.#at + 1);
        if (end < 0) this.fail('Unterminated quoted string');
        pieces.text(this.#passed(this.#at + 1, end), true);
        this.#at = end + 1;
        return;
      }
      case '"':
        this.#at++;
        this.#doubleQuoted(pieces, '"');
        return;
      case '$':
        pieces.add(this.#dollar(false));
        return;
      case '`':
        pieces.add(this.#backquoted(false));
        return;
      default:
        if (c === '\n') this.#line++;
        this.#at++;
        pieces.text(c, false);
    }
  }

  /** Text from `from` to `to`; counts its lines. */
  #passed(from: number, to: number): string {
    const text = this.#text.slice(from, to);
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) this.#line++;
    return text;
  }

  /**
   * Text as between double quotes, up to `close`: the quote itself, the brace of `${…}`, the `))` of an arithmetic
   * expansion, or the end of a here-document (empty `close`).
   */
  #doubleQuoted(pieces: Pieces, close: '"' | '}' | '))' | ''): void {
    const before = pieces.count;
    let parentheses = 0;
    for (;;) {
      const c = this.#text[this.#at];
      if (c === undefined) {
        if (close === '') return;
        this.fail(close === '"' ? 'Unterminated quoted string' : `Missing '${close}'`);
      }
      if (close === '))') {
        if (c === '(') parentheses++;
        else if (c === ')') {
          if (parentheses === 0) {
            if (this.#text[this.#at + 1] !== ')') this.fail("Missing '))'");
            this.#at += 2;
            return;
          }
          parentheses--;
        }
      } else if (c === close) {
        this.#at++;
        if (close === '"' && pieces.count === before) pieces.text('', true);
        return;
      }
      switch (c) {
        case '\\': {
          const next = this.#text[this.#at + 1];
          if (next === '\n') {
            this.#at += 2;
            this.#line++;
          } else if (
            next === '$' ||
            next === '`' ||
            next === '\\' ||
            (next === '"' && close !== '') ||
            next === close
          ) {
            this.#at += 2;
            pieces.text(next!, true);
          } else {
            this.#at++;
            pieces.text('\\', true);
          }
          break;
        }
        case '"':
          this.#at++;
          if (close === '') pieces.text('"', true);
          // quotes inside "${x-…}" toggle in dash, but the text between them is still quoted
          break;
        case '$':
          pieces.add(this.#dollar(true));
          break;
        case '`':
          pieces.add(this.#backquoted(true));
          break;
        default: {
          const plain = /[^\\"$`}()\n]+/y;
          plain.lastIndex = this.#at;
          const run = plain.exec(this.#text)?.[0] ?? c;
          if (run === '\n') this.#line++;
          this.#at += run.length;
          pieces.text(run, true);
        }
      }
    }
  }

  #dollar(quoted: boolean): Part {
    this.#at++;
    const c = this.#text[this.#at];
    if (c === '(') {
      if (this.#text[this.#at + 1] === '(') {
        this.#at += 2;
        const pieces = new Pieces();
        this.deeper(() => this.#doubleQuoted(pieces, '))'));
        return { kind: 'arithmetic', expression: pieces.done(), quoted };
      }
      this.#at++;
      return { kind: 'substitution', body: this.#list(), quoted };
    }
    if (c === '{') {
      this.#at++;
      return this.deeper(() => this.#braced(quoted));
    }
    SIMPLE_PARAMETER.lastIndex = this.#at;
    const name = SIMPLE_PARAMETER.exec(this.#text)?.[0];
    if (name === undefined) return { kind: 'text', text: '$', quoted };
    this.#at += name.length;
    return { kind: 'parameter', name, operator: '', colon: false, word: [], quoted };
  }

  #list(): Node | undefined {
    const documents = this.#documents;
    const peeked = this.#peeked;
    this.#documents = [];
    this.#peeked = undefined;
    const body = this.deeper(() => this.#within.list(')'));
    this.#documents = documents;
    this.#peeked = peeked;
    return body;
  }

  /** Reads `${…}`, starting after the opening brace. */
  #braced(quoted: boolean): Part {
    const part = (name: string, operator: Operator, colon: boolean, word: Word): Part => ({
      kind: 'parameter',
      name,
      operator,
      colon,
      word,
      quoted,
    });
    const length = /#([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])\}/y;
    length.lastIndex = this.#at;
    const counted = length.exec(this.#text);
    if (counted !== null) {
      this.#at += counted[0].length;
      return part(counted[1]!, 'length', false, []);
    }
    PARAMETER.lastIndex = this.#at;
    const name = PARAMETER.exec(this.#text)?.[0] ?? '';
    this.#at += name.length;
    const colon = this.#text[this.#at] === ':';
    if (colon) this.#at++;
    const rest = /##?|%%?|[-+=?]/y;
    rest.lastIndex = this.#at;
    const operator = (rest.exec(this.#text)?.[0] ?? '') as Operator;
    this.#at += operator.length;
    const trims = operator.startsWith('#') || operator.startsWith('%');
    if (operator === '' && this.#text[this.#at] === '}' && !colon && name !== '') {
      this.#at++;
      return part(name, '', false, []);
    }
    const bad = name === '' || operator === '' || (colon && trims);
    return part(name, bad ? 'bad' : operator, colon, this.#braceWord(quoted && !trims));
  }

  /** Reads the word of `${x-word}` and consumes the closing brace. */
  #braceWord(quoted: boolean): Word {
    const pieces = new Pieces();
    if (quoted) {
      this.#doubleQuoted(pieces, '}');
      return pieces.done();
    }
    for (;;) {
      const c = this.#text[this.#at];
      if (c === undefined) this.fail("Missing '}'");
      if (c === '}') {
        this.#at++;
        return pieces.done();
      }
      this.#piece(pieces, c);
    }
  }

  /** Parses the content of backquotes as a separate text, after removing one level of backslashes. */
  #backquoted(quoted: boolean): Part {
    const line = this.#line;
    let text = '';
    this.#at++;
    for (;;) {
      const c = this.#text[this.#at];
      if (c === undefined) this.fail('EOF in backquote substitution');
      this.#at++;
      if (c === '`') break;
      if (c === '\n') this.#line++;
      if (c !== '\\') {
        text += c;
        continue;
      }
      const next = this.#text[this.#at] ?? '';
      if (next === '\n') {
        this.#at++;
        this.#line++;
      } else if (next === '\\' || next === '`' || next === '$' || (quoted && next === '"')) {
        this.#at++;
        text += next;
      } else text += '\\';
    }
    return { kind: 'substitution', body: this.deeper(() => this.#within.sub(text, line)), quoted };
  }

  /** Reads the bodies of the here-documents announced on the line that has just ended. */
  #readDocuments(): void {
    const waiting = this.#documents;
    this.#documents = [];
    for (const { redirect, tabs } of waiting) {
      const quoted = redirect.target.some((part) => part.kind !== 'text' || part.quoted);
      const delimiter = redirect.target.map((part) => (part.kind === 'text' ? part.text : '')).join('');
      const first = this.#line;
      let body = '';
      while (this.#at < this.#text.length) {
        const newline = this.#text.indexOf('\n', this.#at);
        const end = newline < 0 ? this.#text.length : newline + 1;
        let line = this.#text.slice(this.#at, end);
        this.#at = end;
        this.#line++;
        if (tabs) line = line.replace(/^\t+/, '');
        if ((line.endsWith('\n') ? line.slice(0, -1) : line) === delimiter) break;
        body += line;
      }
      if (quoted) redirect.document = [{ kind: 'text', text: body, quoted: true }];
      else redirect.document = this.#within.document(body, first);
    }
  }

  /** Reads the complete text as the body of a here-document. */
  document(): Word {
    const pieces = new Pieces();
    this.#doubleQuoted(pieces, '');
    return pieces.done();
  }
}

/** Collects the pieces of a word; adjacent text of one kind becomes one piece. */
class Pieces {
  readonly #parts: Part[] = [];
  #text: string[] = [];
  #quoted = false;
  #open = false;
  count = 0;

  text(text: string, quoted: boolean): void {
    this.count++;
    if (this.#open && this.#quoted !== quoted) this.#close();
    this.#open = true;
    this.#quoted = quoted;
    this.#text.push(text);
  }

  add(part: Part): void {
    if (part.kind === 'text') return this.text(part.text, part.quoted);
    this.count++;
    this.#close();
    this.#parts.push(part);
  }

  #close(): void {
    if (this.#open) this.#parts.push({ kind: 'text', text: this.#text.join(''), quoted: this.#quoted });
    this.#open = false;
    this.#text = [];
  }

  done(): Word {
    this.#close();
    return this.#parts;
  }
}
