import { writeFileSync } from 'node:fs';
import { fileSlice, hostFile } from '../src/bytes/file.ts';
import { directory, file, rootMeta, symlink } from '../src/tree/inode.ts';
import { Tree } from '../src/tree/tree.ts';
import { random } from '../test/support/random.ts';

/** As many files and bytes as a Debian guest has: most are small, a few hundred libraries and programs hold the bytes. */
export const FILES = 9000;
export const BYTES = 185e6;

/** A tree with the shape of a Debian guest whose contents are stored back to back in `spool`. */
export function debianLike(spool: string): Tree {
  const { next, below } = random(7);
  const sizes = Array.from({ length: FILES }, () => Math.floor(600 * Math.exp(next() * 3.2 - 0.6)));
  for (let i = 0; i < FILES; i += 12) sizes[i] = Math.floor(40_000 * Math.exp(next() * 3.4));
  const scale = BYTES / sizes.reduce((sum, size) => sum + size, 0);
  const bytes = Buffer.alloc(Math.ceil(sizes.reduce((sum, size) => sum + Math.ceil(size * scale), 0)));
  for (let at = 0; at + 4 <= bytes.length; at += 4) bytes.writeUInt32LE(Math.floor(next() * 2 ** 32), at);
  writeFileSync(spool, bytes);
  const tree = new Tree();
  const folders = ['usr/bin', 'usr/lib', 'usr/share', 'etc', 'var/lib/dpkg/info'].map((path) =>
    tree.makeDirectory(path),
  );
  for (let i = 0; i < 900; i++) {
    const made = directory(rootMeta(0o755, 1_700_000_000));
    folders[below(folders.length)]!.children.set(`folder${i}`, made);
    folders.push(made);
  }
  let offset = 0;
  for (let i = 0; i < FILES; i++) {
    const size = Math.ceil(sizes[i]! * scale);
    folders[below(folders.length)]!.children.set(
      `file-number-${i}`,
      file(fileSlice(spool, offset, size), rootMeta(0o644, 1_700_000_000 + i)),
    );
    offset += size;
    if (i % 9 === 0) folders[below(folders.length)]!.children.set(`link${i}`, symlink(`file-number-${i}`));
  }
  return tree;
}

/** How a guest is larger than the one in the spool: so many copies of its files, each so many times as long. */
export interface Growth {
  readonly copies: number;
  readonly longer: number;
}

/** The same tree over an existing spool. */
export function spooled(spool: string, { copies, longer }: Growth = { copies: 1, longer: 1 }): Tree {
  const tree = new Tree();
  const { size } = hostFile(spool);
  for (let copy = 0; copy < copies; copy++)
    addGuest(tree, spool, size, longer, copies === 1 ? 'usr' : `usr/copy${copy}`);
  return tree;
}

function addGuest(tree: Tree, spool: string, size: number, longer: number, top: string): void {
  const names = Array.from({ length: FILES }, (_, i) => i);
  const { next } = random(7);
  const weights = names.map((i) =>
    i % 12 === 0 ? 40_000 * Math.exp(next() * 3.4) : 600 * Math.exp(next() * 3.2 - 0.6),
  );
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const folders = Array.from({ length: 900 }, (_, i) => tree.makeDirectory(`${top}/folder${i % 30}/folder${i}`));
  let offset = 0;
  for (const i of names) {
    const length = Math.floor((weights[i]! / total) * size * longer);
    // longer files share bytes of the spool
    if (offset + length > size) offset = 0;
    // a package's files are stored together, folder by folder
    const folder = folders[Math.floor((i * folders.length) / FILES)]!;
    folder.children.set(`file-number-${i}`, file(fileSlice(spool, offset, length), rootMeta(0o644)));
    offset += length;
  }
}
