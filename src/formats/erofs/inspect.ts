import type { RandomAccess } from '../../bytes/file.ts';
import { isBuildError } from '../../errors/error.ts';
import { display } from '../../tree/path.ts';
import { linuxText, oldestLinux } from './kernels.ts';
import { COMPAT } from './layout.ts';
import { openErofs } from './read.ts';
import { ALGORITHMS, type ReadOptions, Volume } from './volume.ts';

/** The fields of a superblock, as plain values. */
export interface ErofsFacts {
  readonly kind: 'erofs';
  readonly features: readonly string[];
  readonly algorithms: readonly string[];
  /** The oldest Linux that reads it. */
  readonly linux: string;
  readonly uuid: string;
  readonly label: string;
  readonly blockSize: number;
  readonly blocks: number;
  readonly inodes: number;
  /** Seconds since 1970: the time of inodes that have none of their own. */
  readonly epoch: number;
  /** Bytes that the file system takes of the image. */
  readonly size: number;
}

/** The facts of an EROFS file system, for users and programs. */
export function describeErofs(access: RandomAccess, options: ReadOptions = {}): ErofsFacts {
  const { sb, features, blockSize, blocks } = new Volume(access, options);
  const compat = Object.entries(COMPAT).flatMap(([name, bit]) => (sb.compat & bit ? [name] : []));
  const algorithms = features.has('compr_cfgs')
    ? ALGORITHMS.filter((_, bit) => sb.compression & (1 << bit))
    : features.has('zero_padding')
      ? ['lz4']
      : [];
  const hex = Buffer.from(sb.uuid).toString('hex');
  const end = sb.label.indexOf(0);
  return {
    kind: 'erofs',
    features: [...compat, ...features],
    algorithms,
    linux: linuxText(oldestLinux({ features, algorithms, blockSize })),
    uuid: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    label: Buffer.from(sb.label.subarray(0, end < 0 ? 16 : end)).toString('utf8'),
    blockSize,
    blocks,
    inodes: sb.inodes,
    epoch: sb.epoch,
    size: blocks * blockSize,
  };
}

/** A problem that was found. */
export interface Fault {
  readonly at: string;
  readonly reason: string;
}

/**
 * Reads everything in a file system: the checksum of its first block, every inode, directory and attribute, and every
 * extent. There are no other checksums, so flipped bytes of data that is not compressed cannot be noticed.
 */
export async function verifyErofs(
  access: RandomAccess,
  options: ReadOptions = {},
): Promise<{ readonly checked: Readonly<Record<string, number>>; readonly faults: readonly Fault[] }> {
  const faults: Fault[] = [];
  const note = (error: unknown, at: string) => {
    if (isBuildError(error, 'EROFS_CORRUPT')) faults.push({ at: error.context.at, reason: error.context.reason });
    else if (isBuildError(error, 'EROFS_CHECKSUM'))
      faults.push({
        at: 'superblock',
        reason: `checksum ${error.context.stored} is stored, ${error.context.computed} is right`,
      });
    else if (isBuildError(error, 'CONTENT_SHORT')) faults.push({ at, reason: 'its data lies beyond the end' });
    else throw error;
  };
  const checked = { checksums: 0, inodes: 0, extents: 0, bytes: 0 };
  let reader: Awaited<ReturnType<typeof openErofs>>;
  try {
    reader = await openErofs(access, options);
  } catch (error) {
    note(error, 'superblock');
    return { checked, faults };
  }
  if (reader.volume.checksum !== undefined) checked.checksums++;
  try {
    const seen = new Set<unknown>();
    const tree = reader.tree();
    for (const { path, inode } of tree.walk()) {
      if (seen.has(inode)) continue;
      seen.add(inode);
      checked.inodes++;
      if (inode.kind !== 'file') continue;
      const at = `/${display(path)}`;
      try {
        let size = 0;
        for await (const piece of inode.content.open()) {
          checked.extents++;
          size += piece.length;
        }
        checked.bytes += size;
        if (size !== inode.content.size) faults.push({ at, reason: `${size} of ${inode.content.size} bytes` });
      } catch (error) {
        note(error, at);
      }
    }
    const { inodes } = reader.volume.sb;
    if (checked.inodes !== inodes && !reader.volume.features.has('fragments'))
      faults.push({ at: 'superblock', reason: `it counts ${inodes} inodes, ${checked.inodes} are there` });
  } catch (error) {
    note(error, 'the tree');
  }
  return { checked, faults };
}
