import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import * as openpgp from 'openpgp';
import { debian } from '../../../src/distros/debian.ts';
import { BuildError } from '../../../src/errors/error.ts';
import type { Event } from '../../../src/events/events.ts';
import { hostArchives, hostSourcePaths } from '../../../src/families/apt/host-sources.ts';
import { parseRelease, parseTime } from '../../../src/families/apt/release.ts';
import { openFolder, openSuite } from '../../../src/families/apt/repository.ts';
import type { AptSource } from '../../../src/families/apt/source.ts';
import { Cache } from '../../../src/fetch/cache.ts';
import type { Keyring } from '../../../src/fetch/keys/key.ts';
import { builtInKeyring } from '../../../src/fetch/keys/keyring.ts';
import { Mirror, type MirrorOptions } from '../../../src/fetch/mirror.ts';
import { data, needs, temporary, tool } from '../../support/data.ts';
import { addDebs, MADE, makeKey, type RepositorySuite, rfc822, writeRepository } from '../../support/repository.ts';
import { serve } from '../../support/server.ts';

const DAY = 86400;
const key = await makeKey({ subkey: true });
const keyring: Keyring = { name: 'the test keyring', keys: [key.publicKey] };
const STANZA = 'Package: a\nVersion: 1\nArchitecture: amd64\nFilename: pool/a.deb\nSize: 1\n';

function errorOf(code: string, ...parts: RegExp[]) {
  return (error: unknown) => {
    assert.ok(error instanceof BuildError, String((error as Error).stack));
    assert.equal(error.code, code, error.message);
    for (const part of parts) assert.match(`${error.message} ${error.hint ?? ''}`, part);
    return true;
  };
}

/** A repository with one suite; the given fields replace the default ones. */
async function repository(
  t: TestContext,
  suite: Partial<RepositorySuite> = {},
  folder = temporary(t),
): Promise<string> {
  const whole: RepositorySuite = {
    suite: 'trixie',
    components: { main: { amd64: [STANZA], arm64: [] }, contrib: { amd64: [] } },
    keys: [key],
    ...suite,
  };
  await writeRepository(folder, { suites: [whole] });
  return folder;
}

function makeMirror(t: TestContext, options: Partial<MirrorOptions> = {}) {
  const events: Event[] = [];
  const mirror = new Mirror({
    cache: new Cache(join(temporary(t), 'cache')),
    report: (event) => events.push(event),
    sleep: async () => {},
    ...options,
  });
  t.after(() => mirror.close());
  return { mirror, events };
}

function sourceOf(mirrors: string | readonly string[], more: Partial<AptSource> = {}): AptSource {
  const list = typeof mirrors === 'string' ? [mirrors] : mirrors;
  return { mirrors: list, suite: 'trixie', components: ['main'], keyring, validAt: MADE + DAY, ...more };
}

test('a suite over http, from a folder and from a file: URL', async (t) => {
  const folder = await repository(t, {
    fields: { Suite: 'stable', Version: '13.9' },
    codename: 'trixie',
    origin: 'Test',
  });
  const server = await serve(t, folder);
  for (const base of [server.url, `${server.url}/`, folder, pathToFileURL(folder).href]) {
    const { mirror } = makeMirror(t);
    const suite = await openSuite(sourceOf(base), 'amd64', mirror);
    assert.equal(suite.date, MADE);
    assert.equal(suite.release.get('version'), '13.9');
    assert.deepEqual(suite.signedBy, [key.fingerprint]);
    assert.match(suite.sha256, /^[0-9a-f]{64}$/);
    const [index, ...others] = suite.indexes;
    assert.equal(others.length, 0);
    assert.deepEqual(
      { ...index, file: '', sha256: '', site: '' },
      {
        component: 'main',
        architecture: 'amd64',
        file: '',
        compression: 'gzip',
        sha256: '',
        bases: [base],
        suite: 'stable',
        codename: 'trixie',
        origin: 'Test',
        label: 'Debian',
        release: '13.9',
        site: '',
        priority: 500,
      },
    );
    assert.equal(existsSync(index!.file), true);
  }
});

test('form of Packages to read: the smallest, by its hash if the archive supports that, else any available one', async (t) => {
  const long = `${STANZA}Description: ${'x'.repeat(2000)}\n`;
  const folder = await repository(t, { byHash: true, components: { main: { amd64: [long] } } });
  const server = await serve(t, folder);
  const asked = () => server.requests.map((request) => request.path.replace(/[0-9a-f]{64}/, 'HASH'));
  await openSuite(sourceOf(server.url), 'amd64', makeMirror(t).mirror);
  assert.deepEqual(asked(), ['/dists/trixie/InRelease', '/dists/trixie/main/binary-amd64/by-hash/SHA256/HASH']);
  rmSync(join(folder, 'dists/trixie/main/binary-amd64/by-hash'), { recursive: true });
  rmSync(join(folder, 'dists/trixie/main/binary-amd64/Packages.gz'));
  const suite = await openSuite(sourceOf(server.url), 'amd64', makeMirror(t).mirror);
  assert.equal(suite.indexes[0]!.compression, 'none');
});

test('components, architectures, empty lists, lists of packages for all', async (t) => {
  const folder = await repository(t, {
    components: {
      main: { amd64: [STANZA], all: [STANZA.replace('amd64', 'all')] },
      'updates/extra': { amd64: [STANZA] },
      contrib: { amd64: [] },
    },
  });
  const open = (more: Partial<AptSource>, architecture = 'amd64') =>
    openSuite(sourceOf(folder, more), architecture, makeMirror(t).mirror);
  const main = await open({ components: ['main', 'contrib'] });
  assert.deepEqual(
    main.indexes.map((index) => index.architecture),
    ['amd64', 'all'],
  );
  await assert.rejects(
    open({ components: ['nonsense'] }),
    errorOf('COMPONENT_MISSING', /nonsense.*main updates\/extra|main, updates\/extra/),
  );
  await assert.rejects(open({}, 'riscv64'), errorOf('ARCHITECTURE_MISSING', /riscv64.*amd64, all/));
  // named updates/extra in Components, requested as extra: accepted as offered, but not listed under that path
  await assert.rejects(open({ components: ['extra'] }), errorOf('INDEX_MISSING', /extra\/binary-amd64\/Packages/));
  const apart = await repository(t, {
    fields: { 'No-Support-for-Architecture-all': 'Packages' },
    components: { main: { amd64: [STANZA], all: [STANZA] } },
  });
  assert.equal((await openSuite(sourceOf(apart), 'amd64', makeMirror(t).mirror)).indexes.length, 1);
});

test('Release with Release.gpg is used where there is no InRelease', async (t) => {
  const folder = await repository(t, { files: ['Release', 'Release.gpg'] });
  const { mirror } = makeMirror(t);
  assert.deepEqual((await openSuite(sourceOf(folder), 'amd64', mirror)).signedBy, [key.fingerprint]);
  const server = await serve(t, folder);
  server.fault('/dists/trixie/InRelease', { status: 403 });
  assert.deepEqual((await openSuite(sourceOf(server.url), 'amd64', makeMirror(t).mirror)).signedBy, [key.fingerprint]);
  server.files.set('/dists/trixie/Release', `${readFileSync(join(folder, 'dists/trixie/Release'), 'utf8')} `);
  await assert.rejects(openSuite(sourceOf(server.url), 'amd64', makeMirror(t).mirror), errorOf('SIGNATURE_BAD'));
});

test('unsigned, signed by unknown keys, or modified: an error unless explicitly allowed', async (t) => {
  const stranger = await makeKey();
  const unsigned = await repository(t, { keys: [] });
  const foreign = await repository(t, { keys: [stranger] });
  const altered = await repository(t);
  const file = join(altered, 'dists/trixie/InRelease');
  writeFileSync(file, readFileSync(file, 'utf8').replace('made by a test', 'made by a thief'));
  for (const [folder, code] of [
    [unsigned, 'RELEASE_UNSIGNED'],
    [foreign, 'SIGNATURE_KEY_UNKNOWN'],
    [altered, 'SIGNATURE_BAD'],
  ] as const) {
    await assert.rejects(openSuite(sourceOf(folder), 'amd64', makeMirror(t).mirror), errorOf(code));
    const { mirror } = makeMirror(t);
    const suite = await openSuite(sourceOf(folder, { unauthenticated: true }), 'amd64', mirror);
    assert.deepEqual(suite.signedBy, []);
    assert.equal(suite.indexes.length, 1);
    // what was accepted once without verification is not trusted later
    await assert.rejects(openSuite(sourceOf(folder), 'amd64', mirror), errorOf(code));
  }
  const good = await openSuite(sourceOf(await repository(t), { unauthenticated: true }), 'amd64', makeMirror(t).mirror);
  assert.deepEqual(good.signedBy, [key.fingerprint]);
  await assert.rejects(openSuite(sourceOf(temporary(t)), 'amd64', makeMirror(t).mirror), errorOf('NOT_FOUND'));
});

test('expired and revoked keys, weak signatures and weak lists', async (t) => {
  const brief = await makeKey({ lifetime: 60 * DAY });
  const revoked = await makeKey({ revoked: MADE });
  const rsa = await makeKey({ rsa: true });
  const open = (folder: string, by: { publicKey: Uint8Array }, more: Partial<AptSource> = {}) =>
    openSuite(
      sourceOf(folder, { keyring: { name: 'k', keys: [by.publicKey] }, ...more }),
      'amd64',
      makeMirror(t).mirror,
    );
  const old = await repository(t, { keys: [brief] });
  await open(old, brief);
  await assert.rejects(open(old, brief, { validAt: MADE + 400 * DAY }), errorOf('SIGNATURE_KEY_EXPIRED'));
  const { validAt: _, ...snapshot } = sourceOf(old, { keyring: { name: 'k', keys: [brief.publicKey] } });
  await openSuite(snapshot, 'amd64', makeMirror(t).mirror);
  await assert.rejects(
    openSuite({ ...snapshot, keysAt: MADE + 400 * DAY }, 'amd64', makeMirror(t).mirror),
    errorOf('SIGNATURE_KEY_EXPIRED'),
  );
  await assert.rejects(open(await repository(t, { keys: [revoked] }), revoked), errorOf('SIGNATURE_KEY_REVOKED'));
  const weak = await repository(t, { keys: [rsa], signatureHash: openpgp.enums.hash.sha1 });
  await assert.rejects(open(weak, rsa), errorOf('SIGNATURE_WEAK', /sha1/));
  const md5 = await repository(t, { hashes: ['MD5Sum', 'SHA1'] });
  await assert.rejects(open(md5, key), errorOf('RELEASE_WEAK', /SHA1, MD5Sum; SHA256 is needed/));
});

test('Valid-Until and Date against the time given', async (t) => {
  const folder = await repository(t, { validUntil: MADE + 7 * DAY });
  const open = (validAt: number) => openSuite(sourceOf(folder, { validAt }), 'amd64', makeMirror(t).mirror);
  await open(MADE + 7 * DAY);
  await assert.rejects(open(MADE + 7 * DAY + 1), errorOf('RELEASE_EXPIRED', /2026-01-17 12:00:00 UTC/, /`snapshot`/));
  const { validAt: _, ...unchecked } = sourceOf(folder);
  await openSuite(unchecked, 'amd64', makeMirror(t).mirror);
  const later = await repository(t, { date: MADE + 2 * DAY });
  await assert.rejects(
    openSuite(sourceOf(later, { validAt: MADE, keysAt: MADE + 3 * DAY }), 'amd64', makeMirror(t).mirror),
    errorOf('RELEASE_NOT_YET_VALID', /clock/),
  );
});

test('another suite under the requested name is an error', async (t) => {
  const folder = await repository(t, { suite: 'trixie', fields: { Suite: 'oldstable', Codename: 'bookworm' } });
  await assert.rejects(
    openSuite(sourceOf(folder), 'amd64', makeMirror(t).mirror),
    errorOf('SUITE_MISMATCH', /asked for "trixie".*"oldstable".*"bookworm"/, /ask for it as "bookworm"/),
  );
  const nameless = await repository(t, { fields: { Suite: undefined, Codename: undefined } });
  await openSuite(sourceOf(nameless), 'amd64', makeMirror(t).mirror);
});

test('a flat repository', async (t) => {
  for (const suite of ['./', '/', 'sub/']) {
    const folder = await repository(t, { suite, components: { '': { amd64: [STANZA] } } });
    const { mirror } = makeMirror(t);
    const opened = await openSuite(sourceOf(folder, { suite, components: [] }), 'amd64', mirror);
    assert.equal(opened.indexes.length, 1);
    assert.deepEqual(opened.indexes[0]!.bases, [folder]);
  }
});

test('a list older than the one seen before is an error: it may be a replay', async (t) => {
  const folder = await repository(t, { date: MADE });
  const old = readFileSync(join(folder, 'dists/trixie/InRelease'));
  const server = await serve(t, folder);
  const { mirror } = makeMirror(t);
  await openSuite(sourceOf(server.url), 'amd64', mirror);
  await repository(t, { date: MADE + 3600 }, folder);
  assert.equal((await openSuite(sourceOf(server.url), 'amd64', mirror)).date, MADE + 3600);
  server.files.set('/dists/trixie/InRelease', old);
  await assert.rejects(openSuite(sourceOf(server.url), 'amd64', mirror), errorOf('RELEASE_REPLAYED', /cache clear/));
  // a mirror that is up to date is used instead
  const second = await serve(t, folder);
  assert.equal((await openSuite(sourceOf([server.url, second.url]), 'amd64', mirror)).date, MADE + 3600);
  // with other trusted keys, nothing was seen before
  assert.equal((await openSuite(sourceOf(server.url), 'amd64', makeMirror(t).mirror)).date, MADE);
});

test('the list is downloaded again only if it changed', async (t) => {
  const server = await serve(t, await repository(t));
  const { mirror } = makeMirror(t);
  await openSuite(sourceOf(server.url), 'amd64', mirror);
  await openSuite(sourceOf(server.url), 'amd64', mirror);
  const asked = server.requests.filter((request) => request.path.endsWith('InRelease'));
  assert.equal(asked.length, 2);
  assert.match(String(asked[1]!.headers['if-none-match']), /^"/);
  assert.equal(server.requests.length, 3);
});

test('offline: from the cache, after its Valid-Until with a warning; without a cached list, an error with a hint', async (t) => {
  const folder = await repository(t, { validUntil: MADE + 7 * DAY });
  const server = await serve(t, folder);
  const { mirror } = makeMirror(t);
  const online = await openSuite(sourceOf(server.url), 'amd64', mirror);
  await server.close();
  const late = makeMirror(t, { cache: mirror.cache, offline: true });
  const offline = await openSuite(sourceOf(server.url, { validAt: MADE + 30 * DAY }), 'amd64', late.mirror);
  assert.deepEqual(offline.indexes, online.indexes);
  assert.equal(offline.sha256, online.sha256);
  assert.deepEqual(
    late.events.filter((event) => event.kind === 'warning').map((event) => event.code),
    ['RELEASE_EXPIRED'],
  );
  await assert.rejects(
    openSuite(sourceOf(server.url, { suite: 'sid' }), 'amd64', late.mirror),
    errorOf('OFFLINE_MISSING', /dists\/sid\/InRelease/, /without `offline`/),
  );
  const other = { name: 'other', keys: [(await makeKey()).publicKey] };
  await assert.rejects(
    openSuite(sourceOf(server.url, { keyring: other }), 'amd64', late.mirror),
    errorOf('SIGNATURE_KEY_UNKNOWN'),
  );
});

test('a list and a Packages file that do not match: one retry, then an error', async (t) => {
  const folder = await repository(t);
  const server = await serve(t, folder);
  const index = '/dists/trixie/main/binary-amd64/Packages.gz';
  for (const form of [index, index.replace('.gz', '')]) server.fault(form, { body: 'old', times: 2 });
  const first = makeMirror(t);
  await assert.rejects(
    openSuite(sourceOf(server.url), 'amd64', first.mirror),
    errorOf('INDEX_STALE', /Packages/, /another mirror/),
  );
  const asked = server.requests.filter((request) => request.path.endsWith('InRelease'));
  assert.deepEqual(
    asked.map((request) => request.headers['cache-control']),
    ['max-age=0', 'no-cache'],
  );
  assert.equal(asked[1]!.headers['if-none-match'], undefined);
  // the server works again
  await openSuite(sourceOf(server.url), 'amd64', first.mirror);
  // and a mirror that was updated between the two requests is accepted
  const moving = await serve(t, folder);
  const stale = readFileSync(
    join(
      await repository(t, { components: { main: { amd64: [STANZA + 'X: y\n'], arm64: [] } } }),
      'dists/trixie/InRelease',
    ),
  );
  moving.fault('/dists/trixie/InRelease', { body: stale, times: 1 });
  const { mirror, events } = makeMirror(t);
  assert.equal((await openSuite(sourceOf(moving.url), 'amd64', mirror)).indexes.length, 1);
  assert.equal(events.filter((event) => event.kind === 'retried').length, 1);
});

test('mirrors in order: unreachable, modified, good; the error reports failed verification first', async (t) => {
  const folder = await repository(t);
  const good = await serve(t, folder);
  const dead = await serve(t, {});
  const modified = await serve(t, folder);
  modified.fault('/dists/trixie/InRelease', {
    body: readFileSync(join(folder, 'dists/trixie/InRelease'), 'utf8').replace('Origin: ', 'Origin: x'),
  });
  const suite = await openSuite(sourceOf([dead.url, modified.url, good.url]), 'amd64', makeMirror(t).mirror);
  assert.deepEqual(suite.indexes[0]!.bases, [dead.url, modified.url, good.url]);
  await assert.rejects(
    openSuite(sourceOf([dead.url, modified.url]), 'amd64', makeMirror(t).mirror),
    errorOf('SIGNATURE_BAD', new RegExp(modified.url), new RegExp(`also tried: .*${dead.url}`)),
  );
});

test('pin priorities as in apt', async (t) => {
  const open = async (fields: Record<string, string>, more: Partial<AptSource> = {}) =>
    (await openSuite(sourceOf(await repository(t, { fields }), more), 'amd64', makeMirror(t).mirror)).indexes[0]!
      .priority;
  assert.equal(await open({ NotAutomatic: 'yes' }), 1);
  assert.equal(await open({ NotAutomatic: 'yes', ButAutomaticUpgrades: 'yes' }), 100);
  assert.equal(await open({ NotAutomatic: 'yes' }, { priority: 700 }), 700);
});

test('invalid Release files', () => {
  const hash = 'a'.repeat(64);
  const text = (more: string) => `Suite: x\n${more}`;
  for (const [more, code] of [
    [`SHA256:\n ${hash} 1 a\n`, 'RELEASE_MALFORMED'],
    [`Date: yesterday\nSHA256:\n ${hash} 1 a\n`, 'RELEASE_MALFORMED'],
    [`Date: ${rfc822(MADE).replace('UTC', 'CET')}\nSHA256:\n ${hash} 1 a\n`, 'RELEASE_MALFORMED'],
    [`Date: ${rfc822(MADE)}\nSHA256:\n ${hash} a\n`, 'RELEASE_MALFORMED'],
    [`Date: ${rfc822(MADE)}\nSHA256:\n 12 1 a\n`, 'RELEASE_MALFORMED'],
    [`Date: ${rfc822(MADE)}\n`, 'RELEASE_WEAK'],
  ] as const)
    assert.throws(() => parseRelease(text(more), 'Release'), errorOf(code));
  const release = parseRelease(
    text(`Date: ${rfc822(MADE)}\nSHA256:\n ${hash.toUpperCase()}  12 ./main/x\n`),
    'Release',
  );
  assert.deepEqual([...release.files], [['main/x', { sha256: hash, size: 12 }]]);
  assert.equal(parseTime('Sat, 21 Nov 2026 09:15:44 UTC'), Date.UTC(2026, 10, 21, 9, 15, 44) / 1000);
  // Ubuntu's archive pads hours with a blank
  assert.equal(parseTime('Thu, 26 Nov 2026  3:11:44 UTC'), Date.UTC(2026, 10, 26, 3, 11, 44) / 1000);
  assert.equal(parseTime('21 Nov 2026  9:15:44 +0000'), Date.UTC(2026, 10, 21, 9, 15, 44) / 1000);
  assert.equal(parseTime('21 Nov 2026 9:15:44 +0100'), undefined);
  assert.equal(parseTime('Sat, 21 Nov 2026 9:15:44 +0000'), Date.UTC(2026, 10, 21, 9, 15, 44) / 1000);
});

test('a folder of .debs: every one below it, in order', (t) => {
  const folder = temporary(t);
  mkdirSync(join(folder, 'b/c'), { recursive: true });
  for (const name of ['z.deb', 'b/a.deb', 'b/c/x.udeb', 'b/readme', 'B.deb']) writeFileSync(join(folder, name), '');
  assert.deepEqual(
    openFolder(`${folder}/`),
    ['B.deb', 'b/a.deb', 'b/c/x.udeb', 'z.deb'].map((name) => `${folder}/${name}`),
  );
  assert.throws(() => openFolder(join(folder, 'none')), errorOf('READ_FAILED'));
});

test('apt accepts the repositories of these tests', {
  skip: needs({ tools: ['apt-get', 'dpkg-deb'] }),
}, async (t) => {
  const folder = temporary(t);
  const tree = join(folder, 'tree/DEBIAN');
  mkdirSync(tree, { recursive: true });
  writeFileSync(
    join(tree, 'control'),
    'Package: hello-test\nVersion: 1\nArchitecture: all\nMaintainer: x <x@y>\nDescription: x\n',
  );
  const deb = join(folder, 'hello-test_1_all.deb');
  execFileSync(tool('dpkg-deb')!, ['-b', join(folder, 'tree'), deb], { stdio: 'ignore' });
  const root = join(folder, 'apt');
  const repo = join(folder, 'repo');
  await addDebs(repo, { suite: 'trixie', debs: [deb], architectures: ['amd64', 'arm64'], keys: [key], byHash: true });
  for (const name of ['state/lists/partial', 'cache/archives/partial', 'etc'])
    mkdirSync(join(root, name), { recursive: true });
  writeFileSync(join(root, 'key.gpg'), key.publicKey);
  writeFileSync(join(root, 'status'), '');
  writeFileSync(join(root, 'config'), '');
  const server = await serve(t, repo);
  writeFileSync(join(root, 'list'), `deb [arch=amd64 signed-by=${root}/key.gpg] ${server.url} trixie main\n`);
  const options = [
    `Dir=${root}`,
    `Dir::State=${root}/state`,
    `Dir::State::status=${root}/status`,
    `Dir::Cache=${root}/cache`,
    `Dir::Etc=${root}/etc`,
    `Dir::Etc::sourcelist=${root}/list`,
    'Dir::Etc::sourceparts=-',
    'APT::Architecture=amd64',
    'APT::Sandbox::User=root',
    'Dir::Bin::methods=/usr/lib/apt/methods',
    'Dir::Bin::dpkg=/usr/bin/dpkg',
    'Acquire::Languages=none',
    'Acquire::Check-Date=false',
  ].flatMap((option) => ['-o', option]);
  const run = (...args: string[]) =>
    new Promise<{ code: number | null; text: string }>((resolve) => {
      const child = spawn(tool('apt-get')!, [...options, ...args], {
        env: { ...process.env, APT_CONFIG: join(root, 'config'), LC_ALL: 'C' },
      });
      let text = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (piece: Buffer) => (text += piece.toString()));
      child.on('close', (code) => resolve({ code, text }));
    });
  const updated = await run('update');
  assert.equal(updated.code, 0, updated.text);
  assert.doesNotMatch(updated.text, /^[WE]:/m);
  const simulated = await run('-s', 'install', 'hello-test');
  assert.match(simulated.text, /Inst hello-test/);
  const ours = await openSuite(sourceOf(server.url), 'amd64', makeMirror(t).mirror);
  assert.equal(ours.indexes.length, 1);
});

/** The host's own sources, if it is a Debian with a mirror that answers. */
function ownArchives() {
  const list = (folder: string) => (existsSync(folder) ? readdirSync(folder) : []);
  const files = hostSourcePaths(list)
    .filter((path) => existsSync(path))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }));
  return hostArchives(files, debian.hostArchives, 'amd64');
}

const own = ownArchives();
test("the host's own mirror: trixie, its updates and its security suite, against the built-in keys", {
  skip: own.main.length === 0 && 'not here: apt sources that point at a Debian archive',
}, async (t) => {
  const { mirror } = makeMirror(t, { retries: 0, timeouts: { connect: 3000, headers: 5000 } });
  const source = { suite: 'trixie', components: ['main'], keyring: builtInKeyring('debian') };
  const unreachable = (error: unknown) =>
    error instanceof BuildError && /^(CONNECTION_FAILED|DOWNLOAD_STALLED|HTTP_STATUS)$/.test(error.code);
  let updates: Awaited<ReturnType<typeof openSuite>>;
  try {
    updates = await openSuite({ ...source, mirrors: own.main, suite: 'trixie-updates' }, 'amd64', mirror);
  } catch (error) {
    if (!unreachable(error)) throw error;
    t.skip(`not here: a mirror that answers (${(error as Error).message})`);
    return;
  }
  assert.equal(updates.release.get('codename'), 'trixie-updates');
  assert.ok(updates.signedBy.length >= 1);
  if (own.security.length === 0) return;
  const security = await openSuite({ ...source, mirrors: own.security, suite: 'trixie-security' }, 'amd64', mirror);
  assert.equal(security.release.get('codename'), 'trixie-security');
  assert.equal(security.indexes.length, 1);
});

test("Debian's own Release file is accepted", { skip: needs({ data: ['deb/solver/trixie'] }) }, async (t) => {
  const folder = temporary(t);
  // written again: the data may be read-only, and the copy must be removed when the test ends
  for (const name of ['InRelease', 'main/binary-amd64/Packages.xz']) {
    const path = join(folder, 'dists/trixie', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, readFileSync(data(`deb/solver/trixie/${name}`)));
  }
  const { mirror } = makeMirror(t);
  const suite = await openSuite(
    {
      mirrors: [folder],
      suite: 'trixie',
      components: ['main'],
      keyring: builtInKeyring('debian'),
      validAt: Date.UTC(2026, 10, 23) / 1000,
    },
    'amd64',
    mirror,
  );
  assert.equal(suite.signedBy.length, 3);
  assert.equal(suite.indexes[0]!.compression, 'xz');
  await assert.rejects(
    openSuite({ ...suite.source, components: ['contrib'] }, 'amd64', mirror),
    errorOf('INDEX_STALE', /contrib/),
  );
});

test('a list that a server without validators sends again is neither checked nor kept again, and another one is', async (t) => {
  const folder = await repository(t);
  const server = await serve(t, folder, { etags: false, dates: false });
  const { mirror } = makeMirror(t);
  const indexes = join(mirror.cache.directory, 'indexes');
  const kept = () =>
    readdirSync(indexes, { recursive: true, encoding: 'utf8' })
      .filter((name) => /release-[0-9a-f]+$/.test(name))
      .map((name) => statSync(join(indexes, name)).ino);
  const open = async () => (await openSuite(sourceOf(server.url), 'amd64', mirror)).date;
  assert.equal(await open(), MADE);
  const first = kept();
  assert.equal(first.length, 1);
  assert.equal(await open(), MADE);
  assert.deepEqual(kept(), first);
  await repository(t, { date: MADE + 60 }, folder);
  assert.equal(await open(), MADE + 60);
  assert.notDeepEqual(kept(), first);
  // what was sent again is still rejected when it does not hold any more
  await assert.rejects(openSuite(sourceOf(server.url, { keyring: await otherKeyring() }), 'amd64', mirror), (error) => {
    assert.match((error as BuildError).code, /^SIGNATURE_/);
    return true;
  });
});

async function otherKeyring(): Promise<Keyring> {
  return { name: 'another keyring', keys: [(await makeKey()).publicKey] };
}
