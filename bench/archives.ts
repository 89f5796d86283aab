import { statSync } from 'node:fs';
import { join } from 'node:path';
import { pour } from '../src/bytes/pour.ts';
import { tarArchive } from '../src/formats/tar/emit.ts';
import { readDirectory } from '../src/tree/directory-read.ts';
import { PROGRAM } from '../test/support/cli.ts';
import { tool } from '../test/support/data.ts';
import { atLeast5, race, timed } from './measure.ts';
import { withGuest } from './tree.ts';

/**
 * A newc archive of a Debian guest, uncompressed: ours from an archive and from a folder against GNU cpio from the folder, on
 * one file system. Ours reads the folder's manifest too, digests the archive and syncs it to the disk before it replaces the
 * older one; GNU cpio does none of that.
 */
export async function cpioBench(rounds: number): Promise<string[]> {
  if (tool('cpio') === undefined) return ['GNU cpio is not installed: writing cpio was not raced', ''];
  return withGuest(async (folder, guest) => {
    const archive = join(folder, 'guest.tar');
    await pour(tarArchive(readDirectory(guest)).open(), archive);
    const ours = (source: string) => {
      const words = ['initrd', source, '--skip-rootfs-check', '--compress', 'none', '--quiet'];
      return timed(process.execPath, [PROGRAM, ...words, '-o', join(folder, 'a.img')]);
    };
    const theirs = `cd '${guest}' && find . | cpio --quiet -H newc -o > '${join(folder, 'b.img')}'`;
    return [
      ...(await race(
        'newc archive of a Debian guest',
        [
          { name: 'ours, from a tar', run: () => ours(archive) },
          { name: 'ours, from a folder', run: () => ours(guest) },
          { name: 'node, started and ended', run: () => timed(process.execPath, ['-e', '']) },
          { name: 'find | GNU cpio', run: () => timed('sh', ['-c', theirs]) },
        ],
        atLeast5(rounds),
        { warm: true },
      )),
      'Ours digests (SHA-256) and syncs the archive and replaces the older one whole; GNU cpio overwrites, and does not.',
      '',
    ];
  });
}

/** Compressions, and what an engineer would type instead of ours: at the same level. */
const PEERS = [
  { compress: 'gzip', peer: 'gzip -9' },
  { compress: 'zstd', peer: 'zstd -q -T0 -3' },
  { compress: 'lz4', peer: 'lz4 -q -9 -l' },
] as const;

/** The same compressed: ours against the usual tools, with the sizes. */
export async function compressBench(rounds: number): Promise<string[]> {
  if (tool('cpio') === undefined) return ['GNU cpio is not installed: compressing was not raced', ''];
  return withGuest(async (folder, guest) => {
    const lines: string[] = [];
    for (const { compress, peer } of PEERS) {
      if (tool(compress) === undefined) {
        lines.push(`${compress} is not installed: it was not raced`, '');
        continue;
      }
      const [ours, theirs] = [join(folder, `a.${compress}`), join(folder, `b.${compress}`)];
      const args = ['initrd', guest, '--skip-rootfs-check', '--compress', compress, '--quiet', '-o', ours];
      const rows = await race(
        `${compress} initrd of a Debian guest in a folder`,
        [
          { name: 'ours', run: () => timed(process.execPath, [PROGRAM, ...args]) },
          {
            name: `find | cpio | ${peer}`,
            run: () => timed('sh', ['-c', `cd '${guest}' && find . | cpio --quiet -H newc -o | ${peer} > '${theirs}'`]),
          },
        ],
        rounds,
      );
      const [a, b] = [statSync(ours).size, statSync(theirs).size];
      lines.push(...rows.slice(0, -1), '', `Sizes: ours ${a} bytes, \`${peer}\` ${b}: ${(a / b).toFixed(3)} ×`, '');
    }
    return lines;
  });
}
