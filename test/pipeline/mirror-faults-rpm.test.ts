import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { needs, temporary } from '../support/data.ts';
import { assertCacheSound, assertRejected, fault, faulty, sceneOf } from '../support/faulty-mirror.ts';
import { once } from '../support/once.ts';
import { nowhere } from '../support/other-user.ts';
import { createRepository, makeRpmKey, RPM_TOOLS } from '../support/rpms.ts';
import { type Fault, type StaticServer, serve } from '../support/server.ts';
import { SMALL_RPM_HOME, smallRpmFlags, smallRpmRepository } from '../support/small-rpms.ts';

/** A mirror of rpm packages that misbehaves: see mirror-faults.test.ts, which does the same with Debian packages. */

const closing: (() => void | Promise<void>)[] = [];
const hook = { after: (close: () => void | Promise<void>) => void closing.push(close) };
after(async () => {
  for (const close of closing.reverse()) await close();
});

const RPM = `/${SMALL_RPM_HOME}/libsmall-1-1.noarch.rpm`;
const REPOMD = `/${SMALL_RPM_HOME}/repodata/repomd.xml`;
const SIGNATURE = `${REPOMD}.asc`;

/** One repository in three states: as it is, with a package less (signed by the same key), and signed by another one. */
const repository = once(async () => {
  const folder = temporary(hook);
  const { root, keyring, key } = smallRpmRepository(folder);
  const home = join(root, SMALL_RPM_HOME);
  const lists = readdirSync(join(home, 'repodata')).filter((name) => /primary\.xml/.test(name));
  const state = (name: string, signer: typeof key, but = '') => {
    const at = join(folder, name);
    mkdirSync(at);
    for (const file of readdirSync(home).filter((one) => one.endsWith('.rpm') && one !== but))
      copyFileSync(join(home, file), join(at, file));
    createRepository(at, signer);
    return (path: string) => readFileSync(join(at, path.slice(SMALL_RPM_HOME.length + 2)));
  };
  const older = state('older', key, 'tools-2.0-1.noarch.rpm');
  const forged = state('forged', makeRpmKey(join(folder, 'other'), 'Other <other@example.org>'));
  const scene = await sceneOf(folder, root, (url, cache) => smallRpmFlags(url, keyring, cache));
  return { ...scene, older, forged, lists: lists.map((name) => `/${SMALL_RPM_HOME}/repodata/${name}`) };
});
type Made = Awaited<ReturnType<typeof repository>>;
type Corrupt = (server: StaticServer, made: Made) => void;

const list =
  (what: Fault): Corrupt =>
  (server, made) =>
    fault(made.lists, what)(server);
const replace =
  (path: string, from: (made: Made) => (path: string) => Uint8Array, what: Fault = {}): Corrupt =>
  (server, made) =>
    server.fault(path, { ...what, body: from(made)(path) });
const all =
  (...some: Corrupt[]): Corrupt =>
  (server, made) => {
    for (const one of some) one(server, made);
  };
const QUICK = { more: ['--mirror-timeout', '1'] };
const PORTAL = { body: '<html>please log in</html>' };

const ENDINGS: readonly (readonly [string, Corrupt, string | undefined, { readonly more: readonly string[] }?])[] = [
  // interrupted
  ['a package breaks off once', fault(RPM, { cutAt: 700, times: 1 }), undefined],
  ['a package always breaks off at the same place', fault(RPM, { cutAt: 0 }), 'DOWNLOAD_CUT'],
  [
    'a package breaks off and looks whole',
    fault(RPM, { cutAt: 700, noLength: true, ignoreRange: true }),
    'DOWNLOAD_CUT',
  ],
  ['the package list breaks off once', list({ cutAt: 100, times: 1 }), undefined],
  ['the package list always breaks off', list({ cutAt: 0 }), 'DOWNLOAD_CUT'],
  ['the table of contents breaks off once', fault(REPOMD, { cutAt: 300, times: 1 }), undefined],
  ['the table of contents always breaks off', fault(REPOMD, { cutAt: 300 }), 'DOWNLOAD_CUT'],
  ['the table of contents breaks off and looks whole', fault(REPOMD, { cutAt: 300, noLength: true }), 'SIGNATURE_BAD'],
  [
    'the signature breaks off and looks whole',
    fault(SIGNATURE, { cutAt: 100, noLength: true }),
    'SIGNED_FILE_MALFORMED',
  ],
  // silent
  ['a package stalls once', fault(RPM, { stallAt: 700, times: 1 }), undefined, QUICK],
  ['a package stalls for good', fault(RPM, { stallAt: 0 }), 'DOWNLOAD_STALLED', QUICK],
  ['the table of contents is never answered', fault(REPOMD, { silent: true }), 'CONNECTION_FAILED', QUICK],
  // overloaded
  [
    '503 twice for everything',
    all(fault([REPOMD, SIGNATURE, RPM], { status: 503, times: 2 }), list({ status: 503, times: 2 })),
    undefined,
  ],
  ['502 for a package for good', fault(RPM, { status: 502 }), 'HTTP_STATUS'],
  ['500 for the table of contents for good', fault(REPOMD, { status: 500 }), 'HTTP_STATUS'],
  ['a package has gone', fault(RPM, { status: 404 }), 'NOT_FOUND'],
  ['there is no such repository', fault(REPOMD, { status: 404 }), 'NOT_FOUND'],
  ['the package list has gone', list({ status: 404 }), 'NOT_FOUND'],
  // wrong bytes
  ['one bit of a package is wrong', fault(RPM, { corrupt: true }), 'DIGEST_MISMATCH'],
  ['a package is a page of a captive portal', fault(RPM, PORTAL), 'CONTENT_SIZE'],
  ['one bit of the package list is wrong', list({ corrupt: true }), 'DIGEST_MISMATCH'],
  ['one bit of the package list is wrong once, behind a cache', list({ corrupt: true, times: 1 }), undefined],
  ['one bit of the table of contents is wrong', fault(REPOMD, { corrupt: true }), 'SIGNATURE_BAD'],
  ['the table of contents is a page of a captive portal', fault(REPOMD, PORTAL), 'SIGNATURE_BAD'],
  ['the signature is a page of a captive portal', fault(SIGNATURE, PORTAL), 'SIGNED_FILE_MALFORMED'],
  // redirected
  ['a package redirects in a circle', fault(RPM, { redirect: RPM }), 'REDIRECT_REFUSED'],
  [
    'the table of contents redirects out of the web',
    fault(REPOMD, { redirect: 'file:///etc/passwd' }),
    'REDIRECT_REFUSED',
  ],
  // versions that do not match
  ['the table of contents is older than its signature', replace(REPOMD, (made) => made.older), 'SIGNATURE_BAD'],
  [
    'the table of contents is older than its signature once',
    replace(REPOMD, (made) => made.older, { times: 1 }),
    undefined,
  ],
  [
    'an older state without its package list',
    all(
      replace(REPOMD, (made) => made.older),
      replace(SIGNATURE, (made) => made.older),
    ),
    'NOT_FOUND',
  ],
  // trust
  ['signed by somebody else', replace(SIGNATURE, (made) => made.forged), 'SIGNATURE_KEY_UNKNOWN'],
  ['signed by nobody', fault(SIGNATURE, { status: 404 }), 'METADATA_UNSIGNED'],
];

const skip = needs({ tools: RPM_TOOLS });

// most of the time is spent waiting between attempts: several wait together
describe('one mirror', { concurrency: 4, skip }, () => {
  for (const [name, corrupt, code, options] of ENDINGS)
    test(`${name}: ${code ?? 'the build goes on, with the same bytes'}`, async (t) =>
      faulty(await repository(), t, corrupt, code, options));
});

test('the first mirror is down, or sends wrong bytes, or lacks a file: the second gives the same bytes', {
  skip,
}, async (t) => {
  const made = await repository();
  const working = await serve(t, made.root);
  const dead = await made.build([await nowhere(), working.url]);
  assert.equal(dead.code, 0, dead.stderr);
  assert.deepEqual(dead.sums, made.good);
  for (const [path, what] of [
    [RPM, { corrupt: true }],
    [RPM, { status: 404 }],
    [REPOMD, { corrupt: true }],
    [REPOMD, PORTAL],
    [SIGNATURE, { body: made.forged(SIGNATURE) }],
    [made.lists[0]!, { corrupt: true }],
  ] as const) {
    const bad = await serve(t, made.root);
    bad.fault(path, what);
    const cache = made.cacheOf();
    const run = await made.build([bad.url, working.url], cache);
    assert.equal(run.code, 0, `${path} ${Object.keys(what)}: ${run.stderr}`);
    assert.deepEqual(run.sums, made.good);
    assertCacheSound(cache);
  }
});

test('all mirrors fail, each in its own way: the error names every one', { skip }, async (t) => {
  const made = await repository();
  const bad = await serve(t, made.root);
  bad.fault(RPM, { corrupt: true });
  const gone = await serve(t, made.root);
  gone.fault(RPM, { status: 404 });
  const run = await made.build([gone.url, bad.url]);
  assertRejected(run, 'DIGEST_MISMATCH');
  assert.ok(run.error!.message.includes(bad.url));
  assert.ok(run.error!.hint!.includes(gone.url));
});
