import type { Node, Operator, Part, Word } from './ast.ts';
import type { Cursor } from './cursor.ts';
import { ansiEscapes } from './escapes.ts';
import type { Budget } from './limits.ts';
import { Pieces } from './pieces.ts';

/** What the reader of words needs from the parser, since words may contain commands. */
export interface Within {
  /** Parses a list from the cursor up to and including `)`. */
  list(): Node | undefined;
  /** Parses a separate text: the content of backquotes. */
  sub(text: string, line: number): Node | undefined;
  /** Reads the elements of `name=(…)` up to and including `)`. */
  elements(): readonly Word[];
}

/** Characters that end an unquoted word. */
export const META = new Set(' \t\n;&|<>()');
const PARAMETER = /[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-]/y;
const SIMPLE_PARAMETER = /[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]/y;
/** The text before `(` that makes it an array's list. */
const ARRAY = /^[A-Za-z_][A-Za-z0-9_]*(\[[^\]]*\])?\+?=$/;

/** Reads words and splits them into their pieces. */
export class WordReader {
  readonly #cursor: Cursor;
  readonly #budget: Budget;
  readonly #bash: boolean;
  readonly #within: Within;
  /** Whether `@(a|b)` and similar are patterns: bash's extglob. */
  extended = false;

  constructor(cursor: Cursor, budget: Budget, bash: boolean, within: Within) {
    this.#cursor = cursor;
    this.#budget = budget;
    this.#bash = bash;
    this.#within = within;
  }

  /** An unquoted word, up to a metacharacter. */
  word(): Word {
    const cursor: Cursor = this.#cursor;
    const pieces = new Pieces();
    for (;;) {
      const c = cursor.text[cursor.at];
      if (c === undefined) return pieces.done();
      const next = this.#bash ? cursor.text[cursor.at + 1] : undefined;
      if (META.has(c)) {
        if (!this.#bash) return pieces.done();
        if ((c === '<' || c === '>') && next === '(') pieces.add(this.#process(c === '>'));
        else if (c === '(' && ARRAY.test(pieces.plain() ?? '')) {
          cursor.at++;
          const elements = this.#budget.deeper(() => this.#within.elements());
          pieces.add({ kind: 'array', elements, quoted: false });
        } else return pieces.done();
      } else if (next === '(' && this.extended && '?*+@!'.includes(c)) this.#group(pieces);
      else this.#piece(pieces, c);
    }
  }

  /** `<(…)` or `>(…)`. */
  #process(output: boolean): Part {
    this.#cursor.at += 2;
    return { kind: 'process', body: this.#budget.deeper(() => this.#within.list()), output, quoted: false };
  }

  /** `@(…)` and similar: text up to the closing parenthesis, in which blanks and `|` are ordinary. */
  #group(pieces: Pieces): void {
    const cursor: Cursor = this.#cursor;
    pieces.text(`${cursor.text[cursor.at]}(`, false);
    cursor.at += 2;
    for (let depth = 1; depth > 0; ) {
      const c = cursor.text[cursor.at];
      if (c === undefined) cursor.fail("Missing ')'");
      if (c === '(') depth++;
      if (c === ')') depth--;
      this.#piece(pieces, c);
    }
  }

  /** The regular expression after `=~`: up to a blank outside of quotes and parentheses. */
  regex(): Word {
    const cursor: Cursor = this.#cursor;
    const pieces = new Pieces();
    for (let depth = 0; ; ) {
      const c = cursor.text[cursor.at];
      if (c === undefined || (depth === 0 && (META.has(c) ? c !== '(' && c !== '|' && c !== '<' && c !== '>' : false)))
        return pieces.done();
      if (c === '(') depth++;
      if (c === ')') depth--;
      this.#piece(pieces, c);
    }
  }

  /** The expression of `(( … ))`, with the cursor after the opening parentheses; undefined when it is none. */
  arithmetic(): Word | undefined {
    const cursor: Cursor = this.#cursor;
    const { at, line } = cursor;
    const pieces = new Pieces();
    if (this.#doubleQuoted(pieces, '))', true)) return pieces.done();
    cursor.at = at;
    cursor.line = line;
    return undefined;
  }

  /** The rest of the text as the body of a here-document. */
  document(): Word {
    const pieces = new Pieces();
    this.#doubleQuoted(pieces, '');
    return pieces.done();
  }

  /** One piece of unquoted text beginning with `c`. */
  #piece(pieces: Pieces, c: string): void {
    const cursor: Cursor = this.#cursor;
    switch (c) {
      case '\\': {
        const next = cursor.text[cursor.at + 1];
        cursor.at += 2;
        if (next === '\n') cursor.line++;
        else pieces.text(next ?? '\\', true);
        return;
      }
      case "'": {
        const end = cursor.text.indexOf("'", cursor.at + 1);
        if (end < 0) cursor.fail('Unterminated quoted string');
        pieces.text(cursor.passed(cursor.at + 1, end), true);
        cursor.at = end + 1;
        return;
      }
      case '"':
        cursor.at++;
        this.#doubleQuoted(pieces, '"');
        return;
      case '$': {
        const next = this.#bash ? cursor.text[cursor.at + 1] : undefined;
        if (next === "'") this.#ansi(pieces);
        else if (next === '"') cursor.at++;
        else pieces.add(this.#dollar(false));
        return;
      }
      case '`':
        pieces.add(this.#backquoted(false));
        return;
      default:
        if (c === '\n') cursor.line++;
        cursor.at++;
        pieces.text(c, false);
    }
  }

  /** Bash's `$'…'`. */
  #ansi(pieces: Pieces): void {
    const cursor: Cursor = this.#cursor;
    const quoted = /\$'((?:[^'\\]|\\[\s\S])*)'/y;
    quoted.lastIndex = cursor.at;
    const found = quoted.exec(cursor.text);
    if (found === null) return cursor.fail('Unterminated quoted string');
    pieces.text(ansiEscapes(found[1]!), true);
    cursor.passed(cursor.at, quoted.lastIndex);
    cursor.at = quoted.lastIndex;
  }

  /**
   * Text as between double quotes, up to `close`: the quote itself, the brace of `${…}`, the `))` of an arithmetic
   * expansion, or the end of a here-document (empty `close`). False when a `tentative` reading finds no `))`.
   */
  #doubleQuoted(pieces: Pieces, close: '"' | '}' | '))' | '', tentative = false): boolean {
    const cursor: Cursor = this.#cursor;
    const before = pieces.count;
    let parentheses = 0;
    /** Inside quotes within a quoted `${…}`, where a brace is an ordinary character. */
    let inner = false;
    for (;;) {
      const c = cursor.text[cursor.at];
      if (c === undefined) {
        if (close === '') return true;
        if (tentative) return false;
        cursor.fail(close === '"' ? 'Unterminated quoted string' : `Missing '${close}'`);
      }
      if (close === '))') {
        if (c === '(') parentheses++;
        else if (c === ')') {
          if (parentheses === 0) {
            if (cursor.text[cursor.at + 1] !== ')') {
              if (tentative) return false;
              cursor.fail("Missing '))'");
            }
            cursor.at += 2;
            return true;
          }
          parentheses--;
        }
      } else if (c === close && !(inner && c === '}')) {
        cursor.at++;
        if (close === '"' && pieces.count === before) pieces.text('', true);
        return true;
      }
      switch (c) {
        case '\\':
          this.#escaped(pieces, close);
          break;
        case '"':
          cursor.at++;
          if (close === '') pieces.text('"', true);
          // the text between quotes inside "${x-…}" is still quoted
          inner = !inner;
          break;
        case '$':
          pieces.add(this.#dollar(true));
          break;
        case '`':
          pieces.add(this.#backquoted(true));
          break;
        default: {
          const plain = /[^\\"$`}()\n]+/y;
          plain.lastIndex = cursor.at;
          const run = plain.exec(cursor.text)?.[0] ?? c;
          if (run === '\n') cursor.line++;
          cursor.at += run.length;
          pieces.text(run, true);
        }
      }
    }
  }

  /** A backslash in quoted text. */
  #escaped(pieces: Pieces, close: string): void {
    const cursor: Cursor = this.#cursor;
    const next = cursor.text[cursor.at + 1];
    if (next === '\n') {
      cursor.at += 2;
      cursor.line++;
    } else if (next === '$' || next === '`' || next === '\\' || (next === '"' && close !== '') || next === close) {
      cursor.at += 2;
      pieces.text(next, true);
    } else {
      cursor.at++;
      pieces.text('\\', true);
    }
  }

  #dollar(quoted: boolean): Part {
    const cursor: Cursor = this.#cursor;
    cursor.at++;
    const c = cursor.text[cursor.at];
    if (c === '(') {
      cursor.at++;
      if (cursor.text[cursor.at] === '(') {
        const expression = this.#expression();
        if (expression !== undefined) return { kind: 'arithmetic', expression, quoted };
      }
      return { kind: 'substitution', body: this.#budget.deeper(() => this.#within.list()), quoted };
    }
    if (c === '{') {
      cursor.at++;
      return this.#budget.deeper(() => this.#braced(quoted));
    }
    SIMPLE_PARAMETER.lastIndex = cursor.at;
    const name = SIMPLE_PARAMETER.exec(cursor.text)?.[0];
    if (name === undefined) return { kind: 'text', text: '$', quoted };
    cursor.at += name.length;
    return { kind: 'parameter', name, operator: '', colon: false, word: [], quoted };
  }

  /** The expression of `$((…))`. In bash `$((a); b)` is a command substitution. */
  #expression(): Word | undefined {
    const cursor: Cursor = this.#cursor;
    const { at, line } = cursor;
    cursor.at++;
    const pieces = new Pieces();
    if (this.#budget.deeper(() => this.#doubleQuoted(pieces, '))', this.#bash))) return pieces.done();
    cursor.at = at;
    cursor.line = line;
    return undefined;
  }

  /** Reads `${…}`, starting after the opening brace. */
  #braced(quoted: boolean): Part {
    const cursor: Cursor = this.#cursor;
    const length = this.#length(quoted);
    if (length !== undefined) return length;
    const indirect = this.#bash && /^!(?:[A-Za-z_0-9@*]|#\})/.test(cursor.text.slice(cursor.at, cursor.at + 3));
    if (indirect) cursor.at++;
    PARAMETER.lastIndex = cursor.at;
    const name = PARAMETER.exec(cursor.text)?.[0] ?? '';
    cursor.at += name.length;
    const subscript = this.#subscript(name);
    const common = {
      ...{ kind: 'parameter' as const, name, colon: false, word: [] as Word, quoted },
      ...(subscript === undefined ? {} : { subscript }),
      ...(indirect ? { indirect } : {}),
    };
    const rest = cursor.text.slice(cursor.at, cursor.at + 3);
    if (indirect && /^[@*]\}/.test(rest)) {
      cursor.at += 2;
      return { ...common, operator: 'names', colon: rest[0] === '*' };
    }
    if (rest.startsWith('}') && name !== '') {
      cursor.at++;
      const all = subscript?.length === 1 && subscript[0]!.kind === 'text' && /^[@*]$/.test(subscript[0]!.text);
      return { ...common, operator: indirect && all ? 'keys' : '' };
    }
    return (this.#bash && name !== '' ? this.#bashOperation(common) : undefined) ?? this.#operation(common);
  }

  #operation(common: Omit<Part & { kind: 'parameter' }, 'operator'>): Part {
    const cursor: Cursor = this.#cursor;
    const found = /(:?)([-+=?]|##?|%%?)/y;
    found.lastIndex = cursor.at;
    const [text, sign, letters] = found.exec(cursor.text) ?? ['', '', ''];
    cursor.at += text.length;
    const operator = letters as Operator;
    const trims = operator.startsWith('#') || operator.startsWith('%');
    if (text === '' && cursor.text[cursor.at] === ':') cursor.at++;
    const bad = common.name === '' || operator === ('' as Operator) || (sign === ':' && trims);
    return {
      ...common,
      operator: bad ? 'bad' : operator,
      colon: sign === ':',
      word: this.#until(common.quoted && !trims, ''),
    };
  }

  /** Operators that only bash has; undefined when none follows. */
  #bashOperation(common: Omit<Part & { kind: 'parameter' }, 'operator'>): Part | undefined {
    const cursor: Cursor = this.#cursor;
    const found = /\/[/#%]?|\^\^?|,,?|@[A-Za-z]\}|:(?![-+=?])/y;
    found.lastIndex = cursor.at;
    const operator = found.exec(cursor.text)?.[0];
    if (operator === undefined) return undefined;
    cursor.at += operator.length;
    if (operator.startsWith('@')) {
      return { ...common, operator: '@', word: [{ kind: 'text', text: operator[1]!, quoted: true }] };
    }
    const divided = operator === ':' ? ':' : operator.startsWith('/') ? '/' : '';
    const word = this.#until(false, divided);
    const second = cursor.text[cursor.at - 1] === '}' ? undefined : this.#until(false, '');
    return {
      ...common,
      operator: operator === ':' ? 'substring' : (operator as Operator),
      word,
      ...(second === undefined ? {} : { second }),
    };
  }

  /** `${#name}`, read to its end; undefined, with nothing consumed, when it is something else. */
  #length(quoted: boolean): Part | undefined {
    const cursor: Cursor = this.#cursor;
    const { at } = cursor;
    const counted = /#([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])/y;
    counted.lastIndex = at;
    const name = counted.exec(cursor.text)?.[1];
    if (name === undefined) return undefined;
    cursor.at = counted.lastIndex;
    const subscript = this.#subscript(name);
    if (cursor.text[cursor.at] !== '}') {
      cursor.at = at;
      return undefined;
    }
    cursor.at++;
    return {
      ...{ kind: 'parameter', name, operator: 'length', colon: false, word: [], quoted },
      ...(subscript === undefined ? {} : { subscript }),
    };
  }

  /** `[…]` after the name of an array. */
  #subscript(name: string): Word | undefined {
    const cursor: Cursor = this.#cursor;
    if (!this.#bash || cursor.text[cursor.at] !== '[' || !/^[A-Za-z_]/.test(name)) return undefined;
    cursor.at++;
    const pieces = new Pieces();
    for (let depth = 0; ; ) {
      const c = cursor.text[cursor.at];
      if (c === undefined) cursor.fail("Missing ']'");
      if (c === '[') depth++;
      if (c === ']' && depth-- === 0) break;
      this.#piece(pieces, c);
    }
    cursor.at++;
    return pieces.done();
  }

  /** Reads up to the closing brace, or to `divider` where one is given, and consumes it. */
  #until(quoted: boolean, divider: string): Word {
    const cursor: Cursor = this.#cursor;
    const pieces = new Pieces();
    if (quoted) {
      this.#doubleQuoted(pieces, '}');
      return pieces.done();
    }
    for (let depth = 0; ; ) {
      const c = cursor.text[cursor.at];
      if (c === undefined) cursor.fail("Missing '}'");
      // a slash that begins the pattern is part of it
      if (c === '}' || (c === divider && depth === 0 && !(c === '/' && pieces.count === 0))) {
        cursor.at++;
        return pieces.done();
      }
      // a colon inside an expression's parentheses does not end it
      if (divider === ':' && c === '(') depth++;
      if (divider === ':' && c === ')') depth--;
      this.#piece(pieces, c);
    }
  }

  /** Parses the content of backquotes as a separate text, after removing one level of backslashes. */
  #backquoted(quoted: boolean): Part {
    const cursor: Cursor = this.#cursor;
    const line = cursor.line;
    let text = '';
    cursor.at++;
    for (;;) {
      const c = cursor.text[cursor.at];
      if (c === undefined) cursor.fail('EOF in backquote substitution');
      cursor.at++;
      if (c === '`') break;
      if (c === '\n') cursor.line++;
      if (c !== '\\') {
        text += c;
        continue;
      }
      const next = cursor.text[cursor.at] ?? '';
      if (next === '\n') {
        cursor.at++;
        cursor.line++;
      } else if (next === '\\' || next === '`' || next === '$' || (quoted && next === '"')) {
        cursor.at++;
        text += next;
      } else text += '\\';
    }
    return { kind: 'substitution', body: this.#budget.deeper(() => this.#within.sub(text, line)), quoted };
  }
}
