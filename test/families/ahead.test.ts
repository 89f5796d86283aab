import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as later } from 'node:timers/promises';
import { noise } from '../compression/samples.ts';
import { osbuilder } from '../support/cli.ts';
import { FAMILIES_UNDER_TEST, type MadeRepository } from '../support/family-repository.ts';
import { type StaticServer, serve } from '../support/server.ts';

/** Packages are unpacked while others are still being fetched, for every family. */

/** Bytes of each package: together more than what is unpacked in the program's own thread. */
const SIZE = 4 << 20;
const LARGE = ['first', 'second', 'third'];

for (const family of FAMILIES_UNDER_TEST)
  describe(`unpacking ahead: ${family.family}`, () => {
    let folder: string;
    let made: MadeRepository;
    let server: StaticServer;
    const closing: (() => void | Promise<void>)[] = [];

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'osbuilder-ahead-'));
      const accounts = [
        { name: 'etc/' },
        { name: 'etc/passwd', data: 'root:x:0:0:root:/root:/bin/sh\n' },
        { name: 'etc/group', data: 'root:x:0:\n' },
      ];
      made = await family.make(folder, [
        ...LARGE.map((name, i) => ({ name, files: [{ name }].map(({ name }) => ({ name, data: noise(i, SIZE) })) })),
        { name: 'last', depends: LARGE, files: accounts },
      ]);
      // of one address: guests of apk say where their packages are from
      server = await serve({ after: (fn) => void closing.push(fn) }, made.root);
    });
    after(async () => {
      for (const close of closing) await close();
      rmSync(folder, { recursive: true, force: true });
    });

    const build = (cache: string) =>
      osbuilder([
        ...['rootfs', ...family.flags, '--packages', 'last', '--repo-url', server.url, '--keyring', made.keyring],
        ...['--rootfs-only', '--json', '--cache-dir', join(folder, cache), '-o', join(folder, `${cache}.tar`)],
      ]);
    const spoolsIn = (cache: string) => {
      try {
        return readdirSync(join(folder, cache, 'spools'), { recursive: true, encoding: 'utf8' }).filter((name) =>
          /(^|\/)[0-9a-f]{40,}[^/.]*$/.test(name),
        ).length;
      } catch {
        return 0;
      }
    };
    const digestIn = (stdout: string) =>
      (JSON.parse(stdout) as { outputs: { sha256: string }[] }).outputs.map(({ sha256 }) => sha256);

    test('the last archive comes when all others are unpacked, and the guest is the same', async () => {
      let unpacked = 0;
      server.fault(`/${made.archives.get('last')!}`, {
        times: 1,
        async wait() {
          // it would end in an error, not in a wait without end
          for (let i = 0; i < 1200 && (unpacked = spoolsIn('held')) < LARGE.length; i++) await later(50);
        },
      });
      const held = await build('held');
      assert.equal(held.code, 0, held.stderr + held.stdout);
      assert.equal(unpacked, LARGE.length);
      const plain = await build('plain');
      assert.deepEqual(digestIn(held.stdout), digestIn(plain.stdout));
      const verified = await osbuilder(['cache', 'verify', '--json', '--cache-dir', join(folder, 'held')]);
      assert.deepEqual((JSON.parse(verified.stdout) as { removed: unknown[] }).removed, []);
    });

    test('an archive that cannot be fetched is the error, whatever was unpacked; what is there is used afterwards', async () => {
      const path = `/${made.archives.get('last')!}`;
      server.fault(path, { status: 404, times: 1 });
      const failed = await build('missing');
      assert.notEqual(failed.code, 0);
      assert.match((JSON.parse(failed.stdout) as { error: { message: string } }).error.message, /last/);
      const verified = await osbuilder(['cache', 'verify', '--json', '--cache-dir', join(folder, 'missing')]);
      assert.deepEqual((JSON.parse(verified.stdout) as { removed: unknown[] }).removed, []);
      const again = await build('missing');
      assert.equal(again.code, 0, again.stderr + again.stdout);
    });
  });
