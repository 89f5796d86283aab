import type { Budget } from './limits.ts';

/** Variables as `$(( ))` sees them. */
export interface Numbers {
  get(name: string, subscript?: string): string | undefined;
  set(name: string, value: string, subscript?: string): void;
}

/** Thrown for an invalid expression; it ends the script, as in dash. */
export class ArithmeticError extends Error {}

const TOKEN = /\s*(0[xX][0-9A-Fa-f]+|[0-9]+|[A-Za-z_]\w*|<<=|>>=|\|\||&&|<<|>>|[-+*/%&^|=!<>]=|[-+*/%<>=!~&|^?:()])/y;
const LEVELS: readonly (readonly string[])[] = [
  ['|'],
  ['^'],
  ['&'],
  ['==', '!='],
  ['<', '<=', '>', '>='],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
];
const wrap = (value: bigint) => BigInt.asIntN(64, value);

/** Bash has more operators, numbers with a base, and elements of arrays. */
const BASH_TOKEN =
  /\s*([0-9]+#[0-9A-Za-z@_]+|0[xX][0-9A-Fa-f]+|[0-9]+|[A-Za-z_]\w*|<<=|>>=|\*\*|\+\+|--|\|\||&&|<<|>>|[-+*/%&^|=!<>]=|[-+*/%<>=!~&|^?:(),])/y;

/** Evaluates an expression in 64-bit integers, with bash's operators if `bash`. Throws {@link ArithmeticError}. */
export function arithmetic(expression: string, numbers: Numbers, budget: Budget, bash: boolean): bigint {
  return new Arithmetic(expression, numbers, budget, bash).whole();
}

class Arithmetic {
  readonly #tokens: string[] = [];
  readonly #numbers: Numbers;
  readonly #budget: Budget;
  readonly #bash: boolean;
  /** Subscripts by the position of the name's token. */
  readonly #subscripts = new Map<number, string>();
  #at = 0;

  constructor(expression: string, numbers: Numbers, budget: Budget, bash: boolean) {
    this.#numbers = numbers;
    this.#budget = budget;
    this.#bash = bash;
    budget.spend();
    budget.scan(expression.length * 8);
    const text = (bash ? expression.replaceAll('"', '') : expression).trimEnd();
    const pattern = bash ? BASH_TOKEN : TOKEN;
    for (let at = 0; at < text.length; ) {
      pattern.lastIndex = at;
      const token = pattern.exec(text)?.[1];
      if (token === undefined)
        throw new ArithmeticError(`arithmetic expression: expecting primary: "${text.slice(at)}"`);
      at = pattern.lastIndex;
      if (bash && text[at] === '[' && /^[A-Za-z_]/.test(token)) {
        const end = closingBracket(text, at);
        this.#subscripts.set(this.#tokens.length, text.slice(at + 1, end));
        at = end + 1;
      }
      this.#tokens.push(token);
    }
  }

  whole(): bigint {
    if (this.#tokens.length === 0) return 0n;
    const value = this.#list(true);
    if (this.#at < this.#tokens.length) this.#fail('expecting EOF');
    return value;
  }

  #fail(what: string): never {
    throw new ArithmeticError(`arithmetic expression: ${what}: "${this.#tokens.join(' ')}"`);
  }

  #take(...expected: readonly string[]): string | undefined {
    const token = this.#tokens[this.#at];
    if (token === undefined || !expected.includes(token)) return undefined;
    this.#at++;
    return token;
  }

  /** Bash's comma. */
  #list(live: boolean): bigint {
    let value = this.#assignment(live);
    while (this.#bash && this.#take(',') !== undefined) value = this.#assignment(live);
    return value;
  }

  #set(at: number, value: bigint): void {
    this.#numbers.set(this.#tokens[at]!, value.toString(), this.#subscripts.get(at));
  }

  /** `live` is false in a branch that is not taken: it assigns nothing and divides nothing. */
  #assignment(live: boolean): bigint {
    return this.#budget.deeper(() => {
      const name = this.#tokens[this.#at];
      const operator = this.#tokens[this.#at + 1];
      if (
        name === undefined ||
        operator === undefined ||
        !/^[A-Za-z_]/.test(name) ||
        !/^(<<|>>|[-+*/%&^|])?=$/.test(operator)
      )
        return this.#conditional(live);
      const place = this.#at;
      this.#at += 2;
      const right = this.#assignment(live);
      const value =
        operator === '=' ? right : this.#binary(operator.slice(0, -1), this.#variable(place, live), right, live);
      if (live) this.#set(place, value);
      return value;
    });
  }

  #conditional(live: boolean): bigint {
    const test = this.#or(live);
    if (this.#take('?') === undefined) return test;
    const yes = this.#list(live && test !== 0n);
    if (this.#take(':') === undefined) this.#fail("expecting ':'");
    const no = this.#budget.deeper(() =>
      (this.#bash ? this.#assignment : this.#conditional).call(this, live && test === 0n),
    );
    return test !== 0n ? yes : no;
  }

  #or(live: boolean): bigint {
    let left = this.#and(live);
    while (this.#take('||') !== undefined) {
      const right = this.#and(live && left === 0n);
      left = left !== 0n || right !== 0n ? 1n : 0n;
    }
    return left;
  }

  #and(live: boolean): bigint {
    let left = this.#level(0, live);
    while (this.#take('&&') !== undefined) {
      const right = this.#level(0, live && left !== 0n);
      left = left !== 0n && right !== 0n ? 1n : 0n;
    }
    return left;
  }

  #level(level: number, live: boolean): bigint {
    const operators = LEVELS[level];
    if (operators === undefined) return this.#power(live);
    let left = this.#level(level + 1, live);
    for (let found = this.#take(...operators); found !== undefined; found = this.#take(...operators))
      left = this.#binary(found, left, this.#level(level + 1, live), live);
    return left;
  }

  #binary(operator: string, a: bigint, b: bigint, live: boolean): bigint {
    const truth = (yes: boolean) => (yes ? 1n : 0n);
    switch (operator) {
      case '+':
        return wrap(a + b);
      case '-':
        return wrap(a - b);
      case '*':
        return wrap(a * b);
      case '/':
      case '%':
        if (b === 0n) {
          if (live) this.#fail('division by zero');
          return 0n;
        }
        return wrap(operator === '/' ? a / b : a % b);
      case '<<':
        return wrap(a << (b & 63n));
      case '>>':
        return a >> (b & 63n);
      case '&':
        return a & b;
      case '|':
        return a | b;
      case '^':
        return a ^ b;
      case '==':
        return truth(a === b);
      case '!=':
        return truth(a !== b);
      case '<':
        return truth(a < b);
      case '<=':
        return truth(a <= b);
      case '>':
        return truth(a > b);
      default:
        return truth(a >= b);
    }
  }

  /** Bash's `**`, which binds from the right. */
  #power(live: boolean): bigint {
    const base = this.#unary(live);
    if (!this.#bash || this.#take('**') === undefined) return base;
    const exponent = this.#budget.deeper(() => this.#power(live));
    if (exponent < 0n) {
      if (live) this.#fail('exponent less than 0');
      return 0n;
    }
    let value = 1n;
    let square = base;
    for (let left = exponent; left > 0n; left >>= 1n) {
      if (left & 1n) value = wrap(value * square);
      square = wrap(square * square);
    }
    return value;
  }

  /** `++x` and `--x`; undefined when none follows. */
  #stepped(live: boolean): bigint | undefined {
    const place = this.#at + 1;
    const operator = this.#tokens[this.#at];
    if (operator !== '++' && operator !== '--') return undefined;
    if (!/^[A-Za-z_]/.test(this.#tokens[place] ?? '')) {
      // `--1` is two signs
      this.#at++;
      return this.#unary(live);
    }
    this.#at += 2;
    const value = wrap(this.#variable(place, live) + (operator === '++' ? 1n : -1n));
    if (live) this.#set(place, value);
    return value;
  }

  #unary(live: boolean): bigint {
    return this.#budget.deeper(() => {
      const stepped = this.#bash ? this.#stepped(live) : undefined;
      if (stepped !== undefined) return stepped;
      switch (this.#take('-', '+', '!', '~')) {
        case '-':
          return wrap(-this.#unary(live));
        case '+':
          return this.#unary(live);
        case '!':
          return this.#unary(live) === 0n ? 1n : 0n;
        case '~':
          return ~this.#unary(live);
        default:
          return this.#primary(live);
      }
    });
  }

  #primary(live: boolean): bigint {
    const token = this.#tokens[this.#at++];
    if (token === '(') {
      const value = this.#list(live);
      if (this.#take(')') === undefined) this.#fail("expecting ')'");
      return value;
    }
    if (token === undefined) this.#fail('expecting primary');
    if (/^[0-9]/.test(token)) return this.#number(token);
    if (!/^[A-Za-z_]/.test(token)) this.#fail('expecting primary');
    const place = this.#at - 1;
    const value = this.#variable(place, live);
    const after = this.#bash ? this.#take('++', '--') : undefined;
    if (after !== undefined && live) this.#set(place, wrap(value + (after === '++' ? 1n : -1n)));
    return value;
  }

  #number(text: string): bigint {
    if (text.includes('#')) return this.#based(text);
    const match = /^([-+]?)(0[xX][0-9A-Fa-f]+|0[0-7]*|[1-9][0-9]*)$/.exec(text.trim());
    if (match === null) {
      // strtoimax reads as far as it can: 08 is 0 followed by something that is not an operator
      this.#fail('expecting EOF');
    }
    const digits = match[2]!;
    const value = /^0[0-7]+$/.test(digits) ? BigInt('0o' + digits.slice(1)) : BigInt(digits);
    const signed = match[1] === '-' ? -value : value;
    const most = (1n << 63n) - 1n;
    return signed > most ? most : signed < -most - 1n ? -most - 1n : signed;
  }

  /** `base#digits` of bash. */
  #based(text: string): bigint {
    const [base, digits] = [Number(text.split('#')[0]), text.slice(text.indexOf('#') + 1)];
    if (base < 2 || base > 64) this.#fail('invalid arithmetic base');
    let value = 0n;
    for (const c of digits) {
      const digit = DIGITS.indexOf(base <= 36 ? c.toLowerCase() : c);
      if (digit < 0 || digit >= base) this.#fail('value too great for base');
      value = wrap(value * BigInt(base) + BigInt(digit));
    }
    return value;
  }

  #variable(place: number, live: boolean): bigint {
    const text = (live ? this.#numbers.get(this.#tokens[place]!, this.#subscripts.get(place)) : undefined) ?? '';
    if (text.trim() === '') return 0n;
    if (this.#bash) {
      if (/^[1-9][0-9]{0,17}$|^0$/.test(text)) return BigInt(text);
      // a value is an expression as well
      return this.#budget.deeper(() => new Arithmetic(text, this.#numbers, this.#budget, true).whole());
    }
    if (!/^\s*[-+]?[0-9]/.test(text)) throw new ArithmeticError(`Illegal number: ${text}`);
    try {
      return this.#number(text);
    } catch {
      throw new ArithmeticError(`Illegal number: ${text}`);
    }
  }
}

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ@_';

/** Position of the bracket that closes the one at `open`. */
function closingBracket(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === '[') depth++;
    if (text[at] === ']' && --depth === 0) return at;
  }
  throw new ArithmeticError(`arithmetic expression: missing ]: "${text}"`);
}
