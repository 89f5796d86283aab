import type { Window } from './window.ts';

/**
 * The LZMA decoder: range coder, bit models, state machine. Facts from the LZMA specification in the public-domain LZMA
 * SDK (`lzma-specification.txt`). It works on arrays and is independent of the container.
 */

/** One symbol never takes more input than this many bytes. */
export const LONGEST_SYMBOL = 21;

/** Longest match, in bytes. */
export const LONGEST_MATCH = 273;

// Where each group of bit models is in one array. The literal coder comes last, since its size depends on lc + lp.
const IS_MATCH = 0; // 12 states x 16 positions
const IS_REP = 192;
const IS_REP0 = 204;
const IS_REP1 = 216;
const IS_REP2 = 228;
const IS_REP0_LONG = 240; // 12 states x 16 positions
const SLOT = 432; // 4 lengths x 64
const SPECIAL = 688; // distances of slots 4 to 13, addressed from base - slot
const ALIGN = 816; // 16
const MATCH_LENGTH = 832; // choice, choice 2, low 16 x 8, mid 16 x 8, high 256
const REP_LENGTH = MATCH_LENGTH + 514;
const LITERAL = REP_LENGTH + 514;

/** State of the state machine after a literal. */
const AFTER_LITERAL = Uint8Array.of(0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 4, 5);

const INITIAL = 1024;

/** What stopped {@link Lzma.decode}. */
export type Stop = 'output' | 'input' | 'marker' | 'corrupt';

/** One LZMA decoder with its models. */
export class Lzma {
  /** Where in the input the last call stopped. */
  at = 0;
  private probs = new Int32Array(0);
  private lc = 0;
  private literalMask = 0;
  private positionMask = 0;
  private state = 0;
  private rep0 = 0;
  private rep1 = 0;
  private rep2 = 0;
  private rep3 = 0;
  private range = 0;
  private code = 0;

  /** Takes the properties byte, (pb * 5 + lp) * 9 + lc; false when it is out of range. */
  setProperties(byte: number): boolean {
    if (byte >= 9 * 5 * 5) return false;
    this.lc = byte % 9;
    const lp = Math.floor(byte / 9) % 5;
    this.literalMask = (1 << lp) - 1;
    this.positionMask = (1 << Math.floor(byte / 45)) - 1;
    const size = LITERAL + (0x300 << (this.lc + lp));
    if (this.probs.length !== size) this.probs = new Int32Array(size);
    return true;
  }

  /** lc + lp, which LZMA2 bounds by 4. */
  get literalBits(): number {
    return this.lc + (32 - Math.clz32(this.literalMask));
  }

  /** Resets to the state before the first symbol; keeps the properties. */
  reset(): void {
    this.probs.fill(INITIAL);
    this.state = 0;
    this.rep0 = this.rep1 = this.rep2 = this.rep3 = 0;
  }

  /** Starts the range coder from its five bytes; false when the first is not zero. */
  start(input: Uint8Array, at: number): boolean {
    this.range = -1;
    this.code = (input[at + 1]! << 24) | (input[at + 2]! << 16) | (input[at + 3]! << 8) | input[at + 4]!;
    this.at = at + 5;
    return input[at] === 0;
  }

  /** After the last symbol: reads the byte that may be due; returns whether the range coder is in its final state. */
  atRest(input: Uint8Array): boolean {
    if ((this.range & 0xff000000) === 0) {
      this.range <<= 8;
      this.code = (this.code << 8) | input[this.at++]!;
    }
    return this.code === 0;
  }

  /**
   * Decodes into the window until `outEnd` is reached, or until the next symbol would begin after `inEnd`. A match may
   * extend beyond `outEnd`, but one beyond `outLimit` is an error. The input must extend for {@link LONGEST_SYMBOL}
   * bytes after `inEnd` (with any content), the window must have space up to `outLimit`.
   *
   * One long function on purpose: this is the hottest loop of the program. State in local variables and the probability
   * updates written out instead of called are what keep it fast.
   */
  decode(window: Window, outEnd: number, outLimit: number, input: Uint8Array, at: number, inEnd: number): Stop {
    const probs = this.probs;
    const bytes = window.bytes;
    const start = window.start;
    const dictionary = window.dictionary;
    const { lc, literalMask, positionMask } = this;
    let { state, rep0, rep1, rep2, rep3, range, code } = this;
    let out = window.at;
    let stop: Stop = 'output';
    while (out < outEnd) {
      if (at > inEnd) {
        stop = 'input';
        break;
      }
      const position = (out - start) & positionMask;
      let index = IS_MATCH + (state << 4) + position;
      let prob = probs[index]!;
      if (range >>> 0 < 0x1000000) {
        range <<= 8;
        code = (code << 8) | input[at++]!;
      }
      let bound = Math.imul(range >>> 11, prob);
      if (code >>> 0 < bound >>> 0) {
        // a literal
        range = bound;
        probs[index] = prob + ((2048 - prob) >> 5);
        const before = out > start ? bytes[out - 1]! : 0;
        const base = LITERAL + 0x300 * ((((out - start) & literalMask) << lc) + (before >> (8 - lc)));
        let symbol = 1;
        if (state >= 7) {
          // after a match the byte at its distance guides the models
          let guide = bytes[out - rep0 - 1]!;
          do {
            guide <<= 1;
            const side = guide & 0x100;
            index = base + 0x100 + side + symbol;
            prob = probs[index]!;
            if (range >>> 0 < 0x1000000) {
              range <<= 8;
              code = (code << 8) | input[at++]!;
            }
            bound = Math.imul(range >>> 11, prob);
            if (code >>> 0 < bound >>> 0) {
              range = bound;
              probs[index] = prob + ((2048 - prob) >> 5);
              symbol <<= 1;
              if (side !== 0) break;
            } else {
              range = (range - bound) | 0;
              code = (code - bound) | 0;
              probs[index] = prob - (prob >> 5);
              symbol = (symbol << 1) | 1;
              if (side === 0) break;
            }
          } while (symbol < 0x100);
        }
        while (symbol < 0x100) {
          index = base + symbol;
          prob = probs[index]!;
          if (range >>> 0 < 0x1000000) {
            range <<= 8;
            code = (code << 8) | input[at++]!;
          }
          bound = Math.imul(range >>> 11, prob);
          if (code >>> 0 < bound >>> 0) {
            range = bound;
            probs[index] = prob + ((2048 - prob) >> 5);
            symbol <<= 1;
          } else {
            range = (range - bound) | 0;
            code = (code - bound) | 0;
            probs[index] = prob - (prob >> 5);
            symbol = (symbol << 1) | 1;
          }
        }
        bytes[out++] = symbol;
        state = AFTER_LITERAL[state]!;
        continue;
      }
      range = (range - bound) | 0;
      code = (code - bound) | 0;
      probs[index] = prob - (prob >> 5);

      // a match: simple, or at one of the last four distances
      let lengths = MATCH_LENGTH;
      let simple = false;
      index = IS_REP + state;
      prob = probs[index]!;
      if (range >>> 0 < 0x1000000) {
        range <<= 8;
        code = (code << 8) | input[at++]!;
      }
      bound = Math.imul(range >>> 11, prob);
      if (code >>> 0 < bound >>> 0) {
        range = bound;
        probs[index] = prob + ((2048 - prob) >> 5);
        simple = true;
        rep3 = rep2;
        rep2 = rep1;
        rep1 = rep0;
        state = state < 7 ? 7 : 10;
      } else {
        range = (range - bound) | 0;
        code = (code - bound) | 0;
        probs[index] = prob - (prob >> 5);
        lengths = REP_LENGTH;
        index = IS_REP0 + state;
        prob = probs[index]!;
        if (range >>> 0 < 0x1000000) {
          range <<= 8;
          code = (code << 8) | input[at++]!;
        }
        bound = Math.imul(range >>> 11, prob);
        if (code >>> 0 < bound >>> 0) {
          range = bound;
          probs[index] = prob + ((2048 - prob) >> 5);
          index = IS_REP0_LONG + (state << 4) + position;
          prob = probs[index]!;
          if (range >>> 0 < 0x1000000) {
            range <<= 8;
            code = (code << 8) | input[at++]!;
          }
          bound = Math.imul(range >>> 11, prob);
          if (code >>> 0 < bound >>> 0) {
            // one byte at the last distance
            range = bound;
            probs[index] = prob + ((2048 - prob) >> 5);
            const known = out - start;
            if (rep0 >>> 0 >= Math.min(known, dictionary)) {
              stop = 'corrupt';
              break;
            }
            state = state < 7 ? 9 : 11;
            bytes[out] = bytes[out - rep0 - 1]!;
            out++;
            continue;
          }
          range = (range - bound) | 0;
          code = (code - bound) | 0;
          probs[index] = prob - (prob >> 5);
        } else {
          range = (range - bound) | 0;
          code = (code - bound) | 0;
          probs[index] = prob - (prob >> 5);
          let distance = rep1;
          index = IS_REP1 + state;
          prob = probs[index]!;
          if (range >>> 0 < 0x1000000) {
            range <<= 8;
            code = (code << 8) | input[at++]!;
          }
          bound = Math.imul(range >>> 11, prob);
          if (code >>> 0 < bound >>> 0) {
            range = bound;
            probs[index] = prob + ((2048 - prob) >> 5);
          } else {
            range = (range - bound) | 0;
            code = (code - bound) | 0;
            probs[index] = prob - (prob >> 5);
            distance = rep2;
            index = IS_REP2 + state;
            prob = probs[index]!;
            if (range >>> 0 < 0x1000000) {
              range <<= 8;
              code = (code << 8) | input[at++]!;
            }
            bound = Math.imul(range >>> 11, prob);
            if (code >>> 0 < bound >>> 0) {
              range = bound;
              probs[index] = prob + ((2048 - prob) >> 5);
            } else {
              range = (range - bound) | 0;
              code = (code - bound) | 0;
              probs[index] = prob - (prob >> 5);
              distance = rep3;
              rep3 = rep2;
            }
            rep2 = rep1;
          }
          rep1 = rep0;
          rep0 = distance;
        }
        state = state < 7 ? 8 : 11;
      }

      // the length, less 2: a tree of 8 or of 256 leaves
      let tree = lengths + 2 + (position << 3);
      let leaves = 8;
      let length = 0;
      prob = probs[lengths]!;
      if (range >>> 0 < 0x1000000) {
        range <<= 8;
        code = (code << 8) | input[at++]!;
      }
      bound = Math.imul(range >>> 11, prob);
      if (code >>> 0 < bound >>> 0) {
        range = bound;
        probs[lengths] = prob + ((2048 - prob) >> 5);
      } else {
        range = (range - bound) | 0;
        code = (code - bound) | 0;
        probs[lengths] = prob - (prob >> 5);
        prob = probs[lengths + 1]!;
        if (range >>> 0 < 0x1000000) {
          range <<= 8;
          code = (code << 8) | input[at++]!;
        }
        bound = Math.imul(range >>> 11, prob);
        if (code >>> 0 < bound >>> 0) {
          range = bound;
          probs[lengths + 1] = prob + ((2048 - prob) >> 5);
          tree += 128;
          length = 8;
        } else {
          range = (range - bound) | 0;
          code = (code - bound) | 0;
          probs[lengths + 1] = prob - (prob >> 5);
          tree = lengths + 258;
          leaves = 256;
          length = 16;
        }
      }
      let symbol = 1;
      do {
        index = tree + symbol;
        prob = probs[index]!;
        if (range >>> 0 < 0x1000000) {
          range <<= 8;
          code = (code << 8) | input[at++]!;
        }
        bound = Math.imul(range >>> 11, prob);
        if (code >>> 0 < bound >>> 0) {
          range = bound;
          probs[index] = prob + ((2048 - prob) >> 5);
          symbol <<= 1;
        } else {
          range = (range - bound) | 0;
          code = (code - bound) | 0;
          probs[index] = prob - (prob >> 5);
          symbol = (symbol << 1) | 1;
        }
      } while (symbol < leaves);
      length += symbol - leaves;

      if (simple) {
        const slots = SLOT + ((length < 4 ? length : 3) << 6);
        let slot = 1;
        do {
          index = slots + slot;
          prob = probs[index]!;
          if (range >>> 0 < 0x1000000) {
            range <<= 8;
            code = (code << 8) | input[at++]!;
          }
          bound = Math.imul(range >>> 11, prob);
          if (code >>> 0 < bound >>> 0) {
            range = bound;
            probs[index] = prob + ((2048 - prob) >> 5);
            slot <<= 1;
          } else {
            range = (range - bound) | 0;
            code = (code - bound) | 0;
            probs[index] = prob - (prob >> 5);
            slot = (slot << 1) | 1;
          }
        } while (slot < 64);
        slot -= 64;
        rep0 = slot;
        if (slot >= 4) {
          let bits = (slot >> 1) - 1;
          rep0 = (2 | (slot & 1)) << bits;
          let models = SPECIAL + rep0 - slot;
          if (slot >= 14) {
            // the high bits have no models, the lowest four do
            models = ALIGN;
            let high = 0;
            bits -= 4;
            do {
              if (range >>> 0 < 0x1000000) {
                range <<= 8;
                code = (code << 8) | input[at++]!;
              }
              range >>>= 1;
              code = (code - range) | 0;
              const borrowed = code >> 31;
              code = (code + (range & borrowed)) | 0;
              high = (high << 1) + borrowed + 1;
            } while (--bits > 0);
            rep0 += high << 4;
            bits = 4;
          }
          let node = 1;
          for (let bit = 0; bit < bits; bit++) {
            index = models + node;
            prob = probs[index]!;
            if (range >>> 0 < 0x1000000) {
              range <<= 8;
              code = (code << 8) | input[at++]!;
            }
            bound = Math.imul(range >>> 11, prob);
            if (code >>> 0 < bound >>> 0) {
              range = bound;
              probs[index] = prob + ((2048 - prob) >> 5);
              node <<= 1;
            } else {
              range = (range - bound) | 0;
              code = (code - bound) | 0;
              probs[index] = prob - (prob >> 5);
              node = (node << 1) | 1;
              rep0 += 1 << bit;
            }
          }
          rep0 |= 0;
          if (rep0 === -1) {
            stop = 'marker';
            break;
          }
        }
      }

      length += 2;
      const known = out - start;
      if (rep0 >>> 0 >= Math.min(known, dictionary) || length > outLimit - out) {
        stop = 'corrupt';
        break;
      }
      let from = out - rep0 - 1;
      const end = out + length;
      while (out < end) bytes[out++] = bytes[from++]!;
    }
    window.at = out;
    this.at = at;
    this.state = state;
    this.rep0 = rep0;
    this.rep1 = rep1;
    this.rep2 = rep2;
    this.rep3 = rep3;
    this.range = range;
    this.code = code;
    return stop;
  }
}
