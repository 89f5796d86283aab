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
  /** Names of the symbols that it exports, each ended by NUL, in its order. */
  readonly exported: Uint8Array;
  /**
   * Names of the symbols that it needs, each ended by NUL, in its order; some may be there twice. The dot that ppc64 has
   * before the names of functions is left out.
   */
  readonly needed: Uint8Array;
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

  /** The values of one key of `.modinfo`, in its order. */
  values(key: string): readonly string[] {
    const { infoText } = this.data;
    const start = `${key}=`;
    const found: string[] = [];
    for (let at = infoText.indexOf(start); at >= 0; ) {
      const value = at + start.length;
      if (at > 0 && infoText.charCodeAt(at - 1) !== 0) {
        at = infoText.indexOf(start, value);
        continue;
      }
      const end = infoText.indexOf('\0', value);
      found.push(end < 0 ? infoText.slice(value) : infoText.slice(value, end));
      if (end < 0) break;
      at = infoText.indexOf(start, end);
    }
    return found;
  }

  /** Symbols it exports, in its order. */
  get exports(): readonly string[] {
    return listed(latin1(this.data.exported));
  }

  /** Symbols it needs from the kernel and from other modules, in its order, each once. */
  get needs(): readonly string[] {
    return [...new Set(listed(latin1(this.data.needed)))];
  }
}

function listed(text: string): string[] {
  return text === '' ? [] : text.split('\0').filter((one) => one !== '');
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

/** Limits: no module of any kernel comes near them. */
const SECTIONS_LIMIT = 1 << 16;
const INFO_LIMIT = 16 << 20;
const SYMBOLS_LIMIT = 256 << 20;
/** Bytes of names, which can be many more than the table has: thousands of symbols may have one long name. */
const NAMES_LIMIT = 64 << 20;

const SHT_NOBITS = 8;
const DOT = 0x2e;
/** SPARC: a symbol of this type names a register and is not needed from anywhere. */
const STT_REGISTER = 13;
const EM_SPARC = [2, 43];

interface Section {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
}

/** A module with no more bytes is read at once. */
const WHOLE = 128 * 1024;
/** Bytes at the end of a larger one that are read at once: the table of its sections and their names. */
const TAIL = 16 * 1024;

/**
 * What was read of a module. All modules share it, because thousands are read one after the other: nothing that is kept
 * may be a view of it.
 */
let shared: Buffer = Buffer.alloc(2 * WHOLE);

/** Larger pieces have memory of their own. */
const SHARED_MOST = 4 << 20;

/** Reads a file in few pieces, and of a large one only what is asked for. */
class Pieces {
  private readonly file: RandomAccess;
  private readonly held: Buffer;
  private readonly from: number;
  /** Bytes of the shared memory that are in use. */
  private used: number;

  constructor(file: RandomAccess) {
    this.file = file;
    const { size, bytes } = file;
    this.from = bytes !== undefined || size <= WHOLE ? 0 : size - TAIL;
    this.used = bytes === undefined ? size - this.from : 0;
    this.held = bytes === undefined ? shared.subarray(0, this.used) : Buffer.from(bytes.buffer, bytes.byteOffset, size);
    if (bytes === undefined) file.readAt(this.from, this.held);
  }

  /** A view of `size` bytes, valid until another module is read; undefined beyond the file's end. */
  at(offset: number, size: number): Buffer | undefined {
    if (!Number.isSafeInteger(offset) || offset < 0 || size < 0 || offset + size > this.file.size) return undefined;
    const start = offset - this.from;
    if (start >= 0) return this.held.subarray(start, start + size);
    const bytes = size > SHARED_MOST ? Buffer.allocUnsafe(size) : this.take(size);
    this.file.readAt(offset, bytes);
    return bytes;
  }

  private take(size: number): Buffer {
    if (this.used + size > shared.length) {
      // views of the old memory stay valid
      shared = Buffer.alloc(Math.min(2 * SHARED_MOST, Math.max(2 * shared.length, size)));
      this.used = 0;
    }
    this.used += size;
    return shared.subarray(this.used - size, this.used);
  }
}

/** Names gathered from tables, each ended by NUL. All lists share the memory. */
class Names {
  private static memory: Buffer = Buffer.alloc(1 << 16);
  private used = 0;
  private readonly reject: () => Error;

  /** `reject` makes the error for more than {@link NAMES_LIMIT} bytes. */
  constructor(reject: () => Error) {
    this.reject = reject;
  }

  /** Adds the name that begins there and ends at its NUL or at `end`; an empty one is left out. */
  add(table: Buffer, from: number, end: number): void {
    let memory: Buffer = Names.memory;
    let { used } = this;
    for (let at = from; at < end; at++) {
      const byte = table[at]!;
      if (byte === 0) break;
      if (used + 1 >= memory.length) memory = this.grow(used);
      memory[used++] = byte;
    }
    if (used === this.used) return;
    memory[used++] = 0;
    this.used = used;
  }

  private grow(used: number): Buffer {
    if (used > NAMES_LIMIT) throw this.reject();
    const grown = Buffer.alloc(2 * Names.memory.length);
    Names.memory.copy(grown, 0, 0, used);
    Names.memory = grown;
    return grown;
  }

  /** A copy of them, in their order. The memory can be used again after that. */
  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.used);
    bytes.set(Names.memory.subarray(0, this.used));
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
      const name = wantedName(names, this.u32(table, i * step));
      if (name !== undefined && !this.sections.has(name)) this.sections.set(name, header(i));
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
    let exported: Uint8Array = NONE;
    let needed: Uint8Array = NONE;
    if (strings !== undefined && symbols !== undefined) {
      needed = this.readNeeded(symbols, strings);
      exported = this.readExported(symbols, strings);
    }
    // what a module without checksums exports
    if (exported.length === 0) {
      const names = this.section('__ksymtab_strings', SYMBOLS_LIMIT);
      if (names !== undefined) exported = Uint8Array.from(names);
    }
    return new KernelModule({
      bits: this.wide ? 64 : 32,
      littleEndian: this.little,
      machine: MACHINES[this.machine] ?? String(this.machine),
      infoText,
      exported,
      needed,
    });
  }

  private names(): Names {
    return new Names(() => this.corrupt(`the names of its symbols have more than ${NAMES_LIMIT} bytes`));
  }

  private readNeeded(symbols: Buffer, strings: Buffer): Uint8Array {
    const { wide } = this;
    const step = wide ? 24 : 16;
    if (symbols.length % step !== 0) throw this.corrupt(`.symtab has ${symbols.length} bytes`);
    const indexAt = wide ? 6 : 14;
    const infoAt = wide ? 4 : 12;
    const registers = EM_SPARC.includes(this.machine);
    const names = this.names();
    for (let at = step; at < symbols.length; at += step) {
      // SHN_UNDEF, in either byte order
      if (symbols[at + indexAt] !== 0 || symbols[at + indexAt + 1] !== 0) continue;
      if (registers && (symbols[at + infoAt]! & 15) === STT_REGISTER) continue;
      const nameAt = this.nameOf(symbols, at, strings);
      names.add(strings, strings[nameAt] === DOT ? nameAt + 1 : nameAt, strings.length);
    }
    // names with a checksum that no symbol needs: module_layout
    const versions = this.section('__versions', SYMBOLS_LIMIT);
    if (versions !== undefined && versions.length % 64 === 0)
      for (let at = 0; at < versions.length; at += 64) names.add(versions, at + (wide ? 8 : 4), at + 64);
    return names.bytes();
  }

  private readExported(symbols: Buffer, strings: Buffer): Uint8Array {
    // most modules export nothing
    if (!strings.includes('__crc_')) return NONE;
    const names = this.names();
    const step = this.wide ? 24 : 16;
    for (let at = step; at < symbols.length; at += step) {
      const nameAt = this.nameOf(symbols, at, strings);
      // __crc_NAME; most names of a module begin with another letter
      if (strings[nameAt] !== 0x5f || strings[nameAt + 2] !== 0x63 || strings[nameAt + 5] !== 0x5f) continue;
      if (strings[nameAt + 1] === 0x5f && strings[nameAt + 3] === 0x72 && strings[nameAt + 4] === 0x63)
        names.add(strings, nameAt + 6, strings.length);
    }
    return names.bytes();
  }

  private nameOf(symbols: Buffer, at: number, strings: Buffer): number {
    const nameAt = this.u32(symbols, at);
    if (nameAt >= strings.length) throw this.corrupt('a symbol has its name outside .strtab');
    return nameAt;
  }
}

const NONE = new Uint8Array(0);

const WANTED = ['.modinfo', '.symtab', '.strtab', '__versions', '__ksymtab_strings'].map((name) => ({
  name,
  bytes: Buffer.from(`${name}\0`),
}));

/** The name of a section that is of interest, compared in place: a hostile table has long names. */
function wantedName(names: Buffer, at: number): string | undefined {
  const start = names[at];
  if (start !== 0x2e && start !== 0x5f) return undefined;
  return WANTED.find(({ bytes }) => {
    for (let i = 1; i < bytes.length; i++) if (names[at + i] !== bytes[i]) return false;
    return bytes[0] === start;
  })?.name;
}
