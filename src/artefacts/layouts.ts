import { createHash } from 'node:crypto';
import { type Content, compose, concat, copyOf, memory } from '../bytes/content.ts';
import { BuildError } from '../errors/error.ts';
import { DISCOVERABLE } from '../formats/disk/discoverable.ts';
import { gptStart } from '../formats/disk/gpt.ts';
import { deriveUuid, formatUuid, parseUuid } from '../formats/disk/uuid.ts';
import { treeOffset, treeSize } from '../formats/verity/geometry.ts';
import { type HashFormat, KATA_FORMAT, superblock } from '../formats/verity/layout.ts';
import type { Measurement } from '../formats/verity/parameters.ts';
import { SIGNATURE_SIZE, type Signer, signaturePartition } from '../formats/verity/signature.ts';
import { measured, padded } from '../formats/verity/tree.ts';
import { UNSPECIFIED } from '../rootfs/guest.ts';
import { hashStart, kataDisk, measuredSize, partitionStart } from './disk.ts';
import type { FileSystemImage } from './filesystem.ts';

const MIB = 1024 * 1024;

/** How a root file system is measured with dm-verity. */
export interface VerityOptions {
  /** 1 to 256 bytes; derived from the content when absent. */
  readonly salt?: Uint8Array;
  /** Signs the root hash; for the layout `gpt` only. */
  readonly signer?: Signer;
}

/** How a disk is laid out around its file system. Sizes in bytes. */
export interface LayoutOptions {
  /** The disk's size is a multiple of this. */
  readonly alignment: number;
  /** `uname -m` name of the guest's processor, for the type of a GPT partition. */
  readonly architecture?: string;
  /** Add a hash tree of the file system's partition. */
  readonly verity?: VerityOptions;
  /** Bytes of the disk's logical sectors, for the layout `gpt`; 512 by default. */
  readonly sectorSize?: number;
}

/** A planned disk. */
export interface LaidDisk {
  readonly content: Content;
  /** The numbers of its hash tree. They cost no further reading once the content was read to its end. */
  readonly measurement?: () => Promise<Measurement>;
}

/** A disk layout that can be written: one row of {@link LAYOUTS}. */
export interface DiskLayout {
  readonly name: 'nvdimm' | 'mbr' | 'gpt';
  /** Size of the partition for a file system of at least `least` bytes: all space that the disk's alignment leaves. */
  capacity(least: number, options: LayoutOptions): number;
  /** The disk with a file system whose size came from `capacity`. */
  write(root: FileSystemImage, options: LayoutOptions): Promise<LaidDisk>;
}

const LINUX_DATA = '0fc63daf-8483-4772-8e79-3d69d8477de4';
/** Attribute bit 60 of a GPT partition. */
const READ_ONLY = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0x10);

const kata = (plain: boolean): DiskLayout => ({
  name: plain ? 'mbr' : 'nvdimm',
  capacity(least, { alignment, verity }) {
    const start = partitionStart(plain);
    if (verity === undefined) return Math.ceil((start + least) / alignment) * alignment - start;
    return hashStart(measuredSize(least, { plain, alignment }), plain) - start;
  },
  async write(root, { alignment, verity }) {
    if (verity === undefined) return { content: kataDisk(root, { plain, alignment }) };
    const format = formatOf(root, verity);
    const size = this.capacity(root.size, { alignment, verity });
    // the whole partition is measured, not the file system alone, as Kata's image builder does it
    const { data, tree, root: rootHash } = measured(filled(root, size), format);
    return {
      content: kataDisk(data, { plain, alignment }, tree),
      measurement: async () => measurementOf(await rootHash(), size, format),
    };
  },
});

const gpt: DiskLayout = {
  name: 'gpt',
  capacity(least, options) {
    const { alignment, verity } = options;
    const [before, behind] = [gptBefore(options), gptBehind(options)];
    const around = (data: number) => before + behind + (verity === undefined ? 0 : verityPartitions(data, verity));
    let size = Math.ceil((around(least) + least) / alignment) * alignment;
    if (verity === undefined) return size - around(0);
    for (; ; size += alignment) {
      let data = Math.floor((size - around(least)) / MIB) * MIB;
      while (data > 0 && around(data) + data > size) data -= MIB;
      if (data >= least) return data;
    }
  },
  async write(root, options) {
    const { architecture, verity, sectorSize, alignment } = options;
    const { gptDisk } = await import('../formats/disk/gpt.ts');
    const id = formatUuid(root.uuid);
    const types = DISCOVERABLE[architecture ?? ''];
    const diskGuid = deriveUuid(`disk ${id}`);
    const sized = sectorSize === undefined ? {} : { sectorSize };
    const end = gptBehind(options);
    if (verity === undefined) {
      const type = parseUuid(types?.root ?? LINUX_DATA)!;
      const partition = { name: 'root', type, guid: deriveUuid(`partition ${id}`), content: root };
      const size = gptBefore(options) + root.size + end;
      return { content: gptDisk([partition], { diskGuid, size, ...sized }) };
    }
    if (types === undefined && (architecture ?? UNSPECIFIED) === UNSPECIFIED)
      throw new BuildError(
        'SETTING_CONFLICT',
        {
          reason:
            'a measured disk with a GPT has partitions for one architecture, and no program of the rootfs says for which it is',
          settings: ['arch'],
        },
        { hint: `name it with \`arch\`: ${Object.keys(DISCOVERABLE).join(', ')}` },
      );
    if (types === undefined)
      throw new BuildError('SETTING_INVALID', {
        source: 'arch',
        value: architecture ?? '',
        reason: `a measured disk with a GPT needs one of ${Object.keys(DISCOVERABLE).join(', ')}`,
      });
    const format = formatOf(root, verity);
    const filesystem = padded(root, format.dataBlockSize);
    const { tree, root: hash } = measured(filesystem, format);
    // the table comes before the data and has UUIDs of the root hash, so the data is read once for it
    const rootHash = await hash();
    const header = new Uint8Array(treeOffset(format));
    header.set(superblock(format, filesystem.size / format.dataBlockSize, deriveUuid(`verity ${id}`)));
    const name = `root-${types.name}`;
    const partition = (suffix: string, type: string, guid: Uint8Array, content: Content) => ({
      name: `${name}${suffix}`,
      type: parseUuid(type)!,
      guid,
      content,
      attributes: READ_ONLY,
    });
    const partitions = [
      partition('', types.root, copyOf(rootHash.subarray(0, 16)), filesystem),
      partition('-verity', types.verity, copyOf(rootHash.subarray(-16)), concat(memory(header), tree)),
    ];
    if (verity.signer !== undefined) {
      const signature = memory(signaturePartition(rootHash, verity.signer));
      const guid = deriveUuid('verity signature', rootHash);
      partitions.push(partition('-verity-sig', types.signature, guid, signature));
    }
    const least = gptBefore(options) + roundUp(filesystem.size) + verityPartitions(filesystem.size, verity) + end;
    const size = Math.ceil(least / alignment) * alignment;
    return {
      content: gptDisk(partitions, { diskGuid, size, ...sized }),
      measurement: async () => measurementOf(rootHash, filesystem.size, format),
    };
  },
};

/** Every disk layout: `nvdimm` is Kata's own, with a header that NVDIMM devices read. */
export const LAYOUTS: Readonly<Record<DiskLayout['name'], DiskLayout>> = { nvdimm: kata(false), mbr: kata(true), gpt };

const roundUp = (size: number) => Math.ceil(size / MIB) * MIB;

/** Bytes before the first partition of a GPT disk. */
function gptBefore({ sectorSize }: LayoutOptions): number {
  return roundUp(gptStart(sectorSize));
}

/** Bytes for the backup table; whole MiB keep file systems aligned. */
function gptBehind({ sectorSize }: LayoutOptions): number {
  return roundUp(gptStart(sectorSize));
}

/** Bytes of the partitions for hash tree and signature behind so much data; each begins at a whole MiB. */
function verityPartitions(data: number, { signer }: VerityOptions): number {
  const format = { ...KATA_FORMAT, salt: new Uint8Array(0) };
  const blocks = Math.max(1, Math.ceil(data / format.dataBlockSize));
  const tree = treeOffset(format) + treeSize(blocks * format.dataBlockSize, format);
  return roundUp(tree) + (signer === undefined ? 0 : roundUp(SIGNATURE_SIZE));
}

/** A salt is needed, and a random one would change the image with each build. */
function formatOf(root: FileSystemImage, { salt }: VerityOptions): HashFormat {
  const derived = createHash('sha256')
    .update(`osbuilder dm-verity salt ${formatUuid(root.uuid)}`)
    .digest();
  return { ...KATA_FORMAT, salt: salt ?? Uint8Array.from(derived) };
}

function measurementOf(root: Uint8Array, size: number, format: HashFormat): Measurement {
  return { rootHash: Buffer.from(root).toString('hex'), dataBlocks: size / format.dataBlockSize, format };
}

function filled(content: Content, size: number): Content {
  return content.size === size ? content : compose(size, [{ offset: 0, content }]);
}
