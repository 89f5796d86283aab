/** Machines that QEMU imitates, one row for each architecture: data alone. */

/** How a guest of one architecture is run. */
export interface Machine {
  readonly program: string;
  /** Debian package that has the program. */
  readonly package: string;
  readonly machine: string;
  /** Processor under emulation, and where KVM may be used. */
  readonly cpu: { readonly tcg: string; readonly kvm: string };
  /** Device of the console, for the kernel. */
  readonly console: string;
  /** Arguments that connect the console to the character device `c0`. */
  readonly consoleDevice: readonly string[];
  readonly disk: string;
  /** Arguments of a machine with NVDIMM; absent where Linux has no driver for one. */
  readonly nvdimm?: { readonly machine: string; readonly firmware?: readonly string[] };
  /** Package of that firmware. */
  readonly firmwarePackage?: string;
  /** MiB for a guest that runs from a disk. */
  readonly memory: number;
}

/** By `uname -m` name. Arguments that differ from QEMU's defaults were measured with QEMU 7.2. */
export const MACHINES: Readonly<Record<string, Machine>> = {
  x86_64: {
    program: 'qemu-system-x86_64',
    package: 'qemu-system-x86',
    machine: 'q35',
    cpu: { tcg: 'max', kvm: 'max' },
    console: 'ttyS0',
    consoleDevice: ['-serial', 'chardev:c0'],
    disk: 'virtio-blk-pci',
    nvdimm: { machine: 'q35,nvdimm=on' },
    memory: 512,
  },
  aarch64: {
    program: 'qemu-system-aarch64',
    package: 'qemu-system-arm',
    machine: 'virt,gic-version=max',
    // the pointer authentication of "max" is slow to emulate
    cpu: { tcg: 'cortex-a57', kvm: 'max' },
    console: 'ttyAMA0',
    consoleDevice: ['-serial', 'chardev:c0'],
    disk: 'virtio-blk-pci',
    // an NVDIMM is announced by ACPI alone, and that comes with UEFI
    nvdimm: {
      machine: 'virt,gic-version=max,acpi=on,nvdimm=on',
      firmware: [
        '/usr/share/qemu-efi-aarch64/QEMU_EFI.fd',
        '/usr/share/edk2/aarch64/QEMU_EFI.fd',
        '/usr/share/qemu/edk2-aarch64-code.fd',
      ],
    },
    firmwarePackage: 'qemu-efi-aarch64',
    memory: 512,
  },
  ppc64le: {
    program: 'qemu-system-ppc64',
    package: 'qemu-system-ppc',
    // emulation has none of these protections of the processor, and the machine does not start unless they are switched off
    machine: 'pseries,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off',
    cpu: { tcg: 'power9', kvm: 'power9' },
    console: 'hvc0',
    consoleDevice: ['-vga', 'none', '-device', 'spapr-vty,chardev=c0'],
    disk: 'virtio-blk-pci',
    memory: 1024,
  },
  s390x: {
    program: 'qemu-system-s390x',
    package: 'qemu-system-misc',
    machine: 's390-ccw-virtio',
    cpu: { tcg: 'max', kvm: 'max' },
    console: 'ttysclp0',
    consoleDevice: ['-device', 'sclpconsole,chardev=c0'],
    disk: 'virtio-blk-ccw',
    memory: 512,
  },
};
