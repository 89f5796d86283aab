import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { familyOf } from '../../src/families/families.ts';
import { orderOf } from '../../src/pipeline/order.ts';
import { gather } from '../../src/settings/gather.ts';
import type { SettingKey } from '../../src/settings/table.ts';
import { apk, apkRepository, testKey, writeFiles } from '../support/apks.ts';
import { needs, temporary, tool } from '../support/data.ts';
import { deb } from '../support/debs.ts';
import { testHost } from '../support/host.ts';
import { RPM_TOOLS } from '../support/rpms.ts';
import { smallRepository } from '../support/small-guest.ts';
import { SMALL_RPM_HOME, smallRpmRepository } from '../support/small-rpms.ts';

/** Names that folders have: blanks, percent signs, characters that mean something in URLs, other alphabets. */
const NAMES = ['plain', 'a b', 'a%20b', '100% real', 'q?x#y', "it's", '~', 'größe', '仓库'];

/** Ways to write a folder, as the command line takes it. */
const SPELLINGS: readonly { readonly as: string; readonly write: (folder: string) => string }[] = [
  { as: 'path', write: (folder) => folder },
  { as: 'path with a slash at its end', write: (folder) => `${folder}/` },
  { as: 'relative path', write: (folder) => relative(process.cwd(), folder) },
  { as: 'file URL', write: (folder) => pathToFileURL(folder).href },
  { as: 'file URL with a host', write: (folder) => pathToFileURL(folder).href.replace('file://', 'file://localhost') },
  { as: 'file URL with one slash', write: (folder) => pathToFileURL(folder).href.replace('file://', 'file:') },
];

const isUrl = (text: string) => text.startsWith('file:');

/** Plans and fetches with these settings; the packages' names and versions. */
async function planned(t: Parameters<typeof testHost>[0], cache: string, flags: Partial<Record<SettingKey, string[]>>) {
  const host = { ...testHost(t, { cache }), hostSources: [], readFile: (path: string) => readFileSync(path) };
  const settings = gather({ flags: new Map(Object.entries(flags) as [SettingKey, string[]][]), environment: {} });
  const order = orderOf({ settings, hostArchitecture: 'x86_64' });
  const family = await familyOf(order);
  family.validate(order, host);
  const plan = await family.plan(order, host);
  assert.equal((await family.fetch(plan, host)).length, plan.chosen.length);
  return plan.chosen.map((one) => `${one.package.name} ${one.package.version}`);
}

test('apt: a signed repository in any folder, spelled in any way, as mirror and as further repository', async (t) => {
  const folder = temporary(t);
  const cache = join(folder, 'cache');
  const { root, keyring } = await smallRepository(folder);
  const common = {
    distro: ['debian'],
    osVersion: ['trixie'],
    arch: ['amd64'],
    packages: ['extra'],
    keyring: [keyring],
  };
  const expected = await planned(t, cache, { ...common, repoUrl: [root] });
  assert.ok(expected.length > 1);
  for (const name of NAMES) {
    const copy = join(folder, name);
    cpSync(root, copy, { recursive: true });
    for (const { as, write } of SPELLINGS) {
      const text = write(copy);
      assert.deepEqual(await planned(t, cache, { ...common, repoUrl: [text] }), expected, `${name}: ${as}`);
      // blanks end the URL in apt's one-line form, so there they are percent-encoded
      if (/\s/.test(text)) continue;
      const line = `[signed-by=${keyring}] ${text} trixie main`;
      const empty = join(folder, 'unused');
      mkdirSync(empty, { recursive: true });
      assert.deepEqual(await planned(t, cache, { ...common, repoUrl: [root], repo: [line] }), expected, line);
    }
  }
});

test('apt: a folder of packages without an index, in any folder, spelled in any way', async (t) => {
  const folder = temporary(t);
  const cache = join(folder, 'cache');
  const { root, keyring } = await smallRepository(folder);
  const common = {
    distro: ['debian'],
    osVersion: ['trixie'],
    arch: ['amd64'],
    packages: ['mine'],
    keyring: [keyring],
    repoUrl: [root],
  };
  for (const name of NAMES) {
    const own = join(folder, 'own', name);
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, 'mine_1_amd64.deb'), deb({ name: 'mine', files: [] }));
    for (const { as, write } of SPELLINGS)
      assert.ok((await planned(t, cache, { ...common, repo: [write(own)] })).includes('mine 1'), `${name}: ${as}`);
    assert.ok((await planned(t, cache, { ...common, repo: [`[trusted=yes] ${own}`] })).includes('mine 1'), name);
  }
});

for (const [program, flat] of [
  ['dpkg-scanpackages', ['-m', '.']],
  ['apt-ftparchive', ['packages', '.']],
] as const)
  test(`apt: a flat repository as ${program} makes it`, { skip: needs({ tools: [program] }) }, async (t) => {
    const folder = temporary(t);
    const cache = join(folder, 'cache');
    const { root, keyring } = await smallRepository(folder);
    const own = join(folder, 'my own%20packages');
    mkdirSync(own);
    writeFileSync(join(own, 'mine_1_amd64.deb'), deb({ name: 'mine', files: [] }));
    const run = (name: string, args: readonly string[]) =>
      execFileSync(tool(name)!, args, { cwd: own, stdio: ['ignore', 'pipe', 'ignore'] });
    const list = run(program, flat);
    writeFileSync(join(own, 'Packages'), list);
    const hash = (await import('node:crypto')).createHash('sha256').update(list).digest('hex');
    writeFileSync(
      join(own, 'Release'),
      `Date: Sat, 10 Jan 2026 12:00:00 UTC\nArchitectures: amd64\nSHA256:\n ${hash} ${list.length} Packages\n`,
    );
    const line = `[trusted=yes] ${pathToFileURL(own).href} ./`;
    const flags = {
      distro: ['debian'],
      osVersion: ['trixie'],
      arch: ['amd64'],
      packages: ['mine'],
      keyring: [keyring],
      repoUrl: [root],
      repo: [line],
    };
    assert.ok((await planned(t, cache, flags)).includes('mine 1'));
  });

test('apk: a signed repository and a folder of packages, in any folder, spelled in any way', async (t) => {
  const folder = temporary(t);
  const cache = join(folder, 'cache');
  const made = [apk({ name: 'mine' })];
  const key = testKey();
  const keyring = join(folder, key.name);
  writeFileSync(keyring, key.pem);
  const common = {
    distro: ['alpine'],
    osVersion: ['3.19'],
    agentInit: ['yes'],
    arch: ['x86_64'],
    packages: ['mine'],
    keyring: [keyring],
  };
  for (const name of NAMES) {
    const root = join(folder, name);
    writeFiles(root, apkRepository('v3.19/main/x86_64', made));
    writeFiles(root, apkRepository('v3.19/community/x86_64', []));
    writeFiles(join(root, 'loose'), Object.fromEntries(made.map((one) => [one.file, one.bytes])));
    for (const { as, write } of SPELLINGS) {
      const text = write(root);
      const found = (list: readonly string[]) => list.some((one) => one.startsWith('mine '));
      assert.ok(found(await planned(t, cache, { ...common, repoUrl: [text] })), `${name}: ${as}`);
      const end = isUrl(text) ? '/loose' : `${text.endsWith('/') ? '' : '/'}loose`;
      assert.ok(
        found(
          await planned(t, cache, {
            ...common,
            repoUrl: [root],
            repo: [text.replace(/\/$/, '') + end.replace(/^(?!\/)/, '/')],
          }),
        ),
        `${name}: ${as}, further`,
      );
    }
  }
});

test('rpm: a signed repository and a folder of packages, in any folder, spelled in any way', {
  skip: needs({ tools: RPM_TOOLS }),
}, async (t) => {
  const folder = temporary(t);
  const cache = join(folder, 'cache');
  const { root, keyring } = smallRpmRepository(folder);
  const common = {
    ...{ distro: ['cbl-mariner'], osVersion: ['3.0'], arch: ['x86_64'], packages: ['tools'], keyring: [keyring] },
  };
  const expected = await planned(t, cache, { ...common, repoUrl: [root] });
  assert.ok(expected.length > 1);
  for (const name of NAMES) {
    const copy = join(folder, name);
    cpSync(root, copy, { recursive: true });
    const loose = join(copy, 'loose');
    mkdirSync(loose);
    const home = join(copy, SMALL_RPM_HOME);
    for (const file of readdirSync(home)) if (file.endsWith('.rpm')) cpSync(join(home, file), join(loose, file));
    for (const { as, write } of SPELLINGS) {
      assert.deepEqual(await planned(t, cache, { ...common, repoUrl: [write(copy)] }), expected, `${name}: ${as}`);
      // blanks end the URL, so there they are percent-encoded
      for (const further of [write(home), write(loose)])
        if (!/\s/.test(further))
          assert.deepEqual(await planned(t, cache, { ...common, repoUrl: [root], repo: [further] }), expected, further);
    }
    // the mirror's folder itself, with metadata and without
    for (const own of [home, loose])
      assert.deepEqual(await planned(t, cache, { ...common, repoUrl: [own] }), expected, own);
  }
});
