import { hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Reopening } from '../../bytes/content.ts';
import { inParts } from '../../bytes/file.ts';
import { reopened } from '../../bytes/host-directory.ts';
import { geometryOf, placeOf } from './geometry.ts';
import { hashRecords, saltRecords } from './hash-task.ts';
import type { HashFormat } from './layout.ts';

/** A file whose blocks several threads digest, each reading parts that no other has begun. */
export interface HashShare {
  readonly content: Reopening;
  /** Bytes: whole blocks. */
  readonly size: number;
  readonly format: HashFormat;
  /** The tree: where digests go. */
  readonly into: SharedArrayBuffer;
  /** The number of parts that were begun, which all threads see. */
  readonly begun: Int32Array;
}

/** Bytes that are read at once. */
const PART = 1 << 20;

/** Parts between two turns of the event loop: reads are synchronous, and a signal waits for a turn. */
const TURN = 64;

/** Digests parts of a file as long as there are some. Throws when the file cannot be read, or has changed its size. */
export async function hashParts({ content, size, format, into, begun }: HashShare): Promise<void> {
  const { algorithm, dataBlockSize, salt, hashType } = format;
  const geometry = geometryOf(size / dataBlockSize, format);
  const view = Buffer.from(into);
  const count = Math.max(1, Math.floor(PART / dataBlockSize));
  const bytes = new Uint8Array(count * dataBlockSize);
  const recordSize = salt.length + dataBlockSize;
  const records = new Uint8Array(count * recordSize);
  const lead = saltRecords(records, count, format);
  const zeros = new Uint8Array(dataBlockSize);
  const zeroDigest = hash(algorithm, Buffer.concat(hashType === 1 ? [salt, zeros] : [zeros, salt]), 'binary');
  const file = reopened(content);
  for (let more = true; more; await setImmediate())
    more = inParts(file, (access) => {
      for (let turn = 0; turn < TURN; turn++) {
        const first = count * Atomics.add(begun, 0, 1);
        if (first >= geometry.dataBlocks) return false;
        const blocks = Math.min(count, geometry.dataBlocks - first);
        const piece = bytes.subarray(0, blocks * dataBlockSize);
        access.readAt(first * dataBlockSize, piece);
        const places: number[] = [];
        for (let i = 0; i < blocks; i++) {
          const block = piece.subarray(i * dataBlockSize, (i + 1) * dataBlockSize);
          const place = placeOf(geometry, first + i);
          if (Buffer.compare(block, zeros) === 0) {
            view.write(zeroDigest, place, 'binary');
            continue;
          }
          records.set(block, places.length * recordSize + lead);
          places.push(place);
        }
        hashRecords(algorithm, records, recordSize, places, view);
      }
      return true;
    });
}
