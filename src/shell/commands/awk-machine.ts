import type { Call } from '../command.ts';
import type { Budget } from '../limits.ts';
import type { Regex } from '../regex.ts';
import type { AwkStreams } from './awk-input.ts';
import type { AwkExpression } from './awk-syntax.ts';
import type { AwkArray, Cell } from './awk-values.ts';

/** The running program, as the builtin functions see it. */
export interface AwkMachine {
  readonly call: Call;
  readonly budget: Budget;
  readonly streams: AwkStreams;
  value(node: AwkExpression): Cell;
  text(value: Cell): string;
  set(target: AwkExpression, value: Cell): Cell;
  setVariable(name: string, value: Cell): void;
  array(name: string): AwkArray;
  isArray(name: string): boolean;
  regex(node: AwkExpression): Regex;
  /** Splits text at a separator as fields are. */
  splitText(text: string, separator: string): string[];
  cut(text: string, regex: Regex): string[];
  format(format: string, args: readonly Cell[]): string;
}
