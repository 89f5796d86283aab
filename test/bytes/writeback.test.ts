import assert from 'node:assert/strict';
import fs, { closeSync, constants, openSync, readdirSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { mock, test } from 'node:test';
import { memory } from '../../src/bytes/content.ts';
import { pour } from '../../src/bytes/pour.ts';
import { Writeback } from '../../src/bytes/writeback.ts';
import { temporary } from '../support/data.ts';

const LARGE = 64 << 20;

test('what the system says about an early sync is not lost', async () => {
  // a device that cannot be synced stands for a disk that fails: the kernel reports a lost write once only
  const fd = openSync('/dev/null', constants.O_WRONLY);
  try {
    const writeback = new Writeback(fd);
    await writeback.wrote(LARGE);
    await assert.rejects(writeback.settled(), { syscall: 'fdatasync' });
    await writeback.wrote(LARGE);
    await assert.rejects(writeback.settled(), { syscall: 'fdatasync' });
  } finally {
    closeSync(fd);
  }
});

test('the file is free when all is settled', async (t) => {
  const fd = openSync(join(temporary(t), 'out'), 'wx');
  const writeback = new Writeback(fd);
  assert.equal(writeback.wrote(1), undefined, 'a small file is left to the sync at its end');
  for (let i = 0; i < 10; i++) await writeback.wrote(LARGE);
  await writeback.settled();
  closeSync(fd);
});

test('an output is not complete when one of its early syncs failed, whatever the last one says', async (t) => {
  const folder = temporary(t);
  const { fdatasync } = fs;
  let calls = 0;
  const failing = mock.method(fs, 'fdatasync', (fd: number, done: (error: Error | null) => void) => {
    calls++;
    if (calls > 1) return fdatasync(fd, done);
    return void setImmediate(() =>
      done(Object.assign(new Error('EIO: i/o error'), { code: 'EIO', syscall: 'fdatasync' })),
    );
  });
  syncBuiltinESMExports();
  try {
    await assert.rejects(pour(memory(Buffer.alloc(LARGE, 1)).open(), join(folder, 'a.img'), { size: LARGE }), {
      code: 'WRITE_FAILED',
    });
    assert.ok(calls > 0, 'the system was asked');
    assert.deepEqual(readdirSync(folder), []);
  } finally {
    failing.mock.restore();
    syncBuiltinESMExports();
  }
});
