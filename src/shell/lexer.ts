import type { Node, Redirect, Source, Word } from './ast.ts';
import { Cursor } from './cursor.ts';
import type { Budget } from './limits.ts';
import { META, WordReader } from './words.ts';

/** A token. Words have their pieces; `literal` is the text of a single unquoted piece (keywords, aliases). */
export type Token = { readonly line: number; readonly start: number; readonly end: number; readonly text: string } & (
  | { readonly kind: 'word'; readonly word: Word; readonly literal: string | undefined; readonly fd?: undefined }
  | { readonly kind: 'operator'; readonly fd?: number; readonly literal?: undefined }
  | { readonly kind: 'newline' | 'end'; readonly fd?: undefined; readonly literal?: undefined }
);

/** What the lexer needs from the parser, since words may contain commands. */
export interface Within {
  /** Parses a list from the lexer's position up to and including `)`. */
  list(): Node | undefined;
  /** Parses a separate text: the content of backquotes. */
  sub(text: string, line: number): Node | undefined;
  /** Splits the body of a here-document, a separate text, into its pieces. */
  document(text: string, line: number): Word;
  /** Reads the elements of `name=(…)` up to and including `)`. */
  elements(): readonly Word[];
}

const OPERATORS = ['<<-', '&&', '||', ';;', '<<', '>>', '<&', '>&', '<>', '>|', '<', '>', '&', '|', ';', '(', ')'];
const BASH_OPERATORS = [';;&', '&>>', '<<<', ';&', '&>', '|&'];

/** Splits a script into tokens, with words already split into their pieces. */
export class Lexer {
  readonly source: Source;
  /** Reads words at the lexer's position. */
  readonly words: WordReader;
  readonly #cursor: Cursor;
  readonly #budget: Budget;
  readonly #within: Within;
  readonly #operators: readonly string[];
  readonly #bash: boolean;
  #peeked: Token | undefined;
  #documents: { redirect: Redirect; tabs: boolean }[] = [];

  /** Reads `text`, a part of `source` that begins on its line `line`. */
  constructor(source: Source, text: string, budget: Budget, line: number, bash: boolean, within: Within) {
    this.source = source;
    this.#cursor = new Cursor(source, text, line);
    this.#budget = budget;
    this.#bash = bash;
    this.#operators = bash ? [...BASH_OPERATORS, ...OPERATORS] : OPERATORS;
    this.#within = within;
    this.words = new WordReader(this.#cursor, budget, bash, {
      list: () => this.#aside(() => within.list()),
      sub: within.sub,
      elements: () => this.#aside(() => within.elements()),
    });
  }

  /** Rejects the script. */
  fail(reason: string): never {
    this.#cursor.fail(reason);
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

  /** Goes back to the start of a token that was peeked at, so that the text can be read in another way. */
  back(token: Token, skip = 0): void {
    this.#cursor.at = token.start + skip;
    this.#cursor.line = token.line;
    this.#peeked = undefined;
  }

  /** True when `text` follows the token that was peeked at. */
  followedBy(token: Token, text: string): boolean {
    return this.#cursor.text.startsWith(text, token.end);
  }

  /** Replaces a token that was peeked at by text, for an alias. */
  replace(token: Token, text: string): void {
    const cursor = this.#cursor;
    cursor.text = cursor.text.slice(0, token.start) + text + cursor.text.slice(token.end);
    cursor.at = token.start;
    this.#peeked = undefined;
    this.#budget.look(cursor.text.length);
    this.#budget.length(cursor.text.length, 'the script');
  }

  /** Announces that the body of a here-document follows this line. */
  expectDocument(redirect: Redirect, tabs: boolean): void {
    this.#documents.push({ redirect, tabs });
  }

  /** The expression of `(( … ))`, whose first parenthesis is the token peeked at; undefined when it is none. */
  arithmetic(token: Token): Word | undefined {
    this.back(token, 2);
    const found = this.words.arithmetic();
    if (found === undefined) this.back(token);
    return found;
  }

  /** The regular expression after `=~`. */
  regex(): Word {
    this.#skipBlanks();
    return this.words.regex();
  }

  /** The complete text as the body of a here-document. */
  document(): Word {
    return this.words.document();
  }

  /** Reads something within a word, which has its own here-documents. */
  #aside<T>(body: () => T): T {
    const [documents, peeked, extended] = [this.#documents, this.#peeked, this.words.extended];
    this.#documents = [];
    this.#peeked = undefined;
    const value = body();
    this.#documents = documents;
    this.#peeked = peeked;
    this.words.extended = extended;
    return value;
  }

  #read(): Token {
    this.#budget.spend(4);
    const cursor = this.#cursor;
    this.#skipBlanks();
    const start = cursor.at;
    const line = cursor.line;
    const c = cursor.text[start];
    if (c === undefined) {
      if (this.#documents.length > 0) this.#readDocuments();
      return { kind: 'end', line, start, end: start, text: '' };
    }
    if (c === '\n') {
      cursor.at++;
      cursor.line++;
      this.#readDocuments();
      return { kind: 'newline', line, start, end: cursor.at, text: '\n' };
    }
    const substitutes = this.#bash && (c === '<' || c === '>') && cursor.text[start + 1] === '(';
    if (META.has(c) && !substitutes) return this.#operator(line, start, undefined);
    const number = /[0-9]+(?=[<>])/y;
    number.lastIndex = start;
    const fd = number.exec(cursor.text)?.[0];
    if (fd !== undefined && fd.length <= 4) {
      cursor.at += fd.length;
      return this.#operator(line, start, Number(fd));
    }
    const word = this.words.word();
    const only = word.length === 1 ? word[0]! : undefined;
    const literal = only?.kind === 'text' && !only.quoted ? only.text : undefined;
    return { kind: 'word', line, start, end: cursor.at, text: cursor.text.slice(start, cursor.at), word, literal };
  }

  #operator(line: number, start: number, fd: number | undefined): Token {
    const cursor = this.#cursor;
    for (const text of this.#operators)
      if (cursor.text.startsWith(text, cursor.at)) {
        cursor.at += text.length;
        return { kind: 'operator', line, start, end: cursor.at, text, ...(fd === undefined ? {} : { fd }) };
      }
    return this.fail('an operator was expected');
  }

  #skipBlanks(): void {
    const cursor = this.#cursor;
    for (;;) {
      const c = cursor.text[cursor.at];
      if (c === ' ' || c === '\t') cursor.at++;
      else if (c === '\\' && cursor.text[cursor.at + 1] === '\n') {
        cursor.at += 2;
        cursor.line++;
      } else if (c === '#') {
        const end = cursor.text.indexOf('\n', cursor.at);
        cursor.at = end < 0 ? cursor.text.length : end;
      } else return;
    }
  }

  /** Reads the bodies of the here-documents announced on the line that has just ended. */
  #readDocuments(): void {
    const cursor = this.#cursor;
    const waiting = this.#documents;
    this.#documents = [];
    for (const { redirect, tabs } of waiting) {
      const quoted = redirect.target.some((part) => part.kind !== 'text' || part.quoted);
      const delimiter = redirect.target.map((part) => (part.kind === 'text' ? part.text : '')).join('');
      const first = cursor.line;
      let body = '';
      while (cursor.at < cursor.text.length) {
        const newline = cursor.text.indexOf('\n', cursor.at);
        const end = newline < 0 ? cursor.text.length : newline + 1;
        let line = cursor.text.slice(cursor.at, end);
        cursor.at = end;
        cursor.line++;
        if (tabs) line = line.replace(/^\t+/, '');
        if ((line.endsWith('\n') ? line.slice(0, -1) : line) === delimiter) break;
        // a line that ends in a backslash is joined with the next one before the delimiter is looked for
        if (!quoted)
          while (/(?:^|[^\\])(?:\\\\)*\\\n$/.test(line) && cursor.at < cursor.text.length) {
            const more = cursor.text.indexOf('\n', cursor.at);
            const until = more < 0 ? cursor.text.length : more + 1;
            line += cursor.text.slice(cursor.at, until);
            cursor.at = until;
            cursor.line++;
          }
        body += line;
      }
      if (quoted) redirect.document = [{ kind: 'text', text: body, quoted: true }];
      else redirect.document = this.#within.document(body, first);
    }
  }
}
