import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import type { AptPackage } from '../../src/families/apt/package.ts';
import { unpackAll } from '../../src/families/apt/unpack.ts';
import type { Host } from '../../src/fetch/host.ts';
import type { Entry } from '../../src/tree/entry.ts';

/** The entries of a .deb on this machine, unpacked into the cache of `host` by our own means. */
export async function readUnpackedDeb(path: string, host: Host): Promise<readonly Entry[]> {
  const [name, version] = basename(path, '.deb').split('_');
  const self = {
    name: name!,
    version: decodeURIComponent(version!),
    size: statSync(path).size,
    sha256: createHash('sha256').update(readFileSync(path)).digest('hex'),
    sha512: '',
  };
  const [unpacked] = await unpackAll([{ package: self as AptPackage, archive: path }], host.cache, host.report);
  return unpacked!.entries;
}
