import { type Labels, setLabel } from '../system/label.ts';
import { type Directory, rootMeta } from '../tree/inode.ts';
import { dirname } from '../tree/path.ts';
import { Tree } from '../tree/tree.ts';

const SYSTEMD = 'lib/systemd/systemd';

/**
 * A tree in which `path` may be changed without changing the one it was made from: the root and the directories on the way are
 * copied, everything else is shared. This way one rootfs produces an initrd and an image that differ in a few entries.
 */
function variant(tree: Tree, path: string): Tree {
  const folder = tree.realpath(dirname(path));
  // on the way of a link that leads nowhere anything may be made
  if (folder === undefined) return new Tree(deepCopy(tree.root));
  const guest = new Tree(copy(tree.root));
  let here = guest.root;
  for (const name of folder.split('/')) {
    const inode = here.children.get(name);
    if (inode?.kind !== 'directory') break;
    const copied = copy(inode);
    here.children.set(name, copied);
    here = copied;
  }
  return guest;
}

/** A directory with the same children. */
function copy(from: Directory): Directory {
  return { ...from, children: new Map(from.children) };
}

/** {@link copy} with copies of all directories below. */
function deepCopy(from: Directory): Directory {
  const copied = copy(from);
  for (const [name, inode] of copied.children)
    if (inode.kind === 'directory') copied.children.set(name, deepCopy(inode));
  return copied;
}

/** The rootfs for an initrd: with the /init that the kernel starts. */
export function initrdTree(tree: Tree, options: { readonly init: 'agent' | 'systemd'; readonly epoch: number }): Tree {
  if (tree.lstat('init') !== undefined) return tree;
  const guest = variant(tree, 'init');
  // a plain rootfs may have an init other than Kata's two, such as OpenRC
  const systemd = options.init === 'systemd' && guest.stat(SYSTEMD) !== undefined;
  guest.symlink('init', systemd ? `/${SYSTEMD}` : '/sbin/init', rootMeta(0o777, options.epoch));
  return guest;
}

/**
 * The rootfs for an image: with an empty machine id, so that systemd does not prompt or run first-boot units. What is
 * added has a label when the guest has labels; so has lost+found, which the writer of ext4 would add without.
 */
export function imageTree(
  tree: Tree,
  {
    epoch,
    labels,
    lostFound = false,
  }: { readonly epoch: number; readonly labels?: Labels; readonly lostFound?: boolean },
): Tree {
  const guest = variant(tree, 'etc/machine-id');
  const id = guest.lstat('etc/machine-id');
  if (id?.kind !== 'file' || id.content.size !== 0) {
    guest.remove('etc/machine-id');
    const made = guest.writeFile('etc/machine-id', '', rootMeta(0o644, epoch));
    if (labels !== undefined) setLabel(made, labels('etc/machine-id', 'file'));
  }
  if (labels !== undefined && lostFound && guest.lstat('lost+found') === undefined)
    setLabel(guest.makeDirectory('lost+found', rootMeta(0o700, epoch)), labels('lost+found', 'directory'));
  return guest;
}
