import { hash } from 'node:crypto';
import type { HashFormat } from './layout.ts';

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

/** Writes the salt into each of `count` records; returns where a block begins in one. */
export function saltRecords(records: Uint8Array, count: number, format: HashFormat): number {
  const { salt, hashType, dataBlockSize } = format;
  const [lead, at] = hashType === 1 ? [salt.length, 0] : [0, dataBlockSize];
  for (let i = 0; i < count; i++) records.set(salt, i * (salt.length + dataBlockSize) + at);
  return lead;
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
