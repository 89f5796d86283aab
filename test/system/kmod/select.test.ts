import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { BuildError } from '../../../src/errors/error.ts';
import type { Event } from '../../../src/events/events.ts';
import { depmod } from '../../../src/system/kmod/install.ts';
import { ModuleLookup } from '../../../src/system/kmod/lookup.ts';
import { firmwareOf, loadOrder, selectModules } from '../../../src/system/kmod/select.ts';
import { Tree } from '../../../src/tree/tree.ts';
import { needs, temporary, tool } from '../../support/data.ts';
import { type MadeModule, madeModule } from '../../support/modules.ts';

const RELEASE = '6.12-select';
const FOLDER = `lib/modules/${RELEASE}`;

const MODULES: Readonly<Record<string, MadeModule>> = {
  'kernel/lib/crc-a.ko': { exports: ['crc_a'], info: ['alias=crypto-crc', 'alias=crypto-crc-a'] },
  'kernel/lib/crc-b.ko': { exports: ['crc_b'], info: ['alias=crypto-crc'] },
  'kernel/lib/mid.ko': { exports: ['mid'], needs: ['crc_a'] },
  'kernel/fs/xfs/xfs.ko': {
    needs: ['mid', 'printk'],
    info: [
      'alias=fs-xfs',
      'softdep=pre: crypto-crc post: late-one gone',
      'firmware=xfs/one.bin',
      'firmware=xfs/two*.bin',
    ],
  },
  'kernel/fs/late-one.ko': { info: ['weakdep=weak-one other-gone', 'firmware=nowhere.bin', 'firmware=nowhere.bin'] },
  'kernel/fs/weak-one.ko': { needs: ['crc_b'] },
  'kernel/drivers/net/n1.ko': { info: ['alias=pci:v00001AF4d00001000sv*sd*bc*sc*i*'] },
  'kernel/drivers/net/sub/n2.ko': {},
  'extra/drivers/net/n3.ko': {},
  'kernel/net/other.ko': {},
};

async function system(more: Readonly<Record<string, string>> = {}): Promise<{ tree: Tree; lookup: ModuleLookup }> {
  const tree = new Tree();
  const write = (path: string, bytes: string | Buffer) => {
    tree.makeDirectory(dirname(path));
    tree.writeFile(path, bytes);
  };
  for (const [path, made] of Object.entries(MODULES)) write(`${FOLDER}/${path}`, madeModule(made));
  write(`${FOLDER}/modules.builtin`, 'kernel/fs/ext4/ext4.ko\nkernel/drivers/virtio/virtio-pci.ko\n');
  write(`${FOLDER}/modules.builtin.modinfo`, 'ext4.alias=fs-ext4\0virtio_pci.alias=pci:v00001AF4d*\0');
  for (const [path, text] of Object.entries(more)) write(path, text);
  const set = await depmod(tree, FOLDER, { epoch: 0 });
  return { tree, lookup: new ModuleLookup(tree, set) };
}

const namesOf = (lookup: ModuleLookup, ...words: string[]) =>
  selectModules(lookup, words)
    .modules.map(({ module }) => module.name)
    .sort();

test('words stand for names, aliases, folders and paths', async () => {
  const { lookup } = await system();
  const cases: Readonly<Record<string, readonly string[]>> = {
    'crc-a': ['crc_a'],
    crc_a: ['crc_a'],
    'crc-a.ko': ['crc_a'],
    'crc_a.ko.zst': ['crc_a'],
    'kernel/lib/crc-a.ko': ['crc_a'],
    [`/lib/modules/${RELEASE}/kernel/lib/crc-a.ko`]: ['crc_a'],
    [`/usr/lib/modules/${RELEASE}/kernel/lib/crc-a.ko`]: ['crc_a'],
    'crypto-crc': ['crc_a', 'crc_b'],
    crypto_crc: ['crc_a', 'crc_b'],
    'symbol:crc_b': ['crc_b'],
    'pci:v00001AF4d00001000sv0sd0bc0sc0i0': ['n1'],
    '=drivers/net': ['n1', 'n2', 'n3'],
    '=drivers/net/sub/': ['n2'],
    '=net': ['other'],
    ext4: [],
    'fs-ext4': [],
    'virtio-pci': [],
    '=drivers/virtio': [],
  };
  for (const [word, names] of Object.entries(cases)) assert.deepEqual(namesOf(lookup, word), names, word);
  assert.deepEqual(selectModules(lookup, ['ext4', 'crc-a', '=drivers/virtio']).builtin, ['ext4', '=drivers/virtio']);
});

test('a selection is closed over symbols, softdeps and weakdeps, each with its reason', async () => {
  const { lookup } = await system();
  const { modules } = selectModules(lookup, ['fs-xfs']);
  assert.deepEqual(Object.fromEntries(modules.map(({ module, reason }) => [module.name, reason])), {
    xfs: 'asked for',
    mid: 'xfs needs it',
    crc_a: 'xfs loads it (softdep)',
    crc_b: 'xfs loads it (softdep)',
    late_one: 'xfs loads it (softdep)',
    weak_one: 'late_one may ask for it (weakdep)',
  });
  const strict = selectModules(lookup, ['xfs'], { weak: false, exclude: (name) => name === 'crc_b' });
  assert.deepEqual(strict.modules.map(({ module }) => module.name).sort(), ['crc_a', 'late_one', 'mid', 'xfs']);
});

test('modprobe.d adds aliases and soft dependencies', async () => {
  const { lookup } = await system({
    'etc/modprobe.d/a.conf':
      'alias my-disk xfs\nsoftdep n2 pre: n1\nweakdep n1 other\ninstall n2 /bin/true\nblacklist n1\n',
    'usr/lib/modprobe.d/a.conf': 'softdep n2 pre: weak-one\n',
    'usr/lib/modprobe.d/b.conf': '# softdep n2 pre: mid\nsoftdep n2 \\\n post: n3\n',
  });
  assert.ok(namesOf(lookup, 'my-disk').includes('xfs'));
  assert.deepEqual(namesOf(lookup, 'n2'), ['n1', 'n2', 'n3', 'other']);
});

test('error DRIVER_UNKNOWN names all words and what is near; optional ones are listed', async () => {
  const { lookup } = await system();
  assert.throws(
    () => selectModules(lookup, ['xfz', 'xfs', 'nothing', '=no/where']),
    (error) => {
      assert.ok(error instanceof BuildError && error.code === 'DRIVER_UNKNOWN');
      assert.match(error.message, /6\.12-select has no drivers xfz, nothing, =no\/where/);
      assert.match(error.hint!, /xfs/);
      return true;
    },
  );
  const { missing, modules } = selectModules(lookup, ['nothing', 'mid'], { optional: true });
  assert.deepEqual([missing, modules.length], [['nothing'], 2]);
});

test('firmware is found in all folders, compressed and by pattern; missing names come once', async () => {
  const { tree, lookup } = await system({
    'lib/firmware/xfs/one.bin.xz': '',
    [`lib/firmware/${RELEASE}/xfs/one.bin`]: '',
    'lib/firmware/xfs/two-a.bin': '',
    'lib/firmware/xfs/two-b.bin.zst': '',
  });
  const modules = selectModules(lookup, ['xfs']).modules.map(({ module }) => module);
  const { paths, missing } = firmwareOf(tree, lookup.set, modules);
  assert.deepEqual([...paths].sort(), [
    `lib/firmware/${RELEASE}/xfs/one.bin`,
    'lib/firmware/xfs/one.bin.xz',
    'lib/firmware/xfs/two-a.bin',
    'lib/firmware/xfs/two-b.bin.zst',
  ]);
  assert.deepEqual([...missing], [['late_one', ['nowhere.bin']]]);
});

test('an order of loading has what is needed first, softdeps too', async () => {
  const { lookup } = await system();
  const modules = selectModules(lookup, ['xfs', 'weak-one']).modules.map(({ module }) => module);
  const order = loadOrder(lookup, modules).map(({ name }) => name);
  assert.equal(new Set(order).size, modules.length);
  const before = (a: string, b: string) => assert.ok(order.indexOf(a) < order.indexOf(b), `${a} before ${b}: ${order}`);
  before('crc_a', 'mid');
  before('mid', 'xfs');
  before('crc_b', 'xfs');
  before('crc_b', 'weak_one');
});

test('modprobe and modinfo agree about our tree', { skip: needs({ tools: ['modprobe', 'modinfo'] }) }, async (t) => {
  const { tree, lookup } = await system();
  const folder = temporary(t);
  for (const { path, inode } of tree.walk())
    if (inode.kind === 'directory') mkdirSync(join(folder, path), { recursive: true });
    else if (inode.kind === 'file') writeFileSync(join(folder, path), inode.content.readSync());
  const run = (program: string, ...args: string[]) => execFileSync(tool(program)!, args, { encoding: 'utf8' });
  for (const module of lookup.set.modules) {
    const shown = run('modprobe', '-d', folder, '-S', RELEASE, '--show-depends', module.name);
    const lines = shown.trim().split('\n');
    const files = lines.flatMap((line) => /^insmod \S*?\/((?:kernel|extra)\/\S+)/.exec(line)?.[1] ?? []);
    // modprobe loads softdeps as well; all that it loads is in our closure, what it needs itself in our order
    const closure = selectModules(lookup, [module.name], { weak: false }).modules.map((one) => one.module.path);
    assert.deepEqual([...new Set(files)].sort(), closure.sort(), module.name);
    const own = [...module.closure.map(({ path }) => path).reverse(), module.path];
    assert.deepEqual(files.filter((path) => own.includes(path)).length >= own.length, true, module.name);
    const info = run('modinfo', '-0', join(folder, FOLDER, module.path));
    const said = info.split('\0').filter((line) => line !== '' && !/^(filename|name)[:=]/.test(line));
    const ours = module.facts!.info.map(([key, value]) => `${key}=${value}`);
    assert.deepEqual(said.sort(), ours.sort(), module.name);
  }
  for (const word of [
    'crypto-crc',
    'fs-xfs',
    'pci:v00001AF4d00001000sv0sd0bc0sc0i0',
    'symbol:mid',
    'fs-ext4',
    'virtio-pci',
  ]) {
    const resolved = run('modprobe', '-d', folder, '-S', RELEASE, '-R', word).trim().split('\n').sort();
    const found = lookup.find(word)!;
    const names = found.modules.map(({ name }) => name).sort();
    if (found.builtin) assert.equal(resolved.length, 1, word);
    else assert.deepEqual(resolved, names, word);
  }
});

test('warning KMOD_CONFIG names the line', async () => {
  const tree = new Tree();
  tree.makeDirectory(`${FOLDER}/kernel`);
  tree.writeFile(`${FOLDER}/kernel/a.ko`, madeModule({}));
  tree.makeDirectory('etc/depmod.d');
  tree.writeFile('etc/depmod.d/x.conf', '\n# fine\nsearch updates\noverride too few\nfrobnicate\nexternal *\n');
  const events: Event[] = [];
  await depmod(tree, FOLDER, { epoch: 0, report: (event) => events.push(event) });
  const found = events.flatMap((event) => (event.kind === 'warning' ? [event] : []));
  assert.deepEqual(
    found.map(({ code, context }) => [code, (context as { line: number }).line]),
    [4, 5, 6].map((line) => ['KMOD_CONFIG', line]),
  );
  assert.match(found[0]!.message, /\/etc\/depmod\.d\/x\.conf, line 4.*override too few/);
});
