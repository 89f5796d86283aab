import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { replaceQuietly } from '../../src/bytes/temporary.ts';
import { temporary } from '../support/data.ts';

test('a file is replaced, or stays; nothing is left next to it', (t) => {
  const folder = temporary(t);
  const path = join(folder, 'ledger');
  writeFileSync(path, 'old');
  // process numbers end far below: this one is of no process
  writeFileSync(join(folder, '.ledger.999999999.0123456789abcdef.part'), 'of a killed build');
  assert.equal(replaceQuietly(path, Buffer.from('new')), true);
  assert.equal(readFileSync(path, 'latin1'), 'new');
  assert.deepEqual(readdirSync(folder), ['ledger']);

  // a folder that is not empty cannot be replaced by a file, whoever asks
  const standing = join(folder, 'standing');
  mkdirSync(join(standing, 'inside'), { recursive: true });
  const open = () => readdirSync('/proc/self/fd').length;
  const before = process.platform === 'linux' ? open() : 0;
  assert.equal(replaceQuietly(standing, Buffer.from('new')), false);
  if (process.platform === 'linux') assert.equal(open(), before);
  assert.deepEqual(readdirSync(folder).sort(), ['ledger', 'standing']);
  assert.equal(replaceQuietly(join(folder, 'none', 'x'), Buffer.from('new')), false);
});
