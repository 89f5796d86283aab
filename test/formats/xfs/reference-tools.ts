import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { completeDigests } from '../../../src/artefacts/digests.ts';
import { randomAccess } from '../../../src/bytes/file.ts';
import { pour } from '../../../src/bytes/pour.ts';
import { checkXfs } from '../../../src/formats/xfs/check.ts';
import { xfsImage } from '../../../src/formats/xfs/emit.ts';
import type { XfsOptions } from '../../../src/formats/xfs/options.ts';
import { openXfs } from '../../../src/formats/xfs/read.ts';
import type { Tree } from '../../../src/tree/tree.ts';
import { needs, temporary, tool } from '../../support/data.ts';
import { dump } from '../../support/trees.ts';

/** What most tests here need. */
export const REFERENCE_TOOLS = needs({ tools: ['xfs_repair'] });

/** Every way in which a tree can be stored. They are small, as the reference tool reads every block. */
export const VARIANTS: readonly (readonly [name: string, options: XfsOptions])[] = [
  ['default', {}],
  ['rmapbt', { features: { rmapbt: true } }],
  ['reflink', { features: { reflink: true } }],
  ['all features', { features: { rmapbt: true, reflink: true, nrext64: true } }],
  ['no features', { features: { finobt: false, sparse: false } }],
  ['sectors of 4096 bytes', { sectorSize: 4096 }],
  ['inodes of 1024 bytes', { inodeSize: 1024 }],
  ['inodes of 2048 bytes, without sparse chunks', { inodeSize: 2048, features: { sparse: false, nrext64: true } }],
  ['many groups', { groups: 7, label: 'seven groups' }],
];

type After = { after(fn: () => void): void };

/** Pours an image into a fresh file of the test's own. */
export async function poured(t: After, tree: Tree, options: XfsOptions): Promise<string> {
  await completeDigests(tree);
  const image = xfsImage(tree, { small: true, ...options });
  const path = join(temporary(t), 'image');
  const { value } = { value: await pour(image.open(), path, { size: image.size, sparse: true }) };
  assert.equal(value.size, image.size);
  return path;
}

/** The reference tool must find nothing. */
export function repair(path: string): void {
  const { status, stdout, stderr } = spawnSync(tool('xfs_repair')!, ['-n', '-f', path], { encoding: 'utf8' });
  assert.equal(status, 0, `${stdout}\n${stderr}`);
}

/** The checks that every image must pass: the reference tool's, our reader's with every byte, our own check's. */
export function checkImage(path: string, tree: Tree): void {
  repair(path);
  const access = randomAccess(path);
  // holes are as long as blocks make them
  const plain = { extents: false };
  assert.deepEqual(dump(openXfs(access).tree(), plain), dump(tree, plain));
  const { faults } = checkXfs(access);
  assert.deepEqual(faults, []);
}
