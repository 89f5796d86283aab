import type { RandomAccess } from '../../bytes/file.ts';
import { BuildError } from '../../errors/error.ts';
import { BIG_ENDIAN, CLASS_32, CLASS_64, LITTLE_ENDIAN, MACHINES, MAGIC } from '../elf/layout.ts';

/**
 * Kernel modules: ELF files of either word size and byte order. Their facts are in three sections: `.modinfo` (strings
 * `key=value`), the symbol table, and `__versions` (names of symbols with checksums; 64 bytes each).
 */

/** The facts of a kernel module. Strings are byte strings. */
export interface KernelModule {
  readonly bits: 32 | 64;
  readonly littleEndian: boolean;
  /** The processor as `uname -m` names it, or the number of e_machine. */
  readonly machine: string;
  /** `.modinfo` in its order: `license`, `alias`, `depends`, `firmware`, `softdep`, `vermagic` … */
  readonly info: readonly (readonly [key: string, value: string])[];
  /** Symbols it exports, in its order. */
  readonly exports: readonly string[];
  /** Symbols it needs from the kernel and from other modules, in its order. */
  readonly needs: readonly string[];
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

/** Bytes that are read at once where a module begins and ends. */
const WHOLE = 64 * 1024;

/** Reads a file in few, large pieces: its sections of interest are at the end, one after the other. */
class Pieces {
  private readonly file: RandomAccess;
  private held: Buffer;
  private from: number;

  constructor(file: RandomAccess) {
    this.file = file;
    this.from = Math.max(0, file.size - WHOLE);
    this.held = Buffer.allocUnsafe(file.size - this.from);
    file.readAt(this.from, this.held);
  }

  /** A view of `size` bytes, valid for as long as it is referenced; undefined beyond the file's end. */
  at(offset: number, size: number): Buffer | undefined {
    if (!Number.isSafeInteger(offset) || offset < 0 || size < 0 || offset + size > this.file.size) return undefined;
    const start = offset - this.from;
    if (start >= 0 && start + size <= this.held.length) return this.held.subarray(start, start + size);
    const bytes = Buffer.allocUnsafe(size);
    this.file.readAt(offset, bytes);
    return bytes;
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
    const info = this.readInfo();
    const strings = this.section('.strtab', SYMBOLS_LIMIT);
    const symbols = this.section('.symtab', SYMBOLS_LIMIT);
    const { exports, needs } =
      strings === undefined || symbols === undefined ? { exports: [], needs: [] } : this.readSymbols(symbols, strings);
    return {
      bits: this.wide ? 64 : 32,
      littleEndian: this.little,
      machine: MACHINES[this.machine] ?? String(this.machine),
      info,
      exports: exports.length > 0 ? exports : this.exportedStrings(),
      needs,
    };
  }

  private readInfo(): [string, string][] {
    const section = this.section('.modinfo', INFO_LIMIT);
    if (section === undefined) throw this.corrupt('it has no section .modinfo');
    const info: [string, string][] = [];
    for (const text of section.toString('latin1').split('\0')) {
      if (text === '') continue;
      const equals = text.indexOf('=');
      info.push(equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)]);
    }
    return info;
  }

  private readSymbols(symbols: Buffer, strings: Buffer): { exports: string[]; needs: string[] } {
    const { wide } = this;
    const step = wide ? 24 : 16;
    if (symbols.length % step !== 0) throw this.corrupt(`.symtab has ${symbols.length} bytes`);
    const indexAt = wide ? 6 : 14;
    const infoAt = wide ? 4 : 12;
    const registers = EM_SPARC.includes(this.machine);
    const exports: string[] = [];
    const needs: string[] = [];
    for (let at = step; at < symbols.length; at += step) {
      const nameAt = this.u32(symbols, at);
      if (nameAt >= strings.length) throw this.corrupt('a symbol has its name outside .strtab');
      if (this.u16(symbols, at + indexAt) === SHN_UNDEF) {
        if (strings[nameAt] === 0 || (registers && (symbols[at + infoAt]! & 15) === STT_REGISTER)) continue;
        needs.push(cString(strings, nameAt));
      }
      // __crc_NAME
      if (strings[nameAt] === 0x5f && strings[nameAt + 2] === 0x63 && strings[nameAt + 5] === 0x5f) {
        const name = cString(strings, nameAt);
        if (name.startsWith('__crc_')) exports.push(name.slice(6));
      }
    }
    this.addVersions(needs);
    return { exports, needs };
  }

  /** Names with a checksum that no symbol needs: `module_layout`. */
  private addVersions(needs: string[]): void {
    const versions = this.section('__versions', SYMBOLS_LIMIT);
    if (versions === undefined || versions.length % 64 !== 0) return;
    const crc = this.wide ? 8 : 4;
    const known = new Set(needs);
    for (let at = 0; at < versions.length; at += 64) {
      const name = cString(versions, at + crc);
      if (!known.has(name)) needs.push(name);
    }
  }

  /** What a module without checksums exports. */
  private exportedStrings(): string[] {
    const strings = this.section('__ksymtab_strings', SYMBOLS_LIMIT);
    if (strings === undefined) return [];
    return strings
      .toString('latin1')
      .split('\0')
      .filter((name) => name !== '');
  }
}

const WANTED: ReadonlySet<string> = new Set(['.modinfo', '.symtab', '.strtab', '__versions', '__ksymtab_strings']);

function cString(bytes: Buffer, from: number): string {
  const end = bytes.indexOf(0, from);
  return bytes.toString('latin1', from, end < 0 ? bytes.length : end);
}
