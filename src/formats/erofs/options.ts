import { BuildError } from '../../errors/error.ts';
import type { Report } from '../../events/events.ts';
import { isBefore, type Linux, linuxText, SINCE } from './kernels.ts';
import { BLOCK } from './layout.ts';

/** Compressors that can be written. */
export const COMPRESSORS = ['none', 'lz4', 'lz4hc'] as const;

/** How a tree is stored as EROFS. */
export interface ErofsOptions {
  /** Sixteen bytes; derived from the content by default. */
  readonly uuid?: Uint8Array;
  /** At most 16 bytes of UTF-8. */
  readonly label?: string;
  /** `none` by default. Compressed files cannot be mapped with DAX. */
  readonly compression?: (typeof COMPRESSORS)[number];
  /** 1 to 12, for lz4hc: how far is searched. 9 by default, as mkfs.erofs has it. */
  readonly level?: number;
  /** The largest physical cluster, in bytes: a multiple of 4096, to 1 MiB. 4096 by default. */
  readonly clusterSize?: number;
  /** Store the ends of files behind their inodes: smaller, but such files cannot be mapped with DAX. */
  readonly inlineData?: boolean;
  /** Store the last extents of compressed files behind their inodes, where they fit: smaller, and for Linux 5.17. */
  readonly tailPacking?: boolean;
  /** The oldest Linux that must read it: 5.15 by default. */
  readonly kernel?: Linux;
  /** Called with a warning about each property of the tree that EROFS does not keep; without it such a tree is rejected. */
  readonly report?: Report | undefined;
}

/** Options with defaults filled in. */
export interface Settings extends ErofsOptions {
  readonly compression: (typeof COMPRESSORS)[number];
  readonly level: number;
  readonly clusterSize: number;
  readonly inlineData: boolean;
  readonly tailPacking: boolean;
  readonly kernel: Linux;
}

/** What is written without other wishes is read by this one. */
const KERNEL: Linux = [5, 15];

/** Fills in defaults. Throws `EROFS_OPTION` for values that are invalid, `EROFS_KERNEL` for what the kernel does not read. */
export function settingsOf(options: ErofsOptions): Settings {
  const check = (option: string, value: string | number, valid: boolean, expected: string) => {
    if (!valid) throw new BuildError('EROFS_OPTION', { option, value: String(value), expected });
  };
  const { compression = 'none', level = 9, clusterSize = BLOCK, inlineData = false, kernel = KERNEL } = options;
  const tailPacking = compression !== 'none' && options.tailPacking === true;
  check('compression', compression, COMPRESSORS.includes(compression), COMPRESSORS.join(', '));
  check('level', level, Number.isInteger(level) && level >= 1 && level <= 12, '1 to 12');
  const clusters = Number.isInteger(clusterSize / BLOCK) && clusterSize >= BLOCK && clusterSize <= 1 << 20;
  check('clusterSize', clusterSize, clusters, `a multiple of ${BLOCK}, at most 1048576`);
  check('uuid', options.uuid?.length ?? 16, (options.uuid?.length ?? 16) === 16, 'sixteen bytes');
  const label = options.label ?? '';
  check('label', label, Buffer.byteLength(label) <= 16, 'at most 16 bytes of UTF-8');
  const since = (what: string, first: Linux) => {
    if (isBefore(kernel, first))
      throw new BuildError('EROFS_KERNEL', { what, since: linuxText(first), kernel: linuxText(kernel) });
  };
  since('file systems of this kind', SINCE.zero_padding);
  if (compression !== 'none' && clusterSize > BLOCK) since(`clusters of ${clusterSize} bytes`, SINCE.compr_cfgs);
  if (tailPacking) since('ends of compressed files behind inodes', SINCE.ztailpacking);
  // without compression there are no clusters
  const clusterBytes = compression === 'none' ? BLOCK : clusterSize;
  return { ...options, compression, level, clusterSize: clusterBytes, inlineData, tailPacking, kernel };
}
