/** ELF files for tests: a dynamic section, an interpreter and notes, and no code. */

/** What a made file says about itself. */
export interface ElfFacts {
  readonly bits?: 32 | 64;
  readonly little?: boolean;
  readonly machine?: number;
  readonly interpreter?: string;
  readonly soname?: string;
  readonly needed?: readonly string[];
  readonly rpath?: string;
  readonly runpath?: string;
  /** DF_1_NODEFLIB. */
  readonly noDefaultFolders?: boolean;
  /** Texts of notes about dlopen, in a PT_NOTE segment (or in a section, with `noteSection`). */
  readonly notes?: readonly string[];
  readonly noteSection?: boolean;
}

const align = (size: number, to = 8) => Math.ceil(size / to) * to;

/** The bytes of a library, or with an interpreter of a program. */
export function elfFile(facts: ElfFacts = {}): Uint8Array {
  const { bits = 64, little = true, machine = 62 } = facts;
  const wide = bits === 64;
  const strings = ['\0'];
  const offsets = new Map<string, number>();
  const offsetOf = (name: string) => {
    let at = offsets.get(name);
    if (at === undefined) {
      at = strings.join('').length;
      offsets.set(name, at);
      strings.push(`${name}\0`);
    }
    return at;
  };
  const dynamic: [number, number][] = (facts.needed ?? []).map((name) => [1, offsetOf(name)]);
  if (facts.soname !== undefined) dynamic.push([14, offsetOf(facts.soname)]);
  if (facts.rpath !== undefined) dynamic.push([15, offsetOf(facts.rpath)]);
  if (facts.runpath !== undefined) dynamic.push([29, offsetOf(facts.runpath)]);
  if (facts.noDefaultFolders === true) dynamic.push([0x6ffffffb, 0x800]);
  const table = Buffer.from(strings.join(''), 'latin1');
  const interpreter = facts.interpreter === undefined ? undefined : Buffer.from(`${facts.interpreter}\0`, 'latin1');
  const notes = Buffer.concat((facts.notes ?? []).map((text) => note(text, little)));
  const header = wide ? 64 : 52;
  const entry = wide ? 56 : 32;
  const segments = 2 + (interpreter === undefined ? 0 : 1) + (notes.length > 0 && facts.noteSection !== true ? 1 : 0);
  const interpreterAt = align(header + segments * entry);
  const notesAt = align(interpreterAt + (interpreter?.length ?? 0));
  const dynamicAt = align(notesAt + notes.length);
  const step = wide ? 16 : 8;
  const dynamicSize = (dynamic.length + 3) * step;
  const tableAt = dynamicAt + dynamicSize;
  const sectionsAt = align(tableAt + table.length);
  const sectionSize = wide ? 64 : 40;
  const out = Buffer.alloc(sectionsAt + (facts.noteSection === true ? sectionSize : 0));
  const view = new DataView(out.buffer, out.byteOffset, out.length);
  const u16 = (at: number, value: number) => view.setUint16(at, value, little);
  const u32 = (at: number, value: number) => view.setUint32(at, value, little);
  const word = (at: number, value: number) => (wide ? view.setBigUint64(at, BigInt(value), little) : u32(at, value));
  out.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, little ? 1 : 2, 1]);
  u16(16, 3);
  u16(18, machine);
  u32(20, 1);
  word(wide ? 32 : 28, header);
  if (facts.noteSection === true) word(wide ? 40 : 32, sectionsAt);
  u16(wide ? 52 : 40, header);
  u16(wide ? 54 : 42, entry);
  u16(wide ? 56 : 44, segments);
  u16(wide ? 58 : 46, sectionSize);
  u16(wide ? 60 : 48, facts.noteSection === true ? 1 : 0);
  let at = header;
  const segment = (type: number, offset: number, size: number) => {
    u32(at, type);
    word(at + (wide ? 8 : 4), offset);
    word(at + (wide ? 16 : 8), offset);
    word(at + (wide ? 32 : 16), size);
    at += entry;
  };
  segment(1, 0, out.length);
  segment(2, dynamicAt, dynamicSize);
  if (interpreter !== undefined) segment(3, interpreterAt, interpreter.length);
  if (notes.length > 0 && facts.noteSection !== true) segment(4, notesAt, notes.length);
  if (interpreter !== undefined) out.set(interpreter, interpreterAt);
  out.set(notes, notesAt);
  for (const [i, [tag, value]] of [...dynamic, [5, tableAt], [10, table.length], [0, 0]].entries()) {
    word(dynamicAt + i * step, tag!);
    word(dynamicAt + i * step + step / 2, value!);
  }
  out.set(table, tableAt);
  if (facts.noteSection === true) {
    u32(sectionsAt + 4, 7);
    word(sectionsAt + (wide ? 24 : 16), notesAt);
    word(sectionsAt + (wide ? 32 : 20), notes.length);
  }
  return new Uint8Array(out);
}

/** One note of owner FDO about dlopen. */
function note(text: string, little: boolean): Buffer {
  const data = Buffer.from(`${text}\0`, 'utf8');
  const out = Buffer.alloc(16 + align(data.length, 4));
  const view = new DataView(out.buffer, out.byteOffset, out.length);
  view.setUint32(0, 4, little);
  view.setUint32(4, data.length, little);
  view.setUint32(8, 0x407c0c0a, little);
  out.write('FDO\0', 12, 'latin1');
  out.set(data, 16);
  return out;
}
