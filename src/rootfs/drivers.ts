import { BuildError } from '../errors/error.ts';
import type { Report } from '../events/events.ts';
import { type IndexedModule, type ModuleReading, readModules } from '../system/kmod/depmod.ts';
import { MODULES, moduleReleases } from '../system/kmod/install.ts';
import { ModuleLookup } from '../system/kmod/lookup.ts';
import { firmwareOf, selectModules } from '../system/kmod/select.ts';
import { display, fromText } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';

/** A named set of drivers. `a|b` is satisfied by either. */
export interface DriverPreset {
  readonly describe: string;
  /** A kernel without one of these cannot be used with this hypervisor. */
  readonly needed: readonly string[];
  /** Taken where the kernel has them. */
  readonly wanted: readonly string[];
}

/** For every hypervisor: sockets to the agent, file systems of containers, networks inside the guest. */
const NEEDED = ['virtio_blk', 'virtio_net', 'vmw_vsock_virtio_transport', 'overlay', 'ext4'];
const WANTED = [
  ...['virtio_console', 'virtio_rng', 'virtio_balloon', 'vsock', 'fuse'],
  ...['dm_mod', 'dm_verity', 'sha256', 'erofs', 'xfs', 'loop'],
  ...['tun', 'veth', 'bridge', 'nf_tables', 'nf_conntrack', 'nf_nat', 'ip_tables', 'ip6_tables'],
  ...['iptable_filter', 'iptable_nat', 'iptable_mangle', 'ip6table_filter', 'ip6table_nat', 'br_netfilter'],
  ...['xt_conntrack', 'xt_MASQUERADE', 'xt_addrtype', 'xt_comment', 'xt_mark', 'xt_nat', 'nft_compat'],
  ...['autofs4', 'efivarfs', 'ipv6', 'af_packet', 'unix'],
];

/** Drivers that a Kata guest needs, by hypervisor. */
export const DRIVER_PRESETS: Readonly<Record<string, DriverPreset>> = {
  'kata-qemu': {
    describe:
      'what a guest needs in QEMU: disks as virtio and NVDIMM, shared folders, vsock, hot-plugging, passed-through devices',
    needed: ['virtio_pci|virtio_ccw|virtio_mmio', ...NEEDED],
    wanted: [
      ...WANTED,
      ...['virtiofs', '9p', '9pnet_virtio', 'virtio_scsi', 'sd_mod', 'nfit', 'nd_pmem', 'virtio_pmem', 'virtio_mem'],
      ...[
        'acpiphp',
        'pciehp',
        'shpchp',
        'vfio_pci',
        'vfio_ap',
        'vfio_ccw',
        'dm_crypt',
        'tsm',
        'sev_guest',
        'tdx_guest',
      ],
    ],
  },
  'kata-clh': {
    describe:
      'what a guest needs in Cloud Hypervisor: virtio over PCI, shared folders, persistent memory, vsock, hot-plugging',
    needed: ['virtio_pci', ...NEEDED],
    wanted: [...WANTED, 'virtiofs', 'nd_pmem', 'virtio_pmem', 'virtio_mem', 'acpiphp', 'vfio_pci', 'tdx_guest', 'tsm'],
  },
  'kata-fc': {
    describe: 'what a guest needs in Firecracker: virtio over MMIO, disks, networks, vsock',
    needed: ['virtio_mmio|virtio_pci', ...NEEDED],
    wanted: ['virtio_pci', ...WANTED],
  },
};

/** The words of `--drivers` that a guest loads when it starts: of presets those that every guest of it uses. */
export function loadedDrivers(words: readonly string[]): string[] {
  return words.flatMap((word) =>
    Object.hasOwn(DRIVER_PRESETS, word) ? DRIVER_PRESETS[word]!.needed.flatMap((one) => one.split('|')) : [word],
  );
}

/** What was kept of a kernel's modules. */
export interface ChosenDrivers {
  readonly release: string;
  readonly modules: readonly { readonly name: string; readonly reason: string }[];
  /** Words that name what this kernel has built in. */
  readonly builtin: readonly string[];
  /** Firmware that is not in the guest, by module. */
  readonly missingFirmware: ReadonlyMap<string, readonly string[]>;
}

/**
 * Removes every kernel module that `words` do not ask for and that none of those needs. A word is a name, an alias, a
 * folder (`=drivers/net`) or a preset (`kata-qemu`). Indexes are not rewritten here. With `release` only the modules of that
 * kernel are looked at. Throws `DRIVER_UNKNOWN`, and `DRIVERS_WITHOUT_KERNEL` when the guest has no modules.
 */
export async function keepDrivers(
  tree: Tree,
  words: readonly string[],
  { report, kept: earlier }: ModuleReading & { readonly report: Report },
  release?: string,
): Promise<ChosenDrivers[]> {
  const releases = moduleReleases(tree).filter((one) => release === undefined || one === fromText(release));
  if (releases.length === 0) throw new BuildError('DRIVERS_WITHOUT_KERNEL', { drivers: words });
  const all: ChosenDrivers[] = [];
  for (const release of releases) {
    const folder = `${MODULES}/${release}`;
    const set = await readModules(tree, folder, { report, kept: earlier });
    const lookup = new ModuleLookup(tree, set);
    const { modules, builtin } = selectModules(lookup, expand(lookup, words));
    const kept = new Set(modules.map(({ module }) => module));
    for (const one of set.modules) if (!kept.has(one)) dropModule(tree, folder, one);
    const { missing } = firmwareOf(tree, set, [...kept]);
    for (const [name, files] of missing)
      report({
        kind: 'note',
        message: `the module ${display(name)} names firmware that the guest does not have: ${files.map(display).join(', ')}`,
      });
    all.push({
      release,
      modules: modules.map(({ module, reason }) => ({ name: module.name, reason })),
      builtin,
      missingFirmware: missing,
    });
  }
  return all;
}

/** Words with presets replaced by what this kernel has of them. */
function expand(lookup: ModuleLookup, words: readonly string[]): string[] {
  return words.flatMap((word) => {
    const preset = Object.hasOwn(DRIVER_PRESETS, word) ? DRIVER_PRESETS[word] : undefined;
    if (preset === undefined) return [word];
    // of alternatives all that are there; none: the first, which is then an error
    const needed = preset.needed.flatMap((one) => {
      const names = one.split('|');
      const there = names.filter((name) => lookup.find(name) !== undefined);
      return there.length > 0 ? there : names.slice(0, 1);
    });
    return [...needed, ...preset.wanted.filter((name) => lookup.find(name) !== undefined)];
  });
}

/** Removes a module and the folders that are empty then. */
function dropModule(tree: Tree, folder: string, { path }: IndexedModule): void {
  let at = path.startsWith('/') ? path : `${folder}/${path}`;
  tree.remove(at);
  for (at = at.slice(0, at.lastIndexOf('/')); at.length > folder.length; at = at.slice(0, at.lastIndexOf('/'))) {
    if (tree.list(at).length > 0) return;
    tree.remove(at);
  }
}
