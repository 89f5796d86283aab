import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { FAMILY_NAMES } from '../../src/families/families.ts';
import type { Tree } from '../../src/tree/tree.ts';
import { treeOf } from '../support/big-guest.ts';
import { osbuilder, type RunOptions } from '../support/cli.ts';
import { type AbstractPackage, FAMILIES_UNDER_TEST, type MadeRepository } from '../support/family-repository.ts';
import { type StaticServer, serve } from '../support/server.ts';

/** What every package family must do, tested with the same packages in each family's own format. */

test('every family passes the contract', () => {
  assert.deepEqual(FAMILIES_UNDER_TEST.map((one) => one.family).sort(), [...FAMILY_NAMES].sort());
});

for (const family of FAMILIES_UNDER_TEST)
  describe(`contract of ${family.family}`, () => {
    let folder: string;
    let made: MadeRepository;
    let server: StaticServer;
    const closing: (() => void | Promise<void>)[] = [];
    let outputs = 0;

    const PACKAGES: readonly AbstractPackage[] = [
      {
        name: 'base',
        files: [
          ...['etc/', 'usr/', 'usr/bin/'].map((name) => ({ name })),
          { name: 'etc/passwd', data: 'root:x:0:0:root:/root:/bin/sh\n' },
          { name: 'etc/group', data: 'root:x:0:\nusers:x:100:\nnogroup:x:65533:\n' },
        ],
      },
      {
        name: 'tool',
        depends: ['base', 'library'],
        files: [
          ...['usr/', 'usr/bin/', 'var/', 'var/spool/'].map((name) => ({ name })),
          { name: 'var/spool/tool/', mode: 0o1770, uid: 7, gid: 9, user: '', group: '' },
          { name: 'usr/bin/tool', data: 'tool', mode: 0o4755 },
          { name: 'usr/bin/again', type: '1', link: 'usr/bin/tool', mode: 0o4755 },
          { name: 'usr/bin/link', type: '2', link: 'tool', mode: 0o777 },
        ],
      },
      { name: 'library', files: [{ name: 'usr/' }, { name: 'usr/library', data: 'library', mode: 0o640 }] },
      {
        name: 'alternative',
        conflicts: ['library'],
        files: [{ name: 'usr/' }, { name: 'usr/alternative', data: 'alternative' }],
      },
      // rpm's packages may have a file in common (see "a file of two packages")
      ...['first', 'second'].map((name) => ({
        name,
        depends: ['base'],
        files: [
          { name: 'usr/' },
          { name: 'usr/both', data: 'same' },
          { name: `usr/${name}`, data: name },
          { name: 'usr/link', type: '2', link: 'both', mode: 0o777 },
        ],
      })),
      { name: 'account', depends: ['base'], script: family.makeUser },
      { name: 'odd', depends: ['base'], script: 'frobnicate --all\necho on > /etc/odd' },
      { name: 'failing', depends: ['base'], script: 'exit 3' },
    ];

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'osbuilder-contract-'));
      made = await family.make(folder, PACKAGES);
      server = await serve({ after: (fn) => void closing.push(fn) }, made.root);
    });
    after(async () => {
      for (const close of closing) await close();
      rmSync(folder, { recursive: true, force: true });
    });

    /** Flags for the repository; a keyring or cache in `args` replaces the defaults. */
    const flags = (args: readonly string[] = []) => [
      ...[...family.flags, '--repo-url', server.url, ...args],
      ...(args.includes('--keyring') ? [] : ['--keyring', made.keyring]),
      ...(args.includes('--cache-dir') ? [] : ['--cache-dir', join(folder, 'cache')]),
    ];
    const archivesFetched = () =>
      server.requests.filter(({ path }) => [...made.archives.values()].some((one) => path.endsWith(`/${one}`))).length;

    /** Builds a root file system; `out` is its path. */
    async function rootfs(packages: string, args: readonly string[] = [], options: RunOptions = {}) {
      const out = join(folder, `${outputs++}.tar`);
      const whole = args.includes('--agent') ? [] : ['--rootfs-only'];
      const words = ['rootfs', ...flags(args), '--packages', packages, ...whole, '-o', out];
      return { out, ...(await osbuilder(words, options)) };
    }

    const plan = (packages: string, args: readonly string[] = []) =>
      osbuilder(['plan', ...flags(args), '--packages', packages, '--rootfs-only', '--json']);

    async function built(packages: string, args: readonly string[] = [], options: RunOptions = {}): Promise<Tree> {
      const { out, code, stderr } = await rootfs(packages, ['--quiet', ...args], options);
      assert.equal(code, 0, stderr);
      return treeOf(out, folder);
    }

    /** The error of a build that must fail and leave no output. */
    async function rejected(
      packages: string,
      args: readonly string[] = [],
    ): Promise<{ code: string; message: string }> {
      const { out, code, stdout, stderr } = await rootfs(packages, [...args, '--json']);
      assert.notEqual(code, 0, `${packages} ${args.join(' ')} was built`);
      assert.ok(!existsSync(out), 'an output was left');
      assert.deepEqual(
        readdirSync(folder).filter((name) => name.endsWith('.part')),
        [],
        'a half-written output was left',
      );
      assert.notEqual(stdout, '', stderr);
      return JSON.parse(stdout).error;
    }

    test('plan: a reason for every package, and no package is fetched', async () => {
      const before = archivesFetched();
      const { code, stdout, stderr } = await plan('tool', ['--cache-dir', join(folder, 'planned')]);
      assert.equal(code, 0, stderr);
      const { packages } = JSON.parse(stdout) as { packages: { name: string; reason: string }[] };
      assert.deepEqual(packages.map((one) => one.name).sort(), ['base', 'library', 'tool']);
      for (const one of packages) assert.match(one.reason, /\S/, one.name);
      assert.match(packages.find((one) => one.name === 'library')!.reason, /tool/);
      assert.equal(archivesFetched(), before);
    });

    test('build: files, modes, owners and links as the packages have them', async () => {
      const tree = await built('tool');
      assert.equal(tree.text('usr/bin/tool'), 'tool');
      assert.equal(tree.text('usr/library'), 'library');
      assert.equal(tree.stat('usr/bin/tool')!.mode & 0o7777, 0o4755);
      assert.equal(tree.stat('usr/library')!.mode & 0o7777, 0o640);
      const { mode, uid, gid } = tree.stat('var/spool/tool')!;
      assert.deepEqual([mode & 0o7777, uid, gid], [0o1770, 7, 9]);
      const link = tree.lstat('usr/bin/link');
      assert.equal(link?.kind === 'symlink' ? link.target : undefined, 'tool');
      assert.equal(tree.lstat('usr/bin/again'), tree.lstat('usr/bin/tool'), 'one inode under two names');
    });

    test('a file of two packages: kept for either, where packages may share one', async () => {
      if (family.family !== 'rpm') {
        const { code } = await rejected('first second');
        assert.match(code, /CONFLICT|OVERWRITE|FILE/);
        return;
      }
      for (const [name, other] of [
        ['first', 'second'],
        ['second', 'first'],
      ] as const) {
        const tree = await built('first second', ['--keep', `package:${name}`]);
        assert.equal(tree.text('usr/both'), 'same', name);
        assert.deepEqual(
          [tree.has(`usr/${name}`), tree.has(`usr/${other}`), tree.has('usr/link')],
          [true, false, true],
        );
      }
    });

    test('offline: built from the cache; what is missing is an error that names it', async () => {
      await built('tool', ['--cache-dir', join(folder, 'offline')]);
      const asked = server.requests.length;
      const offline = ['--offline', '--cache-dir', join(folder, 'offline')];
      assert.equal((await built('tool', offline)).text('usr/bin/tool'), 'tool');
      const { code, message } = await rejected('alternative', offline);
      assert.equal(code, 'OFFLINE_MISSING');
      assert.match(message, /alternative/);
      assert.equal(server.requests.length, asked, 'offline builds ask no server');
    });

    test('reproducible: the same bytes with another cache, time zone and number of jobs', async () => {
      const one = await rootfs('tool,account', ['--quiet']);
      assert.equal(one.code, 0, one.stderr);
      const other = await rootfs('tool,account', ['--quiet', '--jobs', '1', '--cache-dir', join(folder, 'again')], {
        env: { TZ: 'Pacific/Chatham' },
      });
      assert.equal(other.code, 0, other.stderr);
      assert.ok(readFileSync(one.out).equals(readFileSync(other.out)));
    });

    test('errors: an unknown package with the nearest name, an unknown release, packages that conflict', async () => {
      const unknown = await plan('libary');
      const error = JSON.parse(unknown.stdout).error as { code: string; message: string; hint?: string };
      assert.equal(error.code, family.codes.unknownPackage);
      assert.match(`${error.message} ${error.hint}`, /library/);
      const release = await rejected('tool', ['--os-version', '99.9']);
      assert.equal(release.code, family.codes.unknownRelease, release.message);
      assert.match(release.message, /99\.9/);
      const conflict = await rejected('tool,alternative');
      assert.equal(conflict.code, family.codes.unsatisfiable);
      assert.match(conflict.message, /alternative/);
    });

    test('errors: metadata that another key signed', async () => {
      const { code } = await rejected('tool', ['--keyring', made.otherKeyring, '--cache-dir', join(folder, 'signed')]);
      assert.equal(code, family.codes.badSignature);
    });

    test('errors: metadata whose signature does not match', async () => {
      const files = Object.entries(family.corruptSignature(made)).map(([path, bytes]) => [`/${path}`, bytes] as const);
      for (const [path, bytes] of files) server.files.set(path, bytes);
      try {
        const { code, message } = await rejected('tool', ['--cache-dir', join(folder, 'badly-signed')]);
        assert.equal(code, family.codes.corruptSignature, message);
        assert.ok(
          files.some(([path]) => message.includes(path)),
          message,
        );
      } finally {
        for (const [path] of files) server.files.delete(path);
      }
    });

    test('errors: offline with an empty cache, and an unknown architecture, ask no server', async () => {
      const asked = server.requests.length;
      const empty = await rejected('tool', ['--offline', '--cache-dir', join(folder, 'empty')]);
      assert.equal(empty.code, 'OFFLINE_MISSING', empty.message);
      const architecture = await rejected('tool', ['--arch', 'vax']);
      assert.equal(architecture.code, 'ARCH_UNKNOWN', architecture.message);
      assert.match(architecture.message, /vax/);
      assert.equal(server.requests.length, asked);
    });

    test('errors: packages that are truncated or have other bytes', async () => {
      const path = `/${made.archives.get('library')!}`;
      const bytes = readFileSync(join(made.root, made.archives.get('library')!));
      for (const [i, corrupt] of [bytes.subarray(0, -7), Buffer.from(bytes).fill(1, bytes.length - 7)].entries()) {
        server.files.set(path, corrupt);
        try {
          const { code, message } = await rejected('tool', ['--cache-dir', join(folder, `corrupt${i}`)]);
          assert.equal(code, family.codes.corrupt[i], message);
          assert.match(message, /library/);
        } finally {
          server.files.delete(path);
        }
      }
    });

    test('scripts: effects, lines that are not understood, failures', async () => {
      const tree = await built('account');
      assert.match(tree.text('etc/passwd')!, /^made:x:321:/m);
      type Warned = { code: string; package?: string; line?: number };
      const warnings = async (name: string): Promise<Warned[]> => {
        const { code, stdout, stderr } = await rootfs(name, ['--json']);
        assert.equal(code, 0, stderr);
        return JSON.parse(stdout).warnings;
      };
      const [odd] = await warnings('odd');
      assert.deepEqual([odd?.code, odd?.package, odd?.line], ['SCRIPT_LINE', 'odd', 3]);
      const [failing] = await warnings('failing');
      assert.deepEqual([failing?.code, failing?.package, failing?.line], ['SCRIPT_FAILED', 'failing', 3]);
    });

    test('scripts: plan --scripts reports each of them in the same form', async () => {
      const { code, stdout, stderr } = await plan('odd,failing,account', ['--scripts']);
      assert.equal(code, 0, stderr);
      const scripts = JSON.parse(stdout).scripts as { package: string; script: string; followed: string }[];
      assert.deepEqual(scripts.map((one) => `${one.package}.${one.script} ${one.followed}`).sort(), [
        `account.${family.script} whole`,
        `failing.${family.script} failed`,
        `odd.${family.script} partial`,
      ]);
    });

    test('kept trees: the same outputs, reports and proofs, whether a tree was kept or is made again', async () => {
      const cache = join(folder, 'kept');
      const names = ['r.tar', 'i.img', 'd.img', 's.spdx.json', 'p.json', 'reduced.tar'] as const;
      const parts = ['--packages', 'account,odd,failing,tool', '--agent', 'demo', '--agent-init', '--force'];
      const build = async () => {
        const at = Object.fromEntries(names.map((name) => [name, join(folder, `kept-${name}`)]));
        const words = [
          ...[...flags(['--cache-dir', cache]), ...parts, family.keepDatabase, '--rootfs', at['r.tar']!],
          ...['--initrd', at['i.img']!, '--image', at['d.img']!, '--sbom', at['s.spdx.json']!, '--sbom-files'],
          ...['--provenance', at['p.json']!],
        ];
        const whole = await osbuilder(['build', ...words, '--json']);
        assert.equal(whole.code, 0, whole.stderr);
        // owners of files decide on what is left
        const kept = ['--keep', '/usr/bin/tool', '--cache-dir', cache, ...parts];
        const reduced = await osbuilder(['rootfs', ...flags(kept), '-o', at['reduced.tar']!, '--json']);
        assert.equal(reduced.code, 0, reduced.stderr);
        const strict = await osbuilder(['build', ...words, '--strict', '--json']);
        assert.notEqual(strict.code, 0);
        const studied = await plan('account,odd,failing', ['--scripts', '--cache-dir', cache]);
        return {
          files: names.map((name) => readFileSync(at[name]!).toString('base64')),
          said: [whole, reduced, strict, studied].map(({ stdout }) => withoutSeconds(JSON.parse(stdout))),
        };
      };
      const trees = join(cache, 'trees');
      const cold = await build();
      assert.ok(readdirSync(trees).length > 0, 'a tree was kept');
      const hit = await build();
      rmSync(trees, { recursive: true });
      const miss = await build();
      assert.deepEqual(hit, miss);
      assert.deepEqual(hit.files, cold.files);
    });

    test('the database is kept on request only', async () => {
      const agent = ['--agent', 'demo', '--agent-init'];
      assert.ok((await built('tool')).has(family.database));
      assert.ok((await built('tool', [...agent, family.keepDatabase])).has(family.database));
      assert.ok(!(await built('tool', agent)).has(family.database));
    });

    test('preseed and snapshot act, or are errors before anything is fetched', async () => {
      const answers = join(folder, 'preseed');
      writeFileSync(answers, 'other other/question string x\n');
      if (family.acts.preseed) {
        const { code, stdout, stderr } = await rootfs('tool', ['--preseed', answers, '--json']);
        assert.equal(code, 0, stderr);
        assert.match(JSON.stringify(JSON.parse(stdout).notes), /other\/question/);
      } else await rejectedUnasked(['--preseed', answers]);
      if (family.acts.snapshot) {
        // the profile of the distribution, with snapshots on this server
        const shown = await osbuilder(['distros', '--show', family.flags[family.flags.indexOf('--distro') + 1]!]);
        const profile = join(folder, 'profile.json');
        const { repositories, ...rest } = parse(shown.stdout) as { repositories: object[] };
        const main = { ...repositories[0], snapshot: `${server.url}/{time}` };
        writeFileSync(profile, JSON.stringify({ ...rest, repositories: [main] }));
        symlinkSync('.', join(made.root, '20260102T030405Z'));
        const own = family.flags.flatMap((word, i) =>
          word === '--distro' ? ['--profile', profile] : family.flags[i - 1] === '--distro' ? [] : [word],
        );
        const asked = server.requests.length;
        const words = ['--keyring', made.keyring, '--cache-dir', join(folder, 'snapshot'), '--packages', 'tool'];
        const { code, stderr } = await osbuilder([
          ...['plan', ...own, ...words, '--rootfs-only', '--json', '--snapshot', '2026-01-02T03:04:05Z'],
        ]);
        assert.equal(code, 0, stderr);
        const paths = server.requests.slice(asked).map((one) => one.path);
        assert.ok(paths.length > 0);
        for (const path of paths) assert.match(path, /^\/20260102T030405Z\//);
      } else await rejectedUnasked(['--snapshot', '20260101T000000Z']);
    });

    async function rejectedUnasked(words: readonly string[]): Promise<void> {
      const asked = server.requests.length;
      const { code } = await rejected('tool', words);
      assert.match(code, /^(SETTING_CONFLICT|NOT_SUPPORTED)$/, words[0]);
      assert.equal(server.requests.length, asked, words[0]);
    }

    test('settings of other families are errors before anything is fetched', async () => {
      for (const words of family.foreign) await rejectedUnasked(words);
    });
  });

/** A result without how long things took. */
function withoutSeconds(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, one: unknown) => (key === 'seconds' ? undefined : one)));
}
