import { treeFacts } from '../artefacts/facts.ts';
import { fileSystemOn } from '../artefacts/filesystems.ts';
import type { Artefact } from '../artefacts/kind.ts';
import { diskStructures } from '../artefacts/structures.ts';
import { section } from '../bytes/file.ts';
import { BuildError } from '../errors/error.ts';
import { architectureIn } from '../rootfs/architecture.ts';
import type { Tree } from '../tree/tree.ts';

/** What an artefact needs to be started. */
export interface BootGuest {
  readonly kind: 'initrd' | 'disk';
  /** `uname -m` name of its programs; undefined when it has none that say so. */
  readonly architecture: string | undefined;
  /** Bytes of its files. */
  readonly bytes: number;
  /** Process 1 of an initrd, when it is not /init. */
  readonly init: string | undefined;
  /** Words that its service manager needs on the kernel's command line. */
  readonly words: readonly string[];
  /** Of a disk: the file system to mount, and the partition it is on; 0 for the whole disk. */
  readonly root: { readonly fileSystem: string; readonly partition: number } | undefined;
  /** True for a disk with a hash tree of dm-verity. */
  readonly measured: boolean;
}

/** A systemd guest of Kata starts this target; the units of systemd-networkd would wait for a network. */
const SYSTEMD_WORDS = [
  'systemd.unit=kata-containers.target',
  'systemd.mask=systemd-networkd.service',
  'systemd.mask=systemd-networkd.socket',
];
const TARGETS = ['usr/lib/systemd/system', 'lib/systemd/system', 'etc/systemd/system'];

/** Reads what an artefact is. Throws `BOOT_UNFIT` for what no machine starts. */
export async function bootGuest(artefact: Artefact): Promise<BootGuest> {
  const { kind, path } = artefact;
  if (kind === 'directory' || kind === 'tar' || kind === 'file')
    throw new BuildError(
      'BOOT_UNFIT',
      { path, reason: kind === 'file' ? 'it is no initrd and no disk image' : `it is a ${KINDS[kind]}` },
      kind === 'file'
        ? { hint: `"osbuilder inspect ${path}" says what it is` }
        : { hint: `make an initrd of it: osbuilder initrd ${path} -o initrd.img` },
    );
  const root = kind === 'initrd' ? undefined : await rootOf(artefact);
  const tree = await artefact.tree();
  return {
    kind: kind === 'initrd' ? 'initrd' : 'disk',
    architecture: architectureIn(tree),
    bytes: treeFacts(tree).bytes,
    init: initOf(tree),
    words: isKataSystemd(tree) ? SYSTEMD_WORDS : [],
    root,
    measured: kind === 'disk' && (await artefact.structures()).some(({ what }) => what.startsWith('dm-verity')),
  };
}

const KINDS = { directory: 'folder', tar: 'tar archive' } as const;

async function rootOf(artefact: Artefact): Promise<BootGuest['root']> {
  const access = await artefact.access();
  if (artefact.kind !== 'disk') return { fileSystem: artefact.kind, partition: 0 };
  const { volumes } = diskStructures(access);
  for (const [i, { offset, size }] of volumes.entries()) {
    const system = fileSystemOn(section(access, offset, size));
    if (system !== undefined) return { fileSystem: system.name, partition: i + 1 };
  }
  throw new BuildError('BOOT_UNFIT', { path: artefact.path, reason: 'no partition has a file system that is known' });
}

function initOf(tree: Tree): string | undefined {
  if (tree.lstat('init') !== undefined) return undefined;
  return tree.lstat('sbin/init') === undefined ? undefined : '/sbin/init';
}

function isKataSystemd(tree: Tree): boolean {
  return (
    TARGETS.some((folder) => tree.has(`${folder}/kata-containers.target`)) &&
    ['init', 'sbin/init'].some((path) => /systemd$/.test(tree.realpath(path) ?? ''))
  );
}
