import { type RandomAccess, section } from '../bytes/file.ts';
import { BuildError } from '../errors/error.ts';
import { describeExt4, verifyExt4 } from '../formats/ext4/inspect.ts';
import { ext4Parts } from '../formats/ext4/parts.ts';
import { openExt4 } from '../formats/ext4/read.ts';
import type { Tree } from '../tree/tree.ts';
import { diskStructures, type Structure, type Volume } from './structures.ts';

/** True when an ext2, ext3 or ext4 superblock lies where one would. */
function holdsExt4(access: RandomAccess): boolean {
  if (access.size < 2048) return false;
  const magic = new Uint8Array(2);
  access.readAt(1080, magic);
  return magic[0] === 0x53 && magic[1] === 0xef;
}

/** The tree of a disk's first partition with ext4, or of a bare file system. */
export async function treeOfImage(path: string, kind: 'disk' | 'ext4' | 'file', access: RandomAccess): Promise<Tree> {
  if (kind === 'ext4') return openExt4(access, { name: path }).tree();
  if (kind === 'disk')
    for (const { name, offset, size } of diskStructures(access).volumes) {
      const volume = section(access, offset, size);
      if (holdsExt4(volume)) return openExt4(volume, { name: `${path} (${name})` }).tree();
    }
  throw new BuildError('ROOTFS_UNKNOWN', {
    path,
    reason:
      kind === 'disk' ? 'none of its partitions holds an ext4 file system' : 'it is no archive, no image and no folder',
  });
}

/** What file systems say of themselves, by where they lie on the disk. `check` recomputes every checksum, too. */
export function volumeStructures(access: RandomAccess, volumes: readonly Volume[], check = false): Structure[] {
  return volumes.flatMap(({ name, offset, size }): Structure[] => {
    const volume = section(access, offset, size);
    if (!holdsExt4(volume))
      return [{ what: `${name}: no file system that can be read`, offset, size, facts: {}, faults: [] }];
    const facts = describeExt4(volume, { name, verify: false });
    const verified = check ? verifyExt4(volume, { name }) : undefined;
    return [
      {
        what: `${facts.kind} in ${name}`,
        offset,
        size: facts.size,
        facts: { ...facts, ...(verified === undefined ? {} : { checked: countsOf(verified.checked) }) },
        faults: (verified?.faults ?? []).map(({ at, reason }) => `${at}: ${reason}`),
        ...(check
          ? {}
          : { parts: ext4Parts(volume, { name }).map((part) => ({ ...part, offset: part.offset + offset })) }),
      },
    ];
  });
}

function countsOf(checked: Readonly<Record<string, number>>): string {
  return Object.entries(checked)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ');
}
