import type { Inode, Kind } from '../tree/inode.ts';

/** The attribute that holds a label of SELinux. */
const ATTRIBUTE = 'security.selinux';

/** Which label a path has, as bytes of the attribute; undefined: none. The path has no `/` at its start. */
export type Labels = (path: string, kind: Kind) => Uint8Array | undefined;

/** Sets the label of an inode, or removes it. */
export function setLabel(inode: Inode, label: Uint8Array | undefined): void {
  const xattrs = new Map(inode.xattrs);
  if (label === undefined) xattrs.delete(ATTRIBUTE);
  else xattrs.set(ATTRIBUTE, label);
  if (xattrs.size > 0) inode.xattrs = xattrs;
  else delete inode.xattrs;
}
