import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { completeDigests } from '../../../src/artefacts/digests.ts';
import { randomAccess } from '../../../src/bytes/file.ts';
import { pour } from '../../../src/bytes/pour.ts';
import { erofsImage } from '../../../src/formats/erofs/emit.ts';
import { verifyErofs } from '../../../src/formats/erofs/inspect.ts';
import type { ErofsOptions } from '../../../src/formats/erofs/options.ts';
import { openErofs } from '../../../src/formats/erofs/read.ts';
import { readDirectory } from '../../../src/tree/directory-read.ts';
import type { Tree } from '../../../src/tree/tree.ts';
import { needs, temporary } from '../../support/data.ts';
import { dump } from '../../support/trees.ts';
import { run } from '../ext4/reference-tools.ts';

/** What most tests here need. */
export const REFERENCE_TOOLS = needs({ tools: ['fsck.erofs', 'dump.erofs'] });

/** Every way in which a tree can be stored. */
export const VARIANTS: readonly (readonly [name: string, options: ErofsOptions])[] = [
  ['plain', {}],
  ['inline', { inlineData: true }],
  ['lz4', { compression: 'lz4' }],
  ['lz4hc', { compression: 'lz4hc' }],
  ['lz4hc, inline', { compression: 'lz4hc', inlineData: true }],
  ['lz4hc, clusters of 16 KiB', { compression: 'lz4hc', clusterSize: 16384 }],
  ['lz4hc, clusters of 64 KiB, inline', { compression: 'lz4hc', clusterSize: 65536, inlineData: true }],
  ['lz4hc, ends behind inodes', { compression: 'lz4hc', tailPacking: true, kernel: [5, 17] }],
  [
    'lz4hc, clusters of 64 KiB, all ends behind inodes',
    { compression: 'lz4hc', clusterSize: 65536, inlineData: true, tailPacking: true, kernel: [5, 17] },
  ],
  ['lz4hc, clusters of 1 MiB', { compression: 'lz4hc', clusterSize: 1 << 20, level: 3 }],
];

type After = { after(fn: () => void): void };

/** Pours an image into a fresh file of the test's own. */
export async function poured(t: After, tree: Tree, options: ErofsOptions): Promise<string> {
  const folder = temporary(t);
  await completeDigests(tree);
  const image = await erofsImage(tree, { ...options, spool: () => join(folder, 'spool') });
  const path = join(folder, 'image');
  await pour(image.open(), path, { size: image.size });
  return path;
}

const ROOT = process.getuid?.() === 0;

/** What the reference tool extracts of a tree: no attributes, no links, no setuid bits, no times of links. */
function extracted(tree: Tree): string[] {
  return [...tree.walk()].map(({ path, inode }) => {
    const line = `${path} ${inode.kind} ${(inode.mode & 0o777).toString(8)} ${inode.uid}:${inode.gid}`;
    if (inode.kind === 'symlink') return `${line} ${inode.target}`;
    if (inode.kind !== 'file') return line;
    const digest = createHash('sha256').update(inode.content.readSync()).digest('hex');
    return `${line} ${inode.mtime} ${digest}`;
  });
}

/** The checks that every image must pass: the reference tool's with every byte, our reader, our verification. */
export async function checkImage(t: After, path: string, tree: Tree, how: { extract?: boolean } = {}): Promise<void> {
  run('fsck.erofs', ['--extract', path]);
  const access = randomAccess(path);
  const { tree: read } = await openErofs(access);
  assert.deepEqual(dump(read(), { extents: false }), dump(tree, { extents: false }));
  assert.deepEqual((await verifyErofs(access)).faults, []);
  if (how.extract !== true || !ROOT) return;
  const folder = join(temporary(t), 'out');
  run('fsck.erofs', [`--extract=${folder}`, '--preserve', path]);
  assert.deepEqual(extracted(readDirectory(folder)), extracted(tree));
}
