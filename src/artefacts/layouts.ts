import type { Content } from '../bytes/content.ts';
import { deriveUuid, formatUuid, parseUuid } from '../formats/disk/uuid.ts';
import { kataDisk, partitionStart } from './disk.ts';
import type { FileSystemImage } from './filesystem.ts';

const MIB = 1024 * 1024;

/** How a disk is laid out around its file system. Sizes in bytes. */
export interface LayoutOptions {
  /** The disk's size is a multiple of this. */
  readonly alignment: number;
  /** `uname -m` name of the guest's processor, for the type of a GPT partition. */
  readonly architecture?: string;
}

/** A disk layout that can be written: one row of {@link LAYOUTS}. */
export interface DiskLayout {
  readonly name: 'nvdimm' | 'mbr' | 'gpt';
  /** Bytes before the file system. */
  readonly before: number;
  /** Minimum number of bytes after it. */
  readonly behind: number;
  /** The disk with a file system whose size came from {@link capacity}. */
  write(root: FileSystemImage, options: LayoutOptions): Promise<Content>;
}

/** Types of the discoverable partitions specification for a root file system, by `uname -m` name. */
const ROOT_TYPES: Readonly<Record<string, string>> = {
  x86_64: '4f68bce3-e8cd-4db1-96e7-fbcaf984b709',
  aarch64: 'b921b045-1df0-41c3-af44-4c6f280d3fae',
  ppc64le: 'c31c45e6-3f39-412e-80fb-4809c4980599',
  s390x: '5eead9a9-fe09-4a1e-a1d7-520d00531306',
};
const LINUX_DATA = '0fc63daf-8483-4772-8e79-3d69d8477de4';

const kata = (plain: boolean): DiskLayout => ({
  name: plain ? 'mbr' : 'nvdimm',
  before: partitionStart(plain),
  behind: 0,
  write: async (root, { alignment }) => kataDisk(root, { plain, alignment }),
});

const gpt: DiskLayout = {
  name: 'gpt',
  before: partitionStart(true),
  behind: MIB, // the backup table; a whole MiB keeps the file system aligned
  async write(root, { architecture }) {
    const { gptDisk } = await import('../formats/disk/gpt.ts');
    const id = formatUuid(root.uuid);
    const type = parseUuid(ROOT_TYPES[architecture ?? ''] ?? LINUX_DATA)!;
    const partition = { name: 'root', type, guid: deriveUuid(`partition ${id}`), content: root };
    return gptDisk([partition], { diskGuid: deriveUuid(`disk ${id}`), size: this.before + root.size + this.behind });
  },
};

/** Every disk layout: `nvdimm` is Kata's own, with a header that NVDIMM devices read. */
export const LAYOUTS: Readonly<Record<DiskLayout['name'], DiskLayout>> = { nvdimm: kata(false), mbr: kata(true), gpt };

/** Bytes that a layout leaves for a file system of at least `least` bytes: all space that the alignment provides. */
export function capacity(layout: DiskLayout, least: number, { alignment }: LayoutOptions): number {
  const around = layout.before + layout.behind;
  return Math.ceil((around + least) / alignment) * alignment - around;
}
