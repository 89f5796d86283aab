import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { treeOf } from '../../support/big-guest.ts';
import { osbuilder } from '../../support/cli.ts';
import { temporary } from '../../support/data.ts';
import { deb, type SmallDeb } from '../../support/debs.ts';
import { makeKey, stanzaOf, writeRepository } from '../../support/repository.ts';
import { SMALL_PACKAGES, smallFlags } from '../../support/small-guest.ts';

const tool = (name: string, text: string, more: Partial<SmallDeb> = {}): SmallDeb => ({
  name,
  files: [{ name: './usr/' }, { name: './usr/share/' }, { name: `./usr/share/${name}`, data: text }],
  ...more,
});

/** A repository of the small packages and `more`, whose stanzas `change` may alter; flags that build from it. */
async function archive(t: TestContext, more: readonly SmallDeb[] = [], change = (stanza: string) => stanza) {
  const folder = temporary(t);
  const debs = [...SMALL_PACKAGES, ...more].map((one) => {
    const path = join(folder, `${one.name}_${one.version ?? '1'}_${one.architecture ?? 'amd64'}.deb`);
    writeFileSync(path, deb(one));
    return path;
  });
  const key = await makeKey();
  const root = join(folder, 'repository');
  const stanzas = await Promise.all(debs.map(async (path) => change(await stanzaOf(path))));
  await writeRepository(root, {
    suites: [{ suite: 'trixie', codename: 'trixie', components: { main: { amd64: stanzas } }, keys: [key] }],
    debs,
  });
  const keyring = join(folder, 'keyring.gpg');
  writeFileSync(keyring, key.publicKey);
  const write = (file: string, bytes: Uint8Array) => {
    mkdirSync(join(folder, 'own'), { recursive: true });
    writeFileSync(join(folder, 'own', file), bytes);
    return join(folder, 'own', file);
  };
  return { folder, write, flags: [...smallFlags(root, keyring, join(folder, 'cache')), '--rootfs-only'] };
}

async function build(t: TestContext, flags: readonly string[], options: { cwd?: string } = {}) {
  const folder = temporary(t);
  const out = join(folder, 'guest.tar');
  const { code, stdout, stderr } = await osbuilder(['rootfs', ...flags, '--json', '-o', out], options);
  assert.equal(code, 0, stderr);
  return { tree: await treeOf(out, folder), document: JSON.parse(stdout) };
}

/** Code and message of the error that a build with these flags ends with. */
async function failure(t: TestContext, flags: readonly string[]): Promise<string> {
  const { code, stdout } = await osbuilder(['rootfs', ...flags, '--json', '-o', join(temporary(t), 'guest.tar')]);
  assert.equal(code, 1, stdout);
  const { error } = JSON.parse(stdout);
  return `${error.code} ${error.message}`;
}

test('package files among the packages: the file wins, its dependencies come from the archive', async (t) => {
  const { flags, write, folder } = await archive(t, [
    tool('mine', 'archive', { version: '9' }),
    tool('helper', 'helper'),
  ]);
  const path = write('mine.deb', deb(tool('mine', 'file', { fields: 'Depends: helper\n' })));
  for (const spelling of [path, pathToFileURL(path).href, './own/mine.deb', '../own/mine.deb']) {
    const cwd = spelling.startsWith('../') ? join(folder, 'own') : folder;
    const { tree, document } = await build(t, [...flags, '--extra-pkgs', spelling], { cwd });
    assert.equal(tree.text('usr/share/mine'), 'file', spelling);
    assert.equal(tree.text('usr/share/helper'), 'helper');
    const found = document.packages.find((one: { name: string }) => one.name === 'mine');
    assert.deepEqual([found.version, found.reason], ['1', 'asked for']);
  }
  // the same version as in the archive, but other bytes
  const same = write('same.deb', deb(tool('mine', 'other', { version: '9' })));
  assert.equal((await build(t, [...flags, '--extra-pkgs', same])).tree.text('usr/share/mine'), 'other');
  // files that depend on each other
  const first = write('first.deb', deb(tool('first', '1', { fields: 'Depends: second\n' })));
  const second = write('second.deb', deb(tool('second', '2', { architecture: 'all' })));
  assert.ok((await build(t, [...flags, '--extra-pkgs', `${first} ${second}`])).tree.has('usr/share/second'));
});

test('package files that cannot be installed are errors before anything is fetched', async (t) => {
  const { flags, write } = await archive(t);
  const whole = deb(tool('mine', 'x'.repeat(100_000)));
  // no mirror is contacted: this one does not answer
  const dead = flags.map((flag, i) => (flags[i - 1] === '--repo-url' ? 'http://127.0.0.1:1/' : flag));
  const cases: readonly (readonly [string, RegExp])[] = [
    ['./missing.deb', /^PACKAGE_FILE package file \/.*missing\.deb: no such file/],
    ['file:///missing.deb', /^PACKAGE_FILE package file \/missing\.deb: no such file/],
    ['/tmp', /^PACKAGE_FILE package file \/tmp: it is not a file/],
    [
      write('arm.deb', deb(tool('mine', '', { architecture: 'arm64' }))),
      /^PACKAGE_FILE .*it is for arm64, and the guest is for amd64/,
    ],
    [write('text.deb', Buffer.from('hello')), /^(AR|DEB)_/],
    [write('empty.deb', new Uint8Array()), /text|empty|AR_|DEB_/],
    ...[10, 100, whole.length >> 1, whole.length - 3].map(
      (size) => [write(`cut${size}.deb`, whole.subarray(0, size)), /^(?!CONNECTION)[A-Z_]+ .*cut\d+\.deb/] as const,
    ),
  ];
  for (const [path, expected] of cases) assert.match(await failure(t, [...dead, '--extra-pkgs', path]), expected, path);
});

test('a secondary suite without the architecture is skipped with a warning; the main suite must have it', async (t) => {
  const folder = temporary(t);
  const key = await makeKey();
  const root = join(folder, 'repository');
  const debs = SMALL_PACKAGES.map((one) => {
    const path = join(folder, `${one.name}.deb`);
    writeFileSync(path, deb({ ...one, architecture: 's390x' }));
    return path;
  });
  const stanzas = await Promise.all(debs.map((path) => stanzaOf(path)));
  const suite = (name: string, architecture: string, list: readonly string[]) => ({
    suite: name,
    codename: name,
    components: { main: { [architecture]: list } },
    keys: [key],
  });
  await writeRepository(root, {
    suites: [suite('trixie', 's390x', stanzas), suite('trixie-security', 'amd64', []), suite('old', 'amd64', [])],
    debs,
  });
  const keyring = join(folder, 'keyring.gpg');
  writeFileSync(keyring, key.publicKey);
  const profile = (main: string) => {
    const path = join(folder, `${main}.yml`);
    const repository = (name: string, of: string) =>
      `  - {name: ${name}, urls: [${root}], suite: ${of}, components: [main]}\n`;
    writeFileSync(
      path,
      `like: debian\nname: small\nkeyring: [${keyring}]\nrepositories:\n${repository('main', main)}${repository('security', 'trixie-security')}packages: {always: []}\n`,
    );
    return path;
  };
  const plan = (main: string, ...more: readonly string[]) =>
    osbuilder(
      [
        'plan',
        '--profile',
        profile(main),
        '--os-version',
        'trixie',
        '--arch',
        's390x',
        '--agent-init',
        'yes',
        '--seccomp',
        'no',
        '--json',
        ...more,
      ],
      {
        env: { OSBUILDER_CACHE_DIR: join(folder, 'cache') },
      },
    );
  const skipped = await plan('trixie');
  assert.equal(skipped.code, 0, skipped.stderr + skipped.stdout);
  const { warnings, packages } = JSON.parse(skipped.stdout);
  assert.deepEqual(
    warnings.map(({ code }: { code: string }) => code),
    ['SUITE_SKIPPED'],
  );
  assert.match(warnings[0].message, /trixie-security\/InRelease has no packages for s390x \(only amd64\)/);
  assert.ok(packages.some(({ name }: { name: string }) => name === 'base-files'));
  for (const failed of [await plan('old'), await plan('trixie', '--repo-suites', 'trixie trixie-security')]) {
    assert.equal(failed.code, 1, failed.stdout);
    assert.equal(JSON.parse(failed.stdout).error.code, 'ARCHITECTURE_MISSING');
  }
});

test('an archive whose architecture, name or version differs from the index is an error, from the cache too', async (t) => {
  for (const [field, from, to] of [
    ['Architecture', 'amd64', 'all'],
    ['Version', '1', '2'],
  ] as const) {
    const { flags } = await archive(t, [tool('odd', 'odd')], (stanza) =>
      stanza.startsWith('Package: odd\n') ? stanza.replace(`${field}: ${from}`, `${field}: ${to}`) : stanza,
    );
    for (let i = 0; i < 2; i++)
      assert.match(await failure(t, [...flags, '--extra-pkgs', 'odd']), /^DEB_MISMATCH .*odd.* was promised/, field);
  }
});

test('SHA-512 alone is sufficient, MD5 and SHA-1 are not; a stanza without a file is an error', async (t) => {
  const digests = (names: readonly string[]) => (stanza: string) => {
    if (!stanza.startsWith('Package: odd\n')) return stanza;
    const bytes = deb(tool('odd', 'odd'));
    const lines = names.map(
      (name) => `${name}: ${createHash(name.toLowerCase().replace('md5sum', 'md5')).update(bytes).digest('hex')}\n`,
    );
    return stanza.replace(/SHA256:.*\n/, lines.join(''));
  };
  const odd = [tool('odd', 'odd')];
  const good = await archive(t, odd, digests(['SHA512', 'MD5sum']));
  for (let i = 0; i < 2; i++)
    assert.equal((await build(t, [...good.flags, '--extra-pkgs', 'odd'])).tree.text('usr/share/odd'), 'odd');
  for (const names of [[], ['MD5sum'], ['SHA1'], ['MD5sum', 'SHA1']]) {
    const { flags } = await archive(t, odd, digests(names));
    const message = await failure(t, [...flags, '--extra-pkgs', 'odd']);
    assert.match(message, /^PACKAGE_UNPROVEN .*repository: its package list has neither .* of odd 1/);
  }
  const wrong = await archive(t, odd, (stanza) => digests(['SHA512'])(stanza).replace(/(SHA512: .{20})./, '$1x'));
  assert.match(await failure(t, [...wrong.flags, '--extra-pkgs', 'odd']), /^PACKAGE_UNPROVEN /);
  const other = await archive(t, odd, (stanza) =>
    digests(['SHA512'])(stanza).replace(/SHA512: .*/, `SHA512: ${'0'.repeat(128)}`),
  );
  assert.match(await failure(t, [...other.flags, '--extra-pkgs', 'odd']), /^DIGEST_MISMATCH /);
  for (const line of ['', 'Filename:\n', 'Filename:   \n']) {
    const { flags } = await archive(t, odd, (stanza) =>
      stanza.startsWith('Package: odd\n') ? stanza.replace(/Filename:.*\n/, line) : stanza,
    );
    const message = await failure(t, [...flags, '--extra-pkgs', 'odd']);
    assert.match(message, /^PACKAGE_WITHOUT_FILE .*repository: its package list names no file \(Filename\) for odd 1/);
  }
});
