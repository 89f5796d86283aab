import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { osbuilder, type Result } from '../support/cli.ts';
import { needs, random, temporary } from '../support/data.ts';
import type { SmallDeb } from '../support/debs.ts';
import { atOperation, countOperations } from '../support/moments.ts';
import { RPM_TOOLS } from '../support/rpms.ts';
import { serve } from '../support/server.ts';
import { SMALL_PACKAGES, smallFlags, smallRepository } from '../support/small-guest.ts';
import { smallRpmFlags, smallRpmRepository } from '../support/small-rpms.ts';
import { noise } from '../support/trees.ts';

/** Data that takes some time to download, unpack and compress. */
const LARGE: SmallDeb = {
  name: 'large',
  files: [{ name: './usr/' }, { name: './usr/large', data: noise(1_500_000) }],
};
const OUTPUTS = ['r.tar', 'i.img', 'k.img'];
const EXTRA = ['--agent', 'demo', '--agent-init', '--rootfs', 'r.tar', '--initrd', 'i.img', '--image', 'k.img'];

/** A package family: a small repository of it, and what is fetched of that. */
interface Kind {
  readonly name: string;
  readonly skip: string | false;
  /** How often it is killed. */
  readonly kills: number;
  /** What comes in, and the path it comes from. */
  readonly downloads: readonly (readonly [what: string, path: RegExp])[];
  repository(folder: string): Promise<{ readonly root: string; readonly keyring: string }>;
  flags(root: string, keyring: string, cache: string): string[];
}

const KINDS: readonly Kind[] = [
  {
    name: 'apt',
    skip: false,
    kills: 50,
    downloads: [
      ['the signed list', /\/InRelease$/],
      ['a package list', /by-hash|Packages/],
      ['a package', /\/large_1_amd64\.deb$/],
    ],
    repository: (folder) => smallRepository(folder, {}, [...SMALL_PACKAGES, LARGE]),
    flags: (...words) => [...smallFlags(...words), '--extra-pkgs', 'large'],
  },
  {
    name: 'rpm',
    skip: needs({ tools: RPM_TOOLS }),
    kills: 20,
    downloads: [
      ['the table of contents', /\/repomd\.xml$/],
      ['its signature', /\/repomd\.xml\.asc$/],
      ['a package list', /primary\.xml/],
      ['a package', /\/libsmall-1-1\.noarch\.rpm$/],
    ],
    repository: async (folder) => smallRpmRepository(folder),
    flags: smallRpmFlags,
  },
];

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

type Scene = Awaited<ReturnType<typeof setUp>>;
const shared = new Map<Kind, Promise<Scene>>();
const closing: (() => void | Promise<void>)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
});

/** One repository and two undisturbed builds for all tests; each begins with nothing cached and nothing written. */
async function scene(kind: Kind): Promise<Scene> {
  if (!shared.has(kind)) shared.set(kind, setUp({ after: (close) => void closing.push(close) }, kind));
  const made = await shared.get(kind)!;
  made.empty();
  return made;
}

async function setUp(t: { after(fn: () => void | Promise<void>): void }, kind: Kind) {
  const folder = temporary(t);
  const { root, keyring } = await kind.repository(folder);
  const server = await serve(t, root);
  const cache = join(folder, 'cache');
  const out = join(folder, 'out');
  const tmp = join(folder, 'tmp');
  mkdirSync(out);
  mkdirSync(tmp);
  const run = (started?: (child: ChildProcess) => void, env: Record<string, string> = {}): Promise<Result> =>
    osbuilder(['build', ...kind.flags(server.url, keyring, cache), ...EXTRA], {
      cwd: out,
      env: { http_proxy: '', TMPDIR: tmp, ...env },
      ...(started === undefined ? {} : { started }),
    });
  const undisturbed = () =>
    countOperations(folder, async (env) => {
      const result = await run(undefined, env);
      assert.equal(result.code, 0, result.stderr);
    });
  const operations = { empty: await undisturbed(), filled: await undisturbed() };
  assert.ok(operations.filled > 50 && operations.empty > operations.filled, JSON.stringify(operations));
  const whole = new Map(OUTPUTS.map((name) => [name, readFileSync(join(out, name))]));
  const empty = () => {
    for (const name of readdirSync(out)) rmSync(join(out, name), { recursive: true });
    rmSync(cache, { recursive: true, force: true });
  };
  return { server, cache, out, tmp, run, operations, whole, empty };
}

const hidden = (folder: string) => {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(part|download)$/.test(name));
  } catch {
    return [];
  }
};

for (const kind of KINDS)
  test(`${kind.name}: killed at ${kind.kills} moments: outputs are whole or absent, and the next build gives the same bytes`, {
    skip: kind.skip,
  }, async (t) => {
    const seed = Number(process.env['OSBUILDER_TEST_SEED'] ?? Date.now() % 1_000_000);
    t.diagnostic(`seed ${seed}`);
    const { next } = random(seed);
    const { cache, out, run, operations, whole, empty } = await scene(kind);
    let killed = 0;
    let appeared = 0;
    for (let i = 0; i < kind.kills; i++) {
      // most builds continue with the cache of a killed one, some start with an empty one
      if (i % 5 === 0) empty();
      for (const name of OUTPUTS) rmSync(join(out, name), { force: true });
      // one moment in each part of a build; the cache is nearly empty at first, and filled later
      const length = i % 5 < 2 ? operations.empty : operations.filled;
      const moment = 1 + Math.floor(((i + next()) / kind.kills) * length);
      const result = await run(undefined, atOperation(moment, 'SIGKILL'));
      if (result.signal === 'SIGKILL') killed++;
      else assert.equal(result.code, 0, result.stderr);
      for (const name of readdirSync(out)) {
        if (name.startsWith('.')) continue;
        appeared++;
        assert.ok(whole.get(name)?.equals(readFileSync(join(out, name))), `seed ${seed}, kill ${i}: ${name}`);
      }
      if (i % 5 !== 4) continue;
      const again = await run();
      assert.equal(again.code, 0, `seed ${seed}, after kill ${i}: ${again.stderr}`);
      for (const [name, bytes] of whole)
        assert.ok(bytes.equals(readFileSync(join(out, name))), `seed ${seed}, after kill ${i}: ${name}`);
      assert.deepEqual(hidden(out), [], 'the next build removes what a killed one left beside its outputs');
      assert.deepEqual(hidden(cache), [], 'and in the cache');
    }
    t.diagnostic(`${killed} of ${kind.kills} killed, ${appeared} outputs had appeared`);
    assert.ok(killed >= kind.kills / 2 && appeared > 0);
  });

for (const kind of KINDS)
  for (const [i, [what, path]] of kind.downloads.entries())
    for (const signal of kind.kills < 50 ? [SIGNALS[i % SIGNALS.length]!] : SIGNALS)
      test(`${kind.name}: ${signal} while ${what} comes in: 130, and nothing stays behind`, {
        skip: kind.skip,
      }, async () => {
        const { server, cache, out, tmp, run, whole } = await scene(kind);
        const asked = server.requests.map((one) => one.path).find((one) => path.test(one))!;
        let arrived = () => {};
        const there = new Promise<void>((resolve) => {
          arrived = resolve;
        });
        // the answer stays away until the program has got its signal
        let release = () => {};
        const held = new Promise<void>((resolve) => {
          release = resolve;
        });
        server.fault(asked, {
          times: 1,
          wait: () => {
            arrived();
            return held;
          },
        });
        const result = await run((child) => void there.then(() => child.kill(signal)));
        release();
        assert.equal(result.code, 130, result.stderr);
        assert.match(result.stderr, /interrupted/);
        assert.equal(result.stdout, '');
        assert.deepEqual(readdirSync(out), []);
        assert.deepEqual(readdirSync(tmp), []);
        const again = await run();
        assert.equal(again.code, 0, again.stderr);
        for (const [name, bytes] of whole) assert.ok(bytes.equals(readFileSync(join(out, name))), name);
        assert.deepEqual(hidden(cache), []);
      });

for (const kind of KINDS)
  test(`${kind.name}: stopped by signals at ten moments: 130 or done, and nothing incomplete`, {
    skip: kind.skip,
  }, async (t) => {
    const seed = Number(process.env['OSBUILDER_TEST_SEED'] ?? Date.now() % 1_000_000);
    t.diagnostic(`seed ${seed}`);
    const { next } = random(seed);
    const { out, tmp, run, operations, whole, empty } = await scene(kind);
    for (let i = 0; i < 10; i++) {
      empty();
      const moment = 1 + Math.floor(((i + next()) / 10) * operations.empty);
      const result = await run(undefined, atOperation(moment, i % 2 === 0 ? 'SIGINT' : 'SIGTERM'));
      // a signal before the program listens for it ends the process directly
      assert.ok(
        result.code === 130 || result.code === 0 || result.signal !== null,
        `seed ${seed}: ${result.code} ${result.stderr}`,
      );
      for (const name of readdirSync(out))
        assert.ok(whole.get(name)?.equals(readFileSync(join(out, name))), `seed ${seed}, stop ${i}: ${name}`);
      assert.deepEqual(readdirSync(tmp), [], `seed ${seed}, stop ${i}`);
    }
  });
