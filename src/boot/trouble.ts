import { plainLine } from './console-log.ts';

/** A line after which a guest gets no further. */
export const FAILURE =
  /Kernel panic - not syncing|Freezing execution|\bemergency mode\b|Failed to execute \/init|Unable to mount root fs|^osbuilder-boot: failed: /i;

interface Trouble {
  readonly sign: RegExp;
  readonly hint: string;
}

/** What a guest shows, and what helps. The first that matches is the cause. */
const IN_GUEST: readonly Trouble[] = [
  {
    sign: /Initramfs unpacking failed: write error|Out of memory|System is deadlocked on memory/i,
    hint: 'the guest has too little memory: give it more with --memory',
  },
  {
    sign: /Initramfs unpacking failed/i,
    hint: 'the kernel cannot read this initrd: "osbuilder verify" says whether it is damaged',
  },
  {
    sign: /Failed to execute \/init|No working init found/i,
    hint: 'its /init is missing, not executable, or for another architecture: "osbuilder inspect FILE --list" shows it',
  },
  {
    sign: /osbuilder-boot: failed: no device|Cannot open root device|Unable to mount root fs/i,
    hint: 'the kernel has no driver for the disk or no partition was found: a kernel from packages comes with drivers, and --append root=… names another device',
  },
  {
    sign: /DAX unsupported by block device/i,
    hint: 'the image has no header for NVDIMM devices: boot it with --disk virtio-blk, or make it without `skipDaxHeader`',
  },
  {
    sign: /osbuilder-boot: failed: mount/i,
    hint: 'the file system cannot be mounted: "osbuilder verify" says whether it is damaged',
  },
  {
    sign: /Freezing execution|emergency mode/i,
    hint: 'systemd could not start what it needs; lines with "Failed" above say what',
  },
];

/** What to do about a boot that failed, from the lines it printed. */
export function guestHint(lines: readonly { readonly text: string }[]): string | undefined {
  return IN_GUEST.find(({ sign }) => lines.some(({ text }) => sign.test(text)))?.hint;
}

/** What QEMU says on stderr when it does not start, and what helps. */
const IN_QEMU: readonly Trouble[] = [
  {
    sign: /could not load PC BIOS|Could not open option rom|vgabios/i,
    hint: 'the firmware of the machine is missing: install the package seabios',
  },
  {
    sign: /slof\.bin|could not find firmware|Couldn't find PAPR firmware/i,
    hint: 'the firmware of the machine is missing: install the package qemu-system-data',
  },
  {
    sign: /s390-ccw\.img|could not load bootloader/i,
    hint: 'the firmware of the machine is missing: install the package qemu-system-data',
  },
  {
    sign: /without PVH ELF Note/i,
    hint: 'this vmlinux has no entry for QEMU: give the compressed kernel (vmlinuz) instead',
  },
  {
    sign: /linux kernel too old to load a ram disk|invalid kernel header|could not load kernel|not supported by .*load_elf/i,
    hint: 'the file named with --kernel is no kernel of this architecture',
  },
  { sign: /Failed to get "write" lock/i, hint: 'another program has the image open: end that program' },
  {
    sign: /[Cc]annot allocate memory|cannot set up guest memory/i,
    hint: 'this machine has not enough free memory: give the guest less with --memory',
  },
  {
    sign: /initrd is too (large|big)|ram disk too large|exceeds|kernel .*too (large|big)/i,
    hint: 'the guest has too little memory for kernel and initrd: give it more with --memory',
  },
  { sign: /(unsupported|invalid) machine type|nvdimm/i, hint: 'QEMU 5.0 or later is needed' },
];

/** What to do about QEMU's own error. */
export function qemuHint(said: string): string | undefined {
  return IN_QEMU.find(({ sign }) => sign.test(said))?.hint;
}

/** QEMU's own messages without its name and its warnings. */
export function qemuMessages(stderr: string): { readonly errors: string; readonly fellBack: string | undefined } {
  const lines = stderr
    .split('\n')
    .map((line) => plainLine(line).replace(/^\S*qemu-system-\w+: /, ''))
    .filter((line) => line !== '');
  const rejected = lines.find((line) => /KVM|kvm/.test(line) && !/^warning/.test(line));
  const errors = lines.filter((line) => !/^(warning: |falling back to |terminating on signal )/.test(line));
  return {
    errors: errors.filter((line) => line !== rejected || errors.length === 1).join('; '),
    fellBack: /falling back to tcg/i.test(stderr) ? (rejected ?? 'KVM did not start') : undefined,
  };
}
