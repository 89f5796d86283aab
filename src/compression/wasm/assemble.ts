import { MEMORY, PLAIN, TYPE, VARIABLE } from './opcodes.ts';

/**
 * Assembles WebAssembly from its text format, so that code in it is in the repository as people read it. Of the format it
 * knows what our code needs: functions, one memory, mutable globals, instructions in folded form `(op operand…)`.
 */

type Form = string | readonly Form[];

const SECTION = { type: 1, function: 3, memory: 5, global: 6, export: 7, code: 10 };
const KIND: Readonly<Record<string, number>> = { func: 0, memory: 2, global: 3 };
const END = 0x0b;
const EMPTY_BLOCK = 0x40;

/** The module whose text is given, in its binary form. Throws a `SyntaxError` for what is not known. */
export function assemble(text: string): Uint8Array<ArrayBuffer> {
  const [module, ...rest] = parse(text);
  if (!isList(module) || module[0] !== 'module' || rest.length > 0) throw new SyntaxError('one (module …) is expected');
  const fields = module.slice(1).map(list);
  const named = (kind: string) => fields.filter((field) => field[0] === kind);
  const functions = named('func').map((field) => new Code(field));
  const globals = named('global');
  const names = {
    functions: new Map(functions.map((code, i) => [code.name, i])),
    globals: new Map(globals.map((field, i) => [word(field[1]), i])),
  };
  const exports: number[][] = [];
  const types = new Map(functions.map((code) => [String(code.type()), code.type()]));
  const numbers = [...types.keys()];
  const memories = named('memory').map((field) => [0, ...unsigned(number(field.at(-1)))]);
  const initial = globals.map((field) => [
    ...valueType(list(field.find((form) => isList(form) && form[0] === 'mut'))[1]),
    1,
    ...constant(list(field.at(-1))),
    END,
  ]);
  const seen: Record<string, number> = {};
  for (const field of fields) {
    const kind = word(field[0]);
    const index = seen[kind] ?? 0;
    seen[kind] = index + 1;
    for (const form of field)
      if (isList(form) && form[0] === 'export') exports.push([...name(word(form[1])), KIND[kind]!, ...unsigned(index)]);
  }
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(SECTION.type, [...types.values()]),
    ...section(
      SECTION.function,
      functions.map((code) => unsigned(numbers.indexOf(String(code.type())))),
    ),
    ...section(SECTION.memory, memories),
    ...section(SECTION.global, initial),
    ...section(SECTION.export, exports),
    ...section(
      SECTION.code,
      functions.map((code) => code.assembled(names)),
    ),
  ]);
}

/** Names of a module, with their numbers. */
interface Names {
  readonly functions: ReadonlyMap<string, number>;
  readonly globals: ReadonlyMap<string, number>;
}

/** A function. */
class Code {
  readonly name: string;
  readonly parameters: number[][] = [];
  readonly results: number[][] = [];
  private readonly locals = new Map<string, number>();
  private readonly types: number[] = [];
  private readonly body: Form[] = [];
  private readonly labels: string[] = [];
  private names: Names = { functions: new Map(), globals: new Map() };

  constructor(field: readonly Form[]) {
    this.name = word(field[1]);
    for (const form of field.slice(2)) {
      const kind = isList(form) ? form[0] : undefined;
      if (kind === 'export') continue;
      if (kind === 'param') this.parameters.push(this.declare(list(form)));
      else if (kind === 'local') this.types.push(...this.declare(list(form)));
      else if (kind === 'result') this.results.push(valueType(list(form)[1]));
      else this.body.push(form);
    }
  }

  private declare(form: readonly Form[]): number[] {
    this.locals.set(word(form[1]), this.locals.size);
    return valueType(form[2]);
  }

  type(): number[] {
    return [0x60, ...vector(this.parameters), ...vector(this.results)];
  }

  /** The function as the section of code has it. */
  assembled(names: Names): number[] {
    this.names = names;
    const runs: [count: number, type: number][] = [];
    for (const type of this.types) {
      const last = runs.at(-1);
      if (last?.[1] === type) last[0]++;
      else runs.push([1, type]);
    }
    const locals = vector(runs.map(([count, type]) => [...unsigned(count), type]));
    const bytes = [...locals, ...this.sequence(this.body), END];
    return [...unsigned(bytes.length), ...bytes];
  }

  private sequence(forms: readonly Form[]): number[] {
    return forms.flatMap((form) => this.instruction(list(form)));
  }

  private instruction(form: readonly Form[]): number[] {
    const op = word(form[0]);
    const rest = form.slice(1);
    if (op in PLAIN) return [...this.sequence(rest), PLAIN[op]!];
    if (op.endsWith('.const')) return constant(form);
    if (op in VARIABLE) {
      const from = op.startsWith('local') ? this.locals : this.names.globals;
      return [...this.sequence(rest.slice(1)), VARIABLE[op]!, ...unsigned(numberOf(from, rest[0]))];
    }
    if (op in MEMORY) {
      const [opcode, alignment] = MEMORY[op]!;
      const offset = /^offset=(\d+)$/.exec(typeof rest[0] === 'string' ? rest[0] : '');
      const operands = this.sequence(offset === null ? rest : rest.slice(1));
      return [...operands, opcode, alignment, ...unsigned(Number(offset?.[1] ?? 0))];
    }
    switch (op) {
      case 'call':
        return [...this.sequence(rest.slice(1)), 0x10, ...unsigned(numberOf(this.names.functions, rest[0]))];
      case 'br':
        return [...this.sequence(rest.slice(1)), 0x0c, ...this.depth(rest[0])];
      case 'br_if':
        return [...this.sequence(rest.slice(1)), 0x0d, ...this.depth(rest[0])];
      case 'block':
      case 'loop':
        return [op === 'block' ? 0x02 : 0x03, EMPTY_BLOCK, ...this.nested(word(rest[0]), rest.slice(1)), END];
      case 'if':
        return this.condition(rest);
      case 'memory.copy':
        return [...this.sequence(rest), 0xfc, ...unsigned(10), 0, 0];
      case 'memory.fill':
        return [...this.sequence(rest), 0xfc, ...unsigned(11), 0];
    }
    throw new SyntaxError(`the instruction ${op} is not known`);
  }

  /** `(if [(result type)] condition (then …) [(else …)])` */
  private condition(forms: readonly Form[]): number[] {
    const first = list(forms[0]);
    const results = first[0] === 'result' ? valueType(first[1]) : [EMPTY_BLOCK];
    const [condition, yes, no] = forms.slice(first[0] === 'result' ? 1 : 0).map(list);
    const bytes = [...this.instruction(condition!), 0x04, ...results, ...this.nested('', yes!.slice(1))];
    if (no !== undefined) bytes.push(0x05, ...this.nested('', no.slice(1)));
    return [...bytes, END];
  }

  private nested(label: string, forms: readonly Form[]): number[] {
    this.labels.unshift(label);
    const bytes = this.sequence(forms);
    this.labels.shift();
    return bytes;
  }

  private depth(label: Form | undefined): number[] {
    const depth = this.labels.indexOf(word(label));
    if (depth < 0) throw new SyntaxError(`there is no label ${String(label)} here`);
    return unsigned(depth);
  }
}

function numberOf(names: ReadonlyMap<string, number>, form: Form | undefined): number {
  const found = names.get(word(form));
  if (found === undefined) throw new SyntaxError(`${word(form)} is not declared`);
  return found;
}

function constant(form: readonly Form[]): number[] {
  return [form[0] === 'i64.const' ? 0x42 : 0x41, ...signed(number(form[1]))];
}

function valueType(form: Form | undefined): number[] {
  const type = TYPE[word(form)];
  if (type === undefined) throw new SyntaxError(`the type ${word(form)} is not known`);
  return [type];
}

function section(id: number, items: readonly (readonly number[])[]): number[] {
  const bytes = vector(items);
  return [id, ...unsigned(bytes.length), ...bytes];
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function name(text: string): number[] {
  return vector([...text.slice(1, -1)].map((letter) => [letter.charCodeAt(0)]));
}

/** LEB128 of a number that is not negative. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let left = value >>> 0;
  for (; left > 127; left >>>= 7) bytes.push((left & 127) | 128);
  return [...bytes, left];
}

/** LEB128 of a 32-bit number with its sign. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  let left = value | 0;
  for (; left < -64 || left > 63; left >>= 7) bytes.push((left & 127) | 128);
  return [...bytes, left & 127];
}

function isList(form: Form | undefined): form is readonly Form[] {
  return form !== undefined && typeof form !== 'string';
}

function list(form: Form | undefined): readonly Form[] {
  if (!isList(form)) throw new SyntaxError(`a list is expected instead of ${String(form)}`);
  return form;
}

function word(form: Form | undefined): string {
  if (typeof form !== 'string') throw new SyntaxError(`a word is expected instead of ${JSON.stringify(form)}`);
  return form;
}

function number(form: Form | undefined): number {
  const value = Number(word(form));
  if (!Number.isInteger(value)) throw new SyntaxError(`a number is expected instead of ${String(form)}`);
  return value;
}

/** Reads S-expressions; `;;` begins a comment. */
function parse(text: string): Form[] {
  const open: Form[][] = [[]];
  for (const [token] of text.replace(/;;.*/g, '').matchAll(/[()]|"[^"]*"|[^\s()"]+/g)) {
    if (token === '(') open.push([]);
    else if (token !== ')') open.at(-1)!.push(token);
    else {
      const closed = open.pop()!;
      if (open.length === 0) throw new SyntaxError('a ) without its (');
      open.at(-1)!.push(closed);
    }
  }
  if (open.length !== 1) throw new SyntaxError('a ( without its )');
  return open[0]!;
}
