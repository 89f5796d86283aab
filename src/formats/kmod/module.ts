import type { RandomAccess } from '../../bytes/file.ts';
import { BuildError } from '../../errors/error.ts';
import { BIG_ENDIAN, CLASS_32, CLASS_64, LITTLE_ENDIAN, MACHINES, MAGIC } from '../elf/layout.ts';

/**
 * Kernel modules: ELF files of either word size and byte order. Their facts are in three sections: `.modinfo` (strings
 * `key=value`), the symbol table, and `__versions` (names of symbols with checksums; 64 bytes each).
 */

/** What is read from a kernel module, as plain values that can go from thread to thread. Strings are byte strings. */
export interface ModuleData {
  readonly bits: 32 | 64;
  readonly littleEndian: boolean;
  /** The processor as `uname -m` names it, or the number of e_machine. */
  readonly machine: string;
  /** `.modinfo`: strings `key=value`, with NUL between them. */
  readonly infoText: string;
  /** Names with NUL between them. */
  readonly exportsText: string;
  readonly needsText: string;
}

/** The facts of a kernel module. Lists are made when they are asked for: a kernel has thousands of modules. */
export class KernelModule {
  readonly data: ModuleData;

  constructor(data: ModuleData) {
    this.data = data;
  }

  /** `.modinfo` in its order: `license`, `alias`, `depends`, `firmware`, `softdep`, `vermagic` … */
  get info(): readonly (readonly [key: string, value: string])[] {
    return listed(this.data.infoText).map((text) => {
      const equals = text.indexOf('=');
      return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
    });
  }

  /** Symbols it exports, in its order. */
  get exports(): readonly string[] {
    return listed(this.data.exportsText);
  }

  /** Symbols it needs from the kernel and from other modules, in its order. */
  get needs(): readonly string[] {
    return listed(this.data.needsText);
  }
}

function listed(text: string): string[] {
  return text === '' ? [] : text.split('\0').filter((one) => one !== '');
}

/** Limits: no module of any kernel comes near them. */
const SECTIONS_LIMIT = 1 << 16;
const INFO_LIMIT = 16 << 20;
const SYMBOLS_LIMIT = 256 << 20;

const SHT_NOBITS = 8;
const SHN_UNDEF = 0;
/** SPARC: a symbol of this type names a register and is not needed from anywhere. */
const STT_REGISTER = 13;
const EM_SPARC = [2, 43];

interface Section {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
}

/** Bytes at the end of a module that are read at once: most modules have no more. */
const TAIL = 128 * 1024;

/**
 * The end of the module that is being read. All modules share it, because thousands are read one after the other: nothing
 * that is kept may be a view of it.
 */
const tail = Buffer.alloc(TAIL);

/** Reads a file in few, large pieces: its sections of interest are at the end, one after the other. */
class Pieces {
  private readonly file: RandomAccess;
  private readonly held: Buffer;
  private readonly from: number;

  constructor(file: RandomAccess) {
    this.file = file;
    this.from = Math.max(0, file.size - TAIL);
    this.held = tail.subarray(0, file.size - this.from);
    file.readAt(this.from, this.held);
  }

  /** A view of `size` bytes, valid until another module is read; undefined beyond the file's end. */
  at(offset: number, size: number): Buffer | undefined {
    if (!Number.isSafeInteger(offset) || offset < 0 || size < 0 || offset + size > this.file.size) return undefined;
    const start = offset - this.from;
    if (start >= 0 && start + size <= this.held.length) return this.held.subarray(start, start + size);
    const bytes = Buffer.allocUnsafe(size);
    this.file.readAt(offset, bytes);
    return bytes;
  }
}

/** Strings of tables, put together so that they become one JavaScript string. All lists share the memory. */
class Names {
  private static scratch = Buffer.alloc(1 << 16);
  /** Where a string with a hash begins in the scratch memory, by hash; -1: none. Grown with the strings. */
  private static places = new Int32Array(1 << 12);
  private static starts = new Int32Array(1 << 11);
  private used = 0;
  private count = 0;

  constructor() {
    Names.places.fill(-1);
  }

  /** Adds the string that begins there and ends at its NUL or at `end`. With `once`: unless it was added before. */
  add(table: Buffer, from: number, end: number, once = false): void {
    const start = this.used;
    let stop = from;
    while (stop < end && table[stop] !== 0) stop++;
    if (start + stop - from + 1 > Names.scratch.length)
      Names.scratch = Buffer.concat([Names.scratch, Buffer.alloc(Names.scratch.length + stop - from)]);
    const { scratch } = Names;
    let hash = 0;
    let used = start;
    for (let at = from; at < stop; at++) {
      const byte = table[at]!;
      hash = (Math.imul(hash, 31) + byte) | 0;
      scratch[used++] = byte;
    }
    this.used = used;
    if (this.used === start) return;
    let slot = hash & (Names.places.length - 1);
    for (; Names.places[slot]! >= 0; slot = (slot + 1) & (Names.places.length - 1))
      if (this.isAt(Names.places[slot]!, start)) {
        if (once) this.used = start;
        else scratch[this.used++] = 0;
        return;
      }
    scratch[this.used++] = 0;
    if (this.count === Names.starts.length) this.grow();
    Names.starts[this.count++] = start;
    Names.places[slot] = start;
    if (this.count * 2 > Names.places.length) this.rehash();
  }

  /** True when the string that begins at `old` is the one from `start` to the end of all that was added. */
  private isAt(old: number, start: number): boolean {
    const { scratch } = Names;
    const size = this.used - start;
    for (let i = 0; i < size; i++) if (scratch[old + i] !== scratch[start + i]) return false;
    return scratch[old + size] === 0;
  }

  private grow(): void {
    const starts = new Int32Array(Names.starts.length * 2);
    starts.set(Names.starts);
    Names.starts = starts;
  }

  private rehash(): void {
    Names.places = new Int32Array(Names.places.length * 2).fill(-1);
    const { places, scratch } = Names;
    for (let i = 0; i < this.count; i++) {
      const start = Names.starts[i]!;
      let hash = 0;
      for (let at = start; scratch[at] !== 0; at++) hash = (Math.imul(hash, 31) + scratch[at]!) | 0;
      let slot = hash & (places.length - 1);
      while (places[slot]! >= 0) slot = (slot + 1) & (places.length - 1);
      places[slot] = start;
    }
  }

  /** All of them in their order, with NUL between them. */
  text(): string {
    return this.used === 0 ? '' : Names.scratch.toString('latin1', 0, this.used - 1);
  }
}

/** Reads a kernel module that is not compressed. `path` names it in errors. Throws `MODULE_CORRUPT`. */
export function readModule(file: RandomAccess, path: string): KernelModule {
  return new ModuleReader(file, path).read();
}

class ModuleReader {
  private readonly pieces: Pieces;
  private readonly path: string;
  private readonly little: boolean;
  private readonly wide: boolean;
  private readonly machine: number;
  private readonly sections = new Map<string, Section>();

  constructor(file: RandomAccess, path: string) {
    this.path = path;
    if (file.size < 64) throw this.corrupt(`${file.size} bytes are too few for an ELF file`);
    this.pieces = new Pieces(file);
    const head = this.pieces.at(0, 64)!;
    if (head.readUInt32LE(0) !== MAGIC) throw this.corrupt('it is not an ELF file');
    if (head[4] !== CLASS_32 && head[4] !== CLASS_64) throw this.corrupt(`its word size is unknown (${head[4]})`);
    if (head[5] !== LITTLE_ENDIAN && head[5] !== BIG_ENDIAN)
      throw this.corrupt(`its byte order is unknown (${head[5]})`);
    this.wide = head[4] === CLASS_64;
    this.little = head[5] === LITTLE_ENDIAN;
    this.machine = this.u16(head, 18);
    this.readSections(head);
  }

  private corrupt(reason: string): BuildError {
    return new BuildError('MODULE_CORRUPT', { path: this.path, reason });
  }

  private u16(bytes: Buffer, at: number): number {
    return this.little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at);
  }

  private u32(bytes: Buffer, at: number): number {
    return this.little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
  }

  private word(bytes: Buffer, at: number): number {
    if (!this.wide) return this.u32(bytes, at);
    const [low, high] = this.little ? [at, at + 4] : [at + 4, at];
    return this.u32(bytes, high) * 2 ** 32 + this.u32(bytes, low);
  }

  /** The headers of all sections. Of two with one name the first counts, as for kmod. */
  private readSections(head: Buffer): void {
    const { wide } = this;
    const from = this.word(head, wide ? 40 : 32);
    const step = this.u16(head, wide ? 58 : 46);
    const count = this.u16(head, wide ? 60 : 48);
    const namesAt = this.u16(head, wide ? 62 : 50);
    if (step !== (wide ? 64 : 40)) throw this.corrupt(`a section header has ${step} bytes`);
    if (count === 0 || count > SECTIONS_LIMIT || namesAt >= count || namesAt === 0)
      throw this.corrupt('it has no table of sections');
    const table = this.pieces.at(from, step * count);
    if (table === undefined) throw this.corrupt('its table of sections is outside the file');
    const header = (i: number): Section => ({
      type: this.u32(table, i * step + 4),
      offset: this.word(table, i * step + (wide ? 24 : 16)),
      size: this.word(table, i * step + (wide ? 32 : 20)),
    });
    const names = this.bytesOf(header(namesAt), 'the names of its sections', INFO_LIMIT);
    if (names.length === 0 || names[names.length - 1] !== 0)
      throw this.corrupt('the names of its sections do not end with NUL');
    for (let i = 1; i < count; i++) {
      const nameAt = this.u32(table, i * step);
      if (nameAt >= names.length) continue;
      // only these are of interest, and their first bytes differ from nearly all others
      const start = names[nameAt];
      if (start !== 0x2e && start !== 0x5f) continue;
      const name = cString(names, nameAt);
      if (WANTED.has(name) && !this.sections.has(name)) this.sections.set(name, header(i));
    }
  }

  private bytesOf({ type, offset, size }: Section, what: string, limit: number): Buffer {
    if (type === SHT_NOBITS) throw this.corrupt(`${what}: the section has no bytes`);
    if (size > limit) throw this.corrupt(`${what}: ${size} bytes, ${limit} are the limit`);
    const bytes = this.pieces.at(offset, size);
    if (bytes === undefined) throw this.corrupt(`${what}: ${size} bytes at ${offset} are outside the file`);
    return bytes;
  }

  private section(name: string, limit: number): Buffer | undefined {
    const section = this.sections.get(name);
    return section === undefined ? undefined : this.bytesOf(section, name, limit);
  }

  read(): KernelModule {
    const info = this.section('.modinfo', INFO_LIMIT);
    if (info === undefined) throw this.corrupt('it has no section .modinfo');
    const infoText = info.toString('latin1');
    const strings = this.section('.strtab', SYMBOLS_LIMIT);
    const symbols = this.section('.symtab', SYMBOLS_LIMIT);
    let exportsText = '';
    let needsText = '';
    if (strings !== undefined && symbols !== undefined) {
      const found = this.readSymbols(symbols, strings);
      exportsText = found.exports.join('\0');
      needsText = found.needs;
    }
    // what a module without checksums exports
    if (exportsText === '') exportsText = this.section('__ksymtab_strings', SYMBOLS_LIMIT)?.toString('latin1') ?? '';
    return new KernelModule({
      bits: this.wide ? 64 : 32,
      littleEndian: this.little,
      machine: MACHINES[this.machine] ?? String(this.machine),
      infoText,
      exportsText,
      needsText,
    });
  }

  private readSymbols(symbols: Buffer, strings: Buffer): { exports: string[]; needs: string } {
    const { wide } = this;
    const step = wide ? 24 : 16;
    if (symbols.length % step !== 0) throw this.corrupt(`.symtab has ${symbols.length} bytes`);
    const indexAt = wide ? 6 : 14;
    const infoAt = wide ? 4 : 12;
    const registers = EM_SPARC.includes(this.machine);
    const exports: string[] = [];
    const needs = new Names();
    for (let at = step; at < symbols.length; at += step) {
      const nameAt = this.u32(symbols, at);
      if (nameAt >= strings.length) throw this.corrupt('a symbol has its name outside .strtab');
      if (this.u16(symbols, at + indexAt) === SHN_UNDEF) {
        if (registers && (symbols[at + infoAt]! & 15) === STT_REGISTER) continue;
        needs.add(strings, nameAt, strings.length);
      }
      // __crc_NAME
      if (strings[nameAt] === 0x5f && strings[nameAt + 2] === 0x63 && strings[nameAt + 5] === 0x5f) {
        const name = cString(strings, nameAt);
        if (name.startsWith('__crc_')) exports.push(name.slice(6));
      }
    }
    // names with a checksum that no symbol needs: module_layout
    const versions = this.section('__versions', SYMBOLS_LIMIT);
    if (versions !== undefined && versions.length % 64 === 0)
      for (let at = 0; at < versions.length; at += 64) needs.add(versions, at + (wide ? 8 : 4), at + 64, true);
    return { exports, needs: needs.text() };
  }
}

const WANTED: ReadonlySet<string> = new Set(['.modinfo', '.symtab', '.strtab', '__versions', '__ksymtab_strings']);

function cString(bytes: Buffer, from: number): string {
  const end = bytes.indexOf(0, from);
  return bytes.toString('latin1', from, end < 0 ? bytes.length : end);
}
