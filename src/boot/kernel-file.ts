import type { RandomAccess } from '../bytes/file.ts';
import { BuildError } from '../errors/error.ts';
import { readElf } from '../formats/elf/read.ts';

/**
 * The architecture a kernel is for, as `uname -m` names it; undefined where the file does not say (compressed kernels of
 * arm64). Throws `KERNEL_UNFIT` for what is no kernel.
 */
export function kernelArchitecture(file: RandomAccess, path: string): string | undefined {
  const head = new Uint8Array(Math.min(file.size, 0x10010));
  file.readAt(0, head);
  const text = (at: number, bytes: number) => Buffer.from(head.subarray(at, at + bytes)).toString('latin1');
  const elf = text(0, 4) === '\x7fELF' ? readElf(file) : undefined;
  if (elf !== undefined) return elf.machineName === 'ppc64' && elf.littleEndian ? 'ppc64le' : elf.machineName;
  // Documentation/arch/x86/boot.rst, Documentation/arch/arm64/booting.rst
  if (text(0x202, 4) === 'HdrS') return 'x86_64';
  if (text(0x38, 4) === 'ARM\x64') return 'aarch64';
  // a compressed kernel of arm64, which QEMU decompresses, or its firmware (EFI zboot)
  if (text(0, 2) === '\x1f\x8b' || (text(0, 2) === 'MZ' && text(4, 4) === 'zimg')) return undefined;
  // arch/s390/boot/head.S: an entry point at 0x10000, and "S390EP" before it
  if (text(0x10008, 6) === 'S390EP') return 's390x';
  throw new BuildError('KERNEL_UNFIT', {
    path,
    reason: 'expected bzImage, Image, ELF (vmlinux) or a kernel of s390x',
  });
}
