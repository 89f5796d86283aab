import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { sha256 } from '../../src/bytes/digest.ts';
import { Cache } from '../../src/fetch/cache.ts';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';
import { SMALL_PACKAGES, smallFlags, smallRepository } from '../support/small-guest.ts';

const BYTES = Buffer.from('what was stored');
const DIGEST = sha256(BYTES);

/** Ways in which an entry becomes another file. The content is wrong after the first ones, and right after the others. */
const CHANGES: readonly (readonly [name: string, right: boolean, change: (path: string) => void])[] = [
  ['a flipped byte', false, (path) => flip(path, 3)],
  [
    'a flipped byte with the old time',
    false,
    (path) => {
      const { atime, mtime } = statSync(path);
      flip(path, 3);
      utimesSync(path, atime, mtime);
    },
  ],
  ['cut off', false, (path) => writeFileSync(path, BYTES.subarray(0, 5))],
  ['longer', false, (path) => writeFileSync(path, Buffer.concat([BYTES, BYTES]))],
  [
    'another file in its place',
    false,
    (path) => {
      writeFileSync(`${path}.new`, 'something else.');
      renameSync(`${path}.new`, path);
    },
  ],
  [
    'a copy in its place',
    true,
    (path) => {
      copyFileSync(path, `${path}.new`);
      renameSync(`${path}.new`, path);
    },
  ],
  ['another time', true, (path) => utimesSync(path, 1, 1)],
];

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at % bytes.length]! ^= 1;
  writeFileSync(path, bytes);
}

for (const key of ['short-name', DIGEST])
  for (const [name, right, change] of CHANGES)
    test(`an entry "${key.slice(0, 10)}" with ${name} is ${right ? 'taken' : 'not taken'}`, async (t) => {
      const folder = temporary(t);
      const path = await new Cache(folder).write('spools', key, BYTES);
      assert.equal(new Cache(folder).find('spools', key), path);
      change(path);
      // of a builder that knew it, and of the next one
      const cache = new Cache(folder);
      assert.equal(cache.find('spools', key), right ? path : undefined);
      assert.equal(new Cache(folder).find('spools', key), right ? path : undefined);
      if (right) return;
      await cache.write('spools', key, BYTES);
      assert.deepEqual(new Cache(folder).read('spools', key), BYTES);
    });

test('an entry of which nothing is known counts only when its name is its digest', (t) => {
  const folder = temporary(t);
  const cache = new Cache(folder);
  for (const key of [DIGEST, 'a-name']) {
    mkdirSync(join(cache.path('archives', key), '..'), { recursive: true });
    writeFileSync(cache.path('archives', key), BYTES);
  }
  assert.ok(cache.find('archives', DIGEST));
  assert.equal(cache.find('archives', 'a-name'), undefined);
});

test('a digest that is said of what was written is noted, and a file that has another one is not taken', async (t) => {
  const folder = temporary(t);
  const put = (digest: string) =>
    new Cache(folder).put('parsed', 'entry', async (_path, fd, wrote) => {
      writeFileSync(fd, BYTES);
      wrote(digest);
    });
  await put(DIGEST);
  assert.deepEqual(new Cache(folder).read('parsed', 'entry'), BYTES);
  assert.equal(new Cache(folder).look('parsed', 'entry')?.sha256, DIGEST);
  assert.deepEqual(new Cache(folder).verify(), { good: 1, removed: [] });
  const path = await put(sha256('something else'));
  // as if it had been changed since: whoever reads it finds out
  utimesSync(path, 1, 1);
  assert.equal(new Cache(folder).read('parsed', 'entry'), undefined);
});

test('`cache verify` removes what is wrong and keeps the rest', async (t) => {
  const folder = temporary(t);
  const cache = new Cache(folder);
  const good = await cache.write('indexes', 'good', BYTES);
  flip(await cache.write('spools', 'bad', BYTES), 1);
  mkdirSync(join(cache.path('archives', 'unknown'), '..'), { recursive: true });
  writeFileSync(cache.path('archives', 'unknown'), BYTES);
  const { code, stdout } = await osbuilder(['cache', 'verify', '--json', '--cache-dir', folder]);
  assert.equal(code, 0);
  const { removed, good: count } = JSON.parse(stdout) as { removed: string[]; good: number };
  assert.deepEqual(removed, ['archives/unknown', 'spools/bad']);
  assert.equal(count, 1);
  assert.equal(new Cache(folder).find('indexes', 'good'), good);
});

test('what no cache puts there stays when a wrong folder is named', async (t) => {
  const folder = temporary(t);
  const cache = new Cache(folder);
  await cache.write('archives', DIGEST, BYTES);
  await cache.write('trees', 'entry', BYTES);
  writeFileSync(join(cache.path('trees', 'entry'), '..', '.entry.1.0123456789abcdef.part'), '');
  const others = [
    'archives/2024/holiday.jpg',
    'archives/letter.txt',
    'trees/oak/leaf',
    'trees/en/oak',
    'spools/.hidden',
  ];
  for (const path of others) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), BYTES);
    utimesSync(join(folder, path), 1, 1);
  }
  const there = () => others.filter((path) => existsSync(join(folder, path)));
  for (const action of [['verify'], ['gc', '--cache-size', '1'], ['clear']]) {
    const { code, stderr } = await osbuilder(['cache', ...action, '--cache-dir', folder]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(there(), others, action.join(' '));
  }
  const left = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  assert.equal(left.length, others.length);
  // without them nothing is left
  for (const path of others) rmSync(join(folder, path));
  rmSync(join(folder, 'archives'), { recursive: true });
  await cache.write('archives', DIGEST, BYTES);
  new Cache(folder).clear();
  assert.ok(!existsSync(join(folder, 'archives')));
});

test('an empty --cache-dir is not the current folder', async (t) => {
  const folder = temporary(t);
  for (const action of ['clear', 'verify', 'info']) {
    const { code, stderr } = await osbuilder(['cache', action, '--cache-dir', ''], { cwd: folder });
    assert.equal(code, 2, stderr);
    assert.match(stderr, /--cache-dir: invalid value "": expected DIR, and it is empty \[SETTING_INVALID\]/);
  }
});

test('a cache that others may write to is an error, unless everything is verified', async (t) => {
  if (process.getuid?.() === undefined) return t.skip('this system has no users');
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  const cache = join(folder, 'cache');
  mkdirSync(cache, { mode: 0o777 });
  chmodSync(cache, 0o777);
  const flags = [...smallFlags(root, keyring, cache), '--agent', 'demo', '--rootfs', join(folder, 'r.tar')];
  const rejected = await osbuilder(['build', ...flags], { cwd: folder });
  assert.notEqual(rejected.code, 0);
  assert.match(rejected.stderr + rejected.stdout, /CACHE_SHARED|not safe from other users/);
  const accepted = await osbuilder(['build', ...flags, '--verify-cache'], { cwd: folder });
  assert.equal(accepted.code, 0, accepted.stderr);
});

test('what is in the way of a file or folder of a cache is named, by every command', async (t) => {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  const flags = (cache: string) => [...smallFlags(root, keyring, cache), '--agent', 'demo', '--rootfs', 'r.tar'];
  const cache = join(folder, 'cache');
  assert.equal((await osbuilder(['build', ...flags(cache)], { cwd: folder })).code, 0);
  const names = readdirSync(cache);
  assert.ok(
    ['archives', 'checked', 'indexes', 'parsed', 'spools', 'trees', 'used'].every((one) => names.includes(one)),
  );
  for (const name of ['', ...names]) {
    const broken = join(folder, 'broken');
    cpSync(cache, broken, { recursive: true });
    const path = join(broken, name);
    const wasFolder = statSync(path).isDirectory();
    rmSync(path, { recursive: true });
    if (wasFolder) writeFileSync(path, '');
    else mkdirSync(path);
    for (const args of [['build', ...flags(broken)], ...['info', 'verify', 'clear'].map((one) => ['cache', one])]) {
      const { code, stderr } = await osbuilder([...args, ...(args[0] === 'cache' ? ['--cache-dir', broken] : [])], {
        cwd: folder,
      });
      assert.equal(code, 1, `${args[0]} ${args[1]} ${name}: ${stderr}`);
      const line = `${path.replace(/\/$/, '')} is no ${wasFolder ? 'folder' : 'file'}, as a cache has one there [CACHE_INVALID]`;
      assert.ok(stderr.includes(line), stderr);
    }
    assert.ok(statSync(path).isDirectory() !== wasFolder, 'nothing of it was removed');
    rmSync(broken, { recursive: true });
  }
});

test('a byte flipped in any file of a cache: the same guest, or an error', async (t) => {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  const build = (cache: string, ...more: string[]) =>
    osbuilder(
      [
        'build',
        ...smallFlags(root, keyring, cache),
        '--agent',
        'demo',
        '--rootfs',
        join(folder, 'r.tar'),
        '--force',
        ...more,
      ],
      { cwd: folder },
    );
  const cache = join(folder, 'cache');
  const first = await build(cache);
  assert.equal(first.code, 0, first.stderr);
  const expected = sha256(readFileSync(join(folder, 'r.tar')));
  const files = readdirSync(cache, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(cache, name)).isFile(),
  );
  assert.ok(
    files.some((name) => name.startsWith('spools')),
    files.join(' '),
  );
  const outcomes = { same: 0, error: 0 };
  for (const name of files) {
    const copy = join(folder, 'copy');
    rmSync(copy, { recursive: true, force: true });
    cpSync(cache, copy, { recursive: true });
    const size = statSync(join(copy, name)).size;
    flip(join(copy, name), Math.floor(size / 3));
    rmSync(join(folder, 'r.tar'), { force: true });
    const { code, stderr } = await build(copy);
    assert.notEqual(code, 70, `${name}: ${stderr}`);
    if (code !== 0) outcomes.error++;
    else {
      outcomes.same++;
      assert.equal(sha256(readFileSync(join(folder, 'r.tar'))), expected, name);
    }
  }
  t.diagnostic(`${files.length} files: ${JSON.stringify(outcomes)}`);
  assert.equal(outcomes.same + outcomes.error, files.length);
});

test('a package, or all of them, that unpack to more than is allowed are an error', async (t) => {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder, {}, [
    ...SMALL_PACKAGES,
    ...['huge', 'huger'].map((name) => ({
      name,
      fields: 'Priority: required\n',
      files: [
        { name: './usr/' },
        { name: './usr/share/' },
        { name: `./usr/share/${name}`, data: Buffer.alloc(3 << 20) },
      ],
    })),
  ]);
  const build = (cache: string, ...more: string[]) =>
    osbuilder(
      [
        'build',
        ...smallFlags(root, keyring, join(folder, cache)),
        ...['--agent', 'demo', '--rootfs', join(folder, 'r.tar'), '--force', ...more],
      ],
      { cwd: folder },
    );
  const first = await build('cold', '--max-package-size', '2');
  assert.match(first.stderr, /UNPACKED_TOO_LARGE/);
  assert.notEqual(first.code, 70);
  const all = await build('cold', '--max-unpacked-size', '5');
  assert.match(all.stderr, /all packages together.*UNPACKED_TOO_LARGE/s);
  // nor from the cache
  assert.equal((await build('cold')).code, 0);
  assert.match((await build('cold', '--max-package-size', '2')).stderr, /UNPACKED_TOO_LARGE/);
});

test('what other builds note while one runs is read as it comes, also when the list is written anew', async (t) => {
  const folder = temporary(t);
  const one = new Cache(folder);
  const other = new Cache(folder);
  const keys = Array.from({ length: 20 }, (_, i) => `entry-${i}`);
  for (const key of keys) {
    assert.equal(one.read('parsed', key), undefined);
    await other.write('parsed', key, Buffer.from(key));
    assert.deepEqual(one.read('parsed', key), Buffer.from(key));
  }
  const list = join(folder, 'checked');
  // another file in its place, which is longer: a note that is wrong in it makes the entry another one
  const lines = readFileSync(list, 'utf8');
  writeFileSync(`${list}.new`, `${lines.replace(sha256('entry-3'), sha256('no entry'))}\n`.padStart(9000, '\n'));
  renameSync(`${list}.new`, list);
  utimesSync(one.path('parsed', 'entry-3'), 1, 1);
  assert.equal(new Cache(folder).read('parsed', 'entry-3'), undefined);
  assert.equal(one.read('parsed', 'entry-3'), undefined);
  assert.deepEqual(one.read('parsed', 'entry-4'), Buffer.from('entry-4'));
  // a line that is being written is read when it is complete
  await other.write('parsed', 'late', Buffer.from('late'));
  const whole = readFileSync(list, 'utf8');
  writeFileSync(list, whole.slice(0, -10));
  assert.equal(one.read('parsed', 'late'), undefined);
  writeFileSync(list, whole);
  assert.deepEqual(one.read('parsed', 'late'), Buffer.from('late'));
});
