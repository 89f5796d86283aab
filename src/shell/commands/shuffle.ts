import type { Call, Command } from '../command.ts';
import type { Taken } from '../given.ts';
import { linesOf } from './lines.ts';

const SHUF: Taken = {
  known: 'e,echo i,input-range= n,head-count= o,output= r,repeat random-source= z,zero-terminated',
};
/** Most lines of `-i`. */
const MOST_LINES = 1_000_000;

/** Thrown when the source of random bytes is too short. */
class SourceError extends Error {}

/** Numbers chosen by the bytes of a file, as GNU's programs choose them: no byte's information is lost. */
class Chooser {
  readonly #bytes: string;
  #at = 0;
  #number = 0n;
  #most = 0n;

  constructor(bytes: string) {
    this.#bytes = bytes;
  }

  /** A number below `choices`. */
  choose(choices: number): number {
    const wanted = BigInt(choices);
    for (;;) {
      while (this.#most < wanted - 1n) {
        if (this.#at >= this.#bytes.length) throw new SourceError();
        this.#number = (this.#number << 8n) + BigInt(this.#bytes.charCodeAt(this.#at++));
        this.#most = (this.#most << 8n) + 255n;
      }
      const number = this.#number;
      if (this.#most === wanted - 1n) {
        this.#number = this.#most = 0n;
        return Number(number);
      }
      // numbers in the last incomplete range would make the first choices likelier
      const excess = this.#most - (wanted - 1n);
      const unusable = excess % wanted;
      if (number <= this.#most - unusable) {
        this.#number = number / wanted;
        this.#most = excess / wanted;
        return Number(number % wanted);
      }
      this.#number = number % wanted;
      this.#most = unusable - 1n;
    }
  }
}

function shuf(call: Call): number {
  const given = call.parse(SHUF);
  const { budget } = call.shell;
  const source = given.last('random-source');
  if (source === undefined)
    return call.unsupported('shuf without --random-source: the same build must give the same guest');
  if (given.has('e') && given.has('i')) return call.fail('cannot combine -e and -i options');
  const counts = given.all('n').map((text) => (/^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN));
  if (counts.some(Number.isNaN)) return call.fail(`invalid line count: '${given.last('n')}'`);
  const end = given.has('z') ? '\0' : '\n';
  let lines: readonly string[];
  if (given.has('e')) lines = given.operands;
  else if (given.has('i')) {
    const range = /^([0-9]{1,15})-([0-9]{1,15})$/.exec(given.last('i')!);
    const [from, to] = [Number(range?.[1]), Number(range?.[2])];
    if (range === null || from > to + 1) return call.fail(`invalid input range: '${given.last('i')}'`);
    if (given.operands.length > 0) return call.fail(`extra operand '${given.operands[0]}'`);
    if (to - from >= MOST_LINES) return call.unsupported(`shuf -i ${given.last('i')}`);
    lines = Array.from({ length: to - from + 1 }, (_, i) => String(from + i));
  } else {
    if (given.operands.length > 1) return call.fail(`extra operand '${given.operands[1]}'`);
    lines = linesOf(call.read(given.operands[0] ?? '-'), end);
  }
  budget.spend(lines.length);
  const repeats = given.has('r');
  const count = counts.length === 0 ? (repeats ? Number.POSITIVE_INFINITY : lines.length) : Math.min(...counts);
  if (repeats && lines.length === 0 && count > 0) return call.fail('no lines to repeat');
  if (repeats) budget.length(count === Number.POSITIVE_INFINITY ? count : 0, 'the output of a command');
  const chooser = new Chooser(call.read(source));
  const out: string[] = [];
  try {
    if (repeats)
      for (let i = 0; i < count; i++) {
        budget.spend();
        out.push(lines[chooser.choose(lines.length)]!);
      }
    else {
      const left = [...lines];
      for (let i = 0; i < Math.min(count, lines.length); i++) {
        budget.spend();
        const at = i + chooser.choose(lines.length - i);
        [left[i], left[at]] = [left[at]!, left[i]!];
        out.push(left[i]!);
      }
    }
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    return call.fail(`${source}: end of file`);
  }
  const text = out.map((line) => line + end).join('');
  if (given.has('o')) call.files.write(given.last('o')!, text);
  else call.out(text);
  return 0;
}

/** `shuf`. */
export const SHUFFLE_COMMANDS: Readonly<Record<string, Command>> = { shuf };
