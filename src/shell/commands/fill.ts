import { withoutEnding } from '../../bytes/ending.ts';
import type { Call, Command } from '../command.ts';
import type { Taken } from '../given.ts';
import type { Budget } from '../limits.ts';

const FMT: Taken = {
  known: 'c,crown-margin t,tagged-paragraph s,split-only u,uniform-spacing p,prefix= w,width= g,goal=',
};
/** Paragraphs with more words or bytes than this are filled in parts, as GNU does. */
const MOST_WORDS = 998;
const MOST_BYTES = 5000;

/** A word with what decides on breaks around it. */
interface Word {
  readonly text: string;
  /** Blanks after it, when the next word is on the same line. */
  space: number;
  /** It ends with a full stop, a question mark or an exclamation mark. */
  readonly stop: boolean;
  /** It ends a sentence. */
  final: boolean;
  readonly opens: boolean;
  readonly punctuation: boolean;
  /** The first word of the next line, its line's length, and the cost of all from here. */
  next: number;
  length: number;
  cost: number;
}

/** A line of the input, with the columns at which its prefix and its text begin. */
interface Line {
  readonly indent: number;
  readonly column: number;
  /** What follows the prefix; undefined when the prefix is not there. */
  readonly text: string | undefined;
  /** What follows the part of the prefix that matched. */
  readonly rest: string;
  /** It had a line end. */
  readonly ended: boolean;
}

const square = (n: number) => n * n;
/** How much worse a line gets that is `n` columns away from the goal. */
const away = (n: number) => square(n * 10);
/** The same for two lines whose lengths differ by `n`. */
const ragged = (n: number) => away(n) / 2;

/** How a call of `fmt` fills. */
interface Style {
  readonly kind: 'plain' | 'crown' | 'tagged' | 'split';
  readonly uniform: boolean;
  readonly width: number;
  readonly goal: number;
  readonly prefix: string;
  /** Blanks before the prefix as given, and its length with the blanks after it. */
  readonly lead: number;
  readonly full: number;
}

/** Fills the paragraphs of one file. */
class Filler {
  readonly #style: Style;
  readonly #budget: Budget;
  readonly #lines: readonly Line[];
  #tabs = false;
  #at = 0;
  out = '';
  #column = 0;
  // of the present paragraph
  #words: Word[] = [];
  #bytes = 0;
  #first = 0;
  #other = 0;
  #prefixAt = 0;
  #last = 0;

  constructor(text: string, style: Style, budget: Budget) {
    this.#style = style;
    this.#budget = budget;
    const pieces = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
    this.#lines = pieces.map((piece) => this.#line(piece));
  }

  /** Fills everything and returns it. */
  run(): string {
    while (this.#at < this.#lines.length) {
      const line = this.#lines[this.#at]!;
      if (this.#fills(line)) this.#paragraph();
      else {
        this.#copy(line);
        this.#at++;
      }
    }
    return this.out;
  }

  /** Reads blanks from `at`: where they end, and the column there. */
  #blanks(text: string, at: number, column: number): readonly [number, number] {
    let [to, wide] = [at, column];
    for (; text[to] === ' ' || text[to] === '\t'; to++) {
      if (text[to] === '\t') this.#tabs = true;
      wide = text[to] === ' ' ? wide + 1 : (Math.floor(wide / 8) + 1) * 8;
    }
    return [to, wide];
  }

  #line(piece: string): Line {
    const ended = piece.endsWith('\n');
    const text = ended ? piece.slice(0, -1) : piece;
    const { prefix, lead } = this.#style;
    this.#budget.scan(piece.length * 2);
    const [start, column] = this.#blanks(text, 0, 0);
    if (prefix === '')
      return { indent: Math.min(lead, column), column, text: text.slice(start), rest: text.slice(start), ended };
    let n = 0;
    while (n < prefix.length && text[start + n] === prefix[n]) n++;
    if (n < prefix.length)
      return { indent: column, column: column + n, text: undefined, rest: text.slice(start + n), ended };
    const [body, at] = this.#blanks(text, start + n, column + n);
    return { indent: column, column: at, text: text.slice(body), rest: text.slice(body), ended };
  }

  /** True for a line that belongs to a paragraph. */
  #fills({ text, indent, column }: Line): boolean {
    return text !== undefined && text !== '' && indent >= this.#style.lead && column >= indent + this.#style.full;
  }

  /** A line that is not filled is printed as it is, without blanks at its end if it is blank. */
  #copy({ indent, column, rest, ended }: Line): void {
    this.#column = 0;
    if (column > indent || rest !== '') {
      this.#space(indent);
      const { prefix } = this.#style;
      const shown = prefix.slice(0, Math.max(0, column - this.#column));
      this.out += shown;
      this.#column += shown.length;
      if (rest !== '') this.#space(column - this.#column);
      else if (!ended && column >= indent + prefix.length) this.out += '\n';
    }
    this.out += rest;
    if (ended) this.out += '\n';
  }

  #same(line: Line | undefined): line is Line {
    return (
      line !== undefined &&
      line.text !== undefined &&
      line.text !== '' &&
      line.indent === this.#prefixAt &&
      line.column >= line.indent + this.#style.full
    );
  }

  #paragraph(): void {
    const { kind } = this.#style;
    const first = this.#lines[this.#at++]!;
    this.#words = [];
    this.#bytes = 0;
    this.#last = 0;
    this.#prefixAt = first.indent;
    this.#first = first.column;
    const add = (line: Line) => this.#read(line);
    add(first);
    const next = () => this.#lines[this.#at];
    const take = () => {
      for (let line = next(); this.#same(line) && line.column === this.#other; line = next()) {
        this.#at++;
        add(line);
      }
    };
    const second = next();
    this.#indentOthers(this.#same(second) ? second.column : undefined);
    if (kind === 'plain') take();
    else if (kind !== 'split' && this.#same(second) && (kind === 'crown' || second.column !== this.#first)) {
      this.#at++;
      add(second);
      take();
    }
    const last = this.#words.at(-1);
    if (last !== undefined) last.final = true;
    this.#fill();
    this.#print(0, this.#words.length);
  }

  /** Decides on the indentation of all lines but the first; `column` is that of the next line of the paragraph. */
  #indentOthers(column: number | undefined): void {
    const { kind } = this.#style;
    if (kind === 'tagged') {
      if (column !== undefined && column !== this.#first) this.#other = column;
      else if (this.#other === this.#first) this.#other = this.#first === 0 ? 3 : 0;
    } else this.#other = kind === 'crown' && column !== undefined ? column : this.#first;
  }

  #read(line: Line): void {
    let column = line.column;
    for (const match of line.text!.matchAll(/([^ \t][^ \t\v\f\r]*)([ \t]*)/g)) {
      const [, text = '', blanks = ''] = match;
      if (this.#bytes + text.length > MOST_BYTES || this.#words.length >= MOST_WORDS) this.#flush(column);
      column += text.length;
      const [, after] = this.#blanks(blanks, 0, column);
      const bare = text.replace(/[)\]'"]+$/, '');
      const stop = /[.?!]$/.test(bare);
      const end = match.index + match[0].length >= line.text!.length;
      const final = (end && (stop || (!line.ended && end))) || (stop && after - column > 1);
      this.#words.push({
        text,
        stop,
        final,
        ...{ opens: /^[(['`"]/.test(text), punctuation: /[!-/:-@[-`{-~]$/.test(text) },
        space: end || this.#style.uniform ? (final ? 2 : 1) : after - column,
        ...{ next: 0, length: 0, cost: 0 },
      });
      this.#bytes += text.length;
      column = after;
    }
  }

  /** Prints the part of a very long paragraph whose break is the best one, and keeps the others. */
  #flush(column: number): void {
    this.#indentOthers(column);
    const words = this.#words;
    if (words.length === 0) return;
    this.#fill();
    let split = words.length;
    let best = Number.POSITIVE_INFINITY;
    for (let at = words[0]!.next; at < words.length; at = words[at]!.next) {
      const word = words[at]!;
      const cost = word.cost - (words[word.next]?.cost ?? 0);
      if (cost < best) {
        split = at;
        best = cost;
      }
      // later breaks are preferred a little
      if (best < Number.POSITIVE_INFINITY) best += 9;
    }
    this.#print(0, split);
    this.#words = words.slice(split);
    this.#bytes = this.#words.reduce((sum, { text }) => sum + text.length, 0);
  }

  /** Chooses the breaks with the least cost, from the last word to the first. */
  #fill(): void {
    const words = this.#words;
    const { width, goal } = this.#style;
    for (let start = words.length - 1; start >= 0; start--) {
      const word = words[start]!;
      let best = Number.POSITIVE_INFINITY;
      let length = (start === 0 ? this.#first : this.#other) + word.text.length;
      for (let next = start + 1; ; next++) {
        this.#budget.spend();
        let cost = 0;
        if (next < words.length) {
          cost = away(goal - length) + words[next]!.cost;
          if (words[next]!.next < words.length) cost += ragged(length - words[next]!.length);
        }
        if (start === 0 && this.#last > 0) cost += ragged(length - this.#last);
        if (cost < best) {
          best = cost;
          word.next = next;
          word.length = length;
        }
        if (next === words.length) break;
        length += words[next - 1]!.space + words[next]!.text.length;
        if (length >= width) break;
      }
      word.cost = best + this.#breakCost(start);
    }
  }

  /** The cost of a line that begins with this word, whatever its length. */
  #breakCost(at: number): number {
    const word = this.#words[at]!;
    const before = this.#words[at - 1];
    let cost = square(70);
    if (before !== undefined) {
      if (before.stop) cost += before.final ? -square(50) : square(600);
      else if (before.punctuation) cost -= square(40);
      else if (this.#words[at - 2]?.final === true) cost += Math.floor(square(200) / (before.text.length + 2));
    }
    if (word.opens) cost -= square(40);
    else if (word.final) cost += Math.floor(square(150) / (word.text.length + 2));
    return cost;
  }

  #print(from: number, to: number): void {
    for (let at = from; at < to; at = this.#words[at]!.next) {
      this.#column = 0;
      this.#space(this.#prefixAt);
      this.out += this.#style.prefix;
      this.#column += this.#style.prefix.length;
      this.#space((at === 0 ? this.#first : this.#other) - this.#column);
      const end = this.#words[at]!.next;
      for (let i = at; i < end; i++) {
        const word = this.#words[i]!;
        this.out += word.text;
        this.#column += word.text.length;
        if (i < end - 1) this.#space(word.space);
      }
      this.#last = this.#column;
      this.out += '\n';
      this.#budget.length(this.out.length, 'the output of a command');
    }
  }

  /** Blanks; tabs among them if the input had tabs. */
  #space(count: number): void {
    const target = this.#column + Math.max(0, count);
    const stop = Math.floor(target / 8) * 8;
    if (this.#tabs && this.#column + 1 < stop)
      while (this.#column < stop) {
        this.out += '\t';
        this.#column = (Math.floor(this.#column / 8) + 1) * 8;
      }
    if (this.#column < target) this.out += ' '.repeat(target - this.#column);
    this.#column = target;
  }
}

function fmt(call: Call): number {
  // the width may be the first argument
  const first = /^-([0-9]+)$/.exec(call.args[0] ?? '');
  const given = call.parse(FMT, first === null ? call.args : ['-w', first[1]!, ...call.args.slice(1)]);
  const number = (name: string, most: number): number | undefined => {
    const text = given.last(name);
    return text !== undefined && /^\+?[0-9]+$/.test(text) && Number(text) <= most ? Number(text) : undefined;
  };
  let width = given.has('w') ? number('w', 2500) : 75;
  if (width === undefined) return call.fail(`invalid width: '${given.last('w')}'`);
  const goal = given.has('g') ? number('g', given.has('w') ? width : 75) : Math.floor((width * 187) / 200);
  if (goal === undefined) return call.fail(`invalid width: '${given.last('g')}'`);
  if (given.has('g') && !given.has('w')) width = goal + 10;
  const full = (given.last('p') ?? '').replace(/^ +/, '');
  const style: Style = {
    kind: given.has('s') ? 'split' : given.has('c') ? 'crown' : given.has('t') ? 'tagged' : 'plain',
    uniform: given.has('u'),
    width,
    goal,
    prefix: withoutEnding(full, ' '),
    lead: (given.last('p') ?? '').length - full.length,
    full: full.length,
  };
  let status = 0;
  for (const path of given.operands.length === 0 ? ['-'] : given.operands)
    if (!call.attempt(path, () => call.out(new Filler(call.read(path), style, call.shell.budget).run()))) status = 1;
  return status;
}

/** `fmt`. */
export const FILL_COMMANDS: Readonly<Record<string, Command>> = { fmt };
