import { assemble, compile, type Instance, instantiate } from '../wasm/assemble.ts';
import { INPUT, INPUT_SIZE, LITERAL, LZMA, MODELS } from './lzma-code.ts';
import { Window } from './window.ts';

/** One symbol never takes more input than this many bytes. */
export const LONGEST_SYMBOL = 21;

/** Longest match, in bytes. */
export const LONGEST_MATCH = 273;

/** Properties bytes, (pb * 5 + lp) * 9 + lc, are below this. */
export const PROPERTIES = 9 * 5 * 5;

const INITIAL = 1024;

/** Instances with more memory than this, in bytes, are not kept for the next decoding. */
const SPARE_MEMORY = 24 << 20;

/** What stopped {@link Lzma.decode}. */
export type Stop = 'output' | 'input' | 'marker' | 'corrupt';

const STOPS: readonly Stop[] = ['output', 'input', 'marker', 'corrupt'];

interface Variable {
  value: number;
}

/** What the code has for us; see there. */
interface Code extends Instance {
  readonly state: Variable;
  readonly rep0: Variable;
  readonly rep1: Variable;
  readonly rep2: Variable;
  readonly rep3: Variable;
  readonly range: Variable;
  readonly code: Variable;
  readonly at: Variable;
  readonly out: Variable;
  readonly start: Variable;
  readonly dictionary: Variable;
  readonly lc: Variable;
  readonly literals: Variable;
  readonly positions: Variable;
  decode(end: number, limit: number, last: number): number;
}

let compiled: object | undefined;
let spare: Code | undefined;

/** An instance for exclusive use. */
function instance(): Code {
  const kept = spare;
  spare = undefined;
  if (kept !== undefined) return kept;
  compiled ??= compile(assemble(LZMA));
  return instantiate<Code>(compiled);
}

/**
 * One LZMA decoder: range coder, bit models, state machine, window. It is independent of the container. Its state is in
 * a memory of its own, which `close` releases.
 */
export class Lzma {
  readonly window: Window;
  private readonly code: Code;
  private lc = 0;
  private lp = 0;

  /** For history of `dictionary` bytes, and properties of which lc + lp is at most `literalBits`. */
  constructor(dictionary: number, literalBits: number) {
    this.code = instance();
    const end = MODELS + 2 * (LITERAL + (0x300 << literalBits));
    this.window = new Window(this.code.memory, Math.ceil(end / 64) * 64, dictionary);
    this.code.dictionary.value = this.window.dictionary;
  }

  /** Keeps a small instance for the next decoder. */
  close(): void {
    if (this.code.memory.buffer.byteLength <= SPARE_MEMORY) spare = this.code;
  }

  /** Takes the properties byte, (pb * 5 + lp) * 9 + lc; false when it is out of range. */
  setProperties(byte: number): boolean {
    if (byte >= PROPERTIES) return false;
    this.lc = byte % 9;
    this.lp = Math.floor(byte / 9) % 5;
    this.code.lc.value = this.lc;
    this.code.literals.value = (1 << this.lp) - 1;
    this.code.positions.value = (1 << Math.floor(byte / 45)) - 1;
    return true;
  }

  /** lc + lp, which LZMA2 bounds by 4. */
  get literalBits(): number {
    return this.lc + this.lp;
  }

  /** Resets to the state before the first symbol; keeps the properties. */
  reset(): void {
    const { code } = this;
    const models = this.window.bytes.subarray(MODELS, MODELS + 2 * (LITERAL + (0x300 << this.literalBits)));
    // two bytes each, the lower one first
    models[0] = INITIAL & 0xff;
    models[1] = INITIAL >> 8;
    for (let filled = 2; filled < models.length; filled *= 2) models.copyWithin(filled, 0, filled);
    for (const one of [code.state, code.rep0, code.rep1, code.rep2, code.rep3]) one.value = 0;
  }

  /** Where the input is put: {@link INPUT_SIZE} bytes. Valid until the window reserves space. */
  get input(): Uint8Array {
    return this.window.bytes.subarray(INPUT, INPUT + INPUT_SIZE);
  }

  /** Where in the input the last call stopped. */
  get at(): number {
    return this.code.at.value - INPUT;
  }

  set at(offset: number) {
    this.code.at.value = INPUT + offset;
  }

  /** Starts the range coder from the input's first five bytes; false when the first is not zero. */
  start(): boolean {
    const [zero, a, b, c, d] = this.input as unknown as [number, number, number, number, number];
    this.code.range.value = -1;
    this.code.code.value = (a << 24) | (b << 16) | (c << 8) | d;
    this.at = 5;
    return zero === 0;
  }

  /** After the last symbol: reads the byte that may be due; returns whether the range coder is in its final state. */
  atRest(): boolean {
    const { range, code, at } = this.code;
    if ((range.value & 0xff000000) === 0) {
      range.value <<= 8;
      code.value = (code.value << 8) | this.window.bytes[at.value]!;
      at.value++;
    }
    return code.value === 0;
  }

  /**
   * Decodes into the window until `outEnd` is reached, or until the next symbol would begin after `inEnd` in the input. A
   * match may extend beyond `outEnd`, but one beyond `outLimit` is an error. The input must extend for
   * {@link LONGEST_SYMBOL} bytes after `inEnd` (with any content), the window must have space up to `outLimit`.
   */
  decode(outEnd: number, outLimit: number, inEnd: number): Stop {
    const { code, window } = this;
    code.out.value = window.at;
    code.start.value = window.start;
    const stop = code.decode(outEnd, outLimit, INPUT + inEnd);
    window.at = code.out.value;
    return STOPS[stop]!;
  }
}
