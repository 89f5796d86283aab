import type { Call, Command } from '../command.ts';
import { compileRegex, RegexError } from '../regex.ts';
import { order } from './lines.ts';

/** Thrown for an invalid expression. */
class ExprError extends Error {}

function expr(call: Call): number {
  const args = [...call.args];
  const { budget } = call.shell;
  let at = 0;
  const truth = (text: string) => text !== '' && !/^-?0+$/.test(text);
  const integer = (text: string) => {
    if (!/^-?[0-9]+$/.test(text)) throw new ExprError('non-integer argument');
    return BigInt(text);
  };
  const match = (text: string, pattern: string) => {
    const regex = compileRegex(pattern.startsWith('^') ? pattern : `^${pattern}`, budget);
    const found = regex.exec(text, 0, budget);
    if (regex.groups > 0) return found === undefined || found[2]! < 0 ? '' : text.slice(found[2], found[3]);
    return String(found === undefined ? 0 : found[1]! - found[0]!);
  };
  const primary = (): string => {
    const arg = args[at++];
    if (arg === undefined) throw new ExprError('syntax error: missing argument');
    if (arg === '(') {
      const value = budget.deeper(() => level(0));
      if (args[at++] !== ')') throw new ExprError("syntax error: expecting ')'");
      return value;
    }
    const next = () => args[at++] ?? '';
    if (args.length > at) {
      if (arg === '+') return next();
      if (arg === 'length') return String(next().length);
      if (arg === 'match') return match(next(), next());
      if (arg === 'substr') {
        const [text, from, count] = [next(), Number(next()), Number(next())];
        return from > 0 && count > 0 ? text.slice(from - 1, from - 1 + count) : '';
      }
      if (arg === 'index') {
        const [text, set] = [next(), next()];
        return String([...text].findIndex((c) => set.includes(c)) + 1);
      }
    }
    return arg;
  };
  const LEVELS = [['|'], ['&'], ['<', '<=', '=', '==', '!=', '>=', '>'], ['+', '-'], ['*', '/', '%'], [':']];
  const apply = (a: string, operator: string, b: string): string => {
    switch (operator) {
      case '|':
        return truth(a) ? a : truth(b) ? b : '0';
      case '&':
        return truth(a) && truth(b) ? a : '0';
      case ':':
        return match(a, b);
      case '+':
        return String(integer(a) + integer(b));
      case '-':
        return String(integer(a) - integer(b));
      case '*':
        return String(integer(a) * integer(b));
      case '/':
      case '%':
        if (integer(b) === 0n) throw new ExprError('division by zero');
        return String(operator === '/' ? integer(a) / integer(b) : integer(a) % integer(b));
      default: {
        const numbers = /^-?[0-9]+$/.test(a) && /^-?[0-9]+$/.test(b);
        const by = numbers ? (BigInt(a) < BigInt(b) ? -1 : BigInt(a) > BigInt(b) ? 1 : 0) : order(a, b);
        const yes = {
          '<': by < 0,
          '<=': by <= 0,
          '=': by === 0,
          '==': by === 0,
          '!=': by !== 0,
          '>=': by >= 0,
          '>': by > 0,
        };
        return yes[operator as '<'] ? '1' : '0';
      }
    }
  };
  const level = (n: number): string => {
    const operators = LEVELS[n];
    if (operators === undefined) return primary();
    let left = level(n + 1);
    while (at < args.length && operators.includes(args[at]!)) {
      const operator = args[at++]!;
      left = apply(left, operator, level(n + 1));
    }
    return left;
  };
  try {
    const value = level(0);
    if (at < args.length) throw new ExprError(`syntax error: unexpected argument '${args[at]}'`);
    call.out(`${value}\n`);
    return truth(value) ? 0 : 1;
  } catch (error) {
    if (error instanceof ExprError) return call.fail(error.message, 2);
    if (error instanceof RegexError) return call.fail(error.message, 3);
    throw error;
  }
}

/** The `expr` command. */
export const EXPR_COMMANDS: Readonly<Record<string, Command>> = { expr };
