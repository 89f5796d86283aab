/**
 * Encodes LZ4 blocks of a given largest size: as much input is encoded as fits. File systems with compressed clusters of
 * whole blocks need this; encoders for a given input do not offer it.
 */

const SHORTEST = 4;
/** The end of a block, as lz4_Block_format.md has it: the last match begins 12 bytes before, the last 5 are literals. */
const LAST_MATCH = 12;
const LAST_LITERALS = 5;
const FARTHEST = 65535;
const HASH_BITS = 15;

/** What {@link FillEncoder.fill} did, both in bytes. */
export interface Filled {
  /** Input that was encoded. */
  readonly consumed: number;
  /** Output that was written. */
  readonly produced: number;
}

/** Earlier bytes that follow again at `at`. */
interface Match {
  readonly at: number;
  readonly length: number;
  readonly place: number;
}

/** The longest match without further length bytes. */
const FREE_LENGTH = 18;

/** Bytes that follow a token for a count: none below 15, then one for each 255. */
const extra = (count: number) => (count < 15 ? 0 : 1 + Math.floor((count - 15) / 255));

/**
 * Encodes an input as blocks that decode independently. Integer arithmetic only, so that the bytes are the same on every
 * machine. `depth` is the number of earlier positions that are tried for a match.
 */
export class FillEncoder {
  private input: Uint8Array = new Uint8Array(0);
  private readonly depth: number;
  private readonly heads: Int32Array;
  /** By position modulo 64 KiB: how far back the last position with the same hash is; 0 for none. */
  private readonly chain = new Uint16Array(1 << 16);
  private next = 0;
  private length = 0;
  private start = 0;
  private place = 0;

  constructor(depth: number) {
    this.depth = depth;
    this.heads = new Int32Array(1 << HASH_BITS);
  }

  /** Begins with another input, which must not change while it is encoded. */
  begin(input: Uint8Array): void {
    this.input = input;
    this.heads.fill(-1);
    this.next = 0;
  }

  /** Enters all positions up to `end` into the table. */
  private enter(end: number): void {
    const { input, heads, chain } = this;
    for (let at = this.next; at < end; at++) {
      const slot = hashAt(input, at);
      const back = at - heads[slot]!;
      chain[at & 0xffff] = heads[slot]! < 0 || back > FARTHEST ? 0 : back;
      heads[slot] = at;
    }
    if (end > this.next) this.next = end;
  }

  /**
   * Finds the longest match that covers `at`, begins at `low` or later and is longer than `best`; stores it in `length`,
   * `start` and `place`. Its source is at `floor` or later, and it ends before `limit`.
   */
  private find(at: number, low: number, best: number, floor: number, limit: number): void {
    const { input, chain } = this;
    let longest = best;
    this.length = best;
    const back = at - low;
    let candidate = this.heads[hashAt(input, at)]!;
    // positions ahead were entered for a block that ended before them
    while (candidate >= at) {
      const step = chain[candidate & 0xffff]!;
      if (step === 0) return;
      candidate -= step;
    }
    for (let tries = this.depth; candidate >= floor && tries > 0; tries--) {
      if (at - candidate > FARTHEST) return;
      // a longer match has this byte too, wherever it begins
      const ahead = longest - back;
      if (input[candidate] === input[at] && (ahead < 0 || input[candidate + ahead] === input[at + ahead])) {
        let end = at;
        for (let from = candidate; end < limit && input[from] === input[end]; from++) end++;
        if (end - at >= SHORTEST) {
          let begin = at;
          let from = candidate;
          while (begin > low && from > floor && input[begin - 1] === input[from - 1]) {
            begin--;
            from--;
          }
          if (end - begin > longest) {
            longest = end - begin;
            this.length = longest;
            this.start = begin;
            this.place = from;
            if (end >= limit) return;
          }
        }
      }
      const step = chain[candidate & 0xffff]!;
      if (step === 0) return;
      candidate -= step;
    }
  }

  /** A match that covers `probe` and is longer than `best`, if there is one. */
  private longer(
    probe: number,
    low: number,
    best: number,
    floor: number,
    last: number,
    limit: number,
  ): Match | undefined {
    if (probe > last) return undefined;
    this.enter(probe);
    this.find(probe, low, best, floor, limit);
    return this.length > best ? { at: this.start, length: this.length, place: this.place } : undefined;
  }

  /** Encodes input from `start` on, at most to `end`, into `out`: as many bytes as fit. */
  fill(start: number, end: number, out: Uint8Array): Filled {
    const { input } = this;
    const capacity = out.length;
    const lastStart = end - LAST_MATCH;
    const limit = end - LAST_LITERALS;
    let to = 0;
    let anchor = start;
    let at = start;
    let length = 0;
    let place = 0;
    for (;;) {
      if (length === 0) {
        // literals alone fill the rest
        if (at > lastStart || to + 1 + extra(at - anchor) + (at - anchor) >= capacity) break;
        this.enter(at);
        this.find(at, anchor, SHORTEST - 1, start, limit);
        if (this.length < SHORTEST) {
          at++;
          continue;
        }
        at = this.start;
        ({ length, place } = this);
      }
      // a longer match may begin inside this one, and a still longer one inside that
      let second = this.longer(at + length - 2, at + 1, length, start, lastStart, limit);
      if (second !== undefined) {
        if (second.at - at < SHORTEST - 1) {
          ({ at, length, place } = second);
          continue;
        }
        const third = this.longer(second.at + second.length - 2, second.at, second.length, start, lastStart, limit);
        if (third !== undefined && third.at < at + length + SHORTEST - 1) {
          // the second has no room between its neighbours
          second = third;
          if (second.at - at < SHORTEST) {
            ({ at, length, place } = second);
            continue;
          }
        }
        if (second.at < at + length) {
          // up to this length a match costs no further byte
          const kept = Math.max(
            second.at - at,
            Math.min(length, FREE_LENGTH, second.at + second.length - SHORTEST - at),
          );
          const moved = kept - (second.at - at);
          second = { at: second.at + moved, length: second.length - moved, place: second.place + moved };
          length = kept;
          if (second.at > lastStart) second = undefined;
          if (length < SHORTEST) {
            if (second === undefined) break;
            ({ at, length, place } = second);
            continue;
          }
        }
      }
      const literals = at - anchor;
      const fitting = fit(to + 1 + extra(literals) + literals + 2, length, capacity);
      if (fitting === 0) break;
      to = sequence(out, to, input, anchor, literals, at - place, fitting);
      anchor = at + fitting;
      at = anchor;
      if (fitting < length) break;
      length = 0;
      if (second !== undefined) ({ at, length, place } = second);
    }
    const left = capacity - to - 1;
    let last = Math.min(end - anchor, left);
    while (last > 0 && last + extra(last) > left) last--;
    out[to++] = Math.min(last, 15) << 4;
    if (last >= 15) to = lengthBytes(out, to, last - 15);
    out.set(input.subarray(anchor, anchor + last), to);
    return { consumed: anchor + last - start, produced: to + last };
  }
}

/**
 * The part of a match that fits into `capacity` when its sequence takes `before` bytes without further length bytes, and
 * the last sequence of literals must follow; 0 when none does.
 */
function fit(before: number, length: number, capacity: number): number {
  for (let fitting = length; fitting >= SHORTEST; ) {
    const end = 1 + Math.max(LAST_LITERALS, LAST_MATCH - fitting);
    const over = before + extra(fitting - SHORTEST) + end - capacity;
    if (over <= 0) return fitting;
    // a match of fewer than 19 bytes does not get cheaper
    if (fitting - SHORTEST < 15) return 0;
    fitting = Math.max(SHORTEST + 14, fitting - over * 255);
  }
  return 0;
}

function hashAt(input: Uint8Array, at: number): number {
  const word = input[at]! | (input[at + 1]! << 8) | (input[at + 2]! << 16) | (input[at + 3]! << 24);
  return Math.imul(word, -1640531535) >>> (32 - HASH_BITS);
}

function sequence(
  out: Uint8Array,
  to: number,
  input: Uint8Array,
  anchor: number,
  literals: number,
  distance: number,
  length: number,
): number {
  const code = length - SHORTEST;
  out[to++] = (Math.min(literals, 15) << 4) | Math.min(code, 15);
  if (literals >= 15) to = lengthBytes(out, to, literals - 15);
  if (literals > 32) out.set(input.subarray(anchor, anchor + literals), to);
  else for (let i = 0; i < literals; i++) out[to + i] = input[anchor + i]!;
  to += literals;
  out[to++] = distance;
  out[to++] = distance >> 8;
  return code >= 15 ? lengthBytes(out, to, code - 15) : to;
}

function lengthBytes(out: Uint8Array, to: number, value: number): number {
  let left = value;
  for (; left >= 255; left -= 255) out[to++] = 255;
  out[to++] = left;
  return to;
}
