import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { keptBytes, keptPrimary } from '../../../src/families/rpm/kept.ts';
import { packPool, poolOf, unpackPool } from '../../../src/families/rpm/kept-pool.ts';
import { Pool } from '../../../src/families/rpm/solver/pool.ts';
import { resolve } from '../../../src/families/rpm/solver/resolve.ts';
import { TextList } from '../../../src/families/rpm/solver/texts.ts';
import type { SolverRepository } from '../../../src/families/rpm/solver/types.ts';
import { needs, temporary } from '../../support/data.ts';
import { testHost } from '../../support/host.ts';
import { appstream, baseos } from './solver/stream9.ts';

const options = { architecture: 'x86_64' };
const skip = needs({ data: ['rpm/c9s-baseos', 'rpm/c9s-appstream'] });

/** The same repository as its metadata reads when it comes from the cache. */
function asKept(one: SolverRepository): SolverRepository {
  const { table } = keptPrimary(Buffer.concat(keptBytes({ table: one.packages, facts: new TextList([]) })))!;
  return { ...one, packages: table };
}

const REQUESTS: readonly (readonly string[])[] = [
  ['nginx', 'php', 'podman', 'httpd'],
  ['systemd', 'chrony', 'iptables'],
  ['glibc.i686', 'zlib-devel.i686'],
  ['python3*'],
  ['pkgconfig(libcurl)', '/usr/bin/git', 'webserver'],
  ['perl', 'no-such-package'],
  ['gcc-11.4.1*', 'redis'],
];

test('a pool from the cache answers as the one that it was made of', { skip }, async () => {
  const repositories = [baseos(), await appstream()];
  const parts = Buffer.concat(packPool(new Pool(repositories, options).parts()));
  for (const weakDependencies of [false, true])
    for (const request of REQUESTS) {
      const asked = { wanted: request.map((text) => ({ text })), weakDependencies, best: true };
      const fresh = resolve(new Pool(repositories, options), asked);
      const kept = resolve(new Pool(repositories.map(asKept), options, unpackPool(parts)), asked);
      const name = `${request.join(' ')}, weak dependencies ${weakDependencies}`;
      assert.deepEqual(kept, fresh, name);
      if (fresh.kind === 'resolved') assert.ok(fresh.packages.length > 10, name);
    }
  for (const at of [0, 5, 9, 20, 60, parts.length - 1]) {
    const damaged = new Uint8Array(parts);
    damaged[at]! ^= 1;
    assert.equal(unpackPool(damaged), undefined, `byte ${at}`);
  }
  for (const size of [0, 10, 47, 100, parts.length - 4])
    assert.equal(unpackPool(parts.subarray(0, size)), undefined, `${size} bytes`);
});

test('pools are kept for what they depend on: digests, priorities, the architecture', { skip }, async (t) => {
  const { cache } = testHost(t, { cache: join(temporary(t), 'cache') }).mirror;
  const kept = () =>
    readdirSync(join(cache.directory, 'parsed'), { recursive: true }).filter((one) => /pool/.test(`${one}`));
  const repositories = [
    { ...baseos(), digest: 'a' },
    { ...(await appstream()), digest: 'b' },
  ];
  const [first, second] = repositories as [(typeof repositories)[number], (typeof repositories)[number]];
  await poolOf([first], options, cache);
  assert.throws(kept, /ENOENT/, 'a small one is not kept');
  await poolOf([first, { ...second, digest: undefined }], options, cache);
  assert.throws(kept, /ENOENT/, 'one of a folder is not kept');
  const variants = [
    [repositories, options],
    [[{ ...first, priority: 5 }, second], options],
    [[first, { ...second, priority: 5 }], options],
    [[first, { ...second, digest: 'c' }], options],
    [repositories, { architecture: 'aarch64' }],
  ] as const;
  for (const [i, [all, own]] of variants.entries()) {
    const shown = (pool: Pool) => {
      const answer = resolve(pool, { wanted: [{ text: 'systemd' }], weakDependencies: false, best: true });
      return answer.kind === 'resolved' ? answer.packages.map(({ id }) => pool.show(id)) : answer;
    };
    const fresh = shown(new Pool(all, own));
    for (let round = 0; round < 2; round++) {
      assert.deepEqual(shown(await poolOf(all, own, cache)), fresh);
      assert.equal(kept().length, i + 1);
    }
  }
});
