import { digestOf } from '../bytes/digest.ts';
import { type Poured, type Prepared, preparePour, STDOUT } from '../bytes/pour.ts';
import { compress } from '../compression/compress.ts';
import { BuildError } from '../errors/error.ts';
import { tarArchive } from '../formats/tar/emit.ts';
import { prepareDirectory } from '../tree/directory-write.ts';
import type { Tree } from '../tree/tree.ts';

const TAR = /\.(?:tar(?:\.(gz|zst|lz4|xz|bz2))?|t(gz|zst))$/;
const BY_SUFFIX: Readonly<Record<string, 'gzip' | 'zstd' | 'lz4'>> = { gz: 'gzip', zst: 'zstd', lz4: 'lz4' };

/** Writes a tree as its path's name asks: a folder (`DIR/`, or no known suffix) or a tar with its compression. */
export async function writeRootfs(tree: Tree, path: string, progress: (bytes: number) => void): Promise<Poured> {
  const prepared = await prepareRootfs(tree, path, progress);
  prepared.commit();
  return prepared.value;
}

/** {@link writeRootfs} up to the moment before it gets its name. */
export async function prepareRootfs(
  tree: Tree,
  path: string,
  progress: (bytes: number) => void,
): Promise<Prepared<Poured>> {
  const match = TAR.exec(path === STDOUT ? '-.tar' : path);
  if (match === null) {
    // a folder has no bytes of its own to digest: its identity is that of the archive the same tree gives
    const archive = tarArchive(tree);
    const sha256 = await digestOf(archive);
    const written = await prepareDirectory(tree, path);
    return { ...written, value: { path: written.value.path, size: archive.size, sha256 } };
  }
  const suffix = match[1] ?? match[2];
  const archive = tarArchive(tree);
  if (suffix === undefined) return preparePour(archive.open(), path, { progress, size: archive.size });
  const format = BY_SUFFIX[suffix];
  if (format === undefined)
    throw new BuildError('NOT_SUPPORTED', {
      what: path,
      reason: `.${suffix} is not written; there are .tar, .tar.gz, .tar.zst and .tar.lz4`,
    });
  return preparePour(compress(archive.open(), format), path, { progress });
}
