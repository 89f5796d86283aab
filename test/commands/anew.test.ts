import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';
import { smallFlags, smallRepository } from '../support/small-guest.ts';

test('what proves a guest makes it again: repro and verify --rebuild take nothing that a build kept of its results', async (t) => {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  const cache = join(folder, 'cache');
  const flags = [...smallFlags(root, keyring, cache), '--agent', 'demo', '--agent-init'];
  const run = async (...args: string[]) => {
    const result = await osbuilder(args, { cwd: folder });
    assert.equal(result.code, 0, `${args.join(' ')}\n${result.stderr}`);
  };
  const kept = () => (existsSync(join(cache, 'trees')) ? readdirSync(join(cache, 'trees')).length : 0);
  await run('repro', ...flags);
  assert.equal(kept(), 0);
  await run('lock', ...flags, '--initrd', 'i.img', '-o', 'l.json');
  assert.ok(kept() > 0, 'a build keeps its tree, else this proves nothing');
  rmSync(join(cache, 'trees'), { recursive: true });
  await run('verify', 'i.img', '--lock', 'l.json', '--rebuild', '--cache-dir', cache, '--keyring', keyring);
  assert.equal(kept(), 0);
});
