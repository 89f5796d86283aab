import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { completeDigests } from '../../../src/artefacts/digests.ts';
import { openArtefact } from '../../../src/artefacts/open.ts';
import { memory } from '../../../src/bytes/content.ts';
import { randomAccessMemory } from '../../../src/bytes/file.ts';
import { isBuildError } from '../../../src/errors/error.ts';
import { erofsImage } from '../../../src/formats/erofs/emit.ts';
import { verifyErofs } from '../../../src/formats/erofs/inspect.ts';
import { openErofs } from '../../../src/formats/erofs/read.ts';
import { file, rootMeta } from '../../../src/tree/inode.ts';
import { Tree } from '../../../src/tree/tree.ts';
import { closePool, setJobs } from '../../../src/workers/shared.ts';
import { data, needs, random, temporary, tool } from '../../support/data.ts';
import { inKernel } from '../../support/kernel-script.ts';
import { SUM_SCRIPT, sumsOf } from '../../support/sums.ts';
import { dump, noise, randomTree, sampleTrees } from '../../support/trees.ts';
import { checkImage, poured, REFERENCE_TOOLS, VARIANTS } from './reference-tools.ts';

/** Number of random trees (OSBUILDER_EROFS_TREES=500 for a longer test); OSBUILDER_EROFS_SEED sets the first seed. */
const TREES = Number(process.env['OSBUILDER_EROFS_TREES'] ?? 16);
const SEED = Number(process.env['OSBUILDER_EROFS_SEED'] ?? 1);

const LIMITS = { sockets: true };

test.after(() => closePool());

/** Text that compresses, with a period that is not a power of two. */
function words(size: number, seed: number): Uint8Array {
  const { below } = random(seed);
  const list = Array.from({ length: 300 }, () => Math.trunc(below(1e9)).toString(36));
  let text = '';
  while (text.length < size) text += `${list[below(300)]} `;
  return Buffer.from(text.slice(0, size));
}

/** Files whose compressed extents end at every kind of place. */
function compressibles(): Tree {
  const tree = new Tree();
  const put = (name: string, bytes: Uint8Array) => tree.writeFile(name, memory(bytes), rootMeta(0o644, 5));
  for (const size of [4095, 4096, 4097, 8191, 8192, 8193, 12288, 65535, 65537, 200_000, 1_048_577])
    put(`words-${size}`, words(size, size));
  put('zeros', new Uint8Array(9_000_000));
  put('noise', noise(100_000, 3));
  put('noise-then-words', Buffer.concat([noise(50_001, 4), words(70_000, 4)]));
  put('words-then-noise', Buffer.concat([words(70_001, 5), noise(50_000, 5)]));
  put(
    'mixed',
    Buffer.concat(Array.from({ length: 40 }, (_, i) => (i % 2 ? noise(3000 + i, i) : words(5000 + 7 * i, i)))),
  );
  put('beyond-a-piece', Buffer.concat([words(8_388_608 + 4097, 6)]));
  put('same-1', words(40_000, 9));
  put('same-2', words(40_000, 9));
  for (let i = 0; i < 300; i++) put(`many/${'long-'.repeat(i % 40)}${i}`, words((i * 37) % 9000, i));
  return tree;
}

function together(): Tree {
  const all = compressibles();
  for (const [name, tree] of sampleTrees(LIMITS)) all.root.children.set(name.replaceAll(' ', '-'), tree.root);
  return all;
}

for (const [name, options] of VARIANTS)
  test(`${name}: everything at once`, { skip: REFERENCE_TOOLS }, async (t) => {
    const tree = together();
    await checkImage(t, await poured(t, tree, options), tree);
  });

test('extraction by the reference tool gives the tree', { skip: REFERENCE_TOOLS }, async (t) => {
  for (const options of [{}, { compression: 'lz4hc', inlineData: true } as const]) {
    const tree = new Tree();
    const skipped = new Set([
      'names',
      'devices',
      'special files',
      'owners and times',
      'extended attributes',
      'long paths',
    ]);
    for (const [name, one] of sampleTrees({ anyBytes: false, oddLinks: false, holes: false }))
      if (!skipped.has(name)) tree.root.children.set(name.replaceAll(' ', '-'), one.root);
    await checkImage(t, await poured(t, tree, options), tree, { extract: true });
  }
});

test(`${TREES} random trees from seed ${SEED}`, { skip: REFERENCE_TOOLS }, async (t) => {
  for (let i = 0; i < TREES; i++) {
    const [, options] = VARIANTS[i % VARIANTS.length]!;
    const tree = randomTree(SEED + i, LIMITS);
    await t.test(`seed ${SEED + i}`, async (inner) => checkImage(inner, await poured(inner, tree, options), tree));
  }
});

test('the number of threads does not change a byte', async (t) => {
  const images: Buffer[] = [];
  for (const jobs of [1, 2, 5]) {
    await setJobs(jobs);
    images.push(readFileSync(await poured(t, compressibles(), { compression: 'lz4hc', level: 4 })));
  }
  assert.ok(images[0]!.equals(images[1]!) && images[0]!.equals(images[2]!));
});

test('equal files share their blocks', async (t) => {
  for (const compression of ['none', 'lz4hc'] as const) {
    const tree = new Tree();
    const size = async () => {
      await completeDigests(tree);
      const spool = join(temporary(t), 'spool');
      return (await erofsImage(tree, { compression, spool: () => spool })).size;
    };
    tree.writeFile('a', memory(noise(300_000)));
    const one = await size();
    tree.writeFile('b', memory(noise(300_000)));
    assert.equal(await size(), one);
  }
});

const MADE = ['plain', 'noz-noinl', 'chunk', 'lz4hc', 'lz4hc-noinl', 'c16', 'legacy', 'c16all', 'zstd'];
const MADE_HERE = 'erofs/made-here';

for (const name of MADE)
  test(`${name}, made by mkfs.erofs`, {
    skip: needs({ data: [`${MADE_HERE}/tree.tar.xz`], tools: ['xz'] }),
  }, async (t) => {
    const image = execFileSync(tool('xz')!, ['-dkc', data(`${MADE_HERE}/${name}.img.xz`)], { maxBuffer: 1 << 28 });
    const { tree: read } = await openErofs(randomAccessMemory(image));
    const folder = temporary(t);
    const source = await openArtefact(data(`${MADE_HERE}/tree.tar.xz`), { workspace: () => folder });
    // -T set all times
    const untimed = (lines: string[]) => lines.map((line) => line.replace(/^(\S+ \w+ \d+ \d+ \d+) \S+/, '$1'));
    const plain = { extents: false };
    assert.deepEqual(untimed(dump(read(), plain)), untimed(dump(await source.tree(), plain)));
    assert.deepEqual((await verifyErofs(randomAccessMemory(image))).faults, []);
  });

const KERNEL = needs({ tools: ['linux.uml', 'busybox'] });
const MODULE = '/usr/lib/uml/modules';

test('a kernel sees what was planned', { skip: KERNEL || !existsSync(MODULE) }, async (t) => {
  const module = execFileSync('find', [MODULE, '-name', 'erofs.ko'], { encoding: 'utf8' }).split('\n')[0]!;
  const tree = together();
  tree.remove('names');
  const variants = VARIANTS.filter(([name]) =>
    /^(plain|inline|lz4hc|lz4hc, clusters of (16|64).*|.*ends behind inodes)$/.test(name),
  );
  const paths: string[] = [];
  for (const [, options] of variants) paths.push(await poured(t, tree, options));
  for (const path of paths) chmodSync(dirname(path), 0o755);
  const letter = (i: number) => String.fromCharCode(97 + i);
  const script = [
    `$B cat > /.check/sum <<'END'\n${SUM_SCRIPT}\nEND`,
    ...paths.map((_, i) =>
      [
        `$B mount -t erofs -o ro /dev/ubd${letter(i)} /m && echo MOUNTED-${i}`,
        `$B sh /.check/sum /m | $B sed 's/^/${i} /'`,
        '$B umount /m',
      ].join('\n'),
    ),
    '$B dmesg | $B grep -i erofs',
  ].join('\n');
  const said = await inKernel(t, paths, script, { modules: [module] });
  const sums = await sumsOf(tree);
  for (const [i, [name]] of variants.entries()) {
    const line = (what: string) => new RegExp(`^${i} CHECK-${what} (\\w+)`, 'm').exec(said)?.[1];
    await t.test(name, () => {
      assert.match(said, new RegExp(`MOUNTED-${i}`), said.slice(-2000));
      assert.equal(line('LINES'), String(sums.lines), said.slice(-2000));
      assert.equal(line('CONTENT'), sums.content, 'contents');
      assert.equal(line('META'), sums.meta, 'metadata');
    });
  }
});

test('damaged images end in an error with a code, or read as another tree', async (t) => {
  const { below, next } = random(SEED);
  const small = new Tree();
  for (const [name, tree] of sampleTrees(LIMITS).slice(0, 8)) small.root.children.set(name, tree.root);
  small.writeFile('words', memory(words(70_000, 1)));
  const images = [
    readFileSync(await poured(t, small, { compression: 'lz4hc', clusterSize: 16384, inlineData: true })),
    readFileSync(await poured(t, small, {})),
  ];
  const made = needs({ data: [MADE_HERE], tools: ['xz'] }) === false;
  for (const name of made ? ['c16all', 'chunk', 'legacy'] : [])
    images.push(execFileSync(tool('xz')!, ['-dkc', data(`${MADE_HERE}/${name}.img.xz`)], { maxBuffer: 1 << 28 }));
  const codes = new Set<string>();
  for (const image of images)
    for (let i = 0; i < 400; i++) {
      const damaged = Buffer.from(i % 9 === 0 ? image.subarray(0, below(image.length)) : image);
      // metadata comes first, so most changes go there
      const reach = next() < 0.8 ? Math.min(damaged.length, 24576) : damaged.length;
      for (let changes = 1 + below(4); changes > 0 && damaged.length > 0; changes--) {
        const at = next() < 0.3 ? 1024 + below(128) : below(reach);
        if (at < damaged.length) damaged[at] = next() < 0.3 ? 255 : below(256);
      }
      try {
        const { tree: read } = await openErofs(randomAccessMemory(damaged), { verify: false });
        const tree = read();
        for (const { inode } of tree.walk()) {
          if (inode.kind !== 'file' || inode.content.size > 1 << 26) continue;
          for await (const _ of inode.content.open());
        }
        codes.add('read');
      } catch (error) {
        if (!(error instanceof Error) || !('code' in error) || !String(error.code).startsWith('EROFS_'))
          if (!isBuildError(error, 'CONTENT_SHORT')) throw error;
        codes.add(String((error as { code?: string }).code));
      }
    }
  assert.ok(codes.has('EROFS_CORRUPT') && codes.has('read'), [...codes].join(' '));
});

test('what EROFS cannot hold is an error that names the path', async () => {
  const plain = (change: (tree: Tree) => void) => {
    const tree = new Tree();
    change(tree);
    return erofsImage(tree);
  };
  await assert.rejects(
    plain((tree) => tree.root.children.set('a/b', file(memory('')))),
    { code: 'EROFS_NAME' },
  );
  await assert.rejects(
    plain((tree) => tree.root.children.set('x'.repeat(256), file(memory('')))),
    { code: 'EROFS_NAME' },
  );
  await assert.rejects(
    plain((tree) => tree.symlink('l', 'x'.repeat(4096))),
    { code: 'EROFS_SYMLINK' },
  );
  await assert.rejects(
    plain((tree) => tree.set('d', { ...rootMeta(0o600), kind: 'char', major: 4096, minor: 0 })),
    { code: 'EROFS_DEVICE' },
  );
  await assert.rejects(
    plain((tree) => tree.writeFile('o', 'x', { ...rootMeta(0o600), uid: 2 ** 32 })),
    { code: 'EROFS_OWNER' },
  );
  await assert.rejects(
    plain((tree) => tree.writeFile('t', 'x', rootMeta(0o600, 2 ** 60))),
    { code: 'EROFS_TIME' },
  );
  await assert.rejects(
    plain((tree) => {
      tree.writeFile('x', 'x').xattrs = new Map([['other.name', new Uint8Array(1)]]);
    }),
    { code: 'EROFS_XATTR_NAME' },
  );
  await assert.rejects(
    plain((tree) => {
      tree.writeFile('x', 'x').xattrs = new Map([['user.name', new Uint8Array(65536)]]);
    }),
    { code: 'EROFS_XATTR_SIZE' },
  );
  await assert.rejects(erofsImage(new Tree(), { clusterSize: 5000 }), { code: 'EROFS_OPTION' });
  await assert.rejects(
    plain((tree) => {
      const twice = tree.makeDirectory('a');
      tree.root.children.set('b', twice);
    }),
    { code: 'EROFS_DIRECTORY_TWICE' },
  );
});

test('an image that is none of ours is named', async () => {
  await assert.rejects(openErofs(randomAccessMemory(new Uint8Array(100))), { code: 'EROFS_NOT' });
  await assert.rejects(openErofs(randomAccessMemory(new Uint8Array(5000))), { code: 'EROFS_NOT' });
});
