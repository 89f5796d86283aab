import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { osbuilder } from '../support/cli.ts';
import { ociLayout, writeLayout } from '../support/containers.ts';
import { temporary } from '../support/data.ts';
import { tar } from '../support/debs.ts';

/** Three MiB that are a few KiB when they are compressed. */
const BOMB = [{ name: './big', data: Buffer.alloc(3 << 20) }];

test('compressed sources and layers of containers have a limit, and nothing is left of one that is larger', async (t) => {
  const folder = temporary(t);
  writeFileSync(join(folder, 'bomb.tar.gz'), gzipSync(tar(BOMB)));
  writeFileSync(join(folder, 'bomb.img.gz'), gzipSync(Buffer.alloc(3 << 20)));
  const archive = Buffer.from(
    `070701${['0', '81A4', '0', '0', '1', '0', (3 << 20).toString(16), '0', '0', '0', '0', '4', '0'].map((field) => field.padStart(8, '0')).join('')}big\0\0\0`,
  );
  writeFileSync(join(folder, 'bomb.cpio.gz'), gzipSync(Buffer.concat([archive, Buffer.alloc(3 << 20)])));
  writeLayout(join(folder, 'layout'), await ociLayout([{ members: BOMB }]));
  for (const [source, setting] of [
    ['bomb.tar.gz', 'max-unpacked-size'],
    ['bomb.img.gz', 'max-unpacked-size'],
    ['bomb.cpio.gz', 'max-unpacked-size'],
    ['layout', 'max-package-size'],
    ['oci:layout', 'max-package-size'],
  ] as const) {
    const [out, workspace] = [join(folder, 'out'), join(folder, 'tmp')];
    for (const path of [out, workspace]) mkdirSync(path, { recursive: true });
    for (const command of ['rootfs', 'extract']) {
      const args = [command, source, '-o', 'out/r.tar', `--${setting}`, '1'];
      const options = { cwd: folder, env: { TMPDIR: workspace, OSBUILDER_CACHE_DIR: join(folder, 'cache') } };
      const { code: status, stderr } = await osbuilder(args, options);
      assert.equal(status, 1, `${command} ${source}: ${stderr}`);
      assert.match(stderr, /more than the 1048576 bytes that are allowed.*UNPACKED_TOO_LARGE/, `${command} ${source}`);
      assert.deepEqual([readdirSync(out), readdirSync(workspace)], [[], []], `${command} ${source}`);
    }
    const { code: status, stderr } = await osbuilder(['rootfs', source, '-o', 'out/r.tar', `--${setting}`, '8'], {
      cwd: folder,
    });
    assert.ok(status === 0 || !/UNPACKED_TOO_LARGE/.test(stderr), stderr);
    for (const name of readdirSync(out)) rmSync(join(out, name));
  }
});
