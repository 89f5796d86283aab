import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Content } from '../src/bytes/content.ts';
import { fileSlice } from '../src/bytes/file.ts';
import { pour } from '../src/bytes/pour.ts';
import { cpioArchive } from '../src/formats/cpio/emit.ts';
import { ext4Image } from '../src/formats/ext4/emit.ts';
import { tarArchive } from '../src/formats/tar/emit.ts';
import { readDirectory } from '../src/tree/directory-read.ts';
import { writeDirectory } from '../src/tree/directory-write.ts';
import { directory, file, rootMeta } from '../src/tree/inode.ts';
import { Tree } from '../src/tree/tree.ts';
import { tool } from '../test/support/data.ts';
import { bundledImages } from './bundled.ts';
import { atLeast5, isSelected, race, timed } from './measure.ts';
import { BYTES, debianLike, FILES } from './shape.ts';

const SELF = fileURLToPath(import.meta.url);

/** Images of a Debian guest's shape: ours from a folder and from a spool, against `mke2fs -d` and `cp`. */
export async function ext4Bench(rounds: number): Promise<string[]> {
  if (tool('mke2fs') === undefined) return ['mke2fs is not installed: writing ext4 was not raced', ''];
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-bench-'));
  try {
    const spool = join(folder, 'spool');
    const guest = join(folder, 'guest');
    await writeDirectory(debianLike(spool), guest);
    const archive = join(folder, 'guest.tar');
    await pour(tarArchive(readDirectory(guest)).open(), archive);
    const run = await bundledImages();
    const out = (name: string) => join(folder, `${name}.img`);
    await timed(process.execPath, [run, 'ext4', 'spool', spool, out('spool')]);
    const size = String(Math.ceil(statSync(out('spool')).size / 4096));
    const drop = (name: string) => rmSync(out(name), { recursive: true, force: true });
    // all write to a fresh path: the old file is removed outside the race
    const ours = (from: 'spool' | 'folder' | 'tar', source: string) => {
      drop(from);
      return timed(process.execPath, [run, 'ext4', from, source, out(from)]);
    };
    const lines = await race(
      `ext4 image of ${FILES} files, ${BYTES / 1e6} MB`,
      [
        { name: 'ours, from a spool as a build does', run: () => ours('spool', spool) },
        { name: 'ours, from a tar', run: () => ours('tar', archive) },
        { name: 'ours, from a folder', run: () => ours('folder', guest) },
        { name: 'node, started and ended', run: () => timed(process.execPath, ['-e', '']) },
        {
          name: 'cp of the same folder',
          run() {
            drop('copy');
            return timed('cp', ['-a', guest, out('copy')]);
          },
        },
        {
          name: 'mke2fs -t ext4 -d',
          run() {
            drop('theirs');
            const args = [
              '-q',
              '-F',
              '-t',
              'ext4',
              '-b',
              '4096',
              '-m',
              '3',
              '-i',
              '16384',
              '-O',
              'orphan_file',
              '-d',
              guest,
              out('theirs'),
              `${Number(size) + 2000}`,
            ];
            return timed(tool('mke2fs')!, args);
          },
        },
      ],
      atLeast5(rounds),
      { warm: true },
    );
    const note =
      'Ours digests (SHA-256) and syncs the image, and gives it its name when it is whole; mke2fs syncs, and does not digest.';
    const planning = isSelected('files plan') ? await curve() : [];
    return [...lines, note, '', ...planning];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Time and memory of planning trees of growing size, each in a process of its own. */
async function curve(): Promise<string[]> {
  const lines = [
    '| files | plan s | plan + pour s | CPU s | image MiB | peak MiB after plan | peak MiB after pour |',
    '|---|---|---|---|---|---|---|',
  ];
  for (const kind of Object.keys(PLANNED))
    for (const files of [1_000, 10_000, 100_000, 300_000, 1_000_000]) {
      const report = join(mkdtempSync(join(tmpdir(), 'osbuilder-bench-')), 'report');
      await timed(process.execPath, [SELF, 'curve', kind, String(files), report]);
      lines.push(readFileSync(report, 'utf8').trim());
      rmSync(join(report, '..'), { recursive: true });
    }
  return [...lines, ''];
}

const peak = () => Math.round(process.resourceUsage().maxRSS / 1024);

/** What is planned of trees of growing size; the file system is one of 20 GiB. */
const PLANNED: Readonly<Record<string, (tree: Tree) => Content>> = {
  ext4: (tree) => ext4Image(tree, { size: 20 * 2 ** 30 }),
  newc: (tree) => cpioArchive(tree),
  tar: (tree) => tarArchive(tree),
};

/** Plans an image or an archive with `files` files of a few kilobytes, each with a content of its own, and pours it into nothing. */
async function planMany(kind: string, files: number, report: string): Promise<void> {
  const tree = new Tree();
  const spool = `${report}.spool`;
  writeFileSync(spool, new Uint8Array(5_000_000));
  for (let i = 0; i < files; i += 100) {
    const made = directory(rootMeta(0o755, 1_700_000_000));
    const above = tree.makeDirectory(`d${Math.floor(i / 10_000)}`);
    above.children.set(`folder ${i}`, made);
    for (let j = i; j < Math.min(files, i + 100); j++)
      made.children.set(
        `file number ${j}`,
        file(fileSlice(spool, 5000 * (j % 1000), 5000), rootMeta(0o644, 1_700_000_000)),
      );
  }
  const before = performance.now();
  const used = process.cpuUsage();
  const image = PLANNED[kind]!(tree); // planned here, poured below
  const planned = (performance.now() - before) / 1000;
  const planPeak = peak();
  let bytes = 0;
  for await (const piece of image.open()) bytes += piece.length;
  if (bytes !== image.size) throw new Error(`${bytes} bytes in place of ${image.size}`);
  const poured = (performance.now() - before) / 1000;
  const { user, system } = process.cpuUsage(used);
  const cpu = (user + system) / 1e6;
  writeFileSync(
    report,
    `| ${kind}, ${files} | ${planned.toFixed(2)} | ${poured.toFixed(2)} | ${cpu.toFixed(2)} | ${Math.round(image.size / 2 ** 20)} | ${planPeak} | ${peak()} |\n`,
  );
}

async function main([what, kind, files, report]: string[]): Promise<void> {
  if (what === 'curve') return planMany(kind!, Number(files), report!);
  process.stdout.write(`${(await ext4Bench(Number(what ?? 3))).join('\n')}\n`);
}

if (process.argv[1] === SELF) await main(process.argv.slice(2));
