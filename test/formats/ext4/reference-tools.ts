import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Content } from '../../../src/bytes/content.ts';
import { randomAccess } from '../../../src/bytes/file.ts';
import { pour } from '../../../src/bytes/pour.ts';
import { checkExt4 } from '../../../src/formats/ext4/check/check.ts';
import { openExt4 } from '../../../src/formats/ext4/read.ts';
import type { Inode } from '../../../src/tree/inode.ts';
import { Tree } from '../../../src/tree/tree.ts';
import { needs, temporary, tool } from '../../support/data.ts';
import { dump } from '../../support/trees.ts';

/** What most tests here need. */
export const REFERENCE_TOOLS = needs({ tools: ['e2fsck', 'dumpe2fs', 'debugfs'] });

/** Runs a program and returns its output; a program that fails is a failed test unless `status` allows it. */
export function run(name: string, args: readonly string[], status: number | undefined = 0): string {
  const path = tool(name);
  assert.ok(path, `${name} is here`);
  const result = spawnSync(path, args, {
    encoding: 'latin1',
    maxBuffer: 1 << 28,
    env: { ...process.env, LC_ALL: 'C' },
  });
  if (status !== undefined)
    assert.equal(
      result.status,
      status,
      `${name} ${args.join(' ')}\n${result.stdout.slice(-3000)}\n${result.stderr.slice(-1000)}`,
    );
  return result.stdout + result.stderr;
}

let images = 0;

/** Pours an image into a fresh file of the test's own. */
export async function poured(t: { after(fn: () => void): void }, image: Content): Promise<string> {
  const path = join(temporary(t), `${images++}.img`);
  await pour(image.open(), path, { sparse: true, size: image.size });
  return path;
}

/** e2fsck finds nothing to do, not even something to optimize. */
export function clean(path: string): void {
  const result = run('e2fsck', ['-fn', path]);
  assert.doesNotMatch(result, /optimi[sz]|could be|should be|WARNING/i);
}

/** The checks that every image must pass: e2fsck, our reader, every checksum. */
export function checkImage(path: string, tree: Tree): void {
  clean(path);
  const access = randomAccess(path);
  const found = openExt4(access).tree({ lostFound: tree.root.children.has('lost+found') });
  assert.deepEqual(dump(found, { extents: false }), dump(tree, { extents: false }));
  assert.deepEqual(holes(found), holes(tree));
  assert.deepEqual(checkExt4(access).faults, []);
}

/** Which files have holes of whole blocks, so that a hole filled on the way is noticed. */
function holes(tree: Tree): string[] {
  const names: string[] = [];
  for (const { path, inode } of tree.walk()) {
    if (inode.kind !== 'file' || inode.content.extents === undefined) continue;
    let end = 0;
    let wide = false;
    for (const { offset, size } of [...inode.content.extents, { offset: inode.content.size, size: 0 }]) {
      // 8192 bytes hold a whole block at any place, for every block size tested
      if (offset - end >= 8192) wide = true;
      end = offset + size;
    }
    if (wide) names.push(path);
  }
  return names;
}

/** A copy without what a small block size cannot hold: long link targets, large extended attributes. */
export function fitting(tree: Tree, blockSize: number): Tree {
  const copies = new Map<Inode, Inode>();
  const copy = (inode: Inode): Inode => {
    let made = copies.get(inode);
    if (made !== undefined) return made;
    made = { ...inode };
    if (made.xattrs !== undefined)
      made.xattrs = new Map([...made.xattrs].filter(([, value]) => value.length < blockSize - 400));
    if (made.xattrs?.size === 0) delete made.xattrs;
    if (made.kind === 'symlink') made.target = made.target.slice(0, blockSize - 1);
    if (made.kind === 'directory')
      made.children = new Map([...made.children].map(([name, child]) => [name, copy(child)]));
    copies.set(inode, made);
    return made;
  };
  const root = copy(tree.root);
  assert.equal(root.kind, 'directory');
  return new Tree(root);
}

/** Facts of an image as dumpe2fs prints them. */
export function dumpe2fs(path: string): Map<string, string> {
  const facts = new Map<string, string>();
  for (const line of run('dumpe2fs', ['-h', path]).split('\n')) {
    const match = /^([^:]+):\s+(.*)$/.exec(line);
    if (match !== null) facts.set(match[1]!, match[2]!.trim());
  }
  return facts;
}
