import { ALGORITHMS, type HashFormat, isBlockSize, KATA_FORMAT, SALT_LIMIT } from './layout.ts';

/** The numbers that a guest needs to check its root file system. */
export interface Measurement {
  /** Hex. */
  readonly rootHash: string;
  readonly dataBlocks: number;
  readonly format: HashFormat;
}

/** The line that Kata's runtimes take as `kernel_verity_params`, and keep in `root_hash_VARIANT.txt`. */
export function kataParameters({ rootHash, dataBlocks, format }: Measurement): string {
  const { salt, dataBlockSize, hashBlockSize } = format;
  const hex = Buffer.from(salt).toString('hex');
  return `root_hash=${rootHash},salt=${hex},data_blocks=${dataBlocks},data_block_size=${dataBlockSize},hash_block_size=${hashBlockSize}`;
}

/**
 * The kernel parameter that Kata's runtimes make of it, for partitions 1 and 2 of a device (`/dev/vda`, `/dev/pmem0p`):
 * Linux, Documentation/admin-guide/device-mapper/dm-init.rst.
 */
export function dmModCreate({ rootHash, dataBlocks, format }: Measurement, device: string): string {
  const { algorithm, salt, dataBlockSize, hashBlockSize } = format;
  const sectors = (dataBlocks * dataBlockSize) / 512;
  const hex = salt.length === 0 ? '-' : Buffer.from(salt).toString('hex');
  return `dm-mod.create="dm-verity,,,ro,0 ${sectors} verity 1 ${device}1 ${device}2 ${dataBlockSize} ${hashBlockSize} ${dataBlocks} 0 ${algorithm} ${rootHash} ${hex}"`;
}

/** What a user or a side file says about a hash tree: the root hash, and for Kata's layout all of it. */
export interface GivenRoot {
  readonly rootHash: string;
  readonly parameters?: Measurement;
}

const HEX = /^(?:[0-9a-f]{2})+$/i;

/**
 * Reads a root hash in hex, or a line as {@link kataParameters} gives it, with or without a line end. A reason when it is
 * neither.
 */
export function parseRoot(text: string): GivenRoot | { readonly reason: string } {
  const line = text.trim();
  if (HEX.test(line)) return sized(line.toLowerCase());
  const fields = new Map<string, string>();
  for (const part of line.split(',')) {
    const [, key, value] = /^([a-z_]+)=(.*)$/.exec(part.trim()) ?? [];
    if (key === undefined || value === undefined)
      return { reason: 'expected hexadecimal digits or root_hash=…,salt=…' };
    fields.set(key, value);
  }
  const rootHash = (fields.get('root_hash') ?? '').toLowerCase();
  const hash = HEX.test(rootHash) ? sized(rootHash) : { reason: 'its root_hash is not hexadecimal' };
  if ('reason' in hash) return hash;
  const salt = fields.get('salt') ?? '';
  if (!HEX.test(salt) || salt.length > 2 * SALT_LIMIT) return { reason: 'its salt is not hexadecimal' };
  const number = (key: string) => (/^\d{1,15}$/.test(fields.get(key) ?? '') ? Number(fields.get(key)) : 0);
  const [dataBlocks, dataBlockSize, hashBlockSize] = [
    number('data_blocks'),
    number('data_block_size'),
    number('hash_block_size'),
  ];
  if (dataBlocks === 0 || !Number.isSafeInteger(dataBlocks * dataBlockSize))
    return { reason: 'its data_blocks is no number' };
  if (!isBlockSize(dataBlockSize) || !isBlockSize(hashBlockSize))
    return { reason: 'its block sizes are no powers of two' };
  const format = { ...KATA_FORMAT, dataBlockSize, hashBlockSize, salt: Uint8Array.from(Buffer.from(salt, 'hex')) };
  if (rootHash.length !== 64) return { reason: `its root_hash has ${rootHash.length} digits, SHA-256 has 64` };
  return { rootHash, parameters: { rootHash, dataBlocks, format } };
}

function sized(rootHash: string): GivenRoot | { readonly reason: string } {
  const sizes: readonly number[] = Object.values(ALGORITHMS);
  if (sizes.includes(rootHash.length / 2)) return { rootHash };
  return { reason: `a root hash of ${rootHash.length} digits; SHA-256 has 64` };
}
