import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bundled, bundledImages } from '../../bench/bundled.ts';
import { needs, temporary, tool } from '../support/data.ts';

/** What the bench measures as processes of its own must be joined and run as the program is. */

test('image-run makes outputs that their tools read', { skip: needs({ tools: ['e2fsck', 'tar'] }) }, async (t) => {
  const folder = temporary(t);
  const guest = join(folder, 'guest');
  mkdirSync(join(guest, 'usr/bin'), { recursive: true });
  writeFileSync(join(guest, 'usr/bin/one'), 'one\n');
  const run = await bundledImages();
  const make = (kind: string, from: string, source: string) => {
    const out = join(folder, `${from}.${kind}`);
    execFileSync(process.execPath, [run, kind, from, source, out]);
    return out;
  };
  const archive = make('tar', 'folder', guest);
  assert.match(execFileSync(tool('tar')!, ['-tf', archive], { encoding: 'utf8' }), /^\.\/usr\/bin\/one$/m);
  for (const [from, source] of [
    ['folder', guest],
    ['tar', archive],
  ] as const)
    execFileSync(tool('e2fsck')!, ['-fn', make('ext4', from, source)], { stdio: 'ignore' });
  writeFileSync(join(folder, 'spool'), Buffer.alloc(1 << 20, 'spool'));
  execFileSync(tool('e2fsck')!, ['-fn', make('ext4', 'spool*2*1.5', join(folder, 'spool'))], { stdio: 'ignore' });
  make('newc.zstd', 'tar', archive);
});

test('depmod-run can be joined', async () => {
  const run = await bundled('depmod-run', ['workers/thread', 'system/kmod/load-task', 'system/kmod/share-task']);
  assert.throws(() => execFileSync(process.execPath, [run, '/nonexistent', '6.1'], { stdio: 'pipe' }), /nonexistent/);
});
