import { openArtefact } from '../../src/artefacts/open.ts';
import { collect, memory } from '../../src/bytes/content.ts';
import { cpioArchive } from '../../src/formats/cpio/emit.ts';
import { directory, file, rootMeta } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';
import { TEST_CACHE } from './host.ts';
import { QUIET } from './kernel-arguments.ts';
import { SUM_SCRIPT } from './sums.ts';

/** Flags for the guest that people build first: Debian 13 with the stand-in agent, from Debian's archive. */
export const BIG_FLAGS: readonly string[] = [
  ...['--distro', 'debian', '--os-version', 'trixie', '--arch', 'amd64', '--agent', 'demo'],
  ...['--cache-dir', TEST_CACHE],
];

/** The tree of an artefact, read back by our own readers. `folder` takes what must be unpacked for it. */
export async function treeOf(path: string, folder: string): Promise<Tree> {
  return (await openArtefact(path, { workspace: () => folder })).tree();
}

/** Kernel arguments that only save time. */
export const FAST = QUIET;

/**
 * An archive to put before an initrd: the kernel lays the initrd over it, and with `rdinit=/.check/run` starts the
 * script, which prints the sums of what the kernel then has. `conditions` are for its `find`. The kernel sets times of
 * folders last of all, and the root's from whichever archive names it first: so it gets the time that `guest` has.
 */
export async function checkArchive(busybox: Uint8Array, guest: Tree, conditions = ''): Promise<Uint8Array> {
  const tree = new Tree(directory({ ...rootMeta(guest.root.mode, guest.root.mtime) }));
  tree.makeDirectory('.check', rootMeta(0o755));
  tree.set('.check/busybox', file(memory(busybox), rootMeta(0o755)));
  tree.set('.check/sums', file(memory(SUM_SCRIPT), rootMeta(0o755)));
  const run = `#!/.check/busybox sh
/.check/busybox sh /.check/sums / ! -path './.check*' ${conditions}
echo CHECK-DONE
exec /.check/busybox sleep 1000000
`;
  tree.set('.check/run', file(memory(run), rootMeta(0o755)));
  return collect(cpioArchive(tree).open());
}
