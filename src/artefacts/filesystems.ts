import type { RandomAccess } from '../bytes/file.ts';
import { erofs } from './erofs.ts';
import { ext4 } from './ext4.ts';
import type { FileSystem } from './filesystem.ts';
import { xfs } from './xfs.ts';

/** Every file system, by name. */
export const FILE_SYSTEMS: Readonly<Record<FileSystem['name'], FileSystem>> = { ext4, erofs, xfs };

/** What else a partition may hold, by its magic numbers (those of libblkid's probes). */
const UNREAD: readonly (readonly [name: string, offset: number, magic: string])[] = [
  ['btrfs', 0x10040, '_BHRfS_M'],
  ['f2fs', 1024, '\x10\x20\xf5\xf2'],
  ['SquashFS', 0, 'hsqs'],
  ['LUKS', 0, 'LUKS\xba\xbe'],
  ['LVM', 536, 'LVM2 001'],
  ['bcachefs', 4120, '\xc6\x85\x73\xf6\x4e\x1a\x45\xca'],
  ['JFS', 0x8000, 'JFS1'],
  ['ReiserFS', 0x10034, 'ReIsEr'],
  ['NTFS', 3, 'NTFS    '],
  ['FAT', 82, 'FAT32   '],
  ['FAT', 54, 'FAT16   '],
  ['FAT', 54, 'FAT12   '],
];

/** The name of something on a volume that is known and cannot be read here: a file system, or what holds one. */
export function unreadOn(volume: RandomAccess): string | undefined {
  return UNREAD.find(([, offset, magic]) => {
    if (volume.size < offset + magic.length) return false;
    const found = Buffer.alloc(magic.length);
    volume.readAt(offset, found);
    return found.toString('latin1') === magic;
  })?.[0];
}

/** Whether what {@link unreadOn} names may hold a root file system: FAT has no owners, modes and links. */
export function mayHoldRoot(unread: string): boolean {
  return unread !== 'FAT';
}

/** The file system on a volume, by its magic number. */
export function fileSystemOn(volume: RandomAccess): FileSystem | undefined {
  return Object.values(FILE_SYSTEMS).find(({ magic: { offset, bytes } }) => {
    if (volume.size < 2048 || volume.size < offset + bytes.length) return false;
    const found = new Uint8Array(bytes.length);
    volume.readAt(offset, found);
    return bytes.every((byte, i) => found[i] === byte);
  });
}
