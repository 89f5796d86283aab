import type { Bytes } from '../bytes/content.ts';
import { digestOf } from '../bytes/digest.ts';
import { readDirectory } from '../tree/directory-read.ts';
import type { Inode } from '../tree/inode.ts';
import type { Tree } from '../tree/tree.ts';
import { entriesOf } from './entries.ts';
import { type Artefact, counted, type ImageKind } from './kind.ts';
import type { OpenOptions } from './probe.ts';

/** Folders of the build host. What the host cannot store goes into a manifest beside the folder. */
export const directory: ImageKind<object> = {
  name: 'directory',
  features: { xattrs: true, sockets: false, nanoseconds: true },
  limits: { fileSize: Infinity, path: Infinity, target: 4095, time: [-Infinity, Infinity] },
  async validate() {},
  async write(tree) {
    const { tarArchive } = await import('../formats/tar/emit.ts');
    // a folder is identified by the digest of the archive of the same tree
    const archive = tarArchive(tree);
    const open = (): Bytes => archive.open();
    const contents = contentSize(tree);
    return {
      size: archive.size,
      work: archive.size + contents,
      open,
      async prepare(path, how = {}) {
        const { prepareDirectory } = await import('../tree/directory-write.ts');
        const { progress = () => {}, ...others } = how;
        const sha256 = await digestOf({ size: archive.size, open: () => counted(open(), progress) });
        const written = await prepareDirectory(tree, path, {
          ...others,
          progress: (bytes) => progress(archive.size + bytes),
        });
        return { ...written, value: { path: written.value.path, size: archive.size, sha256 } };
      },
    };
  },
};

/** Bytes of all files of a tree, hard links counted once. */
function contentSize(tree: Tree): number {
  const seen = new Set<Inode>();
  let bytes = 0;
  for (const { inode } of tree.walk()) {
    if (inode.kind !== 'file' || seen.has(inode)) continue;
    seen.add(inode);
    bytes += inode.content.size;
  }
  return bytes;
}

/** Opens a folder of the build host. */
export function openDirectory(path: string, options: OpenOptions): Artefact {
  const tree = async (): Promise<Tree> => {
    const stored = readDirectory(path);
    if (!stored.has('oci-layout') && !stored.has('manifest.json')) return stored;
    return (await (await import('./containers.ts')).containerRootfs(stored, path, options)) ?? stored;
  };
  return {
    path,
    kind: 'directory',
    compression: 'none',
    size: 0,
    access: () => Promise.reject(new TypeError(`${path} is a folder`)),
    tree,
    stored: async () => readDirectory(path),
    async *entries() {
      yield* entriesOf(await tree());
    },
    structures: async () => [],
  };
}
