import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';
import { smallFlags, smallRepository } from '../support/small-guest.ts';

/** Every path below a folder with its mode, and for files the digest of their bytes. */
function listing(folder: string, below = ''): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of readdirSync(join(folder, below)).sort()) {
    const path = join(below, name);
    const stat = lstatSync(join(folder, path));
    const bytes = stat.isFile()
      ? createHash('sha256')
          .update(readFileSync(join(folder, path)))
          .digest('hex')
      : '';
    found.set(path, `${(stat.mode & 0o7777).toString(8)} ${bytes}`);
    if (stat.isDirectory()) for (const [one, text] of listing(folder, path)) found.set(one, text);
  }
  return found;
}

test('outputs of every kind have the same bytes under any umask, and folders the modes of the guest', async (t) => {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  const key = join(folder, 'key.pem');
  writeFileSync(key, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const made: Record<string, Map<string, string>> = {};
  for (const umask of ['022', '077', '000']) {
    const out = join(folder, umask);
    mkdirSync(out);
    const run = async (args: readonly string[]) => {
      const { code, stderr } = await osbuilder(args, { cwd: out, umask });
      assert.equal(code, 0, `umask ${umask}: ${args[0]}: ${stderr}`);
    };
    const packages = [...smallFlags(root, keyring, join(folder, `cache-${umask}`)), '--rootfs-only'];
    // what names the folder would differ for another reason
    await run(['rootfs', ...packages, '-o', 'folder/']);
    await run([
      ...['build', ...packages, '--rootfs', 'r.tar.gz', '--initrd', 'i.img', '--image', 'k.img'],
      ...['--image-size-alignment-mb', '2', '--measured-rootfs'],
      ...['--sbom', 'bill.json', '--provenance', 'p.json', '--sign-key', key, '--reference-values', 'v.json'],
    ]);
    await run(['lock', ...packages, '-o', 'l.json']);
    await run(['extract', 'r.tar.gz', '-o', 'again/']);
    made[umask] = listing(out);
  }
  // the folders of the guest: modes and bytes
  for (const [path, text] of made['022']!)
    if (/^(folder|again)\//.test(path))
      for (const umask of ['077', '000']) assert.equal(made[umask]!.get(path), text, `${path} under ${umask}`);
  assert.equal(made['077']!.size, made['022']!.size);
  const plain = [...made['022']!].filter(([path]) => !path.includes('/') && !/^(folder|again)$/.test(path));
  assert.ok(plain.length >= 8, plain.map(([path]) => path).join(' '));
  for (const [path, text] of plain)
    for (const umask of ['077', '000']) {
      const [mode, digest] = made[umask]!.get(path)!.split(' ') as [string, string];
      assert.equal(digest, text.split(' ')[1], `${path} under ${umask}`);
      assert.equal(mode, text.split(' ')[0], `${path} under ${umask}`);
    }
});
