import { withoutEnding } from '../../bytes/ending.ts';
import type { RandomAccess } from '../../bytes/file.ts';
import { CLASS_64, DLOPEN_OWNER, DLOPEN_TYPE, LITTLE_ENDIAN, MAGIC, PT_NOTE, SHT_NOTE } from './layout.ts';

/** How much a program depends on a library that it loads later. */
export type DlopenPriority = 'required' | 'recommended' | 'suggested';

/** Libraries of which a program loads the first that it finds, when it needs a feature (`.note.dlopen`). */
export interface DlopenNote {
  /** Names of the library, the preferred one first. */
  readonly sonames: readonly string[];
  readonly priority: DlopenPriority;
  /** Short name of what the library is for (`crypt`), if there is one. */
  readonly feature: string | undefined;
}

const HEADERS_LIMIT = 65536;
/** Most bytes of notes in one file that are looked at; systemd's libraries have 3 KiB. */
const NOTES_LIMIT = 1 << 20;

/**
 * The notes of a program or library about what it loads with dlopen(3). Tables that lead nowhere and notes that are not
 * valid are ignored, as the loader ignores them: the file runs without. Time and memory are bounded by a constant.
 */
export function readDlopenNotes(file: RandomAccess): DlopenNote[] {
  const found: DlopenNote[] = [];
  const head = view(file, 0, 64) ?? view(file, 0, 52);
  if (head === undefined || head.getUint32(0, true) !== MAGIC) return found;
  const wide = head.getUint8(4) === CLASS_64;
  if (wide && head.byteLength < 64) return found;
  const little = head.getUint8(5) === LITTLE_ENDIAN;
  let left = NOTES_LIMIT;
  const ranges = [...segments(file, head, wide, little)];
  // a file without program headers for its notes still has sections, unless it was stripped of them
  for (const { offset, size } of ranges.length > 0 ? ranges : sections(file, head, wide, little)) {
    if (size > left) break;
    left -= size;
    const notes = view(file, offset, size);
    if (notes !== undefined) readNotes(notes, little, found);
  }
  return found;
}

interface Range {
  readonly offset: number;
  readonly size: number;
}

function* segments(file: RandomAccess, head: DataView, wide: boolean, little: boolean): Generator<Range> {
  const at = word(head, wide ? 32 : 28, wide, little);
  const size = head.getUint16(wide ? 54 : 42, little);
  const count = head.getUint16(wide ? 56 : 44, little);
  if (size < (wide ? 56 : 32)) return;
  const table = view(file, at, size * count);
  if (table === undefined) return;
  for (let i = 0; i < count; i++) {
    if (table.getUint32(i * size, little) !== PT_NOTE) continue;
    yield {
      offset: word(table, i * size + (wide ? 8 : 4), wide, little),
      size: word(table, i * size + (wide ? 32 : 16), wide, little),
    };
  }
}

function* sections(file: RandomAccess, head: DataView, wide: boolean, little: boolean): Generator<Range> {
  const at = word(head, wide ? 40 : 32, wide, little);
  const size = head.getUint16(wide ? 58 : 46, little);
  const count = head.getUint16(wide ? 60 : 48, little);
  if (at === 0 || size < (wide ? 64 : 40) || count > HEADERS_LIMIT) return;
  const table = view(file, at, size * count);
  if (table === undefined) return;
  for (let i = 0; i < count; i++) {
    if (table.getUint32(i * size + 4, little) !== SHT_NOTE) continue;
    yield {
      offset: word(table, i * size + (wide ? 24 : 16), wide, little),
      size: word(table, i * size + (wide ? 32 : 20), wide, little),
    };
  }
}

function readNotes(notes: DataView, little: boolean, into: DlopenNote[]): void {
  let at = 0;
  while (at + 12 <= notes.byteLength) {
    const nameSize = notes.getUint32(at, little);
    const size = notes.getUint32(at + 4, little);
    const type = notes.getUint32(at + 8, little);
    const data = at + 12 + Math.ceil(nameSize / 4) * 4;
    if (data + size > notes.byteLength) return;
    if (type === DLOPEN_TYPE && bytes(notes, at + 12, nameSize) === `${DLOPEN_OWNER}\0`)
      for (const note of dlopenNotes(withoutEnding(bytes(notes, data, size), '\0'))) into.push(note);
    at = data + Math.ceil(size / 4) * 4;
  }
}

/** The entries of one note's JSON text; none if it is not valid. */
function dlopenNotes(text: string): DlopenNote[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return [];
  }
  const notes: DlopenNote[] = [];
  for (const item of Array.isArray(parsed) ? (parsed as unknown[]) : []) {
    if (typeof item !== 'object' || item === null) continue;
    const { soname, priority, feature } = item as Record<string, unknown>;
    const sonames = (Array.isArray(soname) ? (soname as unknown[]) : []).filter((one) => typeof one === 'string');
    if (sonames.length === 0) continue;
    notes.push({
      sonames,
      priority: priority === 'required' || priority === 'suggested' ? priority : 'recommended',
      feature: typeof feature === 'string' ? feature : undefined,
    });
  }
  return notes;
}

function bytes(from: DataView, at: number, size: number): string {
  if (at + size > from.byteLength) return '';
  return Buffer.from(from.buffer, from.byteOffset + at, size).toString('latin1');
}

function word(from: DataView, at: number, wide: boolean, little: boolean): number {
  return wide ? Number(from.getBigUint64(at, little)) : from.getUint32(at, little);
}

function view(file: RandomAccess, offset: number, size: number): DataView | undefined {
  if (!Number.isSafeInteger(offset) || offset < 0 || offset + size > file.size || size > 64 * NOTES_LIMIT)
    return undefined;
  const into = new Uint8Array(size);
  file.readAt(offset, into);
  return new DataView(into.buffer);
}
