import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { memory } from '../../src/bytes/content.ts';
import { pour } from '../../src/bytes/pour.ts';
import { compress } from '../../src/compression/compress.ts';
import { cpioArchive } from '../../src/formats/cpio/emit.ts';
import { rootMeta } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';
import type { Kernel } from './kernel.ts';
import { SUM_SCRIPT } from './sums.ts';

/**
 * What runs before the image under test: loads drivers, waits for the root device, mounts it with Kata's own kernel
 * arguments, and then either hands over to its init or, with `stage1=sums`, sums all it sees, and with `stage1=loader`
 * also lets the guest's own ldconfig index its libraries; with `stage1=write`, fills the file system, changes it in every
 * way, and leaves it unmounted for e2fsck.
 */
const INIT = `#!/bin/busybox sh
B=/bin/busybox
$B mount -t devtmpfs dev /dev; exec </dev/console >/dev/console 2>&1
$B mount -t proc proc /proc; $B mount -t sysfs sys /sys
while read -r m; do $B insmod /mods/$m.ko || echo "STAGE1-INSMOD-FAIL $m"; done < /mods/order
root= fstype=ext4 flags= ro= rw= task=
for a in $($B cat /proc/cmdline); do case $a in
  ro) ro=1;; rw) rw=1;; root=*) root=\${a#root=};; rootfstype=*) fstype=\${a#*=};;
  rootflags=*) flags=\${a#rootflags=};; stage1=*) task=\${a#*=};; esac; done
case "$($B cat /proc/cmdline)" in *dm-mod.create=*)
  # what the kernel does itself where CONFIG_DM_INIT is set; Debian's kernels leave it to us
  set -- $($B sed 's/.*dm-mod.create="[^"]*,ro,\\([^"]*\\)".*/\\1/' /proc/cmdline)
  n=0; while [ ! -b "$6" ] && [ $n -lt 200 ]; do $B usleep 50000; n=$((n+1)); done
  more=; $B grep -q verity.panic /proc/cmdline && more=--panic-on-corruption
  DM_DISABLE_UDEV=1 /usr/sbin/veritysetup open $more --no-superblock --data-block-size=$7 --hash-block-size=$8 \\
    --data-blocks=$9 --hash=\${11} --salt=\${13} $5 guest $6 \${12} && echo STAGE1-VERITY || echo STAGE1-VERITY-FAIL;;
esac
n=0; while [ ! -b "$root" ] && [ $n -lt 200 ]; do $B usleep 50000; n=$((n+1)); done
[ -b "$root" ] || { echo "STAGE1-NODEV $root"; $B cat /proc/partitions; $B poweroff -f; }
o=$flags; [ -n "$ro" ] && o=\${o:+$o,}ro; [ -n "$o" ] || o=rw
if ! $B mount -t $fstype -o "$o" $root /newroot; then echo "STAGE1-MOUNT-FAIL $o"; $B dmesg | $B tail -5; $B poweroff -f; fi
echo "STAGE1-MOUNTED $($B grep ' /newroot ' /proc/mounts)"
$B dmesg | $B grep -E 'pfn0|pmem0' | $B sed 's/^/STAGE1-PMEM /'
case $task in
sums|loader)
  $B mkdir -p /.check; $B cp /bin/busybox /.check/busybox
  $B sh /sums /newroot ! -path './lost+found*'
  $B dmesg | $B grep -iE 'ext4-fs (error|warning)' | $B head -5
  if [ $task = loader ]; then
    $B mount -t tmpfs run /newroot/run && $B chroot /newroot /sbin/ldconfig -X -i -C /run/ld.so.cache
    if $B cmp /newroot/run/ld.so.cache /newroot/etc/ld.so.cache; then echo STAGE1-LOADER-SAME; else
      for c in run etc; do $B chroot /newroot /sbin/ldconfig -p -C /$c/ld.so.cache > /$c; done; $B diff /etc /run; fi
    $B umount /newroot/run
  fi
  echo STAGE1-DONE; $B sync; $B umount /newroot; $B poweroff -f;;
write)
  cd /newroot || $B poweroff -f
  $B mkdir w w/many && i=0 && while [ $i -lt 10000 ]; do : > w/many/file-with-a-long-name-$i || break; i=$((i+1)); done
  echo "STAGE1-CREATED $i"
  $B find w/many -name '*[036]' -exec $B rm {} +
  for f in usr/bin/tool etc/os-release; do [ -f $f ] && echo appended >> $f; done
  $B mv w/many w/renamed; $B ln -s target w/link; $B mknod w/null c 1 3
  echo data > w/data; $B ln w/data w/data-too; $B rm w/data
  $B dd if=/dev/zero of=w/fill bs=65536 2>/dev/null; echo "STAGE1-FILLED $($B stat -c %s w/fill)"
  $B rm w/fill; cd /; $B sync; $B umount /newroot && echo STAGE1-UNMOUNTED; $B poweroff -f;;
esac
$B mount --move /dev /newroot/dev; $B umount /sys; $B umount /proc
exec $B switch_root /newroot /sbin/init
`;

/** Drivers in the order in which they must be loaded: what each depends on (its .modinfo says) comes first. */
async function ordered(kernel: Kernel, names: readonly string[]): Promise<Map<string, Uint8Array>> {
  const loaded = new Map<string, Uint8Array>();
  const need = async (name: string): Promise<void> => {
    const bytes = await kernel.module(name);
    if (bytes === undefined || loaded.has(name)) return; // built into the kernel, or there already
    const depends = /\0depends=([^\0]*)\0/.exec(Buffer.from(bytes).toString('latin1'))?.[1] ?? '';
    for (const other of depends.split(',')) if (other !== '') await need(other.replaceAll('-', '_'));
    loaded.set(name, bytes);
  };
  for (const name of names) await need(name);
  return loaded;
}

/** Shared libraries of a program of this machine, the loader included. */
function libraries(program: string): string[] {
  const { stdout } = spawnSync('ldd', [program], { encoding: 'utf8' });
  return [...stdout.matchAll(/(\/\S+)/g)].map((match) => match[1]!);
}

/**
 * Writes a stage-1 initrd with these drivers and everything they depend on, and with programs of this machine and their
 * libraries.
 */
export async function stage1(
  path: string,
  busybox: Uint8Array,
  kernel: Kernel | undefined,
  modules: readonly string[],
  programs: readonly string[] = [],
): Promise<string> {
  const tree = new Tree();
  for (const name of ['bin', 'dev', 'proc', 'sys', 'mods', 'newroot']) tree.makeDirectory(name);
  tree.set('dev/console', { ...rootMeta(0o600), kind: 'char', major: 5, minor: 1 });
  tree.writeFile('bin/busybox', busybox, rootMeta(0o755));
  tree.writeFile('init', INIT, rootMeta(0o755));
  tree.writeFile('sums', SUM_SCRIPT);
  const drivers = kernel === undefined ? new Map<string, Uint8Array>() : await ordered(kernel, modules);
  for (const [name, bytes] of drivers) tree.writeFile(`mods/${name}.ko`, memory(bytes));
  tree.writeFile('mods/order', [...drivers.keys()].map((name) => `${name}\n`).join(''));
  for (const program of programs)
    for (const name of [program, ...libraries(program)])
      tree.writeFile(name.slice(1), readFileSync(name), rootMeta(0o755));
  await pour(compress(cpioArchive(tree).open(), 'lz4'), path);
  return path;
}
