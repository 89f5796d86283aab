import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { isoTime, LAST_TIME } from '../../src/bytes/iso-time.ts';
import { osbuilder } from '../support/cli.ts';
import { ROOT, temporary } from '../support/data.ts';
import { tar } from '../support/debs.ts';

test('times as text, also those that no date can express', () => {
  assert.equal(isoTime(0), '1970-01-01T00:00:00Z');
  assert.equal(isoTime(1_700_000_000.75), '2023-11-14T22:13:20Z');
  assert.equal(isoTime(LAST_TIME), '9999-12-31T23:59:59Z');
  for (const wrong of [1e300, -1e300, Number.NaN, Infinity]) assert.equal(isoTime(wrong), `@${wrong}`);
});

/** Where a time is known to be in the range of a date. */
const CHECKED = ['bytes/iso-time.ts', 'families/apt/snapshot.ts', 'shell/commands/ls.ts'];

test('no other code makes text of a time: damaged data would end it with a RangeError', () => {
  const src = join(ROOT, 'src');
  const found = readdirSync(src, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile() && one.name.endsWith('.ts'))
    .map((one) => relative(src, join(one.parentPath, one.name)))
    .filter((path) => readFileSync(join(src, path), 'utf8').includes('.toISOString('));
  assert.deepEqual(found.sort(), CHECKED);
});

test('a file from a time that no date has: listed, or rejected by name', async (t) => {
  const folder = temporary(t);
  for (const time of ['99999999999999999', '-99999999999999999', '1e300']) {
    const record = ` mtime=${time}\n`;
    const size = [record.length + 1, record.length + 2].find((one) => `${one}${record}`.length === one)!;
    const members = [
      { name: 'pax', type: 'x', data: `${size}${record}` },
      { name: 'a', data: 'a' },
    ];
    writeFileSync(join(folder, 'a.tar'), tar(members));
    for (const args of [
      ['inspect', 'a.tar', '--list'],
      ['initrd', 'a.tar', '--skip-rootfs-check', '-o', 'a.img'],
      ['image', 'a.tar', '--skip-rootfs-check', '-o', 'a.img'],
      ['lock', 'a.tar', '-o', 'l.json'],
    ]) {
      const result = await osbuilder(args, { cwd: folder });
      assert.ok(result.code === 0 || result.code === 1, `${args[0]}: ${result.stderr}`);
    }
  }
});
