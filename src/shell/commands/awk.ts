import { type Call, type Command, options } from '../command.ts';
import { general } from '../printf.ts';
import { compileRegex, type Regex, RegexError } from '../regex.ts';
import { AwkError, type AwkExpression, type AwkProgram, type AwkStatement, parseAwk } from './awk-parser.ts';
import { linesOf } from './lines.ts';

type Value = string | number;
/** A field or line of input: a number when it looks like one. */
class Strnum {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}
type Cell = Value | Strnum;

class Leave {
  readonly kind: 'next' | 'exit' | 'break' | 'continue' | 'return';
  readonly value: Cell;
  constructor(kind: Leave['kind'], value: Cell = '') {
    this.kind = kind;
    this.value = value;
  }
}

const NUMBER = /^\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?/;
const looksNumeric = (text: string) => NUMBER.exec(text)?.[0].length === text.trimEnd().length && text.trim() !== '';

class Awk {
  readonly #call: Call;
  readonly #program: AwkProgram;
  readonly #globals = new Map<string, Cell>();
  readonly #arrays = new Map<string, Map<string, Cell>>();
  #locals: Map<string, Cell | Map<string, Cell>> | undefined;
  readonly #written = new Map<string, string>();
  #fields: string[] = [''];
  #lines: string[] = [];
  #at = 0;
  status = 0;

  constructor(call: Call, program: AwkProgram) {
    this.#call = call;
    this.#program = program;
    for (const [name, value] of [
      ['FS', ' '],
      ['OFS', ' '],
      ['ORS', '\n'],
      ['RS', '\n'],
      ['SUBSEP', '\x1c'],
      ['CONVFMT', '%.6g'],
      ['OFMT', '%.6g'],
    ] as const)
      this.#globals.set(name, value);
    for (const name of ['NR', 'NF', 'FNR', 'RSTART']) this.#globals.set(name, 0);
    this.#globals.set('RLENGTH', -1);
    const environment = new Map<string, Cell>();
    for (const [name, { value, exported }] of call.shell.variables)
      if (exported && value !== undefined) environment.set(name, new Strnum(value));
    this.#arrays.set('ENVIRON', environment);
  }

  assign(name: string, text: string): void {
    this.#globals.set(name, new Strnum(text));
  }

  run(files: readonly string[]): number {
    try {
      for (const rule of this.#program.rules) if (rule.kind === 'begin') this.#block(rule.body);
      if (this.#program.rules.some((rule) => rule.kind !== 'begin')) this.#records(files);
    } catch (error) {
      if (!(error instanceof Leave) || error.kind !== 'exit') throw error;
      if (this.#ending) return this.status;
    }
    this.#ending = true;
    try {
      for (const rule of this.#program.rules) if (rule.kind === 'end') this.#block(rule.body);
    } catch (error) {
      if (!(error instanceof Leave) || error.kind !== 'exit') throw error;
    }
    return this.status;
  }

  #ending = false;

  #records(files: readonly string[]): void {
    const active = new Set<number>();
    let any = false;
    const each = (path: string) => {
      any = true;
      let text = '';
      if (!this.#call.attempt(path, () => (text = this.#call.read(path)))) {
        this.status = 2;
        return;
      }
      this.#globals.set('FILENAME', path === '-' ? '' : path);
      this.#globals.set('FNR', 0);
      const separator = this.#string(this.#globals.get('RS')!);
      if (separator === '\n') this.#lines = linesOf(text);
      else if (separator === '') this.#lines = text.replace(/^\n+|\n+$/g, '').split(/\n\n+/);
      else this.#lines = text.replace(/\n$/, '').split(separator[0]!);
      for (this.#at = 0; this.#at < this.#lines.length; ) {
        this.#record(this.#lines[this.#at++]!);
        try {
          for (const [i, rule] of this.#program.rules.entries()) this.#rule(i, rule, active);
        } catch (error) {
          if (!(error instanceof Leave) || error.kind !== 'next') throw error;
        }
      }
    };
    for (const file of files) {
      const assignment = /^([A-Za-z_]\w*)=([\s\S]*)$/.exec(file);
      if (assignment === null) each(file);
      else this.assign(assignment[1]!, assignment[2]!);
    }
    if (!any) each('-');
  }

  #rule(i: number, rule: AwkProgram['rules'][number], active: Set<number>): void {
    if (rule.kind !== 'range' && rule.kind !== 'pattern') return;
    if (rule.kind === 'range') {
      if (!active.has(i)) {
        if (!this.#truth(this.#value(rule.from))) return;
        active.add(i);
      }
      if (this.#truth(this.#value(rule.to))) active.delete(i);
    } else if (rule.pattern !== undefined && !this.#truth(this.#value(rule.pattern))) return;
    if (rule.body === undefined) this.#call.out(this.#fields[0]! + this.#string(this.#globals.get('ORS')!));
    else this.#block(rule.body);
  }

  #record(line: string, counts = true): void {
    if (counts) for (const name of ['NR', 'FNR']) this.#globals.set(name, this.#number(this.#globals.get(name)!) + 1);
    this.#call.shell.budget.scan(line.length);
    this.#fields = [line, ...this.#split(line, this.#string(this.#globals.get('FS')!))];
    this.#globals.set('NF', this.#fields.length - 1);
  }

  #split(text: string, separator: string): string[] {
    this.#call.shell.budget.scan(text.length);
    if (text === '') return [];
    if (separator === ' ') return text.split(/[ \t\n]+/).filter((field) => field !== '');
    if (separator.length === 1 && separator !== '\\') return text.split(separator);
    if (separator === '') return [...text];
    return this.#cut(text, this.#regexOf(separator));
  }

  #cut(text: string, regex: Regex): string[] {
    const out: string[] = [];
    let from = 0;
    for (let at = 0; at <= text.length; ) {
      this.#call.shell.budget.spend();
      const found = regex.exec(text, at, this.#call.shell.budget);
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

  #regexOf(source: string): Regex {
    return compileRegex(source, this.#call.shell.budget, { extended: true, awk: true });
  }

  #truth(value: Cell): boolean {
    if (value instanceof Strnum) return looksNumeric(value.text) ? Number(value.text) !== 0 : value.text !== '';
    return typeof value === 'number' ? value !== 0 : value !== '';
  }

  #number(value: Cell): number {
    if (typeof value === 'number') return value;
    const match = NUMBER.exec(value instanceof Strnum ? value.text : value);
    return match === null ? 0 : Number(match[0]);
  }

  #string(value: Cell): string {
    if (typeof value === 'string') return value;
    if (value instanceof Strnum) return value.text;
    return Number.isInteger(value) && Math.abs(value) < 1e16 ? String(value) : general(value, 6);
  }

  #compare(a: Cell, b: Cell): number {
    const numeric = (value: Cell) => typeof value === 'number' || (value instanceof Strnum && looksNumeric(value.text));
    if (numeric(a) && numeric(b)) return this.#number(a) - this.#number(b);
    const [x, y] = [this.#string(a), this.#string(b)];
    this.#call.shell.budget.look(Math.min(x.length, y.length) * 4);
    return x < y ? -1 : x > y ? 1 : 0;
  }

  #block(body: readonly AwkStatement[]): void {
    for (const statement of body) this.#statement(statement);
  }

  #loop(body: readonly AwkStatement[]): boolean {
    this.#call.shell.budget.spend();
    try {
      this.#block(body);
    } catch (error) {
      if (error instanceof Leave && error.kind === 'break') return false;
      if (!(error instanceof Leave) || error.kind !== 'continue') throw error;
    }
    return true;
  }

  #statement(statement: AwkStatement): void {
    this.#call.shell.budget.spend();
    switch (statement.kind) {
      case 'expression':
        this.#value(statement.value);
        return;
      case 'print': {
        const separator = this.#string(this.#globals.get('OFS')!);
        const text =
          statement.values.length === 0
            ? this.#fields[0]!
            : statement.values.map((value) => this.#string(this.#value(value))).join(separator);
        this.#print(text + this.#string(this.#globals.get('ORS')!), statement);
        return;
      }
      case 'printf': {
        const [format = '', ...rest] = statement.values.map((value) => this.#string(this.#value(value)));
        this.#print(this.#format(format, rest), statement);
        return;
      }
      case 'if':
        this.#block(this.#truth(this.#value(statement.test)) ? statement.then : statement.otherwise);
        return;
      case 'while':
        if (statement.first && !this.#loop(statement.body)) return;
        while (this.#truth(this.#value(statement.test))) if (!this.#loop(statement.body)) return;
        return;
      case 'for':
        if (statement.start !== undefined) this.#statement(statement.start);
        while (statement.test === undefined || this.#truth(this.#value(statement.test))) {
          if (!this.#loop(statement.body)) return;
          if (statement.step !== undefined) this.#statement(statement.step);
        }
        return;
      case 'each':
        this.#call.shell.budget.spend(this.#array(statement.array).size >>> 3);
        for (const key of [...this.#array(statement.array).keys()]) {
          this.#set({ kind: 'variable', name: statement.name }, new Strnum(key));
          if (!this.#loop(statement.body)) return;
        }
        return;
      case 'delete':
        if (statement.index === undefined) this.#array(statement.array).clear();
        else this.#array(statement.array).delete(this.#key(statement.index));
        return;
      case 'leave': {
        const value = statement.value === undefined ? '' : this.#value(statement.value);
        if (statement.verb === 'exit' && statement.value !== undefined) this.status = this.#number(value) & 255;
        throw new Leave(statement.verb, value);
      }
    }
  }

  #print(text: string, statement: { readonly to?: AwkExpression | undefined; readonly append?: boolean }): void {
    if (statement.to === undefined) return this.#call.out(text);
    const path = this.#string(this.#value(statement.to));
    if (path === '/dev/stderr') return this.#call.shell.write(2, text);
    if (path === '/dev/stdout') return this.#call.out(text);
    const { files } = this.#call;
    const before =
      this.#written.get(path) ?? (statement.append && files.find(path) !== undefined ? files.read(path) : '');
    this.#written.set(path, before + text);
    files.write(path, before + text);
  }

  /** Uses the shell's printf, after converting numbers to integers. */
  #format(format: string, args: readonly string[]): string {
    let next = 0;
    return format.replace(
      /%([-+ #0]*)(\*|[0-9]+)?(?:\.(\*|[0-9]*))?([a-zA-Z%])/g,
      (all, flags: string, width, precision, letter: string) => {
        if (letter === '%') return '%';
        const size = Math.min(Number(width === '*' ? args[next++] : (width ?? 0)), 10000);
        const places =
          precision === undefined
            ? undefined
            : Math.min(Number(precision === '*' ? args[next++] : precision || 0), 100);
        const arg = args[next++] ?? '';
        let text: string;
        const value = this.#number(arg);
        if (letter === 's') text = places === undefined ? arg : arg.slice(0, places);
        else if (letter === 'c') text = looksNumeric(arg) ? String.fromCharCode(value & 255) : arg.slice(0, 1);
        else if ('di'.includes(letter)) text = String(Math.trunc(value)).padStart(places ?? 0, '0');
        else if ('xX'.includes(letter)) text = Math.trunc(value).toString(16);
        else if (letter === 'o') text = Math.trunc(value).toString(8);
        else if (letter === 'u') text = String(Math.abs(Math.trunc(value)));
        else if (letter === 'f') text = value.toFixed(places ?? 6);
        else if (letter === 'e') text = value.toExponential(places ?? 6);
        else if (letter === 'g') text = general(value, places ?? 6);
        else return all;
        if (letter === 'X') text = text.toUpperCase();
        if (flags.includes('+') && 'dife'.includes(letter) && value >= 0) text = `+${text}`;
        if (flags.includes('-')) return text.padEnd(size);
        return text.padStart(size, flags.includes('0') && letter !== 's' ? '0' : ' ');
      },
    );
  }

  #array(name: string): Map<string, Cell> {
    const local = this.#locals?.get(name);
    if (local instanceof Map) return local;
    if (this.#locals?.has(name)) {
      const made = new Map<string, Cell>();
      this.#locals.set(name, made);
      return made;
    }
    let found = this.#arrays.get(name);
    if (found === undefined) this.#arrays.set(name, (found = new Map()));
    return found;
  }

  #key(index: readonly AwkExpression[]): string {
    return index.map((one) => this.#string(this.#value(one))).join(this.#string(this.#globals.get('SUBSEP')!));
  }

  #set(target: AwkExpression, value: Cell): Cell {
    this.#call.shell.budget.length(typeof value === 'string' ? value.length : 0);
    switch (target.kind) {
      case 'variable':
        if (this.#locals?.has(target.name)) this.#locals.set(target.name, value);
        else {
          this.#globals.set(target.name, value);
          if (target.name === 'NF') this.#rebuild(this.#number(value));
        }
        return value;
      case 'index': {
        const array = this.#array(target.array);
        const key = this.#key(target.index);
        if (!array.has(key)) this.#call.shell.budget.spend();
        array.set(key, value);
        return value;
      }
      case 'field': {
        const at = Math.trunc(this.#number(this.#value(target.value)));
        if (at === 0) this.#record(this.#string(value), false);
        else {
          if (at > 10000) throw new AwkError('too many fields');
          while (this.#fields.length <= at) this.#fields.push('');
          this.#fields[at] = this.#string(value);
          this.#rebuild(this.#fields.length - 1);
        }
        return value;
      }
      default:
        throw new AwkError('assignment to what cannot be assigned');
    }
  }

  #rebuild(count: number): void {
    const size = Math.max(0, Math.min(count, 10000));
    while (this.#fields.length <= size) this.#fields.push('');
    this.#fields.length = size + 1;
    this.#fields[0] = this.#fields.slice(1).join(this.#string(this.#globals.get('OFS')!));
    this.#globals.set('NF', size);
  }

  #value(node: AwkExpression): Cell {
    switch (node.kind) {
      case 'number':
        return node.value;
      case 'string':
        return node.value;
      case 'regex':
        return this.#regexOf(node.source).test(this.#fields[0]!, this.#call.shell.budget) ? 1 : 0;
      case 'variable': {
        const local = this.#locals?.get(node.name);
        if (local instanceof Map) throw new AwkError(`${node.name} is an array`);
        return local ?? this.#globals.get(node.name) ?? new Strnum('');
      }
      case 'index': {
        const array = this.#array(node.array);
        const key = this.#key(node.index);
        // reading an element creates it
        if (!array.has(key)) array.set(key, new Strnum(''));
        return array.get(key)!;
      }
      case 'field': {
        const at = Math.trunc(this.#number(this.#value(node.value)));
        return new Strnum(this.#fields[at] ?? '');
      }
      case 'in':
        return this.#array(node.array).has(this.#key(node.index)) ? 1 : 0;
      case 'match': {
        const regex = node.right.kind === 'regex' ? node.right.source : this.#string(this.#value(node.right));
        return this.#regexOf(regex).test(this.#string(this.#value(node.left)), this.#call.shell.budget) === node.negated
          ? 0
          : 1;
      }
      case 'unary': {
        const value = this.#value(node.value);
        return node.operator === '!'
          ? this.#truth(value)
            ? 0
            : 1
          : node.operator === '-'
            ? -this.#number(value)
            : this.#number(value);
      }
      case 'conditional':
        return this.#value(this.#truth(this.#value(node.test)) ? node.then : node.otherwise);
      case 'assign': {
        if (node.operator === '=') return this.#set(node.target, this.#value(node.value));
        const right = this.#number(this.#value(node.value));
        return this.#set(node.target, arithmetic(node.operator[0]!, this.#number(this.#value(node.target)), right));
      }
      case 'step': {
        const before = this.#number(this.#value(node.target));
        const after = before + node.by;
        this.#set(node.target, after);
        return node.prefix ? after : before;
      }
      case 'binary':
        return this.#binary(node);
      case 'call':
        return this.#invoke(node);
      case 'getline': {
        if (node.from !== undefined) throw new AwkError('getline from files is not known');
        if (this.#at >= this.#lines.length) return 0;
        const line = this.#lines[this.#at++]!;
        if (node.target === undefined) this.#record(line);
        else this.#set(node.target, new Strnum(line));
        return 1;
      }
    }
  }

  #binary(node: AwkExpression & { kind: 'binary' }): Cell {
    if (node.operator === '&&')
      return this.#truth(this.#value(node.left)) && this.#truth(this.#value(node.right)) ? 1 : 0;
    if (node.operator === '||')
      return this.#truth(this.#value(node.left)) || this.#truth(this.#value(node.right)) ? 1 : 0;
    const left = this.#value(node.left);
    const right = this.#value(node.right);
    switch (node.operator) {
      case ' ':
        return this.#string(left) + this.#string(right);
      case '<':
        return this.#compare(left, right) < 0 ? 1 : 0;
      case '<=':
        return this.#compare(left, right) <= 0 ? 1 : 0;
      case '==':
        return this.#compare(left, right) === 0 ? 1 : 0;
      case '!=':
        return this.#compare(left, right) !== 0 ? 1 : 0;
      case '>':
        return this.#compare(left, right) > 0 ? 1 : 0;
      case '>=':
        return this.#compare(left, right) >= 0 ? 1 : 0;
      default:
        return arithmetic(node.operator, this.#number(left), this.#number(right));
    }
  }

  #invoke(node: AwkExpression & { kind: 'call' }): Cell {
    const { args, name } = node;
    const { budget } = this.#call.shell;
    const text = (i: number, otherwise = '') => {
      const value = args[i] === undefined ? otherwise : this.#string(this.#value(args[i]));
      budget.look(value.length * 4);
      return value;
    };
    const number = (i: number) => (args[i] === undefined ? 0 : this.#number(this.#value(args[i])));
    const regex = (i: number) => this.#regexOf(args[i]?.kind === 'regex' ? args[i].source : text(i));
    switch (name) {
      case 'length': {
        const first = args[0];
        if (
          first?.kind === 'variable' &&
          (this.#arrays.has(first.name) || this.#locals?.get(first.name) instanceof Map)
        )
          return this.#array(first.name).size;
        return text(0, this.#fields[0]).length;
      }
      case 'substr': {
        const source = text(0);
        const from = Math.round(number(1));
        const to = args[2] === undefined ? Number.POSITIVE_INFINITY : from + Math.round(number(2));
        return source.slice(Math.max(from, 1) - 1, Math.max(0, Math.min(to - 1, source.length)));
      }
      case 'index':
        return text(0).indexOf(text(1)) + 1;
      case 'tolower':
        return text(0).replace(/[A-Z]+/g, (run) => run.toLowerCase());
      case 'toupper':
        return text(0).replace(/[a-z]+/g, (run) => run.toUpperCase());
      case 'int':
        return Math.trunc(number(0));
      case 'sqrt':
        return Math.sqrt(number(0));
      case 'exp':
        return Math.exp(number(0));
      case 'log':
        return Math.log(number(0));
      case 'sin':
        return Math.sin(number(0));
      case 'cos':
        return Math.cos(number(0));
      case 'sprintf':
        return this.#format(
          text(0),
          args.slice(1).map((arg) => this.#string(this.#value(arg))),
        );
      case 'split': {
        const target = args[1];
        if (target?.kind !== 'variable') throw new AwkError('split needs an array');
        const separator = args[2] === undefined ? this.#string(this.#globals.get('FS')!) : undefined;
        const source = text(0);
        budget.scan(source.length);
        const pieces =
          separator !== undefined
            ? this.#split(source, separator)
            : args[2]!.kind === 'regex'
              ? source === ''
                ? []
                : this.#cut(source, regex(2))
              : this.#split(source, text(2));
        const array = this.#array(target.name);
        array.clear();
        for (const [i, piece] of pieces.entries()) array.set(String(i + 1), new Strnum(piece));
        return pieces.length;
      }
      case 'match': {
        const found = regex(1).exec(text(0), 0, budget);
        this.#globals.set('RSTART', found === undefined ? 0 : found[0]! + 1);
        this.#globals.set('RLENGTH', found === undefined ? -1 : found[1]! - found[0]!);
        return found === undefined ? 0 : found[0]! + 1;
      }
      case 'sub':
      case 'gsub': {
        const target: AwkExpression = args[2] ?? { kind: 'field', value: { kind: 'number', value: 0 } };
        const source = this.#string(this.#value(target));
        const replacement = text(1);
        const pattern = regex(0);
        let out = '';
        let at = 0;
        let count = 0;
        for (let from = 0; from <= source.length; ) {
          const found = pattern.exec(source, from, budget);
          if (found === undefined) break;
          const [start, end] = found as [number, number];
          if (
            start === end &&
            start === at &&
            count > 0 &&
            at > 0 &&
            source[at - 1] !== undefined &&
            from === at &&
            out !== '' &&
            start < source.length
          ) {
            from++;
            continue;
          }
          count++;
          budget.spend();
          out +=
            source.slice(at, start) +
            replacement.replace(/\\\\|\\&|&/g, (code) => (code === '&' ? source.slice(start, end) : code[1]!));
          at = end;
          from = end > start ? end : end + 1;
          if (name === 'sub') break;
        }
        if (count > 0) this.#set(target, out + source.slice(at));
        return count;
      }
      case 'close':
      case 'fflush':
        return 0;
      case 'system':
      case 'srand':
      case 'rand':
      case 'systime':
        throw new AwkError(`${name}() is not known here`);
      default:
        return this.#function(name, args);
    }
  }

  #function(name: string, args: readonly AwkExpression[]): Cell {
    const definition = this.#program.functions.get(name);
    if (definition === undefined) throw new AwkError(`function ${name} is not defined`);
    const locals = new Map<string, Cell | Map<string, Cell>>();
    for (const [i, parameter] of definition.parameters.entries()) {
      const arg = args[i];
      const array =
        arg?.kind === 'variable' &&
        (this.#locals?.get(arg.name) instanceof Map || (!this.#locals?.has(arg.name) && this.#arrays.has(arg.name)));
      locals.set(
        parameter,
        arg === undefined ? new Strnum('') : array ? this.#array((arg as { name: string }).name) : this.#value(arg),
      );
    }
    const before = this.#locals;
    return this.#call.shell.budget.deeper(() => {
      this.#locals = locals;
      try {
        this.#block(definition.body);
      } catch (error) {
        if (!(error instanceof Leave) || error.kind !== 'return') throw error;
        return error.value;
      } finally {
        this.#locals = before;
      }
      return '';
    });
  }
}

function arithmetic(operator: string, a: number, b: number): number {
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

function awk(call: Call): number {
  const given = options(call.args, '+F:v:f:W:', 'field-separator= assign= file=');
  const operands = [...given.operands];
  const sources = [...(given.values.get('f') ?? []), ...(given.values.get('file') ?? [])].map((path) =>
    call.read(path),
  );
  const text = sources.length > 0 ? sources.join('\n') : operands.shift();
  if (text === undefined) return call.fail('usage: awk [-F fs] program [file ...]', 2);
  try {
    const run = new Awk(call, parseAwk(text, call.shell.budget));
    const separator = given.last('F', 'field-separator');
    if (separator !== undefined) run.assign('FS', separator === 't' ? '\t' : separator.replaceAll('\\t', '\t'));
    for (const one of [...(given.values.get('v') ?? []), ...(given.values.get('assign') ?? [])])
      run.assign(
        one.slice(0, one.indexOf('=')),
        one
          .slice(one.indexOf('=') + 1)
          .replaceAll('\\n', '\n')
          .replaceAll('\\t', '\t'),
      );
    return run.run(operands);
  } catch (error) {
    if (error instanceof AwkError || error instanceof RegexError) return call.fail(error.message, 2);
    throw error;
  }
}

/** The pattern scanner. */
export const AWK_COMMANDS: Readonly<Record<string, Command>> = { awk, gawk: awk, mawk: awk, 'original-awk': awk };
