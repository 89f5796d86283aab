import { BuildError } from '../errors/error.ts';
import { type Report, warning } from '../events/events.ts';
import { Budget } from '../shell/limits.ts';
import { compileRegex, type Regex } from '../shell/regex.ts';
import { type IndexedModule, readModules } from '../system/kmod/depmod.ts';
import { type ListedModules, listedModules, readFacts, readFactsAhead } from '../system/kmod/indexed.ts';
import { moduleReleases, writeIndexes } from '../system/kmod/install.ts';
import type { KeptModules } from '../system/kmod/kept.ts';
import { ModuleLookup } from '../system/kmod/lookup.ts';
import { firmwareOf, selectModules } from '../system/kmod/select.ts';
import { display } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';
import type { Gathering } from './gather.ts';
import type { WantedDrivers } from './install.ts';
import type { DracutOptions } from './options.ts';
import type { Generation } from './registry.ts';

/** What the choice of kernel modules depends on. */
export interface KernelRequest {
  readonly gathering: Gathering;
  /** The system, for messages. */
  readonly sysroot: string;
  readonly release: string;
  readonly options: DracutOptions;
  readonly wanted: WantedDrivers;
  readonly generation: Generation;
  /** `uname -m` name of the guest. */
  readonly machine: string;
  readonly epoch: number;
  readonly report: Report;
  /** Facts of modules that earlier builds read. */
  readonly kept?: KeptModules | undefined;
  /** What {@link readKernelAhead} began. */
  readonly ahead?: KernelAhead | undefined;
}

/** Modules of a kernel that are being read by threads. */
export interface KernelAhead {
  readonly listed: ListedModules;
  /** Until nothing runs any more; never fails. */
  readonly read: Promise<void>;
}

/** Modules that most guests with a kernel's modules look into: drivers, for the symbols that they need, and what is taken anyway. */
const LOOKED_INTO = /^kernel\/(?:drivers|fs|crypto|arch\/\w+\/crypto)\//;

/**
 * Begins to read the modules of a kernel that the guest most likely takes, while its other files are gathered. Decides
 * nothing: what is read in vain costs time only. Undefined where there is nothing to begin.
 */
export function readKernelAhead(
  sysroot: Tree,
  release: string,
  options: DracutOptions,
  kept?: KeptModules,
): KernelAhead | undefined {
  if (!takesKernelModules(options)) return undefined;
  const listed = listedModules(sysroot, moduleFolder(options.driversFolder, release));
  if (listed === undefined) return undefined;
  return {
    listed,
    read: readFactsAhead(
      listed.modules.filter(({ path }) => LOOKED_INTO.test(path)),
      kept,
    ),
  };
}

/** True for options with which a guest takes modules of all kinds, and threads have something to read. */
export function takesKernelModules({ drivers, modules, omitModules }: DracutOptions): boolean {
  if (drivers !== undefined || omitModules.includes(KERNEL_MODULES)) return false;
  return modules === undefined || modules.includes(KERNEL_MODULES);
}

/** The module of dracut that takes a kernel's modules in general. */
const KERNEL_MODULES = 'kernel-modules';

function moduleFolder(driversFolder: string | undefined, release: string): string {
  return driversFolder?.replace(/^\/+|\/+$/g, '') ?? `lib/modules/${release}`;
}

/** Kernel modules that were taken. */
export interface KernelTaken {
  readonly names: readonly string[];
  /** True for a name that the guest has to load itself: that of a module that was taken. */
  isLoadable(name: string): boolean;
}

/** Files of the kernel's folder that depmod does not make. */
const SOURCES = ['modules.order', 'modules.builtin', 'modules.builtin.modinfo', 'modules.builtin.alias'];

/**
 * Takes kernel modules with what they need, their firmware, and writes the indexes for them. Names of the user's options
 * must exist; those that dracut modules ask for need not. Throws `KERNEL_RELEASE_MISSING` and `DRIVER_UNKNOWN`.
 */
export async function takeKernelModules(request: KernelRequest): Promise<KernelTaken> {
  const { gathering, release, options, wanted, epoch, report, kept } = request;
  const { sysroot, out } = gathering;
  const folder = moduleFolder(options.driversFolder, release);
  if (sysroot.stat(folder)?.kind !== 'directory')
    throw new BuildError(
      'KERNEL_RELEASE_MISSING',
      { release: display(release), sysroot: request.sysroot, releases: moduleReleases(sysroot).map(display) },
      { hint: 'name another one with `dracutKversion`, or leave it out for a guest without kernel modules' },
    );
  const listed = request.ahead?.listed ?? listedModules(sysroot, folder);
  await request.ahead?.read;
  const set = listed ?? (await readModules(sysroot, folder, { report, kept }));
  const general = wanted.kernel && options.drivers === undefined;
  // whether a driver is of a kind that is wanted is told by the symbols that it needs
  if (listed !== undefined && (general || wanted.network))
    await readFacts(
      set.modules.filter(({ path }) => path.startsWith('kernel/drivers/')),
      kept,
    );
  const lookup = new ModuleLookup(sysroot, set);
  const omitted = omittedBy(options.omitDrivers);
  const taken = new Set<IndexedModule>();
  const take = (words: readonly string[], optional: boolean, more: readonly IndexedModule[] = []) => {
    const { modules, builtin } = selectModules(lookup, [...words, ...more.map(({ path }) => path)], {
      optional,
      exclude: omitted,
    });
    for (const { module } of modules) taken.add(module);
    if (!optional)
      for (const name of builtin) report(warning('DRIVER_BUILTIN', { name: display(name), release: display(release) }));
  };
  take(wanted.words, true);
  for (const [name, words] of wanted.own) {
    const { missing } = selectModules(lookup, words, { optional: true });
    const reason = `the kernel ${display(release)} does not have ${missing.map(display).join(', ')}`;
    if (missing.length > 0) report(warning('DRACUT_MODULE_EMPTY', { name, reason }));
  }
  const named = [...(options.drivers ?? []), ...options.addDrivers, ...options.forceDrivers];
  take(named, false);
  if (general) takeGeneral(request, lookup, take);
  if (options.filesystems !== undefined) take(options.filesystems, false);
  if (wanted.network) take([], true, set.modules.filter(isNetworkDriver));
  if (wanted.extra)
    take(
      [],
      true,
      set.modules.filter(({ path }) => !path.startsWith('kernel/')),
    );
  const modules = set.modules.filter((one) => taken.has(one));
  if (listed !== undefined) await readFacts(modules, kept);
  const by = 'the kernel modules';
  gathering.folder(folder);
  gathering.data(
    modules.map(({ path }) => (path.startsWith('/') ? path : `${folder}/${path}`)),
    by,
  );
  gathering.paths(
    SOURCES.map((name) => `${folder}/${name}`),
    by,
  );
  const firmware = firmwareOf(sysroot, set, modules);
  gathering.paths(firmware.paths, by);
  for (const [module, names] of firmware.missing)
    report({
      kind: 'note',
      message: `${module} may ask for firmware that ${request.sysroot} does not have: ${names.map(display).join(', ')}`,
    });
  writeIndexes(out, await readModules(out, folder, { report, kept }), { epoch, report });
  return {
    names: modules.map(({ name }) => name),
    // a folder (`=drivers/net`) is no name that modprobe knows
    isLoadable: (name) => !name.startsWith('=') && lookup.find(name)?.modules.some((one) => taken.has(one)) === true,
  };
}

/** Drivers of network cards with a wire, or of virtual ones. */
function isNetworkDriver({ path, facts }: IndexedModule): boolean {
  if (!/^kernel\/drivers\/(?:s390\/)?net\//.test(path)) return false;
  if (/\/(?:wireless|isdn|uwb|net\/ethernet|net\/phy|net\/team)\//.test(path)) return false;
  return facts?.needs.some((symbol) => /eth_type_trans|register_virtio_device|usbnet_open/.test(symbol)) === true;
}

/** Symbols of the kernel that only drivers of block devices need. */
const BLOCK_SYMBOLS = [
  'ahci_platform_get_resources',
  'ata_scsi_ioctl',
  'scsi_add_host',
  'blk_cleanup_queue',
  'register_mtd_blktrans',
  'scsi_esp_register',
  'register_virtio_device',
  'usb_stor_disconnect',
  'mmc_add_host',
  'sdhci_add_host',
  'scsi_add_host_with_dma',
  'blk_alloc_disk',
  'blk_mq_alloc_disk',
  'blk_mq_alloc_request',
  'blk_mq_destroy_queue',
  'blk_cleanup_disk',
];

const GENERAL = [
  ...['hid_generic', 'unix', 'ehci-hcd', 'ehci-pci', 'ehci-platform', 'ohci-hcd', 'ohci-pci', 'uhci-hcd', 'usbhid'],
  ...['xhci-hcd', 'xhci-pci', 'xhci-plat-hcd', '=drivers/hid', '=drivers/tty/serial', '=drivers/input/serio'],
  ...['=drivers/input/keyboard', '=drivers/pci/host', '=drivers/pci/controller', '=drivers/pinctrl'],
  ...['=drivers/usb/typec', '=drivers/watchdog', 'yenta_socket', 'atkbd'],
  ...['i8042', 'firewire-ohci', 'hv-vmbus', 'virtio', 'virtio_ring', 'virtio_pci', 'pci_hyperv'],
  ...['sg', 'sr_mod', 'sd_mod', 'scsi_dh', 'ata_piix', 'scsi_dh_rdac'],
  ...['scsi_dh_emc', 'scsi_dh_alua', '=drivers/usb/storage', '=ide', 'nvme', 'vmd', 'virtio_blk', 'virtio_scsi'],
  ...['=crypto', '=drivers/crypto'],
];

/** What one generation of dracut takes besides. */
const GENERAL_OF: Readonly<Record<Generation, readonly string[]>> = {
  '059': ['pcmcia', '=drivers/pcmcia'],
  '106': ['intel_lpss_pci', 'spi_pxa2xx_platform', 'surface_aggregator_registry', 'psmouse', '=drivers/ufs'],
};

/** What processors of phones and boards need besides. */
const GENERAL_ARM = [
  ...['clk', 'devfreq', 'dma', 'extcon', 'gpio', 'hwmon', 'hwspinlock', 'interconnect', 'i2c/busses', 'mailbox'],
  ...['memory', 'mfd', 'mmc/core', 'mmc/host', 'nvmem', 'phy', 'platform/chrome', 'power', 'regulator', 'reset'],
  ...['rpmsg', 'rtc', 'soc', 'spi', 'spmi', 'usb/chipidea', 'usb/dwc2', 'usb/dwc3', 'usb/host', 'usb/isp1760'],
  ...['usb/misc', 'usb/musb', 'usb/phy', 'scsi/hisi_sas'],
].map((name) => `=drivers/${name}`);

/** Linux's name for an architecture in its sources. */
const SOURCE_NAMES: Readonly<Record<string, string>> = { x86_64: 'x86', s390x: 's390', aarch64: 'arm64' };

/** dracut's set for a guest that might be on any machine (kernel-modules, with hostonly=no). */
function takeGeneral(
  { options, generation, machine }: KernelRequest,
  lookup: ModuleLookup,
  take: (words: readonly string[], optional: boolean, more?: readonly IndexedModule[]) => void,
): void {
  const arm = /^(?:arm|aarch64|riscv)/.test(machine);
  const words = [...GENERAL, ...GENERAL_OF[generation], `=arch/${SOURCE_NAMES[machine] ?? machine}/crypto`];
  const names = BLOCK_SYMBOLS.filter((name) => generation === '106' || name !== 'blk_alloc_disk');
  if (arm) {
    words.push(...GENERAL_ARM, '=net/qrtr');
    names.push('dw_mc_probe', 'dw_mci_pltfm_register', 'nvme_init_ctrl');
  }
  // a part of the symbol's name is enough: __blk_alloc_disk
  const symbols = new RegExp(names.join('|'));
  const { modules } = lookup.set;
  take(
    words,
    true,
    modules.filter(
      ({ path, facts }) =>
        path.startsWith('/') ||
        (path.startsWith('kernel/drivers/') && facts?.needs.some((symbol) => symbols.test(symbol)) === true),
    ),
  );
  if (options.filesystems !== undefined) return;
  take(
    [],
    true,
    modules.filter(({ path }) => path.startsWith('kernel/fs/') && !/^kernel\/fs\/(?:nfs|nfsd|lockd)\//.test(path)),
  );
}

/** A test for names that omit_drivers names: extended regular expressions, anchored at both ends. */
function omittedBy(patterns: readonly string[]): (name: string) => boolean {
  if (patterns.length === 0) return () => false;
  let regex: Regex;
  try {
    regex = compileRegex(`^(${patterns.join('|')})$`, new Budget('omit_drivers'), { extended: true });
  } catch (error) {
    throw new BuildError('DRACUT_OPTION', {
      where: 'omit_drivers',
      name: patterns.join(' '),
      reason: `it is no extended regular expression: ${(error as Error).message}`,
    });
  }
  return (name) => regex.test(name, new Budget('omit_drivers'));
}
