/** What is known of a machine that did not show what it should. */
export interface Stopped {
  readonly path: string;
  readonly seconds: number;
  /** Its last lines that say something. */
  readonly last: readonly string[];
  /** All lines of its console, each with the seconds at which it came. */
  readonly console: readonly { readonly seconds: number; readonly text: string }[];
}

/** Errors about starting a guest. Codes are stable: programs match on them. */
export const BOOT = {
  BOOT_ARCHITECTURE: (c: { path: string; expected: string; found: string }) =>
    `${c.path} is for ${c.found}, but the guest is for ${c.expected}`,
  BOOT_ENDED: (c: Stopped & { until: string }) =>
    `${c.path} ended after ${c.seconds} s, and its console never showed ${c.until}${tail(c.last)}`,
  BOOT_FAILED: (c: Stopped & { line: string }) =>
    `${c.path} failed to boot after ${c.seconds} s: ${c.line}${tail(c.last)}`,
  BOOT_TIMEOUT: (c: Stopped & { until: string }) =>
    `${c.path} was stopped after ${c.seconds} s, and its console had not shown ${c.until}${tail(c.last)}`,
  BOOT_UNFIT: (c: { path: string; reason: string }) => `${c.path} cannot be booted: ${c.reason}`,
  DRIVER_MISSING: (c: { kernel: string; driver: string; by: string | null }) =>
    `the kernel ${c.kernel} has no driver ${c.driver}${c.by === null ? '' : `, which ${c.by} needs`}`,
  KERNEL_UNFIT: (c: { path: string; reason: string }) => `${c.path} is not a kernel that can be started: ${c.reason}`,
  KERNEL_UNKNOWN: (c: { distro: string; arch: string }) =>
    `nothing says which package has the kernel of ${c.distro} for ${c.arch}`,
  MACHINE_UNKNOWN: (c: { arch: string; known: string }) =>
    `no machine is known for the architecture ${c.arch}: expected one of ${c.known}`,
  QEMU_FAILED: (c: { program: string; status: string; said: string }) =>
    `${c.program} ended ${c.status}: ${c.said === '' ? 'it said nothing' : c.said}`,
  QEMU_MISSING: (c: { program: string; arch: string }) =>
    `there is no program ${c.program}, which imitates a machine of architecture ${c.arch}`,
} as const;

/** The last lines of a console, below a message. */
function tail(lines: readonly string[]): string {
  return lines.length === 0 ? '' : `\n${lines.map((line) => `  | ${line}`).join('\n')}`;
}
