import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, createReadStream, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ANOTHER_DAY } from '../support/another-day.ts';
import { osbuilder, type RunOptions } from '../support/cli.ts';
import { needs, tool } from '../support/data.ts';
import type { SmallDeb } from '../support/debs.ts';
import { needsMirror, TEST_CACHE } from '../support/host.ts';
import { otherNode } from '../support/nodes.ts';
import { once } from '../support/once.ts';
import { asNobody, mayChangeUser, nobodysFolder, openFolder, setModes } from '../support/other-user.ts';
import { RPM_TOOLS } from '../support/rpms.ts';
import { serve } from '../support/server.ts';
import { SMALL_PACKAGES, smallFlags, smallRepository } from '../support/small-guest.ts';
import { smallRpmFlags, smallRpmRepository } from '../support/small-rpms.ts';
import { noise } from '../support/trees.ts';

/**
 * Twice the same bytes: the compiled program is run again and again in environments that differ in everything a program
 * can see of its environment, and every artefact must have one digest.
 */

/** The oldest supported Node, and the first of each later line. */
const NODES = ['20.19.0', '22', '24'] as const;

const closing: (() => void | Promise<void>)[] = [];
const hook = { after: (close: () => void | Promise<void>) => void closing.push(close) };
after(async () => {
  for (const close of closing.reverse()) await close();
});

/** Maintainer scripts with accounts, alternatives and capabilities, and more bytes than one compression block. */
const BUSY: SmallDeb = {
  name: 'busy',
  fields: 'Depends: tools\n',
  control: {
    postinst: `#!/bin/sh
set -e
if [ "$1" = configure ]; then
  adduser --quiet --system --group --no-create-home --home /var/lib/busy busy
  chown busy:busy /usr/share/busy/owned
  update-alternatives --install /usr/bin/pager pager /usr/bin/busy 10
  setcap cap_net_raw+ep /usr/bin/busy
fi
`,
  },
  files: [
    ...['./etc/', './usr/', './usr/bin/', './usr/share/', './usr/share/busy/', './var/', './var/lib/'].map((name) => ({
      name,
    })),
    { name: './etc/passwd', data: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' },
    { name: './etc/group', data: 'root:x:0:\nnogroup:x:65534:\n' },
    { name: './usr/bin/busy', data: noise(300_000), mode: 0o755 },
    { name: './usr/share/busy/owned', data: 'mine' },
    { name: './usr/share/busy/noise', data: noise(2_500_000) },
    { name: './usr/share/busy/text', data: 'the same line again and again\n'.repeat(60_000) },
    ...Array.from({ length: 300 }, (_, i) => ({ name: `./usr/share/busy/file-${i}`, data: `${i}\n`.repeat(i) })),
  ],
};

/** Every kind of artefact, in as few builds as possible. */
const BUILDS: string[][] = [
  '--rootfs r.tar --initrd gzip.img --image dax.img --image-size-alignment-mb 16',
  '--rootfs r.tar.gz --initrd zstd.img --compress zstd --image gpt.img --partition-table gpt --image-size-alignment-mb 1',
  '--rootfs r.tar.zst --initrd lz4.img --compress lz4 --image plain.img --skip-dax-header --block-size 1024 --image-size-alignment-mb 1',
  '--rootfs r.tar.lz4 --initrd none.img --compress none --image bare.img --image-size-alignment-mb 1',
].map((words) => ['build', ...words.split(' ')]);
BUILDS[3]!.push('--fs-features', '^has_journal ^metadata_csum');

/** Environment of a run. */
interface Environment {
  readonly env?: Readonly<Record<string, string>>;
  readonly umask?: string;
  readonly jobs: string;
  readonly nobody?: boolean;
  /** Take over the cache that the first run filled, instead of beginning with none. */
  readonly warm?: boolean;
  readonly node?: string;
  readonly through?: readonly string[];
}

const unshare = mayChangeUser ? tool('unshare') : undefined;
const OTHER_HOST =
  unshare === undefined
    ? undefined
    : [unshare, '--uts', '/bin/sh', '-c', 'hostname elsewhere.example.org && exec "$0" "$@"'];

const PLAIN: Environment = { jobs: '1', umask: '022', env: { TZ: 'UTC', LANG: 'C', LC_ALL: 'C' } };
const VARIANTS: readonly (readonly [name: string, environment: Environment, skip?: string | false])[] = [
  [
    'as nobody, many threads, Kathmandu, Turkish, umask 077',
    {
      nobody: true,
      jobs: '7',
      umask: '077',
      env: { TZ: 'Asia/Kathmandu', LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR.UTF-8' },
    },
    mayChangeUser ? false : 'not here: root, to become another user',
  ],
  [
    'from a warm cache, two threads, Newfoundland, umask 000, colours and a wide terminal',
    {
      warm: true,
      jobs: '2',
      umask: '000',
      env: { TZ: 'America/St_Johns', LC_ALL: 'de_DE.ISO-8859-1', COLUMNS: '300', FORCE_COLOR: '3', USER: 'someone' },
    },
  ],
  ['on another day, with other luck', { jobs: '3', umask: '027', env: { NODE_OPTIONS: `--import=${ANOTHER_DAY}` } }],
  [
    'on another host',
    { jobs: '2', umask: '002', ...(OTHER_HOST === undefined ? {} : { through: OTHER_HOST }) },
    OTHER_HOST === undefined && 'not here: unshare, and root to use it',
  ],
];

/** Files to add to the guest, created in the given order, so that readdir lists them differently. */
function overlay(folder: string, order: readonly number[]): string {
  mkdirSync(join(folder, 'etc'), { recursive: true });
  for (const i of order) {
    const path = join(folder, 'etc', `overlay-${(i * 7919) % 64}`);
    writeFileSync(path, `${i}`);
    chmodSync(path, 0o644);
    utimesSync(path, 1_600_000_000, 1_600_000_000);
  }
  for (const path of [join(folder, 'etc'), folder]) {
    chmodSync(path, 0o755);
    utimesSync(path, 1_600_000_000, 1_600_000_000);
  }
  return folder;
}
const UP = Array.from({ length: 64 }, (_, i) => i);

interface Made {
  readonly digests: Record<string, string>;
  readonly packages: unknown;
  readonly warnings: unknown;
  readonly epoch: unknown;
}

/** Runs builds in their environments and gives the digests of all they wrote, checked against their output. */
async function make(
  folder: string,
  args: readonly string[],
  builds: readonly (readonly string[])[],
  { nobody, umask, jobs, env, node, through }: Environment,
): Promise<Made> {
  const cwd = nobody ? nobodysFolder(folder) : folder;
  if (!nobody) mkdirSync(folder);
  const options: RunOptions = {
    cwd,
    env: { http_proxy: '', ...env, HOME: join(cwd, 'home'), TMPDIR: cwd },
    ...(umask === undefined ? {} : { umask }),
    ...(node === undefined ? {} : { node }),
    ...(through === undefined ? {} : { through }),
    ...(nobody ? asNobody : {}),
  };
  const digests: Record<string, string> = {};
  let document: Record<string, unknown> = {};
  for (const [command, ...outputs] of builds) {
    const result = await osbuilder([command!, ...args, ...outputs, '--jobs', jobs, '--json'], options);
    assert.equal(result.code, 0, result.stderr);
    document = JSON.parse(result.stdout);
    for (const { path, sha256 } of document['outputs'] as { path: string; sha256: string }[]) {
      digests[path] = await digestOf(join(cwd, path));
      assert.equal(sha256, digests[path], path);
      rmSync(join(cwd, path));
    }
  }
  const { packages, warnings, sourceDateEpoch: epoch } = document;
  return { digests, packages, warnings, epoch };
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest('hex');
}

/** A small distribution: what it is made of, and how it is built. */
interface Small {
  readonly builds: readonly (readonly string[])[];
  repository(folder: string): Promise<{ readonly root: string; readonly keyring: string }>;
  flags(root: string, keyring: string, cache: string): string[];
}

const APT: Small = {
  builds: BUILDS,
  repository: (folder) => smallRepository(folder, {}, [...SMALL_PACKAGES, BUSY]),
  flags: (...words) => [...smallFlags(...words), '--extra-pkgs', 'busy'],
};
const RPM: Small = {
  builds: [['build', ...'--keep-rpm-db --rootfs r.tar --initrd i.img --image k.img'.split(' ')]],
  repository: async (folder) => smallRpmRepository(folder),
  flags: smallRpmFlags,
};

const sceneOf = (of: Small) => async () => {
  const folder = openFolder(hook);
  const { root, keyring } = await of.repository(folder);
  const server = await serve(hook, root);
  let count = 0;
  const run = (environment: Environment) => {
    const home = join(folder, `${count++}`);
    const order = count % 2 === 0 ? [...UP].reverse() : UP;
    const flags = [
      ...of.flags(server.url, keyring, environment.warm ? join(folder, '0', 'cache') : join(home, 'cache')),
      ...['--agent', 'demo', '--agent-init'],
      ...['--overlay', overlay(join(folder, `overlay-${count}`), order)],
    ];
    return make(home, flags, of.builds, environment);
  };
  return { run, first: await run(PLAIN) };
};
const small = once(sceneOf(APT));
const smallRpm = once(sceneOf(RPM));
const withoutRpm = needs({ tools: RPM_TOOLS });

// waited for before the first test is named: when all that are named have ended, so has their common folder
const others = new Map<string, Awaited<ReturnType<typeof otherNode>>>();
for (const version of NODES) others.set(version, await otherNode(version));
const skip = await needsMirror();

test('the small guest has in it what could differ', async () => {
  const { first } = await small();
  assert.equal(Object.keys(first.digests).length, 12);
  assert.equal(new Set(Object.values(first.digests)).size, 12);
  // an initrd is among the outputs, and a program has a capability
  assert.deepEqual(
    (first.warnings as readonly { code: string }[]).map(({ code }) => code),
    ['XATTRS_LOST'],
  );
});

test('the small guest of rpm packages has in it what could differ', { skip: withoutRpm }, async () => {
  const { first } = await smallRpm();
  assert.equal(new Set(Object.values(first.digests)).size, 3);
  assert.deepEqual(
    (first.warnings as readonly { code: string }[]).map(({ code }) => code),
    ['XATTRS_LOST'],
  );
});

for (const [name, environment, skip = false] of VARIANTS)
  for (const [family, scene, without] of [
    ['', small, false],
    ['rpm packages, ', smallRpm, withoutRpm],
  ] as const)
    test(`twice the same bytes: ${family}${name}`, { skip: without || skip }, async () => {
      const { run, first } = await scene();
      assert.deepEqual(await run(environment), first);
    });

for (const [version, found] of others)
  test(`twice the same bytes: Node ${version}`, { skip: 'skip' in found && found.skip }, async (t) => {
    const node = 'path' in found ? found.path : assert.fail();
    const itself = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
    assert.ok(itself.startsWith(`v${version}`), itself);
    t.diagnostic(itself);
    for (const scene of withoutRpm ? [small] : [small, smallRpm]) {
      const { run, first } = await scene();
      assert.deepEqual(
        await run({ node, jobs: version === '22' ? '1' : '4', umask: '022', env: { TZ: 'Asia/Tokyo' } }),
        first,
      );
    }
  });

const BIG = [['build', '--rootfs', 'r.tar.zst', '--initrd', 'i.img', '--image', 'k.img']];
const BIG_ARGS = ['--distro', 'debian', '--os-version', 'trixie', '--arch', 'amd64', '--agent', 'demo'];

/** A Debian guest built by this test. */
const big = once(async () => {
  const folder = openFolder(hook);
  const first = await make(join(folder, '0'), [...BIG_ARGS, '--cache-dir', TEST_CACHE], BIG, {
    ...PLAIN,
    env: { http_proxy: process.env['http_proxy'] ?? '' },
  });
  return { folder, first };
});

/** A cache of downloads alone: everything is parsed and unpacked again. */
function downloads(folder: string): string {
  const cache = join(folder, 'cache');
  nobodysFolder(cache);
  for (const category of ['archives', 'indexes']) symlinkSync(join(TEST_CACHE, category), join(cache, category));
  return cache;
}

const newest = others.get('24')!;

test('twice the same bytes: a Debian guest unpacked and built again by Node 24 as nobody, offline', {
  skip: skip || ('skip' in newest && newest.skip),
}, async () => {
  const { folder, first } = await big();
  const home = join(folder, 'again');
  mkdirSync(home);
  const again = await make(join(home, 'out'), [...BIG_ARGS, '--offline', '--cache-dir', downloads(home)], BIG, {
    nobody: true,
    jobs: '5',
    umask: '077',
    env: { TZ: 'Pacific/Chatham', LC_ALL: 'tr_TR.UTF-8' },
    ...('path' in newest ? { node: newest.path } : {}),
  });
  assert.deepEqual(again, first);
  setModes(home, 0o755, 0o644);
  rmSync(home, { recursive: true });
});
