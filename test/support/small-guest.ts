import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deb, type SmallDeb } from './debs.ts';
import { addDebs, makeKey, type RepositoryKey, type RepositorySuite } from './repository.ts';

/** A distribution of a handful of small packages that exercise what large ones do. */
export const SMALL_PACKAGES: readonly SmallDeb[] = [
  {
    name: 'base-files',
    fields: 'Essential: yes\nPriority: required\n',
    files: [
      { name: './' },
      { name: './etc/' },
      { name: './etc/os-release', data: 'ID=small\n' },
      { name: './usr/' },
      { name: './usr/bin/' },
      { name: './usr/sbin/' },
      { name: './usr/lib/' },
      { name: './bin', type: '2', link: 'usr/bin' },
      { name: './sbin', type: '2', link: 'usr/sbin' },
      { name: './lib', type: '2', link: 'usr/lib' },
      { name: './tmp/', mode: 0o1777 },
      { name: './var/' },
    ],
  },
  {
    name: 'tools',
    version: '1:2.0-3',
    fields: 'Priority: required\nDepends: libsmall (>= 1)\nPre-Depends: base-files\n',
    control: { conffiles: '/etc/tools.conf\n' },
    files: [
      { name: './usr/' },
      { name: './usr/bin/' },
      { name: './usr/bin/tool', data: '#!/bin/sh\necho tool\n', mode: 0o4755 },
      { name: './usr/bin/tool-again', type: '1', link: './usr/bin/tool' },
      { name: './etc/' },
      { name: './etc/tools.conf', data: 'a=1\n' },
      { name: `./usr/share/${'long-'.repeat(24)}name/`, mode: 0o755 },
      { name: `./usr/share/${'long-'.repeat(24)}name/grüße.txt`, data: 'x' },
    ],
  },
  {
    name: 'libsmall',
    fields: 'Multi-Arch: same\n',
    files: [
      { name: './usr/' },
      { name: './usr/lib/' },
      { name: './usr/lib/libsmall.so.1', data: Buffer.alloc(400_000, 'libsmall') },
    ],
  },
  {
    name: 'extra',
    fields: 'Recommends: tools\n',
    files: [{ name: './usr/' }, { name: './usr/share/' }, { name: './usr/share/extra', data: 'extra' }],
  },
];

/** A signed repository of the small packages in `folder`, with the file of its keyring. */
export async function smallRepository(
  folder: string,
  suite: Partial<RepositorySuite> = {},
  packages: readonly SmallDeb[] = SMALL_PACKAGES,
): Promise<{ root: string; keyring: string; key: RepositoryKey }> {
  const debs = join(folder, 'debs');
  mkdirSync(debs, { recursive: true });
  const paths = packages.map((one) => {
    const path = join(
      debs,
      `${one.name}_${(one.version ?? '1').replace(/^\d+:/, '')}_${one.architecture ?? 'amd64'}.deb`,
    );
    writeFileSync(path, deb(one));
    return path;
  });
  const key = await makeKey();
  const root = join(folder, 'repository');
  await addDebs(root, {
    suite: 'trixie',
    codename: 'trixie',
    debs: paths,
    architectures: ['amd64'],
    keys: [key],
    ...suite,
  });
  const keyring = join(folder, 'keyring.gpg');
  writeFileSync(keyring, key.publicKey);
  return { root, keyring, key };
}

/** Flags that build from a small repository. */
export function smallFlags(root: string, keyring: string, cache: string): string[] {
  return [
    ...['--distro', 'debian', '--os-version', 'trixie', '--arch', 'amd64', '--packages', 'extra'],
    ...['--repo-url', root, '--keyring', keyring, '--cache-dir', cache],
  ];
}
