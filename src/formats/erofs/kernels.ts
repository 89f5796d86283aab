import type { INCOMPAT } from './layout.ts';
import type { ALGORITHMS } from './volume.ts';

/** A version of Linux, as its first two numbers. */
export type Linux = readonly [major: number, minor: number];

/** The first Linux that reads an EROFS image at all without staging drivers. */
const FIRST: Linux = [5, 4];

/** The first Linux that reads a feature, as the history of its fs/erofs has it. */
export const SINCE = {
  zero_padding: [5, 4],
  compr_cfgs: [5, 13],
  chunked_file: [5, 15],
  device_table: [5, 16],
  ztailpacking: [5, 17],
  fragments: [6, 1],
  xattr_prefixes: [6, 4],
  '48bit': [6, 15],
  metabox: [6, 17],
} as const satisfies Record<keyof typeof INCOMPAT, Linux>;

/** The same of algorithms; a kernel may also be configured without them, as Kata's is for all but lz4. */
const ALGORITHM_SINCE: Readonly<Record<(typeof ALGORITHMS)[number], Linux>> = {
  lz4: [5, 4],
  lzma: [5, 16],
  deflate: [6, 6],
  zstd: [6, 10],
};
/** Blocks smaller than a page. */
const SMALL_BLOCKS_SINCE: Linux = [6, 4];

/** True when a version comes before another one. */
export const isBefore = ([a, b]: Linux, [major, minor]: Linux): boolean => a < major || (a === major && b < minor);

/** Reads `5.15`, or undefined. */
export function parseLinux(text: string): Linux | undefined {
  const match = /^(\d{1,3})\.(\d{1,4})$/.exec(text.trim());
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}

export const linuxText = ([major, minor]: Linux): string => `${major}.${minor}`;

/** The oldest Linux that reads an image with these features. */
export function oldestLinux(image: {
  readonly features: Iterable<string>;
  readonly algorithms: readonly string[];
  readonly blockSize: number;
}): Linux {
  const needed: Linux[] = [FIRST];
  for (const name of image.features) if (Object.hasOwn(SINCE, name)) needed.push(SINCE[name as keyof typeof SINCE]);
  for (const name of image.algorithms)
    if (Object.hasOwn(ALGORITHM_SINCE, name)) needed.push(ALGORITHM_SINCE[name as (typeof ALGORITHMS)[number]]);
  if (image.blockSize < 4096) needed.push(SMALL_BLOCKS_SINCE);
  return needed.reduce((newest, one) => (isBefore(newest, one) ? one : newest));
}
