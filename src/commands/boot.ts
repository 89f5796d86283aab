import { openArtefact } from '../artefacts/open.ts';
import { type BootRequest, type DiskDevice, type PreparedBoot, prepareBoot, startBoot } from '../boot/boot.ts';
import { type ConsoleLine, type Sought, soughtPattern, soughtText } from '../boot/console-log.ts';
import { type BootExtension, bootExtension, warnOfUnmounted } from '../boot/extension.ts';
import { bootGuest } from '../boot/guest.ts';
import { kvmState } from '../boot/kvm.ts';
import { unameOf } from '../distros/uname.ts';
import { BuildError } from '../errors/error.ts';
import { didYouMean } from '../errors/nearest.ts';
import { orderOf } from '../pipeline/order.ts';
import { printable } from '../report/escape.ts';
import { type Context, withHost } from './context.ts';
import { profileOf } from './packages.ts';

/** MiB and seconds, beyond what any machine has and anyone waits for. */
const MEMORY_MOST = 9_999_999;
const TIMEOUT_MOST = 9_999_999;

/** Where a kernel comes from when no distribution is named. */
const KERNELS = 'debian';

/** `osbuilder boot ARTEFACT`. */
export async function boot(context: Context): Promise<void> {
  const { terminal, settings, collected } = context;
  const watch = watchOf(context);
  const memory = numberOf(context, 'memory', 16, MEMORY_MOST);
  const asDisk = choiceOf<DiskDevice>(context, 'disk', ['virtio-blk', 'nvdimm']);
  const disk = asDisk ?? 'virtio-blk';
  const accelerator = choiceOf(context, 'accelerator', ['kvm', 'tcg'] as const);
  const profile = await profileOf(context);
  const named = namedExtensions(context);
  const path = context.call.positional[0]!;
  if (path === '-')
    throw new BuildError('USAGE', { reason: 'standard input cannot be booted: QEMU needs a file, so name one' });
  await withHost(context, async (host) => {
    const artefact = await openArtefact(path, host);
    const guest = await bootGuest(artefact);
    const writable = context.call.own['writable'] === true;
    if (guest.kind === 'initrd')
      for (const [flag, given] of [
        ['disk', asDisk !== undefined],
        ['writable', writable],
      ] as const)
        if (given)
          throw new BuildError('USAGE', {
            reason: `--${flag} is for disks, and ${path} is an initrd, which is in memory`,
          });
    const asked = settings.arch === undefined ? undefined : unameOf(settings.arch.toLowerCase());
    if (asked !== undefined && guest.architecture !== undefined && asked !== guest.architecture)
      throw new BuildError(
        'SETTING_CONFLICT',
        {
          reason: `\`arch\`: the programs of ${path} are for ${guest.architecture}, not for ${asked}`,
          settings: ['arch'],
        },
        { hint: 'leave it out: the architecture of a guest is read from its programs' },
      );
    const extensions: BootExtension[] = [];
    for (const [name, file] of named) extensions.push(await bootExtension(name, await openArtefact(file, host)));
    if (extensions.length > 0) warnOfUnmounted(await artefact.tree(), path, host.report);
    const request: BootRequest = {
      ...{ artefact, guest, disk, memory, accelerator, extensions },
      kernel: context.flag('kernel'),
      kernelPackage: settings.kernelPackage,
      initrd: context.flag('first-stage'),
      order: (architecture) =>
        orderOf({
          settings: {
            ...settings,
            arch: architecture,
            distro: context.given.has('distro') ? settings.distro : KERNELS,
          },
          hostArchitecture: terminal.architecture,
          ...(profile === undefined ? {} : { profile }),
        }),
      architecture: asked ?? terminal.architecture,
      drivers: (context.flag('load') ?? '').split(/[\s,]+/).filter((word) => word !== ''),
      writable,
      append: context.flag('append') ?? '',
    };
    const machine = { architecture: terminal.architecture, path: terminal.environment['PATH'], kvm: kvmState() };
    const prepared = await prepareBoot(request, host, machine, watch.interactive);
    if (!settings.quiet && !settings.json) terminal.screen.write(`${printable(described(prepared, request, watch))}\n`);
    const line = (one: ConsoleLine) => {
      if (!watch.interactive && !settings.json) terminal.out(`${printable(one.text)}\n`);
    };
    const booted = await startBoot(prepared, { ...watch, now: () => terminal.screen.now(), line });
    if (booted.emulatedBecause !== prepared.emulatedBecause && !settings.quiet)
      terminal.screen.write(`the machine was emulated: ${printable(booted.emulatedBecause!)}\n`);
    if (settings.json) {
      const { path: name, architecture, program, arguments: words, memory: mib, kernel, modules } = prepared;
      const document = {
        artefact: { path: name, kind: artefact.kind, architecture },
        kernel,
        modules: modules ?? null,
        machine: {
          ...{ program, accelerator: booted.accelerator, memory: mib, arguments: words },
          emulatedBecause: booted.emulatedBecause ?? null,
        },
        outcome: booted.outcome,
        seconds: booted.seconds,
        line: booted.line ?? null,
        console: booted.console,
        warnings: collected.warnings,
        notes: collected.notes,
        timings: collected.timings,
      };
      terminal.out(`${JSON.stringify(document, null, 2)}\n`);
    } else if (booted.line !== undefined && !settings.quiet)
      terminal.screen.write(`${printable(booted.line.text.trim())} after ${booted.line.seconds.toFixed(1)} s\n`);
  });
}

/** Names and paths of `--extension NAME=FILE`. */
function namedExtensions({ call }: Context): Map<string, string> {
  const found = new Map<string, string>();
  for (const text of (call.own['extension'] ?? []) as readonly string[]) {
    const at = text.indexOf('=');
    if (at < 1 || at === text.length - 1)
      throw new BuildError('USAGE', { reason: `--extension: expected NAME=FILE, not "${text}"` });
    const name = text.slice(0, at);
    if (found.has(name)) throw new BuildError('USAGE', { reason: `--extension: "${name}" is named twice` });
    found.set(name, text.slice(at + 1));
  }
  return found;
}

interface WatchOptions {
  readonly until: Sought | undefined;
  readonly failure: RegExp | undefined;
  readonly timeout: number | undefined;
  readonly untilOff: boolean;
  readonly interactive: boolean;
}

function watchOf(context: Context): WatchOptions {
  const [text, pattern, failure] = ['until', 'until-regex', 'fail-regex'].map((name) => context.flag(name));
  if (text !== undefined && pattern !== undefined)
    throw new BuildError('USAGE', { reason: '--until and --until-regex: only one of them can be' });
  if (text === '') throw new BuildError('USAGE', { reason: '--until needs a text that is not empty' });
  const until =
    text !== undefined
      ? soughtText(text)
      : pattern !== undefined
        ? soughtPattern(regexOf('until-regex', pattern))
        : undefined;
  const untilOff = context.call.own['until-off'] === true;
  if (untilOff && until === undefined)
    throw new BuildError('USAGE', { reason: '--until-off needs --until or --until-regex' });
  return {
    ...{ until, untilOff },
    failure: failure === undefined ? undefined : regexOf('fail-regex', failure),
    timeout: numberOf(context, 'timeout', 1, TIMEOUT_MOST),
    interactive: until === undefined && !context.settings.json && context.terminal.attended,
  };
}

function regexOf(flag: string, text: string): RegExp {
  try {
    return new RegExp(text, 'i');
  } catch (error) {
    throw new BuildError('USAGE', { reason: `--${flag}: ${(error as Error).message}` });
  }
}

function numberOf(context: Context, flag: string, least: number, most: number): number | undefined {
  const text = context.flag(flag);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw new BuildError('USAGE', {
      reason: `--${flag}: expected a whole number from ${least} to ${most}, not "${text}"`,
    });
  return value;
}

function choiceOf<T extends string>(context: Context, flag: string, words: readonly T[]): T | undefined {
  const text = context.flag(flag);
  if (text === undefined) return undefined;
  const found = words.find((word) => word === text);
  if (found === undefined)
    throw new BuildError('USAGE', {
      reason: `--${flag}: invalid value "${text}": expected one of ${words.join(', ')}${didYouMean(text, words)}`,
    });
  return found;
}

function described(prepared: PreparedBoot, { guest, disk }: BootRequest, { interactive }: WatchOptions): string {
  const { kernel, architecture, memory, kvm, path, emulatedBecause } = prepared;
  const linux = 'path' in kernel ? kernel.path : `${kernel.package} ${kernel.version}`;
  const how = [
    guest.kind === 'disk' ? disk : 'initrd',
    architecture,
    `${memory} MiB`,
    kvm ? 'KVM' : 'emulated',
    `kernel ${linux}`,
  ];
  const slow = emulatedBecause === undefined ? '' : `; emulated, so slowly: ${emulatedBecause}`;
  return `starting ${path} (${how.join(', ')})${slow}${interactive ? '; Ctrl-A X ends it, Ctrl-A H helps' : ''}`;
}
