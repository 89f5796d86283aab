import { BuildError } from '../../errors/error.ts';
import type { Report } from '../../events/events.ts';
import { chosenFeatures, type Feature } from './features.ts';
import { EXTRA_SIZE, JOURNAL_MIN_BLOCKS, OLD_INODE_SIZE } from './layout.ts';

/** Options of an ext4 file system. Everything has a default, and nothing depends on the clock or on randomness. */
export interface Ext4Options {
  /** Creation time stored in the file system, in seconds since 1970; 0 by default. */
  readonly time?: number;
  /** Sixteen bytes; derived from the tree when absent. */
  readonly uuid?: Uint8Array;
  /** Seed of the directory hash, sixteen bytes; derived from the tree when absent. */
  readonly hashSeed?: Uint8Array;
  /** Volume label, at most sixteen bytes of UTF-8. */
  readonly label?: string;
  /** 1024, 2048 or 4096 (default). */
  readonly blockSize?: number;
  /** 256 by default; a power of two from 128 to the block size. */
  readonly inodeSize?: number;
  /** Features to switch on or off against the defaults of mkfs.ext4. */
  readonly features?: Readonly<Partial<Record<Feature, boolean>>>;
  /**
   * Size of the image in bytes, or a function from the least size to the size to use. The smallest possible when
   * absent.
   */
  readonly size?: number | ((least: number) => number);
  /** Minimum of free bytes. */
  readonly freeSpace?: number;
  /** Share of the blocks that only root may fill, in percent; 3 by default. */
  readonly reservedPercent?: number;
  /** At least one inode for this many bytes; 16384 by default. */
  readonly bytesPerInode?: number;
  /** Minimum of free inodes; by default an eighth of those in use, but at least 256. */
  readonly freeInodes?: number;
  /**
   * Length of the journal in blocks, 1024 or more; by default what mke2fs chooses for the size, which is no journal
   * below 2048 blocks.
   */
  readonly journalBlocks?: number;
  /** Groups whose bitmaps and inode tables are together, a power of two; 16 by default. */
  readonly groupsPerFlex?: number;
  /** What the kernel does when it meets damage. */
  readonly onErrors?: 'continue' | 'remount-ro' | 'panic';
  /**
   * Receives warnings about times that are out of range (the nearest one is stored) and about extended attributes in
   * namespaces that ext4 does not have (left out). Without it both are errors: `EXT4_TIME`, `EXT4_XATTR_NAME`.
   */
  readonly report?: Report | undefined;
}

/** First second that ext4 can hold, in 1901. */
export const TIME_FIRST = -(2 ** 31);

/** Last second that inodes of this size can hold: in 2446 with two extra bits, else in 2038. */
export function lastTime(inodeSize: number): number {
  return inodeSize > OLD_INODE_SIZE ? 2 ** 34 - 2 ** 31 - 1 : 2 ** 31 - 1;
}

/** The options with their defaults filled in. */
export interface Settings extends Ext4Options {
  readonly time: number;
  readonly blockSize: number;
  readonly inodeSize: number;
  /** i_extra_isize */
  readonly extraSize: number;
  readonly features: Readonly<Partial<Record<Feature, boolean>>>;
  readonly chosen: Set<Feature>;
  readonly reservedPercent: number;
  readonly bytesPerInode: number;
  readonly groupsPerFlex: number;
  readonly freeSpace: number;
}

/** Fills in defaults; rejects invalid combinations. */
export function settingsOf(options: Ext4Options): Settings {
  const chosen = chosenFeatures(options.features);
  const number = (option: keyof Ext4Options, value: number, right: boolean, expected: string): number => {
    if (!right) throw new BuildError('EXT4_OPTION', { option, value: String(value), expected });
    return value;
  };
  const power = (value: number) => Number.isInteger(Math.log2(value));
  const blockSize = options.blockSize ?? 4096;
  number('blockSize', blockSize, [1024, 2048, 4096].includes(blockSize), '1024, 2048 or 4096');
  const inodeSize = options.inodeSize ?? 256;
  number(
    'inodeSize',
    inodeSize,
    power(inodeSize) && inodeSize >= OLD_INODE_SIZE && inodeSize <= blockSize,
    `a power of two from ${OLD_INODE_SIZE} to the block size`,
  );
  if (inodeSize === OLD_INODE_SIZE) chosen.delete('extra_isize');
  const time = options.time ?? 0;
  number(
    'time',
    time,
    Number.isInteger(time) && time >= 0 && time < 2 ** 34 - 2 ** 31,
    'whole seconds from 1970 to 2446',
  );
  const reservedPercent = options.reservedPercent ?? 3;
  number('reservedPercent', reservedPercent, reservedPercent >= 0 && reservedPercent <= 50, '0 to 50');
  const bytesPerInode = options.bytesPerInode ?? 16384;
  number('bytesPerInode', bytesPerInode, bytesPerInode >= 1024 && bytesPerInode <= 2 ** 26, '1024 to 67108864');
  for (const [option, feature] of [
    ['groupsPerFlex', 'flex_bg'],
    ['journalBlocks', 'has_journal'],
  ] as const)
    if (options[option] !== undefined && !chosen.has(feature))
      throw new BuildError('EXT4_FEATURE', {
        feature: `no ${feature}`,
        reason: `${option} is for file systems with it`,
      });
  const groupsPerFlex = chosen.has('flex_bg') ? (options.groupsPerFlex ?? 16) : 1;
  number('groupsPerFlex', groupsPerFlex, power(groupsPerFlex) && groupsPerFlex >= 1, 'a power of two');
  if (options.journalBlocks !== undefined)
    number(
      'journalBlocks',
      options.journalBlocks,
      Number.isInteger(options.journalBlocks) && options.journalBlocks >= JOURNAL_MIN_BLOCKS,
      `${JOURNAL_MIN_BLOCKS} or more`,
    );
  for (const option of ['freeSpace', 'freeInodes'] as const)
    number(option, options[option] ?? 0, (options[option] ?? 0) >= 0, '0 or more');
  for (const option of ['uuid', 'hashSeed'] as const)
    number(option, options[option]?.length ?? 16, (options[option]?.length ?? 16) === 16, 'sixteen bytes');
  const label = options.label ?? '';
  if (Buffer.byteLength(label) > 16)
    throw new BuildError('EXT4_OPTION', { option: 'label', value: label, expected: 'at most 16 bytes of UTF-8' });
  return {
    ...options,
    time,
    blockSize,
    inodeSize,
    extraSize: inodeSize > OLD_INODE_SIZE ? EXTRA_SIZE : 0,
    features: options.features ?? {},
    chosen,
    reservedPercent,
    bytesPerInode,
    groupsPerFlex,
    freeSpace: options.freeSpace ?? 0,
  };
}

/** Length of the journal that mke2fs chooses for a file system of this many blocks; 0 when it is too small for one. */
export function journalBlocksFor(blocks: number): number {
  if (blocks < 2048) return 0;
  const steps: readonly (readonly [below: number, journal: number])[] = [
    [32768, 1024],
    [256 * 1024, 4096],
    [512 * 1024, 8192],
    [4096 * 1024, 16384],
    [8192 * 1024, 32768],
    [16384 * 1024, 65536],
    [32768 * 1024, 131072],
  ];
  return steps.find(([below]) => blocks < below)?.[1] ?? 262144;
}

/** Length of the orphan file that mke2fs chooses, in blocks. */
export function orphanBlocksFor(blocks: number): number {
  return Math.min(512, Math.max(32, Math.floor(blocks / 4096)));
}
