/** Made kernel modules: ELF relocatable files with the sections that kmod reads. */

/** What a made module says. */
export interface MadeModule {
  readonly info?: readonly string[];
  /** Exported symbols, each with a checksum `__crc_NAME`. */
  readonly exports?: readonly string[];
  /** Exported without checksums: `__ksymtab_strings`. */
  readonly strings?: readonly string[];
  readonly needs?: readonly string[];
  /** Names in `__versions`. */
  readonly versions?: readonly string[];
  readonly bits?: 32 | 64;
  readonly bigEndian?: boolean;
  /** e_machine; x86-64 by default. */
  readonly machine?: number;
  /** Bytes of code, to make it larger. */
  readonly code?: number;
}

/** The bytes of a kernel module. */
export function madeModule(made: MadeModule): Buffer {
  const wide = (made.bits ?? 64) === 64;
  const big = made.bigEndian ?? false;
  const u16 = (into: Buffer, value: number, at: number) =>
    big ? into.writeUInt16BE(value, at) : into.writeUInt16LE(value, at);
  const u32 = (into: Buffer, value: number, at: number) =>
    big ? into.writeUInt32BE(value, at) : into.writeUInt32LE(value, at);
  const word = (into: Buffer, value: number, at: number) => {
    if (!wide) u32(into, value, at);
    else if (big) into.writeBigUInt64BE(BigInt(value), at);
    else into.writeBigUInt64LE(BigInt(value), at);
  };
  const cStrings = (strings: readonly string[]) => Buffer.from(strings.map((text) => `${text}\0`).join(''), 'latin1');

  const names: string[] = [''];
  const nameAt = new Map<string, number>([['', 0]]);
  let namesSize = 1;
  const name = (text: string) => {
    if (!nameAt.has(text)) {
      nameAt.set(text, namesSize);
      names.push(text);
      namesSize += text.length + 1;
    }
    return nameAt.get(text)!;
  };
  const symbolSize = wide ? 24 : 16;
  const symbols: Buffer[] = [Buffer.alloc(symbolSize)];
  const symbol = (text: string, section: number) => {
    const bytes = Buffer.alloc(symbolSize);
    u32(bytes, name(text), 0);
    bytes[wide ? 4 : 12] = 0x10;
    u16(bytes, section, wide ? 6 : 14);
    symbols.push(bytes);
  };
  // SHN_ABS: the checksum itself
  for (const text of made.exports ?? []) symbol(`__crc_${text}`, 0xfff1);
  for (const text of made.exports ?? []) symbol(text, 1);
  for (const text of made.needs ?? []) symbol(text, 0);
  const versions = Buffer.alloc(64 * (made.versions?.length ?? 0));
  for (const [i, text] of (made.versions ?? []).entries()) versions.write(text, 64 * i + (wide ? 8 : 4), 'latin1');

  const sections: [name: string, type: number, bytes: Buffer][] = [
    ['', 0, Buffer.alloc(0)],
    ['.text', 1, Buffer.alloc(made.code ?? 16, 0x90)],
    ['.modinfo', 1, cStrings(made.info ?? ['license=GPL'])],
  ];
  if (versions.length > 0) sections.push(['__versions', 1, versions]);
  if (made.strings !== undefined) sections.push(['__ksymtab_strings', 1, cStrings(made.strings)]);
  sections.push(['.symtab', 2, Buffer.concat(symbols)], ['.strtab', 3, cStrings(names)]);
  const titles = cStrings([...sections.map(([title]) => title), '.shstrtab']);
  sections.push(['.shstrtab', 3, titles]);

  const headSize = wide ? 64 : 52;
  const headerSize = wide ? 64 : 40;
  const bodies: Buffer[] = [];
  let at = headSize;
  const places = sections.map(([, , bytes]) => {
    const pad = (8 - (at % 8)) % 8;
    bodies.push(Buffer.alloc(pad), bytes);
    at += pad + bytes.length;
    return at - bytes.length;
  });
  const table = Buffer.alloc(headerSize * sections.length);
  sections.forEach(([title, type, bytes], i) => {
    const from = i * headerSize;
    u32(table, title === '' ? 0 : titles.indexOf(`\0${title}\0`, 0, 'latin1') + 1, from);
    u32(table, type, from + 4);
    word(table, places[i]!, from + (wide ? 24 : 16));
    word(table, bytes.length, from + (wide ? 32 : 20));
  });
  const head = Buffer.alloc(headSize);
  head.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, big ? 2 : 1, 1]);
  u16(head, 1, 16);
  u16(head, made.machine ?? 62, 18);
  u32(head, 1, 20);
  word(head, at, wide ? 40 : 32);
  u16(head, headSize, wide ? 52 : 40);
  u16(head, headerSize, wide ? 58 : 46);
  u16(head, sections.length, wide ? 60 : 48);
  u16(head, sections.length - 1, wide ? 62 : 50);
  return Buffer.concat([head, ...bodies, table]);
}
