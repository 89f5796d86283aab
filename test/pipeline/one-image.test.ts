import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';
import { smallFlags, smallRepository } from '../support/small-guest.ts';

/** One rootfs gives one image of a kind, wherever it is read from and with however many threads. */

const KINDS: readonly (readonly [name: string, ...flags: string[]])[] = [
  ['ext4', '--fs-type', 'ext4'],
  ['measured ext4', '--fs-type', 'ext4', '--measured-rootfs'],
  ['erofs, lz4hc', '--fs-type', 'erofs'],
  ['erofs, dense', '--fs-type', 'erofs', '--fs-options=-zlz4hc -C65536 -E^noinline_data'],
  ['erofs, plain', '--fs-type', 'erofs', '--fs-options=-Enoinline_data'],
  ['measured erofs in a GPT', '--fs-type', 'erofs', '--measured-rootfs', '--partition-table', 'gpt'],
  ['xfs', '--fs-type', 'xfs'],
];

test('from packages, an archive, a folder and another image; 1, 2 and 16 threads', async (t) => {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  const packages = [...smallFlags(root, keyring, join(folder, 'cache')), '--agent', 'demo', '--agent-init'];
  const run = async (...args: string[]) => {
    const result = await osbuilder(args, { cwd: folder, env: { SOURCE_DATE_EPOCH: '1700000000' } });
    assert.equal(result.code, 0, `${args.join(' ')}\n${result.stderr}`);
    return result.stdout;
  };
  for (const form of ['rootfs.tar', 'rootfs/']) await run('rootfs', ...packages, '-o', form);
  for (const [name, ...flags] of KINDS) {
    const sha256 = async (...args: string[]) =>
      (JSON.parse(await run('image', ...args, ...flags, '--agent-init', '--json', '-o', 'x.img')) as Written)
        .outputs[0]!.sha256;
    const expected = await sha256(...packages.filter((word) => word !== '--agent-init'), '--jobs', '2');
    await run('extract', 'x.img', '-o', 'again.tar');
    for (const args of [
      ['rootfs.tar', '--jobs', '1'],
      ['rootfs/', '--jobs', '16'],
      ['again.tar', '--jobs', '2'],
    ])
      assert.equal(await sha256(...args, '--arch', 'x86_64'), expected, `${name} from ${args.join(' ')}`);
  }
});

interface Written {
  readonly outputs: readonly { readonly sha256: string }[];
}
