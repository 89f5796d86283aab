import { LZ4_FILL } from './lz4-fill-code.ts';
import { assemble, compile, type Instance, instantiate } from './wasm/assemble.ts';

/**
 * Encodes LZ4 blocks of a given largest size: as much input is encoded as fits. File systems with compressed clusters of
 * whole blocks need this; encoders for a given input do not offer it.
 */

/** Places in the memory of the code; see there. */
const HEADS = 1 << 17;
const OUTPUT = 1 << 18;
const OUTPUT_MAX = 1 << 20;
const INPUT = OUTPUT + OUTPUT_MAX + 64;
const PAGE = 1 << 16;

/** What {@link FillEncoder.fill} did, both in bytes. */
export interface Filled {
  /** Input that was encoded. */
  readonly consumed: number;
  /** Output that was written. */
  readonly produced: number;
}

/** What the code has for us. */
interface Exports extends Instance {
  readonly depth: { value: number };
  readonly produced: { value: number };
  fill(from: number, end: number, capacity: number): number;
}

let compiled: object | undefined;

/**
 * Encodes an input as blocks that decode independently. Integer arithmetic only, so that the bytes are the same on every
 * machine. `depth` is the number of earlier positions that are tried for a match, 1 at least.
 */
export class FillEncoder {
  private readonly code: Exports;
  private memory: Uint8Array;

  constructor(depth: number) {
    compiled ??= compile(assemble(LZ4_FILL));
    this.code = instantiate<Exports>(compiled);
    this.code.depth.value = depth;
    this.memory = new Uint8Array(this.code.memory.buffer);
  }

  /** Begins with another input, which is copied. */
  begin(input: Uint8Array): void {
    const { memory } = this.code;
    const lacking = INPUT + input.length + 64 - memory.buffer.byteLength;
    if (lacking > 0) {
      memory.grow(Math.ceil(lacking / PAGE));
      this.memory = new Uint8Array(memory.buffer);
    }
    this.memory.fill(0, 0, HEADS);
    this.memory.set(input, INPUT);
  }

  /** Encodes input from `start` on, at most to `end`, into `out` (up to 1 MiB): as many bytes as fit. */
  fill(start: number, end: number, out: Uint8Array): Filled {
    if (out.length > OUTPUT_MAX) throw new RangeError(`an output of ${out.length} bytes`);
    const consumed = this.code.fill(INPUT + start, INPUT + end, out.length);
    const produced = this.code.produced.value;
    out.set(this.memory.subarray(OUTPUT, OUTPUT + produced));
    return { consumed, produced };
  }
}
