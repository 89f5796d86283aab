import type { Call } from '../command.ts';
import { FileError } from '../files.ts';
import type { Budget } from '../limits.ts';
import { compileRegex, type Regex } from '../regex.ts';
import { callBuiltin } from './awk-functions.ts';
import { AwkStreams, Records } from './awk-input.ts';
import type { AwkMachine } from './awk-machine.ts';
import { arithmetic, operate } from './awk-operators.ts';
import { awkEscapes } from './awk-parser.ts';
import { AwkError, type AwkExpression, type AwkProgram, type AwkStatement } from './awk-syntax.ts';
import { type AwkArray, type Cell, formatAwk, Strnum, toNumber, toText, toTruth, UNSET } from './awk-values.ts';

/** Most fields of one record that a program may make. */
const MOST_FIELDS = 100_000;

/** How a statement ends what encloses it. */
class Leave {
  readonly kind: 'next' | 'nextfile' | 'exit' | 'break' | 'continue' | 'return';
  readonly value: Cell;
  constructor(kind: Leave['kind'], value: Cell = UNSET) {
    this.kind = kind;
    this.value = value;
  }
}

/** A parameter that was given an unset variable: it becomes an array of both when it is used as one. */
class Untyped {
  readonly make: () => AwkArray;
  constructor(make: () => AwkArray) {
    this.make = make;
  }
}

type Slot = Cell | AwkArray | Untyped;

/** Runs a program. */
export class Awk implements AwkMachine {
  readonly call: Call;
  readonly streams: AwkStreams;
  readonly #program: AwkProgram;
  readonly #globals = new Map<string, Slot>();
  #locals: Map<string, Slot> | undefined;
  /** Fields of the record from 1 on; undefined until they are needed. */
  #fields: string[] | undefined = [];
  #record: Cell = '';
  #counts = { NR: 0, FNR: 0 };
  #input: Records | undefined;
  #anyFile = false;
  status = 0;

  constructor(call: Call, program: AwkProgram) {
    this.call = call;
    this.streams = new AwkStreams(call);
    this.#program = program;
    for (const [name, value] of Object.entries({
      ...{ FS: ' ', OFS: ' ', ORS: '\n', RS: '\n', SUBSEP: '\x1c', CONVFMT: '%.6g', OFMT: '%.6g', FILENAME: '' },
      ...{ RSTART: 0, RLENGTH: -1 },
    }))
      this.#globals.set(name, value);
    const environment: AwkArray = new Map();
    for (const [name, { value, exported }] of call.shell.variables)
      if (exported && value !== undefined) environment.set(name, new Strnum(value));
    this.#globals.set('ENVIRON', environment);
  }

  get budget(): Budget {
    return this.call.shell.budget;
  }

  /** Sets a variable from the command line, where escapes are replaced. */
  assign(name: string, text: string): void {
    this.setVariable(name, new Strnum(awkEscapes(text)));
  }

  run(operands: readonly string[]): number {
    const argv: AwkArray = new Map([
      ['0', 'awk'],
      ...operands.map((one, i): [string, Cell] => [String(i + 1), new Strnum(one)]),
    ]);
    this.#globals.set('ARGV', argv);
    this.#globals.set('ARGC', operands.length + 1);
    const { rules } = this.#program;
    try {
      for (const rule of rules) if (rule.kind === 'begin') this.#block(rule.body);
      if (rules.some((rule) => rule.kind !== 'begin')) this.#main();
    } catch (error) {
      if (!(error instanceof Leave) || error.kind !== 'exit') throw this.#misplaced(error);
      this.call.enough();
    }
    try {
      for (const rule of rules) if (rule.kind === 'end') this.#block(rule.body);
    } catch (error) {
      if (!(error instanceof Leave) || error.kind !== 'exit') throw this.#misplaced(error);
    }
    this.streams.closeAll();
    return this.status;
  }

  #misplaced(error: unknown): unknown {
    return error instanceof Leave ? new AwkError(`${error.kind} used outside of where it belongs`) : error;
  }

  // --- records

  #main(): void {
    const active = new Set<number>();
    while (this.#nextRecord())
      try {
        for (const [i, rule] of this.#program.rules.entries()) this.#rule(i, rule, active);
      } catch (error) {
        if (!(error instanceof Leave) || (error.kind !== 'next' && error.kind !== 'nextfile')) throw error;
        if (error.kind === 'nextfile') this.#input = undefined;
      }
  }

  /** Opens the next file; false when there is none. Assignments among the operands are made on the way. */
  #open(): boolean {
    const argv = this.#globals.get('ARGV') as AwkArray;
    const count = toNumber(this.#scalar('ARGC'));
    for (; this.#fileAt < count; ) {
      const value = argv.get(String(this.#fileAt++));
      const path = value === undefined ? '' : this.text(value);
      if (path === '') continue;
      const assignment = /^([A-Za-z_]\w*)=([\s\S]*)$/.exec(path);
      if (assignment !== null) {
        this.assign(assignment[1]!, assignment[2]!);
        continue;
      }
      this.#anyFile = true;
      let text: string | undefined;
      if (!this.call.attempt(path, () => (text = this.call.read(path)))) {
        this.status = 2;
        continue;
      }
      this.#globals.set('FILENAME', path === '-' ? '' : path);
      this.#counts.FNR = 0;
      this.#input = new Records(text!, this.call);
      return true;
    }
    if (this.#anyFile) return false;
    this.#anyFile = true;
    this.#input = new Records(this.call.input(), this.call);
    return true;
  }

  #fileAt = 1;

  /** The separator of records: one character, an expression, or empty for paragraphs. */
  #separator(): string | Regex {
    const text = this.text(this.#scalar('RS'));
    return text.length <= 1 ? text : this.regexOf(text);
  }

  /** The next line of the main input; undefined at the end. */
  #nextLine(): string | undefined {
    for (;;) {
      if (this.#input === undefined && !this.#open()) return undefined;
      const line = this.#input!.next(this.#separator());
      if (line !== undefined) {
        this.#counts.NR++;
        this.#counts.FNR++;
        return line;
      }
      this.#input = undefined;
    }
  }

  #nextRecord(): boolean {
    this.budget.spend();
    const line = this.#nextLine();
    if (line === undefined) return false;
    this.#setRecord(line);
    return true;
  }

  #setRecord(text: string): void {
    this.budget.scan(text.length);
    this.#record = new Strnum(text);
    this.#fields = undefined;
  }

  #recordText(): string {
    return this.text(this.#record);
  }

  #split(): string[] {
    if (this.#fields === undefined) {
      const separator = this.text(this.#scalar('FS'));
      const paragraphs = this.text(this.#scalar('RS')) === '';
      this.#fields = this.splitText(this.#recordText(), separator, paragraphs);
    }
    return this.#fields;
  }

  /** Splits text into fields. In paragraphs a line end is a separator as well. */
  splitText(text: string, separator: string, lines = false): string[] {
    this.budget.scan(text.length * 2);
    if (text === '') return [];
    if (separator === ' ') return text.split(/[ \t\n]+/).filter((field) => field !== '');
    if (separator === '') return [...text];
    if (separator.length === 1 && separator !== '\\') {
      const pieces = lines && separator !== '\n' ? text.split('\n') : [text];
      return pieces.flatMap((piece) => piece.split(separator));
    }
    return this.cut(text, this.regexOf(lines ? `(${separator})|\n` : separator));
  }

  /** Splits text where an expression matches. */
  cut(text: string, regex: Regex): string[] {
    const out: string[] = [];
    let from = 0;
    for (let at = 0; at <= text.length; ) {
      this.budget.spend();
      const found = regex.exec(text, at, this.budget);
      if (found === undefined) break;
      if (found[1] === found[0]) {
        at = found[1]! + 1;
        continue;
      }
      out.push(text.slice(from, found[0]));
      from = at = found[1]!;
    }
    out.push(text.slice(from));
    return out;
  }

  #rule(i: number, rule: AwkProgram['rules'][number], active: Set<number>): void {
    if (rule.kind !== 'range' && rule.kind !== 'pattern') return;
    if (rule.kind === 'range') {
      if (!active.has(i)) {
        if (!toTruth(this.value(rule.from))) return;
        active.add(i);
      }
      if (toTruth(this.value(rule.to))) active.delete(i);
    } else if (rule.pattern !== undefined && !toTruth(this.value(rule.pattern))) return;
    if (rule.body === undefined) this.call.out(this.#recordText() + this.text(this.#scalar('ORS')));
    else this.#block(rule.body);
  }

  // --- statements

  #block(body: readonly AwkStatement[]): void {
    for (const statement of body) this.#statement(statement);
  }

  #loop(body: readonly AwkStatement[]): boolean {
    this.budget.spend();
    try {
      this.#block(body);
    } catch (error) {
      if (error instanceof Leave && error.kind === 'break') return false;
      if (!(error instanceof Leave) || error.kind !== 'continue') throw error;
    }
    return true;
  }

  #statement(statement: AwkStatement): void {
    this.budget.spend();
    switch (statement.kind) {
      case 'expression':
        this.value(statement.value);
        return;
      case 'print':
      case 'printf':
        return this.#output(statement);
      case 'if':
        return this.#block(toTruth(this.value(statement.test)) ? statement.then : statement.otherwise);
      case 'while':
        if (statement.first && !this.#loop(statement.body)) return;
        while (toTruth(this.value(statement.test))) if (!this.#loop(statement.body)) return;
        return;
      case 'for':
        if (statement.start !== undefined) this.#statement(statement.start);
        while (statement.test === undefined || toTruth(this.value(statement.test))) {
          if (!this.#loop(statement.body)) return;
          if (statement.step !== undefined) this.#statement(statement.step);
        }
        return;
      case 'each': {
        const array = this.array(statement.array);
        this.budget.spend(array.size >>> 3);
        for (const key of [...array.keys()]) {
          this.setVariable(statement.name, key);
          if (!this.#loop(statement.body)) return;
        }
        return;
      }
      case 'delete':
        if (statement.index === undefined) this.array(statement.array).clear();
        else this.array(statement.array).delete(this.#key(statement.index));
        return;
      case 'leave': {
        const value = statement.value === undefined ? UNSET : this.value(statement.value);
        if (statement.verb === 'exit') {
          if (statement.value !== undefined) this.status = toNumber(value) & 255;
        }
        throw new Leave(statement.verb, value);
      }
    }
  }

  #output(statement: AwkStatement & { kind: 'print' | 'printf' }): void {
    let text: string;
    if (statement.kind === 'printf') {
      const [format, ...rest] = statement.values.map((value) => this.value(value));
      text = this.format(format === undefined ? '' : this.text(format), rest);
    } else {
      const shown = this.text(this.#scalar('OFMT'));
      const body =
        statement.values.length === 0
          ? this.#recordText()
          : statement.values.map((value) => toText(this.value(value), shown)).join(this.text(this.#scalar('OFS')));
      text = body + this.text(this.#scalar('ORS'));
    }
    if (statement.to === undefined) return this.call.out(text);
    const name = this.text(this.value(statement.to));
    try {
      this.streams.write(name, statement.how ?? '>', text);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      throw new AwkError(`cannot open "${name}" for output: ${error.reason}`);
    }
  }

  /** `sprintf`, with the work and the length counted. */
  format(format: string, args: readonly Cell[]): string {
    this.budget.scan(format.length * 4);
    const text = formatAwk(format, args, toNumber);
    this.budget.length(text.length);
    this.budget.look(text.length);
    return text;
  }

  // --- values

  /** A value as text, by CONVFMT. */
  text(value: Cell): string {
    if (typeof value === 'string') return value;
    if (value instanceof Strnum) return value.text;
    if (Number.isInteger(value)) return toText(value, '');
    const format = this.#globals.get('CONVFMT');
    return toText(value, typeof format === 'string' ? format : format instanceof Strnum ? format.text : '%.6g');
  }

  regexOf(source: string): Regex {
    return compileRegex(source, this.budget, { extended: true, awk: true });
  }

  /** The expression of a regular expression's operand: a literal, or the text of a value. */
  regex(node: AwkExpression): Regex {
    return this.regexOf(node.kind === 'regex' ? node.source : this.text(this.value(node)));
  }

  #scalar(name: string): Cell {
    const value = this.#locals?.has(name) ? this.#locals.get(name) : this.#globals.get(name);
    if (value === undefined || value instanceof Untyped) return this.#counted(name);
    if (value instanceof Map) throw new AwkError(`${name} is an array`);
    return value;
  }

  /** NF, NR and FNR, or what an unset variable is. */
  #counted(name: string): Cell {
    if (name === 'NF') return this.#split().length;
    if (name === 'NR' || name === 'FNR') return this.#counts[name];
    return UNSET;
  }

  array(name: string): AwkArray {
    const locals = this.#locals?.has(name) ? this.#locals : undefined;
    const table = locals ?? this.#globals;
    const found = table.get(name);
    if (found instanceof Map) return found;
    if (found !== undefined && found !== UNSET && !(found instanceof Untyped))
      throw new AwkError(`${name} is not an array`);
    const made = found instanceof Untyped ? found.make() : new Map<string, Cell>();
    table.set(name, made);
    return made;
  }

  /** True when a name is an array. */
  isArray(name: string): boolean {
    return (this.#locals?.has(name) ? this.#locals.get(name) : this.#globals.get(name)) instanceof Map;
  }

  setVariable(name: string, value: Cell): void {
    if (typeof value === 'string') this.budget.length(value.length);
    if (this.#locals?.has(name)) {
      this.#locals.set(name, value);
      return;
    }
    if (this.#globals.get(name) instanceof Map) throw new AwkError(`${name} is an array`);
    if (name === 'NF') return this.#resize(toNumber(value));
    if (name === 'NR' || name === 'FNR') {
      this.#counts[name] = toNumber(value);
      return;
    }
    // fields are split by the separator that is set when their record is read
    if ((name === 'FS' || name === 'RS') && this.#fields === undefined) this.#split();
    this.#globals.set(name, value);
  }

  #key(index: readonly AwkExpression[]): string {
    if (index.length === 1) return this.text(this.value(index[0]!));
    return index.map((one) => this.text(this.value(one))).join(this.text(this.#scalar('SUBSEP')));
  }

  /** Assigns to a variable, element or field. */
  set(target: AwkExpression, value: Cell): Cell {
    switch (target.kind) {
      case 'variable':
        this.setVariable(target.name, value);
        return value;
      case 'index': {
        const array = this.array(target.array);
        const key = this.#key(target.index);
        if (typeof value === 'string') this.budget.length(value.length);
        if (!array.has(key)) this.budget.spend();
        array.set(key, value);
        return value;
      }
      case 'field': {
        const at = this.#fieldNumber(target.value);
        if (at === 0) this.#setRecord(this.text(value));
        else {
          if (at > MOST_FIELDS) throw new AwkError('too many fields');
          const fields = this.#split();
          this.budget.spend(Math.max(0, at - fields.length) >>> 3);
          while (fields.length < at) fields.push('');
          fields[at - 1] = this.text(value);
          this.#rebuild(fields);
        }
        return value;
      }
      default:
        throw new AwkError('assignment to what cannot be assigned');
    }
  }

  #fieldNumber(node: AwkExpression): number {
    const at = Math.trunc(toNumber(this.value(node)));
    if (at < 0 || Number.isNaN(at)) throw new AwkError(`attempt to access field ${at}`);
    return at;
  }

  #resize(count: number): void {
    const fields = this.#split();
    const size = Math.trunc(count);
    if (!(size >= 0 && size <= MOST_FIELDS)) throw new AwkError(`NF set to ${count}`);
    this.budget.spend(Math.abs(size - fields.length) >>> 3);
    while (fields.length < size) fields.push('');
    fields.length = size;
    this.#rebuild(fields);
  }

  #rebuild(fields: string[]): void {
    const text = fields.join(this.text(this.#scalar('OFS')));
    this.budget.length(text.length);
    this.budget.scan(text.length + fields.length * 8);
    this.#record = text;
    this.#fields = fields;
  }

  value(node: AwkExpression): Cell {
    switch (node.kind) {
      case 'number':
      case 'string':
        return node.value;
      case 'regex':
        return this.regexOf(node.source).test(this.#recordText(), this.budget) ? 1 : 0;
      case 'variable':
        return this.#scalar(node.name);
      case 'index': {
        const array = this.array(node.array);
        const key = this.#key(node.index);
        const found = array.get(key);
        if (found !== undefined) return found;
        // reading an element creates it
        this.budget.spend();
        array.set(key, UNSET);
        return UNSET;
      }
      case 'field': {
        const at = this.#fieldNumber(node.value);
        if (at === 0) return this.#record;
        const text = this.#split()[at - 1];
        return text === undefined ? UNSET : new Strnum(text);
      }
      case 'in':
        return this.array(node.array).has(this.#key(node.index)) ? 1 : 0;
      case 'match': {
        const subject = this.text(this.value(node.left));
        return this.regex(node.right).test(subject, this.budget) === node.negated ? 0 : 1;
      }
      case 'unary': {
        const value = this.value(node.value);
        if (node.operator === '!') return toTruth(value) ? 0 : 1;
        return node.operator === '-' ? -toNumber(value) : toNumber(value);
      }
      case 'conditional':
        return this.value(toTruth(this.value(node.test)) ? node.then : node.otherwise);
      case 'assign': {
        if (node.operator === '=') return this.set(node.target, this.value(node.value));
        const right = toNumber(this.value(node.value));
        return this.set(node.target, arithmetic(node.operator[0]!, toNumber(this.value(node.target)), right));
      }
      case 'step': {
        const before = toNumber(this.value(node.target));
        this.set(node.target, before + node.by);
        return node.prefix ? before + node.by : before;
      }
      case 'binary':
        return this.#binary(node);
      case 'call':
        return this.#program.functions.has(node.name) ? this.#function(node.name, node.args) : callBuiltin(node, this);
      case 'getline':
        return this.#getline(node);
    }
  }

  #getline(node: AwkExpression & { kind: 'getline' }): number {
    this.budget.spend(2);
    if (node.from === undefined) {
      const line = this.#nextLine();
      if (line === undefined) return 0;
      if (node.target === undefined) this.#setRecord(line);
      else this.set(node.target, new Strnum(line));
      return 1;
    }
    const records = this.streams.reader(this.text(this.value(node.from)), node.command === true);
    if (records === undefined) return -1;
    const line = records.next(this.#separator());
    if (line === undefined) return 0;
    if (node.target === undefined) this.#setRecord(line);
    else this.set(node.target, new Strnum(line));
    return 1;
  }

  #binary(node: AwkExpression & { kind: 'binary' }): Cell {
    const { operator } = node;
    if (operator === '&&') return toTruth(this.value(node.left)) && toTruth(this.value(node.right)) ? 1 : 0;
    if (operator === '||') return toTruth(this.value(node.left)) || toTruth(this.value(node.right)) ? 1 : 0;
    const left = this.value(node.left);
    const right = this.value(node.right);
    return operate(operator, left, right, this);
  }

  #function(name: string, args: readonly AwkExpression[]): Cell {
    const { parameters, body } = this.#program.functions.get(name)!;
    if (args.length > parameters.length) throw new AwkError(`function ${name} called with too many arguments`);
    const locals = new Map<string, Slot>();
    for (const [i, parameter] of parameters.entries()) locals.set(parameter, this.#argument(args[i]));
    const before = this.#locals;
    return this.budget.deeper(() => {
      this.#locals = locals;
      try {
        this.#block(body);
      } catch (error) {
        if (!(error instanceof Leave) || error.kind !== 'return') throw error;
        return error.value;
      } finally {
        this.#locals = before;
      }
      return UNSET;
    });
  }

  /** What a parameter gets: arrays by reference, everything else by value. */
  #argument(arg: AwkExpression | undefined): Slot {
    if (arg === undefined) return UNSET;
    if (arg.kind !== 'variable') return this.value(arg);
    const { name } = arg;
    const table = this.#locals?.has(name) ? this.#locals : this.#globals;
    const found = table.get(name);
    if (found instanceof Map) return found;
    if (found !== undefined && found !== UNSET && !(found instanceof Untyped)) return found;
    if (this.#counted(name) !== UNSET) return this.#counted(name);
    return new Untyped(() => {
      const now = table.get(name);
      if (now instanceof Map) return now;
      const made = now instanceof Untyped ? now.make() : new Map<string, Cell>();
      table.set(name, made);
      return made;
    });
  }
}
