import type { DracutModule } from '../module.ts';

/** Kernel modules. */
export const KERNEL: readonly DracutModule[] = [
  {
    name: 'kernel-modules',
    title: 'kernel modules: those of `drivers`, or dracut’s general set for a disk',
    order: 90,
    files: ['lib/modprobe.d/*.conf', 'usr/lib/modprobe.d/*.conf'],
    own: { 'insmodpost.sh': 'sbin/insmodpost.sh' },
    optionalPrograms: ['sysctl'],
    withoutSystemd: { hooks: { 'parse-kernel.sh': 'cmdline/01-parse-kernel.sh' } },
    special: ['kernel-drivers'],
  },
  {
    name: 'kernel-modules-extra',
    title: 'kernel modules that were added beside the kernel’s own',
    order: 90,
    special: ['extra-drivers'],
  },
];
