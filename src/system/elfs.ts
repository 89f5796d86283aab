import { inParts } from '../bytes/file.ts';
import { type DlopenNote, readDlopenNotes } from '../formats/elf/notes.ts';
import { type Elf, readElf } from '../formats/elf/read.ts';
import type { File } from '../tree/inode.ts';

const elfs = new WeakMap<object, Elf | null>();

/** ELF properties of a library or program; cached for as long as its content is referenced. */
export function elfOf(file: File): Elf | undefined {
  let elf = elfs.get(file.content);
  if (elf === undefined) {
    elf = inParts(file.content, readElf) ?? null;
    elfs.set(file.content, elf);
  }
  return elf ?? undefined;
}

/** What a library or program says that it loads later. */
export function dlopenNotesOf(file: File): DlopenNote[] {
  return inParts(file.content, readDlopenNotes);
}
