import type { RandomAccess } from '../../bytes/file.ts';
import {
  BIG_ENDIAN,
  CLASS_32,
  CLASS_64,
  DF_1_NODEFLIB,
  DT_FLAGS_1,
  DT_NEEDED,
  DT_RPATH,
  DT_RUNPATH,
  DT_SONAME,
  DT_STRSZ,
  DT_STRTAB,
  LITTLE_ENDIAN,
  MACHINES,
  MAGIC,
  PT_DYNAMIC,
  PT_INTERP,
  PT_LOAD,
} from './layout.ts';

/** The facts of a program or library: its platform and its dependencies. */
export interface Elf {
  readonly bits: 32 | 64;
  readonly littleEndian: boolean;
  /** e_type: 2 program at a fixed address, 3 shared object, … */
  readonly type: number;
  /** e_machine; {@link MACHINES} names it. */
  readonly machine: number;
  /** Its name as printed by `uname -m`, or the number. */
  readonly machineName: string;
  readonly flags: number;
  /** The program interpreter (`/lib64/ld-linux-x86-64.so.2`), if there is one. */
  readonly interpreter: string | undefined;
  readonly soname: string | undefined;
  readonly needed: readonly string[];
  /** Folders to search for `needed`, as written (`$ORIGIN` kept). */
  readonly runpath: readonly string[];
  readonly rpath: readonly string[];
  /** True when there is a dynamic section. */
  readonly dynamic: boolean;
  /** DF_1_NODEFLIB: only RPATH and RUNPATH are searched, not the default folders and not the cache. */
  readonly noDefaultFolders: boolean;
}

/** Longest string and largest table that are read; a loader would not accept a file with more. */
const STRING_LIMIT = 4096;
const TABLE_LIMIT = 1 << 20;
const HEADERS_LIMIT = 4096;
/** Most names in a dynamic section; the largest programs have some hundreds. */
const NAMES_LIMIT = 4096;

/** Reads what matters for loading. Undefined for other files, and for damaged ones that no loader would accept. */
export function readElf(file: RandomAccess): Elf | undefined {
  if (file.size < 52) return undefined;
  const head = part(file, 0, Math.min(64, file.size));
  if (head === undefined || head.getUint32(0, true) !== MAGIC) return undefined;
  const bits = head.getUint8(4) === CLASS_64 ? 64 : head.getUint8(4) === CLASS_32 ? 32 : undefined;
  const data = head.getUint8(5);
  if (bits === undefined || (data !== LITTLE_ENDIAN && data !== BIG_ENDIAN)) return undefined;
  if (bits === 64 && head.byteLength < 64) return undefined;
  const little = data === LITTLE_ENDIAN;
  const wide = bits === 64;
  const word = (view: DataView, at: number): number =>
    wide ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little);
  const machine = head.getUint16(18, little);
  const headersAt = word(head, wide ? 32 : 28);
  const flags = head.getUint32(wide ? 48 : 36, little);
  const headerSize = head.getUint16(wide ? 54 : 42, little);
  const headerCount = head.getUint16(wide ? 56 : 44, little);
  const elf = {
    bits,
    littleEndian: little,
    type: head.getUint16(16, little),
    machine,
    machineName: MACHINES[machine] ?? String(machine),
    flags,
    interpreter: undefined as string | undefined,
    soname: undefined as string | undefined,
    needed: [] as string[],
    runpath: [] as string[],
    rpath: [] as string[],
    dynamic: false as boolean,
    noDefaultFolders: false as boolean,
  } satisfies Elf;
  if (headerCount === 0) return elf;
  if (headerSize < (wide ? 56 : 32) || headerCount > HEADERS_LIMIT) return undefined;
  const headers = part(file, headersAt, headerSize * headerCount);
  if (headers === undefined) return undefined;

  const loads: { address: number; offset: number; size: number }[] = [];
  let dynamic: { offset: number; size: number } | undefined;
  for (let i = 0; i < headerCount; i++) {
    const at = i * headerSize;
    const type = headers.getUint32(at, little);
    const segment = {
      offset: word(headers, at + (wide ? 8 : 4)),
      address: word(headers, at + (wide ? 16 : 8)),
      size: word(headers, at + (wide ? 32 : 16)),
    };
    if (type === PT_LOAD) loads.push(segment);
    else if (type === PT_DYNAMIC) dynamic = segment;
    else if (type === PT_INTERP && segment.size <= STRING_LIMIT) {
      const bytes = part(file, segment.offset, segment.size);
      if (bytes === undefined) return undefined;
      elf.interpreter = text(bytes, 0);
    }
  }
  if (dynamic === undefined) return elf;
  elf.dynamic = true;
  if (dynamic.size > TABLE_LIMIT) return undefined;
  const table = part(file, dynamic.offset, dynamic.size);
  if (table === undefined) return undefined;
  const step = wide ? 16 : 8;
  const entries: { tag: number; value: number }[] = [];
  let stringsAt: number | undefined;
  let stringsSize = 0;
  for (let at = 0; at + step <= table.byteLength; at += step) {
    const tag = word(table, at);
    const value = word(table, at + step / 2);
    if (tag === 0) break;
    if (tag === DT_STRTAB) stringsAt = value;
    else if (tag === DT_STRSZ) stringsSize = value;
    else if (tag === DT_FLAGS_1) elf.noDefaultFolders = (value & DF_1_NODEFLIB) !== 0;
    else if (tag === DT_NEEDED || tag === DT_SONAME || tag === DT_RPATH || tag === DT_RUNPATH)
      entries.push({ tag, value });
  }
  if (entries.length === 0) return elf;
  if (entries.length > NAMES_LIMIT) return undefined;
  // the string table is named by its address in memory
  const home = loads.find((l) => stringsAt !== undefined && stringsAt >= l.address && stringsAt < l.address + l.size);
  if (home === undefined || stringsAt === undefined) return undefined;
  const stringsOffset = home.offset + stringsAt - home.address;
  if (!isInside(file, stringsOffset, stringsSize)) return undefined;
  for (const { tag, value } of entries) {
    const name = value < stringsSize ? stringAt(file, stringsOffset + value, stringsSize - value) : undefined;
    if (name === undefined) return undefined;
    if (tag === DT_NEEDED) elf.needed.push(name);
    else if (tag === DT_SONAME) elf.soname = name;
    else {
      const folders = tag === DT_RPATH ? elf.rpath : elf.runpath;
      for (const folder of name.split(':')) if (folder !== '') folders.push(folder);
    }
  }
  return elf;
}

/** The string at `offset`; undefined if it does not end within `room` bytes, or is longer than a loader accepts. */
function stringAt(file: RandomAccess, offset: number, room: number): string | undefined {
  // most names are short, and a table may have thousands
  for (const size of [64, STRING_LIMIT]) {
    const view = part(file, offset, Math.min(size, room));
    if (view === undefined) return undefined;
    const found = text(view, 0);
    if (found.length < view.byteLength) return found;
  }
  return undefined;
}

function isInside(file: RandomAccess, offset: number, size: number): boolean {
  return Number.isSafeInteger(offset) && offset >= 0 && size >= 0 && offset + size <= file.size;
}

function part(file: RandomAccess, offset: number, size: number): DataView | undefined {
  if (!isInside(file, offset, size)) return undefined;
  const bytes = new Uint8Array(size);
  file.readAt(offset, bytes);
  return new DataView(bytes.buffer);
}

function text(view: DataView, from: number): string {
  let end = from;
  while (end < view.byteLength && view.getUint8(end) !== 0) end++;
  return Buffer.from(view.buffer, view.byteOffset + from, end - from).toString('latin1');
}
