import type { Bytes } from '../bytes/content.ts';
import { compress, type WritableFormat } from '../compression/compress.ts';
import { type CpioArchive, cpioArchive } from '../formats/cpio/emit.ts';
import type { Tree } from '../tree/tree.ts';
import { initrdTree } from './variant.ts';

/** How an initrd is made. */
export interface InitrdOptions {
  readonly compress: WritableFormat;
  /** The format's own level; a suitable one by default. */
  readonly level?: number;
  /** What /init points to: the agent as init, or systemd. */
  readonly init: 'agent' | 'systemd';
  /** Unix seconds: the time of /init, if it is created here. */
  readonly epoch: number;
}

/** The rootfs as an uncompressed newc archive. */
export function initrdArchive(tree: Tree, options: Pick<InitrdOptions, 'init' | 'epoch'>): CpioArchive {
  return cpioArchive(initrdTree(tree, options));
}

/**
 * The rootfs as a compressed newc archive, as the kernel unpacks it.
 *
 * @example
 * ```ts
 * import { createHost, initrd, openArtefact, pour } from 'osbuilder';
 *
 * const host = createHost({ cacheDirectory: 'cache' });
 * const tree = await (await openArtefact('rootfs.tar', host)).tree();
 * await pour(initrd(tree, { compress: 'gzip', init: 'agent', epoch: 0 }), 'guest.img');
 * const guest = await openArtefact('guest.img', host);
 * console.log(guest.kind, guest.compression); // prints: initrd gzip
 * await host.close();
 * ```
 */
export function initrd(tree: Tree, options: InitrdOptions): Bytes {
  const archive = initrdArchive(tree, options);
  const level = options.level === undefined ? {} : { level: options.level };
  return compress(archive.open(), options.compress, { ...level, cuts: archive.entries });
}
