import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { BuildError } from '../../src/errors/error.ts';
import type { Event } from '../../src/events/events.ts';
import { Cache } from '../../src/fetch/cache.ts';
import { proxyFor } from '../../src/fetch/mirror/proxy.ts';
import { joinUrl, localPath, Mirror, type MirrorOptions, shown, type Want } from '../../src/fetch/mirror.ts';
import { needs, random, temporary, tool } from '../support/data.ts';
import { serve, serveProxy } from '../support/server.ts';

/** Bytes that do not repeat, so that a piece in the wrong place shows. */
function bytesOf(size: number, seed = 1): Uint8Array {
  const { next } = random(seed);
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = next() * 256;
  return bytes;
}

function wantOf(bytes: Uint8Array, ...urls: string[]): Want {
  const hex = createHash('sha256').update(bytes).digest('hex');
  return { urls, size: bytes.length, digest: { algorithm: 'sha256', hex }, category: 'archives' };
}

function makeMirror(t: TestContext, options: Partial<MirrorOptions> = {}) {
  const events: Event[] = [];
  const waits: number[] = [];
  const cache = options.cache ?? new Cache(join(temporary(t), 'cache'));
  const mirror = new Mirror({
    cache,
    report: (event) => events.push(event),
    sleep: async (milliseconds) => void waits.push(milliseconds),
    // long: only tests of servers that never answer wait for a timeout
    timeouts: { connect: 60_000, headers: 60_000, body: 60_000 },
    ...options,
  });
  t.after(() => mirror.close());
  const retries = () => events.filter((event) => event.kind === 'retried');
  return { mirror, cache, events, waits, retries };
}

function failsWith(code: string, ...parts: RegExp[]) {
  return (error: unknown) => {
    assert.ok(error instanceof BuildError, String(error));
    assert.equal(error.code, code, error.message);
    const text = `${error.message} ${error.hint ?? ''}`;
    for (const part of parts) assert.match(text, part);
    return true;
  };
}

/** No file but those under their digest, and no download left behind. */
function leftovers(cache: Cache): string[] {
  if (!existsSync(cache.directory)) return [];
  return readdirSync(cache.directory, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(download|part)$/.test(name),
  );
}

const DATA = bytesOf(300_000);

test('a file is fetched once, is in the cache under its digest, and is found there', async (t) => {
  const server = await serve(t, { '/a': DATA });
  const { mirror, cache, events } = makeMirror(t);
  const want = wantOf(DATA, `${server.url}/a`);
  assert.equal(mirror.has(want), false);
  const [one, two] = await Promise.all([mirror.fetch(want), mirror.fetch(want)]);
  assert.equal(one, two);
  assert.equal(one, cache.path('archives', want.digest.hex));
  assert.deepEqual(new Uint8Array(readFileSync(one)), DATA);
  assert.equal(await mirror.fetch(want), one);
  assert.equal(mirror.has(want), true);
  assert.equal(server.requests.length, 1);
  const fetched = events.filter((event) => event.kind === 'fetched');
  assert.deepEqual(
    fetched.map((event) => [event.url, event.size, event.cached]),
    [
      [`${server.url}/a`, DATA.length, false],
      [`${server.url}/a`, DATA.length, true],
    ],
  );
  const progress = events.filter((event) => event.kind === 'progress');
  assert.equal(progress.at(-1)?.bytes, DATA.length);
  assert.equal(progress.at(-1)?.phase, 'fetch');
  assert.deepEqual(leftovers(cache), []);
});

test('files of 0 and 1 byte, and of other digests', async (t) => {
  for (const size of [0, 1]) {
    const bytes = bytesOf(size);
    const server = await serve(t, { '/x': bytes });
    const { mirror } = makeMirror(t);
    assert.deepEqual(new Uint8Array(readFileSync(await mirror.fetch(wantOf(bytes, `${server.url}/x`)))), bytes);
  }
  const server = await serve(t, { '/x': DATA });
  const { mirror, cache } = makeMirror(t);
  const hex = createHash('sha512').update(DATA).digest('hex');
  const want: Want = { urls: [`${server.url}/x`], digest: { algorithm: 'sha512', hex }, category: 'archives' };
  assert.equal(await mirror.fetch(want), cache.path('archives', `sha512-${hex}`));
});

test('a cached file of the wrong size is not trusted', async (t) => {
  const server = await serve(t, { '/a': DATA });
  const { mirror, cache } = makeMirror(t);
  const want = wantOf(DATA, `${server.url}/a`);
  const path = cache.path('archives', want.digest.hex);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, DATA.subarray(0, 1000));
  await mirror.fetch(want);
  assert.deepEqual(new Uint8Array(readFileSync(path)), DATA);
});

test('a broken download goes on where it broke off, if the server still has the same file', async (t) => {
  const server = await serve(t, { '/a': DATA });
  server.fault('/a', { cutAt: 100_000, times: 1 });
  server.fault('/a', { cutAt: 50_000, times: 1 });
  const { mirror, retries, waits } = makeMirror(t);
  const path = await mirror.fetch(wantOf(DATA, `${server.url}/a`));
  assert.deepEqual(new Uint8Array(readFileSync(path)), DATA);
  const ranges = server.requests.map((request) => request.headers['range']);
  assert.equal(ranges.length, 3);
  assert.equal(ranges[0], undefined);
  assert.equal(ranges[1], 'bytes=100000-');
  assert.equal(ranges[2], 'bytes=150000-');
  assert.match(String(server.requests[1]!.headers['if-range']), /^"[0-9a-f]{24}"$/);
  assert.equal(retries().length, 2);
  assert.equal(waits.length, 2);
});

test('without a tag, the time of last change identifies the version', async (t) => {
  const server = await serve(t, { '/a': DATA }, { etags: false });
  server.fault('/a', { cutAt: 100_000, times: 1 });
  const { mirror } = makeMirror(t);
  await mirror.fetch(wantOf(DATA, `${server.url}/a`));
  assert.equal(server.requests[1]!.headers['if-range'], 'Thu, 01 Jan 2026 00:00:00 GMT');
});

test('a server that answers 200 to a range starts again', async (t) => {
  const server = await serve(t, { '/a': DATA });
  server.fault('/a', { cutAt: 100_000, times: 1 });
  server.fault('/a', { ignoreRange: true, times: 1 });
  const { mirror } = makeMirror(t);
  const path = await mirror.fetch(wantOf(DATA, `${server.url}/a`));
  assert.equal(server.requests[1]!.headers['range'], 'bytes=100000-');
  assert.deepEqual(new Uint8Array(readFileSync(path)), DATA);
});

test('a rest that does not fit what had come is noticed by the digest, and fetched completely', async (t) => {
  const server = await serve(t, { '/a': DATA });
  server.fault('/a', { cutAt: 100_000, times: 1 });
  server.fault('/a', { corrupt: true, times: 1 });
  const { mirror, retries } = makeMirror(t);
  const path = await mirror.fetch(wantOf(DATA, `${server.url}/a`));
  assert.deepEqual(new Uint8Array(readFileSync(path)), DATA);
  assert.deepEqual(
    server.requests.map((request) => request.headers['range']),
    [undefined, 'bytes=100000-', undefined],
  );
  assert.match(retries().at(-1)!.reason, /did not fit/);
});

test('a range that was not asked for is not glued in', async (t) => {
  const server = await serve(t, { '/a': DATA });
  server.fault('/a', { cutAt: 100_000, times: 1 });
  server.fault('/a', { headers: { 'content-range': `bytes 0-99/${DATA.length}` }, times: 1 });
  const { mirror } = makeMirror(t);
  const path = await mirror.fetch(wantOf(DATA, `${server.url}/a`));
  assert.deepEqual(new Uint8Array(readFileSync(path)), DATA);
});

test('a stalled body is given up, tried again, and in the end an error with what came', async (t) => {
  const server = await serve(t, { '/a': DATA });
  server.fault('/a', { stallAt: 1000 });
  const { mirror, cache, retries } = makeMirror(t, {
    retries: 1,
    timeouts: { connect: 60_000, headers: 60_000, body: 150 },
  });
  await assert.rejects(
    mirror.fetch(wantOf(DATA, `${server.url}/a`)),
    failsWith('DOWNLOAD_STALLED', /nothing came for 0\.15 s after 2000 bytes/),
  );
  assert.equal(retries().length, 1);
  // what came waits for the next run, under no final name
  assert.equal(leftovers(cache).length, 1);
});

test('a server that never answers is given up', async (t) => {
  const server = await serve(t, { '/a': DATA });
  server.fault('/a', { silent: true });
  const { mirror } = makeMirror(t, { retries: 0, timeouts: { connect: 60_000, headers: 150, body: 60_000 } });
  await assert.rejects(
    mirror.fetch(wantOf(DATA, `${server.url}/a`)),
    failsWith('CONNECTION_FAILED', /no answer within 0\.15 s/),
  );
});

test('5xx and 429 are tried again with growing pauses, or when the server says', async (t) => {
  const server = await serve(t, { '/a': DATA });
  server.fault('/a', { status: 503, times: 1 });
  server.fault('/a', { status: 429, headers: { 'retry-after': '7' }, times: 1 });
  server.fault('/a', {
    status: 500,
    headers: { date: 'Thu, 01 Jan 2026 00:00:00 GMT', 'retry-after': 'Thu, 01 Jan 2026 00:00:09 GMT' },
    times: 1,
  });
  const { mirror, waits } = makeMirror(t);
  await mirror.fetch(wantOf(DATA, `${server.url}/a`));
  assert.deepEqual(waits, [500, 7000, 9000]);

  server.fault('/b', { status: 502 });
  const again = makeMirror(t);
  await assert.rejects(
    again.mirror.fetch(wantOf(bytesOf(10), `${server.url}/b`)),
    failsWith('HTTP_STATUS', /answered 502/),
  );
  assert.deepEqual(again.waits, [500, 1000, 2000]);

  server.fault('/c', { status: 503, headers: { 'retry-after': '3600' } });
  const patient = makeMirror(t);
  await assert.rejects(patient.mirror.fetch(wantOf(bytesOf(11), `${server.url}/c`)), failsWith('HTTP_STATUS'));
  assert.deepEqual(patient.waits, []);
});

test('4xx are not tried again; the next mirror is', async (t) => {
  const bad = await serve(t, {});
  bad.fault('/a', { status: 403 });
  const good = await serve(t, { '/a': DATA });
  const { mirror, waits } = makeMirror(t);
  await mirror.fetch(wantOf(DATA, `${bad.url}/a`, `${good.url}/a`));
  assert.deepEqual([bad.requests.length, good.requests.length, waits.length], [1, 1, 0]);
});

test('wrong bytes and wrong sizes: next mirror, then an error that names URL, expected and actual', async (t) => {
  const flipped = await serve(t, { '/a': DATA });
  flipped.fault('/a', { corrupt: true });
  const short = await serve(t, { '/a': DATA.subarray(1) });
  const long = await serve(t, { '/a': new Uint8Array([...DATA.subarray(0, 1000), ...DATA]) });
  long.fault('/a', { noLength: true });
  const good = await serve(t, { '/a': DATA });
  const { mirror, cache } = makeMirror(t);
  const urls = [flipped, short, long, good].map((server) => `${server.url}/a`);
  const want = wantOf(DATA, ...urls);
  assert.deepEqual(new Uint8Array(readFileSync(await mirror.fetch(want))), DATA);

  const other = makeMirror(t);
  await assert.rejects(
    other.mirror.fetch(wantOf(DATA, ...urls.slice(0, 3))),
    failsWith(
      'DIGEST_MISMATCH',
      new RegExp(`${flipped.url}/a`),
      new RegExp(want.digest.hex),
      new RegExp(`also tried: .*${short.url}`),
    ),
  );
  const third = makeMirror(t);
  await assert.rejects(
    third.mirror.fetch(wantOf(DATA, urls[1]!)),
    failsWith('CONTENT_SIZE', new RegExp(`${short.url}/a: 299999 bytes where 300000`)),
  );
  for (const each of [cache, other.cache, third.cache]) assert.deepEqual(leftovers(each), []);
  assert.equal(other.cache.find('archives', want.digest.hex), undefined);
});

test('an answer without length that breaks off looks complete, and is not trusted', async (t) => {
  const server = await serve(t, { '/a': DATA });
  server.fault('/a', { noLength: true, cutAt: 120_000, times: 1 });
  const { mirror } = makeMirror(t);
  const path = await mirror.fetch(wantOf(DATA, `${server.url}/a`));
  assert.deepEqual(new Uint8Array(readFileSync(path)), DATA);
  assert.equal(server.requests[1]!.headers['range'], 'bytes=120000-');
});

test('what one mirror began, another ends', async (t) => {
  const first = await serve(t, { '/a': DATA });
  first.fault('/a', { cutAt: 100_000, times: 1 });
  first.fault('/a', { status: 404 });
  const second = await serve(t, { '/a': DATA });
  const { mirror } = makeMirror(t);
  await mirror.fetch(wantOf(DATA, `${first.url}/a`, `${second.url}/a`));
  assert.equal(second.requests[0]!.headers['range'], 'bytes=100000-');
});

test('redirects are followed; circles, long chains and ways out of the web are not', async (t) => {
  const other = await serve(t, { '/end': DATA });
  const server = await serve(t, {});
  server.fault('/a', { redirect: '/b' });
  server.fault('/b', { redirect: `${other.url}/end` });
  const withUser = server.url.replace('http://', 'http://ann:secret@');
  const { mirror } = makeMirror(t);
  await mirror.fetch(wantOf(DATA, `${withUser}/a`));
  assert.equal(server.requests[0]!.headers['authorization'], `Basic ${Buffer.from('ann:secret').toString('base64')}`);
  assert.equal(other.requests[0]!.headers['authorization'], undefined);

  server.fault('/c', { redirect: '/d' });
  server.fault('/d', { redirect: '/c' });
  for (let i = 0; i < 20; i++) server.fault(`/long${i}`, { redirect: `/long${i + 1}` });
  server.fault('/file', { redirect: 'file:///etc/passwd' });
  const small = (path: string, seed: number) => mirror.fetch(wantOf(bytesOf(9, seed), server.url + path));
  await assert.rejects(small('/c', 2), failsWith('REDIRECT_REFUSED', /circle/));
  await assert.rejects(small('/long0', 3), failsWith('REDIRECT_REFUSED', /more than 10/));
  await assert.rejects(small('/file', 4), failsWith('REDIRECT_REFUSED', /leaves the web/));
});

test('credentials never show', async (t) => {
  const server = await serve(t, {});
  const base = server.url.replace('http://', 'http://ann:s%40cret@');
  const { mirror, events } = makeMirror(t, { retries: 1 });
  server.fault('/b', { status: 500 });
  for (const path of ['/a', '/b?token=hidden'])
    await assert.rejects(mirror.fetch(wantOf(DATA, base + path)), (error: BuildError) => {
      const all = JSON.stringify([error.message, error.hint, error.context, String((error.cause as Error)?.message)]);
      assert.doesNotMatch(all, /ann|s%40cret|s@cret|hidden/);
      return true;
    });
  assert.doesNotMatch(JSON.stringify(events), /ann|s%40cret|s@cret|hidden/);
  assert.equal(shown('https://u:p@h/x?y=z#q'), 'https://h/x?…');
  assert.equal(shown('http://u:p/w@h/'), 'http://u:p/w@h/');
});

test('offline: the cache and local folders only, with a hint how to get the rest', async (t) => {
  const server = await serve(t, { '/a': DATA });
  const first = makeMirror(t);
  const want = wantOf(DATA, `${server.url}/a`);
  await first.mirror.fetch(want);
  const { mirror } = makeMirror(t, { cache: first.cache, offline: true });
  assert.equal(await mirror.fetch(want), first.cache.path('archives', want.digest.hex));
  const missing = bytesOf(5);
  await assert.rejects(
    mirror.fetch(wantOf(missing, `${server.url}/b`)),
    failsWith('OFFLINE_MISSING', new RegExp(`${server.url}/b`), /without `offline`/),
  );
  assert.equal(server.requests.length, 1);
  const folder = temporary(t);
  writeFileSync(join(folder, 'b'), missing);
  assert.ok(await mirror.fetch(wantOf(missing, `${server.url}/b`, join(folder, 'b'))));
});

test('a cache that cannot be written to serves what it has', {
  skip: process.getuid?.() === 0 && 'root may write anywhere',
}, async (t) => {
  const server = await serve(t, { '/a': DATA });
  const first = makeMirror(t);
  const want = wantOf(DATA, `${server.url}/a`);
  await first.mirror.fetch(want);
  const folder = join(first.cache.directory, 'archives');
  chmodSync(folder, 0o555);
  try {
    const { mirror } = makeMirror(t, { cache: first.cache });
    await mirror.fetch(want);
    await assert.rejects(mirror.fetch(wantOf(bytesOf(3), `${server.url}/a`)), failsWith('WRITE_FAILED', /`cacheDir`/));
  } finally {
    chmodSync(folder, 0o755);
  }
});

test('a cache below a file is an error with its name', async (t) => {
  const server = await serve(t, { '/a': DATA });
  const file = join(temporary(t), 'file');
  writeFileSync(file, '');
  const { mirror } = makeMirror(t, { cache: new Cache(file) });
  await assert.rejects(mirror.fetch(wantOf(DATA, `${server.url}/a`)), failsWith('WRITE_FAILED', /`cacheDir`/));
});

test('folders, file: URLs: checked, copied, and never changed', async (t) => {
  const folder = temporary(t);
  const path = join(folder, 'a b+c%20.deb');
  writeFileSync(path, DATA);
  for (const url of [
    path,
    pathToFileURL(path).href,
    `file:${pathToFileURL(path).pathname}`,
    `copy:${pathToFileURL(path).pathname}`,
  ]) {
    const { mirror } = makeMirror(t);
    const copy = await mirror.fetch(wantOf(DATA, url));
    assert.notEqual(copy, path);
    assert.deepEqual(new Uint8Array(readFileSync(copy)), DATA);
  }
  const { mirror, cache } = makeMirror(t);
  await assert.rejects(mirror.fetch(wantOf(bytesOf(300_000, 7), path)), failsWith('DIGEST_MISMATCH'));
  await assert.rejects(mirror.fetch(wantOf(DATA.subarray(1), path)), failsWith('CONTENT_SIZE'));
  await assert.rejects(mirror.fetch(wantOf(DATA, `${path}.not`)), failsWith('NOT_FOUND'));
  assert.deepEqual(leftovers(cache), []);
  await assert.rejects(mirror.fetch(wantOf(DATA, 'ftp://h/x')), failsWith('URL_UNSUPPORTED', /not ftp/));
  await assert.rejects(mirror.fetch(wantOf(DATA, 'mirror+file:/etc/x')), failsWith('URL_UNSUPPORTED'));
});

test('addresses below a base', () => {
  assert.equal(
    joinUrl('http://h/debian/', 'pool/main/a/a_1%3a2+b~1_all.deb'),
    'http://h/debian/pool/main/a/a_1%253a2+b~1_all.deb',
  );
  assert.equal(joinUrl('http://h/debian', './a b#c?d'), 'http://h/debian/a%20b%23c%3Fd');
  assert.equal(joinUrl('/srv/repo', './pool/a%20b'), '/srv/repo/pool/a%20b');
  assert.equal(joinUrl('http://h/debian?token=x', 'dists/a b'), 'http://h/debian/dists/a%20b?token=x');
  assert.equal(joinUrl('file:///srv/a%20b', 'ö/c%d'), 'file:///srv/a%20b/%C3%B6/c%25d');
});

test('no path of an index leaves its base, at any kind of base', () => {
  const bases = ['http://h/a/b', 'https://h', 'file:///srv/a/b', 'file:/srv/a%20b', 'copy:/srv/a/b', '/srv/a b'];
  for (const base of bases) {
    for (const path of [
      ...['..', '../x', 'a/../../b', 'a/..', '/../x', './../x', 'a\0b', 'pool/%2e%2e/%2E%2e/x', 'a/.%2e/x', 'a/%2e./x'],
      ...['..\\x', 'a\\..\\x', 'a/..%2fx', '%2e%2e%2fx', 'a%5c..%5cx'],
    ])
      assert.throws(
        () => joinUrl(base, path, 'Filename'),
        failsWith('URL_UNSUPPORTED', /Filename ".*" leads out of it/s),
      );
    for (const path of [
      '/etc/passwd',
      '//other/x',
      'http://other/x',
      'file:///etc/passwd',
      '...',
      'a..b/..c',
      '?q',
      '#f',
      '@h/x',
    ]) {
      const joined = joinUrl(base, path);
      const local = localPath(joined);
      if (local !== undefined) assert.ok(local.startsWith(`${localPath(base)}/`), joined);
      else assert.ok(new URL(joined).href.startsWith(`${new URL(base).href.replace(/\/$/, '')}/`), joined);
    }
  }
});

test('file URLs: decoded once, other hosts and relative ones are errors', () => {
  for (const [url, path] of [
    ['file:///srv/a%20b', '/srv/a b'],
    ['file://localhost/srv/a%20b', '/srv/a b'],
    ['file:/srv/a b', '/srv/a b'],
    ['FILE:///srv/100% real', '/srv/100% real'],
    ['file:///srv/%2520', '/srv/%20'],
    ['file:///srv/%c3%b6#x?y', '/srv/ö#x?y'],
    ['copy:/srv/ö', '/srv/ö'],
    ['/srv/a%20b', '/srv/a%20b'],
  ] as const)
    assert.equal(localPath(url), path);
  assert.equal(localPath('http://h/a'), undefined);
  assert.equal(localPath('~/a'), join(process.cwd(), '~/a'));
  for (const [url, reason] of [
    ['file://server/srv', /names the host "server"/],
    ['file:srv', /absolute path/],
    ['file:~/srv', /absolute path/],
    ['file:///srv/%ff', /not UTF-8/],
    ['file:///srv/%00', /NUL/],
  ] as const)
    assert.throws(() => localPath(url), failsWith('URL_UNSUPPORTED', reason));
});

test('many files that one mirror lacks do not wait for those that wait for them', async (t) => {
  const files = Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`/${i}`, bytesOf(100, i + 1)]));
  const first = await serve(t, {});
  const other = await serve(t, files);
  const { mirror } = makeMirror(t);
  // half of them are asked of the first one, which has none, and go on to the other one, whose places the rest takes
  const wants = Object.entries(files).map(([path, bytes], i) =>
    wantOf(bytes, ...(i % 2 === 0 ? [first.url + path] : []), other.url + path),
  );
  const paths = await mirror.fetchAll(wants);
  for (const [i, bytes] of Object.values(files).entries())
    assert.deepEqual(new Uint8Array(readFileSync(paths[i]!)), bytes);
});

test('never more than so many downloads from one host, and paths in the order asked', async (t) => {
  const files: Record<string, Uint8Array> = {};
  for (let i = 0; i < 30; i++) files[`/f${i}`] = bytesOf(1000 + i, i);
  const server = await serve(t, files);
  // no answer before four requests are open at once
  let asked = 0;
  let release = (): void => {};
  const four = new Promise<void>((resolve) => {
    release = resolve;
  });
  const wait = (): Promise<void> => {
    if (++asked === 4) release();
    return four;
  };
  for (let i = 0; i < 30; i++) server.fault(`/f${i}`, { wait });
  const { mirror } = makeMirror(t, { connectionsPerHost: 4 });
  const paths = await mirror.fetchAll(Object.entries(files).map(([path, bytes]) => wantOf(bytes, server.url + path)));
  assert.equal(server.most, 4);
  assert.deepEqual(
    paths.map((path) => statSync(path).size),
    Object.values(files).map((bytes) => bytes.length),
  );
});

test('the first failure calls the others off', async (t) => {
  const slow = bytesOf(5000, 3);
  const server = await serve(t, { '/slow': slow });
  server.fault('/slow', { stallAt: 100 });
  const { mirror } = makeMirror(t, { timeouts: { connect: 60_000, headers: 60_000, body: 60_000 } });
  await assert.rejects(
    mirror.fetchAll([wantOf(slow, `${server.url}/slow`), wantOf(DATA, `${server.url}/none`)]),
    failsWith('NOT_FOUND', /none/),
  );
});

test('an abort from outside ends a download', async (t) => {
  const server = await serve(t, { '/a': DATA });
  server.fault('/a', { stallAt: 200_000 });
  const stop = new AbortController();
  const { mirror } = makeMirror(t, { signal: stop.signal });
  mirror.listen((event) => {
    if (event.kind === 'progress') stop.abort();
  });
  await assert.rejects(mirror.fetch(wantOf(DATA, `${server.url}/a`)), { name: 'AbortError' });
});

test('proxies: plain requests through the proxy, https through a tunnel, no_proxy past it', async (t) => {
  const server = await serve(t, { '/a': DATA });
  const proxy = await serveProxy(t);
  const { mirror } = makeMirror(t, { proxy: { http: `http://bob:pw@127.0.0.1:${proxy.port}` } });
  await mirror.fetch(wantOf(DATA, `${server.url}/a`));
  assert.equal(proxy.requests.length, 1);
  assert.equal(proxy.requests[0]!.method, 'GET');
  assert.equal(proxy.requests[0]!.path, `${server.url}/a`);
  assert.equal(proxy.requests[0]!.headers['proxy-authorization'], `Basic ${Buffer.from('bob:pw').toString('base64')}`);

  const direct = makeMirror(t, { proxy: { http: proxy.url, none: 'example.org, 127.0.0.1' } });
  await direct.mirror.fetch(wantOf(DATA, `${server.url}/a`));
  assert.equal(proxy.requests.length, 1);

  const dead = makeMirror(t, { proxy: { http: 'http://127.0.0.1:1' }, retries: 0 });
  await assert.rejects(dead.mirror.fetch(wantOf(DATA, `${server.url}/a`)), failsWith('CONNECTION_FAILED', /refused/));
});

test('https: unknown certificates are rejected, trusted ones accepted, also through a tunnel; never down to http', {
  skip: needs({ tools: ['openssl'] }),
}, async (t) => {
  const folder = temporary(t);
  execFileSync(
    tool('openssl')!,
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '3650',
      '-subj',
      '/CN=test',
      '-addext',
      'subjectAltName=IP:127.0.0.1',
      '-keyout',
      join(folder, 'key'),
      '-out',
      join(folder, 'cert'),
    ],
    { stdio: 'ignore' },
  );
  const cert = readFileSync(join(folder, 'cert'), 'utf8');
  const plain = await serve(t, { '/a': DATA });
  const server = createTlsServer({ key: readFileSync(join(folder, 'key')), cert }, (asked, answer) => {
    if (asked.url === '/down') answer.writeHead(302, { location: `${plain.url}/a` }).end();
    else answer.end(DATA);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const untrusting = makeMirror(t, { retries: 0 });
  await assert.rejects(
    untrusting.mirror.fetch(wantOf(DATA, `${url}/a`)),
    failsWith('CONNECTION_FAILED', /certificate/),
  );
  const trusting = makeMirror(t, { certificates: [cert] });
  await trusting.mirror.fetch(wantOf(DATA, `${url}/a`));
  await assert.rejects(
    trusting.mirror.fetch(wantOf(bytesOf(4), `${url}/down`)),
    failsWith('REDIRECT_REFUSED', /give up encryption/),
  );
  const proxy = await serveProxy(t);
  const tunnel = makeMirror(t, { certificates: [cert], proxy: { https: proxy.url } });
  await tunnel.mirror.fetch(wantOf(DATA, `${url}/a`));
  assert.deepEqual(
    proxy.requests.map((request) => [request.method, request.path]),
    [['CONNECT', url.slice('https://'.length)]],
  );
});

test('which hosts go past the proxy', () => {
  const past = (url: string, none: string) =>
    proxyFor(new URL(url), { http: 'p:1', https: 'http://q:2', none }) === undefined;
  assert.equal(proxyFor(new URL('http://h/'), { http: 'p:1' }), 'http://p:1');
  assert.equal(proxyFor(new URL('https://h/'), { http: 'p:1' }), undefined);
  assert.equal(proxyFor(new URL('http://h/'), { http: '' }), undefined);
  for (const [url, none, expected] of [
    ['http://deb.example.org/', 'example.org', true],
    ['http://deb.example.org/', '.example.org', true],
    ['http://deb.example.org/', '*.example.org', true],
    ['http://example.org/', '.example.org', true],
    ['http://badexample.org/', 'example.org', false],
    ['http://h:8080/', 'h:80', false],
    ['http://h:8080/', 'h:8080', true],
    ['http://h/', 'h:80', true],
    ['https://h/', 'h:443', true],
    ['http://10.1.2.3/', '10.0.0.0/8', true],
    ['http://11.1.2.3/', '10.0.0.0/8', false],
    ['http://[fd00::1]/', 'fd00::/8', true],
    ['http://[::1]/', '::1', true],
    ['http://1.2.3.4/', '3.4', false],
    ['http://anything/', '*', true],
    ['http://h/', 'a b,c', false],
    ['http://c/', 'a b,c', true],
  ] as const)
    assert.equal(past(url, none), expected, `${url} ${none}`);
});

test('a document: read, known again by its tag, and too long ones are errors', async (t) => {
  const server = await serve(t, { '/doc': 'hello' });
  const { mirror } = makeMirror(t);
  const first = await mirror.read(`${server.url}/doc`, { limit: 100 });
  assert.ok(first.kind === 'changed');
  assert.equal(Buffer.from(first.bytes).toString(), 'hello');
  assert.equal((await mirror.read(`${server.url}/doc`, { limit: 100, validators: first.validators })).kind, 'same');
  server.files.set('/doc', 'other');
  const second = await mirror.read(`${server.url}/doc`, { limit: 100, validators: first.validators });
  assert.equal(second.kind, 'changed');
  await assert.rejects(mirror.read(`${server.url}/doc`, { limit: 4 }), failsWith('DOWNLOAD_TOO_LONG'));
  server.fault('/doc', { cutAt: 2, times: 1 });
  assert.equal((await mirror.read(`${server.url}/doc`, { limit: 100 })).kind, 'changed');
});

test('a host that is not there', async (t) => {
  // a port that was open a moment ago, and is not any more
  const closed = createTcpServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  const { mirror, retries } = makeMirror(t);
  await assert.rejects(
    mirror.fetch(wantOf(DATA, `http://127.0.0.1:${port}/a`)),
    failsWith('CONNECTION_FAILED', /refused/),
  );
  assert.equal(retries().length, 3);
});

test('killed in the middle of a download, the next build goes on from there', async (t) => {
  const big = bytesOf(2_000_000, 9);
  const server = await serve(t, { '/big': big });
  server.fault('/big', { stallAt: 1_500_000, times: 1 });
  const cache = new Cache(join(temporary(t), 'cache'));
  const want = wantOf(big, `${server.url}/big`);
  const here = (path: string) =>
    new URL(path.replace('.ts', import.meta.url.endsWith('.ts') ? '.ts' : '.js'), import.meta.url).href;
  const script = `
    const { Mirror } = await import(${JSON.stringify(here('../../src/fetch/mirror.ts'))});
    const { Cache } = await import(${JSON.stringify(here('../../src/fetch/cache.ts'))});
    const report = (event) => {
      if (event.kind === 'progress' && event.bytes >= 1_000_000) process.stdout.write('.');
    };
    const mirror = new Mirror({ cache: new Cache(${JSON.stringify(cache.directory)}), report });
    await mirror.fetch(${JSON.stringify(want)});
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = new Promise((resolve) => child.on('exit', resolve));
  await Promise.race([new Promise((resolve) => child.stdout.once('data', resolve)), gone]);
  assert.equal(child.exitCode, null);
  const part = () => leftovers(cache).map((name) => join(cache.directory, name));
  child.kill('SIGKILL');
  await gone;
  const had = statSync(part()[0]!).size;
  assert.equal(cache.find('archives', want.digest.hex), undefined);
  const { mirror } = makeMirror(t, { cache });
  const path = await mirror.fetch(want);
  assert.deepEqual(new Uint8Array(readFileSync(path)), big);
  assert.equal(server.requests[1]!.headers['range'], `bytes=${had}-`);
  assert.deepEqual(leftovers(cache), []);
});

test('what a killed build left is not trusted: wrong bytes cost one clean download', async (t) => {
  const server = await serve(t, { '/a': DATA });
  const cache = new Cache(join(temporary(t), 'cache'));
  const want = wantOf(DATA, `${server.url}/a`);
  const target = cache.path('archives', want.digest.hex);
  mkdirSync(dirname(target), { recursive: true });
  // no process has this number: it is beyond what Linux and macOS give out
  for (const left of [bytesOf(1000, 5), bytesOf(DATA.length, 6), bytesOf(DATA.length + 5, 7)]) {
    writeFileSync(join(dirname(target), `.${want.digest.hex}.99999999.download`), left);
    const path = await makeMirror(t, { cache }).mirror.fetch(want);
    assert.deepEqual(new Uint8Array(readFileSync(path)), DATA);
    assert.deepEqual(leftovers(cache), []);
    writeFileSync(path, 'x'); // wrong size: fetched again in the next round
  }
});
