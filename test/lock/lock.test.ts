import assert from 'node:assert/strict';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { settingsWithLock } from '../../src/commands/locked-settings.ts';
import { type Lock, lockText, parseLock } from '../../src/lock/lock.ts';
import { lockSchema } from '../../src/lock/schema.ts';
import { settingsFrom } from '../../src/settings/gather.ts';
import { roleOf } from '../../src/settings/role.ts';
import { flagOf, rowOf, SETTING_KEYS } from '../../src/settings/table.ts';
import { osbuilder, type Result, type RunOptions } from '../support/cli.ts';
import { needs, temporary } from '../support/data.ts';
import type { SmallDeb } from '../support/debs.ts';
import { type AbstractPackage, FAMILIES_UNDER_TEST, type MadeRepository } from '../support/family-repository.ts';
import { RPM_TOOLS } from '../support/rpms.ts';
import { type StaticServer, serve } from '../support/server.ts';
import { SMALL_PACKAGES, smallFlags, smallRepository } from '../support/small-guest.ts';

/** Locks of every family: made, built again from every kind of place, updated, and what is an error. */

const PACKAGES: readonly AbstractPackage[] = [
  {
    name: 'base',
    files: [
      ...['etc/', 'usr/', 'usr/bin/'].map((name) => ({ name })),
      { name: 'etc/passwd', data: 'root:x:0:0:root:/root:/bin/sh\n' },
      { name: 'etc/group', data: 'root:x:0:\n' },
    ],
  },
  {
    name: 'tool',
    depends: ['base', 'library'],
    files: [
      ...['usr/', 'usr/bin/'].map((name) => ({ name })),
      { name: 'usr/bin/tool', data: 'tool', mode: 0o4755 },
      { name: 'usr/bin/link', type: '2', link: 'tool', mode: 0o777 },
    ],
    script: 'echo made > /etc/made',
  },
  { name: 'library', files: [{ name: 'usr/' }, { name: 'usr/library', data: 'library', mode: 0o640 }] },
];

/** The same suite later: `library` was built again, and has other bytes under its old name and version. */
const MOVED = PACKAGES.map((one) =>
  one.name === 'library'
    ? { ...one, files: [{ name: 'usr/' }, { name: 'usr/library', data: 'newer', mode: 0o640 }] }
    : one,
);

const sums = ({ stdout, stderr }: Result): string[] => {
  assert.notEqual(stdout, '', stderr);
  return (JSON.parse(stdout) as { outputs: { kind: string; sha256: string }[] }).outputs.map(
    ({ kind, sha256 }) => `${kind} ${sha256}`,
  );
};

const codeOf = ({ stdout, stderr }: Result): { code: string; message: string; hint: string } => {
  assert.notEqual(stdout, '', stderr);
  return (JSON.parse(stdout) as { error: { code: string; message: string; hint: string } }).error;
};

for (const family of FAMILIES_UNDER_TEST)
  describe(`locks of ${family.family}`, { skip: family.family === 'rpm' && needs({ tools: RPM_TOOLS }) }, () => {
    let folder: string;
    let old: MadeRepository;
    let moved: MadeRepository;
    let server: StaticServer;
    let lock: string;
    let made: string[];
    let runs = 0;
    const closing: (() => void | Promise<void>)[] = [];

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'osbuilder-lock-'));
      for (const name of ['old', 'moved', 'inputs']) mkdirSync(join(folder, name));
      old = await family.make(join(folder, 'old'), PACKAGES);
      moved = await family.make(join(folder, 'moved'), MOVED);
      server = await serve({ after: (fn) => closing.push(fn) }, old.root);
      writeFileSync(join(folder, 'inputs/policy.rego'), 'package agent_policy\n');
      mkdirSync(join(folder, 'inputs/overlay/etc'), { recursive: true });
      writeFileSync(join(folder, 'inputs/overlay/etc/over'), 'laid over\n');
      lock = join(folder, 'inputs/osbuilder.lock.json');
      const result = await run(['lock', ...given(), '-o', lock, ...outputs(), '--json'], server.url);
      assert.equal(result.code, 0, result.stderr);
      made = sums(result);
      assert.equal(made.length, family.family === 'apt' ? 3 : 2);
    });
    after(async () => {
      for (const close of closing) await close();
      rmSync(folder, { recursive: true, force: true });
    });

    /** Everything that was said when the lock was made. */
    const given = () => [
      ...family.flags,
      ...['--packages', 'base tool', '--agent', 'demo', '--agent-init', '--no-seccomp', '--keyring', old.keyring],
      ...['--agent-policy-file', join(folder, 'inputs/policy.rego'), '--overlay', join(folder, 'inputs/overlay')],
      family.keepDatabase,
    ];
    /** Fresh outputs. */
    const outputs = () => {
      const at = join(folder, `out-${++runs}`);
      const image = family.family === 'apt' ? ['--image', `${at}.disk`] : [];
      return ['--rootfs', `${at}.tar`, '--initrd', `${at}.img`, ...image];
    };
    /** A run with an empty cache, unless one is named. */
    const run = (args: readonly string[], url?: string, options: RunOptions = {}, cache = `cache-${++runs}`) =>
      osbuilder([...args, ...(url === undefined ? [] : ['--repo-url', url]), '--cache-dir', join(folder, cache)], {
        cwd: folder,
        ...options,
        env: { http_proxy: '', ...options.env },
      });
    /** What a lock does not say and a build needs: the files that it names. */
    const inputs = () => [
      ...['--keyring', old.keyring, '--agent-policy-file', join(folder, 'inputs/policy.rego')],
      ...['--overlay', join(folder, 'inputs/overlay')],
    ];
    const again = (more: readonly string[] = []) => [
      'build',
      '--lock',
      lock,
      ...inputs(),
      ...outputs(),
      '--json',
      ...more,
    ];

    test('the lock fits its schema, is sorted, and names nothing of this machine', () => {
      const text = readFileSync(lock, 'utf8');
      const value = JSON.parse(text) as Lock;
      const validate = new Ajv2020({ strict: false }).compile(lockSchema());
      assert.ok(validate(value), JSON.stringify(validate.errors));
      assert.equal(lockText(parseLock(text, lock)), text);
      assert.ok(!text.includes(folder), 'a path of this machine');
      assert.equal(value.packages.length, PACKAGES.length);
      for (const one of value.packages) {
        assert.match(one.sha256, /^[0-9a-f]{64}$/);
        assert.equal(one.repository, 0);
      }
      assert.deepEqual(
        value.outputs.map(({ kind, sha256 }) => `${kind} ${sha256}`),
        made,
      );
      assert.equal(value.settings['agent'], 'demo');
      assert.deepEqual(
        value.inputs.map(({ setting }) => setting),
        ['keyring', 'agent-policy-file', 'overlay'],
      );
      assert.deepEqual(
        value.repositories[0]!.urls.map((url) => url.startsWith(server.url)),
        [true],
      );
      assert.ok(value.repositories[0]!.metadata.signedBy.length > 0 || family.family === 'rpm');
    });

    test('built again from the same mirror, frozen: the same bytes, and no metadata is asked for', async () => {
      const before = server.requests.length;
      const result = await run(again(['--frozen']), server.url);
      assert.equal(result.code, 0, result.stderr);
      assert.deepEqual(sums(result), made);
      const asked = server.requests.slice(before).map(({ path }) => path);
      assert.deepEqual(
        asked.filter((path) => !/\.(deb|apk|rpm)$/.test(path)),
        [],
      );
      assert.equal(asked.length, PACKAGES.length);
    });

    test('the same lock is made again by another user name, umask, time zone and cache', async () => {
      const other = join(folder, 'inputs/again.lock.json');
      const result = await run(['lock', ...given(), '-o', other], server.url, {
        umask: '077',
        env: { TZ: 'Asia/Tokyo', LC_ALL: 'tr_TR.UTF-8' },
      });
      assert.equal(result.code, 0, result.stderr);
      const [a, b] = [lock, other].map((path) => JSON.parse(readFileSync(path, 'utf8')) as Lock);
      assert.deepEqual({ ...b!, outputs: a!.outputs }, a);
      rmSync(other);
    });

    test('from a bare folder of packages under other names, with no metadata and no network', async (t) => {
      const bare = temporary(t);
      for (const [i, path] of [...old.archives.values()].entries())
        copyFileSync(join(old.root, path), join(bare, `${i}.bin`));
      const result = await run(again(['--frozen', '--repo', bare]), undefined, {
        env: { http_proxy: 'http://127.0.0.1:9' },
      });
      assert.equal(result.code, 0, result.stderr);
      assert.deepEqual(sums(result), made);
    });

    test('from the cache alone', async () => {
      const cache = `cache-${++runs}`;
      const first = await run(again(), server.url, {}, cache);
      assert.equal(first.code, 0, first.stderr);
      const offline = await run(again(['--frozen', '--offline']), undefined, {}, cache);
      assert.equal(offline.code, 0, offline.stderr);
      assert.deepEqual(sums(offline), made);
    });

    /** The mirror after its suite has moved on: `library` has other bytes under its old name. */
    const moveOn = (): (() => void) => {
      const path = `/${old.archives.get('library')!}`;
      server.files.set(path, readFileSync(join(moved.root, moved.archives.get('library')!)));
      return () => void server.files.delete(path);
    };

    test('a mirror whose suite has moved on: the package is named; with a folder of the old ones the bytes are the same', async () => {
      const back = moveOn();
      const missing = codeOf(await run(again(['--frozen'])));
      assert.equal(missing.code, 'LOCKED_PACKAGE_MISSING');
      assert.match(missing.message, /^library /);
      assert.match(missing.hint, /repo-url/);
      const found = await run(again(['--frozen', '--repo', old.root]));
      back();
      assert.equal(found.code, 0, found.stderr);
      assert.deepEqual(sums(found), made);
    });

    test('lock --update shows what has changed, by name', async (t) => {
      const later = await serve(t, moved.root);
      const target = join(folder, 'inputs/updated.lock.json');
      copyFileSync(lock, target);
      const result = await run(
        ['lock', '--update', '-o', target, ...inputs().slice(2), '--keyring', moved.keyring, '--json'],
        later.url,
      );
      assert.equal(result.code, 0, result.stderr);
      const { changes } = JSON.parse(result.stdout) as { changes: { what: string; name: string; detail?: string }[] };
      const rebuilt = changes.filter(({ what }) => what === 'package');
      // rpmbuild and rpmsign give every package other bytes
      if (family.family !== 'rpm')
        assert.deepEqual(
          rebuilt.map(({ name }) => name),
          ['library'],
        );
      assert.match(rebuilt.find(({ name }) => name === 'library')!.detail!, /built again/);
      const keyring = basename(moved.keyring);
      // the test key of apk is the same one in both
      if (family.family !== 'apk')
        assert.ok(changes.some(({ what, name }) => what === 'input' && name === `keyring ${keyring}`));
      rmSync(target);
    });

    if (family.family === 'apt')
      test('what differs from the lock is an error that names it', async () => {
        const errors: [args: readonly string[], code: string, message: RegExp][] = [
          [['--frozen', '--no-agent-init'], 'LOCK_SETTING_CHANGED', /agent-init.* false, and the lock says true/],
          [['--frozen', '--remove', '/usr'], 'LOCK_SETTING_CHANGED', /remove/],
          [['--frozen', '--packages', 'base'], 'LOCK_SETTING_CHANGED', /packages/],
          [['--frozen', '--compress', 'zstd'], 'LOCK_SETTING_CHANGED', /compress/],
          [['--frozen', '--source-date-epoch', '1'], 'LOCK_SETTING_CHANGED', /source-date-epoch/],
          [['--arch', 'aarch64'], 'LOCK_DIFFERENT_GUEST', /architecture x86_64.*aarch64/],
          [['--overlay', join(folder, 'inputs')], 'LOCK_INPUT_CHANGED', /overlay.*inputs/],
          [
            ['--frozen', '--guest-hooks-tarball', join(folder, 'inputs/overlay')],
            'LOCK_INPUT_UNKNOWN',
            /guest-hooks-tarball/,
          ],
        ];
        for (const [more, code, message] of errors) {
          const base = ['build', '--lock', lock, '--keyring', old.keyring];
          const overlay = more.includes('--overlay') ? [] : ['--overlay', join(folder, 'inputs/overlay')];
          const policy = ['--agent-policy-file', join(folder, 'inputs/policy.rego')];
          const error = codeOf(await run([...base, ...policy, ...overlay, ...outputs(), '--json', ...more]));
          assert.equal(error.code, code, error.message);
          assert.match(error.message, message);
        }
        const policy = join(folder, 'inputs/policy.rego');
        writeFileSync(policy, 'package changed\n');
        const changed = codeOf(await run(again()));
        assert.equal(changed.code, 'LOCK_INPUT_CHANGED');
        assert.match(changed.message, /agent-policy-file.*policy\.rego/);
        renameSync(policy, `${policy}.away`);
        const base = ['build', '--lock', lock, '--keyring', old.keyring, '--overlay', join(folder, 'inputs/overlay')];
        const absent = codeOf(await run([...base, ...outputs(), '--json']));
        assert.equal(absent.code, 'LOCK_INPUT_MISSING');
        assert.match(absent.message, /policy\.rego/);
        renameSync(`${policy}.away`, policy);
        writeFileSync(policy, 'package agent_policy\n');
      });

    test('a folder is the same whenever it was checked out, and another one with other bytes, modes or names', async () => {
      const at = join(folder, 'inputs/overlay/etc/over');
      utimesSync(at, new Date(4e12), new Date(4e12));
      const later = await run(again(['--frozen']), server.url);
      assert.equal(later.code, 0, later.stderr);
      writeFileSync(at, 'LAID over\n');
      assert.equal(codeOf(await run(again(), server.url)).code, 'LOCK_INPUT_CHANGED');
      writeFileSync(at, 'laid over\n');
    });

    test('beside the lock its files are found by name', async () => {
      const result = await run(
        ['build', '--lock', lock, '--keyring', old.keyring, ...outputs(), '--json', '--frozen'],
        server.url,
      );
      assert.equal(result.code, 0, result.stderr);
      assert.deepEqual(sums(result), made);
    });

    test('a lock of another version is a warning; packages that are asked for besides it have no effect', async () => {
      const other = join(folder, 'inputs/other.lock.json');
      writeFileSync(
        other,
        readFileSync(lock, 'utf8').replace(/("name": "osbuilder",\s+"version": ")[^"]*/, '$10.0.0-other'),
      );
      const args = ['plan', '--lock', other, '--keyring', old.keyring, '--extra-pkgs', 'nowhere', '--json'];
      const planned = await run(args, server.url);
      assert.equal(planned.code, 0, planned.stderr);
      const { warnings, packages } = JSON.parse(planned.stdout) as {
        warnings: { code: string; message: string }[];
        packages: unknown[];
      };
      assert.equal(packages.length, PACKAGES.length);
      assert.deepEqual(warnings.map(({ code }) => code).sort(), ['LOCK_VERSION', 'SETTING_UNUSED']);
      assert.match(warnings.map(({ message }) => message).join(), /extra-pkgs.* no effect/);
      rmSync(other);
    });

    test('plan and why read a lock', async () => {
      const planned = await run(['plan', '--lock', lock, '--json', '--keyring', old.keyring], server.url);
      assert.equal(planned.code, 0, planned.stderr);
      const { packages } = JSON.parse(planned.stdout) as { packages: { name: string; sha256: string }[] };
      const locked = JSON.parse(readFileSync(lock, 'utf8')) as Lock;
      assert.deepEqual(
        packages.map(({ name, sha256 }) => `${name} ${sha256}`),
        locked.packages.map(({ name, sha256 }) => `${name} ${sha256}`),
      );
    });
  });

test('frozen without a lock is an error', async (t) => {
  const cwd = temporary(t);
  const result = await osbuilder(['initrd', '--distro', 'debian', '--agent', 'demo', '--frozen', '--json'], { cwd });
  assert.equal(codeOf(result).code, 'LOCK_MISSING');
});

test('a lock of an existing rootfs: its digest, the same bytes, and a changed one by name', async (t) => {
  const cwd = temporary(t);
  mkdirSync(join(cwd, 'root/etc'), { recursive: true });
  mkdirSync(join(cwd, 'root/sbin'), { recursive: true });
  writeFileSync(join(cwd, 'root/sbin/init'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(cwd, 'root/etc/hostname'), 'kata\n');
  const flags = ['--skip-rootfs-check', '--cache-dir', join(cwd, 'cache'), '--json'];
  const made = await osbuilder(['lock', 'root', '--initrd', 'a.img', ...flags], { cwd });
  assert.equal(made.code, 0, made.stderr);
  const args = ['initrd', 'root', '--lock', 'osbuilder.lock.json', '--frozen', '-o', 'b.img', ...flags];
  const again = await osbuilder(args, { cwd });
  assert.equal(again.code, 0, again.stderr);
  assert.deepEqual(sums(again), sums(made));
  writeFileSync(join(cwd, 'root/etc/hostname'), 'other\n');
  const changed = codeOf(await osbuilder(args, { cwd }));
  assert.equal(changed.code, 'LOCK_INPUT_CHANGED');
  assert.match(changed.message, /source.*root/);
});

test('a lock that is none is an error with the place of the mistake', () => {
  const good = {
    format: 1,
    tool: { name: 'osbuilder', version: '1' },
    init: 'systemd',
    epoch: 1,
    settings: {},
    repositories: [],
    packages: [],
    inputs: [],
    outputs: [],
  };
  const one = { name: 'a', version: '1', architecture: 'all', size: 1, sha256: '0'.repeat(64), path: 'a', reason: '' };
  assert.deepEqual(parseLock(JSON.stringify({ ...good, packages: [one] }), 'l').packages, [one]);
  const bad: [unknown, RegExp][] = [
    ['{', /not JSON/],
    ['['.repeat(100_000), /nested too deeply/],
    [[], /l is not a lock file/],
    [{ ...good, format: 2 }, /its format is 2/],
    [{ ...good, epoch: -1 }, /epoch/],
    [{ ...good, more: 1 }, /more/],
    [{ ...good, packages: [{ ...one, sha256: 'x' }] }, /packages\.0\.sha256: expected a SHA-256/],
    [{ ...good, packages: [{ ...one, path: '../a' }] }, /packages\.0\.path: it leads out/],
    [{ ...good, packages: [{ ...one, path: 'a/%2e%2E/b' }] }, /packages\.0\.path: it leads out/],
    [{ ...good, packages: [{ ...one, path: '/etc/passwd' }] }, /packages\.0\.path: expected a relative path/],
    [{ ...good, packages: [{ ...one, path: 'file:///etc' }] }, /packages\.0\.path: expected a relative path/],
    [{ ...good, packages: [{ ...one, repository: 0 }] }, /there is no repository 0/],
    [
      {
        ...good,
        repositories: [{ name: 'r', urls: ['http://u:p@h/'], metadata: { date: 1, sha256: one.sha256, signedBy: [] } }],
      },
      /urls\.0: expected a URL without credentials/,
    ],
  ];
  for (const [value, message] of bad)
    assert.throws(() => parseLock(typeof value === 'string' ? value : JSON.stringify(value), 'l'), {
      code: 'LOCK_INVALID',
      message,
    });
});

test('a lock of somebody else brings no file of this machine into the guest', (t) => {
  const folder = temporary(t);
  const path = join(folder, 'l.json');
  const secret = join(folder, 'secret');
  writeFileSync(secret, 'x');
  const good = {
    ...{ format: 1, tool: { name: 'osbuilder', version: '1' }, init: 'agent', epoch: 0 },
    ...{ repositories: [], packages: [], inputs: [], outputs: [] },
  };
  const read = (settings: object) => {
    writeFileSync(path, JSON.stringify({ ...good, settings }));
    return settingsWithLock({ settings: settingsFrom({}), given: new Map() }, path);
  };
  for (const key of SETTING_KEYS.filter((one) => roleOf(one) === 'input'))
    for (const name of [secret, `../${basename(folder)}/secret`, 'secret']) {
      // words of `keep` are paths in the guest, unless they end as files of them do
      const value = key === 'keep' ? `${name}.yaml` : name;
      assert.throws(
        () => read({ [flagOf(key)]: rowOf(key).kind.name === 'list' ? [value] : value }),
        { code: 'LOCK_INVALID', message: /is not among the inputs, or has a folder|expected/ },
        `${key} ${value}`,
      );
    }
  for (const words of [`--include ${secret} /x`, `--include=${secret} /x`, `-i '${secret}' /x`, '--include .. /x'])
    assert.throws(() => read({ 'dracut-options': words }), { code: 'LOCK_INVALID' }, words);
  assert.equal(read({ 'dracut-options': '--include secret /x' }).dracutOptions, `--include ${secret} /x`);
  assert.equal(read({ agent: 'demo' }).agent, 'demo');
});

test('credentials of repositories are in no lock', async (t) => {
  const folder = temporary(t);
  const family = FAMILIES_UNDER_TEST[0]!;
  const { root, keyring } = await family.make(folder, PACKAGES);
  const server = await serve(t, root);
  const url = server.url.replace('http://', 'http://user:s3cret@');
  const lock = join(folder, 'l.json');
  const args = ['lock', ...family.flags, '--packages', 'base', '--agent', 'demo', '--agent-init', '--no-seccomp'];
  const where = [
    '--repo-url',
    `${url}?token=t0ken`,
    '--keyring',
    keyring,
    '--cache-dir',
    join(folder, 'cache'),
    '-o',
    lock,
  ];
  const result = await osbuilder([...args, ...where, '--verbose'], { cwd: folder, env: { http_proxy: '' } });
  assert.equal(result.code, 0, result.stderr);
  for (const text of [readFileSync(lock, 'utf8'), result.stdout, result.stderr])
    for (const secret of ['s3cret', 't0ken']) assert.ok(!text.includes(secret), `${secret} in ${text}`);
});

test('lock --update NAME moves that package and what must move with it, and nothing else', async (t) => {
  const folder = temporary(t);
  const packages = (version: string): SmallDeb[] => [
    ...SMALL_PACKAGES.filter(({ name }) => name !== 'extra' && name !== 'libsmall'),
    { name: 'extra', version, fields: `Depends: libextra (= ${version}), other, libsmall\n`, files: [] },
    { name: 'libextra', version, fields: '', files: [] },
    { name: 'other', version, fields: '', files: [] },
    { name: 'libsmall', version, fields: 'Multi-Arch: same\n', files: [] },
  ];
  mkdirSync(join(folder, 'old'));
  const { key, keyring } = await smallRepository(join(folder, 'old'), {}, packages('1'));
  mkdirSync(join(folder, 'both'));
  // a repository that has both versions
  const both = await smallRepository(join(folder, 'both'), { keys: [key] }, [
    ...packages('1').slice(2),
    ...packages('2'),
  ]);
  const args = (root: string) => [...smallFlags(root, keyring, join(folder, 'cache')), '-o', join(folder, 'l.json')];
  const made = await osbuilder(['lock', ...args(join(folder, 'old/repository')), '--agent', 'demo', '--agent-init'], {
    cwd: folder,
  });
  assert.equal(made.code, 0, made.stderr);
  const flags = args(both.root);
  const where = flags.slice(flags.indexOf('--repo-url'));
  const result = await osbuilder(['lock', '--update', 'extra', ...where, '--json'], { cwd: folder });
  assert.equal(result.code, 0, result.stderr);
  const { changes } = JSON.parse(result.stdout) as {
    changes: { what: string; name: string; from?: string; to?: string }[];
  };
  assert.deepEqual(
    changes.filter(({ what }) => what === 'package').map(({ name, from, to }) => `${name} ${from} ${to}`),
    ['extra 1 2', 'libextra 1 2'],
  );
  const lock = JSON.parse(readFileSync(join(folder, 'l.json'), 'utf8')) as Lock;
  assert.deepEqual(lock.settings['extra-pkgs'], undefined);
  assert.equal(lock.packages.find(({ name }) => name === 'other')!.reason, 'extra depends on it');
  const absent = codeOf(await osbuilder(['lock', '--update', 'nowhere', ...where, '--json'], { cwd: folder }));
  assert.equal(absent.code, 'PACKAGE_ABSENT');
});
