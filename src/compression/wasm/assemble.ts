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

/** What every module of ours has. */
export interface Instance {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
}

/** The part of WebAssembly used here; TypeScript declares it only in the DOM library. */
declare const WebAssembly: {
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

/** Compiles a module, to be made instances of. */
export function compile(code: Uint8Array): object {
  return new WebAssembly.Module(code);
}

/** An instance of a module, or of its binary form, with a memory of its own. Its exports are what `E` says. */
export function instantiate<E extends Instance>(module: object): E {
  return new WebAssembly.Instance(module instanceof Uint8Array ? compile(module) : module).exports as E;
}

/**
 * The module whose text is given, in its binary form. In the bundled program the text is this form in base64 already, since a
 * thread would assemble longer than it runs the code. Throws a `SyntaxError` for what is not known.
 */
export function assemble(text: string): Uint8Array<ArrayBuffer> {
  if (/^[A-Za-z0-9+/]+=*$/.test(text)) return Uint8Array.from(Buffer.from(text, 'base64'));
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
    const bytes = vector(runs.map(([count, type]) => [...unsigned(count), type]));
    this.sequence(this.body, 0, bytes);
    bytes.push(END);
    return [...unsigned(bytes.length), ...bytes];
  }

  /** Appends the instructions of `forms`, from the one at `first` on, to `to`. */
  private sequence(forms: readonly Form[], first: number, to: number[]): void {
    for (let i = first; i < forms.length; i++) this.instruction(list(forms[i]), to);
  }

  private instruction(form: readonly Form[], to: number[]): void {
    const op = word(form[0]);
    const plain = PLAIN[op];
    if (plain !== undefined) {
      this.sequence(form, 1, to);
      to.push(plain);
      return;
    }
    if (op.endsWith('.const')) {
      to.push(...constant(form));
      return;
    }
    const variable = VARIABLE[op];
    if (variable !== undefined) {
      const from = op.startsWith('local') ? this.locals : this.names.globals;
      this.sequence(form, 2, to);
      to.push(variable, ...unsigned(numberOf(from, form[1])));
      return;
    }
    const memory = MEMORY[op];
    if (memory !== undefined) {
      const offset = /^offset=(\d+)$/.exec(typeof form[1] === 'string' ? form[1] : '');
      this.sequence(form, offset === null ? 1 : 2, to);
      to.push(...memory, ...unsigned(Number(offset?.[1] ?? 0)));
      return;
    }
    switch (op) {
      case 'call':
        this.sequence(form, 2, to);
        to.push(0x10, ...unsigned(numberOf(this.names.functions, form[1])));
        return;
      case 'br':
      case 'br_if':
        this.sequence(form, 2, to);
        to.push(op === 'br' ? 0x0c : 0x0d, ...this.depth(form[1]));
        return;
      case 'block':
      case 'loop':
        to.push(op === 'block' ? 0x02 : 0x03, EMPTY_BLOCK);
        this.nested(word(form[1]), form, 2, to);
        to.push(END);
        return;
      case 'if':
        this.condition(form, to);
        return;
      case 'memory.copy':
        this.sequence(form, 1, to);
        to.push(0xfc, ...unsigned(10), 0, 0);
        return;
      case 'memory.fill':
        this.sequence(form, 1, to);
        to.push(0xfc, ...unsigned(11), 0);
        return;
    }
    throw new SyntaxError(`the instruction ${op} is not known`);
  }

  /** `(if [(result type)] condition (then …) [(else …)])` */
  private condition(form: readonly Form[], to: number[]): void {
    const first = list(form[1]);
    const typed = first[0] === 'result';
    const [condition, yes, no] = form.slice(typed ? 2 : 1).map(list);
    this.instruction(condition!, to);
    to.push(0x04, ...(typed ? valueType(first[1]) : [EMPTY_BLOCK]));
    this.nested('', yes!, 1, to);
    if (no !== undefined) {
      to.push(0x05);
      this.nested('', no, 1, to);
    }
    to.push(END);
  }

  private nested(label: string, forms: readonly Form[], first: number, to: number[]): void {
    this.labels.push(label);
    this.sequence(forms, first, to);
    this.labels.pop();
  }

  private depth(label: Form | undefined): number[] {
    const at = this.labels.lastIndexOf(word(label));
    if (at < 0) throw new SyntaxError(`there is no label ${String(label)} here`);
    return unsigned(this.labels.length - 1 - at);
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

/** A section of the binary format; nothing where it would be empty. */
function section(id: number, items: readonly (readonly number[])[]): number[] {
  if (items.length === 0) return [];
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
  const top: Form[] = [];
  const open: Form[][] = [top];
  const token = /;;.*|[()]|"[^"]*"|[^\s()";]+/g;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [found] = match;
    if (found.startsWith(';;')) continue;
    if (found === '(') open.push([]);
    else if (found !== ')') open.at(-1)!.push(found);
    else {
      const closed = open.pop()!;
      if (open.length === 0) throw new SyntaxError('a ) without its (');
      open.at(-1)!.push(closed);
    }
  }
  if (open.length !== 1) throw new SyntaxError('a ( without its )');
  return top;
}
