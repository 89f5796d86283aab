import type { Machine } from './machines.ts';

/** A disk of the machine. */
export interface MachineDisk {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly as: 'virtio-blk' | 'nvdimm';
  /** The guest may write; what it writes is dropped when the machine ends, unless `kept`. */
  readonly writable: boolean;
}

/** The options of QEMU. */
export interface MachineOrder {
  readonly machine: Machine;
  readonly kernel: string;
  readonly initrd?: string;
  readonly disk?: MachineDisk;
  /** Extension images: paths, and the serial numbers by which a guest finds them. */
  readonly extensions?: readonly { readonly path: string; readonly serial: string }[];
  /** Words of the kernel's command line after the console. */
  readonly append: readonly string[];
  /** MiB. */
  readonly memory: number;
  readonly kvm: boolean;
  /** Path of the firmware, where the machine needs one. */
  readonly firmware?: string;
  /** File that all output of the console goes to. */
  readonly log: string;
  /** The console is also this process's terminal. */
  readonly interactive: boolean;
}

/** Commas separate QEMU's options; a doubled one is part of a value. */
const value = (text: string) => text.replaceAll(',', ',,');

/** QEMU's arguments. No network, no devices but those that are named, no configuration of the user or the host. */
export function qemuArguments(order: MachineOrder): string[] {
  const { machine, disk, kvm, interactive } = order;
  const nvdimm = disk?.as === 'nvdimm' ? disk : undefined;
  const type = nvdimm === undefined ? machine.machine : machine.nvdimm!.machine;
  // both are named: QEMU takes the first that works
  const accel = [...(kvm ? ['-accel', 'kvm'] : []), '-accel', 'tcg,thread=multi'];
  // the console goes to a file: through a pipe its first lines lose bytes on a busy host
  const console = interactive
    ? ['-chardev', `stdio,mux=on,id=c0,signal=off,logfile=${value(order.log)}`, '-mon', 'chardev=c0']
    : ['-chardev', `file,id=c0,path=${value(order.log)}`, '-monitor', 'none'];
  return [
    ...['-machine', type, '-cpu', kvm ? machine.cpu.kvm : machine.cpu.tcg, ...accel],
    ...['-m', memoryArgument(order.memory, nvdimm), '-smp', '1'],
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ...(order.firmware === undefined ? [] : ['-bios', order.firmware]),
    ...console,
    ...machine.consoleDevice,
    ...(disk === undefined ? [] : diskArguments(machine, disk)),
    ...(order.extensions ?? []).flatMap(({ path, serial }, i) => [
      '-drive',
      `file=${value(path)},format=raw,if=none,id=x${i},cache=unsafe,file.locking=off,readonly=on`,
      '-device',
      `${machine.disk},drive=x${i},serial=${serial}`,
    ]),
    ...['-kernel', order.kernel],
    ...(order.initrd === undefined ? [] : ['-initrd', order.initrd]),
    // a panic reboots at once, and -no-reboot ends the machine then
    ...['-append', [`console=${machine.console}`, 'panic=-1', ...order.append].join(' ')],
  ];
}

function memoryArgument(memory: number, nvdimm: MachineDisk | undefined): string {
  if (nvdimm === undefined) return `${memory}M`;
  return `${memory}M,slots=2,maxmem=${memory + Math.ceil(nvdimm.size / 2 ** 20) + 1024}M`;
}

function diskArguments(machine: Machine, disk: MachineDisk): string[] {
  const path = value(disk.path);
  if (disk.as === 'nvdimm')
    return [
      '-object',
      `memory-backend-file,id=m0,share=on,mem-path=${path},size=${disk.size},readonly=on`,
      '-device',
      // a backend that is only read needs it
      'nvdimm,id=n0,memdev=m0,unarmed=on',
    ];
  // without locks the image may be open elsewhere; it is only read
  const mode = disk.writable ? 'snapshot=on' : 'file.locking=off,readonly=on';
  return [
    '-drive',
    `file=${path},format=raw,if=none,id=d0,cache=unsafe,${mode}`,
    '-device',
    `${machine.disk},drive=d0`,
  ];
}
