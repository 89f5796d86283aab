import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Artefact } from '../artefacts/kind.ts';
import { concat } from '../bytes/content.ts';
import { hostFile, randomAccess } from '../bytes/file.ts';
import { pour } from '../bytes/pour.ts';
import { BuildError } from '../errors/error.ts';
import { warning } from '../events/events.ts';
import type { Order } from '../families/family.ts';
import type { Host } from '../fetch/host.ts';
import { type MachineDisk, type MachineOrder, qemuArguments } from './command.ts';
import type { ConsoleLine, Sought } from './console-log.ts';
import { soughtPattern } from './console-log.ts';
import type { BootExtension } from './extension.ts';
import { FIRST_INIT, firstStage } from './first-stage.ts';
import type { BootGuest } from './guest.ts';
import { kernelFromPackages, type PackagedKernel } from './kernel.ts';
import { kernelArchitecture } from './kernel-file.ts';
import { type KvmState, kvmUse } from './kvm.ts';
import { MACHINES, type Machine } from './machines.ts';
import { type Ran, runMachine } from './process.ts';
import { FAILURE, guestHint, qemuHint, qemuMessages } from './trouble.ts';

/** How a guest sees its disk. */
export type DiskDevice = 'virtio-blk' | 'nvdimm';

/** One boot. */
export interface BootRequest {
  readonly artefact: Artefact;
  readonly guest: BootGuest;
  /** Path of a kernel; else it comes from packages. */
  readonly kernel?: string | undefined;
  /** Path of an initrd that runs before a guest on a disk; else one is made where drivers are needed. */
  readonly initrd?: string | undefined;
  /** Where a kernel comes from: its distribution, for an architecture. */
  readonly order: (architecture: string) => Order;
  /** Package of the kernel; the distribution's by default. */
  readonly kernelPackage?: string | undefined;
  /** `uname -m` name, where the guest does not say it. */
  readonly architecture: string;
  /** More drivers to load first. */
  readonly drivers: readonly string[];
  readonly disk: DiskDevice;
  readonly extensions: readonly BootExtension[];
  readonly writable: boolean;
  readonly append: string;
  /** MiB; by the guest's size if absent. */
  readonly memory?: number | undefined;
  readonly accelerator?: 'kvm' | 'tcg' | undefined;
}

/** A machine that is ready to be started. */
export interface PreparedBoot {
  readonly path: string;
  readonly architecture: string;
  readonly program: string;
  readonly arguments: readonly string[];
  readonly memory: number;
  readonly kvm: boolean;
  /** Why KVM is not used, where one would expect it. */
  readonly emulatedBecause: string | undefined;
  readonly kernel: Pick<PackagedKernel, 'package' | 'version' | 'release'> | { readonly path: string };
  /** Drivers of the first stage, in the order of loading; undefined when there is none. */
  readonly modules: readonly string[] | undefined;
  readonly log: string;
}

/** The build host, as a boot uses it. */
export interface BootHost {
  /** `uname -m` name. */
  readonly architecture: string;
  /** Value of PATH. */
  readonly path: string | undefined;
  readonly kvm: KvmState;
}

/** Words that every guest gets: a quiet kernel that does not test its ciphers starts in half of the time. */
const WORDS = ['quiet', 'cryptomgr.notests'];

/** Makes everything that a boot needs: kernel, first stage, QEMU's arguments. Starts nothing. Throws a `BuildError`. */
export async function prepareBoot(
  request: BootRequest,
  host: Host,
  machineHost: BootHost,
  interactive: boolean,
): Promise<PreparedBoot> {
  const { artefact, guest } = request;
  if (guest.measured) host.report(warning('BOOT_UNMEASURED', { path: artefact.path }));
  const architecture = guest.architecture ?? request.architecture;
  const machine = machineFor(architecture);
  // before anything is fetched
  const program = findProgram(machine, architecture, machineHost.path);
  const firmware = firmwareFor(machine, request);
  const packaged =
    request.kernel === undefined ? await packagedKernel(request, request.order(architecture), host) : undefined;
  if (request.kernel !== undefined) checkKernel(request.kernel, architecture);
  const file = (name: string) => join(host.workspace(), name);
  const kernel = request.kernel ?? (await pour(packaged!.image.open(), file('kernel'))).path;
  const words = [...WORDS];
  const first = await makeFirstStage(request, packaged, file('first-stage'));
  if (guest.kind === 'disk') words.push(...rootWords(request));
  if (first?.handsOver) words.push(`rdinit=${FIRST_INIT}`, ...(guest.init ? [`osbuilder.init=${guest.init}`] : []));
  else if (guest.kind === 'initrd' && guest.init !== undefined) words.push(`rdinit=${guest.init}`);
  // a mask that is there twice is an error for systemd
  const given = new Set(request.append.split(/\s+/));
  words.push(
    ...guest.words.filter((word) => !given.has(word)),
    ...request.extensions.map(({ word }) => word),
    ...(request.append === '' ? [] : [request.append]),
  );
  const { kvm, reason } = kvmUse(request.accelerator, architecture, machineHost.architecture, machineHost.kvm);
  const memory = request.memory ?? memoryFor(machine, guest);
  const initrd = first?.path ?? request.initrd ?? (guest.kind === 'initrd' ? artefact.path : undefined);
  const log = file('console');
  const device = guest.kind === 'disk' ? await diskFor(request, file('disk')) : undefined;
  const order: MachineOrder = {
    ...{ machine, kernel, append: words, memory, kvm, log, interactive },
    ...(initrd === undefined ? {} : { initrd }),
    ...(firmware === undefined ? {} : { firmware }),
    ...(device === undefined ? {} : { disk: device }),
    extensions: request.extensions,
  };
  return {
    ...{ path: artefact.path, architecture, program, memory, kvm, log },
    arguments: qemuArguments(order),
    emulatedBecause: reason,
    modules: first?.modules,
    kernel:
      packaged === undefined
        ? { path: kernel }
        : { package: packaged.package, version: packaged.version, release: packaged.release },
  };
}

/** The machine of an architecture. Throws `MACHINE_UNKNOWN`. */
export function machineFor(architecture: string): Machine {
  const machine = Object.hasOwn(MACHINES, architecture) ? MACHINES[architecture] : undefined;
  if (machine === undefined)
    throw new BuildError('MACHINE_UNKNOWN', { arch: architecture, known: Object.keys(MACHINES).join(', ') });
  return machine;
}

function findProgram(machine: Machine, arch: string, path = ''): string {
  for (const folder of path.split(delimiter)) {
    const at = join(folder === '' ? '.' : folder, machine.program);
    try {
      accessSync(at, constants.X_OK);
      if (statSync(at).isFile()) return at;
    } catch {
      // the next folder may have it
    }
  }
  throw new BuildError(
    'QEMU_MISSING',
    { program: machine.program, arch },
    { hint: `on Debian and Ubuntu the package ${machine.package} has it; this is the only command that needs it` },
  );
}

function firmwareFor(machine: Machine, { disk, guest, artefact }: BootRequest): string | undefined {
  if (guest.kind !== 'disk' || disk !== 'nvdimm') return undefined;
  if (machine.nvdimm === undefined)
    throw new BuildError(
      'BOOT_UNFIT',
      { path: artefact.path, reason: `kernels of this architecture have no driver for NVDIMM devices` },
      { hint: 'boot it with --disk virtio-blk' },
    );
  const { firmware } = machine.nvdimm;
  if (firmware === undefined) return undefined;
  const found = firmware.find((path) => existsSync(path));
  if (found === undefined)
    throw new BuildError(
      'BOOT_UNFIT',
      { path: artefact.path, reason: `an NVDIMM needs UEFI, and there is no ${firmware[0]}` },
      { hint: `install the package ${machine.firmwarePackage}, or boot it with --disk virtio-blk` },
    );
  return found;
}

async function packagedKernel(request: BootRequest, order: Order, host: Host): Promise<PackagedKernel> {
  const wanted = request.kernelPackage ?? order.profile.boot?.kernels[order.architecture.uname];
  if (wanted === undefined)
    throw new BuildError(
      'KERNEL_UNKNOWN',
      { distro: order.profile.name, arch: order.architecture.uname },
      { hint: 'name the file of a kernel, its package as `kernelPackage`, or another `distro`' },
    );
  return kernelFromPackages(order, wanted, host);
}

function checkKernel(path: string, expected: string): void {
  const found = kernelArchitecture(randomAccess(path), path);
  if (found !== undefined && found !== expected) throw new BuildError('BOOT_ARCHITECTURE', { path, expected, found });
}

/** Kata's own words for a root file system (virtcontainers, kernel_param.rs). */
function rootWords({ guest, disk, writable }: BootRequest): string[] {
  const { fileSystem, partition } = guest.root!;
  const device =
    disk === 'nvdimm' ? `/dev/pmem0${partition === 0 ? '' : `p${partition}`}` : `/dev/vda${partition || ''}`;
  const ext4 = fileSystem === 'ext4' ? ['data=ordered', 'errors=remount-ro'] : [];
  const flags = [...(disk === 'nvdimm' ? ['dax'] : []), ...ext4];
  return [
    `root=${device}`,
    ...(flags.length === 0 ? [] : [`rootflags=${flags.join(',')}`]),
    writable ? 'rw' : 'ro',
    `rootfstype=${fileSystem}`,
  ];
}

/** Drivers of a disk, by what the guest sees; for emulated machines of the kernels of distributions. */
const DISK_DRIVERS: Readonly<Record<DiskDevice, readonly string[]>> = {
  'virtio-blk': ['virtio_pci', 'virtio_blk'],
  nvdimm: ['nfit', 'nd_btt', 'nd_pmem'],
};
/** Drivers that some architectures have no use for: there another one takes their place. */
const NOT_EVERYWHERE = ['virtio_pci', 'nd_btt', 'crc32c_generic', 'sha256_generic'];

async function makeFirstStage(
  { artefact, guest, disk, drivers: loaded, initrd, extensions }: BootRequest,
  kernel: PackagedKernel | undefined,
  path: string,
): Promise<{ path: string; modules: string[]; handsOver: boolean } | undefined> {
  if (initrd !== undefined) {
    // QEMU would wait for a fifo without end
    hostFile(initrd);
    return undefined;
  }
  if (kernel === undefined) {
    if (loaded.length > 0)
      throw new BuildError('USAGE', {
        reason: '--load with --kernel: only a kernel from packages comes with drivers',
      });
    return undefined;
  }
  const drivers = [...new Set([...loaded, ...extensions.flatMap((one) => one.drivers)])].filter(has);
  const handsOver = guest.kind === 'initrd';
  if (handsOver && drivers.length === 0) return undefined;
  const needed = handsOver
    ? drivers
    : [
        ...DISK_DRIVERS[disk].filter(has),
        ...(has('crc32c_generic') ? ['crc32c_generic'] : []),
        guest.root!.fileSystem,
        ...drivers,
      ];
  function has(name: string): boolean {
    return !NOT_EVERYWHERE.includes(name) || kernel!.modules.has(name);
  }
  const modules = await kernel.modules.closure(needed);
  if (kernel.busybox === undefined)
    throw new BuildError(
      'KERNEL_UNFIT',
      { path: kernel.package, reason: 'its distribution has no statically linked busybox for the first stage' },
      { hint: 'name another `distro` for the kernel, or an initrd of your own with --first-stage' },
    );
  const archive = firstStage(kernel.busybox, modules, handsOver ? 'hand-over' : 'mount');
  // the kernel reads archives one after the other, each compressed or not (early userspace, buffer format)
  const whole = handsOver ? concat(archive, hostFile(artefact.path)) : archive;
  await pour(whole.open(), path);
  return { path, modules: modules.map(({ name }) => name), handsOver };
}

async function diskFor({ artefact, disk, writable }: BootRequest, spool: string): Promise<MachineDisk> {
  if (disk === 'nvdimm' && writable)
    throw new BuildError('USAGE', { reason: '--writable with --disk nvdimm: an NVDIMM is read in place' });
  const access = await artefact.access();
  const path = artefact.compression === 'none' ? artefact.path : (await pour(access.open(), spool)).path;
  return { path, size: access.size, as: disk, writable };
}

/** MiB: unpacking holds the archive and its files at once. */
function memoryFor(machine: Machine, guest: BootGuest): number {
  if (guest.kind === 'disk') return machine.memory;
  return Math.max(machine.memory, Math.ceil((2.5 * guest.bytes) / 2 ** 20) + 128);
}

/** What a machine is watched for. */
export interface BootWatch {
  readonly until: Sought | undefined;
  readonly failure?: RegExp | undefined;
  /** Seconds; by default 120 with KVM and 600 without. */
  readonly timeout: number | undefined;
  readonly untilOff: boolean;
  readonly interactive: boolean;
  now(): number;
  line(line: ConsoleLine): void;
}

/** A boot that went well. */
export interface Booted {
  readonly outcome: 'seen' | 'ended';
  readonly line: ConsoleLine | undefined;
  readonly seconds: number;
  readonly accelerator: 'kvm' | 'tcg';
  /** What QEMU said when it did not use KVM, though it was asked to. */
  readonly emulatedBecause: string | undefined;
  readonly console: readonly ConsoleLine[];
}

/** Seconds that a guest has, where nothing else is said. */
const TIMEOUT = { kvm: 120, tcg: 600 };
/** Lines of the console in an error. */
const LAST = 8;

/** Starts a prepared machine and watches it. Throws `BOOT_FAILED`, `BOOT_ENDED`, `BOOT_TIMEOUT`, `QEMU_FAILED`. */
export async function startBoot(prepared: PreparedBoot, watch: BootWatch): Promise<Booted> {
  const { path, kvm, log } = prepared;
  const timeout = watch.timeout ?? (watch.interactive ? undefined : TIMEOUT[kvm ? 'kvm' : 'tcg']);
  const failure = watch.failure === undefined ? FAILURE : new RegExp(`${FAILURE.source}|${watch.failure.source}`, 'i');
  // someone at the terminal sees a failure, and may want to look into it
  const failures: Sought = watch.interactive ? { what: '', in: () => false } : soughtPattern(failure);
  const ran = await runMachine(prepared.program, prepared.arguments, log, { ...watch, timeout, failure: failures });
  const { errors, fellBack } = qemuMessages(ran.stderr);
  const hint = guestHint(ran.log.lines);
  const context = { path, seconds: ran.seconds, last: ran.log.last(LAST, ran.line), console: ran.log.lines };
  const options = hint === undefined ? {} : { hint };
  const until = watch.until?.what ?? 'that it powers off';
  if (ran.outcome === 'missing') throw qemuFailed(prepared.program, ran, 'the program cannot be started');
  if (ran.outcome === 'timeout')
    throw new BuildError(
      'BOOT_TIMEOUT',
      { ...context, until },
      {
        hint: hint ?? 'give it more time with --timeout, or look at its console without --until',
      },
    );
  if (ran.outcome === 'failed')
    throw new BuildError('BOOT_FAILED', { ...context, line: ran.line!.text.trim() }, options);
  if (ran.outcome === 'ended') {
    if (ran.status !== 0) throw qemuFailed(prepared.program, ran, errors);
    if (watch.until !== undefined) throw new BuildError('BOOT_ENDED', { ...context, until }, options);
  }
  return {
    outcome: ran.outcome,
    line: ran.line,
    seconds: ran.seconds,
    emulatedBecause: fellBack ?? prepared.emulatedBecause,
    accelerator: kvm && fellBack === undefined ? 'kvm' : 'tcg',
    console: ran.log.lines,
  };
}

function qemuFailed(program: string, { status, stderr }: Ran, said: string): BuildError {
  const hint = qemuHint(stderr);
  return new BuildError(
    'QEMU_FAILED',
    { program, status: typeof status === 'string' ? `by ${status}` : `with status ${status ?? '?'}`, said },
    hint === undefined ? {} : { hint },
  );
}
