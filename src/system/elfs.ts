import { inParts, type RandomAccess } from '../bytes/file.ts';
import { latin1 } from '../bytes/struct.ts';
import { type DlopenNote, readDlopenNotes } from '../formats/elf/notes.ts';
import { type Elf, readElf } from '../formats/elf/read.ts';
import type { File } from '../tree/inode.ts';

/** By what the kernel knows how to run a file: an ELF header, or a first line with an interpreter; neither for other files. */
export interface Head {
  readonly elf?: Elf;
  /** What follows `#!` in the first line, or in the part of it that the kernel reads; Latin-1. */
  readonly script?: string;
}

const heads = new WeakMap<object, Head>();
const OTHER: Head = {};

/** Bytes of a script in which the kernel looks for its interpreter (BINPRM_BUF_SIZE of include/uapi/linux/binfmts.h). */
const SCRIPT_HEAD = 256;

/** How a file runs, by its first bytes; cached for as long as its content is referenced. */
export function headOf(file: File): Head {
  let head = heads.get(file.content);
  if (head === undefined) {
    head = inParts(file.content, readHead);
    heads.set(file.content, head);
  }
  return head;
}

function readHead(access: RandomAccess): Head {
  const elf = readElf(access);
  if (elf !== undefined) return { elf };
  if (access.size < 4) return OTHER;
  const head = new Uint8Array(Math.min(SCRIPT_HEAD, access.size));
  access.readAt(0, head);
  return head[0] === 0x23 && head[1] === 0x21 ? { script: latin1(head.subarray(2)).split('\n', 1)[0]! } : OTHER;
}

/** ELF properties of a library or program. */
export function elfOf(file: File): Elf | undefined {
  return headOf(file).elf;
}

/** What a library or program says that it loads later. */
export function dlopenNotesOf(file: File): DlopenNote[] {
  return inParts(file.content, readDlopenNotes);
}
