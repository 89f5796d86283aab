import assert from 'node:assert/strict';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type Lock, type LockedPackage, lockText, parseLock } from '../../src/lock/lock.ts';
import { ANOTHER_DAY } from '../support/another-day.ts';
import { osbuilder, type Result } from '../support/cli.ts';
import { needs } from '../support/data.ts';
import { deb } from '../support/debs.ts';
import { elfFile } from '../support/elves.ts';
import { type AbstractPackage, FAMILIES_UNDER_TEST, type FamilyUnderTest } from '../support/family-repository.ts';
import { addDebs, makeKey } from '../support/repository.ts';
import { RPM_TOOLS } from '../support/rpms.ts';
import { serve } from '../support/server.ts';
import { SYSTEM } from '../support/systems.ts';

/**
 * Guests built again on another day, when the suite of their mirror has moved on: a table of distributions, of places that
 * still have the packages, and of what may have changed.
 */

const packages = (library: string): AbstractPackage[] => [
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
    files: [...['usr/', 'usr/bin/'].map((name) => ({ name })), { name: 'usr/bin/tool', data: 'tool', mode: 0o4755 }],
    script: 'echo made > /etc/made',
  },
  { name: 'library', files: [{ name: 'usr/' }, { name: 'usr/library', data: library, mode: 0o640 }] },
];

/** What a row of the table needs of a family. */
type Distribution = Pick<FamilyUnderTest, 'flags' | 'make' | 'keepDatabase'> & {
  readonly skip?: string | false;
  /** How its snapshot archive is laid out; undefined where there is none. */
  readonly snapshots?: string;
};

const ubuntu: Distribution = {
  flags: ['--distro', 'ubuntu', '--os-version', 'noble', '--arch', 'amd64', '--repo-suites', 'noble'],
  keepDatabase: '--keep-dpkg-db',
  snapshots: '/ubuntu',
  async make(folder, wanted) {
    const debs = wanted.map(({ name, depends = [], files = [], script }) => {
      const path = join(folder, `${name}_1_amd64.deb`);
      const fields = depends.length === 0 ? '' : `Depends: ${depends.join(', ')}\n`;
      const control = script === undefined ? {} : { control: { postinst: `#!/bin/sh\nset -e\n${script}\n` } };
      writeFileSync(
        path,
        deb({ name, fields, files: files.map((one) => ({ ...one, name: `./${one.name}` })), ...control }),
      );
      return path;
    });
    const root = join(folder, 'repository');
    const keys = [await makeKey({ name: 'Ubuntu Archive Test <archive@example.org>', rsa: true })];
    await addDebs(root, { suite: 'noble', codename: 'noble', architectures: ['amd64'], debs, keys });
    const keyring = join(folder, 'keyring.gpg');
    writeFileSync(keyring, keys[0]!.publicKey);
    const otherKeyring = join(folder, 'other.gpg');
    writeFileSync(otherKeyring, (await makeKey()).publicKey);
    return { root, keyring, otherKeyring, archives: new Map() };
  },
};

const byFamily = (name: string) => FAMILIES_UNDER_TEST.find(({ family }) => family === name)!;
const DISTRIBUTIONS: Readonly<Record<string, Distribution>> = {
  debian: { ...byFamily('apt'), snapshots: '/archive/debian' },
  ubuntu,
  alpine: byFamily('apk'),
  rpm: { ...byFamily('rpm'), skip: needs({ tools: RPM_TOOLS }) },
};

const sums = ({ code, stdout, stderr }: Result): string[] => {
  assert.equal(code, 0, stderr);
  return (JSON.parse(stdout) as { outputs: { sha256: string }[] }).outputs.map(({ sha256 }) => sha256);
};
const errorOf = ({ stdout, stderr }: Result): { code: string; message: string } => {
  assert.notEqual(stdout, '', stderr);
  return (JSON.parse(stdout) as { error: { code: string; message: string } }).error;
};
const stampOf = (seconds: number): string => new Date(seconds * 1000).toISOString().replace(/[-:]|\.\d+/g, '');

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
const fresh = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-years-'));
  folders.push(folder);
  return folder;
};

for (const [name, distribution] of Object.entries(DISTRIBUTIONS))
  describe(`a locked guest of ${name}, years later`, { skip: distribution.skip ?? false }, () => {
    const folder = fresh();
    const closing: (() => void | Promise<void>)[] = [];
    const hook = { after: (fn: () => void | Promise<void>) => void closing.push(fn) };
    after(async () => {
      for (const close of closing) await close();
    });
    let runs = 0;
    const run = (args: readonly string[]) =>
      osbuilder([...args, '--json', '--cache-dir', join(folder, `cache-${++runs}`)], {
        cwd: folder,
        env: { http_proxy: '', NODE_OPTIONS: `--import=${ANOTHER_DAY}` },
      });
    const outputs = ['--rootfs', 'g.tar', '--initrd', 'g.img'];

    test('it is the same from every place that has its packages, and what has changed is named', async () => {
      for (const one of ['then', 'now', 'inputs/overlay/etc']) mkdirSync(join(folder, one), { recursive: true });
      const then = await distribution.make(join(folder, 'then'), packages('library'));
      const now = await distribution.make(join(folder, 'now'), packages('a newer library'));
      writeFileSync(join(folder, 'inputs/overlay/etc/over'), 'over\n');
      const keyring = join(folder, 'inputs', basename(then.keyring));
      cpSync(then.keyring, keyring);
      const mirror = join(folder, 'mirror');
      symlinkSync(then.root, mirror);
      const server = await serve(hook, mirror);
      const guest = [
        '--packages',
        'base tool',
        '--agent',
        'demo',
        '--agent-init',
        '--no-seccomp',
        distribution.keepDatabase,
      ];
      const made = sums(
        await run([
          ...['lock', ...distribution.flags, ...guest, '--keyring', keyring, '--repo-url', server.url],
          ...['--overlay', join(folder, 'inputs/overlay'), '-o', 'inputs/l.json', ...outputs],
        ]),
      );
      let lock: Lock = parseLock(readFileSync(join(folder, 'inputs/l.json'), 'utf8'), 'l.json');
      assert.equal(new Set(made).size, 2);

      // the suite moves on
      unlinkSync(mirror);
      symlinkSync(now.root, mirror);
      /** The packages of the lock as files. */
      const bytesOf = ({ path, repository }: LockedPackage): Buffer => {
        const { urls } = lock.repositories[repository!]!;
        return readFileSync(join(then.root, urls[0]!.slice(server.url.length), path));
      };
      const archive = await serve(hook, {});
      const stamp = stampOf(Math.max(...lock.repositories.map(({ metadata }) => metadata.date)));
      for (const one of lock.packages) {
        archive.files.set(`/file/${one.sha256}`, bytesOf(one));
        const below = distribution.snapshots ?? `/archive/${name}`;
        // as snapshot.debian.org does: the date that was asked for leads to the nearest one before
        archive.files.set(`${below}/20000101T000000Z/${one.path}`, bytesOf(one));
        const asked = `${below}/${stamp}/${one.path}`;
        archive.fault(asked, { redirect: `${archive.url}${below}/20000101T000000Z/${one.path}` });
      }
      const bare = join(folder, 'bare');
      mkdirSync(bare);
      for (const [i, one] of lock.packages.entries()) writeFileSync(join(bare, `${i}`), bytesOf(one));

      const again = (...more: string[]) => run(['build', '--lock', 'inputs/l.json', '--frozen', ...outputs, ...more]);
      const missing = errorOf(await again());
      assert.equal(missing.code, 'LOCKED_PACKAGE_MISSING');
      // rpmbuild and rpmsign give every package other bytes
      assert.match(missing.message, name === 'rpm' ? /^(library|base|tool) / : /^library /);

      assert.deepEqual(sums(await again('--repo', bare)), made, 'a folder without metadata');
      assert.deepEqual(sums(await again('--repo-url', `${archive.url}/file/{sha256}`)), made, 'files by their digest');
      if (distribution.snapshots === undefined) {
        const base = `${archive.url}/archive/${name}/${stamp}`;
        assert.deepEqual(sums(await again('--repo-url', base)), made, 'a dated mirror');
      } else {
        // the archive that the lock names, on the loopback
        const { snapshots } = distribution;
        const repositories = lock.repositories.map((one) => {
          assert.match(
            one.snapshot!,
            /^https:\/\/snapshot\.(debian\.org\/archive\/debian|ubuntu\.com\/ubuntu)\/\{time\}$/,
          );
          return { ...one, snapshot: `${archive.url}${snapshots}/{time}` };
        });
        writeFileSync(join(folder, 'inputs/l.json'), lockText({ ...lock, repositories }));
        assert.deepEqual(sums(await again()), made, 'the snapshot archive of the lock');
        assert.ok(archive.requests.some(({ path }) => path.startsWith(`${snapshots}/${stamp}/`)));
        // the copy before the metadata's own time does not have its packages yet: the next ones do
        const later = await serve(hook, {});
        const half = stampOf(Math.max(...lock.repositories.map(({ metadata }) => metadata.date)) + 43_200);
        for (const one of lock.packages) later.files.set(`${snapshots}/${half}/${one.path}`, bytesOf(one));
        const copied = repositories.map((one) => ({ ...one, snapshot: `${later.url}${snapshots}/{time}` }));
        writeFileSync(join(folder, 'inputs/l.json'), lockText({ ...lock, repositories: copied }));
        assert.deepEqual(sums(await again()), made, 'a copy that was made later');
        writeFileSync(join(folder, 'inputs/l.json'), lockText({ ...lock, repositories }));
        lock = { ...lock, repositories };
      }

      const changes: [what: string, code: string, message: RegExp, ...args: string[]][] = [
        [
          'a setting',
          'LOCK_SETTING_CHANGED',
          /remove.* is "\/etc\/made", and the lock says left out/,
          '--remove',
          '/etc/made',
        ],
        ['a key', 'LOCK_INPUT_CHANGED', /keyring/, '--keyring', then.otherKeyring],
        ['an input', 'LOCK_INPUT_CHANGED', /overlay/, '--overlay', join(folder, 'then')],
        ['a new input', 'LOCK_INPUT_UNKNOWN', /guest-hooks-tarball/, '--guest-hooks-tarball', bare],
      ];
      for (const [what, code, message, ...args] of changes) {
        const error = errorOf(await again('--repo', bare, ...args));
        assert.equal(error.code, code, `${what}: ${error.message}`);
        assert.match(error.message, message);
      }
      rmSync(join(folder, 'inputs/overlay'), { recursive: true });
      const absent = errorOf(await again('--repo', bare));
      assert.equal(absent.code, 'LOCK_INPUT_MISSING');
      assert.match(absent.message, /overlay/);
    });
  });

test('a locked guest that dracut makes of a system, years later', async () => {
  const folder = fresh();
  const run = (...args: string[]) =>
    osbuilder([...args, '--json', '--cache-dir', join(folder, 'cache')], {
      cwd: folder,
      env: { NODE_OPTIONS: `--import=${ANOTHER_DAY}` },
    });
  for (const [path, what] of Object.entries(SYSTEM)) {
    const at = join(folder, 'system', path);
    mkdirSync(dirname(at), { recursive: true });
    if (typeof what === 'string' && what.startsWith('->')) symlinkSync(what.slice(2), at);
    else writeFileSync(at, typeof what === 'string' ? what : elfFile(what), { mode: 0o755 });
  }
  writeFileSync(join(folder, 'system/etc/os-release'), 'ID=small\nVERSION_ID=7\n');
  const outputs = ['--rootfs', 'g.tar', '--initrd', 'g.img'];
  const dracut = ['--build-method', 'dracut', '--agent', 'demo'];
  const made = sums(await run('lock', ...dracut, '--sysroot', 'system', ...outputs, '-o', 'l.json'));
  const lock = parseLock(readFileSync(join(folder, 'l.json'), 'utf8'), 'l.json');
  assert.deepEqual(
    lock.inputs.map(({ setting, name, kind }) => `${setting} ${name} ${kind}`),
    ['sysroot system folder'],
  );
  assert.ok(!lockText(lock).includes(folder));
  assert.equal(lock.distribution, undefined);
  sums({ ...(await run('lock', ...dracut, '--sysroot', 'system', '-o', 'planned.json')), stdout: '{"outputs":[]}' });
  const planned = parseLock(readFileSync(join(folder, 'planned.json'), 'utf8'), 'planned.json');
  assert.equal(lockText({ ...planned, outputs: lock.outputs }), lockText(lock));

  // a copy elsewhere, whose files are all newer
  mkdirSync(join(folder, 'elsewhere'));
  cpSync(join(folder, 'system'), join(folder, 'elsewhere/system'), { recursive: true, verbatimSymlinks: true });
  cpSync(join(folder, 'l.json'), join(folder, 'elsewhere/l.json'));
  rmSync(join(folder, 'system'), { recursive: true });
  const again = (...more: string[]) => run('build', '--lock', 'elsewhere/l.json', '--frozen', ...outputs, ...more);
  assert.deepEqual(sums(await again()), made);
  const release = join(folder, 'elsewhere/system/etc/os-release');
  writeFileSync(release, 'ID=small\nVERSION_ID=8\n');
  const changed = errorOf(await again());
  assert.equal(changed.code, 'LOCK_INPUT_CHANGED');
  assert.match(changed.message, /sysroot.*system/);
  rmSync(join(folder, 'elsewhere/system'), { recursive: true });
  const absent = errorOf(await again());
  assert.equal(absent.code, 'LOCK_INPUT_MISSING');
  assert.match(absent.message, /"system" as .*sysroot/);
  const machine = errorOf(await run('lock', ...dracut, '--sysroot', '/', '-o', 'm.json'));
  assert.equal(machine.code, 'LOCK_MISSING');
});

test('a folder that was checked out later gives the bytes of its lock', async () => {
  const folder = fresh();
  const run = (...args: string[]) =>
    osbuilder([...args, '--json', '--skip-rootfs-check', '--cache-dir', join(folder, 'cache')], { cwd: folder });
  mkdirSync(join(folder, 'root/etc'), { recursive: true });
  writeFileSync(join(folder, 'root/etc/hostname'), 'kata\n');
  const all = ['root/etc/hostname', 'root/etc', 'root'].map((path) => join(folder, path));
  for (const path of all) utimesSync(path, 1_600_000_000, 1_600_000_000);
  const outputs = ['--rootfs', 'g.tar', '--initrd', 'g.img'];
  const made = sums(await run('lock', 'root', ...outputs, '-o', 'l.json'));
  for (const path of all) utimesSync(path, 1_700_000_000.5, 1_700_000_000.5);
  assert.deepEqual(sums(await run('build', 'root', '--lock', 'l.json', '--frozen', ...outputs)), made);
});
