import type { Budget } from '../limits.ts';

/** Thrown for a program that is invalid or uses an unsupported feature. */
export class AwkError extends Error {}

/** An expression of awk. */
export type AwkExpression =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'regex'; readonly source: string }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'index'; readonly array: string; readonly index: readonly AwkExpression[] }
  | { readonly kind: 'in'; readonly array: string; readonly index: readonly AwkExpression[] }
  | { readonly kind: 'field'; readonly value: AwkExpression }
  | { readonly kind: 'match'; readonly left: AwkExpression; readonly right: AwkExpression; readonly negated: boolean }
  | { readonly kind: 'unary'; readonly operator: string; readonly value: AwkExpression }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: AwkExpression; readonly right: AwkExpression }
  | {
      readonly kind: 'conditional';
      readonly test: AwkExpression;
      readonly then: AwkExpression;
      readonly otherwise: AwkExpression;
    }
  | {
      readonly kind: 'assign';
      readonly operator: string;
      readonly target: AwkExpression;
      readonly value: AwkExpression;
    }
  | { readonly kind: 'step'; readonly target: AwkExpression; readonly by: number; readonly prefix: boolean }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly AwkExpression[] }
  | { readonly kind: 'getline'; readonly target: AwkExpression | undefined; readonly from: AwkExpression | undefined };

/** A statement of awk. */
export type AwkStatement =
  | { readonly kind: 'expression'; readonly value: AwkExpression }
  | {
      readonly kind: 'print' | 'printf';
      readonly values: readonly AwkExpression[];
      readonly to?: AwkExpression | undefined;
      readonly append?: boolean;
    }
  | {
      readonly kind: 'if';
      readonly test: AwkExpression;
      readonly then: readonly AwkStatement[];
      readonly otherwise: readonly AwkStatement[];
    }
  | {
      readonly kind: 'while';
      readonly test: AwkExpression;
      readonly body: readonly AwkStatement[];
      readonly first: boolean;
    }
  | {
      readonly kind: 'for';
      readonly start: AwkStatement | undefined;
      readonly test: AwkExpression | undefined;
      readonly step: AwkStatement | undefined;
      readonly body: readonly AwkStatement[];
    }
  | { readonly kind: 'each'; readonly name: string; readonly array: string; readonly body: readonly AwkStatement[] }
  | { readonly kind: 'delete'; readonly array: string; readonly index: readonly AwkExpression[] | undefined }
  | {
      readonly kind: 'leave';
      readonly verb: 'next' | 'exit' | 'break' | 'continue' | 'return';
      readonly value: AwkExpression | undefined;
    };

/** A complete program. */
export interface AwkProgram {
  readonly rules: (
    | { readonly kind: 'begin' | 'end'; readonly body: readonly AwkStatement[] }
    | {
        readonly kind: 'pattern';
        readonly pattern: AwkExpression | undefined;
        readonly body: readonly AwkStatement[] | undefined;
      }
    | {
        readonly kind: 'range';
        readonly from: AwkExpression;
        readonly to: AwkExpression;
        readonly body: readonly AwkStatement[] | undefined;
      }
  )[];
  readonly functions: Map<string, { readonly parameters: readonly string[]; readonly body: readonly AwkStatement[] }>;
}

interface Token {
  readonly kind: 'number' | 'string' | 'name' | 'function' | 'operator' | 'newline' | 'end';
  readonly text: string;
}

const FUNCTIONS = new Set(
  'length substr index tolower toupper int sqrt exp log sin cos sprintf split match sub gsub close fflush system srand rand systime'.split(
    ' ',
  ),
);
const KEYWORDS = new Set(
  'BEGIN END function func if else while for do break continue next exit return delete in getline print printf'.split(
    ' ',
  ),
);
const PUNCTUATION = [
  '&&',
  '||',
  '==',
  '!=',
  '<=',
  '>=',
  '++',
  '--',
  '+=',
  '-=',
  '*=',
  '/=',
  '%=',
  '^=',
  '>>',
  '**',
  '!~',
  '{',
  '}',
  '(',
  ')',
  '[',
  ']',
  ';',
  ',',
  '+',
  '-',
  '*',
  '/',
  '%',
  '^',
  '!',
  '<',
  '>',
  '|',
  '?',
  ':',
  '~',
  '$',
  '=',
];
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
  '\\': '\\',
  '"': '"',
  '/': '/',
};

/** Parses an awk program. */
export function parseAwk(text: string, budget: Budget): AwkProgram {
  return new AwkParser(text, budget).program();
}

class AwkParser {
  readonly #text: string;
  readonly #budget: Budget;
  #at = 0;
  #token: Token;
  /** True inside the list of print, where `>` is a redirection. */
  #noGreater = false;
  #noIn = false;

  constructor(text: string, budget: Budget) {
    this.#text = text;
    this.#budget = budget;
    this.#token = this.#read();
  }

  program(): AwkProgram {
    const out: AwkProgram = { rules: [], functions: new Map() };
    for (;;) {
      this.#newlines();
      if (this.#token.kind === 'end') return out;
      if (this.#word('function') || this.#word('func')) {
        const name = this.#take().text;
        this.#expect('(');
        const parameters: string[] = [];
        while (!this.#operator(')')) {
          parameters.push(this.#take().text);
          this.#operator(',');
        }
        this.#newlines();
        out.functions.set(name, { parameters, body: this.#braces() });
      } else if (this.#word('BEGIN')) out.rules.push({ kind: 'begin', body: this.#braces() });
      else if (this.#word('END')) out.rules.push({ kind: 'end', body: this.#braces() });
      else if (this.#is('{')) out.rules.push({ kind: 'pattern', pattern: undefined, body: this.#braces() });
      else {
        const from = this.#expression();
        const to = this.#operator(',') ? this.#expression() : undefined;
        const body = this.#is('{') ? this.#braces() : undefined;
        out.rules.push(to === undefined ? { kind: 'pattern', pattern: from, body } : { kind: 'range', from, to, body });
      }
      while (this.#operator(';'));
    }
  }

  #fail(): never {
    throw new AwkError(`syntax error at "${this.#token.text || 'end of program'}"`);
  }

  #read(): Token {
    this.#budget.spend();
    const blank = /(?:[ \t\r]|\\\r?\n|#[^\n]*)*/y;
    blank.lastIndex = this.#at;
    this.#at += blank.exec(this.#text)![0].length;
    const c = this.#text[this.#at];
    if (c === undefined) return { kind: 'end', text: '' };
    if (c === '\n') {
      this.#at++;
      return { kind: 'newline', text: '\n' };
    }
    if (c === '"') return this.#string();
    const number = /(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?/y;
    number.lastIndex = this.#at;
    const digits = number.exec(this.#text)?.[0];
    if (digits !== undefined) {
      this.#at += digits.length;
      return { kind: 'number', text: digits };
    }
    const name = /[A-Za-z_]\w*/y;
    name.lastIndex = this.#at;
    const word = name.exec(this.#text)?.[0];
    if (word !== undefined) {
      this.#at += word.length;
      return { kind: !KEYWORDS.has(word) && this.#text[this.#at] === '(' ? 'function' : 'name', text: word };
    }
    const operator = PUNCTUATION.find((one) => this.#text.startsWith(one, this.#at));
    if (operator === undefined) throw new AwkError(`syntax error at "${c}"`);
    this.#at += operator.length;
    return { kind: 'operator', text: operator === '**' ? '^' : operator };
  }

  #string(): Token {
    let out = '';
    for (this.#at++; ; this.#at++) {
      const c = this.#text[this.#at];
      if (c === undefined || c === '\n') throw new AwkError('non-terminated string');
      if (c === '"') break;
      if (c !== '\\') {
        out += c;
        continue;
      }
      const next = this.#text[++this.#at] ?? '';
      const octal = /^[0-7]{1,3}/.exec(this.#text.slice(this.#at, this.#at + 3))?.[0];
      if (octal !== undefined) {
        out += String.fromCharCode(Number.parseInt(octal, 8) & 255);
        this.#at += octal.length - 1;
      } else if (/^x[0-9A-Fa-f]/.test(this.#text.slice(this.#at, this.#at + 2))) {
        const hex = /^x([0-9A-Fa-f]{1,2})/.exec(this.#text.slice(this.#at, this.#at + 3))![1]!;
        out += String.fromCharCode(Number.parseInt(hex, 16));
        this.#at += hex.length;
      } else if (next !== '\n') out += ESCAPES[next] ?? `\\${next}`;
    }
    this.#at++;
    return { kind: 'string', text: out };
  }

  #take(): Token {
    const token = this.#token;
    this.#token = this.#read();
    return token;
  }

  #is(text: string): boolean {
    return this.#token.kind === 'operator' && this.#token.text === text;
  }

  #operator(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#take();
    return true;
  }

  #expect(text: string): void {
    if (!this.#operator(text)) this.#fail();
  }

  #word(text: string): boolean {
    if (this.#token.kind !== 'name' || this.#token.text !== text) return false;
    this.#take();
    return true;
  }

  #newlines(): void {
    while (this.#token.kind === 'newline' || this.#is(';')) this.#take();
  }

  #breaks(): void {
    while (this.#token.kind === 'newline') this.#take();
  }

  #braces(): AwkStatement[] {
    return this.#budget.deeper(() => {
      this.#breaks();
      this.#expect('{');
      const out: AwkStatement[] = [];
      for (;;) {
        this.#newlines();
        if (this.#operator('}')) return out;
        out.push(...this.#statement());
      }
    });
  }

  #body(): AwkStatement[] {
    this.#breaks();
    if (this.#operator(';')) return [];
    return this.#budget.deeper(() => this.#statement());
  }

  #statement(): AwkStatement[] {
    if (this.#is('{')) return this.#braces();
    if (this.#word('if')) {
      this.#expect('(');
      const test = this.#expression();
      this.#expect(')');
      const then = this.#body();
      const [at, token] = [this.#at, this.#token];
      this.#newlines();
      if (this.#word('else')) return [{ kind: 'if', test, then, otherwise: this.#body() }];
      this.#at = at;
      this.#token = token;
      return [{ kind: 'if', test, then, otherwise: [] }];
    }
    if (this.#word('while')) {
      this.#expect('(');
      const test = this.#expression();
      this.#expect(')');
      return [{ kind: 'while', test, body: this.#body(), first: false }];
    }
    if (this.#word('do')) {
      const body = this.#body();
      this.#newlines();
      if (!this.#word('while')) this.#fail();
      this.#expect('(');
      const test = this.#expression();
      this.#expect(')');
      return [{ kind: 'while', test, body, first: true }];
    }
    if (this.#word('for')) return [this.#for()];
    const simple = this.#simple();
    if (this.#token.kind !== 'newline' && this.#token.kind !== 'end' && !this.#is(';') && !this.#is('}')) this.#fail();
    if (this.#is(';') || this.#token.kind === 'newline') this.#take();
    return [simple];
  }

  #for(): AwkStatement {
    this.#expect('(');
    const [at, token] = [this.#at, this.#token];
    if (this.#token.kind === 'name') {
      const name = this.#take().text;
      if (this.#word('in') && (this.#token.kind as string) === 'name') {
        const array = this.#take().text;
        if (this.#operator(')')) return { kind: 'each', name, array, body: this.#body() };
      }
      this.#at = at;
      this.#token = token;
    }
    const start = this.#is(';') ? undefined : this.#simple();
    this.#expect(';');
    this.#breaks();
    const test = this.#is(';') ? undefined : this.#expression();
    this.#expect(';');
    this.#breaks();
    const step = this.#is(')') ? undefined : this.#simple();
    this.#expect(')');
    return { kind: 'for', start, test, step, body: this.#body() };
  }

  #ends(): boolean {
    return this.#token.kind === 'newline' || this.#token.kind === 'end' || this.#is(';') || this.#is('}');
  }

  #simple(): AwkStatement {
    for (const kind of ['print', 'printf'] as const)
      if (this.#word(kind)) {
        this.#noGreater = true;
        let values: AwkExpression[] = [];
        const [at, token] = [this.#at, this.#token];
        if (this.#operator('(')) {
          // a list in parentheses, unless what follows makes it part of an expression
          this.#noGreater = false;
          values = this.#list(')');
          this.#expect(')');
          this.#noGreater = true;
          if (!this.#ends() && !this.#is('>') && !this.#is('>>') && !this.#is('|')) {
            this.#at = at;
            this.#token = token;
            values = this.#list('');
          }
        } else if (!this.#ends() && !this.#is('>')) values = this.#list('');
        this.#noGreater = false;
        if (this.#is('|')) throw new AwkError('output to a command is not known');
        const append = this.#is('>>');
        if (append || this.#is('>')) {
          this.#take();
          return { kind, values, to: this.#concatenation(), append };
        }
        return { kind, values };
      }
    for (const verb of ['next', 'exit', 'break', 'continue', 'return'] as const)
      if (this.#word(verb)) return { kind: 'leave', verb, value: this.#ends() ? undefined : this.#expression() };
    if (this.#word('delete')) {
      const array = this.#take().text;
      if (!this.#operator('[')) return { kind: 'delete', array, index: undefined };
      const index = this.#list(']');
      this.#expect(']');
      return { kind: 'delete', array, index };
    }
    return { kind: 'expression', value: this.#expression() };
  }

  #list(close: string): AwkExpression[] {
    const out: AwkExpression[] = [];
    if (close !== '' && this.#is(close)) return out;
    do {
      this.#breaks();
      out.push(this.#expression());
    } while (this.#operator(','));
    return out;
  }

  #expression(): AwkExpression {
    return this.#budget.deeper(() => {
      const left = this.#conditional();
      const assigns = this.#token.kind === 'operator' && /^([-+*/%^])?=$/.test(this.#token.text);
      if (!assigns || !['variable', 'index', 'field'].includes(left.kind)) return left;
      const operator = this.#take().text;
      this.#breaks();
      return { kind: 'assign', operator, target: left, value: this.#expression() };
    });
  }

  #conditional(): AwkExpression {
    const test = this.#or();
    if (!this.#operator('?')) return test;
    this.#breaks();
    const then = this.#expression();
    this.#breaks();
    this.#expect(':');
    this.#breaks();
    return { kind: 'conditional', test, then, otherwise: this.#expression() };
  }

  #or(): AwkExpression {
    let left = this.#and();
    while (this.#operator('||')) {
      this.#breaks();
      left = { kind: 'binary', operator: '||', left, right: this.#and() };
    }
    return left;
  }

  #and(): AwkExpression {
    let left = this.#in();
    while (this.#operator('&&')) {
      this.#breaks();
      left = { kind: 'binary', operator: '&&', left, right: this.#in() };
    }
    return left;
  }

  #in(): AwkExpression {
    let left = this.#matching();
    while (!this.#noIn && this.#word('in')) left = { kind: 'in', array: this.#take().text, index: [left] };
    return left;
  }

  #matching(): AwkExpression {
    let left = this.#comparison();
    while (this.#is('~') || this.#is('!~')) {
      const negated = this.#take().text === '!~';
      left = { kind: 'match', left, right: this.#comparison(), negated };
    }
    return left;
  }

  #comparison(): AwkExpression {
    const left = this.#concatenation();
    const { text, kind } = this.#token;
    if (kind !== 'operator' || !['<', '<=', '==', '!=', '>', '>='].includes(text) || (text === '>' && this.#noGreater))
      return left;
    this.#take();
    return { kind: 'binary', operator: text, left, right: this.#concatenation() };
  }

  #concatenation(): AwkExpression {
    let left = this.#additive();
    for (;;) {
      const { kind, text } = this.#token;
      const begins =
        kind === 'number' ||
        kind === 'string' ||
        kind === 'function' ||
        (kind === 'name' && (!KEYWORDS.has(text) || text === 'getline')) ||
        (kind === 'operator' && ['$', '!', '(', '-', '+', '++', '--'].includes(text));
      if (!begins || text === 'getline') return left;
      left = { kind: 'binary', operator: ' ', left, right: this.#additive() };
    }
  }

  #additive(): AwkExpression {
    let left = this.#multiplicative();
    while (this.#is('+') || this.#is('-'))
      left = { kind: 'binary', operator: this.#take().text, left, right: this.#multiplicative() };
    return left;
  }

  #multiplicative(): AwkExpression {
    let left = this.#unary();
    while (this.#is('*') || this.#is('/') || this.#is('%'))
      left = { kind: 'binary', operator: this.#take().text, left, right: this.#unary() };
    return left;
  }

  #unary(): AwkExpression {
    if (this.#is('!') || this.#is('-') || this.#is('+')) {
      const operator = this.#take().text;
      return this.#budget.deeper(() => ({ kind: 'unary' as const, operator, value: this.#unary() }));
    }
    const base = this.#postfix();
    if (!this.#operator('^')) return base;
    return { kind: 'binary', operator: '^', left: base, right: this.#budget.deeper(() => this.#unary()) };
  }

  #postfix(): AwkExpression {
    const target = this.#primary();
    if (!['variable', 'index', 'field'].includes(target.kind)) return target;
    if (this.#operator('++')) return { kind: 'step', target, by: 1, prefix: false };
    if (this.#operator('--')) return { kind: 'step', target, by: -1, prefix: false };
    return target;
  }

  #primary(): AwkExpression {
    if (this.#is('/') || this.#is('/=')) return this.#regex();
    const token = this.#take();
    if (token.kind === 'number') return { kind: 'number', value: Number(token.text) };
    if (token.kind === 'string') return { kind: 'string', value: token.text };
    if (token.kind === 'function') {
      this.#expect('(');
      const [greater, noIn] = [this.#noGreater, this.#noIn];
      this.#noGreater = this.#noIn = false;
      const args = this.#list(')');
      [this.#noGreater, this.#noIn] = [greater, noIn];
      this.#breaks();
      this.#expect(')');
      return { kind: 'call', name: token.text, args };
    }
    if (token.kind === 'name') {
      if (token.text === 'getline') {
        const target = this.#token.kind === 'name' || this.#is('$') ? this.#primary() : undefined;
        return { kind: 'getline', target, from: this.#operator('<') ? this.#primary() : undefined };
      }
      if (FUNCTIONS.has(token.text)) return { kind: 'call', name: token.text, args: [] };
      if (KEYWORDS.has(token.text)) this.#fail();
      if (!this.#operator('[')) return { kind: 'variable', name: token.text };
      const index = this.#list(']');
      this.#expect(']');
      return { kind: 'index', array: token.text, index };
    }
    switch (token.text) {
      case '$':
        return {
          kind: 'field',
          value: this.#is('++') || this.#is('--') || this.#is('-') ? this.#unary() : this.#primary(),
        };
      case '++':
      case '--':
        return { kind: 'step', target: this.#primary(), by: token.text === '++' ? 1 : -1, prefix: true };
      case '(': {
        const greater = this.#noGreater;
        this.#noGreater = false;
        const inner = this.#list(')');
        this.#noGreater = greater;
        this.#breaks();
        this.#expect(')');
        if (inner.length === 1) return inner[0]!;
        if (!this.#word('in')) this.#fail();
        return { kind: 'in', array: this.#take().text, index: inner };
      }
      default:
        return this.#fail();
    }
  }

  #regex(): AwkExpression {
    // the token read ahead is the slash; the expression follows in the text
    let source = this.#token.text === '/=' ? '=' : '';
    let brackets = false;
    for (; ; this.#at++) {
      const c = this.#text[this.#at];
      if (c === undefined || c === '\n') throw new AwkError('non-terminated regular expression');
      if (c === '/' && !brackets) break;
      if (c === '\\') {
        const next = this.#text[++this.#at] ?? '';
        source += next === '/' ? '/' : next === '"' ? '"' : c + next;
        continue;
      }
      if (c === '[' && !brackets) {
        brackets = true;
        source += c;
        if (this.#text[this.#at + 1] === '^') source += this.#text[++this.#at];
        if (this.#text[this.#at + 1] === ']') source += this.#text[++this.#at];
        continue;
      }
      if (c === ']') brackets = false;
      source += c;
    }
    this.#at++;
    this.#token = this.#read();
    return { kind: 'regex', source };
  }
}
