import assert from 'node:assert/strict';
import { join } from 'node:path';
import { osbuilder } from './cli.ts';
import { TEST_CACHE } from './data.ts';

/** Packages of the systems that dracut's lists were made from, besides the required ones. */
const PACKAGES = [...['systemd', 'systemd-sysv', 'udev', 'dracut-core', 'kmod', 'dbus', 'ca-certificates']];

/** Codes of errors that a machine without Debian's archive sees. */
const NETWORK = ['CONNECTION_FAILED', 'DOWNLOAD_STALLED', 'DOWNLOAD_CUT', 'HTTP_STATUS', 'INDEX_STALE'];

/** A system of Debian's packages as an archive, made by the program itself. */
export interface DebianSystem {
  readonly path: string;
  /** Release of its kernel. */
  readonly release: string;
}

/** Makes a Debian system with dracut and a kernel in a folder; or says why it cannot be had. */
export async function debianSystem(
  suite: 'bookworm' | 'trixie',
  folder: string,
  more: readonly string[] = [],
  arch: 'amd64' | 'arm64' = 'amd64',
): Promise<DebianSystem | string> {
  const path = join(folder, `${suite}-${arch}${more.length === 0 ? '' : '-more'}.tar`);
  const { code, stdout, stderr } = await osbuilder([
    ...['rootfs', '--distro', 'debian', '--os-version', suite, '--arch', arch, '--rootfs-only', '--no-trim'],
    ...[
      '--packages',
      [...PACKAGES, `linux-image-cloud-${arch}`, ...more].join(' '),
      '--cache-dir',
      TEST_CACHE,
      '--json',
      '-o',
      path,
    ],
  ]);
  const document = JSON.parse(stdout || '{}') as {
    readonly error?: { readonly code: string; readonly message: string };
    readonly packages?: readonly { readonly name: string }[];
  };
  if (document.error !== undefined && NETWORK.includes(document.error.code))
    return `not available: ${document.error.message}`;
  assert.equal(code, 0, stderr + (document.error?.message ?? ''));
  const names = document.packages!.map(({ name }) => /^linux-image-(\d.*)$/.exec(name)?.[1]);
  return { path, release: names.find((name) => name !== undefined)! };
}
