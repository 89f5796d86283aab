import assert from 'node:assert/strict';
import { chmodSync, existsSync, linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Output } from '../../src/artefacts/outputs.ts';
import { BuildError } from '../../src/errors/error.ts';
import { build } from '../../src/pipeline/build.ts';
import type { SettingKey } from '../../src/settings/table.ts';
import { needs, temporary } from '../support/data.ts';
import { tar } from '../support/debs.ts';
import { settings, testHost } from '../support/host.ts';
import { serve } from '../support/server.ts';
import { smallRepository } from '../support/small-guest.ts';

/**
 * Everything that can be known from settings and inputs is checked before anything is fetched: the mirror of these
 * builds counts its requests, and there must be none.
 */

type Flags = Partial<Record<SettingKey, string>>;

interface Mistake {
  readonly what: string;
  readonly code: string;
  readonly flags?: Flags;
  readonly outputs?: readonly Output[];
  /** In the message. */
  readonly says?: RegExp;
}

async function scene(t: { after(fn: () => void | Promise<void>): void }) {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  const server = await serve(t, root);
  const at = (name: string) => join(folder, name);
  writeFileSync(at('agent'), '#!/bin/sh\n');
  writeFileSync(at('text'), 'not a program\n');
  writeFileSync(at('empty.tar'), tar([{ name: 'etc/' }]));
  mkdirSync(at('overlay/etc'), { recursive: true });
  writeFileSync(at('overlay/etc/file'), 'x');
  mkdirSync(at('folder/inner'), { recursive: true });
  writeFileSync(at('folder/kept'), 'kept');
  const host = testHost(t, { cache: at('cache') });
  const base: Flags = { distro: 'debian', osVersion: 'trixie', arch: 'amd64', packages: 'extra', repoUrl: server.url };
  const run = (flags: Flags, outputs: readonly Output[], source?: string) =>
    build(
      {
        settings: settings({
          ...(source === undefined ? { ...base, keyring } : {}),
          agent: at('agent'),
          agentInit: 'yes',
          ...flags,
        }),
        outputs,
        hostArchitecture: 'x86_64',
        version: 'test',
        ...(source === undefined ? {} : { source }),
      },
      host,
    );
  return { folder, at, server, run, keyring, root };
}

test('errors in settings and inputs cost no request', async (t) => {
  const { at, server, run } = await scene(t);
  const missing = at('missing');
  const initrd: Output[] = [{ kind: 'initrd', path: at('out.img') }];
  const image: Output[] = [{ kind: 'image', path: at('out.img') }];
  const rootfs = (path: string): Output[] => [{ kind: 'rootfs', path }];
  const unreadable = (key: SettingKey): Mistake => ({
    what: `${key} is missing`,
    code: 'READ_FAILED',
    flags: { [key]: missing },
    says: /missing/,
  });
  const mistakes: Mistake[] = [
    {
      what: 'file-system feature',
      code: 'SETTING_INVALID',
      outputs: image,
      flags: { fsFeatures: 'nonsense' },
      says: /nonsense/,
    },
    { what: 'features at odds', code: 'EXT4_FEATURE', outputs: image, flags: { fsFeatures: '64bit ^extent' } },
    { what: 'UUID', code: 'SETTING_INVALID', outputs: image, flags: { fsUuid: '1234' }, says: /1234/ },
    {
      what: 'block size of no power of two',
      code: 'EXT4_OPTION',
      outputs: image,
      flags: { blockSize: '3000' },
      says: /3000/,
    },
    { what: 'block size too large', code: 'EXT4_OPTION', outputs: image, flags: { blockSize: '8192' }, says: /8192/ },
    { what: 'label', code: 'EXT4_OPTION', outputs: image, flags: { fsLabel: 'a label of 20 bytes.' }, says: /16/ },
    {
      what: 'gpt and NVDIMM header',
      code: 'SETTING_CONFLICT',
      outputs: image,
      flags: { partitionTable: 'gpt', skipDaxHeader: 'no' },
    },
    ...(
      [
        ['erofs with free space', { fsType: 'erofs', rootFreeSpace: '10' }, /no free space/],
        ['erofs with small blocks', { fsType: 'erofs', blockSize: '1024' }, /4096/],
        ['features of erofs', { fsType: 'erofs', fsFeatures: 'dax' }, /no features to choose/],
        ['clusters without compression', { fsType: 'erofs', fsOptions: '-C65536' }, /-zlz4hc/],
        ['a compressor that Kata’s kernels do not read', { fsType: 'erofs', fsOptions: '-zzstd' }, /lz4/],
        ['features of xfs', { fsType: 'xfs', fsFeatures: 'rmapbt' }, /-m reflink=1/],
        ['xfs with small blocks', { fsType: 'xfs', blockSize: '1024' }, /4096/],
        ['the size of xfs', { fsType: 'xfs', fsOptions: '-d size=100m' }, /size/],
        ['options of erofs for ext4', { fsOptions: '-zlz4hc' }, /ext4/],
      ] as const
    ).map(([what, flags, says]) => ({ what, code: 'SETTING_INVALID' as const, outputs: image, flags, says })),
    {
      what: 'clusters that an old kernel does not read',
      code: 'EROFS_KERNEL',
      outputs: image,
      flags: { fsType: 'erofs', fsOptions: '-zlz4hc -C65536', kernelCompat: '5.10' },
      says: /5\.13/,
    },
    { what: 'a short log', code: 'XFS_OPTION', outputs: image, flags: { fsType: 'xfs', fsOptions: '-l size=2m' } },
    { what: 'level of gzip', code: 'COMPRESSION_LEVEL', flags: { compressLevel: '10' }, says: /10/ },
    { what: 'level of lz4', code: 'COMPRESSION_LEVEL', flags: { compress: 'lz4', compressLevel: '20' } },
    { what: 'xz', code: 'NOT_SUPPORTED', flags: { compress: 'xz' } },
    ...(['agent', 'overlay', 'keyring', 'preseed', 'kernelModulesDir', 'agentPolicyFile'] as const).map(unreadable),
    ...(['guestHooksTarball', 'cocoGuestComponentsTarball', 'pauseImageTarball'] as const).map(unreadable),
    { what: 'an agent of text', code: 'AGENT_UNKNOWN', flags: { agent: at('text') } },
    { what: 'an archive without an agent', code: 'AGENT_MISSING', flags: { agent: at('empty.tar') } },
    { what: 'a folder without an agent', code: 'AGENT_MISSING', flags: { agent: at('overlay') } },
    { what: 'an overlay of text', code: 'ROOTFS_UNKNOWN', flags: { overlay: at('text') } },
    { what: 'modules in a file', code: 'SETTING_INVALID', flags: { kernelModulesDir: at('text') } },
    { what: 'a folder for an initrd', code: 'WRITE_FAILED', outputs: [{ kind: 'initrd', path: at('folder') }] },
    { what: 'a new folder for an image', code: 'WRITE_FAILED', outputs: [{ kind: 'image', path: `${at('new')}/` }] },
    { what: 'a file for a folder', code: 'WRITE_FAILED', outputs: rootfs(`${at('text')}/`) },
    { what: 'a file as parent', code: 'WRITE_FAILED', outputs: [{ kind: 'image', path: at('text/out.img') }] },
    {
      what: 'a folder with other files',
      code: 'DIRECTORY_NOT_OURS',
      outputs: rootfs(`${at('folder')}/`),
      says: /kept|inner/,
    },
    { what: 'an unknown ending', code: 'NOT_SUPPORTED', outputs: rootfs(at('rootfs.tar.xz')), says: /\.xz/ },
    { what: 'another unknown ending', code: 'NOT_SUPPORTED', outputs: rootfs(at('rootfs.zip')), says: /\.zip/ },
    { what: 'nothing to write', code: 'SETTING_CONFLICT', outputs: [] },
    { what: '--source-root without a source', code: 'SETTING_CONFLICT', flags: { sourceRoot: 'rootfs' } },
    { what: '--source-owner without a source', code: 'SETTING_CONFLICT', flags: { sourceOwner: 'root' } },
    { what: 'an output that is the agent', code: 'OUTPUT_IS_INPUT', outputs: [{ kind: 'initrd', path: at('agent') }] },
    {
      what: 'an output inside an overlay',
      code: 'OUTPUT_INSIDE_INPUT',
      outputs: [{ kind: 'image', path: at('overlay/k.img') }],
      flags: { overlay: at('overlay') },
    },
  ];
  for (const { what, code, flags = {}, outputs = initrd, says } of mistakes) {
    const error: unknown = await run(flags, outputs).then(
      () => assert.fail(`${what}: built`),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof BuildError, `${what}: ${String(error)}`);
    assert.equal(error.code, code, `${what}: ${error.message}`);
    if (says !== undefined) assert.match(error.message, says, what);
    assert.deepEqual(server.requests, [], `${what}: something was fetched`);
  }
  assert.equal(readFileSync(at('folder/kept'), 'utf8'), 'kept');
  // the counting mirror would have noticed: without a mistake it is asked
  await run({}, initrd);
  assert.ok(server.requests.length > 0);
});

test('one path cannot be two outputs, in any spelling', async (t) => {
  const { folder, at, server, run } = await scene(t);
  mkdirSync(at('real'));
  symlinkSync(at('real'), at('alias'));
  writeFileSync(at('one.img'), '1');
  linkSync(at('one.img'), at('two.img'));
  symlinkSync(at('one.img'), at('link.img'));
  const pairs: [string, string][] = [
    ['x.img', './x.img'],
    ['real/x.img', 'alias/x.img'],
    ['real/deep/x.img', 'alias/deep/../deep/x.img'],
    ['x.img', 'X.IMG'],
    ['one.img', 'two.img'],
    ['one.img', 'link.img'],
  ];
  for (const [first, second] of pairs) {
    const outputs: Output[] = [
      { kind: 'initrd', path: `${folder}/${first}` },
      { kind: 'image', path: `${folder}/${second}` },
    ];
    await assert.rejects(run({}, outputs), { code: 'SETTING_CONFLICT' }, `${first} and ${second}`);
  }
  const inside: Output[] = [
    { kind: 'image', path: at('root/k.img') },
    { kind: 'rootfs', path: `${at('root')}/` },
  ];
  await assert.rejects(run({}, inside), { code: 'SETTING_CONFLICT' });
  const manifest: Output[] = [
    { kind: 'rootfs', path: `${at('root')}/` },
    { kind: 'image', path: at('root.manifest.jsonl') },
  ];
  await assert.rejects(run({}, manifest), { code: 'SETTING_CONFLICT' });
  assert.deepEqual(server.requests, []);
});

test('an output never replaces what the build reads', async (t) => {
  const { at, run, server, keyring } = await scene(t);
  const bytes = tar([{ name: 'usr/' }, { name: 'sbin/' }, { name: 'sbin/init', data: '#!/bin/sh\n', mode: 0o755 }]);
  writeFileSync(at('r.tar'), bytes);
  linkSync(at('r.tar'), at('same.tar'));
  symlinkSync(at('r.tar'), at('link.tar'));
  mkdirSync(at('source/etc'), { recursive: true });
  writeFileSync(at('source/etc/file'), 'x');
  symlinkSync(at('source'), at('source-link'));
  const cases: [source: string, output: Output, code: string][] = [
    [at('r.tar'), { kind: 'rootfs', path: at('r.tar') }, 'OUTPUT_IS_INPUT'],
    [at('r.tar'), { kind: 'initrd', path: at('same.tar') }, 'OUTPUT_IS_INPUT'],
    [at('r.tar'), { kind: 'image', path: at('link.tar') }, 'OUTPUT_IS_INPUT'],
    [at('link.tar'), { kind: 'image', path: at('r.tar') }, 'OUTPUT_IS_INPUT'],
    [at('source'), { kind: 'rootfs', path: `${at('source')}/` }, 'OUTPUT_IS_INPUT'],
    [at('source'), { kind: 'rootfs', path: at('source-link') }, 'OUTPUT_IS_INPUT'],
    [at('source'), { kind: 'image', path: at('source/k.img') }, 'OUTPUT_INSIDE_INPUT'],
    [at('source-link'), { kind: 'image', path: at('source/new/k.img') }, 'OUTPUT_INSIDE_INPUT'],
    [at('source/etc/file'), { kind: 'rootfs', path: `${at('source')}/` }, 'INPUT_INSIDE_OUTPUT'],
  ];
  for (const force of ['no', 'yes'])
    for (const [source, output, code] of cases)
      await assert.rejects(run({ agent: 'demo', force }, [output], source), { code }, `${source} to ${output.path}`);
  for (const path of [keyring, at('preseed'), at('profile.yaml')]) {
    writeFileSync(at('preseed'), 'a a/b string c\n');
    const flags: Flags = { preseed: at('preseed'), profile: at('profile.yaml'), force: 'yes' };
    writeFileSync(at('profile.yaml'), '');
    await assert.rejects(run(flags, [{ kind: 'initrd', path }]), { code: 'OUTPUT_IS_INPUT' }, path);
  }
  assert.ok(readFileSync(at('r.tar')).equals(bytes));
  assert.deepEqual(server.requests, []);
});

test('a folder that cannot be written to', {
  skip: needs({}) || (process.getuid?.() === 0 ? 'not here: an ordinary user' : false),
}, async (t) => {
  const { at, run, server } = await scene(t);
  mkdirSync(at('locked'));
  chmodSync(at('locked'), 0o555);
  t.after(() => {
    // the whole scene may be gone already
    if (existsSync(at('locked'))) chmodSync(at('locked'), 0o755);
  });
  await assert.rejects(run({}, [{ kind: 'image', path: at('locked/k.img') }]), { code: 'WRITE_FAILED' });
  await assert.rejects(run({}, [{ kind: 'image', path: at('locked/new/k.img') }]), { code: 'WRITE_FAILED' });
  assert.deepEqual(server.requests, []);
});

test('a folder is written again while nothing else is in it; --force replaces it', async (t) => {
  const { at, run } = await scene(t);
  writeFileSync(at('r.tar'), tar([{ name: 'etc/' }, { name: 'etc/a', data: 'a' }]));
  const outputs: Output[] = [{ kind: 'rootfs', path: `${at('root')}/` }];
  const again = (force = 'no') => run({ agent: 'demo', force }, outputs, at('r.tar'));
  await again();
  await again();
  writeFileSync(at('root/etc/mine'), 'mine');
  await assert.rejects(again(), { code: 'DIRECTORY_NOT_OURS', message: /etc\/mine/ });
  assert.equal(readFileSync(at('root/etc/mine'), 'utf8'), 'mine');
  await again('yes');
  assert.throws(() => readFileSync(at('root/etc/mine')), { code: 'ENOENT' });
  writeFileSync(at('root/etc/a'), 'changed by hand');
  await assert.rejects(again(), { code: 'DIRECTORY_NOT_OURS', message: /etc\/a/ });
  assert.equal(readFileSync(at('root/etc/a'), 'utf8'), 'changed by hand');
});
