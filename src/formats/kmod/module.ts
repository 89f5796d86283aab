import type { RandomAccess } from '../../bytes/file.ts';
import { BuildError } from '../../errors/error.ts';
import { BIG_ENDIAN, CLASS_32, CLASS_64, LITTLE_ENDIAN, MACHINES, MAGIC } from '../elf/layout.ts';
import {
  findSections,
  kept,
  listedNames,
  NAMES_LIMIT,
  type NamesTrouble,
  NO_NAMES,
  type SymbolNames,
  symbolNames,
} from './symbols.ts';
import { SECTIONS } from './symbols-code.ts';

/**
 * Kernel modules: ELF files of either word size and byte order. Their facts are in three sections: `.modinfo` (strings
 * `key=value`), the symbol table, and `__versions` (names of symbols with checksums; 64 bytes each).
 */

/** What is read from a kernel module, as plain values that can go from thread to thread. */
export interface ModuleData {
  readonly bits: 32 | 64;
  readonly littleEndian: boolean;
  /** The processor as `uname -m` names it, or the number of e_machine. */
  readonly machine: string;
  /** `.modinfo`: strings `key=value`, with NUL between them. */
  readonly info: Uint8Array;
  /** The symbols that it exports, in its order. */
  readonly exported: SymbolNames;
  /** The symbols that it needs, in its order. The dot that ppc64 has before the names of functions is left out. */
  readonly needed: SymbolNames;
}

/** The facts of a kernel module. Lists are made when they are asked for: a kernel has thousands of modules. */
export class KernelModule {
  readonly data: ModuleData;

  constructor(data: ModuleData) {
    this.data = data;
  }

  /** `.modinfo` as a byte string: `key=value` with NUL between them. */
  infoText(): string {
    return view(this.data.info).toString('latin1');
  }

  /** `.modinfo` in its order: `license`, `alias`, `depends`, `firmware`, `softdep`, `vermagic` … */
  get info(): readonly (readonly [key: string, value: string])[] {
    return listed(this.data.info).map((text) => {
      const equals = text.indexOf('=');
      return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
    });
  }

  /** The values of one key of `.modinfo`, in its order. */
  values(key: string): readonly string[] {
    const info = view(this.data.info);
    const start = Buffer.from(`${key}=`, 'latin1');
    const found: string[] = [];
    for (let at = info.indexOf(start); at >= 0; at = info.indexOf(start, at + 1)) {
      if (at > 0 && info[at - 1] !== 0) continue;
      const end = info.indexOf(0, at);
      found.push(info.toString('latin1', at + start.length, end < 0 ? info.length : end));
    }
    return found;
  }

  /** Symbols it exports, in its order. */
  get exports(): readonly string[] {
    return listed(this.data.exported.bytes);
  }

  /** Symbols it needs from the kernel and from other modules, in its order, each once. */
  get needs(): readonly string[] {
    return [...new Set(listed(this.data.needed.bytes))];
  }
}

function listed(bytes: Uint8Array): string[] {
  return view(bytes)
    .toString('latin1')
    .split('\0')
    .filter((one) => one !== '');
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Limits: no module of any kernel comes near them. */
const SECTIONS_LIMIT = 1 << 16;
const INFO_LIMIT = 16 << 20;
const SYMBOLS_LIMIT = 256 << 20;
/** A list of what is exported: each name needs numbers besides. */
const STRINGS_LIMIT = 16 << 20;

const SHT_NOBITS = 8;
/** SPARC, where a symbol may name a register. */
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
    for (const [place, number] of findSections(table, step, names, this.little).entries())
      if (number > 0) this.sections.set(SECTIONS[place]!, header(number));
  }

  private bytesOf({ type, offset, size }: Section, what: string, limit: number): Buffer {
    if (type === SHT_NOBITS) throw this.corrupt(`${what}: the section has no bytes`);
    if (size > limit) throw this.corrupt(`${what}: ${size} bytes, ${limit} are the limit`);
    const bytes = this.pieces.at(offset, size);
    if (bytes === undefined) throw this.corrupt(`${what}: ${size} bytes at ${offset} are outside the file`);
    return bytes;
  }

  private section(name: (typeof SECTIONS)[number], limit: number): Buffer | undefined {
    const section = this.sections.get(name);
    return section === undefined ? undefined : this.bytesOf(section, name, limit);
  }

  read(): KernelModule {
    const info = this.section('.modinfo', INFO_LIMIT);
    if (info === undefined) throw this.corrupt('it has no section .modinfo');
    const keptInfo = kept(info);
    const strings = this.section('.strtab', SYMBOLS_LIMIT);
    const symbols = this.section('.symtab', SYMBOLS_LIMIT);
    let needed = NO_NAMES;
    let exported = NO_NAMES;
    if (strings !== undefined && symbols !== undefined) {
      if (symbols.length % (this.wide ? 24 : 16) !== 0) throw this.corrupt(`.symtab has ${symbols.length} bytes`);
      const versions = this.section('__versions', SYMBOLS_LIMIT);
      ({ needed, exported } = symbolNames(
        {
          symbols,
          strings,
          versions: versions === undefined || versions.length % 64 !== 0 ? NOTHING : versions,
          wide: this.wide,
          little: this.little,
          registers: EM_SPARC.includes(this.machine),
        },
        this.trouble,
      ));
    }
    // what a module without checksums exports
    if (exported === NO_NAMES) {
      const strings = this.section('__ksymtab_strings', STRINGS_LIMIT);
      if (strings !== undefined) exported = listedNames(strings, this.trouble);
    }
    return new KernelModule({
      bits: this.wide ? 64 : 32,
      littleEndian: this.little,
      machine: MACHINES[this.machine] ?? String(this.machine),
      info: keptInfo,
      exported,
      needed,
    });
  }

  private readonly trouble = (what: NamesTrouble): Error =>
    this.corrupt(
      what === 'outside'
        ? 'a symbol has its name outside .strtab'
        : `the names of its symbols have more than ${NAMES_LIMIT} bytes`,
    );
}

const NOTHING = new Uint8Array(0);
