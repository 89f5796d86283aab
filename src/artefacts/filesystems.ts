import type { RandomAccess } from '../bytes/file.ts';
import { erofs } from './erofs.ts';
import { ext4 } from './ext4.ts';
import type { FileSystem } from './filesystem.ts';
import { xfs } from './xfs.ts';

/** Every file system, by name. */
export const FILE_SYSTEMS: Readonly<Record<FileSystem['name'], FileSystem>> = { ext4, erofs, xfs };

/** The file system on a volume, by its magic number. */
export function fileSystemOn(volume: RandomAccess): FileSystem | undefined {
  return Object.values(FILE_SYSTEMS).find(({ magic: { offset, bytes } }) => {
    if (volume.size < 2048 || volume.size < offset + bytes.length) return false;
    const found = new Uint8Array(bytes.length);
    volume.readAt(offset, found);
    return bytes.every((byte, i) => found[i] === byte);
  });
}
