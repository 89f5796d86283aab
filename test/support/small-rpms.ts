import { copyFileSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createRepository, makeRpmKey, makeRpms, type RpmKey, type SmallRpm, signRpms } from './rpms.ts';
import { noise } from './trees.ts';

/** A distribution of a few small rpm packages that exercise what large ones do: accounts, scripts, triggers, links. */
export const SMALL_RPMS: readonly SmallRpm[] = [
  {
    name: 'filesystem',
    tags: { Provides: ['/bin/sh'] },
    files: [
      ...['etc/', 'usr/', 'usr/bin/', 'usr/sbin/', 'usr/lib/', 'usr/share/', 'var/', 'var/lib/'].map((name) => ({
        name,
      })),
      { name: 'tmp/', mode: 0o1777 },
      // scripts are not run, but there has to be a shell for them
      { name: 'usr/bin/sh', data: 'shell', mode: 0o755 },
      { name: 'bin', link: 'usr/bin' },
      { name: 'sbin', link: 'usr/sbin' },
      { name: 'lib', link: 'usr/lib' },
      { name: 'etc/os-release', data: 'ID=small\n' },
      { name: 'etc/passwd', data: 'root:x:0:0:root:/root:/bin/sh\n' },
      { name: 'etc/group', data: 'root:x:0:\n' },
    ],
    scripts: { 'pretrans -p <lua>': 'posix.mkdir("/srv") posix.chmod("/srv", "0750")' },
  },
  {
    name: 'tools',
    version: '2.0',
    epoch: 1,
    tags: { Requires: ['filesystem', 'libsmall >= 1'], 'Requires(pre)': ['filesystem'], Recommends: ['nothing'] },
    files: [
      { name: 'usr/bin/tool', data: '#!/bin/sh\necho tool\n', mode: 0o4755, group: 'tools' },
      { name: 'usr/bin/tool-again', hard: 'usr/bin/tool', mode: 0o4755, group: 'tools' },
      { name: 'usr/bin/ping', data: noise(300_000), mode: 0o755, flags: '%caps(cap_net_raw=ep)' },
      { name: 'etc/tools.conf', data: 'a=1\n', flags: '%config(noreplace)' },
      { name: 'var/lib/tools.state', data: '', flags: '%ghost' },
      ...Array.from({ length: 100 }, (_, i) => ({ name: `usr/share/tools/file-${i}`, data: `${i}\n`.repeat(i) })),
    ],
    scripts: {
      pre: 'groupadd -r tools\nuseradd -r -g tools -d / -s /sbin/nologin tools',
      post: 'alternatives --install /usr/bin/pager pager /usr/bin/tool 10\necho "tools $1" >> /etc/tools.log',
    },
  },
  {
    name: 'libsmall',
    tags: { Requires: ['filesystem'] },
    files: [{ name: 'usr/lib/libsmall.so.1', data: noise(1_500_000) }],
    scripts: { 'filetriggerin -p <lua> -- /usr/bin': 'io.open("/etc/seen", "a"):write(rpm.next_file() .. "\\n")' },
  },
];

/** Below a mirror of Azure Linux: the folder of packages. */
export const SMALL_RPM_HOME = '3.0/prod/base/x86_64';

/** A signed repository of the small packages below `folder`, in Azure Linux's layout, with the file of its keys. */
export function smallRpmRepository(
  folder: string,
  packages = SMALL_RPMS,
): { root: string; keyring: string; key: RpmKey } {
  const paths = [...makeRpms(join(folder, 'make'), packages).values()];
  const key = makeRpmKey(join(folder, 'gpg'));
  signRpms(paths, key);
  const root = join(folder, 'mirror');
  const home = join(root, SMALL_RPM_HOME);
  mkdirSync(home, { recursive: true });
  for (const path of paths) copyFileSync(path, join(home, basename(path)));
  createRepository(home, key);
  // the key's own folder is its owner's alone
  const keyring = join(folder, 'public.asc');
  copyFileSync(key.publicKey, keyring);
  return { root, keyring, key };
}

/** Flags that build from a small repository. */
export function smallRpmFlags(root: string, keyring: string, cache: string): string[] {
  return [
    ...['--distro', 'cbl-mariner', '--os-version', '3.0', '--arch', 'x86_64', '--packages', 'tools'],
    ...['--repo-url', root, '--keyring', keyring, '--cache-dir', cache],
  ];
}
