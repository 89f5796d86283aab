import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sha256 } from '../../../src/bytes/digest.ts';
import { osbuilder } from '../../support/cli.ts';
import { data, needs, temporary } from '../../support/data.ts';
import {
  createRepository,
  makeRpmKey,
  makeRpms,
  RPM_TOOLS,
  repomdOf,
  type SmallRpm,
  signRpms,
} from '../../support/rpms.ts';
import { serve } from '../../support/server.ts';

/** What `plan` says. */
async function plan(...args: readonly string[]): Promise<{
  readonly code: number | null;
  readonly names: string[];
  readonly error: string;
  readonly hint: string;
  readonly warnings: string[];
  readonly trust: readonly Readonly<Record<string, unknown>>[];
}> {
  const { code, stdout } = await osbuilder(['plan', '--rootfs-only', '--json', ...args]);
  const document = JSON.parse(stdout) as {
    packages?: { name: string }[];
    warnings?: { code: string }[];
    error?: { code: string; hint?: string };
    repositories?: Record<string, unknown>[];
  };
  return {
    code,
    names: (document.packages ?? []).map((one) => one.name).sort(),
    error: document.error?.code ?? '',
    hint: document.error?.hint ?? '',
    warnings: (document.warnings ?? []).map((one) => one.code),
    trust: document.repositories ?? [],
  };
}

test('without a repository of the user’s own these distributions are not supported yet', async () => {
  for (const distro of ['centos', 'fedora', 'cbl-mariner', 'clearlinux']) {
    const { code, error } = await plan('--distro', distro, '--arch', 'x86_64');
    assert.equal(error, 'NOT_SUPPORTED', distro);
    assert.notEqual(code, 0);
  }
});

describe('repositories in the layout of each distribution', { skip: needs({ tools: RPM_TOOLS }) }, () => {
  let folder: string;
  let signed: string;
  let unsigned: string;
  let keyring: string;
  const closing: (() => void)[] = [];

  before(() => {
    folder = temporary({ after: (fn) => void closing.push(fn) });
    const key = makeRpmKey(join(folder, 'gpg'));
    keyring = key.publicKey;
    const packages = () => [
      { name: 'tool', tags: { Requires: ['library'] }, files: [{ name: 'usr/bin/tool', data: 'tool' }] },
      { name: 'library', version: '2', files: [{ name: 'usr/lib/library', data: 'library' }] },
    ];
    const repository = (name: string, paths: Iterable<string>) => {
      const target = join(folder, name);
      mkdirSync(target);
      for (const path of paths) copyFileSync(path, join(target, basename(path)));
      createRepository(target, key);
      return target;
    };
    unsigned = repository('unsigned', makeRpms(join(folder, 'one'), packages()).values());
    const made = [...makeRpms(join(folder, 'two'), packages()).values()];
    signRpms(made, key);
    signed = repository('signed', made);
  });
  after(() => {
    for (const close of closing) close();
  });

  const LAYOUTS: readonly (readonly [distro: string, release: string, paths: readonly string[], warnings: number])[] = [
    ['centos', '9-stream', ['9-stream/BaseOS/x86_64/os', '9-stream/AppStream/x86_64/os'], 2],
    ['fedora', '43', ['releases/43/Everything/x86_64/os', 'updates/43/Everything/x86_64'], 2],
    ['cbl-mariner', '3.0', ['3.0/prod/base/x86_64'], 0],
  ];

  for (const [distro, release, paths, warnings] of LAYOUTS)
    test(`${distro}: packages from the places of its mirrors`, async (t) => {
      const root = temporary(t);
      for (const path of paths) {
        mkdirSync(join(root, path, '..'), { recursive: true });
        symlinkSync(signed, join(root, path));
      }
      const server = await serve(t, root);
      const flags = ['--distro', distro, '--os-version', release, '--arch', 'x86_64', '--keyring', keyring];
      for (const mirror of [server.url, root]) {
        const cache = ['--cache-dir', join(temporary(t), 'cache')];
        const found = await plan(...flags, ...cache, '--repo-url', mirror, '--packages', 'tool');
        assert.deepEqual([found.error, found.names], ['', ['library', 'tool']]);
        // what is proven by what stands in the report
        for (const one of found.trust) {
          assert.deepEqual([one['packages'], one['metadata']], ['signed', warnings === 0 ? 'signed' : 'none']);
          assert.equal((one['keys'] as string[]).length, warnings === 0 ? 1 : 0);
          assert.match(String(one['sha256']), /^[0-9a-f]{64}$/);
        }
        assert.equal(found.trust.length, paths.length);
        assert.equal(found.warnings.filter((one) => one === 'METADATA_UNPROVEN').length, warnings);
      }
      if (paths.length < 2) return;
      const one = await plan(
        ...flags,
        '--cache-dir',
        join(temporary(t), 'cache'),
        '--repo-url',
        root,
        '--packages',
        'tool',
        '--repo-components',
        distro === 'centos' ? 'BaseOS' : 'fedora',
      );
      assert.equal(one.warnings.length, 1);
    });

  test('clearlinux: the newest release is read; its unsigned packages need a pin or the user’s word', async (t) => {
    const root = temporary(t);
    mkdirSync(join(root, 'releases/43760/clear/x86_64'), { recursive: true });
    symlinkSync(unsigned, join(root, 'releases/43760/clear/x86_64/os'));
    writeFileSync(join(root, 'latest'), '43760\n');
    const run = (...args: string[]) =>
      plan(
        '--distro',
        'clearlinux',
        '--arch',
        'x86_64',
        '--repo-url',
        root,
        '--packages',
        'tool',
        '--cache-dir',
        join(temporary(t), 'cache'),
        ...args,
      );
    assert.equal((await run()).error, 'REPOSITORY_UNPROVEN');
    const accepted = await run('--allow-unauthenticated');
    assert.deepEqual([accepted.error, accepted.names], ['', ['library', 'tool']]);
    assert.ok(accepted.warnings.includes('UNAUTHENTICATED'));
    const pinned = await run('--os-version', '43760', '--repomd-sha256', sha256(repomdOf(unsigned)));
    assert.deepEqual([pinned.error, pinned.names, pinned.warnings], ['', ['library', 'tool'], ['DISTRIBUTION_ENDED']]);
    const [trust] = pinned.trust;
    assert.deepEqual([trust?.['metadata'], trust?.['packages'], trust?.['keys']], ['pinned', 'digest', []]);
    assert.equal((await run('--repomd-sha256', '0'.repeat(64))).error, 'METADATA_UNPINNED');
    assert.equal((await run('--os-version', '12345')).error, 'NOT_FOUND');
    // the guest says it too
    const guest = join(temporary(t), 'guest.tar');
    const flags = ['--distro', 'clearlinux', '--arch', 'x86_64', '--repo-url', root, '--packages', 'tool'];
    const more = ['--allow-unauthenticated', '--agent', 'demo', '--agent-init', '--skip-rootfs-check', '-o', guest];
    const built = await osbuilder(['rootfs', ...flags, ...more, '--cache-dir', join(temporary(t), 'cache')]);
    assert.equal(built.code, 0, built.stderr);
    assert.match(built.stderr, /^warning: Clear Linux ended on 2025-07-18: /m);
    const { stdout } = await osbuilder(['inspect', guest, '--cat', '/var/lib/osbuilder/osbuilder.yaml']);
    assert.match(stdout, /name: "clearlinux"\n {2}version: "latest"\n {2}end-of-life: "2025-07-18"\n/);
    writeFileSync(join(root, 'latest'), '<html>\n');
    assert.equal((await run('--allow-unauthenticated')).error, 'REPO_INVALID');
  });

  test('further repositories: a .repo file with variables, options in brackets, excludes', async (t) => {
    const root = temporary(t);
    mkdirSync(join(root, 'x86_64'));
    symlinkSync(signed, join(root, 'x86_64/3.0'));
    const file = join(root, 'made.repo');
    const write = (extra: string) =>
      writeFileSync(
        file,
        `[made]\nname=Made\nbaseurl=file://${root}/$basearch/$releasever\ngpgkey=file://${keyring}\n${extra}\n[off]\nbaseurl=http://127.0.0.1:1/\nenabled=0\n`,
      );
    write('');
    const flags = [
      '--distro',
      'cbl-mariner',
      '--os-version',
      '3.0',
      '--arch',
      'x86_64',
      '--repo-url',
      unsigned,
      '--allow-unauthenticated',
      '--packages',
      'tool',
    ];
    const run = (...repos: string[]) =>
      plan(...flags, '--cache-dir', join(temporary(t), 'cache'), ...repos.flatMap((one) => ['--repo', one]));
    assert.deepEqual((await run(file)).names, ['library', 'tool']);
    assert.deepEqual((await run(`[priority=1 name=mine] ${signed}`)).names, ['library', 'tool']);
    // a variable of CentOS's own files
    symlinkSync(signed, join(root, 'x86_64/9-stream'));
    const centos = flags.map((one) => (one === 'cbl-mariner' ? 'centos' : one === '3.0' ? '9' : one));
    const stream = join(root, 'stream.repo');
    writeFileSync(stream, `[made]\nbaseurl=file://${root}/$basearch/$stream\ngpgkey=file://${keyring}\n`);
    const cache = ['--cache-dir', join(temporary(t), 'cache'), '--repo', stream];
    assert.deepEqual((await plan(...centos, ...cache)).names, ['library', 'tool']);
    assert.equal((await run(stream)).error, 'REPO_INVALID');
    write('colour=red');
    assert.equal((await run(file)).error, 'REPO_INVALID');
    write('priority=first');
    assert.equal((await run(file)).error, 'REPO_INVALID');
    assert.equal((await run(`[colour=red] ${signed}`)).error, 'SETTING_INVALID');
  });
});

test('lists of files are fetched when a path is needed that primary metadata does not have', {
  skip: needs({ tools: RPM_TOOLS }),
}, async (t) => {
  const folder = temporary(t);
  const root = join(folder, 'mirror');
  const repository = join(root, '3.0/prod/base/x86_64');
  mkdirSync(repository, { recursive: true });
  const made = makeRpms(folder, [
    { name: 'reader', tags: { Requires: ['/usr/share/data/table'] } },
    { name: 'data', files: [{ name: 'usr/share/data/table', data: 't' }] },
    { name: 'lost', tags: { Requires: ['/usr/share/nowhere'] } },
    { name: 'tool', tags: { Requires: ['/usr/bin/helper'] } },
    { name: 'helper', files: [{ name: 'usr/bin/helper', data: 'h' }] },
  ]);
  for (const path of made.values()) copyFileSync(path, join(repository, basename(path)));
  createRepository(repository);
  const server = await serve(t, root);
  const run = async (...packages: string[]) => {
    const before = server.requests.length;
    const found = await plan(
      ...['--distro', 'cbl-mariner', '--os-version', '3.0', '--arch', 'x86_64', '--repo-url', server.url],
      ...['--allow-unauthenticated', '--cache-dir', join(temporary(t), 'cache'), '--packages', packages.join(' ')],
    );
    const lists = server.requests.slice(before).some(({ path }) => path.includes('filelists'));
    return [found.error, found.names, lists];
  };
  assert.deepEqual(await run('tool'), ['', ['helper', 'tool'], false]);
  assert.deepEqual(await run('reader'), ['', ['data', 'reader'], true]);
  assert.deepEqual(await run('/usr/share/data/table'), ['', ['data'], true]);
  assert.deepEqual(await run('lost'), ['RPM_UNSOLVABLE', [], true]);
  assert.deepEqual(await run('/usr/bin/none'), ['PACKAGE_NOT_FOUND', [], false]);
});

test('of a version or an architecture that is not there those are named that are', {
  skip: needs({ tools: RPM_TOOLS }),
}, async (t) => {
  const folder = temporary(t);
  const all: readonly SmallRpm[] = [
    { name: 'tool', version: '1.2' },
    { name: 'tool', version: '1.10' },
    { name: 'tool', version: '0.9', tags: { Epoch: ['1'] } },
    { name: 'tool-devel' },
    { name: 'tools' },
  ];
  const repository = join(folder, 'repository');
  mkdirSync(repository);
  for (const [i, one] of all.entries()) {
    mkdirSync(join(folder, `${i}`));
    for (const path of makeRpms(join(folder, `${i}`), [one]).values())
      copyFileSync(path, join(repository, basename(path)));
  }
  createRepository(repository);
  const hint = async (name: string) => {
    const found = await plan(
      ...['--distro', 'cbl-mariner', '--os-version', '3.0', '--arch', 'x86_64', '--repo-url', repository],
      ...['--allow-unauthenticated', '--cache-dir', join(folder, 'cache'), '--packages', name],
    );
    assert.equal(found.error, 'PACKAGE_NOT_FOUND', name);
    return found.hint;
  };
  const versions = /^of tool there is 1:0\.9-1\.\w+, 1\.10-1\.\w+, 1\.2-1\.\w+$/;
  for (const name of ['tool-2', 'tool-1:1.10', 'tool-1.2-9', 'tool-1.2-1.s390x', 'tool.s390x'])
    assert.match(await hint(name), versions, name);
  assert.match(await hint('tool-devel-3'), /^of tool-devel there is [^,]*$/);
  assert.match(await hint('tool-deve'), /^there is tool-devel/);
  assert.doesNotMatch(await hint('too-1'), /^of /);
  for (const name of [join(folder, 'tool-1.2-1.noarch.rpm'), './tool.rpm', 'tool.rpm', 'https://example.org/tool.rpm'])
    assert.match(await hint(name), /name the folder with the file as --repo, and the package by its name/, name);
  for (const name of ['tool = 1.2', 'tool >= 1']) assert.match(await hint(name), /without blanks: name-1, name=1/);
});

test('CentOS Stream 9: what a guest needs of BaseOS, as dnf decides', {
  skip: needs({ data: ['rpm/c9s-baseos', 'rpm/c9s-appstream'] }),
}, async (t) => {
  const root = temporary(t);
  for (const [name, from] of [
    ['BaseOS', 'rpm/c9s-baseos'],
    ['AppStream', 'rpm/c9s-appstream'],
  ] as const) {
    mkdirSync(join(root, '9-stream', name, 'x86_64'), { recursive: true });
    symlinkSync(data(from), join(root, '9-stream', name, 'x86_64/os'));
  }
  const cache = join(temporary(t), 'cache');
  const run = (...args: string[]) =>
    plan(
      '--distro',
      'centos',
      '--os-version',
      '9-stream',
      '--arch',
      'x86_64',
      '--repo-url',
      root,
      '--cache-dir',
      cache,
      ...args,
    );
  const base = await run('--repo-components', 'BaseOS', '--packages', 'systemd,chrony,iptables,libseccomp');
  assert.equal(base.error, '');
  // measured with dnf 4.14 on the same metadata: 98 packages, 100 with weak dependencies
  assert.equal(base.names.length, 98);
  const weak = await run(
    '--repo-components',
    'BaseOS',
    '--recommends',
    '--packages',
    'systemd,chrony,iptables,libseccomp',
  );
  assert.equal(weak.names.length, 100);
  const group = await run('--repo-components', 'BaseOS', '--packages', '@core');
  assert.equal(group.error, '');
  assert.ok(group.names.includes('bash') && group.names.includes('dnf'), group.names.join(' '));
  assert.equal((await run('--repo-components', 'BaseOS', '--packages', '@corr')).error, 'GROUP_NOT_FOUND');
});
