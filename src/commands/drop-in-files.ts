/**
 * The files of `osbuilder drop-in`: a Makefile and three scripts in the places of Kata's tools/osbuilder, which take its
 * calls (Kata 4.1, tools/osbuilder and tools/packaging/guest-image/build_image.sh). They only translate; `@NODE@` and
 * `@PROGRAM@` are replaced by the program that wrote them.
 */

/** The first line after the interpreter's, by which our own files are known. */
export const MARK = '# Written by "osbuilder drop-in".';

/** What all three scripts begin with. */
const COMMON = `set -o errexit -o pipefail

script_name="\${0##*/}"

die() {
	echo "ERROR: \${script_name}: $*" >&2
	exit 1
}

# The program that wrote this file, unless OSBUILDER names another one.
osbuilder() {
	if [ -n "\${OSBUILDER}" ]; then
		"\${OSBUILDER}" "$@"
	elif [ -f @PROGRAM@ ]; then
		@NODE@ @PROGRAM@ "$@"
	else
		command osbuilder "$@"
	fi
}

# Variables without effect: one line for each, and the program does not see them.
without_effect() {
	local name reason
	while read -r name reason; do
		[ -z "\${!name}" ] || echo "\${script_name}: \${name} has no effect: \${reason}" >&2
		unset "\${name}"
	done <<-EOF
		USE_DOCKER no container is used
		USE_PODMAN no container is used
		DOCKER_RUNTIME no container is used
		IMAGE_REGISTRY no container is used
		INSIDE_CONTAINER no container is used
		NSDAX_BIN the header for NVDIMM devices is written without a helper
		GOPATH nothing is compiled
	EOF
}

# Variables that ask for something that is not made here.
rejected() {
	local name reason
	while read -r name reason; do
		[ -z "\${!name}" ] || die "\${name} is not supported: \${reason}"
	done <<-EOF
		AGENT_VERSION the agent is not compiled: give AGENT_SOURCE_BIN or AGENT_TARBALL
		LIBC the agent is not compiled: give AGENT_SOURCE_BIN or AGENT_TARBALL
		DISTRO_REPO set REPO_URL
		DNF_CONF dnf is not used: set REPO_URL and REPO_COMPONENTS
		NVIDIA_GPU_STACK guests with its drivers are not made
		KBUILD_SIGN_PIN kernel modules are not signed
		GRACEFUL_EXIT a failed build is a failure
	EOF
	case "\${BUILD_VARIANT}" in
	nvidia*) die "BUILD_VARIANT=\${BUILD_VARIANT} is not supported: guests with NVIDIA's drivers are not made" ;;
	esac
}

yes_or_no() {
	case "\${!1}" in
	"" | yes | no) ;;
	*) die "$1(\${!1}) is invalid (must be yes or no)" ;;
	esac
}

# The values that the program takes for yes.
is_yes() {
	case "\${1,,}" in
	yes | true | 1 | y | on) ;;
	*) return 1 ;;
	esac
}

# Options behind the first argument would be none.
at_most_one() {
	[ "$#" -le 1 ] || die "one argument at most, after all options: $2 is too much"
}

# Each script passes on what is its own; the rest is for the other two.
forget() {
	unset ROOTFS_BUILD_DEST IMAGES_BUILD_DEST TARGET_ROOTFS TARGET_IMAGE TARGET_INITRD ROOTFS_DIR AGENT_VERSION RUST_VERSION \\
		OSBUILDER_USE_CHRONIC DEBUG "$@"
}

in_container="\${USE_DOCKER}\${USE_PODMAN}"
loudness=()
[ -z "\${OSBUILDER_USE_CHRONIC}" ] || loudness=(--quiet)
[ -z "\${DEBUG}" ] || loudness=(--verbose)

image_variables=(IMAGE FS_TYPE BLOCK_SIZE ROOT_FREE_SPACE SKIP_DAX_HEADER MEASURED_ROOTFS BUILD_VARIANT SKIP_ROOTFS_CHECK
	IMAGE_SIZE_ALIGNMENT_MB VERITY_SALT VERITY_KEY VERITY_CERT PARTITION_TABLE SECTOR_SIZE FS_UUID FS_LABEL FS_FEATURES FS_OPTIONS KERNEL_COMPAT)
initrd_variables=(INITRD_IMAGE INITRD_COMPRESS INITRD_COMPRESS_LEVEL)
rootfs_variables=(DISTRO OS_VERSION BUILD_METHOD EXTRA_PKGS PACKAGES REPO_URL REPO_URL_X86_64 REPO_URL_AARCH64 REPO_URL_PPC64LE
	REPO_URL_S390X REPO_COMPONENTS KEYRING SNAPSHOT SECCOMP AGENT_SOURCE_BIN AGENT_TARBALL AGENT_POLICY AGENT_POLICY_FILE
	KERNEL_MODULES_DIR GUEST_HOOKS_TARBALL COCO_GUEST_COMPONENTS_TARBALL PAUSE_IMAGE_TARBALL CONFIDENTIAL_GUEST OVERLAY
	ROOTFS_ONLY OSBUILDER_VERSION OSBUILDER_PROFILE OSBUILDER_RECOMMENDS REPO_SUITES EXTRA_REPOS ALLOW_UNAUTHENTICATED
	OSBUILDER_REPOMD_SHA256 OSBUILDER_MODULE OSBUILDER_PIN OSBUILDER_SYSROOT DRACUT_KVERSION DRACUT_CONF_DIR DRACUT_OPTIONS
	OSBUILDER_DRACUT_MODULE OSBUILDER_MODULES_LOAD KERNEL_PACKAGE KERNEL_FORMAT DRIVERS OSBUILDER_KEEP OSBUILDER_REMOVE
	OSBUILDER_TRIM PRESEED KEEP_DPKG_DB KEEP_APK_DB KEEP_RPM_DB OSBUILDER_SOURCE_ROOT OSBUILDER_LOCK
	OSBUILDER_FROZEN)

# What a guest must have to start, as the builders of images check it.
check_rootfs() {
	local rootfs="$1" path found=
	[ -x "\${rootfs}/sbin/init" ] || [ -L "\${rootfs}/sbin/init" ] || die "/sbin/init is not installed in \${rootfs}"
	for path in usr/lib/systemd/systemd lib/systemd/systemd; do
		[ ! -x "\${rootfs}/\${path}" ] || found="\${found:-\${path}}"
	done
	if [ "\${AGENT_INIT}" = yes ]; then
		[ -x "\${rootfs}/sbin/init" ] || die "/sbin/init is not installed in \${rootfs}"
		if [ -n "\${found}" ] && cmp -s "\${rootfs}/\${found}" "\${rootfs}/sbin/init"; then
			die "the agent is not the init process: /sbin/init is systemd"
		fi
	else
		[ "$2" = initrd ] || [ -n "\${found}" ] || die "systemd is not installed in \${rootfs}"
		[ -x "\${rootfs}/usr/bin/kata-agent" ] || die "/usr/bin/kata-agent is not installed in \${rootfs}"
	fi
}

[ -z "\${AGENT_BIN}" ] || [ "\${AGENT_BIN}" = kata-agent ] || die "AGENT_BIN=\${AGENT_BIN} is not supported: the agent is always named kata-agent in the guest"
unset AGENT_BIN
rejected
without_effect
yes_or_no AGENT_INIT
`;

const ROOTFS = `usage() {
	cat <<EOF
Usage: \${script_name} [options] [DISTRO]

Makes the rootfs of a guest from the packages of DISTRO. Without DISTRO the rootfs at ROOTFS_DIR gets Kata's parts.

Options:
  -a VERSION    not supported: the agent is not compiled
  -d            remove units that a guest does not need (always done)
  -h            show this help
  -l            list the distributions
  -o VERSION    version of osbuilder that the guest's summary names
  -r DIR        folder of the rootfs (ROOTFS_DIR)
  -t DISTRO     print the profile of a distribution, to begin a new one from

Variables: ARCH AGENT_INIT AGENT_POLICY AGENT_POLICY_FILE AGENT_SOURCE_BIN AGENT_TARBALL COCO_GUEST_COMPONENTS_TARBALL
CONFIDENTIAL_GUEST EXTRA_PKGS GUEST_HOOKS_TARBALL KERNEL_MODULES_DIR OS_VERSION PAUSE_IMAGE_TARBALL REPO_COMPONENTS REPO_URL
REPO_URL_X86_64 (and its kin) ROOTFS_DIR SECCOMP SELINUX, and all others of "osbuilder help rootfs".
EOF
	exit "$1"
}

while getopts a:dhlo:r:t: option; do
	case "\${option}" in
	a) die "-a is not supported: the agent is not compiled: give AGENT_SOURCE_BIN or AGENT_TARBALL" ;;
	d) ;;
	h) usage 0 ;;
	l)
		osbuilder distros | sed -n 's/^\\([^ ][^ ]*\\) .*/\\1/p'
		exit 0
		;;
	o) export OSBUILDER_VERSION="\${OPTARG}" ;;
	r) ROOTFS_DIR="\${OPTARG}" ;;
	t)
		osbuilder distros --show "\${OPTARG}" || exit 1
		exit 0
		;;
	*) usage 1 ;;
	esac
done
shift $((OPTIND - 1))
at_most_one "$@"
distro="$1"

yes_or_no AGENT_POLICY
[ -z "\${KERNEL_MODULES_DIR}" ] || [ -d "\${KERNEL_MODULES_DIR}" ] || die "KERNEL_MODULES_DIR is not an existing directory: \${KERNEL_MODULES_DIR}"
[ -z "\${AGENT_SOURCE_BIN}" ] || [ -z "\${AGENT_TARBALL}" ] || die "AGENT_SOURCE_BIN and AGENT_TARBALL are both set: give one of them"
if is_yes "\${SELINUX}" && [ "\${distro}" != centos ]; then
	die "SELINUX=yes is for centos only"
fi
case "\${distro}" in
ubuntu | debian) [ -n "\${OS_VERSION}" ] || die "OS_VERSION is needed for \${distro}" ;;
esac
if [ -z "\${AGENT_SOURCE_BIN}\${AGENT_TARBALL}" ] && ! is_yes "\${ROOTFS_ONLY}" && [ -n "\${distro}" ]; then
	die "no agent is given, and none is compiled: set AGENT_SOURCE_BIN or AGENT_TARBALL"
fi
[ -z "\${COCO_GUEST_COMPONENTS_TARBALL}" ] || [ -z "\${in_container}" ] || export CONFIDENTIAL_GUEST=yes

# the variable of one architecture outranks REPO_URL there
case "\${ARCH:-$(uname -m)}" in
x86_64 | amd64) own="\${REPO_URL_X86_64}" ;;
aarch64 | arm64) own="\${REPO_URL_AARCH64}" ;;
ppc64le | ppc64el) own="\${REPO_URL_PPC64LE}" ;;
s390x) own="\${REPO_URL_S390X}" ;;
*) own= ;;
esac
[ -z "\${own}" ] || export REPO_URL="\${own}"
unset REPO_URL_X86_64 REPO_URL_AARCH64 REPO_URL_PPC64LE REPO_URL_S390X

[ -n "\${distro}" ] || [ "\${BUILD_METHOD}" = dracut ] || [ -n "\${ROOTFS_DIR}" ] || die "ROOTFS_DIR is empty: name the folder of the rootfs with -r"
rootfs="\${ROOTFS_DIR:-$(dirname "$(readlink -f "$0")")/rootfs-\${distro:-dracut}}"
[ "$(readlink -m "\${rootfs}")" != / ] || die "the rootfs must not be /"
rootfs="\${rootfs%/}"
# a link stays, and its folder is the rootfs
[ ! -L "\${rootfs}" ] || rootfs="$(readlink -m "\${rootfs}")"
forget DISTRO "\${image_variables[@]}" "\${initrd_variables[@]}"

if [ -n "\${distro}" ]; then
	osbuilder rootfs --distro "\${distro}" --force -o="\${rootfs}/" "\${loudness[@]}" || exit 1
elif [ "\${BUILD_METHOD}" = dracut ]; then
	osbuilder rootfs --force -o="\${rootfs}/" "\${loudness[@]}" || exit 1
else
	unset OS_VERSION EXTRA_PKGS REPO_URL REPO_COMPONENTS PACKAGES
	[ -d "\${rootfs}" ] || die "\${rootfs} is not a directory"
	# a folder cannot be written over itself
	new="$(mktemp -d "\${rootfs}.XXXXXX")" || exit 1
	trap 'rm -rf "\${new}" "\${new}.manifest.jsonl"' EXIT
	said="$(osbuilder rootfs "\${rootfs}" -o="\${new}/" "\${loudness[@]}")" || exit 1
	rm -f "\${rootfs:?}.manifest.jsonl"
	# the folder itself stays: a file system may be mounted there
	find "\${rootfs:?}" -xdev -mindepth 1 -delete
	find "\${new}" -mindepth 1 -maxdepth 1 -exec mv -t "\${rootfs}" {} +
	chmod --reference="\${new}" "\${rootfs}"
	touch --reference="\${new}" "\${rootfs}"
	mv "\${new}.manifest.jsonl" "\${rootfs}.manifest.jsonl"
	echo "\${said//"\${new}"/"\${rootfs}"}"
fi
`;

const IMAGE = `usage() {
	cat <<EOF
Usage: \${script_name} [options] ROOTFS_DIR

Makes a disk image of the rootfs at ROOTFS_DIR.

Options:
  -h            show this help
  -o IMAGE      path of the image (IMAGE; kata-containers.img)
  -r MIB        free space of the root partition (ROOT_FREE_SPACE)
  -f TYPE       file system: ext4, xfs, erofs (FS_TYPE)

Variables: AGENT_INIT BLOCK_SIZE BUILD_VARIANT FS_TYPE IMAGE IMAGE_SIZE_ALIGNMENT_MB MEASURED_ROOTFS ROOT_FREE_SPACE SELINUX
SKIP_DAX_HEADER SKIP_ROOTFS_CHECK, and all others of "osbuilder help image".
EOF
	exit "$1"
}

[ "$#" -gt 0 ] || usage 0
while getopts ho:r:f: option; do
	case "\${option}" in
	h) usage 0 ;;
	o) IMAGE="\${OPTARG}" ;;
	r) export ROOT_FREE_SPACE="\${OPTARG}" ;;
	f) export FS_TYPE="\${OPTARG}" ;;
	*) usage 1 ;;
	esac
done
shift $((OPTIND - 1))
[ -n "$1" ] || usage 0
at_most_one "$@"
[ -d "$1" ] || die "$1 is not a directory"
image="\${IMAGE:-kata-containers.img}"
is_yes "\${SKIP_ROOTFS_CHECK}" || check_rootfs "$1" image
is_yes "\${MEASURED_ROOTFS}" || unset BUILD_VARIANT
forget IMAGE SKIP_ROOTFS_CHECK "\${rootfs_variables[@]}" "\${initrd_variables[@]}"
osbuilder image "$1" --rootfs-only -o="\${image}" "\${loudness[@]}" || exit 1
`;

const INITRD = `usage() {
	cat <<EOF
Usage: \${script_name} [options] ROOTFS_DIR

Makes an initrd of the rootfs at ROOTFS_DIR.

Options:
  -h            show this help
  -o IMAGE      path of the initrd (INITRD_IMAGE; kata-containers-initrd.img)

Variables: AGENT_INIT INITRD_IMAGE, and all others of "osbuilder help initrd".
EOF
	exit "$1"
}

while getopts ho: option; do
	case "\${option}" in
	h) usage 0 ;;
	o) INITRD_IMAGE="\${OPTARG}" ;;
	*) usage 1 ;;
	esac
done
shift $((OPTIND - 1))
[ -n "$1" ] || usage 0
at_most_one "$@"
[ -d "$1" ] || die "$1 is not a directory"
image="\${INITRD_IMAGE:-kata-containers-initrd.img}"
check_rootfs "$1" initrd
forget INITRD_IMAGE "\${rootfs_variables[@]}" "\${image_variables[@]}"
osbuilder initrd "$1" --rootfs-only -o="\${image}" "\${loudness[@]}" || exit 1
`;

const MAKEFILE = `MK_DIR         := $(shell dirname $(realpath $(lastword $(MAKEFILE_LIST))) 2> /dev/null)
ROOTFS_BUILDER := $(MK_DIR)/rootfs-builder/rootfs.sh
INITRD_BUILDER := $(MK_DIR)/initrd-builder/initrd_builder.sh
IMAGE_BUILDER  := $(MK_DIR)/image-builder/image_builder.sh

# empty is not set
ifeq (,$(strip $(DISTRO)))
    override DISTRO := ubuntu
endif
BUILD_METHOD      := distro
ifeq (,$(strip $(BUILD_METHOD)))
    override BUILD_METHOD := distro
endif
BUILD_METHOD_LIST := distro dracut
AGENT_INIT        ?= no
USE_DOCKER        ?= true
# an argument of make overrides these, the environment does not
ROOTFS_BUILD_DEST := $(shell pwd)
IMAGES_BUILD_DEST := $(shell pwd)
ifeq (,$(strip $(ROOTFS_BUILD_DEST)))
    override ROOTFS_BUILD_DEST := $(shell pwd)
endif
ifeq (,$(strip $(IMAGES_BUILD_DEST)))
    override IMAGES_BUILD_DEST := $(shell pwd)
endif
# make divides at spaces, and "clean" would remove other folders
folder_names      := $(MK_DIR) | $(ROOTFS_BUILD_DEST) | $(IMAGES_BUILD_DEST) | $(DISTRO)
ifneq (7,$(words $(folder_names)))
    $(error Names of folders and distributions must be without spaces here: $(folder_names))
endif
ROOTFS_MARKER_SUFFIX := _rootfs.done
TARGET_ROOTFS     := $(ROOTFS_BUILD_DEST)/$(DISTRO)_rootfs
TARGET_ROOTFS_MARKER := $(ROOTFS_BUILD_DEST)/.$(DISTRO)$(ROOTFS_MARKER_SUFFIX)
TARGET_IMAGE      := $(IMAGES_BUILD_DEST)/kata-containers.img
TARGET_INITRD     := $(IMAGES_BUILD_DEST)/kata-containers-initrd.img

VERSION_FILE   := ./VERSION
VERSION        := $(shell grep -v '^\\#' $(VERSION_FILE) 2> /dev/null)
COMMIT_NO      := $(shell git rev-parse HEAD 2> /dev/null || true)
COMMIT         := $(if $(shell git status --porcelain --untracked-files=no 2> /dev/null),$(COMMIT_NO)-dirty,$(COMMIT_NO))
VERSION_COMMIT := $(if $(VERSION),$(if $(COMMIT),$(VERSION)-$(COMMIT),$(VERSION)))
VERSION_OPTION := $(if $(VERSION_COMMIT),-o $(VERSION_COMMIT))

ifeq ($(filter $(BUILD_METHOD),$(BUILD_METHOD_LIST)),)
    $(error Invalid BUILD_METHOD value '$(BUILD_METHOD)'. Supported values: $(BUILD_METHOD_LIST))
endif

ifeq (dracut,$(BUILD_METHOD))
    override DISTRO      :=
    TARGET_ROOTFS        := dracut_rootfs
    TARGET_ROOTFS_MARKER := $(ROOTFS_BUILD_DEST)/.dracut$(ROOTFS_MARKER_SUFFIX)
    DRACUT_KVERSION      :=
    DRACUT_OVERLAY_DIR   := $(MK_DIR)/dracut_overlay
    DRACUT_DIR           := $(MK_DIR)/dracut
    DRACUT_CONF_DIR      := $(DRACUT_DIR)/dracut.conf.d
endif

OSBUILDER_USE_CHRONIC :=

.PHONY: all
all: image initrd

.PHONY: rootfs
rootfs: $(TARGET_ROOTFS_MARKER)

rootfs-%: $(ROOTFS_BUILD_DEST)/.%$(ROOTFS_MARKER_SUFFIX)
	@ # a pattern rule without a recipe would cancel it

.PRECIOUS: $(ROOTFS_BUILD_DEST)/.%$(ROOTFS_MARKER_SUFFIX)
$(ROOTFS_BUILD_DEST)/.%$(ROOTFS_MARKER_SUFFIX):
	@echo Creating rootfs for "$*"
	@mkdir -p $(ROOTFS_BUILD_DEST)
	$(ROOTFS_BUILDER) $(VERSION_OPTION) -d -r $(ROOTFS_BUILD_DEST)/$*_rootfs $*
	@touch $@

$(ROOTFS_BUILD_DEST)/.dracut$(ROOTFS_MARKER_SUFFIX):
	@echo Creating rootfs with the method dracut
	@mkdir -p $(ROOTFS_BUILD_DEST)
	BUILD_METHOD=dracut $(ROOTFS_BUILDER) $(VERSION_OPTION) -d -r $(TARGET_ROOTFS)
	@touch $@

.PHONY: image
image: $(TARGET_IMAGE)

$(TARGET_IMAGE): $(TARGET_ROOTFS_MARKER)
	@echo Creating image based on "$(TARGET_ROOTFS)"
	$(IMAGE_BUILDER) -o $@ "$(TARGET_ROOTFS)"

image-%: $(IMAGES_BUILD_DEST)/kata-containers-image-%.img
	@ #

.PRECIOUS: $(IMAGES_BUILD_DEST)/kata-containers-image-%.img
$(IMAGES_BUILD_DEST)/kata-containers-image-%.img: $(ROOTFS_BUILD_DEST)/.%$(ROOTFS_MARKER_SUFFIX)
	@echo Creating image based on "$(ROOTFS_BUILD_DEST)/$*_rootfs"
	$(IMAGE_BUILDER) -o $@ $(ROOTFS_BUILD_DEST)/$*_rootfs

.PHONY: initrd
initrd: $(TARGET_INITRD)

# without -o: it goes to the current folder
$(TARGET_INITRD): $(TARGET_ROOTFS_MARKER)
	@echo Creating initrd image based on "$(TARGET_ROOTFS)"
	$(INITRD_BUILDER) "$(TARGET_ROOTFS)"

initrd-%: $(IMAGES_BUILD_DEST)/kata-containers-initrd-%.img
	@ #

.PRECIOUS: $(IMAGES_BUILD_DEST)/kata-containers-initrd-%.img
$(IMAGES_BUILD_DEST)/kata-containers-initrd-%.img: $(ROOTFS_BUILD_DEST)/.%$(ROOTFS_MARKER_SUFFIX)
	@echo Creating initrd image for $*
	$(INITRD_BUILDER) -o $@ $(ROOTFS_BUILD_DEST)/$*_rootfs

# what "make test" builds and boots; a kernel of your own: TEST_BOOT_OPTIONS="--kernel FILE"
TEST_DISTROS      := $(DISTRO)
TEST_UNTIL        := KATA-AGENT-READY|Started .*kata-agent
TEST_BOOT_OPTIONS :=
OSBUILDER_BOOT     = $(if $(OSBUILDER),$(OSBUILDER),@NODE@ @PROGRAM@) boot

.PHONY: test
test: $(TEST_DISTROS:%=test-%)

test-%: $(IMAGES_BUILD_DEST)/kata-containers-initrd-%.img $(IMAGES_BUILD_DEST)/kata-containers-image-%.img
	$(OSBUILDER_BOOT) $(IMAGES_BUILD_DEST)/kata-containers-initrd-$*.img --until-regex '$(TEST_UNTIL)' $(TEST_BOOT_OPTIONS)
	$(OSBUILDER_BOOT) $(IMAGES_BUILD_DEST)/kata-containers-image-$*.img --until-regex '$(TEST_UNTIL)' $(TEST_BOOT_OPTIONS)

.PHONY: list-distros
list-distros:
	@$(ROOTFS_BUILDER) -l

DESTDIR       := /
KATADIR       := /usr/libexec/kata-containers
OSBUILDER_DIR := $(KATADIR)/osbuilder
INSTALL_DIR   := $(DESTDIR)/$(OSBUILDER_DIR)
SCRIPTS       := rootfs-builder/rootfs.sh image-builder/image_builder.sh initrd-builder/initrd_builder.sh

.PHONY: install-scripts
install-scripts:
	@echo "Installing scripts"
	@for script in $(SCRIPTS); do \\
		echo "Installing $(abspath $(INSTALL_DIR))/$$script"; \\
		install -m 755 -D $(MK_DIR)/$$script $(INSTALL_DIR)/$$script || exit 1; \\
	done

.PHONY: clean
clean:
	rm -rf $(TARGET_ROOTFS_MARKER) $(TARGET_ROOTFS) $(TARGET_ROOTFS).manifest.jsonl $(TARGET_IMAGE) $(TARGET_INITRD) $(DRACUT_OVERLAY_DIR)

# print-VAR prints the variable VAR
print-%:
	@echo $($*)
`;

const script = (body: string) => `#!/usr/bin/env bash\n${MARK}\n${COMMON}\n${body}`;

/** Texts by path. */
export const DROP_IN_FILES: Readonly<Record<string, { readonly text: string; readonly mode: number }>> = {
  Makefile: { text: `${MARK}\n${MAKEFILE}`, mode: 0o644 },
  'rootfs-builder/rootfs.sh': { text: script(ROOTFS), mode: 0o755 },
  'image-builder/image_builder.sh': { text: script(IMAGE), mode: 0o755 },
  'initrd-builder/initrd_builder.sh': { text: script(INITRD), mode: 0o755 },
};
