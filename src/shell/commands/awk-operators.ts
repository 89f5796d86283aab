import type { AwkMachine } from './awk-machine.ts';
import { AwkError } from './awk-syntax.ts';
import { type Cell, compare, toNumber } from './awk-values.ts';

const COMPARISONS = new Set(['<', '<=', '==', '!=', '>', '>=']);

/** An operator with two values: joins, compares or calculates. */
export function operate(operator: string, left: Cell, right: Cell, machine: AwkMachine): Cell {
  if (operator === ' ') {
    const [a, b] = [machine.text(left), machine.text(right)];
    machine.budget.length(a.length + b.length);
    return a + b;
  }
  if (!COMPARISONS.has(operator)) return arithmetic(operator, toNumber(left), toNumber(right));
  if (typeof left !== 'number' && typeof right !== 'number')
    machine.budget.look(Math.min(machine.text(left).length, machine.text(right).length) * 4);
  const by = compare(left, right, '%.6g');
  switch (operator) {
    case '<':
      return by < 0 ? 1 : 0;
    case '<=':
      return by <= 0 ? 1 : 0;
    case '==':
      return by === 0 ? 1 : 0;
    case '!=':
      return by !== 0 ? 1 : 0;
    case '>':
      return by > 0 ? 1 : 0;
    default:
      return by >= 0 ? 1 : 0;
  }
}

/** Arithmetic of two numbers. */
export function arithmetic(operator: string, a: number, b: number): number {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
    case '%':
      if (b === 0) throw new AwkError('division by zero');
      return operator === '/' ? a / b : a % b;
    default:
      return a ** b;
  }
}
