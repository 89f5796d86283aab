import { copyOf } from '../../bytes/content.ts';
import { at, raw, struct, text, u16, u32, u64 } from '../../bytes/struct.ts';
import { formatUuid } from '../disk/uuid.ts';

/**
 * The superblock in front of a hash tree, as cryptsetup writes it (lib/verity/verity.c, struct verity_sb). Kata's layout
 * has none: there the same numbers are on the kernel's command line.
 */
export const Superblock = struct('dm-verity superblock', 512, {
  signature: text(8),
  version: u32, // of this structure
  hashType: u32, // 1: salt before the block; 0: the first version of ChromeOS
  uuid: raw(16),
  algorithm: at(32, text(32)),
  dataBlockSize: u32,
  hashBlockSize: u32,
  dataBlocks: at(72, u64),
  saltSize: u16,
  padding: raw(6),
  salt: at(88, raw(256)),
  rest: raw(168),
});

export const SIGNATURE = 'verity';

/** Digests that this program computes; the kernel takes every hash of its crypto API. */
export const ALGORITHMS = { sha1: 20, sha224: 28, sha256: 32, sha384: 48, sha512: 64 } as const;

/** Bytes that a salt may have. */
export const SALT_LIMIT = 256;

/** What decides on the bytes of a hash tree, besides the data. */
export interface HashFormat {
  readonly algorithm: keyof typeof ALGORITHMS;
  /** Bytes: a power of two from 512. */
  readonly dataBlockSize: number;
  readonly hashBlockSize: number;
  readonly salt: Uint8Array;
  /** 1: salt before the block. 0, salt behind it, is for reading old trees. */
  readonly hashType: 0 | 1;
}

/**
 * The format that Kata and systemd use, and veritysetup by default; a salt makes it complete.
 *
 * @example
 * ```ts
 * import { type HashFormat, KATA_FORMAT } from 'osbuilder';
 *
 * const format: HashFormat = { ...KATA_FORMAT, salt: new Uint8Array(32) };
 * console.log(format.algorithm, format.hashBlockSize); // prints: sha256 4096
 * ```
 */
export const KATA_FORMAT = { algorithm: 'sha256', dataBlockSize: 4096, hashBlockSize: 4096, hashType: 1 } as const;

/** The 512 bytes of a superblock. `uuid` has sixteen bytes. */
export function superblock(format: HashFormat, dataBlocks: number, uuid: Uint8Array): Uint8Array {
  return Superblock.bytes({
    signature: SIGNATURE,
    version: 1,
    hashType: format.hashType,
    uuid,
    algorithm: format.algorithm,
    dataBlockSize: format.dataBlockSize,
    hashBlockSize: format.hashBlockSize,
    dataBlocks,
    saltSize: format.salt.length,
    salt: format.salt,
  });
}

/** A superblock that was read, or the reason why it cannot be used. */
export type FoundSuperblock =
  | { readonly format: HashFormat; readonly dataBlocks: number; readonly uuid: string }
  | { readonly reason: string };

/** Reads a superblock; undefined when there is none. */
export function readSuperblock(bytes: Uint8Array): FoundSuperblock | undefined {
  if (bytes.length < Superblock.size) return undefined;
  const sb = Superblock.read(bytes);
  if (sb.signature !== SIGNATURE || bytes[6] !== 0 || bytes[7] !== 0) return undefined;
  const { algorithm, dataBlockSize, hashBlockSize, dataBlocks, saltSize, hashType } = sb;
  if (sb.version !== 1) return { reason: `its version is ${sb.version}, expected 1` };
  if (hashType !== 0 && hashType !== 1) return { reason: `the hash type is ${hashType}, expected 0 or 1` };
  if (!Object.hasOwn(ALGORITHMS, algorithm)) return { reason: `the digest "${algorithm}" is not known here` };
  for (const [what, size] of [
    ['data', dataBlockSize],
    ['hash', hashBlockSize],
  ] as const)
    if (!isBlockSize(size))
      return { reason: `a ${what} block of ${size} bytes; it is a power of two from 512 to 524288` };
  if (saltSize > SALT_LIMIT) return { reason: `a salt of ${saltSize} bytes, at most ${SALT_LIMIT} are possible` };
  if (dataBlocks < 1 || dataBlocks * dataBlockSize > Number.MAX_SAFE_INTEGER)
    return { reason: `${dataBlocks} blocks of data` };
  const known = algorithm as HashFormat['algorithm'];
  const salt = copyOf(sb.salt.subarray(0, saltSize));
  return {
    format: { algorithm: known, dataBlockSize, hashBlockSize, salt, hashType },
    dataBlocks,
    uuid: formatUuid(sb.uuid),
  };
}

/** True for a size that dm-verity takes: a power of two from 512 bytes to 512 KiB. */
export function isBlockSize(size: number): boolean {
  return Number.isInteger(size) && size >= 512 && size <= 524288 && Number.isInteger(Math.log2(size));
}
