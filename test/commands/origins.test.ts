import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { DATABASE_NAMES, FAMILY_NAMES } from '../../src/families/families.ts';
import { osbuilder } from '../support/cli.ts';
import { needs } from '../support/data.ts';
import { tar } from '../support/debs.ts';
import { type AbstractPackage, FAMILIES_UNDER_TEST, type MadeRepository } from '../support/family-repository.ts';
import { type StaticServer, serve } from '../support/server.ts';

/** `why`, `which` and the packages that `inspect` lists, for every family over the same packages. */

test('the database of every family is read', () => {
  assert.deepEqual([...DATABASE_NAMES].sort(), [...FAMILY_NAMES].sort());
});

const folders = (...names: string[]) => names.map((name) => ({ name: `${name}/` }));

const PACKAGES: readonly AbstractPackage[] = [
  {
    name: 'base',
    files: [
      ...folders('etc', 'usr', 'usr/bin', 'usr/share', 'usr/share/doc', 'usr/share/doc/base'),
      { name: 'etc/passwd', data: 'root:x:0:0:root:/root:/bin/sh\n' },
      { name: 'etc/group', data: 'root:x:0:\n' },
      { name: 'usr/share/doc/base/README', data: 'read me' },
      { name: 'bin', type: '2', link: 'usr/bin', mode: 0o777 },
    ],
  },
  {
    name: 'tool',
    depends: ['base', 'library'],
    files: [
      ...folders('usr', 'usr/bin'),
      { name: 'usr/bin/tool-1', data: 'tool', mode: 0o755 },
      { name: 'usr/bin/tool', type: '2', link: 'tool-1', mode: 0o777 },
    ],
    script: 'mkdir -p /etc/tool\necho made > /etc/tool/made\nchmod 4755 /usr/bin/tool-1',
  },
  { name: 'library', depends: ['deep'], files: [...folders('usr'), { name: 'usr/library', data: 'library' }] },
  { name: 'deep', files: [...folders('usr'), { name: 'usr/deep', data: 'deep' }] },
];

type Stop = {
  path: string;
  kind: string;
  target?: string;
  packages: { name: string; version: string }[];
  changes?: { by: Record<string, string>; effect: string; properties: string[] }[];
};

for (const family of FAMILIES_UNDER_TEST)
  describe(`origins in packages of ${family.family}`, () => {
    let folder: string;
    let made: MadeRepository;
    let server: StaticServer;
    let kept: string;
    const closing: (() => void | Promise<void>)[] = [];

    const run = async (args: readonly string[], code = 0) => {
      const said = await osbuilder(args);
      assert.equal(said.code, code, said.stderr);
      return said;
    };
    const json = async (args: readonly string[]) => JSON.parse((await run([...args, '--json'])).stdout);
    const sources = () => [
      ...[...family.flags, '--repo-url', server.url, '--keyring', made.keyring, '--packages', 'tool'],
      ...['--cache-dir', join(folder, 'cache'), '--agent', 'demo', '--agent-init'],
    ];

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'osbuilder-origins-'));
      made = await family.make(folder, PACKAGES);
      server = await serve({ after: (fn) => void closing.push(fn) }, made.root);
      kept = join(folder, 'kept.tar');
      await run(['rootfs', ...sources(), family.keepDatabase, '--quiet', '-o', kept]);
    });
    after(async () => {
      for (const close of closing) await close();
      rmSync(folder, { recursive: true, force: true });
    });

    test('why: the chain from a package to what was asked for, of a plan and of an artefact', async () => {
      const chain = async (args: readonly string[]) =>
        (await json(['why', 'deep', ...args])).chain.map(
          (one: { name: string; version: string; reason: string }) => one,
        );
      const plan = await chain(sources());
      assert.deepEqual(
        plan.map((one: { name: string }) => one.name),
        ['deep', 'library', 'tool'],
      );
      assert.match(plan[0].reason, /^library (depends on it|requires deep)/);
      assert.equal(plan[2].reason, 'asked for');
      const artefact = await chain([kept]);
      assert.deepEqual(
        artefact.map(({ name, version }: { name: string; version: string }) => [name, version]),
        plan.map(({ name, version }: { name: string; version: string }) => [name, version]),
      );
      assert.match(artefact[0].reason, /^library depends on it/);
      assert.match(artefact[2].reason, /asked for$/);
      const { stdout } = await run(['why', 'deep', kept]);
      assert.match(
        stdout,
        /^deep +\S+ +library depends on it\nlibrary +\S+ +tool depends on it\ntool +\S+ +.*asked for\n$/,
      );
    });

    test('why: a package that is not there is an error with the nearest name', async () => {
      for (const args of [sources(), [kept]]) {
        const said = await run(['why', 'libary', ...args, '--json'], 1);
        const { code, message, hint } = JSON.parse(said.stdout).error;
        assert.equal(code, 'PACKAGE_ABSENT', message);
        assert.match(hint, /library/);
      }
    });

    const which = async (path: string, args: readonly string[]): Promise<Stop[]> =>
      (await json(['which', path, ...args])).chain;
    const effects = (stop: Stop) =>
      stop.changes!.map(({ by, effect }) => `${effect} ${by['step']} ${by['package'] ?? by['source'] ?? ''}`.trim());

    test('which: every link of the chain with its package, of a guest and of an artefact', async () => {
      for (const args of [sources(), [kept]]) {
        const chain = await which('/bin/tool', args);
        assert.deepEqual(
          chain.map(({ path, kind, target }) => [path, kind, target]),
          [
            ['/bin', 'symlink', 'usr/bin'],
            ['/usr/bin/tool', 'symlink', 'tool-1'],
            ['/usr/bin/tool-1', 'file', undefined],
          ],
        );
        const names = chain.map(({ packages }) => packages.map((one) => one.name));
        assert.deepEqual(names[0], ['base']);
        assert.deepEqual(names.slice(1), [['tool'], ['tool']]);
      }
    });

    test('which: a directory of several packages', async () => {
      for (const args of [sources(), [kept]]) {
        const [stop] = await which('usr', args);
        assert.deepEqual(stop!.packages.map((one) => one.name).sort(), ['base', 'deep', 'library', 'tool']);
      }
    });

    test('which: files, scripts, overlays, the agent, trimming and removals', async () => {
      const overlay = join(folder, 'overlay');
      mkdirSync(join(overlay, 'etc'), { recursive: true });
      writeFileSync(join(overlay, 'etc', 'passwd'), 'root:x:0:0::/:/bin/sh\n');
      writeFileSync(join(overlay, 'etc', 'own'), 'own\n');
      const args = [...sources(), '--overlay', overlay, '--remove', '/usr/deep'];
      const end = async (path: string) => (await which(path, args)).at(-1)!;
      const tool = await end('/usr/bin/tool-1');
      assert.deepEqual(effects(tool), ['created package tool', 'changed script tool']);
      assert.deepEqual(tool.changes![1]!.properties, ['mode']);
      assert.match(tool.changes![1]!.by['script']!, new RegExp(`^${family.script}`));
      assert.deepEqual(effects(await end('/etc/tool/made')), ['created script tool']);
      assert.deepEqual(effects(await end('/etc/passwd')), ['created package base', `changed overlay ${overlay}`]);
      assert.deepEqual(effects(await end('/etc/own')), [`created overlay ${overlay}`]);
      const removed = await end('/usr/deep');
      assert.equal(removed.kind, 'missing');
      assert.deepEqual(effects(removed), ['created package deep', 'removed remove /usr/deep']);
      const agent = await end('/sbin/init');
      assert.deepEqual(effects(agent), ['created agent']);
      const readme = await end('/usr/share/doc/base/README');
      assert.deepEqual([readme.kind, effects(readme)[1]], ['missing', 'removed trim']);
      const { stdout } = await run(['which', '/usr/deep', ...args]);
      assert.match(stdout, /^\/usr\/deep \(missing\)\n {2}in package deep \S+\n {2}created by package deep \S+\n/);
      assert.match(stdout, /removed by remove \/usr\/deep\n$/);
    });

    test('which: settings that change no tree are errors, and a path that never was there has a hint', async () => {
      const { stderr } = await run(['which', '/usr', ...sources(), '--force'], 2);
      assert.match(stderr, /--force has no effect/);
      const { stdout } = await run(['which', '/opt/tool-1', kept, '--json'], 1);
      const { code, hint } = JSON.parse(stdout).error;
      assert.equal(code, 'NO_SUCH_PATH');
      assert.match(hint, /\/usr\/bin\/tool-1/);
      assert.equal((await run(['which', '/usr', kept, '--overlay', folder, '--json'], 2)).code, 2);
    });

    test('inspect: the same packages in a folder, an archive, an initrd, a file system and a disk', async () => {
      const forms: Readonly<Record<string, readonly string[]>> = {
        [join(folder, 'kept-folder/')]: ['rootfs', '-o'],
        [join(folder, 'kept.img')]: ['initrd', '-o'],
        [join(folder, 'kept.disk')]: ['image', '--skip-dax-header', '-o'],
      };
      for (const [path, words] of Object.entries(forms))
        await run(
          [words[0]!, kept, ...words.slice(1), path, '--skip-rootfs-check', '--rootfs-only', '--quiet'].filter(
            (word) => !(word === '--skip-rootfs-check' && words[0] === 'rootfs'),
          ),
        );
      for (const path of [kept, ...Object.keys(forms)]) {
        const { packages, databases } = await json(['inspect', path]);
        assert.deepEqual(
          packages.map((one: { name: string }) => one.name).sort(),
          ['base', 'deep', 'library', 'tool'],
          path,
        );
        for (const one of packages) assert.equal(one.family, family.family);
        assert.deepEqual(databases, [{ family: family.family, folder: `/${family.database}`, count: 4 }]);
      }
      const { stdout } = await run(['inspect', kept]);
      assert.match(stdout, new RegExp(`\n4 packages \\(${family.family}, /${family.database}\\)\n`));
      for (const { name } of PACKAGES) assert.match(stdout, new RegExp(`^  ${name} +1`, 'm'));
    });
  });

test('a rootfs without a database: inspect lists none, why and which say so', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-origins-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'bare.tar');
  writeFileSync(path, tar([{ name: 'etc/' }, { name: 'etc/file', data: 'x' }]));
  const said = await osbuilder(['inspect', path, '--json']);
  assert.deepEqual(JSON.parse(said.stdout).packages, []);
  for (const words of [
    ['why', 'bash', path],
    ['which', '/etc/file', path],
  ]) {
    const { code, stderr } = await osbuilder(words);
    assert.equal(code, 1);
    assert.match(stderr, /\[DATABASE_MISSING\]/);
  }
});

test('databases of damaged and unusual guests', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-origins-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const inspect = async (name: string, files: Readonly<Record<string, string>>) => {
    const path = join(folder, `${name}.tar.gz`);
    writeFileSync(path, gzipSync(tar(Object.entries(files).map(([file, data]) => ({ name: file, data })))));
    return osbuilder(['inspect', path, '--json']);
  };
  const stanza = (name: string, status: string) =>
    `Package: ${name}\nStatus: ${status}\nVersion: 1\nArchitecture: all\nInstalled-Size: 3\n\n`;
  const states = await inspect('states', {
    'var/lib/dpkg/status':
      stanza('here', 'install ok installed') +
      stanza('gone', 'deinstall ok config-files') +
      stanza('half', 'install ok unpacked') +
      stanza('never', 'purge ok not-installed'),
  });
  assert.deepEqual(
    JSON.parse(states.stdout).packages.map((one: { name: string; size: number }) => [one.name, one.size]),
    [
      ['here', 3072],
      ['half', 3072],
    ],
  );
  // images of containers that have no package manager
  const distroless = await inspect('distroless', {
    'var/lib/dpkg/status.d/base': 'Package: base-files\nVersion: 12\nArchitecture: all\n',
    'var/lib/dpkg/status.d/base.md5sums': `${'0'.repeat(32)}  etc/debian_version\n`,
  });
  assert.deepEqual(
    JSON.parse(distroless.stdout).packages.map((one: { name: string }) => one.name),
    ['base-files'],
  );
  for (const [name, files, code] of [
    ['deb822', { 'var/lib/dpkg/status': 'no colon here\n' }, 'DEB822_SYNTAX'],
    ['apk', { 'lib/apk/db/installed': 'P:one\nno colon\n' }, 'DATABASE_INVALID'],
    ['nameless', { 'lib/apk/db/installed': 'V:1\n\n' }, 'DATABASE_INVALID'],
    ['escape', { 'lib/apk/db/installed': 'P:a\x1b[2J\nV:1\n\n' }, undefined],
    ['empty', { 'lib/apk/db/installed': '', 'var/lib/dpkg/status': '' }, undefined],
  ] as const) {
    const said = await inspect(name, files);
    assert.equal(said.code, code === undefined ? 0 : 1, `${name}: ${said.stderr}`);
    if (code !== undefined) assert.equal(JSON.parse(said.stdout).error.code, code, name);
    assert.doesNotMatch(said.stdout + said.stderr, /\x1b/, name);
  }
  const text = await osbuilder(['inspect', join(folder, 'escape.tar.gz')]);
  assert.doesNotMatch(text.stdout, /\x1b/);
});

test('the packages that dpkg-query lists of its own database', {
  skip: needs({ tools: ['dpkg-query'] }),
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-origins-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  // a copy of this machine's own database, through tar as any rootfs
  const archive = join(folder, 'host.tar');
  const packed = spawnSync('tar', ['-C', '/', '-cf', archive, 'var/lib/dpkg/status', 'var/lib/dpkg/info']);
  assert.equal(packed.status, 0, String(packed.stderr));
  const query = spawnSync('dpkg-query', ['-W', '-f', '${db:Status-Status} ${Package} ${Version} ${Architecture}\n'], {
    encoding: 'utf8',
  });
  const expected = query.stdout
    .split('\n')
    .filter((line) => /^\S/.test(line) && !/^(not-installed|config-files) /.test(line))
    .map((line) => line.replace(/^\S+ /, ''));
  const { stdout, stderr } = await osbuilder(['inspect', archive, '--json']);
  const { packages } = JSON.parse(stdout);
  assert.deepEqual(
    packages.map((one: Record<string, string>) => `${one['name']} ${one['version']} ${one['architecture']}`).sort(),
    expected.sort(),
    stderr,
  );
});
