import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tool } from '../test/support/data.ts';
import { needsMirror } from '../test/support/host.ts';
import { bundledImages } from './bundled.ts';
import { Hooks, mirrorOf, mmdebstrap, PACKAGES, rootfsOf } from './debian.ts';
import { isSelected, race, timed } from './measure.ts';
import { BYTES, debianLike, FILES, type Growth } from './shape.ts';

/** What makes a guest of about 2 GB: 250 packages, some of the archive's large ones among them. */
const MANY = `${PACKAGES} build-essential default-jdk-headless golang-go clang llvm-19-dev rustc git cmake gdb`;

/** Large guests: one of 2 GB against mmdebstrap, and the memory that guests of growing size take. */
export async function largeBench(rounds: number): Promise<string[]> {
  return [...(await guestRace(rounds)), ...(isSelected('peak MiB by size of the guest') ? await memoryTable() : [])];
}

async function guestRace(rounds: number): Promise<string[]> {
  const title = 'Debian 13 guest of 2 GB as tar, loopback mirror';
  if (!isSelected(title)) return [];
  const lacking = tool('mmdebstrap') === undefined ? 'mmdebstrap is not installed' : await needsMirror();
  if (lacking) return [`${lacking}: the guest of 2 GB was not raced`, ''];
  const hooks = new Hooks();
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-bench-'));
  hooks.after(() => rmSync(folder, { recursive: true, force: true }));
  try {
    const mirror = await mirrorOf(hooks, folder, MANY);
    const ours = (cache: string) =>
      timed(process.execPath, rootfsOf(mirror, MANY, cache, join(folder, 'ours.tar'), ['--rootfs-only']));
    const cache = join(folder, 'cache');
    return await race(
      title,
      [
        {
          name: 'ours, nothing cached',
          run() {
            rmSync(cache, { recursive: true, force: true });
            return ours(cache);
          },
        },
        { name: 'ours, warm', run: () => ours(cache) },
        mmdebstrap(mirror, MANY, folder),
      ],
      Math.min(rounds, 2),
    );
  } finally {
    await hooks.end();
  }
}

/** The reference guest, and larger ones: a Debian guest of 2 GB has four times its files. */
const GROWTHS: readonly Growth[] = [
  { copies: 1, longer: 1 },
  { copies: 4, longer: 2.75 },
  { copies: 10, longer: 10.8 },
];

/** Outputs whose memory is measured; compressing 20 GB takes minutes. */
const OUTPUTS = [
  { kind: 'ext4', most: Infinity },
  { kind: 'newc', most: Infinity },
  { kind: 'tar', most: Infinity },
  { kind: 'newc.zstd', most: 4 },
];

/** Peak memory with all threads of outputs of guests of growing size, each poured into a file by a process of its own. */
async function memoryTable(): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-bench-'));
  try {
    const spool = join(folder, 'spool');
    debianLike(spool);
    const run = await bundledImages();
    const bytes = ({ copies, longer }: Growth) => copies * longer * BYTES;
    const heads = GROWTHS.map((one) => `${(bytes(one) / 1e9).toFixed(1)} GB, ${one.copies * FILES} files`);
    const lines = [`| peak MiB by size of the guest | ${heads.join(' | ')} |`, '|---|---|---|---|'];
    for (const { kind, most } of OUTPUTS) {
      const cells: string[] = [];
      for (const growth of GROWTHS) {
        const { bavail, bsize } = statfsSync(folder);
        if (growth.copies > most) cells.push('–');
        else if (bavail * bsize < 1.3 * bytes(growth)) cells.push('no space');
        else {
          const from = `spool*${growth.copies}*${growth.longer}`;
          const { peak, seconds } = await timed(process.execPath, [run, kind, from, spool, join(folder, 'out')]);
          cells.push(`${peak} (${seconds.toFixed(1)} s)`);
          rmSync(join(folder, 'out'));
        }
        process.stderr.write(`  memory, ${kind}, ${heads[cells.length - 1]}: ${cells.at(-1)}\n`);
      }
      lines.push(`| ${kind} | ${cells.join(' | ')} |`);
    }
    return [...lines, ''];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
