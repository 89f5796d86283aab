import type { Content } from '../bytes/content.ts';
import type { RandomAccess } from '../bytes/file.ts';
import { BuildError } from '../errors/error.ts';
import type { Report } from '../events/events.ts';
import { parseUuid } from '../formats/disk/uuid.ts';
import type { Feature } from '../formats/ext4/features.ts';
import type { Ext4Options } from '../formats/ext4/options.ts';
import type { Tree } from '../tree/tree.ts';
import { completeDigests } from './digests.ts';
import type { Features, Limits, Structure } from './kind.ts';

/** Options for making a file system of any type. Sizes in bytes. */
export interface FileSystemOptions {
  readonly blockSize: number;
  /** Free space to leave. */
  readonly freeSpace: number;
  readonly label: string;
  /** As text; derived from the content when absent. */
  readonly uuid?: string;
  /** As the file system's own mkfs names them: `feature`, or `^feature` to leave one out. */
  readonly features: readonly string[];
  /** Unix seconds of the file system's own time stamps. */
  readonly epoch: number;
  /** The size to use, given the minimum that fits the tree; that minimum by default. */
  readonly size?: (least: number) => number;
}

/** A planned file system. */
export interface FileSystemImage extends Content {
  /** Sixteen bytes. */
  readonly uuid: Uint8Array;
}

/** A file system that can be written and read: one row of {@link FILE_SYSTEMS}. */
export interface FileSystem {
  readonly name: 'ext4';
  readonly holds: Features;
  readonly limits: Limits;
  /** Where its magic number is, in bytes from its start. */
  readonly magic: { readonly offset: number; readonly bytes: readonly number[] };
  /** Rejects options that are invalid for every tree. */
  validate(options: FileSystemOptions): Promise<void>;
  plan(tree: Tree, options: FileSystemOptions, report?: Report): Promise<FileSystemImage>;
  tree(volume: RandomAccess, name: string): Promise<Tree>;
  /** Structures of the file system in `name` at `offset` of its disk; `check` verifies every checksum. */
  structures(volume: RandomAccess, place: { name: string; offset: number }, check: boolean): Promise<Structure[]>;
}

const ext4: FileSystem = {
  name: 'ext4',
  holds: { xattrs: true, sockets: true, nanoseconds: true },
  // with blocks of 4 KiB; smaller blocks allow less. Extents count blocks with 32 bits
  limits: {
    fileSize: (2 ** 32 - 1) * 4096,
    path: Infinity,
    target: 4095,
    time: [-(2 ** 31), 2 ** 34 - 2 ** 31 - 1],
  },
  // s_magic of the superblock, which is at 1024 for every block size
  magic: { offset: 1080, bytes: [0x53, 0xef] },
  async validate(options) {
    const { settingsOf } = await import('../formats/ext4/options.ts');
    settingsOf(await ext4Options(options));
  },
  async plan(tree, options, report) {
    const { ext4Image } = await import('../formats/ext4/emit.ts');
    await completeDigests(tree, report);
    const image = ext4Image(tree, await ext4Options(options));
    return { size: image.size, open: () => image.open(), uuid: image.plan.uuid };
  },
  async tree(volume, name) {
    return (await import('../formats/ext4/read.ts')).openExt4(volume, { name }).tree();
  },
  async structures(volume, { name, offset }, check) {
    const { describeExt4 } = await import('../formats/ext4/inspect.ts');
    const facts = describeExt4(volume, { name, verify: false });
    const what = `${facts.kind} in ${name}`;
    if (check) {
      const { checkExt4 } = await import('../formats/ext4/check/check.ts');
      const { checked, faults, unchecked } = checkExt4(volume, { name });
      return [
        {
          what,
          offset,
          size: facts.size,
          facts: { ...facts, checked: countsOf(checked) },
          faults: faults.map(({ at, reason }) => `${at}: ${reason}`),
          unchecked,
        },
      ];
    }
    const { ext4Parts } = await import('../formats/ext4/parts.ts');
    const parts = ext4Parts(volume, { name }).map((part) => ({ ...part, offset: part.offset + offset }));
    return [{ what, offset, size: facts.size, facts: { ...facts }, faults: [], parts }];
  },
};

/** Every file system, by name. */
export const FILE_SYSTEMS: Readonly<Record<FileSystem['name'], FileSystem>> = { ext4 };

/** The file system on a volume, by its magic number. */
export function fileSystemOn(volume: RandomAccess): FileSystem | undefined {
  return Object.values(FILE_SYSTEMS).find(({ magic: { offset, bytes } }) => {
    if (volume.size < 2048 || volume.size < offset + bytes.length) return false;
    const found = new Uint8Array(bytes.length);
    volume.readAt(offset, found);
    return bytes.every((byte, i) => found[i] === byte);
  });
}

async function ext4Options(options: FileSystemOptions): Promise<Ext4Options> {
  const uuid = options.uuid === undefined ? undefined : parseUuid(options.uuid);
  if (options.uuid !== undefined && uuid === undefined)
    throw new BuildError('SETTING_INVALID', {
      source: 'fs-uuid',
      value: options.uuid,
      reason: 'a UUID is 8-4-4-4-12 hexadecimal digits',
    });
  const { WRITABLE_FEATURES } = await import('../formats/ext4/features.ts');
  return {
    time: options.epoch,
    blockSize: options.blockSize,
    label: options.label,
    features: featuresOf(options.features, WRITABLE_FEATURES),
    freeSpace: options.freeSpace,
    ...(options.size === undefined ? {} : { size: options.size }),
    ...(uuid === undefined ? {} : { uuid }),
  };
}

/** Features in mkfs.ext4's spelling: `name` switches one on, `^name` off. */
function featuresOf(words: readonly string[], known: readonly string[]): Partial<Record<Feature, boolean>> {
  const features: Partial<Record<Feature, boolean>> = {};
  for (const word of words) {
    const name = word.replace(/^\^/, '');
    if (!known.includes(name))
      throw new BuildError('SETTING_INVALID', {
        source: 'fs-features',
        value: word,
        reason: `expected one of ${known.join(', ')}`,
      });
    features[name as Feature] = !word.startsWith('^');
  }
  return features;
}

function countsOf(checked: Readonly<Record<string, number>>): string {
  return Object.entries(checked)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ');
}
