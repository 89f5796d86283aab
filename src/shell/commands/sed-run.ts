import type { Call } from '../command.ts';
import type { Regex } from '../regex.ts';
import { type Line, type SedInput, SedOutput } from './sed-input.ts';
import { type Address, type Instruction, SedError, type Substitution } from './sed-parser.ts';

/** How a program is run. */
export interface SedOptions {
  readonly quiet: boolean;
  /** What ends a line. */
  readonly end: string;
  /** Where `l` breaks lines. */
  readonly width: number;
}

/** What an instruction does to the cycle. */
type Flow = 'next' | 'jump' | 'delete' | 'restart' | 'quit' | 'silent';

/** The state of a running program. */
export class Sed {
  readonly #call: Call;
  readonly #program: readonly Instruction[];
  readonly #options: SedOptions;
  readonly #files = new Map<string, { text: string[]; output: SedOutput }>();
  readonly #reads = new Map<string, string[]>();
  #lastRegex: Regex | undefined;
  #space = '';
  #ended = true;
  #hold = '';
  #holdEnded = true;
  #substituted = false;
  #queue: string[] = [];
  #pc = 0;
  status = 0;

  constructor(call: Call, program: readonly Instruction[], options: SedOptions) {
    this.#call = call;
    this.#program = program;
    this.#options = options;
    // files of w exist even when nothing is written
    for (const one of program) {
      const path = one.letter === 'w' || one.letter === 'W' ? one.text : one.substitution?.file;
      if (path !== undefined && !path.startsWith('/dev/std')) call.files.write(path, '');
    }
  }

  /** Runs the program over an input; true when it ended the program. */
  run(input: SedInput, output: SedOutput): boolean {
    const { budget } = this.#call.shell;
    for (const one of this.#program) one.active = false;
    let again = false;
    for (;;) {
      if (!again) {
        const line = input.next();
        if (line === undefined) return false;
        this.#take(line);
      }
      budget.spend();
      again = false;
      this.#substituted = false;
      const flow = this.#cycle(input, output);
      if (flow !== 'delete' && flow !== 'restart' && flow !== 'silent' && !this.#options.quiet) this.#print(output);
      this.#flush(output);
      if (flow === 'quit' || flow === 'silent') return true;
      again = flow === 'restart';
    }
  }

  #take({ text, ended }: Line): void {
    this.#space = text;
    this.#ended = ended;
  }

  #print(output: SedOutput): void {
    output.line(this.#space, this.#ended);
  }

  /** Writes what a, r and R have queued. */
  #flush(output: SedOutput): void {
    const queue = this.#queue;
    if (queue.length === 0) return;
    this.#queue = [];
    for (const piece of queue) {
      output.complete();
      output.raw(piece);
    }
  }

  #cycle(input: SedInput, output: SedOutput): Flow {
    const { budget } = this.#call.shell;
    for (this.#pc = 0; this.#pc < this.#program.length; this.#pc++) {
      budget.look(0);
      const one = this.#program[this.#pc]!;
      if (this.#selects(one, input) === one.negated) {
        if (one.letter === '{') this.#pc = one.end - 1;
        continue;
      }
      const flow = this.#edit(one) ?? this.#step(one, input, output);
      if (flow !== 'next') return flow;
    }
    return 'next';
  }

  /** Instructions that only change the two spaces; undefined for the others. */
  #edit(one: Instruction): Flow | undefined {
    const { budget } = this.#call.shell;
    switch (one.letter) {
      case 'y': {
        const half = one.text.length / 2;
        budget.scan(this.#space.length * 8);
        const to = new Map([...one.text.slice(0, half)].map((c, i) => [c, one.text[half + i]!]));
        this.#space = [...this.#space].map((c) => to.get(c) ?? c).join('');
        return 'next';
      }
      case 'g':
        this.#space = this.#hold;
        this.#ended = this.#holdEnded;
        return 'next';
      case 'G':
        this.#space += this.#options.end + this.#hold;
        this.#ended = this.#holdEnded;
        budget.length(this.#space.length);
        return 'next';
      case 'h':
        this.#hold = this.#space;
        this.#holdEnded = this.#ended;
        return 'next';
      case 'H':
        this.#hold += this.#options.end + this.#space;
        this.#holdEnded = this.#ended;
        budget.length(this.#hold.length);
        return 'next';
      case 'x':
        [this.#space, this.#hold] = [this.#hold, this.#space];
        [this.#ended, this.#holdEnded] = [this.#holdEnded, this.#ended];
        return 'next';
      case 'z':
        this.#space = '';
        return 'next';
      case 'd':
        return 'delete';
      case 'D': {
        const end = this.#space.indexOf(this.#options.end);
        budget.look(this.#space.length);
        if (end < 0) return 'delete';
        this.#space = this.#space.slice(end + 1);
        return 'restart';
      }
      case 'b':
        this.#pc = one.end - 1;
        return 'next';
      case 't':
      case 'T':
        if (this.#substituted === (one.letter === 't')) this.#pc = one.end - 1;
        this.#substituted = false;
        return 'next';
      case '{':
      case ':':
        return 'next';
      default:
        return undefined;
    }
  }

  /** Instructions that read or write. */
  #step(one: Instruction, input: SedInput, output: SedOutput): Flow {
    const { budget } = this.#call.shell;
    const { end, quiet } = this.#options;
    switch (one.letter) {
      case 's': {
        const what = one.substitution!;
        const made = this.#substitute(what);
        if (made === undefined) break;
        this.#space = made;
        this.#substituted = true;
        if (what.print) this.#print(output);
        if (what.file !== undefined) this.#save(what.file, this.#space, output);
        break;
      }
      case 'p':
        this.#print(output);
        break;
      case 'P': {
        const first = this.#space.indexOf(end);
        budget.look(this.#space.length);
        if (first < 0) this.#print(output);
        else output.line(this.#space.slice(0, first));
        break;
      }
      case 'l':
        output.raw(this.#listed(one.text === '' ? this.#options.width : Number(one.text)));
        break;
      case 'n':
      case 'N': {
        if (input.isLast) return 'quit';
        if (one.letter === 'n' && !quiet) this.#print(output);
        this.#flush(output);
        const before = this.#space;
        this.#take(input.next()!);
        if (one.letter === 'N') this.#space = before + end + this.#space;
        budget.length(this.#space.length);
        break;
      }
      case '=':
        output.raw(`${input.line}\n`);
        break;
      case 'F':
        output.raw(`${input.name}\n`);
        break;
      case 'a':
        this.#queue.push(one.text);
        break;
      case 'i':
        output.raw(one.text);
        break;
      case 'c':
        if (one.to === undefined || !one.active || one.negated) output.raw(one.text);
        return 'delete';
      case 'r':
        this.#queue.push(this.#fileText(one.text));
        break;
      case 'R':
        this.#queueLine(one.text);
        break;
      case 'w':
        this.#save(one.text, this.#space, output);
        break;
      case 'W':
        this.#save(one.text, this.#space.split(end)[0]!, output);
        break;
      case 'q':
      case 'Q':
        this.status = Number(one.text || 0);
        return one.letter === 'q' ? 'quit' : 'silent';
    }
    return 'next';
  }

  #fileText(path: string): string {
    if (path === '/dev/stdin') return this.#call.input();
    const inode = this.#call.files.find(path);
    return inode === undefined || inode.kind === 'directory' ? '' : this.#call.files.readInode(inode);
  }

  /** Queues the next line of a file, for R. */
  #queueLine(path: string): void {
    let lines = this.#reads.get(path);
    if (lines === undefined) {
      const text = this.#fileText(path);
      lines = (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n').reverse();
      if (text === '') lines = [];
      this.#reads.set(path, lines);
    }
    const line = lines.pop();
    if (line !== undefined) this.#queue.push(`${line}\n`);
  }

  /** Pattern space in an unambiguous form, in lines of `width` columns. */
  #listed(width: number): string {
    const codes: Readonly<Record<string, string>> = {
      ...{ '\\': '\\\\', '\x07': '\\a', '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\v': '\\v' },
    };
    this.#call.shell.budget.scan(this.#space.length * 8);
    let out = '';
    let column = 0;
    for (const c of this.#space) {
      const code = c.charCodeAt(0);
      const text = codes[c] ?? (code < 32 || code > 126 ? `\\${code.toString(8).padStart(3, '0')}` : c);
      if (width > 1 && column + text.length > width - 1) {
        out += '\\\n';
        column = 0;
      }
      out += text;
      column += text.length;
    }
    return `${out}$\n`;
  }

  #save(path: string, line: string, output: SedOutput): void {
    if (path === '/dev/stdout') return output.line(line);
    if (path === '/dev/stderr') return this.#call.shell.write(2, `${line}\n`);
    let file = this.#files.get(path);
    if (file === undefined) {
      const text: string[] = [];
      file = { text, output: new SedOutput((piece) => text.push(piece), this.#options.end) };
      this.#files.set(path, file);
    }
    this.#call.shell.budget.look(line.length + 256);
    file.output.line(line, this.#ended);
  }

  /** Writes the files of w. */
  finish(): void {
    for (const [path, { text }] of this.#files) this.#call.files.write(path, text.join(''));
  }

  // --- addresses

  #matches(address: Address, input: SedInput): boolean {
    switch (address.kind) {
      case 'line':
        return address.line === input.line;
      case 'last':
        return input.isLast;
      case 'step':
        return address.step === 0
          ? input.line === address.first
          : input.line >= address.first && (input.line - address.first) % address.step === 0;
      case 'regex':
        return this.#regex(address.regex).test(this.#space, this.#call.shell.budget);
      default:
        return false;
    }
  }

  #regex(regex: Regex | undefined): Regex {
    if (regex !== undefined) this.#lastRegex = regex;
    if (this.#lastRegex === undefined) throw new SedError('no previous regular expression');
    return this.#lastRegex;
  }

  #selects(one: Instruction, input: SedInput): boolean {
    const { from, to } = one;
    const { line } = input;
    if (from === undefined) return true;
    if (to === undefined) return this.#matches(from, input);
    // `0,/x/` is active before the first line
    const zero = from.kind === 'line' && from.line === 0;
    if (zero && line === 1 && one.until === 0) {
      one.active = true;
      one.until = 1;
    }
    const counted = to.kind === 'line' || to.kind === 'plus' || to.kind === 'multiple';
    if (one.active) {
      if (counted) {
        if (line >= one.until) one.active = false;
        return line <= one.until;
      }
      if (this.#matches(to, input)) one.active = false;
      return true;
    }
    if (!this.#matches(from, input)) return false;
    if (to.kind === 'line') one.until = to.line;
    else if (to.kind === 'plus') one.until = line + to.count;
    else if (to.kind === 'multiple') one.until = to.of > 0 ? Math.ceil(line / to.of) * to.of : line;
    one.active = counted ? one.until > line : true;
    return true;
  }

  // --- substitution

  #substitute(what: Substitution): string | undefined {
    const regex = this.#regex(what.regex);
    const { budget } = this.#call.shell;
    const space = this.#space;
    const pieces: string[] = [];
    let kept = 0;
    let length = 0;
    let seen = 0;
    let last = -1;
    for (let at = 0; at <= space.length; ) {
      const found = regex.exec(space, at, budget);
      if (found === undefined) break;
      const [start, end] = found as [number, number];
      budget.spend();
      // an empty match right after another match is none
      if (start === end && start === last) {
        at = end + 1;
        continue;
      }
      last = end;
      if (++seen >= what.nth) {
        const piece = filled(what, space, found);
        pieces.push(space.slice(kept, start), piece);
        length += start - kept + piece.length;
        budget.length(length);
        budget.look(piece.length);
        kept = end;
        if (!what.global) break;
      }
      at = end > start ? end : end + 1;
    }
    return pieces.length === 0 ? undefined : pieces.join('') + space.slice(kept);
  }
}

/** The replacement for one match. */
function filled(what: Substitution, space: string, found: readonly number[]): string {
  let out = '';
  let fold = '';
  let once = '';
  for (const piece of what.pieces) {
    if (typeof piece === 'object') {
      if (/[ul]/.test(piece.fold)) once = piece.fold;
      else fold = piece.fold === 'E' ? '' : piece.fold;
      continue;
    }
    let text =
      typeof piece === 'string'
        ? piece
        : (found[piece * 2] ?? -1) < 0
          ? ''
          : space.slice(found[piece * 2], found[piece * 2 + 1]);
    if (fold !== '') text = fold === 'U' ? upper(text) : lower(text);
    if (once !== '' && text !== '') {
      text = (once === 'u' ? upper(text[0]!) : lower(text[0]!)) + text.slice(1);
      once = '';
    }
    out += text;
  }
  return out;
}

const upper = (text: string) => text.replace(/[a-z]+/g, (run) => run.toUpperCase());
const lower = (text: string) => text.replace(/[A-Z]+/g, (run) => run.toLowerCase());
