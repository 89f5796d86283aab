import type { IndexOrder } from '../../formats/kmod/index-file.ts';
import type { Tree } from '../../tree/tree.ts';

/** What the versions of kmod write differently. */
export interface KmodGeneration {
  readonly order: IndexOrder;
  /** modules.weakdep, since 33. */
  readonly weakdep: boolean;
}

/** kmod's generation by its major version. */
export function generationOf(version: number): KmodGeneration {
  return { order: version >= 34 ? 'parents-first' : 'children-first', weakdep: version >= 33 };
}

/** Programs that are all the same file where kmod is installed. */
const PROGRAMS = ['usr/bin/kmod', 'bin/kmod', 'usr/sbin/depmod', 'sbin/depmod', 'usr/bin/depmod'];

/** A program of this size is not kmod. */
const PROGRAM_LIMIT = 8 << 20;

/** The major version of the kmod in a tree, which its program contains as text; undefined without kmod. */
export function kmodVersion(tree: Tree): number | undefined {
  for (const path of PROGRAMS) {
    const file = tree.file(path);
    if (file === undefined || file.content.size > PROGRAM_LIMIT) continue;
    const bytes = file.content.readSync();
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = text.indexOf(VERSION); at >= 0; at = text.indexOf(VERSION, at + 1)) {
      const digits = /^\d{1,4}/.exec(text.toString('latin1', at + VERSION.length, at + VERSION.length + 4));
      if (digits !== null) return Number(digits[0]);
    }
  }
  return undefined;
}

const VERSION = 'kmod version ';
