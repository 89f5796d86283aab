import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostFile } from '../../src/bytes/file.ts';
import { readRegular } from '../../src/bytes/regular.ts';
import { BuildError } from '../../src/errors/error.ts';
import { Cache } from '../../src/fetch/cache.ts';
import { Mirror } from '../../src/fetch/mirror.ts';
import { osbuilder } from '../support/cli.ts';
import { needs, temporary, tool } from '../support/data.ts';
import { smallFlags, smallRepository } from '../support/small-guest.ts';

/** What is not a regular file, by path. */
function irregular(folder: string): { path: string; reason: RegExp }[] {
  const fifo = join(folder, 'fifo');
  execFileSync(tool('mkfifo')!, [fifo]);
  const link = join(folder, 'link');
  symlinkSync('/dev/zero', link);
  mkdirSync(join(folder, 'folder'));
  return [
    { path: fifo, reason: /a fifo, expected a regular file/ },
    { path: '/dev/zero', reason: /a device, expected a regular file/ },
    { path: link, reason: /a device, expected a regular file/ },
    { path: join(folder, 'folder'), reason: /a directory, expected a regular file/ },
  ];
}

const rejected = (reason: RegExp) => (error: unknown) => {
  assert.ok(error instanceof BuildError, String(error));
  assert.equal(error.code, 'READ_FAILED');
  assert.match(error.message, reason);
  return true;
};

test('only regular files are read from the build host', { skip: needs({ tools: ['mkfifo'] }) }, async (t) => {
  const folder = temporary(t);
  const mirror = new Mirror({ cache: new Cache(join(folder, 'cache')) });
  t.after(() => mirror.close());
  const digest = { algorithm: 'sha256', hex: '0'.repeat(64) } as const;
  for (const { path, reason } of irregular(folder)) {
    assert.throws(() => readRegular(path, 100), rejected(reason));
    assert.throws(() => hostFile(path), rejected(reason));
    await assert.rejects(mirror.read(path, { limit: 100 }), rejected(reason));
    await assert.rejects(mirror.fetch({ urls: [path], digest, category: 'archives' }), rejected(reason));
    await assert.rejects(mirror.fetch({ urls: [path], size: 5, digest, category: 'archives' }), rejected(reason));
  }
});

test('a file at its limit is read, one byte more is an error', (t) => {
  const path = join(temporary(t), 'file');
  for (const size of [0, 1, 4095, 4096, 4097, 10_000]) {
    writeFileSync(path, Buffer.alloc(size, 7));
    assert.deepEqual(readRegular(path, size), Buffer.alloc(size, 7));
    assert.deepEqual(readRegular(path, size + 1), Buffer.alloc(size, 7));
    if (size > 0) assert.throws(() => readRegular(path, size - 1), rejected(/longer than the \d+ bytes/));
  }
  assert.throws(() => readRegular(`${path}.not`, 1), rejected(/no such file/));
  assert.equal(readRegular('/dev/null', 1).length, 0);
  // files of /proc have content and say that they have none
  if (process.platform === 'linux') assert.ok(readRegular('/proc/self/status', 1 << 20).length > 0);
});

test('keyring, preseed, config and profile: a fifo, a device or a folder is an error', {
  skip: needs({ tools: ['mkfifo'] }),
}, async (t) => {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  const flags = smallFlags(root, keyring, join(folder, 'cache'));
  for (const flag of ['--keyring', '--preseed', '--config', '--profile'])
    for (const { path, reason } of irregular(temporary(t))) {
      const { code, stderr } = await osbuilder(['plan', ...flags, flag, path]);
      assert.equal(code, 1, `${flag} ${path}: ${stderr}`);
      assert.match(stderr, reason);
    }
});
