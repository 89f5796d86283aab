/** Made kernels: headers as the kernel's documentation draws them, around any payload. */

/** A bzImage (Documentation/arch/x86/boot.rst) around a compressed payload. `own`: the payload ends with its size itself. */
export function bzImage(payload: Uint8Array, unpacked: number, version = '6.6.6-made (me@here)', own = false): Buffer {
  const setup = Buffer.alloc(3 * 512);
  setup.write('MZ', 0, 'latin1');
  setup[0x1f1] = 2; // setup_sects
  setup.writeUInt16LE(0xaa55, 0x1fe);
  setup.write('HdrS', 0x202, 'latin1');
  setup.writeUInt16LE(0x20f, 0x206);
  setup.writeUInt16LE(0x300, 0x20e);
  setup.writeUInt16LE(1, 0x236); // XLF_KERNEL_64
  setup.write(`${version}\0`, 0x500, 'latin1');
  const before = 1000;
  setup.writeUInt32LE(before, 0x248);
  setup.writeUInt32LE(payload.length + (own ? 0 : 4), 0x24c);
  const size = Buffer.alloc(own ? 0 : 4);
  if (!own) size.writeUInt32LE(unpacked);
  // a boot program around it, and a signature behind
  return Buffer.concat([setup, Buffer.alloc(before, 0x90), payload, size, Buffer.alloc(300, 0xcc)]);
}

/** An EFI zboot kernel: drivers/firmware/efi/libstub/zboot-header.S. */
export function zboot(payload: Uint8Array, compression: string, machine = 0xaa64): Buffer {
  const head = Buffer.alloc(0x1000);
  head.write('MZ\0\0zimg', 0, 'latin1');
  head.writeUInt32LE(head.length, 8);
  head.writeUInt32LE(payload.length, 12);
  head.write(compression, 24, 'latin1');
  head.writeUInt32LE(0x80, 0x3c);
  head.write('PE\0\0', 0x80, 'latin1');
  head.writeUInt16LE(machine, 0x84);
  return Buffer.concat([head, payload, Buffer.alloc(100)]);
}

/** The Image of arm64: Documentation/arch/arm64/booting.rst. */
export function arm64Image(size = 4096): Buffer {
  const image = Buffer.alloc(size);
  for (let at = 0; at < size; at++) image[at] = (at * 7 + (at >>> 5)) & 0xff;
  image.write('MZ', 0, 'latin1');
  image.write('ARM\x64', 0x38, 'latin1');
  return image;
}

/** Something with the header of a 64-bit ELF program, as large as asked. */
export function vmlinux(size = 3_000_000): Buffer {
  const image = Buffer.alloc(size);
  for (let at = 64; at < size; at++) image[at] = (at * 7 + (at >>> 9)) & 0xff;
  image.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  image.writeUInt16LE(62, 18);
  return image;
}
