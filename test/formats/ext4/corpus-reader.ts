/**
 * Reads and verifies ext4 images in a separate process, so that its parent can end it: a reader that
 * loops, or takes all memory, is identified by the name it printed last.
 */
import { readFileSync } from 'node:fs';
import { sha256 } from '../../../src/bytes/digest.ts';
import { randomAccessMemory } from '../../../src/bytes/file.ts';
import { BuildError } from '../../../src/errors/error.ts';
import { checkExt4 } from '../../../src/formats/ext4/check/check.ts';
import { openExt4 } from '../../../src/formats/ext4/read.ts';
import { display } from '../../../src/tree/path.ts';

/** The result for one image. */
export interface Outcome {
  /** The tree as it was read: a line for each name, and the digest of each file; or the error code. */
  readonly read: readonly Entry[] | string;
  /** Faults that verifying found, or the error code. */
  readonly verified: number | string;
  /** Paths that were left out, because they are encrypted. */
  readonly encrypted: readonly string[];
}

/** A name in an image. */
export interface Entry {
  readonly path: string;
  readonly kind: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number | undefined;
  readonly sha256: string | undefined;
}

/** Larger files are read, but their digest is not recorded. */
export const DIGEST_LIMIT = 1 << 24;

function attempt<T>(work: () => T): T | string {
  try {
    return work();
  } catch (error) {
    if (error instanceof BuildError) return error.code;
    throw error;
  }
}

function read(image: Uint8Array, name: string, encrypted: string[]): Entry[] {
  const entries: Entry[] = [];
  const tree = openExt4(randomAccessMemory(image), { name }).tree({
    lostFound: true,
    encrypted: (at) => encrypted.push(at),
  });
  for (const { path, inode } of tree.walk()) {
    const small = inode.kind === 'file' && inode.content.size <= DIGEST_LIMIT;
    entries.push({
      path: display(path),
      kind: inode.kind,
      mode: inode.mode,
      uid: inode.uid,
      gid: inode.gid,
      size: inode.kind === 'file' ? inode.content.size : undefined,
      sha256: small ? sha256(inode.content.readSync()) : undefined,
    });
  }
  return entries;
}

if (process.argv[1]?.includes('corpus-reader')) {
  for (const path of process.argv.slice(2)) {
    process.stdout.write(`${JSON.stringify({ begun: path })}\n`);
    const image = readFileSync(path);
    const encrypted: string[] = [];
    const outcome: Outcome = {
      read: attempt(() => read(image, path, encrypted)),
      verified: attempt(() => checkExt4(randomAccessMemory(image)).faults.length),
      encrypted,
    };
    process.stdout.write(`${JSON.stringify({ path, ...outcome })}\n`);
  }
}
