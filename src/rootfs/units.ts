import type { Directory } from '../tree/inode.ts';
import { sortedNames, type Tree } from '../tree/tree.ts';
import { type Guest, ours } from './guest.ts';

/** Folders with units of packages. */
export const UNITS = 'usr/lib/systemd/system';

const TMP_MOUNT = `[Unit]
Description=Temporary Directory /tmp
ConditionPathIsSymbolicLink=!/tmp
DefaultDependencies=no
Conflicts=umount.target
Before=local-fs.target umount.target
After=swap.target

[Mount]
What=tmpfs
Where=/tmp
Type=tmpfs
Options=mode=1777,strictatime,nosuid,nodev
`;

/** Gives /tmp a mount unit if the distribution has none: kata-containers.target requires it. */
export function provideTmpMount(tree: Tree, guest: Guest): void {
  if (tree.has(`${UNITS}/tmp.mount`) || tree.has('etc/systemd/system/tmp.mount')) return;
  // of a system that the tree is laid over, the unit may be there too: this one goes first
  const folder = guest.overlay === true ? 'etc/systemd/system' : UNITS;
  tree.writeFile(`${folder}/tmp.mount`, TMP_MOUNT, ours(guest, 0o644));
}

/** Makes the guest start Kata's target and D-Bus. */
export function enableKata(tree: Tree, guest: Guest): void {
  const link = (target: string, unit: string) => {
    tree.makeDirectory(`etc/systemd/system/${target}.wants`, ours(guest, 0o755));
    tree.symlink(`etc/systemd/system/${target}.wants/${unit}`, `/${UNITS}/${unit}`, ours(guest, 0o777));
  };
  link('basic.target', 'kata-containers.target');
  link('kata-containers.target', 'dbus.socket');
  tree.root.mode |= 0o051; // g+rx, o+x: services of other users must be able to reach their files
}

/** Units that only cost time in a guest with the lifetime of a pod; both .service and .socket are removed. */
const UNNEEDED_UNITS = [
  'systemd-coredump@',
  'systemd-journald',
  'systemd-journald-dev-log',
  'systemd-journal-flush',
  'systemd-random-seed',
  'systemd-timesyncd',
  'systemd-tmpfiles-setup',
  'systemd-udevd',
  'systemd-udevd-control',
  'systemd-udevd-kernel',
  'systemd-udev-trigger',
  'systemd-update-utmp',
];

const UNNEEDED_FILES = [
  'systemd-bless-boot-generator',
  'systemd-fstab-generator',
  'systemd-getty-generator',
  'systemd-gpt-auto-generator',
  'systemd-tmpfiles-cleanup.timer',
];

/** Removes units and generators that a Kata guest does not need, from every unit folder. */
export function dropUnneededUnits(tree: Tree): void {
  const names = new Set([
    ...UNNEEDED_FILES,
    ...UNNEEDED_UNITS.flatMap((unit) => [`${unit}.service`, `${unit}.socket`]),
  ]);
  const visit = (directory: Directory) => {
    for (const name of sortedNames(directory)) {
      const inode = directory.children.get(name)!;
      if (inode.kind === 'directory') visit(inode);
      else if (names.has(name)) directory.children.delete(name);
    }
  };
  visit(tree.root);
}

/** Additions for confidential guests: /run on a tmpfs of half the memory, remounted with options from fstab. */
export function prepareConfidential(tree: Tree, guest: Guest): void {
  const line = 'tmpfs /run tmpfs nodev,nosuid,size=50% 0 0\n';
  const fstab = tree.text('etc/fstab') ?? '';
  if (!fstab.split('\n').some((one) => /^\S+\s+\/run\s/.test(one)))
    tree.writeFile('etc/fstab', fstab + (fstab === '' || fstab.endsWith('\n') ? '' : '\n') + line, ours(guest, 0o644));
  const path = `${UNITS}/kata-containers.target`;
  const target = tree.text(path);
  if (target !== undefined && !/^Requires=.*systemd-remount-fs\.service/m.test(target))
    tree.writeFile(
      path,
      target.replace(/^\[Unit\]\n/m, '[Unit]\nRequires=systemd-remount-fs.service\n'),
      ours(guest, 0o644),
    );
}
