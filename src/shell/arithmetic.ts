import type { Budget } from './limits.ts';

/** Variables as `$(( ))` sees them. */
export interface Numbers {
  get(name: string): string | undefined;
  set(name: string, value: string): void;
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

/** Evaluates `$((expression))` in 64-bit integers; the result in decimal. */
export function arithmetic(expression: string, numbers: Numbers, budget: Budget): string {
  return new Arithmetic(expression, numbers, budget).whole().toString();
}

class Arithmetic {
  readonly #tokens: string[] = [];
  readonly #numbers: Numbers;
  readonly #budget: Budget;
  #at = 0;

  constructor(expression: string, numbers: Numbers, budget: Budget) {
    this.#numbers = numbers;
    this.#budget = budget;
    budget.spend();
    budget.scan(expression.length * 8);
    const text = expression.trimEnd();
    for (TOKEN.lastIndex = 0; TOKEN.lastIndex < text.length; ) {
      const from = TOKEN.lastIndex;
      const token = TOKEN.exec(text)?.[1];
      if (token === undefined)
        throw new ArithmeticError(`arithmetic expression: expecting primary: "${text.slice(from)}"`);
      this.#tokens.push(token);
    }
  }

  whole(): bigint {
    if (this.#tokens.length === 0) return 0n;
    const value = this.#assignment(true);
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
      this.#at += 2;
      const right = this.#assignment(live);
      const value =
        operator === '=' ? right : this.#binary(operator.slice(0, -1), this.#variable(name, live), right, live);
      if (live) this.#numbers.set(name, value.toString());
      return value;
    });
  }

  #conditional(live: boolean): bigint {
    const test = this.#or(live);
    if (this.#take('?') === undefined) return test;
    const yes = this.#assignment(live && test !== 0n);
    if (this.#take(':') === undefined) this.#fail("expecting ':'");
    const no = this.#budget.deeper(() => this.#conditional(live && test === 0n));
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
    if (operators === undefined) return this.#unary(live);
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

  #unary(live: boolean): bigint {
    return this.#budget.deeper(() => {
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
      const value = this.#assignment(live);
      if (this.#take(')') === undefined) this.#fail("expecting ')'");
      return value;
    }
    if (token === undefined) this.#fail('expecting primary');
    if (/^[0-9]/.test(token)) return this.#number(token);
    if (!/^[A-Za-z_]/.test(token)) this.#fail('expecting primary');
    return this.#variable(token, live);
  }

  #number(text: string): bigint {
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

  #variable(name: string, live: boolean): bigint {
    const text = this.#numbers.get(name) ?? '';
    if (!live || text.trim() === '') return 0n;
    if (!/^\s*[-+]?[0-9]/.test(text)) throw new ArithmeticError(`Illegal number: ${text}`);
    try {
      return this.#number(text);
    } catch {
      throw new ArithmeticError(`Illegal number: ${text}`);
    }
  }
}
