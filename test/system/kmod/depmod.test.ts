import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { collect, memory } from '../../../src/bytes/content.ts';
import { decompress } from '../../../src/compression/decompress.ts';
import { BuildError } from '../../../src/errors/error.ts';
import type { Event } from '../../../src/events/events.ts';
import { readModuleIndex } from '../../../src/formats/kmod/index-file.ts';
import { depmod, indexModules, isUnindexed, moduleReleases } from '../../../src/system/kmod/install.ts';
import { generationOf, kmodVersion } from '../../../src/system/kmod/version.ts';
import { readDirectory } from '../../../src/tree/directory-read.ts';
import { file } from '../../../src/tree/inode.ts';
import { overlayEntries } from '../../../src/tree/overlay.ts';
import { Tree } from '../../../src/tree/tree.ts';
import { parallelism } from '../../../src/workers/pool.ts';
import { setJobs } from '../../../src/workers/shared.ts';
import { data, FAST, needs, random, temporary, tool } from '../../support/data.ts';
import { debianPackages } from '../../support/debian-archive.ts';
import { testHost } from '../../support/host.ts';
import { type MadeModule, madeModule } from '../../support/modules.ts';
import { readUnpackedDeb } from '../../support/unpacked.ts';

const RELEASE = '6.1.0-test';
const FOLDER = `lib/modules/${RELEASE}`;
/** What depmod writes, of the generation that is installed here. */
const INDEXES = [
  ...['dep', 'dep.bin', 'alias', 'alias.bin', 'symbols', 'symbols.bin', 'softdep', 'devname'],
  ...['builtin.bin', 'builtin.alias.bin'],
].map((name) => `modules.${name}`);

function contents(tree: Tree, folder: string, names = INDEXES): Map<string, Buffer> {
  return new Map(
    names.map((name) => [name, Buffer.from(tree.file(`${folder}/${name}`)?.content.readSync() ?? Buffer.from('none'))]),
  );
}

function assertSame(ours: Map<string, Buffer>, theirs: Map<string, Buffer>, what: string): void {
  for (const [name, bytes] of theirs) {
    const got = ours.get(name)!;
    if (bytes.equals(got)) continue;
    const texts = [got, bytes].map((one) => (name.endsWith('.bin') ? one.toString('hex') : one.toString('latin1')));
    assert.equal(texts[0]!.slice(0, 4000), texts[1]!.slice(0, 4000), `${what}: ${name}`);
    assert.fail(`${what}: ${name} differs behind its first bytes`);
  }
}

/** A tree on disk for depmod, and the same in memory. */
function both(folder: string, files: Readonly<Record<string, string | Buffer>>): Tree {
  const tree = new Tree();
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
    tree.makeDirectory(dirname(path));
    tree.writeFile(path, bytes);
  }
  return tree;
}

function runDepmod(folder: string, config?: string): Map<string, Buffer> {
  const args = ['-b', folder, ...(config === undefined ? [] : ['-C', config]), RELEASE];
  execFileSync(tool('depmod')!, args, { stdio: 'pipe' });
  return new Map(INDEXES.map((name) => [name, readFileSync(join(folder, FOLDER, name))]));
}

test('the whole kernel of Debian 12 has the indexes that its depmod wrote', async (t) => {
  if (FAST) return t.skip('left out by test:fast: a download');
  const lacking = needs({ data: ['kmod/bookworm-amd64'] });
  if (lacking) return t.skip(lacking);
  const name = 'linux-image-6.1.0-50-cloud-amd64';
  const debs = await debianPackages('bookworm', [{ name, version: '6.1.176-1' }]);
  if (typeof debs === 'string') return t.skip(debs);
  const host = testHost(t);
  const tree = new Tree();
  overlayEntries(tree, await readUnpackedDeb(debs.get(name)!, host), { source: name });
  const folder = 'lib/modules/6.1.0-50-cloud-amd64';
  await depmod(tree, folder, { epoch: 0, generation: generationOf(30) });
  const golden = data('kmod/bookworm-amd64');
  const theirs = new Map<string, Buffer>();
  for (const file of readdirSync(golden)) {
    const index = file.replace(/\.xz$/, '');
    if (!INDEXES.includes(index)) continue;
    const packed = readFileSync(join(golden, file));
    theirs.set(index, Buffer.from(await collect(decompress(memory(packed).open(), 'xz', file))));
  }
  assert.equal(theirs.size, INDEXES.length);
  assertSame(contents(tree, folder), theirs, name);
  // the other order has the same entries
  const before = contents(tree, folder);
  await depmod(tree, folder, { epoch: 0, generation: generationOf(34) });
  for (const [index, bytes] of contents(tree, folder)) {
    if (!index.endsWith('.bin')) assert.deepEqual(bytes, before.get(index));
    else assert.deepEqual(readModuleIndex(bytes, index), readModuleIndex(before.get(index)!, index), index);
  }
});

const MODULES: Readonly<Record<string, MadeModule>> = {
  'kernel/lib/base-one.ko': {
    info: [
      'license=GPL',
      'alias=pci:v00001234d*[0-9A-F]*',
      'alias=of:N*T*Cfoo,b-r',
      'softdep=pre: late post: more-late',
    ],
    exports: ['base_init', 'base_exit'],
    needs: ['printk', ''],
    versions: ['module_layout', 'printk'],
  },
  'kernel/lib/strings.ko': { strings: ['only_string', 'other'], needs: ['base_init'] },
  'kernel/drivers/net/dev_1.ko': {
    info: ['alias=char-major-10-200', 'alias=devname:net/tun', 'alias=char-major-11-3', 'weakdep=base_one'],
    needs: ['only_string', 'base_exit', '.base_init'],
    versions: ['other', 'base_exit'],
  },
  'kernel/drivers/net/dev-2.ko': { info: ['', 'alias=block-major-8-*', 'alias=devname:lost'], needs: ['dev3'] },
  'extra/dev3.ko': { exports: ['dev3', 'base_exit'], info: ['alias=pci:v00001234d*[0-9A-F]*'] },
  'updates/late.ko': { info: ['alias=unclosed[', 'alias=x]y', 'alias=a[b-c]-d'], needs: ['dev3', 'only_string'] },
};

const BUILTIN = {
  'modules.builtin': 'kernel/fs/ext4/ext4.ko\nkernel/lib/crc-32.ko\n\n1odd\nkernel/lib/crc-32.ko\n',
  'modules.builtin.modinfo':
    'ext4.alias=fs-ext4\0ext4.license=GPL\0crc_32.alias=crypto-crc32-gen\0crc_32.alias=fs-ext4\0x.alias=\0ext4.alias=ext3\0',
};

/** The made modules as files of a release. */
function files(modules: Readonly<Record<string, MadeModule>>, more: Readonly<Record<string, string>> = {}) {
  const all: Record<string, string | Buffer> = {};
  for (const [path, made] of Object.entries(modules)) all[`${FOLDER}/${path}`] = madeModule(made);
  for (const [path, text] of Object.entries(more)) all[`${FOLDER}/${path}`] = text;
  return all;
}

const skip = needs({ tools: ['depmod'] });

test('made modules, as the installed depmod indexes them', { skip }, async (t) => {
  const cases: Record<string, Record<string, string | Buffer>> = {
    plain: files(MODULES, BUILTIN),
    ordered: files(MODULES, {
      ...BUILTIN,
      'modules.order':
        'updates/late.ko\nnothing.ko\nkernel/lib/strings.ko\nkernel/lib/strings.ko\nkernel/drivers/net/dev-2.ko\n',
    }),
    'an order that is cut off': files(MODULES, { 'modules.order': 'updates/late.ko\nkernel/lib/strings.ko' }),
    empty: { [`${FOLDER}/modules.order`]: '' },
    'nothing in modules.builtin': files(MODULES, { 'modules.builtin': '', 'modules.builtin.modinfo': '' }),
  };
  for (const bits of [32, 64] as const)
    for (const bigEndian of [false, true])
      cases[`${bits} bits, ${bigEndian ? 'big' : 'little'} endian`] = files(
        Object.fromEntries(Object.entries(MODULES).map(([path, made]) => [path, { ...made, bits, bigEndian }])),
      );
  for (const [name, made] of Object.entries(cases)) {
    const folder = temporary(t);
    const tree = both(folder, made);
    await depmod(tree, FOLDER, { epoch: 0, generation: generationOf(30) });
    assertSame(contents(tree, FOLDER), runDepmod(folder), name);
  }
});

test('depmod.d decides which of several modules with one name counts', { skip }, async (t) => {
  const folders = ['kernel/a', 'updates', 'extra', 'weak-updates/x', 'foo', 'foobar'];
  const configs = [
    '',
    'search updates built-in\n',
    'search foobar foo built-in extra\n',
    'search foo built-in\noverride one * extra\n',
    'search built-in foo\noverride one ^6\\.1 kernel/a\noverride two 5 foo\n',
    '# nothing\nsearch extra \\\n  updates\nexclude foo\n',
    'search external built-in\nmake_map_files no\ninclude x\nbogus line\n',
  ];
  const numbers = random(7);
  for (const [number, config] of configs.entries())
    for (let round = 0; round < 4; round++) {
      const modules: Record<string, MadeModule> = {};
      // kmod walks in the order of readdir, which matters between two folders without a place: have at most one
      for (const name of ['one', 'two'])
        for (const folder of folders)
          if (numbers.below(3) > 0) modules[`${folder}/${name}.ko`] = { info: [`alias=${folder}:${name}`] };
      const lines = config
        .replaceAll('\\\n', ' ')
        .split('\n')
        .map((line) => line.split(/\s+/));
      const searched = lines.filter(([word]) => word === 'search').flatMap((words) => words.slice(1));
      const overridden = lines.filter(([word]) => word === 'override').map((words) => `${words[3]}/${words[1]}.ko`);
      const placed = (path: string) =>
        (searched.length > 0 ? searched : ['updates']).includes(path.split('/')[0]!) || overridden.includes(path);
      for (const name of ['one', 'two']) {
        const loose = Object.keys(modules).filter((path) => path.endsWith(`${name}.ko`) && !placed(path));
        for (const path of loose.slice(1)) delete modules[path];
      }
      const folder = temporary(t);
      const tree = both(folder, { ...files(modules), 'etc/depmod.d/a.conf': config });
      await depmod(tree, FOLDER, { epoch: 0, generation: generationOf(30) });
      const theirs = runDepmod(folder, join(folder, 'etc/depmod.d'));
      assertSame(contents(tree, FOLDER), theirs, `configuration ${number}, round ${round}`);
    }
});

test('random sets of modules with dependencies, as the installed depmod indexes them', { skip }, async (t) => {
  for (let seed = 1; seed <= 12; seed++) {
    const numbers = random(seed);
    const count = 1 + numbers.below(60);
    const modules: Record<string, MadeModule> = {};
    const paths: string[] = [];
    for (let i = 0; i < count; i++) {
      const needs = Array.from({ length: numbers.below(5) }, () => `sym_${numbers.below(i + 1)}_${numbers.below(3)}`);
      const path = `kernel/${numbers.pick(['fs', 'net', 'drivers/x', 'lib'])}/m${numbers.below(1000)}-${i}.ko`;
      paths.push(path);
      modules[path] = {
        // only symbols of earlier modules: no circles
        needs: needs.filter((symbol) => !symbol.startsWith(`sym_${i}_`)),
        exports: [`sym_${i}_0`, `sym_${i}_1`],
        info: Array.from(
          { length: numbers.below(4) },
          () => `alias=${numbers.pick(['pci', 'usb', 'a-b'])}:${numbers.below(40)}*`,
        ),
      };
    }
    const order = paths.filter(() => numbers.below(2) > 0).sort(() => numbers.below(3) - 1);
    const folder = temporary(t);
    const tree = both(folder, files(modules, { 'modules.order': order.map((path) => `${path}\n`).join('') }));
    await depmod(tree, FOLDER, { epoch: 0, generation: generationOf(30) });
    assertSame(contents(tree, FOLDER), runDepmod(folder), `seed ${seed}`);
  }
});

test('compressed modules have the same indexes, but for their names', async () => {
  const plain = new Tree();
  const packed = new Tree();
  const { compress } = await import('../../../src/compression/compress.ts');
  const ways = ['gz', 'zst', 'ko'];
  for (const [at, [path, made]] of Object.entries(MODULES).entries()) {
    const bytes = madeModule(made);
    const way = ways[at % ways.length]!;
    plain.makeDirectory(`${FOLDER}/${dirname(path)}`);
    packed.makeDirectory(`${FOLDER}/${dirname(path)}`);
    plain.writeFile(`${FOLDER}/${path}`, bytes);
    const stored =
      way === 'gz' ? gzipSync(bytes) : way === 'zst' ? await collect(compress(memory(bytes).open(), 'zstd')) : bytes;
    packed.writeFile(`${FOLDER}/${path}${way === 'ko' ? '' : `.${way}`}`, stored);
  }
  for (const tree of [plain, packed]) await depmod(tree, FOLDER, { epoch: 0 });
  const [a, b] = [contents(plain, FOLDER), contents(packed, FOLDER)];
  for (const name of ['modules.alias', 'modules.alias.bin', 'modules.symbols', 'modules.symbols.bin'])
    assert.deepEqual(b.get(name), a.get(name), name);
  assert.equal(
    b
      .get('modules.dep')!
      .toString()
      .replace(/\.(gz|zst)\b/g, ''),
    a.get('modules.dep')!.toString(),
  );
});

test('of many compressed modules those that cannot be read are named, and the others are indexed', async () => {
  const tree = new Tree();
  tree.makeDirectory(`${FOLDER}/kernel`);
  const broken: string[] = [];
  // more than are read at once
  for (let i = 0; i < 200; i++) {
    const packed = gzipSync(
      madeModule({ info: [`alias=is:${i}`], exports: [`s${i}`], needs: i === 0 ? [] : [`s${i >> 1}`] }),
    );
    const name = `m${i}.ko.gz`;
    if (i % 7 === 3) broken.push(name);
    tree.writeFile(`${FOLDER}/kernel/${name}`, i % 7 === 3 ? packed.subarray(0, packed.length - 9) : packed);
  }
  const events: Event[] = [];
  const { modules } = await depmod(tree, FOLDER, { epoch: 0, report: (event) => events.push(event) });
  const named = events.flatMap((event) =>
    event.kind === 'warning' && event.code === 'MODULE_UNREADABLE' ? /m\d+\.ko\.gz/.exec(event.message)![0] : [],
  );
  assert.deepEqual(named.sort(), broken.sort());
  const aliases = tree.text(`${FOLDER}/modules.alias`)!;
  for (const { name, facts, needs } of modules) {
    const i = Number(name.slice(1));
    assert.equal(facts === undefined, i % 7 === 3, name);
    if (facts === undefined) continue;
    assert.ok(aliases.includes(`alias is:${i} ${name}\n`));
    const owner = i >> 1;
    assert.deepEqual(
      needs.map((one) => one.name),
      owner % 7 === 3 || owner === i ? [] : [`m${owner}`],
    );
  }
});

test('a kernel of many modules is read in all threads, with the same facts, indexes and warnings', async (t) => {
  const folder = temporary(t);
  const files: Record<string, Buffer> = {};
  for (let i = 0; i < 1500; i++) {
    const bytes = madeModule({
      info: [`alias=is:${i}`],
      exports: [`s${i}`],
      needs: i === 0 ? [] : [`s${i >> 1}`],
      code: i % 50 === 0 ? 200_000 : 0,
    });
    // some cannot be read, and some are compressed whatever they are called
    files[`m${i}.ko`] = i % 7 === 3 ? bytes.subarray(0, bytes.length - 9) : i % 11 === 5 ? gzipSync(bytes) : bytes;
  }
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(join(folder, FOLDER, 'kernel'), { recursive: true });
    writeFileSync(join(folder, FOLDER, 'kernel', name), bytes);
  }
  const runs: unknown[] = [];
  for (const jobs of [1, 2, 5]) {
    await setJobs(jobs);
    const events: Event[] = [];
    const tree = readDirectory(folder);
    const { modules } = await depmod(tree, FOLDER, { epoch: 0, report: (event) => events.push(event) });
    const warnings = events.flatMap((event) => (event.kind === 'warning' ? [event.message] : []));
    assert.equal(warnings.filter((message) => /m\d+\.ko/.test(message)).length, 214);
    runs.push([
      modules.map(({ name, facts, needs }) => [name, facts?.data, needs.length]),
      warnings,
      contents(tree, FOLDER),
    ]);
  }
  await setJobs(parallelism());
  for (const run of runs.slice(1)) assert.deepEqual(run, runs[0]);
});

test('a circle of modules is an error that names it', async () => {
  const tree = new Tree();
  for (const [name, needs, gives] of [
    ['a', 'b1', 'a1'],
    ['b', 'c1', 'b1'],
    ['c', 'a1', 'c1'],
    ['user', 'a1', 'u1'],
  ] as const) {
    tree.makeDirectory(`${FOLDER}/kernel`);
    tree.writeFile(`${FOLDER}/kernel/${name}.ko`, madeModule({ needs: [needs], exports: [gives] }));
  }
  await assert.rejects(depmod(tree, FOLDER, { epoch: 0 }), (error) => {
    assert.ok(error instanceof BuildError && error.code === 'MODULE_CYCLE');
    const { modules } = error.context as { modules: string[] };
    assert.equal(modules.length, 4);
    assert.equal(modules[0], modules[3]);
    // each needs the next
    assert.match('a b c a b c', new RegExp(modules.join(' ')));
    return true;
  });
});

test('error MODULES_TOO_MANY: kmod counts in 16 bits', async () => {
  const tree = new Tree();
  const folder = tree.makeDirectory(`${FOLDER}/kernel`);
  for (let i = 0; i < 65_535; i++) folder.children.set(`m${i}.ko`, file(memory('')));
  await assert.rejects(depmod(tree, FOLDER, { epoch: 0 }), { code: 'MODULES_TOO_MANY' });
});

test('what is no module is listed without dependencies, and named', async () => {
  const tree = new Tree();
  tree.makeDirectory(`${FOLDER}/kernel`);
  tree.writeFile(`${FOLDER}/kernel/bad.ko`, 'no module at all');
  tree.writeFile(`${FOLDER}/kernel/worse.ko.xz`, Buffer.from('fd377a585a00000000', 'hex'));
  tree.writeFile(`${FOLDER}/kernel/good.ko`, madeModule({}));
  tree.writeFile(`${FOLDER}/kernel/odd.ko`, madeModule({ info: ['alias=h\xe9'] }));
  const events: Event[] = [];
  await depmod(tree, FOLDER, { epoch: 0, report: (event) => events.push(event) });
  assert.deepEqual(
    tree.text(`${FOLDER}/modules.dep`)!.trimEnd().split('\n').sort(),
    ['bad.ko', 'good.ko', 'odd.ko', 'worse.ko.xz'].map((name) => `kernel/${name}:`),
  );
  const codes = events.map((event) => (event.kind === 'warning' ? event.code : event.kind));
  assert.deepEqual(codes.sort(), ['MODULE_KEY_SKIPPED', 'MODULE_UNREADABLE', 'MODULE_UNREADABLE']);
});

test('releases without current indexes are found and indexed once', async () => {
  const tree = new Tree();
  for (const release of ['1', '2', '3', 'none']) tree.makeDirectory(`usr/lib/modules/${release}/kernel`);
  tree.symlink('lib', 'usr/lib');
  for (const release of ['1', '2', '3']) tree.writeFile(`lib/modules/${release}/kernel/a.ko`, madeModule({}));
  tree.writeFile('lib/modules/2/modules.dep', 'kernel/a.ko:\n');
  tree.writeFile('lib/modules/3/modules.dep', 'kernel/a.ko:\nkernel/gone.ko:\n');
  assert.deepEqual(moduleReleases(tree), ['1', '2', '3']);
  assert.deepEqual(
    ['1', '2', '3'].map((release) => isUnindexed(tree, `lib/modules/${release}`)),
    [true, false, true],
  );
  assert.deepEqual(await indexModules(tree, { epoch: 5 }), ['1', '3']);
  assert.deepEqual(await indexModules(tree, { epoch: 5 }), []);
  assert.equal(tree.file('lib/modules/1/modules.dep.bin')!.mtime, 5);
  assert.ok(tree.has('lib/modules/1/modules.weakdep') && !tree.has('lib/modules/2/modules.weakdep'));
});

test('the version of kmod is read from its program', { skip: needs({ tools: ['kmod'] }) }, () => {
  const tree = new Tree();
  assert.equal(kmodVersion(tree), undefined);
  tree.makeDirectory('usr/bin');
  tree.writeFile('usr/bin/kmod', readFileSync(tool('kmod')!));
  const said = execFileSync(tool('kmod')!, ['--version'], { encoding: 'utf8' });
  assert.equal(kmodVersion(tree), Number(/version (\d+)/.exec(said)![1]));
});
