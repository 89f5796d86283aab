import type { Bytes, Content } from '../../bytes/content.ts';
import { type RandomAccess, section } from '../../bytes/file.ts';
import { decompress } from '../../compression/decompress.ts';
import { detect, type Format } from '../../compression/format.ts';
import { BuildError } from '../../errors/error.ts';
import { BIG_ENDIAN, MACHINES, MAGIC } from '../elf/layout.ts';

/** How the file of a kernel is made up. */
export type KernelForm =
  /** x86: setup code, then a compressed ELF file (Documentation/arch/x86/boot.rst). */
  | 'bzimage'
  /** `vmlinux`, as it is linked. */
  | 'elf'
  /** arm64 and riscv: the memory image (Documentation/arch/arm64/booting.rst). */
  | 'image'
  /** A program for EFI that holds a compressed kernel (drivers/firmware/efi/libstub/zboot-header.S). */
  | 'zboot'
  /** s390x: a boot program that holds the compressed memory image of the kernel (arch/s390/boot). */
  | 's390x'
  /** A compressed file of another form: `Image.gz`. */
  | 'compressed';

/** A kernel that was recognised. */
export interface KernelImage {
  readonly form: KernelForm;
  /** As `uname -m` names it; undefined where only the compressed part says it. */
  readonly architecture: string | undefined;
  /** What it is compressed with; absent for forms that are not, and where only a search finds it. */
  readonly compression?: Format;
  /** `6.12.1 (someone@host) #1 SMP …`, as an x86 kernel says it in its header. */
  readonly version?: string;
}

/** Bytes at the start that tell the forms apart. */
const HEAD = 0x10040;

/** Largest kernel after decompression. */
const KERNEL_LIMIT = 2 ** 30;

class Header {
  readonly bytes: Buffer;

  constructor(file: RandomAccess) {
    this.bytes = Buffer.alloc(Math.min(file.size, HEAD));
    file.readAt(0, this.bytes);
  }

  text(at: number, size: number): string {
    return this.bytes.toString('latin1', at, at + size);
  }

  u16(at: number): number {
    return at + 2 <= this.bytes.length ? this.bytes.readUInt16LE(at) : 0;
  }

  u32(at: number): number {
    return at + 4 <= this.bytes.length ? this.bytes.readUInt32LE(at) : 0;
  }
}

/** Recognises a kernel by its header; undefined for any other file. */
export function recogniseKernel(file: RandomAccess): KernelImage | undefined {
  if (file.size < 64) return undefined;
  const head = new Header(file);
  if (head.u32(0) === MAGIC) {
    const big = head.bytes[5] === BIG_ENDIAN;
    const machine = big ? head.bytes.readUInt16BE(18) : head.u16(18);
    const name = MACHINES[machine];
    return { form: 'elf', architecture: name === 'ppc64' && !big ? 'ppc64le' : name };
  }
  if (head.text(0x202, 4) === 'HdrS' && head.u16(0x1fe) === 0xaa55) {
    const version = versionOf(head);
    const wide = (head.u16(0x236) & 1) !== 0; // xloadflags: XLF_KERNEL_64
    return {
      form: 'bzimage',
      architecture: wide ? 'x86_64' : 'i386',
      ...(version === undefined ? {} : { version }),
    };
  }
  if (head.text(0, 2) === 'MZ' && head.text(4, 4) === 'zimg')
    return { form: 'zboot', architecture: peMachine(head), compression: zbootFormat(head) };
  if (head.text(0x38, 4) === 'ARM\x64') return { form: 'image', architecture: 'aarch64' };
  if (head.text(0x38, 4) === 'RSC\x05') return { form: 'image', architecture: 'riscv64' };
  // arch/s390/boot/head.S: the entry point at 0x10000 has this mark behind it
  if (head.text(0x10008, 6) === 'S390EP') return { form: 's390x', architecture: 's390x' };
  const compression = detect(head.bytes.subarray(0, 16));
  return compression === 'none' ? undefined : { form: 'compressed', architecture: undefined, compression };
}

/** What every kernel says of itself (linux_banner of init/version-timestamp.c): release, who made it and where, compiler. */
const BANNER = /^Linux version \d+\.\d[^\0\n ]* \([^\0\n@)]*@[^\0\n)]*\) /;
/** The section in which the boot program of ppc64le keeps the compressed kernel (arch/powerpc/boot/wrapper). */
const WRAPPED = '.kernel:vmlinux';
/** Bytes of a banner that are looked at. */
const BANNER_SIZE = 512;

/**
 * True for an ELF file that is a kernel and no other program: it has a kernel's banner, or holds a compressed kernel. Type,
 * entry and interpreter do not tell, since kernels that move themselves are linked as programs are.
 */
export function isElfKernel(file: RandomAccess): boolean {
  if (file.size > KERNEL_LIMIT || file.size < 64 || new Header(file).u32(0) !== MAGIC) return false;
  const step = 1 << 20;
  const bytes = Buffer.alloc(step + BANNER_SIZE);
  for (let at = 0; at < file.size; at += step) {
    const window = bytes.subarray(0, Math.min(bytes.length, file.size - at));
    file.readAt(at, window);
    if (window.includes(WRAPPED, 0, 'latin1')) return true;
    for (let hit = window.indexOf('Linux version '); hit >= 0; hit = window.indexOf('Linux version ', hit + 1))
      if (BANNER.test(window.toString('latin1', hit, hit + BANNER_SIZE))) return true;
  }
  return false;
}

/** kernel_version of the setup header: where a string is, in bytes after the first sector. */
function versionOf(head: Header): string | undefined {
  const at = head.u16(0x20e);
  if (at === 0) return undefined;
  const text = head.text(at + 0x200, 256);
  const end = text.indexOf('\0');
  const version = end < 0 ? text : text.slice(0, end);
  return /^[\x20-\x7e]+$/.test(version) ? version : undefined;
}

function peMachine(head: Header): string | undefined {
  const at = head.u32(0x3c);
  if (head.text(at, 4) !== 'PE\0\0') return undefined;
  const machines: Readonly<Record<number, string>> = {
    43620: 'aarch64',
    34404: 'x86_64',
    20580: 'riscv64',
    25188: 'loongarch64',
  };
  return machines[head.u16(at + 4)];
}

/** The name of the compression in an EFI zboot header, in our spelling. */
function zbootFormat(head: Header): Format {
  const name = head.text(24, 32).replace(/\0.*$/s, '');
  const known: Readonly<Record<string, Format>> = {
    gzip: 'gzip',
    zstd: 'zstd',
    zstd22: 'zstd',
    xz: 'xz',
    xzkern: 'xz',
    lzma: 'lzma',
    lz4: 'lz4-legacy',
  };
  const format = Object.hasOwn(known, name) ? known[name] : undefined;
  if (format === undefined)
    throw new BuildError('KERNEL_CORRUPT', { path: 'zboot', reason: `its compression "${name}" is not known` });
  return format;
}

/** A part of a file that may be the compressed kernel. */
interface Payload {
  readonly offset: number;
  readonly size: number;
  readonly format: Format;
  /** Bytes after decompression, where the file says it. */
  readonly unpacked?: number;
}

/**
 * The kernel that a file contains, not compressed: an ELF file (`vmlinux`) of x86 and ppc64le, the `Image` of arm64. A
 * kernel of s390x stays as it is, because its boot program is a part of it and no loader starts what it unpacks. `path`
 * names the file in errors. Throws `KERNEL_CORRUPT`, `KERNEL_UNRECOGNISED` and errors of decompression.
 */
export async function plainKernel(file: RandomAccess, path: string): Promise<Content> {
  const found = named(path, () => recogniseKernel(file));
  if (found === undefined) throw new BuildError('KERNEL_UNRECOGNISED', { path });
  switch (found.form) {
    case 'elf':
    case 'image':
    case 's390x':
      return file;
    case 'compressed':
      return unpacked(file, { offset: 0, size: file.size, format: found.compression! }, path);
    case 'zboot': {
      const head = new Header(file);
      return unpacked(file, { offset: head.u32(8), size: head.u32(12), format: found.compression! }, path);
    }
    case 'bzimage':
      return fromBzImage(file, path);
    default:
      found.form satisfies never;
      throw new TypeError('no form of kernels');
  }
}

/** The memory image of the kernel of s390x, as its boot program unpacks it. For looking into it: nothing can start it. */
export function s390xMemory(file: RandomAccess, path: string): Promise<Content> {
  return search(file, path, 0x11000, () => true);
}

function named<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof BuildError && error.code === 'KERNEL_CORRUPT')
      throw new BuildError('KERNEL_CORRUPT', { ...(error.context as { reason: string }), path }, { cause: error });
    throw error;
  }
}

async function fromBzImage(file: RandomAccess, path: string): Promise<Content> {
  const head = new Header(file);
  const setup = (head.bytes[0x1f1] === 0 ? 4 : head.bytes[0x1f1]!) + 1;
  const offset = setup * 512 + head.u32(0x248);
  const size = head.u32(0x24c);
  // payload_offset and payload_length came with protocol 2.08
  if (head.u16(0x206) < 0x208 || size < 16 || offset + size > file.size) return search(file, path, setup * 512, isElf);
  const start = new Uint8Array(16);
  file.readAt(offset, start);
  const format = detect(start);
  if (format === 'none') {
    if (isElf(start)) return section(file, offset, size);
    if (isLzo(start)) throw lzo(path);
    return search(file, path, offset, isElf);
  }
  const tail = new Uint8Array(4);
  file.readAt(offset + size - 4, tail);
  // the size after the stream; gzip's own end has it already, xz's does not
  const whole = new DataView(tail.buffer).getUint32(0, true);
  const own = format === 'gzip' ? 0 : 4;
  return unpacked(file, { offset, size: size - own, format, unpacked: whole }, path, isElf);
}

/** The ways of compression that scripts/extract-vmlinux looks for. */
const MAGICS: readonly (readonly [Format, Uint8Array])[] = (
  [
    ['gzip', [0x1f, 0x8b, 0x08]],
    ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
    ['bzip2', [0x42, 0x5a, 0x68]],
    ['lzma', [0x5d, 0x00, 0x00, 0x00]],
    ['lz4-legacy', [0x02, 0x21, 0x4c, 0x18]],
    ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ] as const
).map(([format, bytes]) => [format, Uint8Array.from(bytes)] as const);

/** Places that are tried at most: the magic of gzip also occurs by chance. */
const ATTEMPTS = 200;
/** A kernel is larger than anything else that a boot program may hold. Bytes. */
const LEAST = 1 << 20;

/** Finds the kernel in a file whose header does not say where it is, as scripts/extract-vmlinux does. */
async function search(
  file: RandomAccess,
  path: string,
  from: number,
  fits: (start: Uint8Array) => boolean,
): Promise<Content> {
  let attempts = 0;
  for (const { offset, format } of placesIn(file, from)) {
    if (++attempts > ATTEMPTS) break;
    try {
      const content = await unpacked(file, { offset, size: file.size - offset, format }, path, fits);
      if (content.size >= LEAST) return content;
    } catch (error) {
      // bytes that only look like the start of a stream
      if (!(error instanceof BuildError)) throw error;
    }
  }
  throw new BuildError('KERNEL_CORRUPT', { path, reason: 'no compressed kernel is found in it' });
}

function placesIn(file: RandomAccess, from: number): { offset: number; format: Format }[] {
  const places: { offset: number; format: Format }[] = [];
  const step = 1 << 20;
  const bytes = Buffer.alloc(step + 8);
  for (let at = from; at < file.size; at += step) {
    const window = bytes.subarray(0, Math.min(step + 8, file.size - at));
    file.readAt(at, window);
    for (const [format, magic] of MAGICS)
      for (let hit = window.indexOf(magic); hit >= 0 && hit < step; hit = window.indexOf(magic, hit + 1))
        places.push({ offset: at + hit, format });
  }
  return places.sort((a, b) => a.offset - b.offset);
}

/** A payload as a content; it is decompressed once here, to know its size and that it is whole. */
async function unpacked(
  file: RandomAccess,
  payload: Payload,
  path: string,
  fits: (start: Uint8Array) => boolean = () => true,
): Promise<Content> {
  const { offset, size, format } = payload;
  if (offset + size > file.size || size === 0)
    throw new BuildError('KERNEL_CORRUPT', {
      path,
      reason: `its compressed part, ${size} bytes at ${offset}, is outside the file`,
    });
  const open = (): Bytes =>
    // padding and signatures may follow
    decompress(section(file, offset, size).open(), format, path, { trailing() {} });
  let bytes = 0;
  for await (const piece of open()) {
    if (bytes === 0 && !fits(piece))
      throw new BuildError('KERNEL_CORRUPT', { path, reason: 'what it unpacks to is no kernel' });
    bytes += piece.length;
    if (bytes > KERNEL_LIMIT)
      throw new BuildError('KERNEL_CORRUPT', { path, reason: `it unpacks to more than ${KERNEL_LIMIT} bytes` });
  }
  if (payload.unpacked !== undefined && payload.unpacked !== bytes)
    throw new BuildError('KERNEL_CORRUPT', {
      path,
      reason: `it unpacks to ${bytes} bytes, but says ${payload.unpacked}`,
    });
  return { size: bytes, open };
}

function isElf(start: Uint8Array): boolean {
  return start[0] === 0x7f && start[1] === 0x45 && start[2] === 0x4c && start[3] === 0x46;
}

function isLzo(start: Uint8Array): boolean {
  return start[0] === 0x89 && start[1] === 0x4c && start[2] === 0x5a && start[3] === 0x4f;
}

function lzo(path: string): BuildError {
  return new BuildError('KERNEL_CORRUPT', { path, reason: 'it is compressed with LZO, which is not read here' });
}
