/** Numbers of the ELF format (System V ABI, gABI chapters 4 and 5; <elf.h>). */

export const MAGIC = 0x464c457f;
export const CLASS_32 = 1;
export const CLASS_64 = 2;
export const LITTLE_ENDIAN = 1;
export const BIG_ENDIAN = 2;

/** e_type of shared objects (and of position-independent programs). */
export const ET_DYN = 3;

export const PT_LOAD = 1;
export const PT_DYNAMIC = 2;
export const PT_INTERP = 3;
export const PT_NOTE = 4;
export const SHT_NOTE = 7;

export const DT_NEEDED = 1;
export const DT_STRTAB = 5;
export const DT_STRSZ = 10;
export const DT_SONAME = 14;
export const DT_RPATH = 15;
export const DT_RUNPATH = 29;
export const DT_FLAGS_1 = 0x6ffffffb;
/** Bit of DT_FLAGS_1: the loader does not search the default folders. */
export const DF_1_NODEFLIB = 0x800;
/** Owner and type of a note that names libraries a program may load later: systemd's ELF_DLOPEN_METADATA.md. */
export const DLOPEN_OWNER = 'FDO';
export const DLOPEN_TYPE = 0x407c0c0a;

/** e_machine values by the name that `uname -m` prints. */
export const MACHINES: Readonly<Record<number, string>> = {
  3: 'i386',
  8: 'mips',
  20: 'ppc',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'x86_64',
  183: 'aarch64',
  243: 'riscv',
  258: 'loongarch64',
};
