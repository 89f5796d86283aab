import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openRepositories } from '../../../src/families/apk/repository.ts';
import { resolve } from '../../../src/families/apk/resolve.ts';
import { Cache } from '../../../src/fetch/cache.ts';
import { Mirror } from '../../../src/fetch/mirror.ts';
import { closePool } from '../../../src/workers/shared.ts';
import { APK_NEEDS, ApkTools } from '../../support/apk-tools.ts';
import { apk, apkRepository, type SmallApk, testKey, writeFiles } from '../../support/apks.ts';
import { needs, random, temporary } from '../../support/data.ts';

/** Names without a version that packages provide: apk chooses a provider only by priority or when it is asked for. */

const skip = process.arch === 'x64' ? needs({ ...APK_NEEDS, root: true }) : 'x86_64 alone';

test.after(() => closePool());

/** Requests over random small repositories in which most names are virtual; OSBUILDER_APK_SEED changes them. */
const SEED = Number(process.env['OSBUILDER_APK_SEED'] ?? 7);
const ROUNDS = 4;
const WORLDS = 30;

function packagesOf(seed: number): SmallApk[] {
  const { below, pick } = random(seed);
  const virtuals = ['v1', 'v2', 'v3', '/bin/v4', 'cmd:v5'];
  return Array.from({ length: 9 }, (_, i): SmallApk => {
    const provides = virtuals
      .filter(() => below(5) === 0)
      .map((name) => (below(3) === 0 ? `${name}=1.${below(3)}` : name));
    const depend = [...virtuals, ...Array.from({ length: i }, (__, j) => `p${j}`)].filter(() => below(6) === 0);
    return {
      name: `p${i}`,
      version: `${1 + below(2)}-r0`,
      fields: {
        ...(provides.length === 0 ? {} : { provides }),
        ...(depend.length === 0 ? {} : { depend }),
        ...(below(4) === 0 ? { provider_priority: String(pick([10, 20])) } : {}),
      },
    };
  });
}

const FIXED: SmallApk[] = [
  { name: 'sole', fields: { provides: ['virtual'] } },
  { name: 'needs-sole', fields: { depend: ['virtual'] } },
  { name: 'preferred', fields: { provides: ['other'], provider_priority: '10' } },
  { name: 'needs-preferred', fields: { depend: ['other'] } },
  { name: 'versioned', fields: { provides: ['third=1'] } },
  { name: 'needs-versioned', fields: { depend: ['third'] } },
];

async function compare(
  t: { after(fn: () => void): void },
  packages: readonly SmallApk[],
  worlds: readonly string[][],
): Promise<string[]> {
  const folder = temporary(t);
  const mine = join(folder, 'mine');
  writeFiles(
    mine,
    apkRepository(
      'x86_64',
      packages.map((one) => apk(one)),
    ),
  );
  const tools = new ApkTools(folder);
  const keys = join(folder, 'keys');
  mkdirSync(keys);
  for (const name of readdirSync(tools.keys)) symlinkSync(join(tools.keys, name), join(keys, name));
  writeFileSync(join(keys, testKey().name), testKey().pem);
  const mirror = new Mirror({ cache: new Cache(join(folder, 'cache')) });
  t.after(() => void mirror.close());
  const repositories = await openRepositories(
    [{ mirrors: [mine], keyring: { name: 'test keys', keys: [testKey()] } }],
    'x86_64',
    mirror,
  );
  const root = join(folder, 'root');
  mkdirSync(root);
  const where = ['--root', root, '--no-progress', '--keys-dir', keys, '--no-cache'];
  where.push('--repositories-file', '/dev/null', '--repository', mine);
  const made = await tools.run([...where, '--initdb', 'add']);
  assert.equal(made.code, 0, made.stderr);
  const differences: string[] = [];
  for (const world of worlds) {
    const result = await tools.run([...where, '--simulate', 'add', ...world]);
    if (result.code !== 0) assert.match(result.stdout + result.stderr, /unable to select packages/);
    const theirs =
      result.code === 0
        ? [...result.stdout.matchAll(/Installing (\S+) \((\S+)\)/g)]
            .map(([, name, version]) => `${name}=${version}`)
            .sort()
            .join(' ')
        : 'rejected';
    let ours: string;
    try {
      ours = resolve(world, repositories, 'x86_64', () => {})
        .map(({ package: one }) => `${one.name}=${one.version}`)
        .sort()
        .join(' ');
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error)) throw error;
      ours = 'rejected';
    }
    if (ours !== theirs) differences.push(`${world.join(' ')}: ours ${ours}; apk's ${theirs}`);
  }
  return differences;
}

test('the sole provider of a name without a version is chosen only by priority or by name', { skip }, async (t) => {
  const worlds = [
    ['needs-sole'],
    ['needs-sole', 'sole'],
    ['virtual'],
    ['needs-preferred'],
    ['other'],
    ['needs-versioned'],
    ['third'],
  ];
  assert.deepEqual(await compare(t, FIXED, worlds), []);
});

test(`random virtual names from seed ${SEED}: apk's own answers`, { skip }, async (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const { below } = random(SEED + 100 * round);
    const packages = packagesOf(SEED + round);
    const names = [...packages.map(({ name }) => name), 'v1', 'v2', 'v3', '/bin/v4', 'cmd:v5'];
    const worlds = Array.from({ length: WORLDS }, () => {
      const world = names.filter(() => below(names.length) < 2);
      return world.length === 0 ? [names[below(names.length)]!] : world;
    });
    assert.deepEqual(await compare(t, packages, worlds), [], `seed ${SEED + round}`);
  }
});
