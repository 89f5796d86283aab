import type { Call, Command } from '../command.ts';
import type { Taken } from '../given.ts';
import { type Regex, RegexError } from '../regex.ts';
import { linesOf } from './lines.ts';
import { type Address, type Instruction, parseSed, SedError, type Substitution } from './sed-parser.ts';

class Sed {
  readonly #call: Call;
  readonly #program: readonly Instruction[];
  readonly #quiet: boolean;
  readonly #written = new Map<string, string>();
  #lastRegex: Regex | undefined;
  #hold = '';
  out = '';
  status = 0;

  constructor(call: Call, program: readonly Instruction[], quiet: boolean) {
    this.#call = call;
    this.#program = program;
    this.#quiet = quiet;
  }

  /** Runs the program over a text; true when it executed `q`. */
  run(text: string): boolean {
    const lines = linesOf(text);
    const unended = text !== '' && !text.endsWith('\n');
    const { budget } = this.#call.shell;
    let next = 0;
    let space = '';
    let restart = false;
    const emit = (line: string, last: boolean) => {
      this.out += last && unended ? line : `${line}\n`;
      budget.length(this.out.length);
    };
    for (;;) {
      if (!restart) {
        if (next >= lines.length) return false;
        space = lines[next++]!;
      }
      budget.spend();
      restart = false;
      const queue: string[] = [];
      let substituted = false;
      let deleted = false;
      let quit = false;
      const ends = () => {
        if (!deleted && !this.#quiet) emit(space, next >= lines.length && queue.length === 0);
        for (const piece of queue) this.out += piece;
      };
      for (let pc = 0; pc < this.#program.length; pc++) {
        budget.look(0);
        const one = this.#program[pc]!;
        if (this.#selects(one, space, next, next >= lines.length) === one.negated) {
          if (one.letter === '{') pc = one.end - 1;
          continue;
        }
        const jump = (to: number) => {
          pc = to - 1;
        };
        switch (one.letter) {
          case 's': {
            const made = this.#substitute(one.substitution!, space);
            if (made === undefined) break;
            space = made;
            substituted = true;
            if (one.substitution!.print) emit(space, false);
            if (one.substitution!.file !== undefined) this.#save(one.substitution!.file, space);
            break;
          }
          case 'y': {
            const half = one.text.length / 2;
            budget.scan(space.length * 8);
            space = [...space]
              .map((c) =>
                one.text.indexOf(c) >= 0 && one.text.indexOf(c) < half ? one.text[half + one.text.indexOf(c)]! : c,
              )
              .join('');
            break;
          }
          case 'd':
            deleted = true;
            break;
          case 'D':
            deleted = true;
            budget.look(space.length);
            if (space.includes('\n')) {
              space = space.slice(space.indexOf('\n') + 1);
              restart = true;
            }
            break;
          case 'p':
            emit(space, false);
            break;
          case 'P':
            budget.scan(space.length);
            emit(space.split('\n')[0]!, false);
            break;
          case 'n':
            if (next >= lines.length) {
              quit = true;
              break;
            }
            if (!this.#quiet) emit(space, false);
            space = lines[next++]!;
            break;
          case 'N':
            if (next >= lines.length) {
              quit = true;
              break;
            }
            space += `\n${lines[next++]}`;
            budget.length(space.length);
            break;
          case 'g':
            space = this.#hold;
            break;
          case 'G':
            space += `\n${this.#hold}`;
            budget.length(space.length);
            break;
          case 'h':
            this.#hold = space;
            break;
          case 'H':
            this.#hold += `\n${space}`;
            budget.length(this.#hold.length);
            break;
          case 'x':
            [space, this.#hold] = [this.#hold, space];
            break;
          case 'z':
            space = '';
            break;
          case '=':
            this.out += `${next}\n`;
            break;
          case 'a':
            queue.push(one.text);
            break;
          case 'i':
            this.out += one.text;
            break;
          case 'c':
            deleted = true;
            if (one.to === undefined || !one.active || one.negated) this.out += one.text;
            break;
          case 'r': {
            const inode = this.#call.files.find(one.text);
            if (inode !== undefined && inode.kind !== 'directory') queue.push(this.#call.files.readInode(inode));
            break;
          }
          case 'w':
            this.#save(one.text, space);
            break;
          case 'b':
            jump(one.end);
            break;
          case 't':
            if (substituted) jump(one.end);
            substituted = false;
            break;
          case 'T':
            if (!substituted) jump(one.end);
            substituted = false;
            break;
          case 'q':
          case 'Q':
            quit = true;
            deleted ||= one.letter === 'Q';
            this.status = Number(one.text || 0);
        }
        if (deleted || quit) break;
      }
      ends();
      if (quit) return true;
    }
  }

  #save(path: string, line: string): void {
    if (path === '/dev/stdout') {
      this.out += `${line}\n`;
      return;
    }
    const text = `${this.#written.get(path) ?? ''}${line}\n`;
    this.#written.set(path, text);
    this.#call.files.write(path, text);
  }

  #matches(address: Address, space: string, line: number, last: boolean): boolean {
    switch (address.kind) {
      case 'line':
        return address.line === line;
      case 'last':
        return last;
      case 'step':
        return address.step === 0
          ? line === address.first
          : line >= address.first && (line - address.first) % address.step === 0;
      case 'regex':
        return this.#regex(address.regex).test(space, this.#call.shell.budget);
      case 'plus':
        return false;
    }
  }

  #regex(regex: Regex | undefined): Regex {
    if (regex !== undefined) this.#lastRegex = regex;
    if (this.#lastRegex === undefined) throw new SedError('no previous regular expression');
    return this.#lastRegex;
  }

  #selects(one: Instruction, space: string, line: number, last: boolean): boolean {
    const { from, to } = one;
    if (from === undefined) return true;
    if (to === undefined) return this.#matches(from, space, line, last);
    if (one.active) {
      if (to.kind === 'line' || to.kind === 'plus') {
        if (line >= one.until) one.active = false;
        return line <= one.until;
      }
      if (this.#matches(to, space, line, last)) one.active = false;
      return true;
    }
    const zero = from.kind === 'line' && from.line === 0;
    if (!(zero && line === 1 && one.until === 0) && !this.#matches(from, space, line, last)) return false;
    one.until = to.kind === 'line' ? to.line : to.kind === 'plus' ? line + to.count : line;
    if (zero) {
      one.until = 1;
      one.active = !this.#matches(to, space, line, last);
    } else one.active = to.kind === 'line' || to.kind === 'plus' ? one.until > line : !(to.kind === 'last' && last);
    return true;
  }

  #substitute(what: Substitution, space: string): string | undefined {
    const regex = this.#regex(what.regex);
    const { budget } = this.#call.shell;
    let out = '';
    let at = 0;
    let count = 0;
    let changed = false;
    for (let from = 0; from <= space.length; ) {
      const found = regex.exec(space, from, budget);
      if (found === undefined) break;
      const [start, end] = found as [number, number];
      // an empty match right after the last one is not a match
      if (start === end && count > 0 && start === at && from > start - 1 && at > 0 && start < from) break;
      count++;
      budget.spend();
      if (count >= what.nth) {
        out += space.slice(at, start) + this.#fill(what, space, found);
        at = end;
        changed = true;
        budget.length(out.length);
        if (!what.global) break;
      }
      if (end > start) from = end;
      else {
        from = end + 1;
        if (changed && at < from) {
          out += space.slice(at, from);
          at = Math.min(from, space.length);
        }
        continue;
      }
      // after a match, an empty one at the same place does not count
      const again = regex.exec(space, from, budget);
      if (again !== undefined && again[0] === again[1] && again[0] === from) {
        if (changed) {
          out += space.slice(at, from + 1);
          at = Math.min(from + 1, space.length);
        }
        from++;
      }
    }
    return changed ? out + space.slice(at) : undefined;
  }

  #fill(what: Substitution, space: string, found: readonly number[]): string {
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
}

const upper = (text: string) => text.replace(/[a-z]+/g, (run) => run.toUpperCase());
const lower = (text: string) => text.replace(/[A-Z]+/g, (run) => run.toLowerCase());

/** -i takes its suffix only when written together. */
const SED: Taken = {
  known:
    'n,quiet,silent e,expression= f,file= E,regexp-extended r i,in-place=? s,separate z,null-data u,unbuffered l,line-length= posix follow-symlinks b,binary',
  missing: 'debug sandbox',
};

function sed(call: Call): number {
  const given = call.parse(SED);
  const operands = [...given.operands];
  const sources = given.order.flatMap(({ name, value }) =>
    name === 'e' ? [value] : name === 'f' ? [call.read(value).replace(/\n$/, '')] : [],
  );
  if (sources.length === 0) {
    const first = operands.shift();
    if (first === undefined) return call.fail('no script specified', 1);
    sources.push(first);
  }
  const inPlace = given.last('i');
  const quiet = given.has('n') || sources[0]!.startsWith('#n\n');
  try {
    const text = sources.join('\n');
    const program = () => parseSed(text, given.has('E', 'r'), call.shell.budget);
    let status = 0;
    if (inPlace !== undefined || given.has('s')) {
      for (const path of operands) {
        const sed = new Sed(call, program(), quiet);
        const done = call.attempt(path, () => {
          const before = call.files.read(path);
          sed.run(before);
          if (inPlace === undefined) return call.out(sed.out);
          if (inPlace !== '')
            call.shell.invoke([
              'cp',
              '-p',
              path,
              inPlace.includes('*') ? path.replace(/[^/]*$/, (name) => inPlace.replaceAll('*', name)) : path + inPlace,
            ]);
          const inode = call.files.open(path);
          call.shell.budget.write(sed.out.length);
          if (inode !== undefined) call.files.fill(inode, sed.out);
        });
        if (!done) status = 4;
      }
      return status;
    }
    const sed = new Sed(call, program(), quiet);
    let input = '';
    for (const path of operands.length === 0 ? ['-'] : operands)
      if (!call.attempt(path, () => (input += (input === '' || input.endsWith('\n') ? '' : '\n') + call.read(path))))
        status = 2;
    sed.run(input);
    call.out(sed.out);
    return sed.status || status;
  } catch (error) {
    if (error instanceof SedError || error instanceof RegexError)
      return call.fail(`-e expression: ${error.message}`, 1);
    throw error;
  }
}

/** The stream editor. */
export const SED_COMMANDS: Readonly<Record<string, Command>> = { sed };
