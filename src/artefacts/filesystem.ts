import type { Content } from '../bytes/content.ts';
import type { RandomAccess } from '../bytes/file.ts';
import { BuildError } from '../errors/error.ts';
import type { Report } from '../events/events.ts';
import { parseUuid } from '../formats/disk/uuid.ts';
import type { Tree } from '../tree/tree.ts';
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
  /** Options as the file system's own mkfs spells them; absent: Kata's. */
  readonly options?: readonly string[];
  /** The oldest Linux that must read it, as `5.15`; for file systems that have a choice. */
  readonly kernel?: string;
  /** Unix seconds of the file system's own time stamps. */
  readonly epoch: number;
  /** The size to use, given the minimum that fits the tree; that minimum by default. */
  readonly size?: (least: number) => number;
  /** Bytes of the logical sectors of the device from which it is mounted; 512 by default. */
  readonly sectorSize?: number;
  /** A folder for temporary files, which file systems that compress need. */
  readonly workspace?: () => string;
}

/** A planned file system. */
export interface FileSystemImage extends Content {
  /** Sixteen bytes. */
  readonly uuid: Uint8Array;
  /** False when files are compressed, so that a guest cannot map them with DAX. */
  readonly mappable?: boolean;
}

/** A file system that can be written and read: one row of {@link FILE_SYSTEMS}. */
export interface FileSystem {
  readonly name: 'ext4' | 'erofs' | 'xfs';
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

/** Rejects an option of a file system or disk. `setting` is its key. */
export function invalidOption(setting: string, value: string, reason: string): BuildError<'SETTING_INVALID'> {
  return new BuildError('SETTING_INVALID', { setting, value, reason });
}

/** The UUID that was given. Throws `SETTING_INVALID` when it is none. */
export function uuidOf({ uuid }: FileSystemOptions): Uint8Array | undefined {
  if (uuid === undefined) return undefined;
  const bytes = parseUuid(uuid);
  if (bytes === undefined) throw invalidOption('fsUuid', uuid, 'a UUID is 8-4-4-4-12 hexadecimal digits');
  return bytes;
}

/** What was checked, in words: `3 inodes, 2 extents`. */
export function countsOf(checked: Readonly<Record<string, number>>): string {
  return Object.entries(checked)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ');
}
