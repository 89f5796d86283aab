import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';
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

const OUTPUTS = ['--agent', 'demo', '--agent-init', '--rootfs', 'r.tar', '--initrd', 'i.img', '--json'];
const DEB = '/pool/main/l/libsmall_1_amd64.deb';
const HOME = '/dists/trixie';
const LISTS = [`${HOME}/main/binary-amd64/Packages.gz`, `${HOME}/main/binary-amd64/Packages`];
const IN_RELEASE = `${HOME}/InRelease`;
const DAY = 86400;

interface Document {
  readonly outputs: readonly { readonly kind: string; readonly sha256: string }[];
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string | null };
}

interface Run {
  readonly code: number | null;
  readonly stderr: string;
  readonly error: NonNullable<Document['error']> | undefined;
  readonly sums: readonly string[];
  /** The files in the output folder. */
  readonly written: readonly string[];
}

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
  let count = 0;
  let caches = 0;
  const cacheOf = () => join(folder, `cache-${caches++}`);
  /** Builds with that mirror, or several, from a cache that is new unless given. */
  const build = async (urls: readonly string[], cache = cacheOf(), more: readonly string[] = []) => {
    const out = join(folder, `out-${count++}`);
    mkdirSync(out);
    const [first, ...others] = urls;
    const flags = [...smallFlags(first!, keyring, cache), ...others.flatMap((url) => ['--repo-url', url])];
    const result = await osbuilder(['build', ...flags, ...OUTPUTS, ...more], {
      cwd: out,
      env: { http_proxy: '', TMPDIR: out },
    });
    const document = JSON.parse(result.stdout) as Document;
    const sums = (document.outputs ?? []).map(({ kind, sha256 }) => `${kind} ${sha256}`);
    const written = readdirSync(out);
    rmSync(out, { recursive: true });
    return { code: result.code, stderr: result.stderr, error: document.error, sums, written } satisfies Run;
  };
  const undisturbed = await build([root]);
  assert.equal(undisturbed.code, 0, undisturbed.stderr);
  return {
    folder,
    root,
    build,
    good: undisturbed.sums,
    older,
    expired,
    forged,
    unsigned,
    cacheOf,
  };
});
type Archive = Awaited<ReturnType<typeof archive>>;

/** Every file with its final name in the cache has the digest in its name. */
function assertCacheSound(cache: string): void {
  for (const category of ['archives', 'indexes'])
    for (const path of files(join(cache, category))) {
      const name = basename(path);
      if (name.startsWith('.') || name.startsWith('release-')) continue;
      assert.equal(createHash('sha256').update(readFileSync(path)).digest('hex'), name, `${category}/${name}`);
    }
}

function files(folder: string): string[] {
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

/** An error that people and programs can act on, and nothing incomplete. */
function assertRejected(run: Run, code: string): void {
  assert.equal(run.code, 1, run.stderr);
  assert.equal(run.error?.code, code, run.stderr);
  assert.ok(run.error.message.length > 20 && !run.error.message.includes('\n'), run.error.message);
  assert.ok((run.error.hint ?? '').length > 10, `${code} has no hint: ${run.error.message}`);
  assert.deepEqual(run.written, []);
  assert.ok(run.stderr.includes(`[${code}]`));
}

/** Sets up a server, builds while it is faulty (`code`: the expected error; none: it recovers), then when it works. */
async function faulty(
  t: { after(fn: () => void | Promise<void>): void },
  corrupt: (server: StaticServer, made: Archive) => void,
  code: string | undefined,
  options: { readonly more?: readonly string[]; readonly asked?: (server: StaticServer) => void } = {},
): Promise<void> {
  const made = await archive();
  const faulty = await serve(t, made.root);
  corrupt(faulty, made);
  const cache = made.cacheOf();
  const run = await made.build([faulty.url], cache, options.more);
  assertCacheSound(cache);
  options.asked?.(faulty);
  if (code === undefined) {
    assert.equal(run.code, 0, run.stderr);
    assert.deepEqual(run.sums, made.good);
    return;
  }
  assertRejected(run, code);
  // the same mirror, working again, and the cache that the faulty one filled
  faulty.reset();
  const again = await made.build([faulty.url], cache);
  assert.equal(again.code, 0, again.stderr);
  assert.deepEqual(again.sums, made.good);
  assertCacheSound(cache);
  assert.deepEqual(
    files(cache).filter((path) => path.endsWith('.download')),
    [],
  );
}

const fault = (paths: string | readonly string[], what: Fault) => (server: StaticServer) => {
  for (const path of typeof paths === 'string' ? [paths] : paths) server.fault(path, what);
};
const replace =
  (paths: readonly string[], from: (made: Archive) => (path: string) => Uint8Array, what: Fault = {}) =>
  (server: StaticServer, made: Archive) => {
    for (const path of paths) server.fault(path, { ...what, body: from(made)(path) });
  };
const QUICK = ['--mirror-timeout', '1'];

const ENDINGS: readonly (readonly [
  string,
  Parameters<typeof faulty>[1],
  string | undefined,
  Parameters<typeof faulty>[3]?,
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
    test(`${name}: ${code ?? 'the build goes on, with the same bytes'}`, (t) => faulty(t, corrupt, code, options));
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
