import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { osbuilder } from '../support/cli.ts';
import { needs } from '../support/data.ts';
import { asNobody, mayChangeUser, nobodysFolder, nowhere, openFolder, setModes } from '../support/other-user.ts';
import { RPM_TOOLS } from '../support/rpms.ts';
import { serve } from '../support/server.ts';
import { smallFlags, smallRepository } from '../support/small-guest.ts';
import { smallRpmFlags, smallRpmRepository } from '../support/small-rpms.ts';

interface Document {
  readonly outputs: readonly { readonly kind: string; readonly sha256: string }[];
  readonly packages: readonly { readonly name: string; readonly sha256: string }[];
}

const OUTPUTS = [
  '--agent',
  'demo',
  '--agent-init',
  '--rootfs',
  'r.tar',
  '--initrd',
  'i.img',
  '--image',
  'k.img',
  '--json',
];
const sums = (stdout: string) =>
  (JSON.parse(stdout) as Document).outputs.map(({ kind, sha256 }) => `${kind} ${sha256}`);

/** Package families, and a small repository of each. */
const KINDS = [
  { name: 'apt', skip: false as const, repository: (folder: string) => smallRepository(folder), flags: smallFlags },
  {
    name: 'rpm',
    skip: needs({ tools: RPM_TOOLS }),
    repository: async (folder: string) => smallRpmRepository(folder),
    flags: smallRpmFlags,
  },
];

/** A cache that a first build filled, and the arguments and environment of a second one that has nothing else. */
async function warm(
  t: Parameters<typeof openFolder>[0] & { after(fn: () => void | Promise<void>): void },
  kind = KINDS[0]!,
) {
  const folder = openFolder(t);
  const { root, keyring } = await kind.repository(folder);
  const server = await serve(t, root);
  const cache = join(folder, 'cache');
  const args = ['build', ...kind.flags(server.url, keyring, cache), ...OUTPUTS];
  const first = join(folder, 'first');
  mkdirSync(first);
  const online = await osbuilder(args, { cwd: first, env: { http_proxy: '' } });
  assert.equal(online.code, 0, online.stderr);
  await server.close();
  const proxy = await nowhere();
  mkdirSync(join(folder, 'home'), { mode: 0o555 });
  const temporary = nobodysFolder(join(folder, 'tmp'));
  const options = {
    cwd: nobodysFolder(join(folder, 'second')),
    env: { HOME: join(folder, 'home'), TMPDIR: temporary, http_proxy: proxy, https_proxy: proxy, no_proxy: '' },
    ...asNobody,
  };
  return { folder, cache, args, options, temporary, made: online.stdout };
}

const who = mayChangeUser ? 'as nobody' : 'as the user who runs the tests';

for (const kind of KINDS) {
  test(`${kind.name} offline ${who}, home and cache read-only, no network: the same bytes, and no file left behind`, {
    skip: kind.skip,
  }, async (t) => {
    const { cache, args, options, temporary, made } = await warm(t, kind);
    setModes(cache, 0o555, 0o444);
    const before = readdirSync(cache, { recursive: true }).sort();
    const offline = await osbuilder([...args, '--offline'], options);
    assert.equal(offline.code, 0, offline.stderr);
    assert.deepEqual(sums(offline.stdout), sums(made));
    assert.deepEqual(readdirSync(temporary), []);
    assert.deepEqual(readdirSync(options.env.HOME), []);
    assert.deepEqual(readdirSync(cache, { recursive: true }).sort(), before);
    assert.deepEqual(readdirSync(options.cwd).sort(), ['i.img', 'k.img', 'r.tar']);
  });

  test(`${kind.name} offline ${who}: what is missing from the cache is an error with a hint`, {
    skip: kind.skip,
  }, async (t) => {
    const { cache, args, options, temporary, made } = await warm(t, kind);
    const { packages } = JSON.parse(made) as Document;
    const { sha256 } = packages.find(({ name }) => name === 'libsmall')!;
    for (const category of ['archives', 'spools'])
      for (const name of readdirSync(join(cache, category), { recursive: true, encoding: 'utf8' }))
        if (name.includes(sha256)) rmSync(join(cache, category, name), { recursive: true, force: true });
    setModes(cache, 0o555, 0o444);
    const rejected = await osbuilder([...args, '--offline'], options);
    assert.equal(rejected.code, 1, rejected.stderr);
    const { error } = JSON.parse(rejected.stdout);
    assert.equal(error.code, 'OFFLINE_MISSING');
    assert.match(error.message, /libsmall/);
    assert.match(error.hint, /--offline/);
    assert.deepEqual(readdirSync(options.cwd), []);
    assert.deepEqual(readdirSync(temporary), []);
  });

  test(`${kind.name} offline ${who} with nothing in the cache at all`, { skip: kind.skip }, async (t) => {
    const { folder, args, options, temporary } = await warm(t, kind);
    const empty = args.map((word) => (word === join(folder, 'cache') ? join(folder, 'no-cache') : word));
    const rejected = await osbuilder([...empty, '--offline'], options);
    assert.equal(rejected.code, 1, rejected.stderr);
    assert.equal(JSON.parse(rejected.stdout).error.code, 'OFFLINE_MISSING');
    assert.deepEqual(readdirSync(options.cwd), []);
    assert.deepEqual(readdirSync(temporary), []);
  });
}

test(`${who}: a cache or an output that may not be written is an error, not an internal one`, async (t) => {
  const { folder, cache, args, options } = await warm(t);
  rmSync(join(cache, 'spools'), { recursive: true });
  setModes(cache, 0o555, 0o444);
  const spoolless = await osbuilder([...args, '--offline'], options);
  assert.equal(spoolless.code, 1, spoolless.stderr);
  assert.equal(JSON.parse(spoolless.stdout).error.code, 'WRITE_FAILED');
  mkdirSync(join(folder, 'closed'), { mode: 0o500 });
  setModes(cache, 0o755, 0o644);
  for (const path of [
    join(folder, 'home', 'x.img'),
    join(folder, 'home', 'new', 'x.img'),
    join(folder, 'closed', 'x.img'),
  ]) {
    const result = await osbuilder(
      ['initrd', join(folder, 'first', 'r.tar'), '--agent-init', '-o', path, '--json'],
      options,
    );
    assert.equal(result.code, 1, `${path}: ${result.stderr}`);
    assert.equal(JSON.parse(result.stdout).error.code, 'WRITE_FAILED', path);
  }
});
