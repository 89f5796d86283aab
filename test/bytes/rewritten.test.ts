import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { collect } from '../../src/bytes/content.ts';
import { hostFile, randomAccess } from '../../src/bytes/file.ts';
import { temporary } from '../support/data.ts';

/** Handles and windows are kept by name; a file that was written anew under its name is read anew. */

const WAYS: Readonly<Record<string, (path: string, bytes: string) => void>> = {
  'in place': (path, bytes) => writeFileSync(path, bytes),
  'by renaming another one': (path, bytes) => {
    writeFileSync(`${path}.new`, bytes);
    renameSync(`${path}.new`, path);
  },
};

for (const [way, write] of Object.entries(WAYS))
  test(`a file that is written anew ${way} is read anew`, async (t) => {
    const path = join(temporary(t), 'file');
    for (const text of ['first', 'other', 'a longer one']) {
      write(path, text);
      assert.equal(Buffer.from(hostFile(path).readSync()).toString(), text);
      assert.equal(Buffer.from(await collect(hostFile(path).open())).toString(), text);
      const start = new Uint8Array(5);
      randomAccess(path).readAt(0, start);
      assert.equal(Buffer.from(start).toString(), text.slice(0, 5));
    }
  });
