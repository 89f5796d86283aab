import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { collect, memory } from '../../src/bytes/content.ts';
import { type HostWriter, hostWriter, openFolder } from '../../src/bytes/host-directory.ts';
import { sparse } from '../../src/bytes/sparse.ts';
import { BuildError } from '../../src/errors/error.ts';
import type { Event } from '../../src/events/events.ts';
import { tarArchive } from '../../src/formats/tar/emit.ts';
import { readDirectory } from '../../src/tree/directory-read.ts';
import { writeDirectory } from '../../src/tree/directory-write.ts';
import { directory, file, type Inode } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';
import { needs, ROOT, temporary } from '../support/data.ts';
import { dump, randomTree, sampleTrees } from '../support/trees.ts';

const seeds = Array.from({ length: 8 }, (_, i) => Number(process.env['TEST_SEED'] ?? 20_240_801) + i);
const trees: [string, Tree][] = [
  ...sampleTrees({ sockets: true }),
  ...seeds.map((seed): [string, Tree] => [`random tree, seed ${seed}`, randomTree(seed, { sockets: true })]),
];

const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';

/** An ordinary user's rights, whatever runs the tests. */
const ordinary: HostWriter = { ...hostWriter, mayChown: false, chown: () => assert.fail('an ordinary user cannot') };

async function tarOf(tree: Tree): Promise<Uint8Array> {
  for (const { path, inode } of [...tree.walk()]) if (inode.kind === 'socket') tree.remove(path);
  return collect(tarArchive(tree).open());
}

for (const [name, tree] of trees)
  test(`directory: ${name}: what was written reads the same`, async (t) => {
    for (const host of [ordinary, hostWriter]) {
      const folder = temporary(t);
      const written = await writeDirectory(tree, join(folder, 'out/'), { host });
      assert.equal(written.manifest, join(folder, 'out.manifest.jsonl'));
      const again = readDirectory(join(folder, 'out'));
      assert.deepEqual(dump(again), dump(tree));
      assert.deepEqual(await tarOf(again), await tarOf(tree));
      assert.deepEqual(readdirSync(folder).sort(), ['out', 'out.manifest.jsonl'], 'nothing else is left');
    }
  });

/** A file system that folds case and takes only UTF-8, as macOS has it. */
function folding(): HostWriter {
  const taken = new Set<string>();
  const claim = (path: string) => {
    const fold = path.toLowerCase();
    const reject = (code: string) => {
      throw new BuildError('WRITE_FAILED', { path, reason: code }, { cause: Object.assign(new Error(code), { code }) });
    };
    if (Buffer.from(path, 'latin1').toString('utf8').includes('\ufffd')) reject('EILSEQ');
    if (taken.has(fold)) reject('EEXIST');
    taken.add(fold);
  };
  return {
    ...ordinary,
    makeDirectory(root, path) {
      claim(path);
      hostWriter.makeDirectory(root, path);
    },
    async writeFile(root, path, content) {
      claim(path);
      await hostWriter.writeFile(root, path, content);
    },
    symlink(root, path, target) {
      claim(path);
      hostWriter.symlink(root, path, target);
    },
    link(root, from, to) {
      claim(to);
      hostWriter.link(root, from, to);
    },
  };
}

test('directory: names that the host rejects are stored under others', async (t) => {
  const tree = new Tree(directory());
  for (const name of ['README', 'readme', 'ReadMe', 'readme~1', '\xff\xfe']) tree.set(name, file(memory(name)));
  tree.set('Dir/file', file(memory('upper')));
  tree.set('dir/file', file(memory('lower')));
  tree.symlink('DIR', 'elsewhere');
  const out = join(temporary(t), 'out');
  await writeDirectory(tree, out, { host: folding() });
  const lower = readdirSync(out).map((name) => name.toLowerCase());
  assert.equal(new Set(lower).size, lower.length);
  assert.deepEqual(dump(readDirectory(out)), dump(tree));
  for (const [name, each] of trees.slice(-4)) {
    const path = join(temporary(t), 'out');
    await writeDirectory(each, path, { host: folding() });
    assert.deepEqual(dump(readDirectory(path)), dump(each), name);
  }
});

test('directory: changes made since then are used', async (t) => {
  const out = join(temporary(t), 'out');
  const tree = new Tree(directory());
  const own = (path: string, inode: Inode) => {
    tree.set(path, { ...inode, uid: 7, gid: 8, mtime: 1_700_000_000 });
  };
  own('kept', { ...file(memory('kept')), mode: 0o4711, xattrs: new Map([['user.x', new Uint8Array([1])]]) });
  own('edited', file(memory('before')));
  own('chmodded', { ...file(memory('x')), mode: 0o4644 });
  own('removed', file(memory('x')));
  own('gone/null', { ...file(memory('')), kind: 'char', major: 1, minor: 3 });
  own('dev/null', { ...file(memory('')), kind: 'char', major: 1, minor: 3 });
  own('was-file', file(memory('x')));
  await writeDirectory(tree, out, { host: ordinary });
  writeFileSync(join(out, 'edited'), 'after it');
  writeFileSync(join(out, 'added'), 'new');
  chmodSync(join(out, 'chmodded'), 0o755);
  rmSync(join(out, 'removed'));
  rmSync(join(out, 'gone'), { recursive: true });
  rmSync(join(out, 'was-file'));
  symlinkSync('kept', join(out, 'was-file'));
  const again = readDirectory(out);
  assert.equal(again.text('edited'), 'after it');
  assert.equal(again.file('edited')?.uid, 7);
  assert.notEqual(again.file('edited')?.mtime, 1_700_000_000);
  assert.deepEqual([again.file('added')?.uid, again.file('added')?.gid], [0, 0]);
  assert.equal(again.file('chmodded')?.mode, 0o4755);
  assert.equal(again.lstat('removed'), undefined);
  assert.equal(again.lstat('gone/null'), undefined);
  assert.equal(again.lstat('dev/null')?.kind, 'char');
  assert.equal(again.lstat('was-file')?.kind, 'symlink');
  assert.deepEqual(again.file('kept')?.xattrs?.get('user.x'), new Uint8Array([1]));
  assert.equal(again.file('kept')?.mode, 0o4711);
});

test('directory: a copy that split hard links still has them', {
  skip: needs({ tools: ['cp'] }),
}, async (t) => {
  const folder = temporary(t);
  const shared = file(memory('shared'));
  const tree = new Tree(directory());
  for (const name of ['a', 'b/c', 'd']) tree.set(name, shared);
  await writeDirectory(tree, join(folder, 'out'), { host: ordinary });
  spawnSync('cp', ['-r', '--preserve=timestamps,mode', join(folder, 'out'), join(folder, 'copy')]);
  spawnSync('cp', [join(folder, 'out.manifest.jsonl'), join(folder, 'copy.manifest.jsonl')]);
  assert.notEqual(lstatSync(join(folder, 'copy/a')).ino, lstatSync(join(folder, 'copy/d')).ino);
  assert.deepEqual(dump(readDirectory(join(folder, 'copy'))), dump(tree));
});

test('directory: one that is not ours is not touched, one of ours is replaced completely', async (t) => {
  const folder = temporary(t);
  const tree = new Tree(directory());
  tree.set('new', file(memory('new')));
  const foreign = join(folder, 'foreign');
  mkdirSync(foreign);
  writeFileSync(join(foreign, 'kept'), 'data');
  await assert.rejects(writeDirectory(tree, foreign), { code: 'DIRECTORY_NOT_OURS' });
  writeFileSync(join(folder, 'foreign.manifest.jsonl'), '{"somebody":"else"}\n');
  await assert.rejects(writeDirectory(tree, foreign), { code: 'DIRECTORY_NOT_OURS' });
  assert.equal(readFileSync(join(foreign, 'kept'), 'utf8'), 'data');
  symlinkSync(foreign, join(folder, 'link'));
  await assert.rejects(writeDirectory(tree, join(folder, 'link')), { code: 'DIRECTORY_NOT_OURS' });
  writeFileSync(join(folder, 'file'), 'x');
  await assert.rejects(writeDirectory(tree, join(folder, 'file')), { code: 'DIRECTORY_NOT_OURS' });
  const ours = join(folder, 'ours');
  mkdirSync(ours);
  await writeDirectory(tree, ours);
  const other = new Tree(directory());
  other.set('other', file(memory('other')));
  await writeDirectory(other, ours);
  assert.deepEqual(readdirSync(ours), ['other']);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('.')),
    [],
  );
});

test('directory: a failure inside leaves nothing behind, and the existing files stay', async (t) => {
  const folder = temporary(t);
  const out = join(folder, 'out');
  const tree = new Tree(directory());
  tree.set('a', file(memory('a')));
  await writeDirectory(tree, out);
  const before = dump(readDirectory(out));
  tree.set('b', file({ ...memory('short'), size: 99 }));
  await assert.rejects(writeDirectory(tree, out), { code: 'CONTENT_SIZE' });
  assert.deepEqual(dump(readDirectory(out)), before);
  assert.deepEqual(readdirSync(folder).sort(), ['out', 'out.manifest.jsonl']);
});

test('directory: names that lead elsewhere are rejected', async (t) => {
  for (const name of ['..', '.', '', 'a/b', 'a\0b']) {
    const folder = temporary(t);
    const tree = new Tree(directory());
    tree.root.children.set(name, file(memory('x')));
    await assert.rejects(writeDirectory(tree, join(folder, 'out')), { code: 'PATH_INVALID' });
    assert.deepEqual(readdirSync(folder), []);
  }
});

test('directory: contents that change or vanish before they are read are rejected by name', async (t) => {
  const out = temporary(t);
  writeFileSync(join(out, 'grows'), 'x');
  writeFileSync(join(out, 'goes'), 'x');
  writeFileSync(join(out, 'turns'), 'x');
  const tree = readDirectory(out);
  writeFileSync(join(out, 'grows'), 'xyz');
  rmSync(join(out, 'goes'));
  rmSync(join(out, 'turns'));
  symlinkSync('/etc/passwd', join(out, 'turns'));
  for (const [name, code] of [
    ['grows', 'CONTENT_SIZE'],
    ['goes', 'READ_FAILED'],
    ['turns', 'READ_FAILED'],
  ] as const)
    assert.throws(() => tree.file(name)!.content.readSync(), { code, message: new RegExp(name) });
});

test('directory: without a manifest metadata of the host is used', async (t) => {
  const out = temporary(t);
  mkdirSync(join(out, 'd'));
  writeFileSync(join(out, 'd', 'f'), 'x');
  linkSync(join(out, 'd', 'f'), join(out, 'g'));
  symlinkSync('/nowhere', join(out, 'l'));
  symlinkSync('..', join(out, 'd', 'up'));
  const tree = readDirectory(out, { owner: { uid: 0, gid: 0 } });
  assert.deepEqual([...tree.walk()].map(({ path, inode }) => `${path} ${inode.kind}`).slice(1), [
    'd directory',
    'd/f file',
    'd/up symlink',
    'g file',
    'l symlink',
  ]);
  assert.equal(tree.file('g'), tree.file('d/f'));
  assert.throws(() => readDirectory(join(out, 'missing')), { code: 'READ_FAILED' });
  assert.throws(() => readDirectory(join(out, 'g')), { code: 'READ_FAILED' });
});

test('directory: an invalid manifest is rejected with its line', async (t) => {
  const folder = temporary(t);
  const out = join(folder, 'out');
  const tree = new Tree(directory());
  tree.set('dev/null', { ...file(memory('')), kind: 'char', major: 1, minor: 3 });
  await writeDirectory(tree, out);
  const path = join(folder, 'out.manifest.jsonl');
  const good = readFileSync(path, 'utf8');
  const bad: [string, RegExp][] = [
    [good.replace('"dev/null"', '"../null"'), /leads out of the root/],
    [good.replace('"dev/null"', '"dev//null"'), /line 4/],
    [good.replace('"char"', '"door"'), /line 4/],
    [good.replace('"version":1', '"version":9'), /line 1/],
    [good.replace('"0644"', '"worldly"'), /line 4/],
    [good.slice(0, -20), /cut off|not a JSON/],
    [good.replace('"uid":0', '"uid":-1'), /line 2/],
    [`${good}${good.split('\n')[3]}\n`, /twice/],
  ];
  for (const [text, message] of bad) {
    writeFileSync(path, text);
    assert.throws(() => readDirectory(out), { message });
  }
  writeFileSync(path, good);
  assert.deepEqual(dump(readDirectory(out)), dump(tree));
});

test('directory: as nobody it holds the same tree as as root', {
  skip: needs({ root: true, tools: ['setpriv', 'chmod'] }),
}, async (t) => {
  const folder = temporary(t);
  chmodSync(folder, 0o777);
  const tree = sampleTrees()[3]![1];
  await writeDirectory(tree, join(folder, 'root'));
  const script = `
    const { readDirectory } = await import(${JSON.stringify(new URL('../../src/tree/directory-read.ts', import.meta.url).href.replace(/\.ts$/, extension))});
    const { writeDirectory } = await import(${JSON.stringify(new URL('../../src/tree/directory-write.ts', import.meta.url).href.replace(/\.ts$/, extension))});
    await writeDirectory(readDirectory(process.argv[1]), process.argv[2]);`;
  // what root wrote with mode 0 only root can read
  rmSync(join(folder, 'root', 'f0'));
  rmSync(join(folder, 'root', 'd700'), { recursive: true });
  rmSync(join(folder, 'root', 'f400'));
  rmSync(join(folder, 'root', 'f6711'));
  const run = spawnSync(
    'setpriv',
    [
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      process.execPath,
      '--input-type=module',
      '-e',
      script,
      join(folder, 'root'),
      join(folder, 'nobody'),
    ],
    { cwd: folder },
  );
  if (/EACCES|Permission denied/.test(run.stderr.toString())) return t.skip(`nobody cannot read ${ROOT}`);
  assert.equal(run.status, 0, run.stderr.toString());
  assert.equal(lstatSync(join(folder, 'nobody')).uid, 65534);
  assert.deepEqual(dump(readDirectory(join(folder, 'nobody'))), dump(readDirectory(join(folder, 'root'))));
  assert.ok(existsSync(join(folder, 'nobody.manifest.jsonl')));
});

test('directory: owners that an ordinary user cannot set are reported once', async (t) => {
  const tree = new Tree();
  tree.writeFile('a', 'a');
  tree.writeFile('b', 'b');
  const path = join(temporary(t), 'rootfs');
  const codes: string[] = [];
  const report = (event: Event) => void (event.kind === 'warning' && codes.push(`${event.code} ${event.message}`));
  await writeDirectory(tree, path, { host: ordinary, report });
  assert.match(codes.join('\n'), /^OWNERS_IN_MANIFEST .*rootfs: .*rootfs\.manifest\.jsonl$/);
  codes.length = 0;
  await writeDirectory(tree, `${path}-2`, { host: { ...ordinary, mayChown: true, chown() {} }, report });
  assert.deepEqual(codes, []);
});

test('directory: holes are neither stored nor read as data, with and without a manifest', async (t) => {
  const MIB = 1024 * 1024;
  const tree = new Tree();
  tree.set('holes', file(sparse(memory('data'), [{ offset: 8 * MIB, size: 4 }], 256 * MIB)));
  tree.set('nothing', file(sparse(memory(''), [], 2 ** 36)));
  tree.set('tail', file(sparse(memory('start'), [{ offset: 0, size: 5 }], 9 * MIB)));
  const path = join(temporary(t), 'rootfs');
  await writeDirectory(tree, path);
  for (const name of ['holes', 'nothing', 'tail']) {
    const stat = statSync(join(path, name));
    assert.equal(stat.size, tree.file(name)!.content.size);
    assert.ok(stat.blocks * 512 <= 64 * 1024, `${name}: ${stat.blocks} blocks`);
  }
  for (const ignoreManifest of [false, true]) {
    const found = readDirectory(path, { ignoreManifest });
    const data = (name: string) => found.file(name)!.content.extents!.reduce((sum, { size }) => sum + size, 0);
    assert.deepEqual(found.file('nothing')!.content.extents, []);
    assert.ok(data('holes') >= 4 && data('holes') <= 4096);
    assert.ok(data('tail') >= 5 && data('tail') <= 4096);
    const content = found.file('tail')!.content;
    const bytes = Buffer.from(await collect(content.open()));
    assert.equal(bytes.length, 9 * MIB);
    assert.equal(bytes.subarray(0, 6).toString('latin1'), 'start\0');
    assert.ok(bytes.equals(content.readSync()));
    // a tar of it holds the data only
    assert.ok(tarArchive(found).size < MIB);
  }
});

test('directory: attributes of other systems in a manifest are left out with a warning', async (t) => {
  const tree = new Tree();
  tree.writeFile('a', 'a').xattrs = new Map([
    ['com.apple.x', new Uint8Array(1)],
    ['user.x', new Uint8Array(1)],
  ]);
  const path = join(temporary(t), 'rootfs');
  await writeDirectory(tree, path);
  const codes: string[] = [];
  const report = (event: Event) => void (event.kind === 'warning' && codes.push(event.message));
  assert.deepEqual([...readDirectory(path, { report }).file('a')!.xattrs!.keys()], ['user.x']);
  assert.match(codes.join('\n'), /rootfs: \/a: .*com\.apple\.x/);
});

test('renaming a parent while a folder is written does not redirect it', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const folder = temporary(t);
  const [parent, moved, other] = ['parent', 'moved', 'other'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(parent);
  mkdirSync(other);
  const tree = new Tree();
  for (const name of ['a', 'b', 'c']) tree.writeFile(name, name);
  let files = 0;
  const host: HostWriter = {
    ...hostWriter,
    mayChown: false,
    async writeFile(root, path, content) {
      await hostWriter.writeFile(root, path, content);
      if (++files > 1) return;
      renameSync(parent, moved);
      symlinkSync(other, parent);
    },
  };
  await writeDirectory(tree, join(parent, 'out'), { host });
  assert.equal(files, 3);
  assert.deepEqual(readdirSync(other), [], 'nothing where the link leads');
  assert.deepEqual(readdirSync(moved).sort(), ['out', 'out.manifest.jsonl']);
  assert.deepEqual(readdirSync(join(moved, 'out')).sort(), ['a', 'b', 'c']);
});

test('without handles a parent that others may write to is an error', (t) => {
  const folder = temporary(t);
  for (const [mode, allowed] of [
    [0o755, true],
    [0o700, true],
    [0o775, false],
    [0o777, false],
    [0o1777, true],
  ] as const) {
    chmodSync(folder, mode);
    if (allowed) assert.equal(openFolder(folder, false).path, folder);
    else assert.throws(() => openFolder(folder, false), /others may write to this folder/, mode.toString(8));
  }
});

test('directory: a link to a folder, which someone names, is that folder, with the manifest beside it', async (t) => {
  const folder = temporary(t);
  const [tree] = sampleTrees({ sockets: true })[0]!.slice(1) as [Tree];
  await writeDirectory(tree, join(folder, 'out'), { host: ordinary });
  mkdirSync(join(folder, 'links'));
  symlinkSync('../out', join(folder, 'links/to'));
  for (const name of ['links/to', 'links/to/', 'links/to//'])
    assert.deepEqual(dump(readDirectory(join(folder, name))), dump(tree), name);
  symlinkSync('nowhere', join(folder, 'dangling'));
  assert.throws(() => readDirectory(join(folder, 'dangling')), { code: 'READ_FAILED' });
});

test('directory: folders that cannot be replaced as a whole are rejected before anything is written', async (t) => {
  const folder = temporary(t);
  mkdirSync(join(folder, 'in'));
  // `/proc` is a mount point on every Linux
  for (const path of [`${folder}/in/.`, `${folder}/in/..`, '.', './', '/', '/proc/']) {
    await assert.rejects(writeDirectory(new Tree(), path, { force: true }), (error) => {
      assert.ok(error instanceof BuildError);
      assert.equal(error.code, 'WRITE_FAILED');
      return /replaced as a whole/.test(error.message);
    });
  }
  assert.deepEqual(readdirSync(folder).sort(), ['in']);
});
