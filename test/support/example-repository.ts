import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { alpine } from '../../src/distros/alpine.ts';
import { debian } from '../../src/distros/debian.ts';
import { apk, apkRepository, testKey, writeFiles } from './apks.ts';
import { deb, type SmallDeb } from './debs.ts';
import { addDebs, makeKey } from './repository.ts';

/** Flags that name a made repository in place of a distribution's own. */
export type RepositoryFlags = readonly string[];

const folders = (...names: string[]) => names.map((name) => ({ name: `./${name}/` }));

/** The packages of Debian's profile, each with one file, and enough of a base to start. */
function debianPackages(more: readonly string[]): SmallDeb[] {
  const { always, systemd = [], seccomp = [] } = debian.packages;
  const named = [...always, ...systemd, ...seccomp, 'nftables', 'jq', ...more].map(
    (name): SmallDeb => ({
      name,
      architecture: 'all',
      fields: systemd.includes(name) ? 'Depends: systemd-sysv\n' : '',
      files: [...folders('usr', 'usr/share', `usr/share/${name}`), { name: `./usr/share/${name}/file`, data: name }],
    }),
  );
  return [
    {
      name: 'base-files',
      architecture: 'all',
      fields: 'Essential: yes\nPriority: required\n',
      files: [
        ...folders(
          'etc',
          'etc/cron.daily',
          'usr',
          'usr/bin',
          'usr/lib',
          'usr/lib/some-linux',
          'usr/lib/some-linux/gconv',
        ),
        ...folders('usr/sbin', 'var', 'var/log'),
        ...['bin', 'lib', 'sbin'].map((name) => ({ name: `./${name}`, type: '2', link: `usr/${name}` })),
        { name: './etc/passwd', data: 'root:x:0:0:root:/root:/bin/sh\n' },
        { name: './etc/group', data: 'root:x:0:\n' },
        { name: './etc/cron.daily/task', data: '#!/bin/sh\n', mode: 0o755 },
        { name: './usr/lib/some-linux/gconv/UTF-32.so', data: 'gconv' },
      ],
    },
    {
      name: 'systemd-sysv',
      architecture: 'all',
      files: [
        ...folders('usr', 'usr/lib', 'usr/lib/systemd', 'usr/sbin'),
        { name: './usr/lib/systemd/systemd', data: 'systemd', mode: 0o755 },
        { name: './usr/sbin/init', type: '2', link: '../lib/systemd/systemd' },
      ],
    },
    ...named,
  ];
}

/** Makes Debian's archive below `root`, for three architectures, with `more` packages; its keyring file. */
export async function makeDebian(folder: string, root: string, more: readonly string[] = []): Promise<string> {
  const debs = join(folder, 'debs');
  mkdirSync(debs, { recursive: true });
  const paths = debianPackages(more).map((one) => {
    const path = join(debs, `${one.name}_1_all.deb`);
    writeFileSync(path, deb(one));
    return path;
  });
  const key = await makeKey();
  const suite = { suite: 'trixie', codename: 'trixie', architectures: ['amd64', 'arm64', 'ppc64el'] };
  await addDebs(join(root, 'debian'), { ...suite, debs: paths, keys: [key] });
  const keyring = join(folder, 'debian.gpg');
  writeFileSync(keyring, key.publicKey);
  return keyring;
}

/** Makes Alpine's archive below `root`; its keyring file. */
export function makeAlpine(folder: string, root: string): string {
  const { always, seccomp = [] } = alpine.packages;
  const release = alpine.releases[0]!.name;
  const packages = [...always, ...seccomp, 'curl'].map((name) =>
    apk({ name, files: [{ name: 'usr/' }, { name: 'usr/share/' }, { name: `usr/share/${name}.txt`, data: name }] }),
  );
  writeFiles(root, apkRepository(`alpine/v${release}/main/x86_64`, packages));
  const keyring = join(folder, testKey().name);
  writeFileSync(keyring, testKey().pem);
  return keyring;
}

/** A folder with one package that no distribution has. */
export function makeLocalPackages(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const files = [...folders('usr', 'usr/bin'), { name: './usr/bin/hello-guest', data: '#!/bin/sh\n', mode: 0o755 }];
  writeFileSync(join(folder, 'hello-guest_1_all.deb'), deb({ name: 'hello-guest', architecture: 'all', files }));
}
