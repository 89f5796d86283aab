import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pour, preparePour } from '../../src/bytes/pour.ts';
import { isSameFile, leftoversOf, openTemporary } from '../../src/bytes/temporary.ts';
import { Cache } from '../../src/fetch/cache.ts';
import { Mirror, type Want } from '../../src/fetch/mirror.ts';
import { needs, temporary, tool } from '../support/data.ts';
import { serve } from '../support/server.ts';

const DATA = Buffer.from('what was asked for\n'.repeat(100));
const HEX = createHash('sha256').update(DATA).digest('hex');
// no process has this number: it is beyond what Linux and macOS give out
const DEAD = 99_999_999;

async function* bytes() {
  yield DATA;
}

/** Names that an attacker could guess: as this and earlier versions write them, of this process and of a dead one. */
function guesses(target: string): string[] {
  const name = target.slice(target.lastIndexOf('/') + 1);
  return [process.pid, process.pid + 1, DEAD].flatMap((pid) =>
    ['part', 'download'].flatMap((kind) => [
      join(dirname(target), `.${name}.${pid}.${kind}`),
      join(dirname(target), `.${name}.${pid}.${'0'.repeat(16)}.${kind}`),
    ]),
  );
}

/** Plants links to a file of the victim; the check that it was not written to. */
function plant(t: TestContext, target: string, link: (victim: string, path: string) => void): () => void {
  const victim = join(temporary(t), 'victim');
  writeFileSync(victim, 'mine', { mode: 0o600 });
  mkdirSync(dirname(target), { recursive: true });
  for (const path of guesses(target)) link(victim, path);
  return () => {
    assert.equal(readFileSync(victim, 'utf8'), 'mine');
    assert.equal(statSync(victim).mode & 0o777, 0o600);
    assert.ok(lstatSync(target).isFile());
    assert.deepEqual(readFileSync(target), DATA);
  };
}

const want = (url: string): Want => ({
  urls: [url],
  size: DATA.length,
  digest: { algorithm: 'sha256', hex: HEX },
  category: 'archives',
});

for (const [kind, link] of [
  ['symbolic links', symlinkSync],
  ['hard links', linkSync],
] as const)
  test(`${kind} planted under every name that can be guessed are never written through`, async (t) => {
    const folder = temporary(t);
    const output = join(folder, 'out.img');
    const poured = plant(t, output, link);
    await pour(bytes(), output);
    poured();

    const cache = new Cache(join(folder, 'cache'));
    const written = plant(t, cache.path('indexes', HEX), link);
    await cache.write('indexes', HEX, DATA);
    written();

    const server = await serve(t, { '/a': DATA });
    const fetched = plant(t, cache.path('archives', HEX), link);
    const mirror = new Mirror({ cache });
    t.after(() => mirror.close());
    await mirror.fetch(want(`${server.url}/a`));
    fetched();
    assert.equal(server.requests[0]!.headers['range'], undefined);
  });

test('only a regular file of ours, with one link, that no one else may write is continued', async (t) => {
  const server = await serve(t, { '/a': DATA });
  const half = DATA.subarray(0, 500);
  const plain = (path: string) => {
    writeFileSync(path, half);
    return path;
  };
  const other = (path: string) => plain(`${path}.x`);
  const makers: readonly (readonly [string, boolean, (path: string) => unknown])[] = [
    ['a plain file', true, plain],
    ['a symbolic link', false, (path) => symlinkSync(other(path), path)],
    ['a second link', false, (path) => linkSync(other(path), path)],
    ['a file that all may write', false, (path) => chmodSync(plain(path), 0o666)],
    ['a folder', false, (path) => mkdirSync(path)],
  ];
  for (const [what, continued, make] of makers) {
    const cache = new Cache(join(temporary(t), 'cache'));
    const target = cache.path('archives', HEX);
    mkdirSync(dirname(target), { recursive: true });
    make(join(dirname(target), `.${HEX}.${DEAD}.0123456789abcdef.download`));
    const mirror = new Mirror({ cache });
    t.after(() => mirror.close());
    server.requests.length = 0;
    assert.deepEqual(readFileSync(await mirror.fetch(want(`${server.url}/a`))), DATA);
    assert.equal(server.requests[0]!.headers['range'], continued ? 'bytes=500-' : undefined, what);
  }
});

test('a fifo in the place of a leftover is not waited for', { skip: needs({ tools: ['mkfifo'] }) }, async (t) => {
  const server = await serve(t, { '/a': DATA });
  const cache = new Cache(join(temporary(t), 'cache'));
  const target = cache.path('archives', HEX);
  mkdirSync(dirname(target), { recursive: true });
  execFileSync(tool('mkfifo')!, [join(dirname(target), `.${HEX}.${DEAD}.download`)]);
  const mirror = new Mirror({ cache });
  t.after(() => mirror.close());
  assert.deepEqual(readFileSync(await mirror.fetch(want(`${server.url}/a`))), DATA);
});

test('a temporary file is for its owner alone until it is complete, and its mode is then what was promised', async (t) => {
  const folder = temporary(t);
  const old = process.umask(0o077);
  try {
    const path = join(folder, 'out');
    const prepared = await preparePour(
      (async function* () {
        yield DATA;
        const [part] = readdirSync(folder);
        assert.equal(statSync(join(folder, part!)).mode & 0o777, 0o600);
        assert.match(part!, /^\.out\.\d+\.[0-9a-f]{16}\.part$/);
      })(),
      path,
    );
    prepared.commit();
    assert.equal(statSync(path).mode & 0o777, 0o644);
    await pour(bytes(), path, { mode: 0o755 });
    assert.equal(statSync(path).mode & 0o777, 0o755);
  } finally {
    process.umask(old);
  }
});

test('each name is new, fits the longest file name, and a swapped file is noticed', (t) => {
  const folder = temporary(t);
  const path = join(folder, 'ö'.repeat(127));
  const [one, two] = [openTemporary(path), openTemporary(path)];
  assert.notEqual(one.path, two.path);
  assert.ok(isSameFile(one.path, one.fd));
  assert.ok(!isSameFile(one.path, two.fd));
  assert.ok(!existsSync(path));
  assert.ok(!isSameFile(join(folder, 'none'), two.fd));
});

test('what replaces a temporary file meanwhile never becomes the output', async (t) => {
  const cache = new Cache(temporary(t));
  for (const [what, replace] of [
    ['a link', (path: string) => symlinkSync('/etc/hostname', path)],
    ['a file with a second link', (path: string) => linkSync(cache.path('indexes', 'kept'), path)],
    ['a folder', (path: string) => mkdirSync(path)],
    ['another file', (path: string) => writeFileSync(path, DATA)],
    // which would need a temporary file that no later build finds
    ['a poured file', (path: string) => pour(bytes(), path)],
    ['nothing', () => {}],
  ] as const) {
    await cache.write('indexes', 'kept', DATA);
    const put = cache.put('indexes', HEX, async (path) => {
      rmSync(path);
      await replace(path);
    });
    await assert.rejects(put, { code: 'WRITE_FAILED' }, what);
    assert.equal(cache.find('indexes', HEX), undefined, what);
  }
});

test('files kept in the cache have no temporary file but the one that a later build removes', async (t) => {
  const directory = temporary(t);
  const seen: string[] = [];
  const names = () =>
    readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => /part$/.test(name));
  await new Cache(directory).put('parsed', HEX, async (path, fd) => {
    seen.push(...names());
    writeFileSync(fd, DATA);
    assert.deepEqual(
      leftoversOf(join(directory, 'parsed', HEX.slice(0, 2), HEX), 'part').map((one) => one.path),
      [path],
    );
    seen.push(...names());
  });
  assert.equal(new Set(seen).size, 1);
  assert.deepEqual(names(), []);
});
