/**
 * Huffman codes as zlib makes them. Codes of the same total length are many; which one is taken is part of the bytes of an
 * output, so the order of the heap and of equal frequencies is zlib's.
 */

/** The alphabet of a code. */
export interface Alphabet {
  /** Number of symbols. */
  readonly size: number;
  /** Bits of the longest code. */
  readonly longest: number;
  /** Further bits behind each symbol, from symbol `extraFrom` on. */
  readonly extra: Uint8Array;
  readonly extraFrom: number;
  /** Bits of each symbol in blocks with fixed codes. */
  readonly fixed?: Uint8Array;
}

/** The code of one alphabet, in arrays that are used for one block after the other. */
export class Code {
  readonly alphabet: Alphabet;
  /** How often each symbol occurs; behind the symbols, the sums of inner nodes. */
  readonly counts: Uint32Array;
  /** Bits of each symbol; one more place, for {@link runs}. */
  readonly lengths: Uint8Array;
  /** The code of each symbol, the first bit lowest. */
  readonly codes: Uint16Array;
  /** The last symbol that has a code. */
  last = 0;
  /** Bits that all symbols take, by this code and by the fixed one. */
  bits = 0;
  fixedBits = 0;

  private readonly depths: Uint8Array;
  private readonly parents: Uint16Array;
  private readonly heap: Uint16Array;
  private heaped = 0;
  private readonly order: Uint16Array;
  private readonly perLength = new Uint16Array(16);

  constructor(alphabet: Alphabet) {
    const nodes = 2 * alphabet.size + 1;
    this.alphabet = alphabet;
    this.counts = new Uint32Array(nodes);
    this.depths = new Uint8Array(nodes);
    this.parents = new Uint16Array(nodes);
    this.heap = new Uint16Array(nodes + 1);
    this.order = new Uint16Array(nodes);
    this.lengths = new Uint8Array(alphabet.size + 1);
    this.codes = new Uint16Array(alphabet.size);
  }

  /** Makes the code for {@link counts}. */
  make(): void {
    const { heap, counts, depths, parents, order, alphabet } = this;
    this.bits = this.fixedBits = this.heaped = 0;
    let last = -1;
    for (let symbol = 0; symbol < alphabet.size; symbol++) {
      if (counts[symbol] === 0) continue;
      heap[++this.heaped] = last = symbol;
      depths[symbol] = 0;
    }
    // a code has two symbols at least, so that each takes a bit; these are not counted as output
    while (this.heaped < 2) {
      const symbol = last < 2 ? ++last : 0;
      heap[++this.heaped] = symbol;
      counts[symbol] = 1;
      depths[symbol] = 0;
      this.bits--;
      this.fixedBits -= alphabet.fixed?.[symbol] ?? 0;
    }
    this.last = last;
    for (let i = this.heaped >> 1; i >= 1; i--) this.sink(i);
    let node = alphabet.size;
    let first = order.length;
    do {
      const least = heap[1]!;
      heap[1] = heap[this.heaped--]!;
      this.sink(1);
      const next = heap[1];
      order[--first] = least;
      order[--first] = next;
      counts[node] = counts[least]! + counts[next]!;
      depths[node] = Math.max(depths[least]!, depths[next]!) + 1;
      parents[least] = parents[next] = node;
      heap[1] = node++;
      this.sink(1);
    } while (this.heaped >= 2);
    order[--first] = heap[1]!;
    this.measure(first);
    this.name();
  }

  /** True when `a` comes before `b`: it is rarer, or as rare and not deeper. */
  private isBefore(a: number, b: number): boolean {
    const { counts, depths } = this;
    return counts[a]! < counts[b]! || (counts[a] === counts[b] && depths[a]! <= depths[b]!);
  }

  /** Moves the node at a place of the heap down to where it belongs. */
  private sink(place: number): void {
    const { heap, heaped } = this;
    const node = heap[place]!;
    let at = place;
    for (let below = at * 2; below <= heaped; below *= 2) {
      if (below < heaped && this.isBefore(heap[below + 1]!, heap[below]!)) below++;
      if (this.isBefore(node, heap[below]!)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = node;
  }

  /** The bits of each symbol: its depth below the root, which is first in `order`; none more than the longest. */
  private measure(first: number): void {
    const { order, parents, perLength, lengths, counts, alphabet } = this;
    const { longest, size, extra, extraFrom, fixed } = alphabet;
    // depths of inner nodes are kept in the same array as those that ordered the heap, which are not needed any more
    const bitsOf = this.depths;
    perLength.fill(0);
    lengths.fill(0);
    bitsOf[order[first]!] = 0;
    let tooLong = 0;
    for (let i = first + 1; i < order.length; i++) {
      const node = order[i]!;
      let bits = bitsOf[parents[node]!]! + 1;
      if (bits > longest) {
        bits = longest;
        tooLong++;
      }
      bitsOf[node] = bits;
      if (node >= size) continue;
      perLength[bits]!++;
      lengths[node] = bits;
      const further = node >= extraFrom ? extra[node - extraFrom]! : 0;
      this.bits += counts[node]! * (bits + further);
      if (fixed !== undefined) this.fixedBits += counts[node]! * (fixed[node]! + further);
    }
    if (tooLong > 0) this.shorten(tooLong);
  }

  /** Makes codes of other symbols longer, so that those cut to the longest fit beside them. */
  private shorten(tooLong: number): void {
    const { order, perLength, lengths, counts, alphabet } = this;
    const { longest, size } = alphabet;
    for (let left = tooLong; left > 0; left -= 2) {
      let bits = longest - 1;
      while (perLength[bits] === 0) bits--;
      perLength[bits]!--;
      perLength[bits + 1]! += 2;
      perLength[longest]!--;
    }
    // the rarest symbols are last in the order, and take the longest codes
    let at = order.length;
    for (let bits = longest; bits > 0; bits--)
      for (let left = perLength[bits]!; left > 0; ) {
        const node = order[--at]!;
        if (node >= size) continue;
        this.bits += (bits - lengths[node]!) * counts[node]!;
        lengths[node] = bits;
        left--;
      }
  }

  /** Codes of the same length follow each other, in the order of their symbols. */
  private name(): void {
    const { perLength, lengths, codes, last } = this;
    const next = new Uint16Array(16);
    for (let bits = 1, code = 0; bits < 16; bits++) {
      code = (code + (bits === 1 ? 0 : perLength[bits - 1]!)) << 1;
      next[bits] = code;
    }
    for (let symbol = 0; symbol <= last; symbol++) {
      const bits = lengths[symbol]!;
      if (bits > 0) codes[symbol] = reversed(next[bits]!++, bits);
    }
  }
}

/** The codes of given lengths. */
export function codesOf(lengths: Uint8Array): Uint16Array {
  const codes = new Uint16Array(lengths.length);
  let code = 0;
  for (let bits = 1; bits < 16; bits++) {
    for (let symbol = 0; symbol < lengths.length; symbol++)
      if (lengths[symbol] === bits) codes[symbol] = reversed(code++, bits);
    code <<= 1;
  }
  return codes;
}

function reversed(code: number, bits: number): number {
  let left = code;
  let found = 0;
  for (let i = 0; i < bits; i++) {
    found = (found << 1) | (left & 1);
    left >>= 1;
  }
  return found;
}
