import type { Tree } from '../tree/tree.ts';
import { type Guest, ours } from './guest.ts';
import { UNITS } from './units.ts';

/**
 * What mounts extension images in a guest with systemd, before the agent starts: the kernel's command line names them, a
 * generator starts a unit for each, and its script finds the disk by its serial number. Kata's own packages of the agent
 * bring the same files; with an agent that is a single program they are ours. They need sh, mount and veritysetup.
 */

/** The unit that mounts an extension, below the folder of units. */
export const EXTENSION_UNIT = 'kata-extension-mount@.service';
const MOUNT = 'usr/libexec/kata-extension-mount.sh';
const UNMOUNT = 'usr/libexec/kata-extension-umount.sh';
const GENERATOR = 'usr/lib/systemd/system-generators/kata-extension-mount-generator';

const UNIT_TEXT = `[Unit]
Description=Extension image %i
DefaultDependencies=no
ConditionKernelCommandLine=kata.extension.%i.verity_params
After=local-fs-pre.target
Before=kata-agent.service
# a guest without what it was started with must not go on
OnFailure=poweroff.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/${MOUNT} %i
ExecStop=/${UNMOUNT} %i
`;

const GENERATOR_TEXT = `#!/bin/sh
# Starts a unit for each extension image that the kernel's command line names: kata.extension.NAME.verity_params[=…]
set -fu
folder="\${1:-/tmp}/kata-containers.target.wants"
read -r words </proc/cmdline || exit 0
for word in $words; do
	case $word in
	kata.extension.*.verity_params | kata.extension.*.verity_params=*) ;;
	*) continue ;;
	esac
	name=\${word#kata.extension.}
	name=\${name%%.verity_params*}
	case $name in
	'' | *[!A-Za-z0-9_-]*) continue ;;
	esac
	mkdir -p "$folder"
	ln -sf "/${UNITS}/${EXTENSION_UNIT}" "$folder/kata-extension-mount@$name.service"
done
`;

const MOUNT_TEXT = `#!/bin/sh
# Mounts the extension image NAME at /run/kata-extensions/NAME. Its disk decides whether it is measured: one with a second
# partition is opened with dm-verity, and the parameters on the kernel's command line must agree with that.
set -eu
name=$1
fail() {
	echo "extension $name: $*" >&2
	exit 1
}

# prints the device whose serial number is the extension's; a driver may find it late
device() {
	for serial in /sys/block/*/serial; do
		[ -f "$serial" ] || continue
		found=
		read -r found <"$serial" || :
		[ "$found" = "extension-$name" ] || continue
		serial=\${serial%/serial}
		echo "/dev/\${serial##*/}"
		return
	done
}
disk=
tries=0
while [ -z "$disk" ] && [ $tries -lt 50 ]; do
	[ $tries = 0 ] || sleep 0.1
	tries=$((tries + 1))
	disk=$(device)
done
[ -n "$disk" ] || fail "no disk has the serial number extension-$name"

set -f
parameters=
read -r words </proc/cmdline || :
for word in $words; do
	case $word in
	"kata.extension.$name.verity_params="*) parameters=\${word#*=} ;;
	esac
done

case $disk in
*[0-9]) partition=\${disk}p ;;
*) partition=$disk ;;
esac
if [ -b "\${partition}2" ]; then
	[ -n "$parameters" ] || fail "it is measured, and the kernel's command line has no root hash for it"
	root_hash= salt= data_blocks= data_block_size=4096 hash_block_size=4096
	IFS=,
	for pair in $parameters; do
		value=\${pair#*=}
		case $pair in
		root_hash=*) root_hash=$value ;;
		salt=*) salt=$value ;;
		data_blocks=*) data_blocks=$value ;;
		data_block_size=*) data_block_size=$value ;;
		hash_block_size=*) hash_block_size=$value ;;
		esac
	done
	unset IFS
	[ -n "$root_hash" ] || fail "its parameters have no root_hash"
	[ -n "$data_blocks" ] || fail "its parameters have no data_blocks"
	veritysetup open "\${partition}1" "extension-$name" "\${partition}2" "$root_hash" --no-superblock \\
		--salt="$salt" --data-blocks="$data_blocks" \\
		--data-block-size="$data_block_size" --hash-block-size="$hash_block_size"
	source=/dev/mapper/extension-$name
else
	[ -z "$parameters" ] || fail "there is a root hash for it, and its disk has no hash tree"
	source=\${partition}1
	[ -b "$source" ] || source=$disk
fi
mkdir -p "/run/kata-extensions/$name"
mount -t erofs -o ro "$source" "/run/kata-extensions/$name"
echo "extension $name is mounted at /run/kata-extensions/$name"
`;

const UNMOUNT_TEXT = `#!/bin/sh
# Undoes what kata-extension-mount.sh did for the extension image NAME.
set -eu
umount "/run/kata-extensions/$1"
[ ! -b "/dev/mapper/extension-$1" ] || veritysetup close "extension-$1"
`;

/** Lets a guest with systemd mount extension images. What the agent's package brought is kept. */
export function provideExtensions(tree: Tree, guest: Guest): void {
  const provide = (path: string, text: string, mode: number) => {
    if (!tree.has(path)) tree.writeFile(path, text, ours(guest, mode));
  };
  provide(`${UNITS}/${EXTENSION_UNIT}`, UNIT_TEXT, 0o644);
  provide(MOUNT, MOUNT_TEXT, 0o755);
  provide(UNMOUNT, UNMOUNT_TEXT, 0o755);
  provide(GENERATOR, GENERATOR_TEXT, 0o755);
}
