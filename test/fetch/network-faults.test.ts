import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type LookupFunction, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { BuildError } from '../../src/errors/error.ts';
import { Cache } from '../../src/fetch/cache.ts';
import { Addresses, isInward } from '../../src/fetch/mirror/addresses.ts';
import { type Every, watchPace } from '../../src/fetch/mirror/pace.ts';
import { Mirror, type MirrorOptions, proxiesOf, type Want } from '../../src/fetch/mirror.ts';
import { plan, study } from '../../src/pipeline/plan.ts';
import { temporary } from '../support/data.ts';
import { settings, testHost } from '../support/host.ts';
import { serve } from '../support/server.ts';
import { smallRepository } from '../support/small-guest.ts';

const DATA = Buffer.from('a file of a mirror\n'.repeat(50));

function wantOf(url: string): Want {
  const hex = createHash('sha256').update(DATA).digest('hex');
  return { urls: [url], size: DATA.length, digest: { algorithm: 'sha256', hex }, category: 'archives' };
}

function makeMirror(t: TestContext, options: Partial<MirrorOptions> = {}): Mirror {
  const mirror = new Mirror({
    cache: new Cache(join(temporary(t), 'cache')),
    retries: 0,
    sleep: async () => {},
    timeouts: { connect: 60_000, headers: 60_000, body: 60_000 },
    ...options,
  });
  t.after(() => mirror.close());
  return mirror;
}

async function listen(t: TestContext, server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return (server.address() as AddressInfo).port;
}

/** A port that nothing listens on. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function fails(code: string, message: RegExp, hint?: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof BuildError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    if (hint !== undefined) assert.match(error.hint ?? '', hint);
    return true;
  };
}

test('which addresses are inward', () => {
  for (const host of [
    ...['localhost', 'LOCALHOST', 'x.localhost', 'localhost.', '127.0.0.1', '127.255.0.9', '0.0.0.0', '10.0.0.1'],
    ...['172.16.0.1', '172.31.255.255', '192.168.1.1', '169.254.169.254', '100.64.0.1', '[::1]', '[::]', '[fe80::1]'],
    ...['[fd00::1]', '[fc12::]', '[::ffff:127.0.0.1]', '[::ffff:10.1.2.3]'],
  ])
    assert.ok(isInward(host), host);
  for (const host of [
    ...['example.org', 'localhost.example.org', '8.8.8.8', '172.32.0.1', '172.15.0.1', '11.0.0.1', '192.169.0.1'],
    ...['100.128.0.1', '169.253.0.1', '[2001:db8::1]', '[2a00::1]', '[::ffff:8.8.8.8]', '128.0.0.1'],
  ])
    assert.ok(!isInward(host), host);
});

test('a redirect from a public server to this machine or its network is an error', async (t) => {
  const inner = await serve(t, { '/a': DATA });
  let location = '';
  // as a proxy it plays the public server
  const proxy = await listen(
    t,
    createHttpServer((asked, answer) => {
      if (asked.url!.startsWith('http://mirror.example')) answer.writeHead(302, { location }).end();
      else answer.end(DATA);
    }),
  );
  for (location of [
    `${inner.url}/a`,
    'http://169.254.169.254/latest/meta-data',
    'http://[::1]:1/',
    'http://localhost/a',
    'http://2130706433/a', // 127.0.0.1 as one number
    'http://10.0.0.1/a',
  ]) {
    const mirror = makeMirror(t, { proxy: { http: `http://127.0.0.1:${proxy}`, none: '127.0.0.1' } });
    await assert.rejects(
      mirror.fetch(wantOf('http://mirror.example/a')),
      fails('REDIRECT_REFUSED', /from a public server/),
    );
    await assert.rejects(
      mirror.read('http://mirror.example/a', { limit: 9 }),
      fails('REDIRECT_REFUSED', /public server/),
    );
  }
  assert.equal(inner.requests.length, 0);
  location = 'http://other.example/a';
  await makeMirror(t, { proxy: { http: `http://127.0.0.1:${proxy}` } }).fetch(wantOf('http://mirror.example/a'));
});

test('a name that resolves to an inward address is one, for the connection that is made and not only for a check', async (t) => {
  const answers = new Map([
    ['inner.test', '127.0.0.1'],
    ['outer.test', '203.0.113.7'],
  ]);
  const lookup: LookupFunction = (host, options, done) => {
    const address = answers.get(host)!;
    if (options.all) done(null, [{ address, family: 4 }]);
    else done(null, address, 4);
  };
  const addresses = new Addresses(lookup);
  const asked = (way: LookupFunction, host: string) =>
    new Promise<string>((resolve) => way(host, { all: true }, (error) => resolve(error === null ? 'ok' : error.name)));
  assert.equal(addresses.isInward('inner.test'), false);
  assert.equal(await asked(addresses.guarded, 'inner.test'), 'InwardAddress');
  assert.equal(await asked(addresses.guarded, 'outer.test'), 'ok');
  assert.equal(await asked(addresses.plain, 'inner.test'), 'ok');
  assert.equal(await asked(addresses.plain, 'outer.test'), 'ok');
  assert.equal(addresses.isInward('inner.test'), true);
  assert.equal(addresses.isInward('outer.test'), false);

  // a mirror that is inward itself, by its name, may redirect inward
  const inner = await serve(t, { '/b': DATA });
  inner.fault('/a', { redirect: `http://127.0.0.1:${inner.port}/b` });
  await makeMirror(t, { lookup }).fetch(wantOf(`http://inner.test:${inner.port}/a`));

  // a public server names a host that resolves inward: direct connections are guarded
  const proxy = await listen(
    t,
    createHttpServer((_asked, answer) =>
      answer.writeHead(302, { location: `http://inner.test:${inner.port}/b` }).end(),
    ),
  );
  const guarded = makeMirror(t, { lookup, proxy: { http: `http://127.0.0.1:${proxy}`, none: 'inner.test' } });
  await assert.rejects(
    guarded.fetch(wantOf('http://mirror.example/a')),
    fails('REDIRECT_REFUSED', /from a public server/),
  );
});

/** A clock that a test moves: timers that the mirror starts are called by hand. */
function clock() {
  const timers = new Set<{ readonly milliseconds: number; readonly tick: () => void }>();
  const waiting: { readonly milliseconds: number; start: (tick: () => void) => void }[] = [];
  const every: Every = (milliseconds, tick) => {
    const timer = { milliseconds, tick };
    timers.add(timer);
    waiting.find((one) => one.milliseconds === milliseconds)?.start(tick);
    return () => timers.delete(timer);
  };
  /** The timer of that length, once it has been started. */
  const started = (milliseconds: number) =>
    new Promise<() => void>((resolve) => {
      const found = [...timers].find((timer) => timer.milliseconds === milliseconds);
      if (found !== undefined) resolve(found.tick);
      else waiting.push({ milliseconds, start: resolve });
    });
  return { every, started };
}

test('a body that only drips is given up', async (t) => {
  const big = Buffer.alloc(1_000_000, 1);
  const drop = big.subarray(0, 70_000); // more than the number of bytes after which progress is reported
  let client: Socket | undefined;
  const port = await listen(
    t,
    createServer((socket) => {
      client = socket;
      socket.once('data', () => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${big.length}\r\n\r\n`));
    }),
  );
  const url = `http://127.0.0.1:${port}/a`;
  const timeouts = { connect: 60_000, headers: 60_000, body: 600_000 };
  {
    const { every, started } = clock();
    const mirror = makeMirror(t, { every, timeouts });
    let arrived = () => {};
    mirror.listen((event) => event.kind === 'progress' && arrived());
    const expected = assert.rejects(
      mirror.fetch({ ...wantOf(url), size: big.length }),
      fails('DOWNLOAD_STALLED', /only \d{5,6} bytes came in 600 s, \d{5,6} in all/),
    );
    const half = await started(300_000);
    for (let i = 0; i < 2; i++) {
      const here = new Promise<void>((resolve) => {
        arrived = resolve;
      });
      client!.write(drop);
      await here;
      half();
    }
    await expected;
  }
  {
    const { every, started } = clock();
    const reading = makeMirror(t, { every, timeouts }).read(url, { limit: 10_000 });
    const expected = assert.rejects(reading, fails('DOWNLOAD_STALLED', /nothing came|only \d+ bytes/));
    const half = await started(300_000);
    half();
    half();
    await expected;
  }
});

test('the least rate is of two halves of a window together', () => {
  let tick = () => {};
  let stopped = false;
  const slow: number[] = [];
  const pace = watchPace(
    60_000,
    (error) => slow.push(error.bytes),
    (milliseconds, call) => {
      assert.equal(milliseconds, 30_000);
      tick = call;
      return () => {
        stopped = true;
      };
    },
  );
  const half = (bytes: number) => {
    pace.count(bytes);
    tick();
  };
  half(0); // the first half says nothing
  half(30_000);
  half(0); // one empty half: this program may have been busy
  half(30_000);
  assert.deepEqual(slow, []);
  half(0);
  half(29_999);
  assert.deepEqual(slow, [29_999]);
  pace.stop();
  assert.ok(stopped);
});

test('interim answers without end, and a server that sends nothing else, are given up', async (t) => {
  const interim = 'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n';
  const sending = (count: number) =>
    listen(
      t,
      createServer((socket) => void socket.once('data', () => socket.write(interim.repeat(count)))),
    );
  const flood = await sending(17);
  await assert.rejects(
    makeMirror(t).fetch(wantOf(`http://127.0.0.1:${flood}/a`)),
    fails('CONNECTION_FAILED', /more than 16 interim answers/),
  );
  // each one restarts the client's own timeout, so there is one for the complete request
  const { every, started } = clock();
  const slow = await sending(16);
  const expected = assert.rejects(
    makeMirror(t, { every }).fetch(wantOf(`http://127.0.0.1:${slow}/a`)),
    fails('CONNECTION_FAILED', /no answer within 120 s/),
  );
  (await started(120_000))();
  await expected;
  const few = await listen(
    t,
    createServer((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n');
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${DATA.length}\r\n\r\n${DATA}`);
      });
    }),
  );
  await makeMirror(t).fetch(wantOf(`http://127.0.0.1:${few}/a`));
});

test('a proxy that fails is named, with the variable that it comes from', async (t) => {
  const closed = await closedPort();
  const demanding = await listen(
    t,
    createHttpServer((_asked, answer) => answer.writeHead(407).end()).on('connect', (_asked, socket) =>
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'),
    ),
  );
  const rejecting = await listen(
    t,
    createHttpServer().on('connect', (_asked, socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')),
  );
  for (const [environment, url, message, hint] of [
    [
      { http_proxy: `http://127.0.0.1:${closed}` },
      'http',
      /the proxy http:\S+ \(from http_proxy\): the connection was refused/,
      /check http_proxy/,
    ],
    [
      { HTTPS_PROXY: `http://127.0.0.1:${closed}` },
      'https',
      /\(from HTTPS_PROXY\): the connection was refused/,
      /no_proxy/,
    ],
    [
      { HTTP_PROXY: 'http://proxy.invalid:1' },
      'http',
      /proxy\.invalid:1 \(from HTTP_PROXY\): (there is no such host|the name of the host)/,
      /check HTTP_PROXY/,
    ],
    [
      { http_proxy: `http://u:secret@127.0.0.1:${demanding}` },
      'http',
      /\(from http_proxy\): it asks for a user and a password \(407\)/,
      /USER:PASSWORD/,
    ],
    [{ https_proxy: `127.0.0.1:${demanding}` }, 'https', /\(from https_proxy\): it asks for a user/, /https_proxy/],
    [
      { https_proxy: `127.0.0.1:${rejecting}` },
      'https',
      /it answered 403 when asked for a connection to mirror\.example/,
      /https_proxy/,
    ],
  ] as const) {
    const mirror = makeMirror(t, { proxy: proxiesOf(environment) });
    await assert.rejects(mirror.fetch(wantOf(`${url}://mirror.example/a`)), (error: BuildError) => {
      assert.doesNotMatch(JSON.stringify([error.message, error.hint, error.context]), /secret/);
      return fails('CONNECTION_FAILED', message, hint)(error);
    });
  }
  // without a proxy nothing is blamed on one
  await assert.rejects(makeMirror(t).fetch(wantOf(`http://127.0.0.1:${closed}/a`)), (error: BuildError) => {
    assert.doesNotMatch(error.message, /proxy/);
    return fails('CONNECTION_FAILED', /the connection was refused/)(error);
  });
  assert.deepEqual(proxiesOf({ http_proxy: '', HTTP_PROXY: 'x' }).http, '');
});

test('when the network fails and the cache has everything, --offline is proposed, and does; else it is not', async (t) => {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  const server = await serve(t, root);
  const cache = join(folder, 'cache');
  const flags = {
    distro: 'debian',
    osVersion: 'trixie',
    arch: 'amd64',
    packages: 'extra',
    repoUrl: server.url,
    keyring,
  };
  const hostOf = (offline: boolean) => {
    const mirror = makeMirror(t, { cache: new Cache(cache), offline });
    return { ...testHost(t, { cache }), hostSources: [], mirror };
  };
  const request = { settings: settings(flags), hostArchitecture: 'x86_64' };
  const connectionRefused = (proposal: boolean) => (error: BuildError) => {
    assert.equal((error.hint ?? '').includes('everything this build needs is in the cache: add `offline`'), proposal);
    return fails('CONNECTION_FAILED', /the connection was refused/)(error);
  };
  const { plan: first } = await study(request, hostOf(false));
  await server.close();
  await assert.rejects(plan(request, hostOf(false)), connectionRefused(true));
  await assert.rejects(study(request, hostOf(false)), connectionRefused(true));
  assert.equal((await plan(request, hostOf(true))).chosen.length, first.chosen.length);
  for (const category of ['archives', 'indexes']) {
    rmSync(join(cache, category), { recursive: true });
    await assert.rejects(plan(request, hostOf(false)), connectionRefused(false));
  }
});

test('a download that ends because its mirror is closed is not tried again', async (t) => {
  const events: string[] = [];
  for (const begun of [false, true]) {
    let arrived = () => {};
    const asked = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const server = createHttpServer((_request, response) => {
      if (begun) {
        response.writeHead(200, { 'content-length': DATA.length });
        response.write(DATA.subarray(0, 10));
      }
      arrived();
    });
    const port = await listen(t, server);
    const mirror = makeMirror(t, { retries: 2, report: (event) => void events.push(event.kind) });
    const fetched = assert.rejects(mirror.fetch(wantOf(`http://127.0.0.1:${port}/a.deb`)));
    await asked;
    await mirror.close();
    await fetched;
  }
  assert.ok(!events.includes('retried'), events.join(' '));
});
