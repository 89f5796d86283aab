import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openArtefact } from '../../src/artefacts/open.ts';
import { collect, memory } from '../../src/bytes/content.ts';
import { compress } from '../../src/compression/compress.ts';
import type { Event } from '../../src/events/events.ts';
import type { Tree } from '../../src/tree/tree.ts';
import { osbuilder } from '../support/cli.ts';
import { type MadeLayer, ociLayout, writeLayout } from '../support/containers.ts';
import { needs, temporary } from '../support/data.ts';
import { tar } from '../support/debs.ts';

/** Images of containers as sources: their layers become one tree, as container tools unpack them. */

const zstd = (plain: Uint8Array) => collect(compress(memory(plain).open(), 'zstd'));

const LAYERS: readonly MadeLayer[] = [
  {
    members: [
      { name: 'etc/', mode: 0o755 },
      { name: 'etc/motd', data: 'lower' },
      { name: 'etc/issue', data: 'lower' },
      { name: 'opt/' },
      { name: 'opt/old/' },
      { name: 'opt/old/file', data: 'old' },
      { name: 'var/' },
      { name: 'var/lib', type: '2', link: '/opt' },
      { name: 'usr/' },
      { name: 'usr/bin/' },
      { name: 'usr/bin/tool', data: 'tool', mode: 0o4755, uid: 3, gid: 4 },
      { name: 'usr/bin/again', type: '1', link: 'usr/bin/tool' },
    ],
  },
  {
    compress: 'none',
    members: [
      { name: 'etc/' },
      { name: 'etc/.wh.motd', data: '' },
      { name: 'etc/issue', data: 'upper' },
      { name: 'opt/' },
      { name: 'opt/.wh..wh..opq', data: '' },
      { name: 'opt/new', data: 'new' },
    ],
  },
  {
    compress: zstd,
    // a directory takes the place of a link, a file that of a directory
    members: [
      { name: 'var/' },
      { name: 'var/lib/' },
      { name: 'var/lib/file', data: 'x' },
      { name: 'usr/bin/last', data: 'last' },
    ],
  },
];

/** Everything that the layers leave, one line for each path. */
function lines(tree: Tree): string[] {
  return [...tree.walk()].flatMap(({ path, inode }) => {
    if (path === '') return [];
    const what = inode.kind === 'file' ? Buffer.from(inode.content.readSync()).toString() : '';
    const owner = `${inode.uid}:${inode.gid}`;
    return [`${path} ${inode.kind} ${inode.mode.toString(8)} ${owner} ${what}`.trim()];
  });
}

const RESULT = [
  'etc directory 755 0:0',
  'etc/issue file 644 0:0 upper',
  'opt directory 755 0:0',
  'opt/new file 644 0:0 new',
  'usr directory 755 0:0',
  'usr/bin directory 755 0:0',
  'usr/bin/again file 4755 3:4 tool',
  'usr/bin/last file 644 0:0 last',
  'usr/bin/tool file 4755 3:4 tool',
  'var directory 755 0:0',
  'var/lib directory 755 0:0',
  'var/lib/file file 644 0:0 x',
];

async function opened(path: string, folder: string): Promise<{ tree: Tree; events: Event[] }> {
  const events: Event[] = [];
  const artefact = await openArtefact(path, { workspace: () => folder, report: (event) => void events.push(event) });
  return { tree: await artefact.tree(), events };
}

test('containers: an OCI layout in a folder and in an archive, with every compression of layers', async (t) => {
  const folder = temporary(t);
  const files = await ociLayout(LAYERS);
  const layout = writeLayout(join(folder, 'layout'), files);
  const archive = join(folder, 'layout.tar');
  writeFileSync(archive, tar([...files].map(([name, data]) => ({ name, data }))));
  for (const path of [layout, archive]) {
    const { tree, events } = await opened(path, folder);
    assert.deepEqual(lines(tree), RESULT, path);
    assert.equal(tree.lstat('usr/bin/tool'), tree.lstat('usr/bin/again'), 'one inode under two names');
    assert.deepEqual(
      events.map((event) => event.kind).filter((kind) => kind === 'note' || kind === 'warning'),
      ['note'],
    );
  }
  // an index for several processors with a single image, and a statement about it
  const nested = writeLayout(join(folder, 'nested'), await ociLayout(LAYERS, { nested: true }));
  assert.deepEqual(lines((await opened(nested, folder)).tree), RESULT);
});

test('containers: what skopeo makes of the layout', { skip: needs({ tools: ['skopeo'] }) }, async (t) => {
  const folder = temporary(t);
  // Docker has no layers in zstd
  const layers = LAYERS.map((one) =>
    typeof one.compress === 'function' ? { ...one, compress: 'gzip' as const } : one,
  );
  const layout = writeLayout(join(folder, 'layout'), await ociLayout(layers));
  for (const target of [
    `docker-archive:${folder}/saved.tar:name:tag`,
    `oci-archive:${folder}/archive.tar`,
    `oci:${folder}/copy`,
  ]) {
    const copied = spawnSync('skopeo', ['--insecure-policy', 'copy', `oci:${layout}:latest`, target], {
      encoding: 'utf8',
      env: { ...process.env, XDG_RUNTIME_DIR: folder, TMPDIR: folder },
    });
    assert.equal(copied.status, 0, copied.stderr);
    const path = target.split(':')[1]!;
    assert.deepEqual(lines((await opened(path, folder)).tree), RESULT, target);
  }
});

test('containers: the same tree as umoci unpacks', { skip: needs({ tools: ['umoci'], root: true }) }, async (t) => {
  const folder = temporary(t);
  const layers = LAYERS.map((one) =>
    typeof one.compress === 'function' ? { ...one, compress: 'gzip' as const } : one,
  );
  const layout = writeLayout(join(folder, 'layout'), await ociLayout(layers));
  const bundle = join(folder, 'bundle');
  const unpacked = spawnSync('umoci', ['unpack', '--image', `${layout}:latest`, bundle], { encoding: 'utf8' });
  assert.equal(unpacked.status, 0, unpacked.stderr);
  assert.deepEqual(lines((await opened(join(bundle, 'rootfs'), folder)).tree), RESULT);
  assert.deepEqual(lines((await opened(layout, folder)).tree), RESULT);
});

test('containers: an image is packed by one command, also as an overlay', async (t) => {
  const folder = temporary(t);
  const layout = writeLayout(join(folder, 'layout'), await ociLayout(LAYERS));
  const out = join(folder, 'r.tar');
  const packed = await osbuilder(['rootfs', layout, '--rootfs-only', '-o', out, '--json']);
  assert.equal(packed.code, 0, packed.stderr);
  assert.deepEqual(lines((await opened(out, folder)).tree), RESULT);
  const again = join(folder, 'again.tar');
  const base = join(folder, 'base.tar');
  writeFileSync(base, tar([{ name: 'etc/' }, { name: 'etc/issue', data: 'base' }, { name: 'base', data: 'base' }]));
  const saved = join(folder, 'layout.tar');
  writeFileSync(saved, tar([...(await ociLayout(LAYERS))].map(([name, data]) => ({ name, data }))));
  const laid = await osbuilder(['rootfs', base, '--rootfs-only', '--overlay', saved, '-o', again, '--json']);
  assert.equal(laid.code, 0, laid.stderr);
  assert.deepEqual(lines((await opened(again, folder)).tree), ['base file 644 0:0 base', ...RESULT]);
});

test('containers: of several images in a layout the one of the processor, the same one under two names once', async (t) => {
  const folder = temporary(t);
  const build = async (files: ReadonlyMap<string, Uint8Array>, name: string, architecture: string) => {
    const layout = writeLayout(join(folder, name), files);
    const archive = join(folder, `${name}.tar`);
    writeFileSync(archive, tar([...files].map(([path, data]) => ({ name: path, data }))));
    const codes: (string | number | null)[] = [];
    for (const source of [layout, archive, `oci:${layout}`, `oci-archive:${archive}`]) {
      const given = [source, '--arch', architecture, '--json'];
      const out = ['-o', join(folder, 'r.tar')];
      // commands that read it as those that build of it
      const found: (string | number | null)[] = [];
      for (const args of [
        ['rootfs', ...given, '--rootfs-only', ...out],
        ['extract', ...given, '--force', ...out],
        ['inspect', ...given],
        ['verify', ...given],
      ]) {
        const { code, stdout } = await osbuilder(args);
        found.push(code === 0 ? 0 : (JSON.parse(stdout).error?.code ?? code));
        rmSync(join(folder, 'r.tar'), { force: true });
      }
      assert.deepEqual(found.slice(1, 3), [found[0], found[0]], source);
      assert.equal(found[3] === 'USAGE', false, source);
      codes.push(found[0]!);
    }
    return codes;
  };
  const several = await ociLayout(LAYERS, { images: 3, platforms: ['arm64', 'amd64', 's390x'] });
  assert.deepEqual(await build(several, 'several', 'x86_64'), [0, 0, 0, 0]);
  assert.deepEqual(await build(several, 'none', 'ppc64le'), Array(4).fill('CONTAINER_SEVERAL'));
  const one = await ociLayout(LAYERS);
  const [row] = JSON.parse(Buffer.from(one.get('index.json')!).toString()).manifests;
  const again = { ...row, annotations: { 'org.opencontainers.image.ref.name': 'again' } };
  one.set('index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [row, again] })));
  assert.deepEqual(await build(one, 'twice', 'x86_64'), [0, 0, 0, 0]);
});

test('containers: manifest and configuration must have the size and digest that names them', async (t) => {
  const folder = temporary(t);
  const whole = await ociLayout(LAYERS);
  const index = JSON.parse(Buffer.from(whole.get('index.json')!).toString());
  const [row] = index.manifests as { digest: string; size: number }[];
  const manifest = `blobs/sha256/${row!.digest.slice(7)}`;
  const { config } = JSON.parse(Buffer.from(whole.get(manifest)!).toString());
  // as long as before, and as good JSON
  const other = (path: string) => {
    const bytes = Buffer.from(whole.get(path)!).toString();
    return new Map(whole).set(path, Buffer.from(bytes.replace('"linux"', '"linus"').replace('"config":', '"confiG":')));
  };
  const longer = (path: string) => new Map(whole).set(path, Buffer.concat([whole.get(path)!, Buffer.from(' ')]));
  const sized = { ...index, manifests: [{ ...row, size: row!.size + 1 }] };
  for (const [what, files, codes] of [
    ['another configuration', other(`blobs/sha256/${config.digest.slice(7)}`), ['DIGEST_MISMATCH']],
    ['another manifest', other(manifest), ['DIGEST_MISMATCH']],
    ['a longer configuration', longer(`blobs/sha256/${config.digest.slice(7)}`), ['CONTENT_SIZE']],
    ['a longer manifest', longer(manifest), ['CONTENT_SIZE', 'DIGEST_MISMATCH']],
    ['another size', new Map(whole).set('index.json', Buffer.from(JSON.stringify(sized))), ['CONTENT_SIZE']],
  ] as [string, Map<string, Uint8Array>, string[]][]) {
    const layout = writeLayout(join(folder, what.replaceAll(' ', '-')), files);
    for (const source of [layout, `oci:${layout}`, `oci:${layout}:latest`]) {
      const { stdout } = await osbuilder(['rootfs', source, '--rootfs-only', '-o', join(folder, 'r.tar'), '--json']);
      const { error } = JSON.parse(stdout);
      assert.ok(codes.includes(error?.code), `${what} ${source}: ${stdout}`);
      // no mirror had a part in it
      assert.doesNotMatch(error.hint ?? '', /mirror|repo-?url/i, source);
      if (error.code === 'DIGEST_MISMATCH') assert.match(error.hint, /skopeo copy/, source);
    }
  }
});

test('containers: what a layer puts below a file is an error that names layer and path', async (t) => {
  const folder = temporary(t);
  for (const below of [
    { name: 'a', data: '1' },
    { name: 'a', type: '2', link: 'not/there' },
  ]) {
    const layers = [{ members: [below] }, { members: [{ name: 'a/b', data: '2' }] }];
    const layout = writeLayout(join(folder, below.data ?? 'link'), await ociLayout(layers));
    const { stdout } = await osbuilder(['rootfs', layout, '--rootfs-only', '-o', join(folder, 'r.tar'), '--json']);
    const { error } = JSON.parse(stdout);
    assert.equal(error?.code, 'NOT_A_DIRECTORY', stdout);
    assert.match(error.message, /: layer 2: \/a\/b: /);
  }
});

test('containers: files with such names in a root file system are files', async (t) => {
  const folder = temporary(t);
  const path = join(folder, 'r.tar');
  const members = [
    { name: 'etc/' },
    { name: 'manifest.json', data: '[{"Layers":["x"]}]' },
    { name: 'oci-layout', data: '{}' },
  ];
  writeFileSync(path, tar(members));
  assert.deepEqual((await opened(path, folder)).tree.list(''), ['etc', 'manifest.json', 'oci-layout']);
  const app = join(folder, 'app.tar');
  writeFileSync(
    app,
    tar([
      { name: 'manifest.json', data: '{"name": "an app"}' },
      { name: 'app.js', data: '' },
    ]),
  );
  assert.deepEqual((await opened(app, folder)).tree.list(''), ['app.js', 'manifest.json']);
});

test('containers: damage is an error that names it, and says what to do', async (t) => {
  const folder = temporary(t);
  const whole = await ociLayout(LAYERS);
  const layer = [...whole].find(([, bytes]) => bytes.length > 4096)![0];
  const without = (path: string) => new Map([...whole].filter(([name]) => name !== path));
  const changed = (path: string, bytes: string | Uint8Array) => new Map(whole).set(path, Buffer.from(bytes));
  const json = (value: unknown) => JSON.stringify(value);
  const descriptor = { digest: `sha256:${'0'.repeat(64)}`, size: 1 };
  let loop: object = { manifests: [descriptor] };
  for (let i = 0; i < 2000; i++) loop = { manifests: [descriptor, loop] };
  for (const [what, files, code] of [
    ['two images', await ociLayout(LAYERS, { images: 2 }), 'CONTAINER_SEVERAL'],
    ['no blob', without(layer), 'CONTAINER_INVALID'],
    [
      'another blob',
      changed(
        layer,
        Buffer.from(Buffer.from(whole.get(layer)!).toString('latin1').replace('upper', 'UPPER'), 'latin1'),
      ),
      'DIGEST_MISMATCH',
    ],
    ['a longer blob', changed(layer, Buffer.concat([whole.get(layer)!, Buffer.alloc(9)])), 'CONTENT_SIZE'],
    ['another plain digest', await ociLayout([{ ...LAYERS[0]!, plain: '1'.repeat(64) }]), 'DIGEST_MISMATCH'],
    ['an unknown layer', await ociLayout([{ ...LAYERS[0]!, type: 'application/x-encrypted' }]), 'CONTAINER_INVALID'],
    ['no JSON', changed('index.json', '{'), 'CONTAINER_INVALID'],
    ['an empty index', changed('index.json', '{}'), 'CONTAINER_INVALID'],
    ['a list', changed('index.json', '[]'), 'CONTAINER_INVALID'],
    ['null', changed('index.json', 'null'), 'CONTAINER_INVALID'],
    [
      'a digest that is a path',
      changed('index.json', json({ manifests: [{ digest: 'sha256:../../etc', size: 1 }] })),
      'CONTAINER_INVALID',
    ],
    ['no size', changed('index.json', json({ manifests: [{ digest: descriptor.digest }] })), 'CONTAINER_INVALID'],
    ['a negative size', changed('index.json', json({ manifests: [{ ...descriptor, size: -1 }] })), 'CONTAINER_INVALID'],
    ['a deep index', changed('index.json', json(loop)), 'CONTAINER_INVALID'],
    ['a huge index', changed('index.json', `{"x":"${'x'.repeat(5 << 20)}"}`), 'CONTAINER_INVALID'],
    [
      'too many layers',
      await ociLayout(Array.from({ length: 1100 }, () => ({ members: [{ name: 'a', data: '' }] }))),
      'CONTAINER_INVALID',
    ],
    ['saved: two images', saved([{ Layers: ['l'] }, { Layers: ['l'], RepoTags: ['b:c'] }]), 'CONTAINER_SEVERAL'],
    ['saved: no layer', saved([{ Layers: [] }]), 'CONTAINER_INVALID'],
    ['saved: no such layer', saved([{ Layers: ['../../etc/passwd'] }]), 'CONTAINER_INVALID'],
    ['saved: a layer that is no path', saved([{ Layers: [7] }]), 'CONTAINER_INVALID'],
    ['saved: no such configuration', saved([{ Layers: ['l'], Config: 'none.json' }]), 'CONTAINER_INVALID'],
    [
      'saved: other digests',
      saved([{ Layers: ['l'], Config: 'c' }], { rootfs: { diff_ids: [] } }),
      'CONTAINER_INVALID',
    ],
    [
      'saved: odd digests',
      saved([{ Layers: ['l'], Config: 'c' }], { rootfs: { diff_ids: [{}] } }),
      'CONTAINER_INVALID',
    ],
    ['saved: a layer that is no archive', saved([{ Layers: ['c'] }]), 'TRUNCATED'],
  ] as [string, Map<string, Uint8Array>, string][]) {
    const path = join(folder, 'damaged.tar');
    writeFileSync(path, tar([...files].map(([name, data]) => ({ name, data }))));
    const { stdout } = await osbuilder(['rootfs', path, '--rootfs-only', '-o', join(folder, 'r.tar'), '--json']);
    const { error } = JSON.parse(stdout);
    assert.equal(error?.code, code, `${what}: ${stdout}`);
    assert.match(error.message, /damaged\.tar/, what);
    if (code.startsWith('CONTAINER') || code === 'DIGEST_MISMATCH') assert.match(error.hint, /skopeo copy/, what);
  }
});

test('containers: which image of docker save, by its name; a name that is not there, and a digest, are errors', async (t) => {
  const folder = temporary(t);
  const rows = ['one:1', 'docker.io/library/two:latest', 'host:5000/three:3'];
  const files = new Map<string, Uint8Array>([
    ['manifest.json', Buffer.from(JSON.stringify(rows.map((name, i) => ({ Layers: [`l${i}`], RepoTags: [name] }))))],
    ...rows.map((name, i): [string, Uint8Array] => [`l${i}`, tar([{ name: 'which', data: name }])]),
  ]);
  const path = join(folder, 'saved.tar');
  writeFileSync(path, tar([...files].map(([name, data]) => ({ name, data }))));
  for (const [name, wanted] of [
    [':one:1', 'one:1'],
    [':1', 'one:1'],
    [':two', 'docker.io/library/two:latest'],
    [':docker.io/library/two:latest', 'docker.io/library/two:latest'],
    [':host:5000/three:3', 'host:5000/three:3'],
    [':one:2', 'CONTAINER_INVALID'],
    [':hree:3', 'CONTAINER_INVALID'],
    ['', 'CONTAINER_SEVERAL'],
    [`@sha256:${'0'.repeat(64)}`, 'REFERENCE_INVALID'],
    [':', 'REFERENCE_INVALID'],
  ] as const) {
    const { code, stdout, stderr } = await osbuilder(['inspect', `docker-archive:${path}${name}`, '--cat', 'which']);
    assert.equal(code === 0 ? stdout : /\[(\w+)\]/.exec(stderr)?.[1], wanted, `${name}: ${stderr}`);
  }
  const plain = join(folder, 'plain.tar');
  writeFileSync(plain, tar([{ name: 'etc/' }]));
  const none = await osbuilder(['inspect', `docker-archive:${plain}:x`]);
  assert.match(none.stderr, /CONTAINER_INVALID/);
});

/** Files as `docker save` of old names them: one layer `l`, a configuration `c`. */
function saved(manifest: unknown, config: unknown = {}): Map<string, Uint8Array> {
  return new Map([
    ['manifest.json', Buffer.from(JSON.stringify(manifest))],
    ['c', Buffer.from(JSON.stringify(config))],
    ['l', tar([{ name: 'etc/' }])],
  ]);
}

const CASE = '../cases/oci-whiteouts/dockersave.tar';
test('containers: an archive of docker save', { skip: needs({ data: [CASE] }) }, async (t) => {
  const folder = temporary(t);
  const { data } = await import('../support/data.ts');
  assert.ok(readFileSync(data(CASE)).length > 0);
  const { tree } = await opened(data(CASE), folder);
  assert.ok(!tree.has('manifest.json'));
  assert.ok([...tree.walk()].length > 1);
});
