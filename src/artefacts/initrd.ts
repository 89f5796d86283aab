import type { Bytes, Content } from '../bytes/content.ts';
import { compress, type WritableFormat } from '../compression/compress.ts';
import { cpioArchive } from '../formats/cpio/emit.ts';
import type { Tree } from '../tree/tree.ts';
import { initrdTree } from './variant.ts';

/** How an initrd is made. */
export interface InitrdOptions {
  readonly compress: WritableFormat;
  /** The format's own level; a good one by default. */
  readonly level?: number;
  /** What /init leads to: the agent in init's place, or systemd. */
  readonly init: 'agent' | 'systemd';
  /** Unix seconds: the time of /init, where it is made here. */
  readonly epoch: number;
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
