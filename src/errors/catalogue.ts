import { APK } from './catalogue/apk.ts';
import { ARCHIVES } from './catalogue/archives.ts';
import { BOOT } from './catalogue/boot.ts';
import { BYTES } from './catalogue/bytes.ts';
import { COMPRESSION } from './catalogue/compression.ts';
import { CONFIGURE } from './catalogue/configure.ts';
import { DISK } from './catalogue/disk.ts';
import { DRACUT } from './catalogue/dracut.ts';
import { EROFS } from './catalogue/erofs.ts';
import { EXT4 } from './catalogue/ext4.ts';
import { EXTENSION } from './catalogue/extension.ts';
import { GUEST } from './catalogue/guest.ts';
import { KEEP } from './catalogue/keep.ts';
import { KMOD } from './catalogue/kmod.ts';
import { LOCK } from './catalogue/lock.ts';
import { MIRROR } from './catalogue/mirror.ts';
import { REGISTRY } from './catalogue/registry.ts';
import { RESOLVER } from './catalogue/resolver.ts';
import { RPM } from './catalogue/rpm.ts';
import { SELINUX } from './catalogue/selinux.ts';
import { SETTINGS } from './catalogue/settings.ts';
import { SHELL } from './catalogue/shell.ts';
import { TREE } from './catalogue/tree.ts';
import { TRUST } from './catalogue/trust.ts';
import { UNPACK } from './catalogue/unpack.ts';
import { XFS } from './catalogue/xfs.ts';
import { XML } from './catalogue/xml.ts';

/** Every error: its stable code and a function from its context to the message. Each module has its own list. */
export const CATALOGUE = {
  ...BYTES,
  ...TREE,
  ...ARCHIVES,
  ...COMPRESSION,
  ...MIRROR,
  ...REGISTRY,
  ...TRUST,
  ...RESOLVER,
  ...UNPACK,
  ...CONFIGURE,
  ...SHELL,
  ...EROFS,
  ...EXT4,
  ...EXTENSION,
  ...XFS,
  ...DISK,
  ...APK,
  ...RPM,
  ...XML,
  ...BOOT,
  ...KEEP,
  ...GUEST,
  ...KMOD,
  ...LOCK,
  ...SELINUX,
  ...DRACUT,
  ...SETTINGS,
} as const;

/** A stable error code. */
export type Code = keyof typeof CATALOGUE;
/** The context of an error with that code. */
export type Context<C extends Code> = Parameters<(typeof CATALOGUE)[C]>[0];
