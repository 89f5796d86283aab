import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Event } from '../../src/events/events.ts';
import { assemble, planOrder } from '../../src/families/assemble.ts';
import { familyOf } from '../../src/families/families.ts';
import type { Family, Plan } from '../../src/families/family.ts';
import { Cache } from '../../src/fetch/cache.ts';
import type { Host } from '../../src/fetch/host.ts';
import type { Package } from '../../src/fetch/package.ts';
import { orderOf } from '../../src/pipeline/order.ts';
import { gather } from '../../src/settings/gather.ts';
import type { SettingKey, Settings } from '../../src/settings/table.ts';
import { History } from '../../src/tree/history.ts';
import { type AbstractPackage, FAMILIES_UNDER_TEST, type MadeRepository } from '../support/family-repository.ts';
import { testHost } from '../support/host.ts';
import { type StaticServer, serve } from '../support/server.ts';
import { dump } from '../support/trees.ts';

/** The tree of a set of packages is kept, for every family: a hit is the same as a miss in everything. */

const EPOCH = 1_600_000_000;
const CODE = 'this code';

/** A guest with the package manager's database, and one without it. */
const WHOLE = { rootfsOnly: 'true' };
const REDUCED = { rootfsOnly: 'false', agent: 'demo', agentInit: 'true' };

for (const family of FAMILIES_UNDER_TEST)
  describe(`kept trees of ${family.family}`, () => {
    let folder: string;
    let made: MadeRepository;
    let server: StaticServer;
    const closing: (() => void | Promise<void>)[] = [];

    const PACKAGES: readonly AbstractPackage[] = [
      {
        name: 'base',
        files: [
          ...['etc/', 'usr/', 'usr/bin/'].map((name) => ({ name })),
          { name: 'etc/passwd', data: 'root:x:0:0:root:/root:/bin/sh\n' },
          { name: 'etc/group', data: 'root:x:0:\n' },
          { name: 'usr/bin/large', data: 'large'.repeat(100_000), mode: 0o755 },
          { name: 'usr/bin/again', type: '1', link: 'usr/bin/large', mode: 0o755 },
        ],
      },
      { name: 'account', depends: ['base'], script: family.makeUser },
      { name: 'odd', depends: ['base'], script: 'frobnicate --all\necho on > /etc/odd' },
      { name: 'failing', depends: ['base'], script: 'exit 3' },
      { name: 'other', files: [{ name: 'etc/' }, { name: 'etc/other', data: 'other' }] },
    ];

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'osbuilder-kept-'));
      made = await family.make(folder, PACKAGES);
      server = await serve({ after: (fn) => void closing.push(fn) }, made.root);
    });
    after(async () => {
      for (const close of closing) await close();
      rmSync(folder, { recursive: true, force: true });
    });

    function settingsOf(packages: string, more: Readonly<Record<string, string>> = {}): Settings {
      const flags = new Map<SettingKey, string[]>();
      const set = (name: string, value: string) =>
        flags.set(name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()) as SettingKey, [value]);
      for (let i = 0; i < family.flags.length; i += 2) set(family.flags[i]!.slice(2), family.flags[i + 1]!);
      const rest = { packages, repoUrl: server.url, keyring: made.keyring, ...WHOLE, ...more };
      for (const [name, value] of Object.entries(rest)) set(name, value);
      return gather({ flags, environment: {} });
    }

    interface Assembling {
      readonly cache: string;
      readonly packages?: string;
      readonly settings?: Readonly<Record<string, string>>;
      readonly epoch?: number;
      readonly code?: string;
      readonly history?: History;
      readonly limits?: { readonly package: number; readonly build: number };
      change?(family: Family, plan: Plan): Family;
    }

    /** Assembles, and says whether the packages were configured, with everything that can be told of it. */
    async function assembled(given: Assembling) {
      const { cache: name, packages = 'account,odd,failing', epoch = EPOCH, code = CODE, history, change } = given;
      const hooks: (() => void | Promise<void>)[] = [];
      try {
        const events: Event[] = [];
        const report = (event: Event) => void events.push(event);
        const cache = join(folder, name);
        const host: Host = {
          ...testHost({ after: (fn) => void hooks.push(fn) }, { cache, report }),
          cache: new Cache(cache, given.limits === undefined ? {} : { limits: given.limits }),
        };
        const order = orderOf({ settings: settingsOf(packages, given.settings), hostArchitecture: 'x86_64' });
        const own = await familyOf(order);
        const plan = await planOrder(own, order, host);
        events.length = 0;
        let configured = false;
        const watched: Family = {
          ...(change?.(own, plan) ?? own),
          configure(inputs, unpacked, options) {
            configured = true;
            // what is not plain data would be lost here
            return own.configure(JSON.parse(JSON.stringify(inputs)), unpacked, options);
          },
        };
        const result = await assemble(watched, plan, epoch, host, {
          code,
          ...(history === undefined ? {} : { history }),
        });
        const { tree, database, scripts, described } = result;
        const facts = await described.facts();
        const owners = [...(await result.owners())];
        const told = { tree: dump(tree), order: namesOf(tree.root), database, scripts, facts, owners, events };
        return { configured, told, plan, archives: described.archives };
      } finally {
        for (const hook of hooks.reverse()) await hook();
      }
    }

    const treesIn = (cache: string) =>
      readdirSync(join(folder, cache, 'trees'), { recursive: true, encoding: 'utf8' })
        .map((one) => join(folder, cache, 'trees', one))
        .filter((path) => /[0-9a-f]{64}$/.test(path));

    test('a hit is the same as a miss: tree, database, reports of scripts, events, facts and owners', async () => {
      for (const settings of [WHOLE, REDUCED]) {
        const cache = `same-${settings.rootfsOnly}`;
        const cold = await assembled({ cache, settings });
        rmSync(join(folder, cache, 'trees'), { recursive: true });
        const miss = await assembled({ cache, settings });
        const hit = await assembled({ cache, settings });
        assert.deepEqual([cold.configured, miss.configured, hit.configured], [true, true, false]);
        assert.deepEqual(hit.told, miss.told);
        assert.deepEqual(withoutProgress(cold.told), withoutProgress(hit.told));
        assert.ok(hit.told.events.filter(({ kind }) => kind === 'warning').length >= 2);
      }
    });

    test('what was noted of entries while they were written is what they are', async () => {
      const cache = 'noted';
      const { archives } = await assembled({ cache });
      const { good, removed } = new Cache(join(folder, cache)).verify();
      assert.deepEqual(removed, []);
      assert.ok(good > 2 * archives.length, `${good} entries`);
    });

    test('what decides on a tree is part of its key; what does not is not', async () => {
      const cache = 'keys';
      await assembled({ cache });
      const configured = async (given: Partial<Assembling>) => (await assembled({ cache, ...given })).configured;
      assert.equal(await configured({}), false);
      assert.equal(await configured({ epoch: EPOCH + 1 }), true);
      assert.equal(await configured({ code: 'other code' }), true);
      assert.equal(await configured({ packages: 'account,odd' }), true);
      assert.equal(await configured({ packages: 'account,odd,failing,other' }), true);
      assert.equal(await configured({ settings: REDUCED }), true);
      assert.equal(await configured({ settings: { remove: '/etc', osbuilderVersion: '7' } }), false);
      assert.equal(await configured({ history: new History() }), true, 'a history needs every step');
      assert.equal(await configured({ code: '' }), true, 'unknown code keeps nothing');
      // another input of any kind
      const change = (own: Family): Family => ({
        ...own,
        inputs: (...of) => ({ ...(own.inputs(...of) as object), x: 1 }),
      });
      assert.equal(await configured({ change }), true);
      assert.equal(await configured({ change }), false);
    });

    test('the same packages of another mirror become the same tree, which is not made again', async () => {
      const cache = 'mirrors';
      // a guest without a database does not say where its packages are from
      const first = await assembled({ cache, settings: REDUCED });
      assert.equal(first.configured, true);
      const other = await serve({ after: (fn) => void closing.push(fn) }, made.root);
      const second = await assembled({ cache, settings: { ...REDUCED, repoUrl: other.url } });
      assert.equal(second.configured, false);
      assert.deepEqual(second.told.tree, first.told.tree);
    });

    test('configuring and recording read no field of a package that is not part of the key', async () => {
      const read = new Set<string>();
      const change = (own: Family): Family => ({
        ...own,
        async unpack(archives, host) {
          const unpacked = await own.unpack(archives, host);
          const watch = <P extends Package>(one: P): P =>
            new Proxy(one, {
              get(of, field) {
                if (typeof field === 'string' && fields.has(field)) read.add(field);
                return Reflect.get(of, field) as unknown;
              },
            });
          return unpacked.map((one) => ({ ...one, package: watch(one.package) }));
        },
        unread: [],
      });
      const fields = new Set((await familyOfFlags()).unread);
      assert.ok(fields.has('urls'));
      assert.equal((await assembled({ cache: 'watched', change })).configured, true);
      assert.deepEqual([...read], []);
    });

    const familyOfFlags = () => familyOf(orderOf({ settings: settingsOf('base'), hostArchitecture: 'x86_64' }));

    test('a tree that is damaged, or whose spools are gone or others, is made again', async () => {
      const cache = 'damaged';
      await assembled({ cache });
      const { told } = await assembled({ cache });
      const [tree] = treesIn(cache);
      const bytes = readFileSync(tree!);
      const spools = () =>
        readdirSync(join(folder, cache, 'spools'), { recursive: true, encoding: 'utf8' })
          .map((one) => join(folder, cache, 'spools', one))
          .filter((path) => /[0-9a-f]{40}/.test(path));
      const damages: readonly (readonly [string, () => void])[] = [
        ['removed', () => rmSync(tree!)],
        ['cut off', () => writeFileSync(tree!, bytes.subarray(0, bytes.length - 3))],
        ['empty', () => writeFileSync(tree!, '')],
        ['other bytes', () => writeFileSync(tree!, Buffer.from(bytes).fill(7, 20, 40))],
        ['a spool is gone', () => rmSync(spools()[0]!)],
        [
          'a spool is damaged',
          () => writeFileSync(spools()[0]!, Buffer.from(readFileSync(spools()[0]!)).fill(1, 3, 5)),
        ],
      ];
      for (const [name, damage] of damages) {
        assert.equal((await assembled({ cache })).configured, false, `before: ${name}`);
        damage();
        const again = await assembled({ cache });
        assert.equal(again.configured, true, name);
        assert.deepEqual(withoutProgress(again.told), withoutProgress(told), name);
      }
      // another spool under the same name, which this program could have made: its offsets may be others
      const [path] = spools();
      const key = path!.slice(path!.lastIndexOf('/') + 1);
      await new Cache(join(folder, cache)).write('spools', key, Buffer.concat([Buffer.from('x'), readFileSync(path!)]));
      assert.equal((await assembled({ cache })).configured, true, 'another spool');
    });

    test('limits of unpacked bytes hold for what is kept', async () => {
      const cache = 'limits';
      await assembled({ cache });
      for (const limits of [
        { package: 100_000, build: 2 ** 40 },
        { package: 2 ** 40, build: 100_000 },
      ])
        await assert.rejects(assembled({ cache, limits }), { code: 'UNPACKED_TOO_LARGE' });
      assert.equal((await assembled({ cache })).configured, false);
    });

    test('a cache that cannot be written to gives what it has, and is no error', async (t) => {
      const cache = 'read-only';
      await assembled({ cache });
      const { told } = await assembled({ cache });
      rmSync(join(folder, cache, 'trees'), { recursive: true });
      writeFileSync(join(folder, cache, 'trees'), 'no folder');
      const again = await assembled({ cache });
      assert.equal(again.configured, true);
      assert.deepEqual(again.told, told);
      rmSync(join(folder, cache, 'trees'));
      await assembled({ cache });
      if (process.getuid?.() === 0) return t.diagnostic('root may write anywhere');
      chmodSync(join(folder, cache, 'trees'), 0o555);
      // for those who remove the folder
      t.after(() => chmodSync(join(folder, cache, 'trees'), 0o755));
      assert.equal((await assembled({ cache })).configured, false);
    });
  });

/** What was said, without how far a step had come: packages that are unpacked again come in another order. */
const withoutProgress = <T extends { readonly events: readonly Event[] }>(told: T): T => ({
  ...told,
  events: told.events.filter(({ kind }) => kind === 'note' || kind === 'warning'),
});

/** Names in the order in which a directory has them. */
function namesOf(of: { readonly children: ReadonlyMap<string, unknown> }): unknown[] {
  return [...of.children].map(([name, child]) =>
    (child as { kind: string }).kind === 'directory' ? [name, namesOf(child as typeof of)] : name,
  );
}
