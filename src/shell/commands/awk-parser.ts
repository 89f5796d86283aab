import type { Budget } from '../limits.ts';
import { AwkError, type AwkExpression, type AwkProgram, type AwkStatement } from './awk-syntax.ts';

interface Token {
  readonly kind: 'number' | 'string' | 'name' | 'function' | 'operator' | 'newline' | 'end';
  readonly text: string;
}

const FUNCTIONS = new Set(
  'length substr index tolower toupper int sqrt exp log sin cos atan2 sprintf split match sub gsub gensub close fflush system srand rand systime strftime mktime and or xor compl lshift rshift strtonum asort asorti'.split(
    ' ',
  ),
);
const KEYWORDS = new Set(
  'BEGIN END function func if else while for do break continue next nextfile exit return delete in getline print printf'.split(
    ' ',
  ),
);
const PUNCTUATION = [
  '**=',
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
  ...{ n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v', '\\': '\\', '"': '"', '/': '/', '\n': '' },
};

/** Replaces the escapes of a string of awk, of `-v` and of assignments among the operands. */
export function awkEscapes(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(
    /\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|([\s\S]))/g,
    (all, octal?: string, hex?: string, c?: string) => {
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 255);
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
      return ESCAPES[c!] ?? all;
    },
  );
}

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
  /** True in the target of a redirection, where `|` is not a pipe to getline. */
  #noPipe = false;

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
    return { kind: 'operator', text: operator.replace('**', '^') };
  }

  #string(): Token {
    const quoted = /"((?:[^"\\\n]|\\[\s\S])*)"/y;
    quoted.lastIndex = this.#at;
    const found = quoted.exec(this.#text);
    if (found === null) throw new AwkError('non-terminated string');
    this.#at = quoted.lastIndex;
    return { kind: 'string', text: awkEscapes(found[1]!) };
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

  /** The rest of `print` or `printf`, with a redirection. */
  #print(kind: 'print' | 'printf'): AwkStatement {
    const ends = () => this.#ends() || this.#is('>') || this.#is('>>') || this.#is('|');
    this.#noGreater = true;
    let values: AwkExpression[] = [];
    const [at, token] = [this.#at, this.#token];
    if (this.#operator('(')) {
      // a list in parentheses, unless what follows makes it part of an expression
      this.#noGreater = false;
      values = this.#list(')');
      this.#expect(')');
      this.#noGreater = true;
      if (!ends()) {
        this.#at = at;
        this.#token = token;
        values = this.#list('');
      }
    } else if (!ends()) values = this.#list('');
    this.#noGreater = false;
    for (const how of ['>', '>>', '|'] as const)
      if (this.#operator(how)) {
        this.#noPipe = true;
        // `>` binds more loosely than it looks: a choice behind it chooses the file
        const to = this.#choice(this.#concatenation());
        this.#noPipe = false;
        return { kind, values, to, how };
      }
    return { kind, values };
  }

  #simple(): AwkStatement {
    for (const kind of ['print', 'printf'] as const) if (this.#word(kind)) return this.#print(kind);
    for (const verb of ['next', 'nextfile', 'exit', 'break', 'continue', 'return'] as const)
      if (this.#word(verb)) return { kind: 'leave', verb, value: this.#ends() ? undefined : this.#expression() };
    if (this.#word('delete')) {
      const parenthesis = this.#operator('(');
      if (parenthesis) {
        const array = this.#take().text;
        this.#expect(')');
        return { kind: 'delete', array, index: undefined };
      }
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
    return this.#choice(this.#or());
  }

  /** `? then : otherwise` behind a test, or the test itself. */
  #choice(test: AwkExpression): AwkExpression {
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

  /** `command | getline`, as often as it follows. */
  #piped(): AwkExpression {
    let left = this.#concatenation();
    while (this.#is('|') && !this.#noPipe && /^[ \t]*getline\b/.test(this.#text.slice(this.#at, this.#at + 40))) {
      this.#take();
      this.#take();
      left = { kind: 'getline', target: this.#getlineTarget(), from: left, command: true };
    }
    return left;
  }

  #getlineTarget(): AwkExpression | undefined {
    const { kind, text } = this.#token;
    const names = kind === 'name' && !KEYWORDS.has(text) && !FUNCTIONS.has(text);
    return names || this.#is('$') ? this.#primary() : undefined;
  }

  #comparison(): AwkExpression {
    const left = this.#piped();
    const { text, kind } = this.#token;
    if (kind !== 'operator' || !['<', '<=', '==', '!=', '>', '>='].includes(text) || (text === '>' && this.#noGreater))
      return left;
    this.#take();
    return { kind: 'binary', operator: text, left, right: this.#piped() };
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
        const target = this.#getlineTarget();
        return { kind: 'getline', target, from: this.#operator('<') ? this.#postfix() : undefined };
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
    /** Position in brackets, where a slash is an ordinary character; 0: outside. */
    let brackets = 0;
    for (; ; this.#at++) {
      const c = this.#text[this.#at];
      if (c === undefined || c === '\n') throw new AwkError('non-terminated regular expression');
      if (c === '/' && brackets === 0) break;
      if (c === '\\') {
        const next = this.#text[++this.#at] ?? '';
        source += next === '/' ? '/' : next === '"' ? '"' : c + next;
        continue;
      }
      source += c;
      if (brackets === 0) {
        if (c !== '[') continue;
        brackets = 1;
        if (this.#text[this.#at + 1] === '^') source += this.#text[++this.#at];
        if (this.#text[this.#at + 1] === ']') source += this.#text[++this.#at];
      } else if (c === ']') brackets = 0;
      else if (c === '[' && /[:.=]/.test(this.#text[this.#at + 1] ?? '')) {
        // a class such as [:alpha:] has a bracket of its own
        const kind = this.#text[this.#at + 1]!;
        const end = this.#text.indexOf(`${kind}]`, this.#at + 2);
        if (end < 0) continue;
        source += this.#text.slice(this.#at + 1, end + 2);
        this.#at = end + 1;
      }
    }
    this.#at++;
    this.#token = this.#read();
    return { kind: 'regex', source };
  }
}
