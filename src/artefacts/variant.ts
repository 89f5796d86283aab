import { type Labels, setLabel } from '../system/label.ts';
import { type Directory, rootMeta } from '../tree/inode.ts';
import { Tree } from '../tree/tree.ts';

const SYSTEMD = 'lib/systemd/systemd';

/**
 * A tree that may be changed without changing the one it was made from: directories are copied, everything below them
 * is shared. This way one rootfs produces an initrd and an image that differ in a few entries.
 */
export function variant(tree: Tree): Tree {
  return new Tree(copy(tree.root));
}

function copy(from: Directory): Directory {
  const children: Directory['children'] = new Map();
  for (const [name, inode] of from.children) children.set(name, inode.kind === 'directory' ? copy(inode) : inode);
  return { ...from, children };
}

/** The rootfs for an initrd: with the /init that the kernel starts. */
export function initrdTree(tree: Tree, options: { readonly init: 'agent' | 'systemd'; readonly epoch: number }): Tree {
  const guest = variant(tree);
  if (guest.lstat('init') !== undefined) return guest;
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
  const guest = variant(tree);
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
