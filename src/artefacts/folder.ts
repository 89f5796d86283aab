import type { Bytes } from '../bytes/content.ts';
import { digestOf } from '../bytes/digest.ts';
import { readDirectory } from '../tree/directory-read.ts';
import type { Tree } from '../tree/tree.ts';
import { entriesOf } from './entries.ts';
import type { Artefact, ImageKind } from './kind.ts';

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
    return {
      size: archive.size,
      open,
      async prepare(path, how = {}) {
        const { prepareDirectory } = await import('../tree/directory-write.ts');
        const sha256 = await digestOf(archive);
        const written = await prepareDirectory(tree, path, how);
        return { ...written, value: { path: written.value.path, size: archive.size, sha256 } };
      },
    };
  },
};

/** Opens a folder of the build host. */
export function openDirectory(path: string): Artefact {
  const tree = async (): Promise<Tree> => readDirectory(path);
  return {
    path,
    kind: 'directory',
    compression: 'none',
    size: 0,
    access: () => Promise.reject(new TypeError(`${path} is a folder`)),
    tree,
    async *entries() {
      yield* entriesOf(await tree());
    },
    structures: async () => [],
  };
}
