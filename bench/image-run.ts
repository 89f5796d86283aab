/**
 * One output as a process: `image-run ext4|xfs|newc|tar|newc.zstd spool[*N*M]|folder|tar SOURCE OUT` makes a tree of what is
 * at SOURCE (N times side by side, files M times as long) and pours it, as a build does.
 */
import type { Bytes } from '../src/bytes/content.ts';
import { hostFile } from '../src/bytes/file.ts';
import { pour } from '../src/bytes/pour.ts';
import { slicesOf } from '../src/bytes/spool.ts';
import { expectLargeFile } from '../src/bytes/writer.ts';
import { tuneEngine } from '../src/cli/engine.ts';
import { compress } from '../src/compression/compress.ts';
import { cpioArchive } from '../src/formats/cpio/emit.ts';
import { ext4Image } from '../src/formats/ext4/emit.ts';
import { tarArchive } from '../src/formats/tar/emit.ts';
import { readTar } from '../src/formats/tar/read.ts';
import { xfsImage } from '../src/formats/xfs/emit.ts';
import { readDirectory } from '../src/tree/directory-read.ts';
import { treeOf } from '../src/tree/overlay.ts';
import type { Tree } from '../src/tree/tree.ts';
import { ending } from './ending.ts';
import { spooled } from './shape.ts';

/** The tree of a source. */
async function treeFrom(kind: string, path: string): Promise<Tree> {
  const growth = /^spool(?:\*([\d.]+)\*([\d.]+))?$/.exec(kind);
  if (growth !== null) return spooled(path, { copies: Number(growth[1] ?? 1), longer: Number(growth[2] ?? 1) });
  if (kind === 'folder') return readDirectory(path);
  return treeOf(readTar(hostFile(path).open(), path, slicesOf(path)), { source: path });
}

/** An output: its bytes, and how many they are where that is known before. */
interface Output {
  open(): Bytes;
  readonly size?: number;
}

const OUTPUTS: Readonly<Record<string, (tree: Tree) => Output>> = {
  ext4: (tree) => ext4Image(tree, { time: 1_700_000_000 }),
  xfs: (tree) => xfsImage(tree),
  newc: (tree) => cpioArchive(tree),
  tar: (tree) => tarArchive(tree),
  'newc.zstd'(tree) {
    const archive = cpioArchive(tree);
    return { open: () => compress(archive.open(), 'zstd', { cuts: archive.entries }) };
  },
};

tuneEngine();

const [kind, from, source, out] = process.argv.slice(2) as [string, string, string, string];
expectLargeFile();

async function run(): Promise<void> {
  const output = OUTPUTS[kind]!(await treeFrom(from, source));
  const { size } = output;
  await pour(output.open(), out, { sparse: true, ...(size === undefined ? {} : { size }) });
}

ending(run());
