import { rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pour } from '../src/bytes/pour.ts';
import { tarArchive } from '../src/formats/tar/emit.ts';
import { readDirectory } from '../src/tree/directory-read.ts';
import { PROGRAM } from '../test/support/cli.ts';
import { tool } from '../test/support/data.ts';
import { atLeast5, race, timed } from './measure.ts';
import { withGuest } from './tree.ts';

/** What each form is asked for, and what mkfs.erofs is given for the same. */
const FORMS: readonly (readonly [title: string, ours: string, theirs: readonly string[]])[] = [
  ['plain', '-Enoinline_data', ['-E', 'noinline_data']],
  ['lz4hc', '-zlz4hc -Enoinline_data', ['-zlz4hc', '-E', 'noinline_data']],
  ['dense, clusters of 64 KiB', '-zlz4hc -C65536', ['-zlz4hc', '-C65536']],
];

/** EROFS images of a Debian guest, of an archive and of a folder, against mkfs.erofs, with the sizes of the file systems. */
export async function erofsBench(rounds: number): Promise<string[]> {
  const peer = tool('mkfs.erofs');
  if (peer === undefined) return ['mkfs.erofs is not installed: writing erofs was not raced', ''];
  return withGuest(async (folder, guest) => {
    const archive = join(folder, 'guest.tar');
    await pour(tarArchive(readDirectory(guest)).open(), archive);
    const lines: string[] = [];
    for (const [title, options, args] of FORMS) {
      const out = (name: string) => join(folder, name);
      const ours = (name: string, source: string) => {
        rmSync(out(name), { force: true });
        const image = ['image', source, '--skip-rootfs-check', '--fs-type', 'erofs', `--fs-options=${options}`];
        const disk = ['--skip-dax-header', '--arch', 'x86_64', '--quiet', '-o', out(name)];
        return timed(process.execPath, [PROGRAM, ...image, ...disk]);
      };
      const table = await race(
        `erofs image of a Debian guest, ${title}`,
        [
          { name: 'ours, of an archive', run: () => ours('a.img', archive) },
          { name: 'ours, of a folder', run: () => ours('b.img', guest) },
          {
            name: `mkfs.erofs ${args.join(' ')}`,
            run() {
              rmSync(out('theirs'), { force: true });
              return timed(peer, [...args, out('theirs'), guest]);
            },
          },
        ],
        atLeast5(rounds),
        { warm: true },
      );
      if (table.length === 0) continue;
      const { size } = await fileSystem(out('a.img'));
      const other = statSync(out('theirs')).size;
      lines.push(
        ...table,
        `Sizes: ours ${size} bytes, mkfs.erofs ${other}: ${(size / other).toFixed(4)} ×. Ours digests (SHA-256) and syncs.`,
        '',
      );
    }
    return lines;
  });
}

/** The file system of a disk image. */
async function fileSystem(path: string): Promise<{ readonly size: number }> {
  const { openArtefact } = await import('../src/artefacts/open.ts');
  const structures = await (await openArtefact(path, { workspace: () => tmpdir() })).structures();
  const found = structures.find(({ what }) => what.startsWith('erofs'));
  if (found === undefined) throw new Error(`${path} has no erofs`);
  return { size: Number(found.facts['size']) };
}
