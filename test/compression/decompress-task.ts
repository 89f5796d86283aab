import { collect } from '../../src/bytes/content.ts';
import { sha256 } from '../../src/bytes/digest.ts';
import { decompressAny } from '../../src/compression/decompress.ts';
import { pieces } from './samples.ts';

/** Decompresses in a worker thread, as packages are. */
export async function task(packed: Uint8Array): Promise<string> {
  return sha256(await collect(decompressAny(pieces(packed, 5000), 'x')));
}
