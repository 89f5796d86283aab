import { completeDigests } from '../artefacts/digests.ts';
import { entriesOf } from '../artefacts/entries.ts';
import { openRootfs } from '../artefacts/open.ts';
import { BuildError } from '../errors/error.ts';
import type { Host } from '../fetch/host.ts';
import { checkComponents } from '../rootfs/components.ts';
import { additionsOf } from '../tree/additions.ts';
import type { Inode } from '../tree/inode.ts';
import { overlayEntries, overlayStream } from '../tree/overlay.ts';
import { display } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';
import type { ExtensionRequest } from './request.ts';

/** Paths named in one message at most. */
const NAMED = 5;

/** How an extension differs from its base guest: numbers of paths. */
export interface Extended {
  readonly added: number;
  readonly changed: number;
}

/** Lays further folders, archives and images over the first source of an extension, in order. */
export async function layOver(tree: Tree, layers: readonly string[], host: Host): Promise<void> {
  for (const path of layers) {
    const artefact = await openRootfs(path, host);
    // entries of an archive as they are: among them may be whiteouts, and names that link to a file before it
    const options = { source: artefact.path, report: host.report };
    if (artefact.kind === 'tar') await overlayStream(tree, artefact.entries(), options);
    else overlayEntries(tree, entriesOf(await artefact.tree()), options);
  }
}

/**
 * The tree of an extension: all of `tree`, or what is new or changed in it against the base guest. Throws
 * `EXTENSION_DELETES`, `EXTENSION_EMPTY`, `EXTENSION_MANIFEST`.
 */
export async function extensionOf(
  tree: Tree,
  { name, base }: ExtensionRequest,
  host: Host,
): Promise<{ readonly tree: Tree; readonly extension: Extended | undefined }> {
  if (base === undefined) {
    await checkComponents(tree, name);
    return { tree, extension: undefined };
  }
  const against = await (await openRootfs(base, host)).tree();
  await completeDigests(tree, host.report);
  const { tree: own, added, changed, removed } = await additionsOf(tree, against);
  const missing = removed.filter((path) => !isOfWriters(path, against.lstat(path)!));
  if (missing.length > 0)
    throw new BuildError('EXTENSION_DELETES', {
      base,
      paths: missing.slice(0, NAMED).map((path) => `/${display(path)}`),
      count: missing.length,
    });
  if (added + changed === 0) throw new BuildError('EXTENSION_EMPTY', { base });
  await checkComponents(own, name);
  return { tree: own, extension: { added, changed } };
}

/**
 * True for what a guest has of the form it was written in (artefacts/variant.ts; lost+found is ext4's), and for the folder
 * that was made for it.
 */
function isOfWriters(path: string, inode: Inode): boolean {
  if (path === 'etc' && inode.kind === 'directory')
    return (
      inode.children.size > 0 && [...inode.children].every(([name, below]) => isOfWriters(`${path}/${name}`, below))
    );
  if (path === 'lost+found') return inode.kind === 'directory' && inode.children.size === 0;
  if (path === 'etc/machine-id') return inode.kind === 'file' && inode.content.size === 0;
  return path === 'init' && inode.kind === 'symlink';
}
