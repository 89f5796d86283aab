import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { collect, memory } from '../../src/bytes/content.ts';
import { sha256 } from '../../src/bytes/digest.ts';
import { BuildError, isBuildError } from '../../src/errors/error.ts';
import type { Event } from '../../src/events/events.ts';
import { Cache } from '../../src/fetch/cache.ts';
import { Mirror } from '../../src/fetch/mirror.ts';
import type { CredentialSources } from '../../src/fetch/registry/credentials.ts';
import { Registries } from '../../src/fetch/registry/registries.ts';
import { RegistryCache } from '../../src/fetch/registry/remote-cache.ts';
import { parseAuthFile, parseChallenges } from '../../src/formats/oci/credentials.ts';
import { EMPTY, encodeManifest, TYPES } from '../../src/formats/oci/manifest.ts';
import { isReference, referenceOf } from '../../src/formats/oci/reference.ts';
import { pull, push } from '../../src/proof/registry.ts';
import { temporary } from '../support/data.ts';

/** Registries that lie, break off, or want passwords for others: coded errors, and nothing wrong in the cache. */

const PASSWORD = 'pass-word-of-a-test';
const TOKEN = 'token.of-a.test';
const BLOB = Buffer.from('the bytes of a blob '.repeat(500));
const LAYER = {
  ...{ mediaType: 'application/octet-stream', digest: `sha256:${sha256(BLOB)}`, size: BLOB.length },
  annotations: { 'org.opencontainers.image.title': 'file' },
};
const MANIFEST = encodeManifest({
  mediaType: TYPES.manifest,
  artifactType: 'x/y',
  config: EMPTY.descriptor,
  layers: [LAYER],
});

type Answer = (asked: IncomingMessage, reply: ServerResponse, body: Buffer) => void;

/** A server on the loopback; what it was asked is kept. */
async function serve(t: TestContext, answer: Answer) {
  const asked: { method: string; url: string; authorization: string | undefined; range: string | undefined }[] = [];
  const server = createServer((request, reply) => {
    const { method = '', url = '', headers } = request;
    asked.push({ method, url, authorization: headers.authorization, range: headers['content-range'] });
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece)).on('error', () => {});
    request.on('end', () => answer(request, reply, Buffer.concat(pieces)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked, server };
}

/** Answers of an honest registry with one manifest and its blob; `undefined` where it has nothing to say. */
function honest({ url = '', headers }: IncomingMessage, reply: ServerResponse): void {
  if (url === '/v2/') reply.end('{}');
  else if (url.includes('/manifests/')) reply.setHeader('content-type', TYPES.manifest).end(MANIFEST.bytes);
  else if (url.includes(`/blobs/${LAYER.digest}`)) {
    const from = Number(/bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
    if (from > 0) reply.writeHead(206, { 'content-range': `bytes ${from}-${BLOB.length - 1}/${BLOB.length}` });
    reply.end(BLOB.subarray(from));
  } else reply.writeHead(404).end();
}

function reach(t: TestContext, credentials: CredentialSources = {}, lookup?: string) {
  const folder = temporary(t);
  const events: Event[] = [];
  const mirror = new Mirror({
    cache: new Cache(join(folder, 'cache')),
    report: (event) => void events.push(event),
    retries: 2,
    sleep: async () => {},
    ...(lookup === undefined
      ? {}
      : {
          lookup: (_host, options, done) =>
            options.all ? done(null, [{ address: lookup, family: 4 }]) : done(null, lookup, 4),
        }),
  });
  t.after(() => mirror.close());
  const registries = new Registries(mirror, credentials);
  const host = { workspace: () => folder, report: mirror.report, registries, architecture: 'x86_64' };
  return { folder, mirror, registries, host, events };
}

const named: CredentialSources = { named: { user: 'user', password: PASSWORD } };

/** Files below a folder. */
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());

/** Nothing in the cache has a name that its content does not have, and no secret is in it or in an event. */
function assertClean(folder: string, events: readonly Event[]): void {
  for (const path of filesIn(folder)) {
    const bytes = readFileSync(path);
    for (const secret of [PASSWORD, TOKEN, Buffer.from(`user:${PASSWORD}`).toString('base64')])
      assert.ok(!bytes.includes(secret), path);
    const name = /\/archives\/..\/([0-9a-f]{64})$/.exec(path)?.[1];
    if (name !== undefined) assert.equal(sha256(bytes), name, path);
  }
  const said = JSON.stringify(events);
  assert.ok(!said.includes(PASSWORD) && !said.includes(TOKEN), said);
}

/** The code and the message of what a promise is rejected with. */
async function failure(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof BuildError, String((error as Error).stack));
    return { code: error.code, message: `${error.message} ${error.hint ?? ''}` };
  }
  throw new Error('it was accepted');
}

/** An index.json of a manifest with other fields. */
const altered = (fields: object) =>
  Buffer.from(JSON.stringify({ ...JSON.parse(MANIFEST.bytes.toString()), ...fields }));
const titled = (title: string) =>
  altered({ layers: [{ ...LAYER, annotations: { 'org.opencontainers.image.title': title } }] });

const LIES: readonly (readonly [what: string, code: string, lie: Answer])[] = [
  [
    'a blob with another content',
    'DIGEST_MISMATCH',
    (asked, reply) =>
      asked.url!.includes('/blobs/') ? reply.end(Buffer.alloc(BLOB.length, 'x')) : honest(asked, reply),
  ],
  [
    'a blob that is shorter',
    'CONTENT_SIZE',
    (asked, reply) => (asked.url!.includes('/blobs/') ? reply.end(BLOB.subarray(1)) : honest(asked, reply)),
  ],
  [
    'a blob without end',
    'CONTENT_SIZE',
    (asked, reply) => {
      if (!asked.url!.includes('/blobs/')) return honest(asked, reply);
      const more = () => {
        while (!reply.destroyed && reply.write(BLOB));
      };
      reply.on('drain', more);
      more();
    },
  ],
  [
    'a manifest without end',
    'DOWNLOAD_TOO_LONG',
    (asked, reply) => {
      if (!asked.url!.includes('/manifests/')) return honest(asked, reply);
      const more = () => {
        while (!reply.destroyed && reply.write(Buffer.alloc(1 << 16, ' ')));
      };
      reply.on('drain', more);
      more();
    },
  ],
  [
    'another digest in the header',
    'DIGEST_MISMATCH',
    (asked, reply) => {
      reply.setHeader('docker-content-digest', `sha256:${'0'.repeat(64)}`);
      honest(asked, reply);
    },
  ],
  [
    'no JSON',
    'OCI_MANIFEST_INVALID',
    (asked, reply) => (asked.url!.includes('/manifests/') ? reply.end('<html>') : honest(asked, reply)),
  ],
  [
    'nested JSON',
    'OCI_MANIFEST_INVALID',
    (asked, reply) => (asked.url!.includes('/manifests/') ? reply.end('['.repeat(1 << 20)) : honest(asked, reply)),
  ],
  [
    'a manifest and index at once',
    'OCI_MANIFEST_INVALID',
    (asked, reply) =>
      asked.url!.includes('/manifests/') ? reply.end(altered({ manifests: [] })) : honest(asked, reply),
  ],
  [
    'an index that is called a manifest',
    'OCI_MANIFEST_INVALID',
    (asked, reply) =>
      asked.url!.includes('/manifests/')
        ? reply.setHeader('content-type', TYPES.index).end(MANIFEST.bytes)
        : honest(asked, reply),
  ],
  [
    'a file that would lie elsewhere',
    'ARTIFACT_FILES',
    (asked, reply) => (asked.url!.includes('/manifests/') ? reply.end(titled('../../evil')) : honest(asked, reply)),
  ],
  [
    'two files of one name',
    'ARTIFACT_FILES',
    (asked, reply) =>
      asked.url!.includes('/manifests/') ? reply.end(altered({ layers: [LAYER, LAYER] })) : honest(asked, reply),
  ],
  [
    'no files',
    'ARTIFACT_FILES',
    (asked, reply) => (asked.url!.includes('/manifests/') ? reply.end(altered({ layers: [] })) : honest(asked, reply)),
  ],
  [
    'an answer of another kind',
    'REGISTRY_ANSWER',
    (asked, reply) =>
      asked.url!.includes('/manifests/')
        ? reply.writeHead(400).end('{"errors":[{"code":"UNSUPPORTED"}]}')
        : honest(asked, reply),
  ],
  [
    'nothing of that name',
    'NOT_FOUND',
    (asked, reply) => (asked.url === '/v2/' ? reply.end() : reply.writeHead(404).end()),
  ],
  [
    '401 for ever, Basic',
    'REGISTRY_DENIED',
    (_, reply) => reply.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end(),
  ],
  ['401 without a challenge', 'REGISTRY_DENIED', (_, reply) => reply.writeHead(401).end()],
  [
    'a token service that is no URL',
    'REGISTRY_ANSWER',
    (_, reply) => reply.writeHead(401, { 'www-authenticate': 'Bearer realm="not a URL"' }).end(),
  ],
  [
    'a redirect to itself',
    'REDIRECT_REFUSED',
    (asked, reply) =>
      asked.url!.includes('/blobs/') ? reply.writeHead(307, { location: asked.url! }).end() : honest(asked, reply),
  ],
];

describe('a registry that lies', () => {
  for (const [what, code, lie] of LIES)
    test(`${what}: ${code}`, async (t) => {
      const { host: at, asked } = await serve(t, (request, reply, body) => {
        // a connection that starts with TLS is not for HTTP
        lie(request, reply, body);
      });
      const { host, folder, events } = reach(t, named);
      const options = { output: join(folder, 'out'), attached: false };
      const found = await failure(pull(`oci://${at}/a/b:1`, options, host));
      assert.equal(found.code, code, found.message);
      if (code === 'DIGEST_MISMATCH') assert.match(found.message, / the registry, or something/);
      assert.ok(asked.length < 20, `${asked.length} requests`);
      assertClean(folder, events);
      assert.ok(!filesIn(folder).some((path) => path.includes('/out/')), 'no file was written');
    });
});

describe('credentials', () => {
  test('a token of a service, by user and password; it is asked for once for many blobs', async (t) => {
    const service = await serve(t, ({ headers, url }, reply) => {
      const expected = `Basic ${Buffer.from(`user:${PASSWORD}`).toString('base64')}`;
      if (headers.authorization !== expected) return void reply.writeHead(401).end();
      assert.match(url!, /service=the\+service&scope=repository%3Aa%2Fb%3Apull$/);
      reply.end(JSON.stringify({ token: TOKEN }));
    });
    const registry = await serve(t, (asked, reply) => {
      if (asked.headers.authorization === `Bearer ${TOKEN}`) return honest(asked, reply);
      const challenge = `Bearer realm="http://${service.host}/token",service="the service",scope="repository:a/b:pull"`;
      reply.writeHead(401, { 'www-authenticate': challenge }).end();
    });
    const { host, folder, events } = reach(t, named);
    await pull(`oci://${registry.host}/a/b:1`, { output: join(folder, 'out'), attached: false }, host);
    assert.deepEqual(readFileSync(join(folder, 'out/file')), BLOB);
    assert.equal(service.asked.length, 1);
    assertClean(folder, events);
  });

  test('a token that is never accepted ends after one more', async (t) => {
    const service = await serve(t, (_, reply) => void reply.end(JSON.stringify({ access_token: TOKEN })));
    const registry = await serve(
      t,
      (_, reply) => void reply.writeHead(401, { 'www-authenticate': `Bearer realm="http://${service.host}/t"` }).end(),
    );
    const { host, folder, events } = reach(t, named);
    const found = await failure(pull(`oci://${registry.host}/a/b:1`, { output: folder, attached: false }, host));
    assert.equal(found.code, 'REGISTRY_DENIED');
    assert.equal(service.asked.length, 1);
    assertClean(folder, events);
  });

  test('a redirect takes no credentials to another host', async (t) => {
    const storage = await serve(t, (_, reply) => void reply.end(BLOB));
    const registry = await serve(t, (asked, reply) => {
      if (asked.headers.authorization === undefined)
        return void reply.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
      if (!asked.url!.includes('/blobs/')) return honest(asked, reply);
      reply.writeHead(307, { location: `http://${storage.host}/data?signature=1` }).end();
    });
    const { host, folder } = reach(t, named);
    await pull(`oci://${registry.host}/a/b:1`, { output: join(folder, 'out'), attached: false }, host);
    assert.deepEqual(
      storage.asked.map(({ authorization }) => authorization),
      [undefined],
    );
    assert.ok(registry.asked.some(({ authorization }) => authorization !== undefined));
  });

  test('an upload that goes on at another host takes none either', async (t) => {
    const storage = await serve(t, (_, reply) => void reply.writeHead(201).end());
    const registry = await serve(t, ({ method, url, headers }, reply) => {
      if (headers.authorization === undefined && url !== '/v2/')
        return void reply.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
      if (method === 'HEAD') reply.writeHead(404).end();
      else if (method === 'POST') reply.writeHead(202, { location: `http://${storage.host}/u?id=1` }).end();
      else if (method === 'PUT') reply.writeHead(201).end();
      else reply.end();
    });
    const { registries } = reach(t, named);
    const repository = registries.repository({ registry: registry.host, name: 'a' });
    assert.equal(await repository.putBlob(LAYER, memory(BLOB)), true);
    assert.deepEqual(
      storage.asked.map(({ method, authorization }) => [method, authorization]),
      [['PUT', undefined]],
    );
  });

  test('the password of the environment goes to one registry', async (t) => {
    const want: Answer = (_, reply) => void reply.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
    const [first, second] = [await serve(t, want), await serve(t, want)];
    const { host, folder } = reach(t, named);
    const options = { output: join(folder, 'out'), attached: false };
    assert.equal((await failure(pull(`oci://${first.host}/a:1`, options, host))).code, 'REGISTRY_DENIED');
    const other = await failure(pull(`oci://${second.host}/a:1`, options, host));
    assert.match(other.message, /OSBUILDER_REGISTRY_HOST/);
    assert.ok(second.asked.every(({ authorization }) => authorization === undefined));
    assert.ok(first.asked.some(({ authorization }) => authorization !== undefined));
  });

  test('a registry on another machine must speak TLS', async (t) => {
    const { host: at } = await serve(t, honest);
    const { host, folder } = reach(t, {}, '127.0.0.1');
    const port = at.split(':')[1]!;
    const options = { output: join(folder, 'out'), attached: false };
    const found = await failure(pull(`oci://registry.example:${port}/a/b:1`, options, host));
    assert.equal(found.code, 'REGISTRY_PLAIN');
    assert.match(found.message, /registryPlainHttp/);
  });

  test('files of docker and podman: the longest path counts, programs are named', () => {
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    const file = parseAuthFile(
      Buffer.from(
        JSON.stringify({
          auths: {
            'r.example': { auth: base64('all:1') },
            'r.example/a/b': { auth: base64('deep:2:3') },
            'https://index.docker.io/v1/': { auth: base64('hub:4') },
            'kept.example': {},
            'token.example': { identitytoken: 'refresh' },
          },
          credHelpers: { 'h.example': 'pass' },
          credsStore: 'desktop',
        }),
      ),
      'config.json',
    );
    const password = (user: string, word: string) => ({ kind: 'password', user, password: word });
    assert.deepEqual(file.find('r.example', 'a/b/c'), password('deep', '2:3'));
    assert.deepEqual(file.find('r.example', 'a/bc'), password('all', '1'));
    assert.deepEqual(file.find('docker.io', 'library/x'), password('hub', '4'));
    assert.deepEqual(file.find('token.example', 'x'), { kind: 'identity', token: 'refresh' });
    assert.equal(file.find('none.example', 'x'), undefined);
    for (const registry of ['h.example', 'kept.example'])
      assert.throws(
        () => file.find(registry, 'x'),
        (error) => isBuildError(error, 'AUTH_HELPER'),
      );
    for (const text of ['{', '[]', '{"auths": 1}', '{"auths": {"r": {"auth": "bm9jb2xvbg=="}}}', '{"auths": {"r": 1}}'])
      assert.throws(
        () => parseAuthFile(Buffer.from(text), 'f').find('r', 'x'),
        (error) => isBuildError(error, 'AUTH_FILE_INVALID') && !error.message.includes('bm9jb2xvbg'),
      );
  });

  test('challenges as servers write them', () => {
    const read = (header: string) =>
      parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
    assert.deepEqual(read('Bearer realm="https://a/b?c=d,e",service="s \\"q\\"", scope="x"'), [
      ['bearer', { realm: 'https://a/b?c=d,e', service: 's "q"', scope: 'x' }],
    ]);
    assert.deepEqual(read('Negotiate, Basic realm=plain , Digest nonce="1"'), [
      ['negotiate', {}],
      ['basic', { realm: 'plain' }],
      ['digest', { nonce: '1' }],
    ]);
    for (const text of ['', ',,,', '"', 'Basic realm="', '====', 'a = = b']) parseChallenges(text);
  });
});

describe('what breaks off goes on', () => {
  test('a pull goes on where it stopped', async (t) => {
    let cut = true;
    const registry = await serve(t, (asked, reply) => {
      if (!asked.url!.includes('/blobs/') || !cut) return honest(asked, reply);
      cut = false;
      reply.setHeader('content-length', BLOB.length);
      reply.write(BLOB.subarray(0, 4000), () => reply.socket?.end());
    });
    const { host, folder } = reach(t);
    await pull(`oci://${registry.host}/a/b:1`, { output: join(folder, 'out'), attached: false }, host);
    assert.deepEqual(readFileSync(join(folder, 'out/file')), BLOB);
  });

  test('an upload goes on where the registry says that it is', async (t) => {
    const big = Buffer.alloc((20 << 20) + 5, 'kata');
    const layer = { mediaType: 'x/y', digest: `sha256:${sha256(big)}`, size: big.length };
    let stored = Buffer.alloc(0);
    let broken = 0;
    let complete = false;
    const registry = await serve(t, ({ method, url, headers }, reply, body) => {
      const location = '/v2/a/blobs/uploads/1';
      if (method === 'HEAD') reply.writeHead(404).end();
      else if (method === 'POST') reply.writeHead(202, { location }).end();
      else if (method === 'GET' && url === location)
        reply.writeHead(204, { location, range: `0-${stored.length - 1}` }).end();
      else if (method === 'PATCH') {
        assert.equal(headers['content-range'], `${stored.length}-${stored.length + body.length - 1}`);
        if (stored.length > 0 && broken++ < 2) {
          // half of the piece arrived
          stored = Buffer.concat([stored, body.subarray(0, body.length >> 1)]);
          reply.socket?.destroy();
          return;
        }
        stored = Buffer.concat([stored, body]);
        reply.writeHead(202, { location, range: `0-${stored.length - 1}` }).end();
      } else if (method === 'PUT') {
        complete = sha256(stored) === sha256(big);
        reply.writeHead(complete ? 201 : 400).end();
      } else reply.end();
    });
    const { registries } = reach(t);
    const repository = registries.repository({ registry: registry.host, name: 'a' });
    assert.equal(await repository.putBlob(layer, memory(big)), true);
    assert.ok(complete);
    assert.equal(broken, 3);
    assert.equal(registry.asked.filter(({ method }) => method === 'POST').length, 1, 'the same upload');
  });

  test('a registry that forgets an upload gets it anew, and one that always forgets ends in an error', async (t) => {
    const big = Buffer.alloc(9 << 20, 'k');
    const layer = { mediaType: 'x/y', digest: `sha256:${sha256(big)}`, size: big.length };
    for (const [forgets, works] of [
      [1, true],
      [Number.POSITIVE_INFINITY, false],
    ] as const) {
      let left = forgets;
      const registry = await serve(t, ({ method }, reply) => {
        const location = '/v2/a/blobs/uploads/1';
        if (method === 'HEAD' || method === 'GET') reply.writeHead(404).end();
        else if (method === 'POST') reply.writeHead(202, { location }).end();
        else if (method === 'PATCH') reply.writeHead(left-- > 0 ? 404 : 202, { location }).end();
        else reply.writeHead(201).end();
      });
      const { registries } = reach(t);
      const sent = registries.repository({ registry: registry.host, name: 'a' }).putBlob(layer, memory(big));
      if (works) assert.equal(await sent, true);
      else assert.equal((await failure(sent)).code, 'REGISTRY_ANSWER');
      assert.ok(registry.asked.length < 30);
    }
  });

  test('a registry that does not mount gets the blob sent', async (t) => {
    const registry = await serve(t, ({ method, url }, reply) => {
      if (method === 'HEAD') reply.writeHead(404).end();
      else if (method === 'POST' && url!.includes('mount=') && url!.includes('/b/')) reply.writeHead(405).end();
      else if (method === 'POST') reply.writeHead(202, { location: '/v2/u' }).end();
      else if (method === 'PUT') reply.writeHead(201).end();
      else reply.end();
    });
    const { registries } = reach(t);
    for (const name of ['a', 'b', 'c'])
      assert.equal(await registries.repository({ registry: registry.host, name }).putBlob(LAYER, memory(BLOB)), true);
    const posts = registry.asked
      .filter(({ method }) => method === 'POST')
      .map(({ url }) => url.replace(/mount=[^&]*/, 'mount'));
    assert.deepEqual(posts, [
      '/v2/a/blobs/uploads/',
      '/v2/b/blobs/uploads/?mount&from=a',
      '/v2/b/blobs/uploads/',
      '/v2/c/blobs/uploads/?mount&from=b',
    ]);
  });
});

test('a remote cache that is lost is one warning, and the mirror has the file', async (t) => {
  const mirrorServer = await serve(t, (_, reply) => void reply.end(BLOB));
  for (const [lie, lost] of [
    [((_, reply) => void reply.writeHead(500).end()) as Answer, true],
    [
      ((asked, reply) => void (asked.url === '/v2/' ? reply.end() : reply.end(Buffer.alloc(BLOB.length)))) as Answer,
      true,
    ],
    [((asked, reply) => void (asked.url === '/v2/' ? reply.end() : reply.writeHead(404).end())) as Answer, false],
  ] as const) {
    const registry = await serve(t, lie);
    const { mirror, registries, events, folder } = reach(t);
    const repository = registries.repository({ registry: registry.host, name: 'cache' });
    mirror.lookFirst(new RegistryCache(repository, { write: false, report: (event) => void events.push(event) }));
    const digest = { algorithm: 'sha256' as const, hex: sha256(BLOB) };
    const path = await mirror.fetch({
      urls: [`http://${mirrorServer.host}/f`],
      size: BLOB.length,
      digest,
      category: 'archives',
    });
    assert.deepEqual(readFileSync(path), BLOB);
    const warnings = events.flatMap((event) => (event.kind === 'warning' ? [event.code] : []));
    assert.deepEqual(warnings, lost ? ['REMOTE_CACHE_UNUSED'] : []);
    assertClean(folder, events);
  }
});

test('a push to an archive, and a pull from it', async (t) => {
  const { host, folder } = reach(t);
  const source = join(folder, 'source.bin');
  const { pour } = await import('../../src/bytes/pour.ts');
  await pour(memory(BLOB).open(), source);
  for (const to of [`oci-archive:${folder}/a.tar:t`, `oci:${folder}/layout:t`]) {
    const first = await push(to, [source], {}, host);
    const second = await push(to, [source], {}, host);
    assert.equal(first.digest, second.digest);
    const { files } = await pull(to, { output: join(folder, 'out'), attached: false }, host);
    assert.deepEqual(readFileSync(files[0]!.path), BLOB);
  }
  const nothing = await failure(pull(`oci:${folder}/layout:other`, { output: folder, attached: false }, host));
  assert.equal(nothing.code, 'NOT_FOUND');
  assert.equal((await failure(push(`oci:${folder}/layout`, [folder], {}, host))).code, 'ARTIFACT_FILES');
  assert.equal((await failure(push('docker-archive:x', [source], {}, host))).code, 'REFERENCE_INVALID');
  assert.equal((await collect(memory(BLOB).open())).length, BLOB.length);
});

test('references', () => {
  const hex = 'a'.repeat(64);
  for (const [text, expected] of [
    ['oci://h/n', { registry: 'h', name: 'n', tag: 'latest' }],
    ['oci://h:5/a/b_c:T.1', { registry: 'h:5', name: 'a/b_c', tag: 'T.1' }],
    [`oci://h/a@sha256:${hex}`, { registry: 'h', name: 'a', digest: `sha256:${hex}` }],
    [`oci://[::1]:5/a:t@sha256:${hex}`, { registry: '[::1]:5', name: 'a', tag: 't', digest: `sha256:${hex}` }],
    ['docker://alpine', { registry: 'docker.io', name: 'library/alpine', tag: 'latest' }],
    ['docker://me/x:1', { registry: 'docker.io', name: 'me/x', tag: '1' }],
    ['docker://localhost/x', { registry: 'localhost', name: 'x', tag: 'latest' }],
    ['oci:dir', { path: 'dir' }],
    ['oci:/a:b/c', { path: '/a:b/c' }],
    ['oci-archive:f.tar:t', { path: 'f.tar', tag: 't' }],
  ] as const) {
    const { kind: _, text: written, ...found } = referenceOf(text);
    assert.deepEqual([written, found], [text, expected]);
  }
  for (const text of [
    'oci://h',
    'oci:///n',
    'oci://h/N',
    'oci://h/a//b',
    'oci://h/a:',
    'oci://h/a@sha256:1',
    'oci://h:70000/a',
    'oci:',
    'oci://h/../b',
    'docker:x',
    'file',
    `oci://h/${'a'.repeat(5000)}`,
    `oci://u:${PASSWORD}@h/a`,
    `oci://u:p/${PASSWORD}@h/a:1`,
  ])
    assert.throws(
      () => referenceOf(text),
      (error) => isBuildError(error, 'REFERENCE_INVALID') && !error.message.includes(PASSWORD),
      text,
    );
  for (const path of ['./oci', 'dir/oci:x', 'C:\\x', 'rootfs.tar', 'ocis:x']) assert.equal(isReference(path), false);
});
