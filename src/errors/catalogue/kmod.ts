/** Errors about kernels and their modules. Codes are stable: programs match on them. */
export const KMOD = {
  MODULE_CORRUPT: (c: { path: string; reason: string }) => `${c.path} is no kernel module: ${c.reason}`,
  MODULE_CYCLE: (c: { folder: string; modules: readonly string[] }) =>
    `/${c.folder}: modules depend on each other in a circle: ${c.modules.join(' -> ')}`,
  MODULES_TOO_MANY: (c: { folder: string; count: number; limit: number }) =>
    `/${c.folder} has ${c.count} kernel modules, ${c.limit} are the limit`,
  MODULE_INDEX_CORRUPT: (c: { path: string; offset: number; reason: string }) =>
    `${c.path}: corrupt index of modules at byte ${c.offset}: ${c.reason}`,
  DRIVER_UNKNOWN: (c: { names: readonly string[]; release: string }) =>
    `the kernel ${c.release} has no ${c.names.length === 1 ? 'driver' : 'drivers'} ${c.names.join(', ')}, neither as a module nor built in`,
  KERNEL_UNRECOGNISED: (c: { path: string }) =>
    `${c.path} is no kernel: expected a bzImage, vmlinux, Image, EFI zboot or s390x kernel`,
  KERNEL_CORRUPT: (c: { path: string; reason: string }) => `${c.path}: the kernel cannot be unpacked: ${c.reason}`,
  KERNEL_MISSING: (c: { package: string; reason: string }) => `the kernel package ${c.package}: ${c.reason}`,
  DRIVERS_WITHOUT_KERNEL: (c: { drivers: readonly string[] }) =>
    `drivers are named (${c.drivers.join(', ')}), but the guest has no kernel modules`,
} as const;
