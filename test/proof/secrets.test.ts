import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { osbuilder, type Result } from '../support/cli.ts';
import { needs, temporary } from '../support/data.ts';
import { FAMILIES_UNDER_TEST } from '../support/family-repository.ts';
import { RPM_TOOLS } from '../support/rpms.ts';
import { serve } from '../support/server.ts';

/**
 * Passwords and tokens of mirrors and the key of a signature: in no output, log, lock, statement or file of the cache,
 * whether a command succeeds or fails.
 */

const SECRETS = ['s3cret-of-a-mirror', 't0ken-of-a-mirror'];
const BASIC = Buffer.from(`user:${SECRETS[0]}`).toString('base64');

/** Paths below a folder whose bytes have a text. */
function having(folder: string, text: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => {
    const path = join(folder, name);
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true && readFileSync(path).includes(text);
  });
}

for (const family of FAMILIES_UNDER_TEST)
  describe(`secrets of mirrors of ${family.family}`, {
    skip: family.family === 'rpm' && needs({ tools: RPM_TOOLS }),
  }, () => {
    test('they are sent, and appear nowhere', async (t) => {
      const made = await family.make(temporary(t), [
        {
          name: 'base',
          files: [
            ...['etc/', 'usr/'].map((name) => ({ name })),
            { name: 'etc/passwd', data: 'root:x:0:0:root:/root:/bin/sh\n' },
            { name: 'etc/group', data: 'root:x:0:\n' },
          ],
        },
      ]);
      const server = await serve(t, made.root);
      const folder = temporary(t);
      const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
      const keys = temporary(t);
      writeFileSync(join(keys, 'key.pem'), key);
      const url = `${server.url.replace('http://', `http://user:${SECRETS[0]}@`)}?token=${SECRETS[1]}`;
      const results: Result[] = [];
      const run = async (args: readonly string[]): Promise<Result> => {
        const result = await osbuilder(args, { cwd: folder, env: { http_proxy: '' } });
        results.push(result);
        return result;
      };
      const guest = (cache: string) => [
        ...[
          ...family.flags,
          '--packages',
          'base',
          '--agent',
          'demo',
          '--agent-init',
          '--no-seccomp',
          family.keepDatabase,
        ],
        ...['--repo-url', url, '--keyring', made.keyring, '--cache-dir', cache, '--verbose'],
      ];
      mkdirSync(join(folder, 'out'));
      const about = ['--sbom', 'out/s.cdx.json', '--provenance', 'out/p.json', '--sign-key', join(keys, 'key.pem')];
      const values = ['--reference-values', 'out/v.json'];
      const built = await run([
        'build',
        ...guest('cache'),
        '--rootfs',
        'out/r.tar',
        '--initrd',
        'out/i.img',
        ...about,
        ...values,
        '--compress',
        'none',
      ]);
      assert.equal(built.code, 0, built.stderr);
      const locked = await run(['lock', ...guest('cache'), '-o', 'out/l.json', '--json']);
      assert.equal(locked.code, 0, locked.stderr);
      assert.ok(
        server.requests.some(({ headers }) => headers.authorization === `Basic ${BASIC}`),
        'the password is sent',
      );
      const planned = await run(['plan', ...guest('cache'), '--json']);
      assert.equal(planned.code, 0, planned.stderr);
      // what fails tells no more
      const archive = `/${made.archives.get('base')!}`;
      server.files.set(archive, Buffer.from('other bytes'));
      const where = ['--repo-url', url, '--keyring', made.keyring, '--cache-dir', 'fresh', '--verbose'];
      const moved = await run(['build', '--lock', 'out/l.json', '--rootfs', 'out/x.tar', ...where, '--json']);
      assert.notEqual(moved.code, 0);
      server.fault(archive, { status: 401 });
      assert.notEqual((await run(['build', ...guest('denied'), '--rootfs', 'out/x.tar'])).code, 0);
      const nowhere = url.replace(/:\d+/, ':1');
      const failed = await run([
        'plan',
        ...family.flags,
        '--repo-url',
        nowhere,
        '--keyring',
        made.keyring,
        '--cache-dir',
        'none',
      ]);
      assert.notEqual(failed.code, 0);

      const body = key.split('\n')[1]!;
      for (const secret of [...SECRETS, BASIC, body]) {
        for (const { stdout, stderr } of results)
          assert.ok(!`${stdout}${stderr}`.includes(secret), `${stdout}${stderr}`);
        assert.deepEqual(having(folder, secret), [], secret);
      }
    });
  });
