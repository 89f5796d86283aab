import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openArtefact } from '../../src/artefacts/open.ts';
import { collect, memory } from '../../src/bytes/content.ts';
import { compress } from '../../src/compression/compress.ts';
import type { Tree } from '../../src/tree/tree.ts';
import { osbuilder, type Result } from '../support/cli.ts';
import { type MadeLayer, ociLayout, writeLayout } from '../support/containers.ts';
import { needs, ownFolder } from '../support/data.ts';
import { tar } from '../support/debs.ts';
import { privateAuthority, skopeo, startRegistry, type TestRegistry } from '../support/registry.ts';
import { smallFlags, smallRepository } from '../support/small-guest.ts';

/** Registries: what is pushed and pulled, read by skopeo and umoci, and with passwords that appear nowhere. */

const TOOLS = ['docker-registry', 'skopeo', 'umoci', 'htpasswd', 'openssl'];
const USER = 'the-user-name';
const PASSWORD = 'se:cret-Pass/word+7';
const SECRETS = [PASSWORD, Buffer.from(`${USER}:${PASSWORD}`).toString('base64')];

const zstd = (plain: Uint8Array) => collect(compress(memory(plain).open(), 'zstd'));

/** Whiteouts, an opaque folder, hard links across layers, changes of kind, attributes, and every compression. */
const LAYERS: readonly MadeLayer[] = [
  {
    members: [
      { name: 'etc/', mode: 0o755 },
      { name: 'etc/motd', data: 'lower' },
      { name: 'etc/issue', data: 'lower' },
      { name: 'opt/' },
      { name: 'opt/old/' },
      { name: 'opt/old/file', data: 'old' },
      { name: 'usr/' },
      { name: 'usr/bin/' },
      { name: 'usr/bin/tool', data: 'tool', mode: 0o4755, uid: 3, gid: 4 },
      { name: 'usr/bin/again', type: '1', link: 'usr/bin/tool' },
      { name: 'var/' },
      { name: 'var/kind', data: 'a file' },
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
      // a link to a file of the layer below
      { name: 'usr/bin/third', type: '1', link: 'usr/bin/tool' },
    ],
  },
  { members: [{ name: 'var/' }, { name: 'var/kind/' }, { name: 'var/kind/file', data: 'x' }] },
];

/** Everything of a tree but times, a line for each path. */
function lines(tree: Tree): string[] {
  const first = new Map<unknown, string>();
  return [...tree.walk()].flatMap(({ path, inode }) => {
    if (path === '') return [];
    const link = first.get(inode);
    if (link === undefined) first.set(inode, path);
    const what = inode.kind === 'file' ? Buffer.from(inode.content.readSync()).toString() : '';
    return [`${path} ${inode.kind} ${inode.mode.toString(8)} ${inode.uid}:${inode.gid} ${link ?? ''} ${what}`];
  });
}

const errorOf = ({ stdout, stderr }: Result): { code: string; message: string; hint?: string } => {
  assert.notEqual(stdout, '', stderr);
  return (JSON.parse(stdout) as { error: { code: string; message: string; hint?: string } }).error;
};
const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** Paths of files below a folder that have a text. */
function having(folder: string, text: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile() && readFileSync(path).includes(text));
}

describe('registries', { skip: needs({ tools: TOOLS }) }, () => {
  let folder: string;
  let open: TestRegistry;
  let locked: TestRegistry;
  let secure: TestRegistry;
  let authority: string;
  let flags: string[];
  const outputs: string[] = [];
  const run = async (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Result> => {
    const result = await osbuilder(args, {
      cwd: folder,
      env: { http_proxy: '', https_proxy: '', HOME: folder, ...env },
    });
    outputs.push(result.stdout, result.stderr);
    return result;
  };
  const good = async (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Result> => {
    const result = await run([...args, '--cache-dir', 'cache'], env);
    assert.equal(result.code, 0, `${args.join(' ')}\n${result.stderr}`);
    return result;
  };
  const pushed = ({ stdout }: Result) =>
    (
      JSON.parse(stdout) as {
        pushed: { digest: string; reference: string; sent: number; attached: { name: string }[] };
      }
    ).pushed;

  before(async () => {
    folder = ownFolder(`osbuilder-registry-${process.pid}`);
    rmSync(folder, { recursive: true, force: true });
    for (const name of ['open', 'locked', 'secure', 'ca']) mkdirSync(join(folder, name), { recursive: true });
    const pki = privateAuthority(join(folder, 'ca'));
    ({ authority } = pki);
    const login = { user: USER, password: PASSWORD };
    [open, locked, secure] = await Promise.all([
      startRegistry(join(folder, 'open')),
      startRegistry(join(folder, 'locked'), { login }),
      startRegistry(join(folder, 'secure'), { login, tls: { certificate: pki.certificate, key: pki.key } }),
    ]);
    const { root, keyring } = await smallRepository(folder);
    flags = [...smallFlags(root, keyring, join(folder, 'cache')).slice(0, -2), '--agent', 'demo', '--agent-init'];
    await good(['build', ...flags, '--rootfs', 'r.tar', '--initrd', 'i.img', '--sbom', 'g.cdx.json']);
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(join(folder, 'key.pem'), keys.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    writeFileSync(join(folder, 'pub.pem'), keys.publicKey.export({ type: 'spki', format: 'pem' }));
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(join(folder, 'other.pem'), other.publicKey.export({ type: 'spki', format: 'pem' }));
  });
  after(async () => {
    await Promise.all([open, locked, secure].map((one) => one?.close()));
    rmSync(folder, { recursive: true, force: true });
  });

  test('what is pushed comes back, and is what skopeo reads; nothing is sent twice', async () => {
    const reference = `oci://${open.host}/guests/kata:1`;
    const args = ['push', reference, 'r.tar', 'i.img', '--source-date-epoch', '1700000000', '--json'];
    const first = pushed(await good(args));
    assert.ok(first.sent > 0);
    const again = pushed(await good(args));
    assert.deepEqual([again.digest, again.sent], [first.digest, 0], 'the same manifest, and nothing sent');
    const raw = JSON.parse(
      skopeo(folder, 'inspect', '--raw', '--tls-verify=false', `docker://${open.host}/guests/kata:1`),
    ) as {
      artifactType: string;
      config: { digest: string };
      layers: { digest: string; size: number; mediaType: string; annotations: Record<string, string> }[];
      annotations: Record<string, string>;
    };
    assert.equal(raw.artifactType, 'application/vnd.kata-containers.guest.v1');
    assert.equal(raw.annotations['org.opencontainers.image.created'], '2023-11-14T22:13:20Z');
    assert.deepEqual(
      raw.layers.map(({ digest, annotations }) => [digest, annotations['org.opencontainers.image.title']]),
      ['r.tar', 'i.img'].map((name) => [`sha256:${sha256(join(folder, name))}`, name]),
    );
    await good(['pull', first.reference, '-o', 'pulled/', '--registry-plain-http']);
    for (const name of ['r.tar', 'i.img'])
      assert.equal(sha256(join(folder, 'pulled', name)), sha256(join(folder, name)));
    // from the cache alone, by digest
    await good(['pull', first.reference, '-o', 'offline/', '--offline']);
    // a repository of the same registry takes blobs from the other without sending them
    const mounted = pushed(await good(['push', `oci://${open.host}/elsewhere:1`, 'r.tar', '--json']));
    assert.equal(mounted.sent, 0);
  });

  test('files of the same name are not pushed together: nothing could pull them', async () => {
    mkdirSync(join(folder, 'second'));
    writeFileSync(join(folder, 'second', 'r.tar'), '');
    const { code, stdout } = await run(['push', `oci://${open.host}/twice:1`, 'r.tar', 'second/r.tar', '--json']);
    assert.equal(code, 1);
    assert.equal(JSON.parse(stdout).error.code, 'ARTIFACT_FILES');
  });

  test('skopeo copies an artifact to a layout and an archive, and both are read', async () => {
    const { reference } = pushed(await good(['push', `oci://${open.host}/guests/one:1`, 'i.img', '--json']));
    assert.match(reference, /@sha256:/);
    for (const target of ['oci:copied:tag', 'oci-archive:copied.tar:tag']) {
      skopeo(
        folder,
        'copy',
        '--src-tls-verify=false',
        `docker://${open.host}/guests/one:1`,
        target.replace(':copied', `:${folder}/copied`),
      );
      await good(['rootfs', target, '--rootfs-only', '-o', 'from-copy.tar', '--json']);
      const expected = await good(['rootfs', 'i.img', '--rootfs-only', '-o', 'from-file.tar']);
      assert.equal(expected.code, 0);
      assert.equal(sha256(join(folder, 'from-copy.tar')), sha256(join(folder, 'from-file.tar')), target);
    }
  });

  test('layouts and archives that we write are read by skopeo, and copied on', async () => {
    const layout = writeLayout(join(folder, 'image'), await ociLayout(LAYERS));
    await good(['push', `oci://${open.host}/image:1`, `oci:${layout}:latest`]);
    await good(['pull', `oci://${open.host}/image:1`, '-o', 'oci:out-layout:new']);
    await good(['pull', `oci://${open.host}/image:1`, '-o', 'oci-archive:out.tar:new']);
    for (const from of [`oci:${folder}/out-layout:new`, `oci-archive:${folder}/out.tar:new`]) {
      const found = JSON.parse(skopeo(folder, 'inspect', from)) as { Layers: string[] };
      assert.equal(found.Layers.length, LAYERS.length);
    }
    const direct = await openArtefact(layout, { workspace: () => folder });
    await good(['extract', `oci://${open.host}/image:1`, '-o', 'tree.tar']);
    const extracted = await openArtefact(join(folder, 'tree.tar'), { workspace: () => folder });
    assert.deepEqual(lines(await extracted.tree()), lines(await direct.tree()));
  });

  test('an image in a registry is the tree that umoci unpacks', { skip: needs({ root: true }) }, async () => {
    for (const [name, layers] of [
      ['gzip', LAYERS],
      ['zstd', LAYERS.map((one) => ({ ...one, compress: zstd }))],
    ] as const) {
      const layout = writeLayout(join(folder, `layers-${name}`), await ociLayout(layers));
      skopeo(folder, 'copy', '--dest-tls-verify=false', `oci:${layout}:latest`, `docker://${open.host}/layers:${name}`);
      // umoci of Debian knows no zstd, so it unpacks the same layers in gzip
      const plain = join(folder, 'layers-gzip');
      const bundle = join(folder, `bundle-${name}`);
      const unpacked = spawnSync('umoci', ['unpack', '--image', `${plain}:latest`, bundle], { encoding: 'utf8' });
      assert.equal(unpacked.status, 0, unpacked.stderr);
      await good(['rootfs', `oci://${open.host}/layers:${name}`, '--rootfs-only', '-o', `${name}.tar`]);
      const options = { workspace: () => folder };
      const ours = await (await openArtefact(join(folder, `${name}.tar`), options)).tree();
      const theirs = await (await openArtefact(join(bundle, 'rootfs'), options)).tree();
      assert.deepEqual(lines(ours), lines(theirs), name);
      assert.equal(ours.lstat('usr/bin/third'), ours.lstat('usr/bin/tool'));
    }
  });

  test('several architectures under one tag', async () => {
    const reference = `oci://${open.host}/guests/multi:1`;
    await good(['push', reference, 'r.tar', '--index', '--arch', 'amd64']);
    await good(['push', reference, 'i.img', '--index', '--arch', 'aarch64']);
    await good(['push', reference, 'r.tar', '--index', '--arch', 'x86_64']);
    const raw = JSON.parse(
      skopeo(folder, 'inspect', '--raw', '--tls-verify=false', `docker://${open.host}/guests/multi:1`),
    ) as {
      manifests: { platform: { architecture: string } }[];
    };
    assert.deepEqual(raw.manifests.map(({ platform }) => platform.architecture).sort(), ['amd64', 'arm64']);
    await good(['pull', reference, '--arch', 'arm64', '-o', 'arm/']);
    assert.deepEqual(readdirSync(join(folder, 'arm')), ['i.img']);
    const none = errorOf(await run(['pull', reference, '--arch', 's390x', '-o', 'none/', '--json']));
    assert.equal(none.code, 'PLATFORM_MISSING');
  });

  test('a bill of materials and a signature are attached, found and verified', async () => {
    const reference = `oci://${open.host}/guests/signed:1`;
    const made = pushed(await good(['push', reference, 'i.img', 'g.cdx.json', '--sign-key', 'key.pem', '--json']));
    assert.deepEqual(
      made.attached.map(({ name }) => name),
      ['g.cdx.json', 'signature'],
    );
    await good(['pull', reference, '-o', 'with/', '--attached', '--key', 'pub.pem']);
    assert.deepEqual(readdirSync(join(folder, 'with')).sort(), ['g.cdx.json', 'i.img']);
    const wrong = errorOf(await run(['pull', reference, '-o', 'no/', '--key', 'other.pem', '--json']));
    assert.equal(wrong.code, 'ATTESTATION_SIGNATURE');
    const unsigned = errorOf(
      await run(['pull', `oci://${open.host}/guests/one:1`, '-o', 'no/', '--key', 'pub.pem', '--json']),
    );
    assert.equal(unsigned.code, 'REFERENCE_UNSIGNED');
    // openssl verifies what cosign would: the tag, the payload, the note
    const tag = `${made.digest.replace(':', '-')}.sig`;
    skopeo(
      folder,
      'copy',
      '--src-tls-verify=false',
      `docker://${open.host}/guests/signed:${tag}`,
      `oci:${folder}/sig:tag`,
    );
    const blob = (digest: string) => join(folder, 'sig/blobs/sha256', digest.replace('sha256:', ''));
    const index = JSON.parse(readFileSync(join(folder, 'sig/index.json'), 'utf8')) as {
      manifests: { digest: string }[];
    };
    const [layer] = (
      JSON.parse(readFileSync(blob(index.manifests[0]!.digest), 'utf8')) as {
        layers: { digest: string; annotations: Record<string, string> }[];
      }
    ).layers;
    writeFileSync(
      join(folder, 'sig.der'),
      Buffer.from(layer!.annotations['dev.cosignproject.cosign/signature']!, 'base64'),
    );
    const verified = spawnSync(
      'openssl',
      ['dgst', '-sha256', '-verify', 'pub.pem', '-signature', 'sig.der', blob(layer!.digest)],
      { cwd: folder },
    );
    assert.equal(verified.status, 0, String(verified.stdout));
    assert.match(readFileSync(blob(layer!.digest), 'utf8'), new RegExp(made.digest));
    // the fallback of registries without the API for referrers
    const fallback = skopeo(
      folder,
      'inspect',
      '--raw',
      '--tls-verify=false',
      `docker://${open.host}/guests/signed:${made.digest.replace(':', '-')}`,
    );
    assert.equal((JSON.parse(fallback) as { manifests: unknown[] }).manifests.length, 2);
  });

  test('a build pushes itself with what is said about it, and a lock names inputs of registries', async () => {
    writeFileSync(join(folder, 'kata-agent'), '#!/bin/sh\necho agent\n', { mode: 0o755 });
    writeFileSync(join(folder, 'agent.tar'), tar([{ name: 'usr/bin/kata-agent', data: '#!/bin/sh\n', mode: 0o755 }]));
    const { reference } = pushed(await good(['push', `oci://${open.host}/agent:1`, 'agent.tar', '--json']));
    const guest = flags.map((word) => (word === 'demo' ? reference : word));
    const proofs = ['--sbom', 'b.json', '--provenance', 'p.json', '--push', `oci://${open.host}/built:1`];
    const built = pushed(await good(['initrd', ...guest, '-o', 'b.img', ...proofs, '--json']));
    assert.deepEqual(
      built.attached.map(({ name }) => name),
      ['b.json', 'p.json'],
    );
    await good(['lock', ...guest, '--initrd', 'b.img', '-o', 'b.lock.json']);
    const lock = JSON.parse(readFileSync(join(folder, 'b.lock.json'), 'utf8')) as {
      inputs: { kind: string; name: string; setting: string }[];
    };
    assert.deepEqual(
      lock.inputs.filter(({ setting }) => setting === 'agent').map(({ kind, name }) => [kind, name]),
      [['image', reference]],
    );
    // a lock alone finds it again
    const places = flags.slice(flags.indexOf('--repo-url'), flags.indexOf('--agent'));
    await good(['initrd', '--lock', 'b.lock.json', '--frozen', ...places, '-o', 'again.img']);
    assert.equal(sha256(join(folder, 'again.img')), sha256(join(folder, 'b.img')));
    writeFileSync(
      join(folder, 'agent.tar'),
      tar([{ name: 'usr/bin/kata-agent', data: '#!/bin/sh\n:\n', mode: 0o755 }]),
    );
    await good(['push', `oci://${open.host}/agent:1`, 'agent.tar']);
    const moved = errorOf(
      await run([
        'initrd',
        '--lock',
        'b.lock.json',
        ...places,
        '--agent',
        `oci://${open.host}/agent:1`,
        '-o',
        'x.img',
        '--cache-dir',
        'cache',
        '--json',
      ]),
    );
    assert.equal(moved.code, 'LOCK_INPUT_CHANGED');
  });

  test('packages come from a remote cache, which is filled when it is asked for', async () => {
    const cache = ['--remote-cache', `oci://${locked.host}/cache`];
    const env = { OSBUILDER_REGISTRY_USER: USER, OSBUILDER_REGISTRY_PASSWORD: PASSWORD };
    const build = (name: string, more: readonly string[]) =>
      run(
        ['rootfs', ...flags, '-o', `${name}.tar`, '--cache-dir', name, ...cache, ...more, '--json', '--verbose'],
        env,
      );
    const first = await build('cold', ['--remote-cache-write']);
    assert.equal(first.code, 0, first.stderr);
    const debs = join(folder, 'repository/pool');
    // the mirror has lost its packages, the cache has them
    rmSync(debs, { recursive: true, force: true });
    const second = await build('warm', []);
    assert.equal(second.code, 0, second.stderr);
    assert.equal(sha256(join(folder, 'warm.tar')), sha256(join(folder, 'cold.tar')));
    // a registry that changes a blob costs a warning, not the guest
    for (const path of having(join(locked.store, 'docker/registry/v2/blobs'), '!<arch>'))
      writeFileSync(path, Buffer.alloc(statSync(path).size, 'x'));
    const lying = await build('lied', []);
    assert.notEqual(lying.code, 0, 'neither has the packages');
    assert.match(lying.stderr, /remote cache .* cannot be used/);
    assert.deepEqual(having(join(folder, 'lied'), 'xxxxxxxx'), [], 'nothing wrong in the cache');
  });

  test('passwords: by the environment and by files, and nowhere else', async () => {
    const reference = `oci://${locked.host}/private:1`;
    const denied = errorOf(await run(['push', reference, 'i.img', '--json']));
    assert.equal(denied.code, 'REGISTRY_DENIED');
    assert.match(denied.hint ?? '', /OSBUILDER_REGISTRY_USER/);
    const wrong = { OSBUILDER_REGISTRY_USER: USER, OSBUILDER_REGISTRY_PASSWORD: 'wrong-password-1' };
    assert.equal(errorOf(await run(['push', reference, 'i.img', '--json'], wrong)).code, 'REGISTRY_DENIED');
    const env = { OSBUILDER_REGISTRY_USER: USER, OSBUILDER_REGISTRY_PASSWORD: PASSWORD };
    await good(['push', reference, 'i.img', '--verbose'], env);
    const auth = JSON.stringify({ auths: { [locked.host]: { auth: SECRETS[1] } } });
    mkdirSync(join(folder, 'private/docker'), { recursive: true });
    writeFileSync(join(folder, 'private/auth.json'), auth);
    writeFileSync(join(folder, 'private/docker/config.json'), auth);
    await good(['pull', reference, '-o', 'p1/', '--verbose'], { REGISTRY_AUTH_FILE: 'private/auth.json' });
    await good(['pull', reference, '-o', 'p2/'], { DOCKER_CONFIG: join(folder, 'private/docker') });
    writeFileSync(
      join(folder, 'private/helper.json'),
      JSON.stringify({ credHelpers: { [locked.host]: 'secretservice' } }),
    );
    const helper = errorOf(
      await run(['pull', reference, '-o', 'p3/', '--json'], { REGISTRY_AUTH_FILE: 'private/helper.json' }),
    );
    assert.equal(helper.code, 'AUTH_HELPER');
    assert.match(helper.message, /docker-credential-secretservice/);
    const inside = errorOf(
      await run(['pull', `oci://${USER}:${PASSWORD}@${locked.host}/private:1`, '-o', 'p4/', '--json']),
    );
    assert.equal(inside.code, 'REFERENCE_INVALID');
    await good(['lock', 'i.img', '-o', 'l.json'], env);
    rmSync(join(folder, 'private'), { recursive: true });
    for (const secret of [...SECRETS, 'wrong-password-1']) {
      for (const output of outputs) assert.ok(!output.includes(secret), `in the output: ${output}`);
      assert.deepEqual(having(folder, secret), [], 'in a file');
    }
  });

  test('TLS with a private authority', async () => {
    const reference = `oci://${secure.host}/tls:1`;
    const env = { OSBUILDER_REGISTRY_USER: USER, OSBUILDER_REGISTRY_PASSWORD: PASSWORD };
    const unknown = errorOf(await run(['push', reference, 'i.img', '--json'], env));
    assert.equal(unknown.code, 'CONNECTION_FAILED', unknown.message);
    assert.match(unknown.message, /certificate/);
    await good(['push', reference, 'i.img', '--ca-cert', authority], env);
    await good(['pull', reference, '-o', 'tls/'], { ...env, OSBUILDER_CA_CERT: authority });
    assert.equal(sha256(join(folder, 'tls/i.img')), sha256(join(folder, 'i.img')));
  });
});
