import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { collect, memory } from '../../src/bytes/content.ts';
import { sha256 } from '../../src/bytes/digest.ts';
import { compress } from '../../src/compression/compress.ts';
import { ubuntu } from '../../src/distros/ubuntu.ts';
import type { Tree } from '../../src/tree/tree.ts';
import { treeOf } from '../support/big-guest.ts';
import { osbuilder } from '../support/cli.ts';
import { ar, type SmallDeb, tar } from '../support/debs.ts';
import { makeKey, type RepositoryKey, type RepositorySuite, writeRepository } from '../support/repository.ts';
import { type StaticServer, serve } from '../support/server.ts';

/** Packages shaped like Ubuntu's: two zstd members. Some are in universe, some have newer versions in other suites. */
interface UbuntuDeb extends SmallDeb {
  readonly component?: 'main' | 'universe';
  readonly suite?: string;
}

function guest(architecture: string): UbuntuDeb[] {
  const triplet = architecture === 'amd64' ? 'x86_64-linux-gnu' : 'aarch64-linux-gnu';
  const own = { architecture };
  const program = (name: string) => [
    { name: './usr/' },
    { name: './usr/bin/' },
    { name: `./usr/bin/${name}`, data: `${name} ${architecture}`, mode: 0o755 },
  ];
  const simple = (name: string, fields = ''): UbuntuDeb => ({ ...own, name, fields, files: program(name) });
  return [
    {
      ...own,
      name: 'base-files',
      version: '13ubuntu10',
      fields: 'Essential: yes\nPriority: required\n',
      files: [
        ...['./', './etc/', './usr/', './usr/bin/', './usr/sbin/', './usr/lib/', './var/', './tmp/'].map((name) => ({
          name,
        })),
        ...['bin', 'sbin', 'lib'].map((name) => ({ name: `./${name}`, type: '2', link: `usr/${name}` })),
        { name: './etc/os-release', data: 'ID=ubuntu\nVERSION_ID="24.04"\n' },
      ],
    },
    {
      ...own,
      name: 'libc6',
      version: '2.39-0ubuntu8',
      fields: 'Priority: required\nMulti-Arch: same\n',
      files: [{ name: `./usr/lib/${triplet}/libc.so.6`, data: 'c' }],
    },
    { ...simple('chrony', 'Depends: libc6 (>= 2.39)\n'), version: '4.5-1ubuntu4' },
    {
      ...simple('chrony', 'Depends: libc6 (>= 2.39)\n'),
      version: '4.5-1ubuntu4.1',
      suite: 'noble-updates',
      files: program('chrony-updated'),
    },
    { ...simple('dbus', 'Depends: libdbus-1-3\n'), version: '1.14.10-4ubuntu4' },
    { ...simple('libdbus-1-3'), version: '1.14.10-4ubuntu4' },
    {
      ...simple('dbus', 'Depends: libdbus-1-3\n'),
      version: '1.14.10-4ubuntu4.2',
      suite: 'noble-security',
      files: program('dbus-secured'),
    },
    ...['iptables', 'cryptsetup-bin', 'e2fsprogs', 'libseccomp2'].map((name) => simple(name)),
    { name: 'ca-certificates', architecture: 'all', files: program('update-ca-certificates') },
    { ...simple('init', 'Depends: systemd-sysv\n'), files: [] },
    {
      ...own,
      name: 'systemd-sysv',
      files: [{ name: './usr/sbin/init', type: '2', link: '../lib/systemd/systemd' }],
      fields: 'Depends: systemd-fake\n',
    },
    { ...own, name: 'systemd-fake', files: [{ name: './usr/lib/systemd/systemd', data: '\x7fELF', mode: 0o755 }] },
    { ...simple('hello', 'Depends: libc6\n'), component: 'universe' },
  ];
}

async function zstdDeb(small: UbuntuDeb): Promise<Buffer> {
  const { name, version = '1', architecture = 'amd64', fields = '' } = small;
  const control = `Package: ${name}\nVersion: ${version}\nArchitecture: ${architecture}\nMaintainer: Nobody <nobody@example.org>\n${fields}Description: made for a test\n`;
  const packed = (bytes: Buffer) => collect(compress(memory(bytes).open(), 'zstd'));
  return ar([
    { name: 'debian-binary', data: Buffer.from('2.0\n') },
    { name: 'control.tar.zst', data: await packed(tar([{ name: './' }, { name: './control', data: control }])) },
    { name: 'data.tar.zst', data: await packed(tar(small.files)) },
  ]);
}

/** Lays an archive out as Ubuntu's are: pool by component, three suites. */
async function archive(root: string, architecture: string, key: RepositoryKey): Promise<void> {
  const stanzas: Record<string, Record<string, string[]>> = {};
  for (const small of guest(architecture)) {
    const {
      name,
      version = '1',
      architecture: own = 'amd64',
      fields = '',
      component = 'main',
      suite = 'noble',
    } = small;
    const bytes = await zstdDeb(small);
    const path = `pool/${component}/${name[0]}/${name}/${name}_${version}_${own}.deb`;
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), bytes);
    stanzas[suite] ??= {};
    stanzas[suite][component] ??= [];
    stanzas[suite][component].push(
      `Package: ${name}\nArchitecture: ${own}\nVersion: ${version}\n${fields}Filename: ${path}\nSize: ${bytes.length}\nSHA256: ${sha256(bytes)}\nDescription: made for a test\n`,
    );
  }
  const suites = ['noble', 'noble-updates', 'noble-security'].map(
    (suite): RepositorySuite => ({
      suite,
      codename: 'noble',
      origin: 'Ubuntu',
      label: 'Ubuntu',
      fields: { Version: '24.04' },
      keys: [key],
      byHash: true,
      components: Object.fromEntries(
        ['main', 'universe'].map((component) => [component, { [architecture]: stanzas[suite]?.[component] ?? [] }]),
      ),
    }),
  );
  await writeRepository(root, { suites });
}

const folder = mkdtempSync(join(tmpdir(), 'osbuilder-test-'));
const closing: (() => void | Promise<void>)[] = [];
after(async () => {
  for (const close of closing) await close();
  rmSync(folder, { recursive: true, force: true });
});
let server: StaticServer;
let keyring: string;
let count = 0;

before(async () => {
  const key = await makeKey({ name: 'Ubuntu Archive Test <archive@example.org>', rsa: true });
  await archive(join(folder, 'www/ubuntu'), 'amd64', key);
  await archive(join(folder, 'www/ubuntu-ports'), 'arm64', key);
  keyring = join(folder, 'keyring.asc');
  writeFileSync(keyring, key.armored);
  server = await serve({ after: (close) => void closing.push(close) }, join(folder, 'www'));
});

async function build(
  args: readonly string[],
): Promise<{ tree: Tree; packages: Map<string, { version: string; url: string; architecture: string }> }> {
  const path = join(folder, `${++count}.tar`);
  const result = await osbuilder(
    ['rootfs', '--cache-dir', join(folder, 'cache'), '--agent', 'demo', '--json', ...args, '-o', path],
    {
      env: { http_proxy: '' },
    },
  );
  assert.equal(result.code, 0, result.stderr);
  const { packages } = JSON.parse(result.stdout);
  return {
    tree: await treeOf(path, folder),
    packages: new Map(packages.map((one: { name: string }) => [one.name, one])),
  };
}

const ALWAYS = ['chrony', 'iptables', 'dbus', 'cryptsetup-bin', 'e2fsprogs', 'ca-certificates'];

for (const [uname, own, path] of [
  ['x86_64', 'amd64', 'ubuntu'],
  ['aarch64', 'arm64', 'ubuntu-ports'],
] as const)
  test(`an Ubuntu guest for ${uname} from its archive`, async () => {
    const { tree, packages } = await build([
      ...['--distro', 'ubuntu', '--os-version', 'noble', '--arch', uname, '--keyring', keyring],
      ...['--repo-url', `${server.url}/${path}`, '--repo-suites', 'noble noble-updates noble-security'],
    ]);
    for (const name of [...ALWAYS, 'init', 'libseccomp2', 'libdbus-1-3', 'base-files', 'libc6'])
      assert.ok(packages.has(name), name);
    assert.ok(!packages.has('coreutils') && !packages.has('hello'));
    assert.equal(packages.get('chrony')!.version, '4.5-1ubuntu4.1');
    assert.equal(packages.get('dbus')!.version, '1.14.10-4ubuntu4.2');
    assert.equal(packages.get('libc6')!.architecture, own);
    assert.equal(packages.get('ca-certificates')!.architecture, 'all');
    assert.ok(packages.get('libc6')!.url.startsWith(`${server.url}/${path}/pool/main/l/libc6/`));
    assert.ok(tree.has('usr/bin/chrony-updated') && !tree.has('usr/bin/chrony'));
    assert.ok(tree.has('usr/bin/dbus-secured') && !tree.has('usr/bin/dbus'));
    assert.equal(tree.text('bin/iptables'), `iptables ${own}`);
    assert.match(tree.text('var/lib/osbuilder/osbuilder.yaml')!, /name: "ubuntu"\n {2}version: "noble"/);
    assert.match(tree.text('var/lib/osbuilder/osbuilder.yaml')!, new RegExp(`^architecture: "${uname}"$`, 'm'));
    assert.ok(
      server.requests.some((asked) => asked.path.startsWith(`/${path}/dists/noble/main/binary-${own}/by-hash/SHA256/`)),
    );
    assert.ok(!server.requests.some((asked) => asked.path.includes('/universe/')));
  });

test('release names and numbers, components and versions of Ubuntu', async () => {
  const common = ['--distro', 'ubuntu', '--arch', 'amd64', '--keyring', keyring, '--repo-url', `${server.url}/ubuntu`];
  const { packages } = await build([
    ...common,
    '--os-version',
    '24.04',
    '--repo-components',
    'main universe',
    '--extra-pkgs',
    'hello',
  ]);
  assert.ok(packages.get('hello')!.url.includes('/pool/universe/h/hello/'));
  assert.equal(packages.get('chrony')!.version, '4.5-1ubuntu4');
  const missing = await osbuilder([
    'plan',
    ...common,
    '--os-version',
    '24.04',
    '--extra-pkgs',
    'hello',
    '--cache-dir',
    join(folder, 'cache'),
  ]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /hello.*\[[A-Z_]+\]/);
  const component = await osbuilder([
    'plan',
    ...common,
    '--os-version',
    'noble',
    '--repo-components',
    'main multiverse',
    '--cache-dir',
    join(folder, 'cache'),
  ]);
  assert.equal(component.code, 1);
  assert.match(component.stderr, /multiverse/);
});

test('Ubuntu’s archives are trusted by their own keys alone', async () => {
  const result = await osbuilder([
    ...['plan', '--distro', 'ubuntu', '--os-version', 'noble', '--arch', 'amd64', '--repo-url', `${server.url}/ubuntu`],
    ...['--cache-dir', join(folder, 'other-cache'), '--json'],
  ]);
  assert.equal(result.code, 1);
  assert.match(JSON.parse(result.stdout).error.code, /^SIGN/);
  assert.match(JSON.parse(result.stdout).error.hint, /--keyring/);
});

test('a distribution of one’s own, like Ubuntu', async () => {
  const profile = join(folder, 'mine.yaml');
  const repositories = [
    {
      name: 'main',
      urls: [`${server.url}/ubuntu`],
      suite: '{release}',
      components: ['main', 'universe'],
      architectures: ['amd64'],
    },
    {
      name: 'ports',
      urls: [`${server.url}/ubuntu-ports`],
      suite: '{release}',
      components: ['main', 'universe'],
      architectures: ['arm64'],
    },
  ];
  // JSON is YAML
  writeFileSync(
    profile,
    `like: ubuntu\nname: mine\ntitle: Mine\norigin: Mine\nkeyring: [${keyring}]\nreleases: [{ name: noble, version: '1' }]\nrepositories: ${JSON.stringify(repositories)}\npackages: { always: [hello], systemd: [init] }\n`,
  );
  for (const [arch, path] of [
    ['amd64', 'ubuntu'],
    ['arm64', 'ubuntu-ports'],
  ] as const) {
    const { tree, packages } = await build(['--profile', profile, '--arch', arch]);
    assert.ok(packages.has('hello') && packages.has('init') && packages.has('libseccomp2'));
    assert.ok(!packages.has('chrony'));
    assert.ok(packages.get('hello')!.url.startsWith(`${server.url}/${path}/`));
    assert.equal(tree.text('usr/bin/hello'), `hello ${arch}`);
    assert.match(tree.text('var/lib/osbuilder/osbuilder.yaml')!, /name: "mine"\n {2}version: "noble"/);
  }
});

test('the built-in profile names the packages, releases and archives that Kata’s users expect', () => {
  assert.deepEqual(ubuntu.packages.always, ALWAYS);
  assert.deepEqual(
    ubuntu.releases.map(({ name }) => name),
    ['resolute', 'noble', 'jammy'],
  );
  assert.deepEqual(
    ubuntu.repositories
      .filter(({ architectures }) => architectures?.includes('arm64'))
      .map(({ urls, suite }) => `${urls[0]} ${suite}`),
    ['', '-updates', '-security'].map((ending) => `http://ports.ubuntu.com/ubuntu-ports {release}${ending}`),
  );
});
