import { statSync } from 'node:fs';
import type { RandomAccess } from '../bytes/file.ts';
import { reasonOf } from '../bytes/pour.ts';
import type { Format } from '../compression/format.ts';
import { BuildError } from '../errors/error.ts';
import { readDirectory } from '../tree/directory-read.ts';
import type { Entry } from '../tree/entry.ts';
import type { Tree } from '../tree/tree.ts';

/** What kind of thing a file or folder is. */
export type ArtefactKind = 'directory' | 'tar' | 'initrd' | 'disk' | 'ext4' | 'file';

/** A thing that holds a tree, recognised but not yet read. */
export interface Artefact {
  readonly path: string;
  readonly kind: ArtefactKind;
  readonly compression: Format;
  /** Bytes of the file; 0 for a folder. */
  readonly size: number;
  /** The bytes, decompressed into the workspace where they were compressed; for disks and file systems. */
  access(): Promise<RandomAccess>;
  /** The entries in archive order, for archives and folders. */
  entries(): AsyncIterable<Entry>;
  /** The whole tree. */
  tree(): Promise<Tree>;
}

/** Recognises what lies at `path` by its content, whatever its name. `workspace` is asked for where spools are needed. */
export async function openArtefact(path: string, workspace: () => string): Promise<Artefact> {
  let size: number;
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) return directoryArtefact(path);
    size = stat.size;
  } catch (error) {
    throw new BuildError('READ_FAILED', { path, reason: reasonOf(error) });
  }
  // a folder needs none of the readers of archives and disks
  return (await import('./open-file.ts')).openFile(path, size, workspace);
}

function directoryArtefact(path: string): Artefact {
  const tree = async () => readDirectory(path);
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
  };
}

/** A tree as entries: each inode under its first path, its further names as links to that. */
export function* entriesOf(tree: Tree): Generator<Entry> {
  const first = new Map<unknown, string>();
  for (const { path, inode } of tree.walk()) {
    if (path === '') continue;
    const known = inode.kind === 'directory' ? undefined : first.get(inode);
    if (known !== undefined) {
      yield { path, link: known };
      continue;
    }
    if (inode.kind !== 'directory') first.set(inode, path);
    yield { path, inode };
  }
}
