import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { sha256 } from '../../src/bytes/digest.ts';
import { osbuilder } from '../support/cli.ts';
import { needs, temporary } from '../support/data.ts';
import type { SmallDeb } from '../support/debs.ts';
import { SMALL_PACKAGES, smallFlags, smallRepository } from '../support/small-guest.ts';

/** Guests of more packages than the process may have files open, as some containers limit it. */

const PACKAGES = 320;

/** Packages with files that no other one has next to them in the tree: reading it goes from package to package. */
const many: readonly SmallDeb[] = Array.from({ length: PACKAGES }, (_, i) => ({
  name: `part-${i}`,
  files: [
    { name: './usr/' },
    { name: './usr/share/' },
    ...['a', 'b'].map((part) => ({
      ...{ name: `./usr/share/${part}${i}`, data: Buffer.alloc(40_000, `${part}${i}`) },
    })),
  ],
}));

test('a guest of hundreds of packages needs no more than 256 open files, and made again 64', {
  skip: needs({ tools: ['bash'] }),
}, async (t) => {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder, {}, [...SMALL_PACKAGES, ...many]);
  const build = async (limit: number | undefined, cache: string) => {
    const out = join(folder, 'out');
    rmSync(out, { recursive: true, force: true });
    const names = many.map(({ name }) => name).join(' ');
    const flags = smallFlags(root, keyring, join(folder, cache)).map((one) => (one === 'extra' ? names : one));
    const outputs = ['--rootfs', join(out, 'r.tar'), '--image', join(out, 'g.img')];
    const through = limit === undefined ? [] : ['bash', '-c', `ulimit -n ${limit}; exec "$0" "$@"`];
    const { code, stderr } = await osbuilder(['build', ...flags, '--skip-rootfs-check', ...outputs], { through });
    const digests = code === 0 ? ['r.tar', 'g.img'].map((name) => sha256(readFileSync(join(out, name)))) : [];
    return { code, stderr, digests };
  };
  const free = await build(undefined, 'free');
  assert.equal(free.code, 0, free.stderr);
  for (const [limit, cache] of [
    [256, 'cold'],
    [256, 'cold'],
    [64, 'cold'],
    [48, 'free'],
  ] as const) {
    const { code, stderr, digests } = await build(limit, cache);
    assert.equal(code, 0, `${limit}: ${stderr}`);
    assert.deepEqual(digests, free.digests, String(limit));
  }
  const { code, stderr } = await build(24, 'none');
  assert.notEqual(code, 0);
  assert.match(
    stderr,
    /too many open files \[(READ_FAILED|WRITE_FAILED|THREAD_LOST)\]\n {2}allow this process more open files \(ulimit -n\)/,
  );
});
