import assert from 'node:assert/strict';
import { chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sha256 } from '../../src/bytes/digest.ts';
import { flagOf, rowOf, SETTING_KEYS, type SettingKey } from '../../src/settings/table.ts';
import { isUnsupported } from '../../src/settings/unsupported.ts';
import { osbuilder } from '../support/cli.ts';
import { ROOT, temporary } from '../support/data.ts';

/** Settings that act change a result: an output's bytes, or what is printed. */

type Command = 'rootfs' | 'initrd' | 'image';

/** By setting: a command over an existing rootfs, and arguments that give the setting another value. */
const CHANGES: Readonly<Partial<Record<SettingKey, readonly [command: Command, ...args: string[]]>>> = {
  compress: ['initrd', '--compress', 'zstd'],
  compressLevel: ['initrd', '--compress-level', '1'],
  fsType: ['image', '--fs-type', 'erofs'],
  blockSize: ['image', '--block-size', '1024'],
  rootFreeSpace: ['image', '--root-free-space', '200'],
  imageSizeAlignmentMb: ['image', '--image-size-alignment-mb', '64'],
  skipDaxHeader: ['image', '--skip-dax-header'],
  partitionTable: ['image', '--partition-table', 'gpt'],
  fsUuid: ['image', '--fs-uuid', '00000000-0000-4000-8000-000000000001'],
  fsLabel: ['image', '--fs-label', 'other'],
  fsFeatures: ['image', '--fs-features', '^has_journal'],
  fsOptions: ['image', '--fs-type', 'erofs', '--fs-options=-Enoinline_data'],
  measuredRootfs: ['image', '--measured-rootfs'],
  veritySalt: ['image', '--measured-rootfs', '--verity-salt', 'abcd'],
  sectorSize: ['image', '--partition-table', 'gpt', '--sector-size', '4096'],
  osbuilderVersion: ['rootfs', '--no-rootfs-only', '--osbuilder-version', '9.9'],
  overlay: ['rootfs', '--overlay', 'overlay'],
  remove: ['rootfs', '--remove', 'etc/removed'],
  sourceRoot: ['rootfs', '--source-root', 'usr'],
  sourceOwner: ['rootfs', '--source-owner', 'root'],
  sourceDateEpoch: ['rootfs', '--source-date-epoch', '1000000000'],
  json: ['rootfs', '--no-json'],
  verbose: ['image', '--fs-type', 'erofs', '--no-json', '--verbose'],
};

/** Arguments that a setting needs to act, in both runs. */
const BASES: Readonly<Partial<Record<SettingKey, readonly string[]>>> = {
  fsOptions: ['--fs-type', 'erofs'],
  veritySalt: ['--measured-rootfs'],
  sectorSize: ['--partition-table', 'gpt'],
  osbuilderVersion: ['--no-rootfs-only'],
  // it has a note
  verbose: ['--fs-type', 'erofs', '--no-json'],
};

/** Settings whose effect cannot be seen in a result, and why; their tests are of another kind. */
const UNSEEN: Readonly<Partial<Record<SettingKey, string>>> = {
  lock: 'test/lock builds with it',
  frozen: 'test/lock builds with it',
};

test('every setting has a test of its effect, or a reason why it is not seen', () => {
  const tests = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll(sep, '/'))
    .filter((name) => name.endsWith('.ts') && !/^(settings|cli)\//.test(name))
    .map((name) => readFileSync(join(ROOT, 'test', name), 'utf8'))
    .join('\n');
  const named = (key: SettingKey) =>
    new RegExp(`--(no-)?${flagOf(key)}\\b|\\b${key}:|\\b(${rowOf(key).environment.join('|')}):`).test(tests);
  for (const key of SETTING_KEYS)
    assert.ok(
      CHANGES[key] !== undefined || UNSEEN[key] !== undefined || isUnsupported(key) || named(key),
      `no test outside of test/settings and test/cli uses --${flagOf(key)}`,
    );
});

describe('a setting of an existing rootfs', () => {
  let folder: string;
  const closing: (() => void)[] = [];
  const plain = new Map<string, string>();

  before(() => {
    folder = temporary({ after: (fn) => void closing.push(fn) });
    for (const name of ['tree/etc', 'tree/usr/bin', 'tree/sbin', 'overlay/etc'])
      mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, 'tree/etc/removed'), 'a file\n'.repeat(5000));
    writeFileSync(join(folder, 'tree/usr/bin/program'), 'x', { mode: 0o755 });
    // root's own files would belong to root anyway
    if (process.getuid?.() === 0) chownSync(join(folder, 'tree/usr/bin/program'), 1000, 1000);
    writeFileSync(join(folder, 'overlay/etc/added'), 'added\n');
  });
  after(() => {
    for (const close of closing) close();
  });

  /** The digest of an output, and what was printed. */
  async function result(command: Command, args: readonly string[]): Promise<string> {
    const out = `out.${command === 'rootfs' ? 'tar' : 'img'}`;
    const epoch = args.includes('--source-date-epoch') ? [] : ['--source-date-epoch', '1700000000'];
    const print = args.includes('--no-json') ? [] : ['--json'];
    const only = args.includes('--no-rootfs-only') ? [] : ['--rootfs-only', '--skip-rootfs-check'];
    const words = [command, 'tree', '-o', out, ...only, ...epoch, ...print, ...args];
    const { code, stdout, stderr } = await osbuilder(words, { cwd: folder });
    assert.equal(code, 0, stderr);
    // figures of time differ from run to run
    const text = args.includes('--no-json') ? stderr.replace(/[\d.]+ ?m?s\b/g, '') : '';
    return `${sha256(readFileSync(join(folder, out)))} ${stdout === ''} ${text}`;
  }

  for (const [key, [command, ...args]] of Object.entries(CHANGES))
    test(`${key} acts`, async () => {
      const base = BASES[key as SettingKey] ?? [];
      const name = [command, ...base].join(' ');
      if (!plain.has(name)) plain.set(name, await result(command, base));
      assert.notEqual(await result(command, args), plain.get(name));
    });
});
