import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ANOTHER_DAY } from '../support/another-day.ts';
import { osbuilder, type RunOptions } from '../support/cli.ts';
import { tool } from '../support/data.ts';
import { otherNode } from '../support/nodes.ts';
import { once } from '../support/once.ts';
import { asNobody, mayChangeUser, nobodysFolder, openFolder } from '../support/other-user.ts';
import { serve } from '../support/server.ts';
import { SMALL_PACKAGES, smallFlags, smallRepository } from '../support/small-guest.ts';
import { noise } from '../support/trees.ts';

/**
 * The matrix of reproducibility: every artefact, and everything that is said about one, against everything that a program
 * can see of its surroundings. One row a variation, one digest a file.
 */

const closing: (() => void | Promise<void>)[] = [];
const hook = { after: (close: () => void | Promise<void>) => void closing.push(close) };
after(async () => {
  for (const close of closing.reverse()) await close();
});

/** What is made: names of files are beside their options. `@` is the folder of outputs, `%` that of the inputs. */
const BUILDS = [
  'lock --rootfs @r.tar --initrd @gzip.img --image @ext4.img -o @l.json',
  'build --rootfs @r.tar.gz --initrd @zstd.img --compress zstd --image @erofs.img --fs-type erofs --sbom @s.cdx.json --provenance @p.json --sign-key %key.pem --reference-values @v.json --cmdline ro',
  'build --rootfs @r.tar.zst --initrd @lz4.img --compress lz4 --image @xfs.img --fs-type xfs --sbom @s.spdx.json --sbom-files --reference-values @rvps.json --reference-values-format rvps',
  'build --rootfs @r.tar.lz4 --initrd @none.img --compress none --image @measured.img --measured-rootfs --provenance @q.json',
  'build --image @gpt.img --partition-table gpt --measured-rootfs',
];
const FILES = [
  ...['r.tar', 'r.tar.gz', 'r.tar.zst', 'r.tar.lz4', 'gzip.img', 'zstd.img', 'lz4.img', 'none.img'],
  ...['ext4.img', 'erofs.img', 'xfs.img', 'measured.img', 'gpt.img', 'gpt.img.roothash', 'root_hash_.txt'],
  ...['l.json', 's.cdx.json', 's.spdx.json', 'p.json', 'q.json', 'v.json', 'rvps.json'],
].sort();

/** Surroundings of a row; what is left out is as in the first row. */
interface Surroundings extends RunOptions {
  readonly jobs?: number;
  /** Where outputs and the cache go. */
  readonly folder?: string;
  /** Take over the cache that the first row filled. */
  readonly warm?: boolean;
  /** Files of folders are made in another order, and with another name of their parent. */
  readonly reversed?: boolean;
  readonly flags?: readonly string[];
  readonly skip?: string | false;
}

const FIRST: Surroundings = { jobs: 1, umask: '022', env: { TZ: 'UTC', LC_ALL: 'C' } };
const env = (values: Readonly<Record<string, string>>): Surroundings => ({ env: { ...FIRST.env, ...values } });
const unshare = mayChangeUser ? tool('unshare') : undefined;
const taskset = tool('taskset');

const ROWS: Readonly<Record<string, Surroundings>> = {
  'a time zone east': env({ TZ: 'Asia/Kathmandu' }),
  'a time zone west, with a part of an hour': env({ TZ: 'America/St_Johns' }),
  'Turkish, where I has no dot': env({ LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR.UTF-8', LANGUAGE: 'tr' }),
  'German in Latin-1': env({ LC_ALL: 'de_DE.ISO-8859-1', LANG: 'de_DE.ISO-8859-1' }),
  'umask 077': { umask: '077' },
  'umask 000': { umask: '000' },
  'another user': { ...asNobody, skip: mayChangeUser ? false : 'not here: root, to become another user' },
  'many threads': { jobs: 7 },
  'two threads on one core': {
    jobs: 2,
    ...(taskset === undefined ? {} : { through: [taskset, '-c', '0'] }),
    skip: taskset === undefined && 'not here: taskset',
  },
  'another folder to work in': { cwd: '/' },
  'another host name': {
    ...(unshare === undefined
      ? {}
      : { through: [unshare, '--uts', '/bin/sh', '-c', 'hostname elsewhere.example.org && exec "$0" "$@"'] }),
    skip: unshare === undefined && 'not here: unshare, and root to use it',
  },
  'another day, with other random numbers': env({ NODE_OPTIONS: `--import=${ANOTHER_DAY}` }),
  'a cache that is filled': { warm: true },
  'files of folders in another order': { reversed: true },
  'names of another user, a terminal with colours': env({
    ...{ USER: 'someone', LOGNAME: 'someone', HOSTNAME: 'x', FORCE_COLOR: '3', COLUMNS: '300', TERM: 'xterm-256color' },
  }),
  'another file system': {
    folder: '/dev/shm',
    skip: existsSync('/dev/shm') ? false : 'not here: /dev/shm',
  },
  'little memory': env({ NODE_OPTIONS: '--max-old-space-size=160' }),
  'all that it says': { flags: ['--verbose'] },
};

/** Files to add to the guest. */
function overlay(folder: string, reversed: boolean): string {
  mkdirSync(join(folder, 'etc'), { recursive: true });
  const names = Array.from({ length: 64 }, (_, i) => `overlay-${(i * 7919) % 64}`);
  for (const name of reversed ? names.reverse() : names) {
    writeFileSync(join(folder, 'etc', name), name);
    chmodSync(join(folder, 'etc', name), 0o644);
    utimesSync(join(folder, 'etc', name), 1_600_000_000, 1_600_000_000);
  }
  for (const path of [join(folder, 'etc'), folder]) {
    chmodSync(path, 0o755);
    utimesSync(path, 1_600_000_000, 1_600_000_000);
  }
  return folder;
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest('hex');
}

const scene = once(async () => {
  const folder = openFolder(hook);
  const bulk = { name: 'bulk', files: [{ name: './usr/' }, { name: './usr/bulk', data: noise(1_500_000) }] };
  const { root, keyring } = await smallRepository(folder, {}, [...SMALL_PACKAGES, bulk]);
  const server = await serve(hook, root);
  const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
  writeFileSync(join(folder, 'key.pem'), key, { mode: 0o644 });
  let count = 0;
  /** Digests of everything that a row makes, by name. */
  const make = async (row: Surroundings): Promise<Record<string, string>> => {
    const parent = row.folder === undefined ? folder : mkdtempSync(join(row.folder, 'osbuilder-test-'));
    if (parent !== folder) hook.after(() => rmSync(parent, { recursive: true, force: true }));
    const home = nobodysFolder(join(parent, `row-${count++}`));
    const out = nobodysFolder(join(home, 'out'));
    const own = overlay(join(folder, `inputs-${count}`, 'overlay'), row.reversed ?? false);
    const flags = [
      ...smallFlags(server.url, keyring, row.warm ? join(folder, 'row-0/cache') : join(home, 'cache')),
      ...['--extra-pkgs', 'bulk', '--agent', 'demo', '--agent-init', '--overlay', own],
      ...['--jobs', String(row.jobs ?? FIRST.jobs), ...(row.flags ?? [])],
    ];
    const options = {
      ...{ cwd: home, umask: FIRST.umask!, ...row },
      env: { http_proxy: '', ...(row.env ?? FIRST.env), HOME: join(home, 'home'), TMPDIR: home },
    };
    for (const words of BUILDS) {
      const [command, ...rest] = words
        .split(' ')
        .map((word) => word.replace('@', `${out}/`).replace('%', `${folder}/`));
      const { code, stderr } = await osbuilder([command!, ...flags, ...rest], options);
      assert.equal(code, 0, `${words}\n${stderr}`);
    }
    const digests: Record<string, string> = {};
    for (const name of readdirSync(out).sort()) digests[name] = await digestOf(join(out, name));
    rmSync(out, { recursive: true });
    return digests;
  };
  return { make, first: await make(FIRST) };
});

test('every artefact is made, and no two are the same', async () => {
  const { first } = await scene();
  assert.deepEqual(Object.keys(first), FILES);
  assert.equal(new Set(Object.values(first)).size, FILES.length);
  assert.ok(Object.keys(ROWS).length >= 14);
});

for (const [name, row] of Object.entries(ROWS))
  test(`the same bytes: ${name}`, { skip: row.skip ?? false }, async () => {
    const { make, first } = await scene();
    assert.deepEqual(await make(row), first);
  });

for (const version of ['20.19.0', '22', '24']) {
  const found = await otherNode(version);
  test(`the same bytes: Node ${version}`, { skip: 'skip' in found && found.skip }, async (t) => {
    const node = 'path' in found ? found.path : assert.fail();
    const itself = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
    assert.ok(itself.startsWith(`v${version}`), itself);
    t.diagnostic(itself);
    const { make, first } = await scene();
    assert.deepEqual(await make({ node, jobs: 3 }), first);
  });
}
