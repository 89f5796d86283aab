import type { RandomAccess } from '../bytes/file.ts';
import { BuildError } from '../errors/error.ts';
import { display } from '../tree/path.ts';
import type { FileSystem } from './filesystem.ts';

/** A run of bytes of a file system. */
interface Range {
  readonly offset: number;
  readonly size: number;
}

/**
 * What is stored in each of these ranges of a file system: files by their paths, metadata by its name. Found by reading
 * the file system through a window that notes what is read for which file, so it works for every reader, also for
 * compressed files and damaged ones. Reads the contents of all files up to the last one that is wanted.
 */
export async function ownersOf(
  system: FileSystem,
  volume: RandomAccess,
  name: string,
  ranges: readonly Range[],
): Promise<string[]> {
  const found: (string | undefined)[] = ranges.map(() => undefined);
  let owner = '';
  const note = (offset: number, size: number) => {
    for (const [i, range] of ranges.entries())
      if (found[i] === undefined && offset < range.offset + range.size && range.offset < offset + size)
        found[i] = owner;
  };
  const watched: RandomAccess = {
    size: volume.size,
    open: () => volume.open(),
    readAt(offset, into) {
      note(offset, into.length);
      volume.readAt(offset, into);
    },
  };
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      // damage is what brought us here
      if (!(error instanceof BuildError)) throw error;
    }
  };
  const parts: { what: string; offset: number; size: number }[] = [];
  await attempt(async () => {
    for (const one of await system.structures(volume, { name, offset: 0 }, false)) parts.push(...(one.parts ?? []));
  });
  for (const part of parts) {
    owner = part.what;
    note(part.offset, part.size);
  }
  owner = 'directories and inodes';
  await attempt(async () => {
    const tree = await system.tree(watched, name);
    for (const { path, inode } of tree.walk()) {
      if (found.every((one) => one !== undefined)) return;
      if (inode.kind !== 'file') continue;
      owner = `/${display(path)}`;
      await attempt(async () => {
        for await (const _ of inode.content.open());
      });
    }
  });
  return found.map((one) => one ?? 'space that no file uses');
}
