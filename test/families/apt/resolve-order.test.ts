import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readIndex } from '../../../src/families/apt/packages-read.ts';
import { resolve } from '../../../src/families/apt/resolve.ts';
import { configureOrder } from '../../../src/families/apt/resolver/order.ts';
import { data, needs } from '../../support/data.ts';

const MORE = [
  'chrony',
  'iptables',
  'dbus',
  'init',
  'cryptsetup-bin',
  'e2fsprogs',
  'libseccomp2',
  'kmod',
  'ca-certificates',
];

for (const suite of ['bookworm', 'trixie']) {
  const of = (name: string) => `debian-configure/${suite}.${name}`;
  const list = `deb/solver/${suite}/main/binary-amd64/Packages.xz`;
  const wants = {
    data: [list, of('unpack-order.tsv'), of('configure-order.txt'), of('maintscripts.tar.xz')],
    tools: ['tar', 'xz'],
  };
  test(`${suite}: the base set of a real installation, unpacked and configured in its order`, {
    skip: needs(wants),
  }, async () => {
    const index = await readIndex(
      [
        {
          component: 'main',
          architecture: 'amd64',
          file: data(list),
          compression: 'xz',
          sha256: '',
          bases: [],
          suite,
          codename: suite,
          origin: 'Debian',
          priority: 500,
        },
      ],
      'amd64',
    );
    const names = (path: string) =>
      readFileSync(data(of(path)), 'utf8')
        .trim()
        .split('\n')
        .map((line) => /^[^\s:]+/.exec(line)![0]);
    const unpacked = names('unpack-order.tsv');
    const all = resolve(['?essential', '?priority(required)', ...MORE], index).packages.map((one) => one.package.name);
    assert.deepEqual([...all].sort(), [...unpacked].sort());

    // Essential packages were unpacked first, all together
    const first = resolve(['?essential'], index).packages.map((one) => one.package);
    assert.deepEqual(
      first.map(({ name }) => name),
      unpacked.slice(0, first.length),
    );
    const members = execFileSync('tar', ['-tJf', data(of('maintscripts.tar.xz'))], { encoding: 'utf8' });
    const withPostinst = new Set([...members.matchAll(/([^/\n]+?)(?::\w+)?[./]postinst$/gm)].map((found) => found[1]!));
    assert.ok(withPostinst.has('libc6') && !withPostinst.has('libgcc-s1'));
    assert.deepEqual(
      configureOrder(first, ({ name }) => withPostinst.has(name)).map(({ name }) => name),
      names('configure-order.txt').slice(0, first.length),
    );
  });
}
