import { AND, ELSE, IF, OR, UNLESS, WITH, WITHOUT } from './operators.ts';
import { EQUAL, GREATER, LESS } from './types.ts';

/** Where names and relations get their numbers. */
interface Numbering {
  text(text: string): number;
  relation(name: number, operator: number, operand: number): number;
}

/** Deeper ones are not read: each level is a level of calls later. Real ones have a few levels and chains of some hundred. */
const DEPTH_MAX = 1000;

const OPERATORS: ReadonlyMap<string, number> = new Map([
  ['and', AND],
  ['or', OR],
  ['if', IF],
  ['unless', UNLESS],
  ['else', ELSE],
  ['with', WITH],
  ['without', WITHOUT],
]);

/** Reads a rich dependency, `(a if (b or c >= 2))`. 0 when it is not one that rpm knows, or too deep. */
export function parseRich(relations: Numbering, text: string): number {
  return new Parser(relations, text).whole();
}

class Parser {
  private at = 0;
  private readonly relations: Numbering;
  private readonly text: string;

  constructor(relations: Numbering, text: string) {
    this.relations = relations;
    this.text = text;
  }

  whole(): number {
    const found = this.group(0);
    return this.at === this.text.length ? found : 0;
  }

  /** `( operand [operator operand]… )`; a chain nests to the right. */
  private group(depth: number): number {
    if (this.text[this.at++] !== '(') return 0;
    const operands: number[] = [];
    const operators: number[] = [];
    // what an operator has to be to go on: a chain repeats its operator, and `else` may follow `if` or `unless`
    let chain = 0;
    for (;;) {
      if (depth + operands.length > DEPTH_MAX) return 0;
      const operand = this.operand(depth + Math.max(0, operands.length - 1));
      if (operand === 0) return 0;
      operands.push(operand);
      this.spaces();
      if (this.at >= this.text.length) return 0;
      if (this.text[this.at] === ')') break;
      const operator = this.operator();
      if (operator === undefined) return 0;
      if ((chain === IF || chain === UNLESS) && operator === ELSE) chain = 0;
      if (chain !== 0 && operator !== chain) return 0;
      chain = operator;
      operators.push(operator);
    }
    this.at++;
    let found = operands.pop()!;
    while (operands.length > 0) found = this.relations.relation(operands.pop()!, operators.pop()!, found);
    return found;
  }

  private operator(): number | undefined {
    const start = this.at;
    while (this.at < this.text.length && this.text[this.at] !== ' ') this.at++;
    return OPERATORS.get(this.text.slice(start, this.at));
  }

  /** A group, a name, or a name with a comparison. */
  private operand(depth: number): number {
    this.spaces();
    if (this.text[this.at] === ')') return 0;
    if (this.text[this.at] === '(') return this.group(depth + 1);
    const name = this.word();
    if (name === '') return 0;
    const id = this.relations.text(name);
    this.spaces();
    let flags = 0;
    for (; ; this.at++) {
      const sign = this.text[this.at];
      if (sign === '<') flags |= LESS;
      else if (sign === '=') flags |= EQUAL;
      else if (sign === '>') flags |= GREATER;
      else break;
    }
    if (flags === 0) return id;
    this.spaces();
    const evr = this.word();
    if (evr === '') return 0;
    // an epoch of 0 is the same as none
    const short = evr.length > 2 && evr.startsWith('0:') ? evr.slice(2) : evr;
    return this.relations.relation(id, flags, this.relations.text(short));
  }

  private spaces(): void {
    while (this.text[this.at] === ' ') this.at++;
  }

  /** Up to a space, a comma or a closing parenthesis that was not opened in the word. */
  private word(): string {
    const start = this.at;
    let open = 0;
    for (; this.at < this.text.length; this.at++) {
      const c = this.text[this.at];
      if (c === ' ' || c === ',' || (c === ')' && open-- <= 0)) break;
      if (c === '(') open++;
    }
    return this.text.slice(start, this.at);
  }
}
