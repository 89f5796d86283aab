import { type FileContent, memory } from '../bytes/content.ts';
import { type CpioArchive, cpioArchive } from '../formats/cpio/emit.ts';
import { device, rootMeta } from '../tree/inode.ts';
import { Tree } from '../tree/tree.ts';
import type { LoadedModule } from './modules.ts';

/** The initrd that runs before a guest: it loads drivers, and mounts the guest's disk or hands over to its own /init. */

/** Folder of all that is ours, so that it can lie over the initrd of a guest. */
const HOME = '.osbuilder-boot';

/** Path of our init in front of another initrd. */
export const FIRST_INIT = `/${HOME}/init`;

const LOAD = `#!/${HOME}/busybox sh
B=/${HOME}/busybox
fail() { echo "osbuilder-boot: failed: $*"; $B dmesg | $B tail -n 8; $B poweroff -f; }
$B mkdir -p /dev /proc /sys
$B mount -t devtmpfs dev /dev; exec </dev/console >/dev/console 2>&1
$B mount -t proc proc /proc; $B mount -t sysfs sys /sys
while read -r m; do $B insmod /${HOME}/$m.ko || echo "osbuilder-boot: cannot load $m"; done < /${HOME}/order
`;

/** As the kernel itself does it: root=, rootfstype=, rootflags=, ro, rw, rootwait, init= (Documentation/admin-guide). */
const MOUNT = `${LOAD}
root= fstype= flags= mode=ro init=/sbin/init
for a in $($B cat /proc/cmdline); do case $a in
  ro|rw) mode=$a;; root=*) root=\${a#root=};; rootfstype=*) fstype=\${a#*=};; init=*) init=\${a#init=};;
  rootflags=*) flags=\${a#rootflags=};; esac; done
n=0; while [ ! -b "$root" ] && [ $n -lt 200 ]; do $B usleep 50000; n=$((n+1)); done
[ -b "$root" ] || { $B cat /proc/partitions; fail "no device $root"; }
$B mkdir -p /newroot
$B mount \${fstype:+-t $fstype} -o "\${flags:+$flags,}$mode" $root /newroot || fail "mount of $root ($fstype $flags)"
echo "osbuilder-boot: mounted $($B grep ' /newroot ' /proc/mounts)"
if [ ! -x /newroot$init ] && [ ! -L /newroot$init ]; then fail "no program $init in the guest"; fi
$B mount --move /dev /newroot/dev; $B umount /sys; $B umount /proc
exec $B switch_root /newroot $init
`;

/** In front of a guest's own initrd: after the drivers its /init is run, as if nothing had been before. */
const HAND_OVER = `${LOAD}
init=/init
for a in $($B cat /proc/cmdline); do case $a in osbuilder.init=*) init=\${a#*=};; esac; done
echo "osbuilder-boot: loaded $($B cat /${HOME}/order | $B tr '\\n' ' ')"
[ -x $init ] || [ -L $init ] || fail "no program $init in the guest"
$B umount /sys; $B umount /proc; $B umount -l /dev
exec $init
`;

/**
 * The first stage as a cpio archive. `purpose`: `mount` a disk named by `root=`, or `hand-over` to the initrd whose bytes
 * follow this archive. `busybox` must be linked statically.
 */
export function firstStage(
  busybox: FileContent,
  modules: readonly LoadedModule[],
  purpose: 'mount' | 'hand-over',
): CpioArchive {
  const tree = new Tree();
  tree.makeDirectory(HOME);
  if (purpose === 'mount') {
    tree.makeDirectory('dev');
    tree.set('dev/console', device('char', 5, 1, rootMeta(0o600)));
  }
  tree.writeFile(`${HOME}/busybox`, busybox, rootMeta(0o755));
  // switch_root of busybox leaves only what has an /init
  if (purpose === 'mount') tree.writeFile('init', MOUNT, rootMeta(0o755));
  else tree.writeFile(`${HOME}/init`, HAND_OVER, rootMeta(0o755));
  for (const { name, bytes } of modules) tree.writeFile(`${HOME}/${name}.ko`, memory(bytes));
  tree.writeFile(`${HOME}/order`, modules.map(({ name }) => `${name}\n`).join(''));
  return cpioArchive(tree);
}
