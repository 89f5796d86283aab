import { rpmvercmp } from '../../../formats/rpm/version.ts';
import { Numbers } from './numbers.ts';
import { EQUAL, GREATER, LESS } from './types.ts';

/** Operators of rich dependencies; comparisons are below 8. */
export const AND = 16;
export const OR = 17;
export const WITH = 18;
export const IF = 22;
export const ELSE = 26;
export const WITHOUT = 28;
export const UNLESS = 29;

const WORDS: ReadonlyMap<number, string> = new Map([
  [AND, 'and'],
  [OR, 'or'],
  [WITH, 'with'],
  [IF, 'if'],
  [ELSE, 'else'],
  [WITHOUT, 'without'],
  [UNLESS, 'unless'],
]);

interface EvrParts {
  readonly epoch: string;
  readonly version: string;
  /** Undefined when there is none. */
  readonly release: string | undefined;
}

function splitEvr(text: string): EvrParts {
  let digits = 0;
  while (text.charCodeAt(digits) >= 48 && text.charCodeAt(digits) <= 57) digits++;
  const colon = digits > 0 && text.charCodeAt(digits) === 58;
  const rest = colon ? text.slice(digits + 1) : text;
  const dash = rest.lastIndexOf('-');
  return {
    epoch: colon ? text.slice(0, digits) : '0',
    version: dash < 0 ? rest : rest.slice(0, dash),
    release: dash < 0 ? undefined : rest.slice(dash + 1),
  };
}

/**
 * Texts and dependencies as numbers. A dependency is the number of its name when it is only a name (above 0), or minus
 * the number of a relation; 0 is none. A relation's name and second operand are dependencies themselves when it is rich,
 * and its second operand is the number of a text when it is a comparison.
 */
export class Relations {
  readonly texts: string[] = [''];
  private readonly ids = new Map<string, number>([['', 0]]);
  private readonly names = new Numbers(1024);
  private readonly operators = new Numbers(1024);
  private readonly operands = new Numbers(1024);
  /** Open addressing: numbers of relations, 0 where free. */
  private table = new Int32Array(2048);
  private readonly parts: (EvrParts | undefined)[] = [];

  constructor() {
    // relation 0 stands for none
    this.names.push(0);
    this.operators.push(0);
    this.operands.push(0);
  }

  /** Number of a text, given a new one when it is not known yet. */
  text(text: string): number {
    let id = this.ids.get(text);
    if (id === undefined) {
      id = this.texts.length;
      this.texts.push(text);
      this.ids.set(text, id);
    }
    return id;
  }

  /** Number of a text that is known; undefined when no package mentions it. */
  known(text: string): number | undefined {
    return this.ids.get(text);
  }

  /** How many relations there are, with the one that stands for none. */
  get count(): number {
    return this.names.length;
  }

  name(dependency: number): number {
    return this.names.array[-dependency]!;
  }

  operator(dependency: number): number {
    return this.operators.array[-dependency]!;
  }

  operand(dependency: number): number {
    return this.operands.array[-dependency]!;
  }

  /** The dependency of a name, an operator and an operand. */
  relation(name: number, operator: number, operand: number): number {
    let mask = this.table.length - 1;
    if (this.names.length * 2 > mask) {
      this.table = new Int32Array(this.table.length * 2);
      mask = this.table.length - 1;
      for (let id = 1; id < this.names.length; id++) {
        let at = hash(this.names.array[id]!, this.operators.array[id]!, this.operands.array[id]!) & mask;
        while (this.table[at] !== 0) at = (at + 1) & mask;
        this.table[at] = id;
      }
    }
    let at = hash(name, operator, operand) & mask;
    for (let id = this.table[at]!; id !== 0; id = this.table[at]!) {
      if (this.names.array[id] === name && this.operators.array[id] === operator && this.operands.array[id] === operand)
        return -id;
      at = (at + 1) & mask;
    }
    const id = this.names.length;
    this.table[at] = id;
    this.names.push(name);
    this.operators.push(operator);
    this.operands.push(operand);
    return -id;
  }

  /** The plain name that a dependency begins with. */
  plainName(dependency: number): number {
    while (dependency < 0) dependency = this.name(dependency);
    return dependency;
  }

  /** True when a dependency has to be turned into clauses: `with` and `without` only select among packages. */
  isRich(dependency: number): boolean {
    while (dependency < 0) {
      const operator = this.operator(dependency);
      if (operator === AND || operator === IF || operator === UNLESS) return true;
      if (operator !== OR) return false;
      if (this.isRich(this.name(dependency))) return true;
      dependency = this.operand(dependency);
    }
    return false;
  }

  /** As rpm writes it: `a >= 1`, `(a if b)`. */
  show(dependency: number): string {
    if (dependency >= 0) return this.texts[dependency]!;
    const operator = this.operator(dependency);
    const name = this.show(this.name(dependency));
    if (operator < 8) {
      const sign = `${operator & LESS ? '<' : ''}${operator & GREATER ? '>' : ''}${operator & EQUAL ? '=' : ''}`;
      return `${name} ${sign} ${this.texts[this.operand(dependency)]!}`;
    }
    const second = this.operand(dependency);
    const other = this.show(second);
    const chained = second < 0 && (this.operator(second) === operator || this.operator(second) === ELSE);
    return `(${name} ${WORDS.get(operator)} ${chained ? other.slice(1, -1) : other})`;
  }

  private evr(id: number): EvrParts {
    let found = this.parts[id];
    if (found === undefined) this.parts[id] = found = splitEvr(this.texts[id]!);
    return found;
  }

  /** Order of two versions of packages: a missing release comes before any. */
  compareEvr(a: number, b: number): number {
    if (a === b) return 0;
    const x = this.evr(a);
    const y = this.evr(b);
    const found = rpmvercmp(x.epoch, y.epoch) || rpmvercmp(x.version, y.version);
    if (found !== 0) return found;
    if (x.release === undefined || y.release === undefined)
      return x.release === y.release ? 0 : x.release === undefined ? -1 : 1;
    return rpmvercmp(x.release, y.release);
  }

  /** Like `compareEvr`, but -2 or 2 when all is equal and only the second or the first has a release. */
  matchEvr(a: number, b: number): number {
    if (a === b) return 0;
    const x = this.evr(a);
    const y = this.evr(b);
    const found = rpmvercmp(x.epoch, y.epoch) || rpmvercmp(x.version, y.version);
    if (found !== 0) return found;
    // `a = 4-` is `a = 4`
    const one = x.release === '' ? undefined : x.release;
    const two = y.release === '' ? undefined : y.release;
    if (one === undefined || two === undefined) return one === two ? 0 : one === undefined ? -2 : 2;
    return rpmvercmp(one, two);
  }

  /** True when something of the version `operator1 evr1` is something of `operator2 evr2`. */
  overlaps(operator1: number, evr1: number, operator2: number, evr2: number): boolean {
    if (operator1 === 0 || operator2 === 0 || operator1 >= 8 || operator2 >= 8) return false;
    if (operator1 === 7 || operator2 === 7) return true;
    if ((operator1 & operator2 & (LESS | GREATER)) !== 0) return true;
    switch (this.matchEvr(evr1, evr2)) {
      case -2:
        return (operator1 & EQUAL) !== 0;
      case -1:
        return (operator2 & LESS) !== 0 || (operator1 & GREATER) !== 0;
      case 0:
        return (operator1 & operator2 & EQUAL) !== 0;
      case 1:
        return (operator2 & GREATER) !== 0 || (operator1 & LESS) !== 0;
      default:
        return (operator2 & EQUAL) !== 0;
    }
  }
}

function hash(name: number, operator: number, operand: number): number {
  return Math.imul(Math.imul(name, 0x9e3779b1) ^ Math.imul(operand, 0x85ebca6b) ^ operator, 0xc2b2ae35) >>> 7;
}
