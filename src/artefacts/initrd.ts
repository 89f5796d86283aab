import type { Bytes, Content } from '../bytes/content.ts';
import { compress } from '../compression/compress.ts';
import { cpioArchive } from '../formats/cpio/emit.ts';
import { rootMeta } from '../tree/inode.ts';
import { display } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';
import { variant } from './variant.ts';

/** How an initrd is compressed. */
export interface InitrdOptions {
  readonly compress: 'gzip' | 'none' | 'zstd' | 'lz4';
  readonly level?: number;
  /** What /init leads to: the agent in init's place, or systemd. */
  readonly init: 'agent' | 'systemd';
  readonly epoch: number;
}

const SYSTEMD = 'lib/systemd/systemd';

/** The rootfs as an initrd has it: with the /init that the kernel starts. */
export function initrdTree(tree: Tree, options: Pick<InitrdOptions, 'init' | 'epoch'>): Tree {
  const guest = variant(tree);
  if (guest.lstat('init') !== undefined) return guest;
  // a plain rootfs may have another init than either of Kata's, such as OpenRC's
  const systemd = options.init === 'systemd' && guest.stat(SYSTEMD) !== undefined;
  guest.symlink('init', systemd ? `/${SYSTEMD}` : '/sbin/init', rootMeta(0o777, options.epoch));
  return guest;
}

/** Extended attributes that an initrd leaves behind, as `path (names)`: the format has no place for any. */
export function lostAttributes(tree: Tree): string[] {
  const lost: string[] = [];
  for (const { path, inode } of tree.walk())
    if (inode.xattrs !== undefined && inode.xattrs.size > 0)
      lost.push(`/${display(path)} (${[...inode.xattrs.keys()].sort().join(', ')})`);
  return lost;
}

/** The rootfs as a newc archive, not compressed. */
export function initrdArchive(tree: Tree, options: Pick<InitrdOptions, 'init' | 'epoch'>): Content {
  return cpioArchive(initrdTree(tree, options));
}

/** The rootfs as a compressed newc archive, as the kernel unpacks it. */
export function initrd(tree: Tree, options: InitrdOptions): Bytes {
  const archive = initrdArchive(tree, options);
  return compress(archive.open(), options.compress, options.level === undefined ? {} : { level: options.level });
}
