import { hash } from 'node:crypto';

/** Records to digest, in memory that both threads see. */
export interface HashInput {
  readonly algorithm: string;
  /** Records back to back: each is a block with the salt before or behind it. */
  readonly records: SharedArrayBuffer;
  /** Bytes of a record. */
  readonly size: number;
  /** Where each digest goes, in bytes. */
  readonly places: readonly number[];
  readonly into: SharedArrayBuffer;
}

/** Digests records in a thread. */
export function task(input: HashInput): void {
  hashRecords(input.algorithm, new Uint8Array(input.records), input.size, input.places, Buffer.from(input.into));
}

/** Digests the first records of `records`, one for each place. */
export function hashRecords(
  algorithm: string,
  records: Uint8Array,
  size: number,
  places: readonly number[],
  into: Buffer,
): void {
  for (const [i, place] of places.entries()) {
    // a string with a byte in each character costs less than a Buffer for each digest
    into.write(hash(algorithm, records.subarray(i * size, (i + 1) * size), 'binary'), place, 'binary');
  }
}
