import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { temporary } from '../support/data.ts';
import { assertCacheSound, assertRejected, fault, faulty, sceneOf } from '../support/faulty-mirror.ts';
import { once } from '../support/once.ts';
import { nowhere } from '../support/other-user.ts';
import { addDebs, MADE, makeKey, type RepositoryKey } from '../support/repository.ts';
import { type Fault, type StaticServer, serve } from '../support/server.ts';
import { smallFlags, smallRepository } from '../support/small-guest.ts';

/**
 * The compiled program against a mirror that misbehaves. Each fault has one of two results: the same bytes as always, or
 * an error with a code and a hint, nothing written, nothing wrong kept. And when the mirror works again, so does
 * the build.
 */

const closing: (() => void | Promise<void>)[] = [];
const hook = { after: (close: () => void | Promise<void>) => void closing.push(close) };
after(async () => {
  for (const close of closing.reverse()) await close();
});

const DEB = '/pool/main/l/libsmall_1_amd64.deb';
const HOME = '/dists/trixie';
const LISTS = [`${HOME}/main/binary-amd64/Packages.gz`, `${HOME}/main/binary-amd64/Packages`];
const IN_RELEASE = `${HOME}/InRelease`;
const DAY = 86400;

/** One archive in three states, all signed by the same key: as it was, as it is, and with a newer package. */
const archive = once(async () => {
  const folder = temporary(hook);
  const { root, keyring, key } = await smallRepository(folder, { date: MADE + DAY });
  const debs = readdirSync(join(folder, 'debs')).map((name) => join(folder, 'debs', name));
  const state = async (
    name: string,
    suite: { date: number; validUntil?: number; keys?: readonly RepositoryKey[] },
    but = '',
  ) => {
    const at = join(folder, name);
    const names = { suite: 'trixie', codename: 'trixie', architectures: ['amd64'] };
    await addDebs(at, { ...names, debs: debs.filter((deb) => basename(deb) !== but), keys: [key], ...suite });
    return (path: string) => readFileSync(join(at, path));
  };
  const older = await state('older', { date: MADE }, 'extra_1_amd64.deb');
  const expired = await state('expired', { date: MADE + DAY, validUntil: MADE + 2 * DAY });
  const forged = await state('forged', {
    date: MADE + DAY,
    keys: [await makeKey({ name: 'Somebody Else <else@example.org>' })],
  });
  const unsigned = await state('unsigned', { date: MADE + DAY, keys: [] });
  const scene = await sceneOf(folder, root, (url, cache) => smallFlags(url, keyring, cache));
  return { ...scene, older, expired, forged, unsigned };
});
type Archive = Awaited<ReturnType<typeof archive>>;

const replace =
  (paths: readonly string[], from: (made: Archive) => (path: string) => Uint8Array, what: Fault = {}) =>
  (server: StaticServer, made: Archive) => {
    for (const path of paths) server.fault(path, { ...what, body: from(made)(path) });
  };
const QUICK = ['--mirror-timeout', '1'];

const ENDINGS: readonly (readonly [
  string,
  Parameters<typeof faulty<Archive>>[2],
  string | undefined,
  Parameters<typeof faulty<Archive>>[4]?,
])[] = [
  // interrupted
  ['a package breaks off once', fault(DEB, { cutAt: 700, times: 1 }), undefined],
  ['a package always breaks off at the same place', fault(DEB, { cutAt: 0 }), 'DOWNLOAD_CUT'],
  [
    'a package breaks off and looks whole',
    fault(DEB, { cutAt: 700, noLength: true, ignoreRange: true }),
    'DOWNLOAD_CUT',
  ],
  ['the package list breaks off once', fault(LISTS, { cutAt: 100, times: 1 }), undefined],
  ['the package list always breaks off', fault(LISTS, { cutAt: 0 }), 'DOWNLOAD_CUT'],
  ['the signed list breaks off once', fault(IN_RELEASE, { cutAt: 300, times: 1 }), undefined],
  ['the signed list always breaks off', fault(IN_RELEASE, { cutAt: 300 }), 'DOWNLOAD_CUT'],
  [
    'the signed list breaks off and looks whole',
    fault(IN_RELEASE, { cutAt: 300, noLength: true }),
    'SIGNED_FILE_MALFORMED',
  ],
  // silent
  ['a package stalls once', fault(DEB, { stallAt: 700, times: 1 }), undefined, { more: QUICK }],
  ['a package stalls for good', fault(DEB, { stallAt: 0 }), 'DOWNLOAD_STALLED', { more: QUICK }],
  ['the signed list stalls for good', fault(IN_RELEASE, { stallAt: 100 }), 'DOWNLOAD_STALLED', { more: QUICK }],
  ['the signed list is never answered', fault(IN_RELEASE, { silent: true }), 'CONNECTION_FAILED', { more: QUICK }],
  // overloaded
  ['503 twice for everything', fault([IN_RELEASE, ...LISTS, DEB], { status: 503, times: 2 }), undefined],
  ['502 for a package for good', fault(DEB, { status: 502 }), 'HTTP_STATUS'],
  ['500 for the signed list for good', fault(IN_RELEASE, { status: 500 }), 'HTTP_STATUS'],
  ['a package has gone', fault(DEB, { status: 404 }), 'NOT_FOUND'],
  ['there is no such suite', fault([IN_RELEASE, `${HOME}/Release`], { status: 404 }), 'NOT_FOUND'],
  // wrong bytes
  ['one bit of a package is wrong', fault(DEB, { corrupt: true }), 'DIGEST_MISMATCH'],
  ['a package is a page of a captive portal', fault(DEB, { body: '<html>please log in</html>' }), 'CONTENT_SIZE'],
  ['one bit of the package list is wrong', fault(LISTS, { corrupt: true }), 'INDEX_STALE'],
  ['one bit of the package list is wrong once, behind a cache', fault(LISTS, { corrupt: true, times: 1 }), undefined],
  ['one bit of the signed list is wrong', fault(IN_RELEASE, { corrupt: true }), 'SIGNATURE_BAD'],
  [
    'the signed list is a page of a captive portal',
    fault(IN_RELEASE, { body: '<html>please log in</html>' }),
    'SIGNED_FILE_MALFORMED',
  ],
  // redirected
  ['a package redirects in a circle', fault(DEB, { redirect: DEB }), 'REDIRECT_REFUSED'],
  [
    'the signed list redirects out of the web',
    fault(IN_RELEASE, { redirect: 'file:///etc/passwd' }),
    'REDIRECT_REFUSED',
  ],
  // versions that do not match
  ['the package list is older than the signed list', replace(LISTS, (made) => made.older), 'INDEX_STALE'],
  [
    'the signed list is older than the package list once',
    replace([IN_RELEASE], (made) => made.older, { times: 1 }),
    undefined,
  ],
  // trust
  ['signed by somebody else', replace([IN_RELEASE], (made) => made.forged), 'SIGNATURE_KEY_UNKNOWN'],
  [
    'signed by nobody',
    (server, made) => {
      for (const path of [IN_RELEASE, `${HOME}/Release.gpg`]) server.fault(path, { status: 404 });
      server.fault(`${HOME}/Release`, { body: made.unsigned(`${HOME}/Release`) });
    },
    'RELEASE_UNSIGNED',
  ],
  ['past its Valid-Until', replace([IN_RELEASE], (made) => made.expired), 'RELEASE_EXPIRED'],
];

// most of the time is spent waiting between attempts: several wait together
describe('one mirror', { concurrency: 4 }, () => {
  for (const [name, corrupt, code, options] of ENDINGS)
    test(`${name}: ${code ?? 'the build goes on, with the same bytes'}`, async (t) =>
      faulty(await archive(), t, corrupt, code, options));
});

test('an older signed list than the one seen before is rejected; the newer one is still known', async (t) => {
  const made = await archive();
  const server = await serve(t, made.root);
  const cache = made.cacheOf();
  const first = await made.build([server.url], cache);
  assert.deepEqual(first.sums, made.good);
  // another file under the name, with tags of its own, as a mirror has it that an attacker keeps from updating
  for (const path of [IN_RELEASE, ...LISTS]) server.files.set(path, made.older(path));
  for (let i = 0; i < 2; i++) assertRejected(await made.build([server.url], cache), 'RELEASE_REPLAYED');
  server.files.clear();
  assert.deepEqual((await made.build([server.url], cache)).sums, made.good);
});

test('the first mirror is down, or sends wrong bytes, or lacks a file: the second gives the same bytes', async (t) => {
  const made = await archive();
  const good = await serve(t, made.root);
  const dead = await made.build([await nowhere(), good.url]);
  assert.equal(dead.code, 0, dead.stderr);
  assert.deepEqual(dead.sums, made.good);
  for (const [path, what] of [
    [DEB, { corrupt: true }],
    [DEB, { status: 404 }],
    [IN_RELEASE, { corrupt: true }],
    [IN_RELEASE, { body: made.forged(IN_RELEASE) }],
    [IN_RELEASE, { body: made.expired(IN_RELEASE) }],
  ] as const) {
    const bad = await serve(t, made.root);
    bad.fault(path, what);
    const cache = made.cacheOf();
    const run = await made.build([bad.url, good.url], cache);
    assert.equal(run.code, 0, `${path} ${Object.keys(what)}: ${run.stderr}`);
    assert.deepEqual(run.sums, made.good);
    assertCacheSound(cache);
  }
});

test('all mirrors fail, each in its own way: the error names every one', async (t) => {
  const made = await archive();
  const bad = await serve(t, made.root);
  bad.fault(DEB, { corrupt: true });
  const gone = await serve(t, made.root);
  gone.fault(DEB, { status: 404 });
  const run = await made.build([gone.url, bad.url]);
  assertRejected(run, 'DIGEST_MISMATCH');
  assert.ok(run.error!.message.includes(bad.url));
  assert.ok(run.error!.hint!.includes(gone.url));
});
