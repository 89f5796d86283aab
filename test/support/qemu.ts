import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { osbuilder } from './cli.ts';
import { tool } from './data.ts';
import { PATIENCE } from './kernel-arguments.ts';

/** Architectures that guests are booted on, in Debian's spelling. */
export type BootArchitecture = 'amd64' | 'arm64' | 'ppc64el' | 's390x';

interface Machine {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly console: string;
  readonly disk: string;
  readonly memory: number;
}

/** How QEMU emulates each; plain emulation, so that it works without KVM. */
const MACHINES: Readonly<Record<BootArchitecture, Machine>> = {
  amd64: {
    program: 'qemu-system-x86_64',
    arguments: ['-machine', 'q35', '-cpu', 'max', '-serial', 'chardev:c0'],
    console: 'ttyS0',
    disk: 'virtio-blk-pci',
    memory: 512,
  },
  arm64: {
    program: 'qemu-system-aarch64',
    arguments: ['-machine', 'virt', '-cpu', 'cortex-a57', '-serial', 'chardev:c0'],
    console: 'ttyAMA0',
    disk: 'virtio-blk-pci',
    memory: 1024,
  },
  ppc64el: {
    program: 'qemu-system-ppc64',
    arguments: [
      '-machine',
      'pseries,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off',
      '-cpu',
      'power9',
      '-vga',
      'none',
      '-device',
      'spapr-vty,chardev=c0',
    ],
    console: 'hvc0',
    disk: 'virtio-blk-pci',
    memory: 1536,
  },
  s390x: {
    program: 'qemu-system-s390x',
    arguments: ['-machine', 's390-ccw-virtio', '-cpu', 'max', '-device', 'sclpconsole,chardev=c0'],
    console: 'ttysclp0',
    disk: 'virtio-blk-ccw',
    memory: 1024,
  },
};

/** The QEMU program for an architecture, for `needs({ tools })`. */
export function qemuFor(architecture: BootArchitecture): string {
  return MACHINES[architecture].program;
}

/** UEFI for arm64's machine (package qemu-efi-aarch64): an NVDIMM is announced by ACPI alone, and that comes with UEFI. */
export const FIRMWARE = '/usr/share/qemu-efi-aarch64/QEMU_EFI.fd';

/** One boot. */
export interface Boot {
  readonly architecture: BootArchitecture;
  readonly kernel: string;
  readonly initrd?: string;
  readonly disk?: string;
  /** How the guest sees the disk; `nvdimm` on amd64, and on arm64 where `FIRMWARE` is. */
  readonly as?: 'virtio' | 'nvdimm';
  /** The guest may write to the disk, and what it writes stays. */
  readonly writable?: boolean;
  /** It has a network card; this machine's loopback is 10.0.2.2 there (amd64). */
  readonly network?: boolean;
  /** The disk is damaged, so that the program would not start it. */
  readonly damaged?: boolean;
  /** The disk is of a guest of another architecture, so that the program would not start it. */
  readonly foreign?: boolean;
  /** Kernel arguments besides the console's. */
  readonly append: string;
  /** MiB. */
  readonly memory?: number;
  /** A whole line that proves it. */
  readonly marker: RegExp;
  /** A line that disproves it: the boot ends at once. */
  readonly forbid?: RegExp;
  /** Wait for the machine to power off instead of ending it at the marker. */
  readonly untilOff?: boolean;
}

/** The output of a boot. */
export interface Booted {
  readonly outcome: 'marker' | 'forbidden' | 'ended' | 'timeout';
  /** The marker's match. */
  readonly match: RegExpExecArray | undefined;
  /** The console, ANSI codes and carriage returns taken out. */
  readonly console: string;
}

/**
 * Boots a guest emulated and watches its console; by `osbuilder boot`, and by QEMU itself where the guest needs what that
 * does not give: a network, a disk that keeps what is written, is damaged, or is of another architecture.
 */
export async function boot(options: Boot): Promise<Booted> {
  const { writable, network, damaged, foreign } = options;
  return writable || network || damaged || foreign ? bootByQemu(options) : bootByProgram(options);
}

async function bootByProgram(options: Boot): Promise<Booted> {
  const { disk, initrd, marker, forbid, memory } = options;
  const result = await osbuilder([
    ...['boot', disk ?? initrd!, '--json', '--accelerator', 'tcg', '--kernel', options.kernel],
    ...(disk === undefined || initrd === undefined ? [] : ['--first-stage', initrd]),
    ...(options.as === 'nvdimm' ? ['--disk', 'nvdimm'] : []),
    ...(memory === undefined ? [] : ['--memory', `${memory}`]),
    ...['--append', options.append, '--until-regex', marker.source, '--timeout', `${PATIENCE}`],
    ...(forbid === undefined ? [] : ['--fail-regex', forbid.source]),
    ...(options.untilOff ? ['--until-off'] : []),
  ]);
  const { console, error } = JSON.parse(result.stdout);
  const text = (console ?? error?.context.console ?? [])
    .map((line: { readonly text: string }) => `${line.text}\n`)
    .join('');
  const outcome = OUTCOMES[error?.code ?? 'none'];
  if (outcome === undefined) throw new Error(`it was not started: ${result.stderr}`);
  return { outcome, match: marker.exec(text) ?? undefined, console: text };
}

/** What the codes of errors mean; no other is expected. */
const OUTCOMES: Readonly<Record<string, Booted['outcome']>> = {
  none: 'marker',
  BOOT_FAILED: 'forbidden',
  BOOT_ENDED: 'ended',
  BOOT_TIMEOUT: 'timeout',
};

/** The machine is always stopped before this returns. */
async function bootByQemu(options: Boot): Promise<Booted> {
  const machine = MACHINES[options.architecture];
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-boot-'));
  const log = join(folder, 'console');
  writeFileSync(log, '');
  let memory = `${options.memory ?? machine.memory}`;
  const given = [...machine.arguments];
  const disk: string[] = [];
  if (options.disk !== undefined && options.as === 'nvdimm') {
    const size = statSync(options.disk).size;
    given[1] += ',nvdimm=on';
    if (options.architecture === 'arm64') given.push('-bios', FIRMWARE);
    const most = Number(memory) + Math.ceil(size / 2 ** 20) + 1024;
    memory = `${memory}M,slots=2,maxmem=${most}M`;
    disk.push(
      '-object',
      `memory-backend-file,id=mem1,share=on,mem-path=${options.disk},size=${size},readonly=on`,
      '-device',
      'nvdimm,id=nv1,memdev=mem1,unarmed=on',
    );
  } else if (options.disk !== undefined) {
    disk.push(
      '-drive',
      `file=${options.disk},format=raw,if=none,id=d0,cache=unsafe,readonly=${options.writable ? 'off' : 'on'}`,
      '-device',
      `${machine.disk},drive=d0`,
    );
  }
  if (options.network) disk.push('-netdev', 'user,id=n0', '-device', 'virtio-net-pci,netdev=n0,romfile=');
  const child = spawn(
    tool(machine.program)!,
    [
      ...given,
      ...['-accel', 'tcg,thread=multi', '-m', memory, '-smp', '1', '-nodefaults', '-no-user-config', '-no-reboot'],
      // the console goes to a file: through a pipe its first lines lose bytes on a busy host
      ...['-display', 'none', '-monitor', 'none', '-chardev', `file,id=c0,path=${log}`],
      ...['-kernel', options.kernel, ...(options.initrd === undefined ? [] : ['-initrd', options.initrd])],
      ...['-append', `console=${machine.console} panic=-1 ${options.append}`, ...disk],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let stderr = '';
  child.stderr.on('data', (piece) => {
    stderr += piece;
  });
  const fd = openSync(log, 'r');
  const chunk = Buffer.alloc(1 << 16);
  let raw = '';
  const seen = () => {
    for (let n = readSync(fd, chunk, 0, chunk.length, null); n > 0; n = readSync(fd, chunk, 0, chunk.length, null))
      raw += chunk.toString('latin1', 0, n);
    return raw.replace(/\r/g, '').replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '');
  };
  /** Only whole lines count, and not the kernel's echo of its command line. */
  const lines = (text: string) =>
    text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .filter((line) => !/command line:/i.test(line))
      .join('\n');
  const forbid = options.forbid ?? /Kernel panic - not syncing/;
  try {
    return await new Promise<Booted>((resolve) => {
      let match: RegExpExecArray | undefined;
      const finish = (outcome: Booted['outcome']) => {
        clearInterval(poll);
        clearTimeout(timer);
        const text = seen();
        resolve({ outcome, match, console: stderr === '' ? text : `${text}\n${stderr}` });
      };
      const look = () => {
        const text = lines(seen());
        match ??= options.marker.exec(text) ?? undefined;
        if (match !== undefined && !options.untilOff) return finish('marker');
        if (match === undefined && forbid.test(text)) finish('forbidden');
      };
      const poll = setInterval(look, 50);
      const timer = setTimeout(() => finish('timeout'), PATIENCE * 1000);
      child.on('exit', () => {
        match ??= options.marker.exec(lines(`${seen()}\n`)) ?? undefined;
        finish(match === undefined ? 'ended' : 'marker');
      });
      child.on('error', () => finish('ended'));
    });
  } finally {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    }
    closeSync(fd);
    rmSync(folder, { recursive: true, force: true });
  }
}
