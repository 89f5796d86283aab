import { BLOCK, Dirent } from './layout.ts';

/** A directory entry to write. */
export interface Entry {
  readonly name: string;
  readonly nid: number;
  readonly type: number;
}

/**
 * Names of a directory as it stores them: `.` and `..` are sorted among the others by byte value, since the kernel
 * searches over blocks and within them.
 */
export function storedNames(names: readonly string[]): string[] {
  return ['.', '..', ...names].sort();
}

/** Ends of the blocks of a directory, as indexes into its names, and its size in bytes. */
export function layOutDirectory(names: readonly string[]): { readonly ends: readonly number[]; readonly size: number } {
  const ends: number[] = [];
  let used = 0;
  for (const [i, name] of names.entries()) {
    const needed = Dirent.size + name.length;
    if (used + needed > BLOCK) {
      ends.push(i);
      used = 0;
    }
    used += needed;
  }
  ends.push(names.length);
  return { ends, size: (ends.length - 1) * BLOCK + used };
}

/** The bytes of a directory: entries in front, then names, block by block. */
export function directoryBytes(entries: readonly Entry[], ends: readonly number[], size: number): Uint8Array {
  const into = new Uint8Array(size);
  const view = new DataView(into.buffer);
  let first = 0;
  for (const [block, end] of ends.entries()) {
    const start = block * BLOCK;
    let nameOffset = (end - first) * Dirent.size;
    for (let i = first; i < end; i++) {
      const { name, nid, type } = entries[i]!;
      const at = start + (i - first) * Dirent.size;
      view.setUint32(at, nid % 2 ** 32, true);
      view.setUint32(at + 4, Math.floor(nid / 2 ** 32), true);
      view.setUint16(at + 8, nameOffset, true);
      view.setUint8(at + 10, type);
      for (let c = 0; c < name.length; c++) into[start + nameOffset + c] = name.charCodeAt(c);
      nameOffset += name.length;
    }
    first = end;
  }
  return into;
}
