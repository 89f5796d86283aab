import { writeSync } from 'node:fs';

/** Writes all of `piece` at byte `position` of an open file. Throws the system's error. */
export function writeAt(fd: number, piece: Uint8Array, position: number): void {
  for (let at = 0; at < piece.length; ) at += writeSync(fd, piece, at, piece.length - at, position + at);
}
