import type { Content } from '../bytes/content.ts';
import { BuildError } from '../errors/error.ts';
import { gptDisk } from '../formats/disk/gpt.ts';
import { deriveUuid, formatUuid, parseUuid } from '../formats/disk/uuid.ts';
import { ext4Image } from '../formats/ext4/emit.ts';
import { type Feature, WRITABLE_FEATURES } from '../formats/ext4/features.ts';
import { rootMeta } from '../tree/inode.ts';
import type { Tree } from '../tree/tree.ts';
import { completeDigests } from './digests.ts';
import { diskSize, kataDisk, partitionStart } from './disk.ts';
import { variant } from './variant.ts';

/** How a disk image is made. Sizes in bytes. */
export interface ImageOptions {
  readonly blockSize: number;
  /** Free space to leave in the file system. */
  readonly freeSpace: number;
  /** The image's size is a multiple of this. */
  readonly alignment: number;
  /** Without the header for NVDIMM devices. */
  readonly plain: boolean;
  readonly table: 'mbr' | 'gpt';
  readonly label: string;
  /** UUID of the file system as text; derived from the content when absent. */
  readonly uuid?: string;
  /** As mkfs.ext4 -O names them: `feature`, or `^feature` to leave one out. */
  readonly features: readonly string[];
  readonly epoch: number;
}

/** Types of the discoverable partitions specification for a root file system, by `uname -m` name. */
const ROOT_TYPES: Readonly<Record<string, string>> = {
  x86_64: '4f68bce3-e8cd-4db1-96e7-fbcaf984b709',
  aarch64: 'b921b045-1df0-41c3-af44-4c6f280d3fae',
  ppc64le: 'c31c45e6-3f39-412e-80fb-4809c4980599',
  s390x: '5eead9a9-fe09-4a1e-a1d7-520d00531306',
};
const MIB = 1024 * 1024;
const LINUX_DATA = '0fc63daf-8483-4772-8e79-3d69d8477de4';

/** The rootfs as an image has it: with an empty machine id, so that systemd neither asks nor runs first-boot work. */
export function imageTree(tree: Tree, epoch: number): Tree {
  const guest = variant(tree);
  const id = guest.lstat('etc/machine-id');
  if (id?.kind !== 'file' || id.content.size !== 0) {
    guest.remove('etc/machine-id');
    guest.writeFile('etc/machine-id', '', rootMeta(0o644, epoch));
  }
  return guest;
}

/** A bootable disk of the rootfs: file system, partition table and, unless plain, the header for NVDIMM devices. */
export async function image(tree: Tree, options: ImageOptions & { readonly architecture?: string }): Promise<Content> {
  const guest = imageTree(tree, options.epoch);
  const uuid = options.uuid === undefined ? undefined : parseUuid(options.uuid);
  if (options.uuid !== undefined && uuid === undefined)
    throw new BuildError('SETTING_INVALID', {
      setting: 'fsUuid',
      value: options.uuid,
      reason: 'a UUID is 8-4-4-4-12 hexadecimal digits',
    });
  await completeDigests(guest);
  const gpt = options.table === 'gpt';
  const plain = options.plain || gpt;
  const start = partitionStart(plain);
  const behind = gpt ? MIB : 0; // room for the backup table, kept aligned
  const content = ext4Image(guest, {
    time: options.epoch,
    blockSize: options.blockSize,
    label: options.label,
    features: featuresOf(options.features),
    freeSpace: options.freeSpace,
    // as small as the content allows, and then all the room that the disk's alignment leaves
    size: (least) => diskSize(least + behind, { plain, alignment: options.alignment }) - start - behind,
    ...(uuid === undefined ? {} : { uuid }),
  });
  if (gpt) {
    const id = formatUuid(content.plan.uuid);
    const type = parseUuid(ROOT_TYPES[options.architecture ?? ''] ?? LINUX_DATA)!;
    const root = { name: 'root', type, guid: deriveUuid(`partition ${id}`), content };
    return gptDisk([root], { diskGuid: deriveUuid(`disk ${id}`), size: start + content.size + behind });
  }
  return kataDisk(content, { plain, alignment: options.alignment });
}

/** Features in mkfs.ext4's spelling: `name` switches one on, `^name` off. */
function featuresOf(words: readonly string[]): Partial<Record<Feature, boolean>> {
  const features: Partial<Record<Feature, boolean>> = {};
  for (const word of words) {
    const name = word.replace(/^\^/, '');
    if (!(WRITABLE_FEATURES as readonly string[]).includes(name))
      throw new BuildError('SETTING_INVALID', {
        setting: 'fsFeatures',
        value: word,
        reason: `there are ${WRITABLE_FEATURES.join(', ')}`,
      });
    features[name as Feature] = !word.startsWith('^');
  }
  return features;
}
