import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openRepositories } from '../../../src/families/apk/repository.ts';
import { resolve } from '../../../src/families/apk/resolve.ts';
import { alpineKeyring } from '../../../src/families/apk/signature.ts';
import { Cache } from '../../../src/fetch/cache.ts';
import { Mirror } from '../../../src/fetch/mirror.ts';
import { readDirectory } from '../../../src/tree/directory-read.ts';
import type { Tree } from '../../../src/tree/tree.ts';
import { closePool } from '../../../src/workers/shared.ts';
import { makeRoot } from '../../support/apk-root.ts';
import { ALPINE_SET, APK_NEEDS, type ApkResult, ApkTools, described } from '../../support/apk-tools.ts';
import { apk, apkRepository, type SmallApk, testKey, writeFiles } from '../../support/apks.ts';
import { data, needs, temporary } from '../../support/data.ts';

/** apk's rules about files, folders, scripts and triggers, with packages made for it: apk and we must agree. */

const skip =
  process.arch === 'x64' ? needs({ ...APK_NEEDS, tools: [...APK_NEEDS.tools, 'chroot'], root: true }) : 'x86_64 alone';
/** What scripts need to run, from Alpine's own packages. */
const BASE = ['alpine-baselayout', 'busybox', 'busybox-binsh'];

/** With a base that scripts can run on, and that has the folders' owners. */
function onBase(one: SmallApk): SmallApk {
  const depend = ['alpine-baselayout', 'busybox-binsh', ...[one.fields?.['depend'] ?? []].flat()];
  return { ...one, fields: { ...one.fields, depend } };
}

interface Both {
  /** What we make; the error where we reject. */
  readonly ours: Tree | Error;
  readonly theirs: Tree | undefined;
  readonly result: ApkResult;
}

/** Has apk and us install the same packages in the same order. */
async function both(t: Parameters<typeof temporary>[0], packages: readonly SmallApk[]): Promise<Both> {
  const folder = temporary(t);
  const mine = join(folder, 'mine');
  writeFiles(
    mine,
    apkRepository(
      'x86_64',
      packages.map((one) => apk(onBase(one))),
    ),
  );
  mkdirSync(join(folder, 'set'));
  symlinkSync(data(ALPINE_SET), join(folder, 'set/x86_64'));
  const tools = new ApkTools(folder);
  const keys = join(folder, 'keys');
  mkdirSync(keys);
  for (const name of readdirSync(tools.keys)) symlinkSync(join(tools.keys, name), join(keys, name));
  writeFileSync(join(keys, testKey().name), testKey().pem);
  const world = [...BASE, ...packages.map((one) => one.name)];
  const root = join(folder, 'root');
  const result = await tools.run([
    ...[
      '--root',
      root,
      '--initdb',
      '--no-progress',
      '--keys-dir',
      keys,
      '--no-cache',
      '--repositories-file',
      '/dev/null',
    ],
    ...['--repository', join(folder, 'set'), '--repository', mine, 'add', ...world],
  ]);
  const cache = new Cache(join(folder, 'cache'));
  const mirror = new Mirror({ cache });
  t.after(() => void mirror.close());
  t.after(() => void closePool());
  let ours: Tree | Error;
  try {
    const repositories = await openRepositories(
      [
        { mirrors: [join(folder, 'set')], keyring: alpineKeyring('x86_64') },
        { mirrors: [mine], keyring: { name: 'test keys', keys: [testKey()] } },
      ],
      'x86_64',
      mirror,
    );
    const chosen = resolve(world, repositories, 'x86_64', () => {});
    const report = (event: { kind: string; message?: string }) => {
      if (event.kind === 'warning') assert.fail(event.message);
    };
    const options = { architecture: 'x86_64', epoch: Math.floor(Date.now() / 1000), mirror, cache, record: { world } };
    ours = (await makeRoot(chosen, { ...options, report })).tree;
  } catch (error) {
    ours = error as Error;
  }
  return { ours, theirs: result.code === 0 ? readDirectory(root) : undefined, result };
}

async function agree(t: Parameters<typeof temporary>[0], packages: readonly SmallApk[]): Promise<Tree> {
  const { ours, theirs, result } = await both(t, packages);
  if (ours instanceof Error) throw ours;
  assert.ok(theirs !== undefined, result.stdout + result.stderr);
  const [a, b] = [described(ours), described(theirs)];
  const differing = [...new Set([...a.keys(), ...b.keys()])].sort().filter((path) => a.get(path) !== b.get(path));
  const text = (tree: Tree, path: string) => (tree.stat(path)?.kind === 'file' ? tree.text(path)!.slice(0, 2000) : '');
  assert.deepEqual(
    differing.map((path) => `${path}: ours ${a.get(path)}, apk's ${b.get(path)}`),
    [],
    differing.map((path) => `--- ${path}, ours:\n${text(ours, path)}\n--- apk's:\n${text(theirs, path)}`).join('\n'),
  );
  return ours;
}

const share = [{ name: 'usr/' }, { name: 'usr/share/' }, { name: 'usr/share/x/' }];
const file = (data: string, name = 'usr/share/x/one') => ({ name, data });

test('which package replaces which: by name, by version, by priority, by common origin', { skip }, async (t) => {
  const tree = await agree(t, [
    { name: 'a1', files: [...share, file('a1')] },
    { name: 'a2', fields: { replaces: 'a1', depend: 'a1' }, files: [...share, file('a2')] },
    { name: 'b1', files: [...share, file('b1', 'usr/share/x/b')] },
    { name: 'b2', fields: { replaces: 'b1<2', depend: 'b1' }, files: [...share, file('b2', 'usr/share/x/b')] },
    // the one of lower priority that comes later leaves the file alone
    {
      name: 'c1',
      fields: { replaces: 'c2', replaces_priority: '5' },
      files: [...share, file('c1', 'usr/share/x/c')],
    },
    {
      name: 'c2',
      fields: { replaces: 'c1', replaces_priority: '3', depend: 'c1' },
      files: [...share, file('c2', 'usr/share/x/c')],
    },
    { name: 'd1', origin: 'd', files: [...share, file('d1', 'usr/share/x/d')] },
    { name: 'd2', origin: 'd', fields: { depend: 'd1' }, files: [...share, file('d2', 'usr/share/x/d')] },
  ]);
  assert.equal(tree.text('usr/share/x/one'), 'a2');
  assert.equal(tree.text('usr/share/x/c'), 'c1');
});

test('a file of two packages that do not replace one another is a conflict', { skip }, async (t) => {
  const { ours, theirs, result } = await both(t, [
    { name: 'a1', files: [...share, file('a1')] },
    { name: 'a2', fields: { depend: 'a1', replaces: 'a1>5' }, files: [...share, file('a2')] },
  ]);
  assert.equal(theirs, undefined);
  assert.match(result.stdout + result.stderr, /a2-1-r0: trying to overwrite usr\/share\/x\/one owned by a1-1-r0/);
  assert.equal((ours as { code?: string }).code, 'APK_CONFLICT');
  assert.match((ours as Error).message, /\/usr\/share\/x\/one: a2-1-r0 would overwrite it, but it belongs to a1-1-r0/);
});

test('a changed file below /etc stays, and the package’s own is stored beside it', { skip }, async (t) => {
  const etc = [{ name: 'etc/' }, { name: 'etc/init.d/' }];
  const tree = await agree(t, [
    {
      name: 'changed',
      scripts: {
        'pre-install':
          '#!/bin/sh\nmkdir -p /etc/init.d\necho mine > /etc/changed.conf\necho theirs > /etc/same.conf\necho mine > /etc/init.d/changed\nln -s /nowhere /etc/init.d/link\n',
      },
      files: [
        ...etc,
        file('theirs\n', 'etc/changed.conf'),
        file('theirs\n', 'etc/same.conf'),
        { name: 'etc/init.d/changed', data: 'theirs\n', mode: 0o755 },
        { name: 'etc/init.d/link', data: 'theirs\n', mode: 0o755 },
      ],
    },
  ]);
  assert.equal(tree.text('etc/changed.conf'), 'mine\n');
  assert.equal(tree.text('etc/changed.conf.apk-new'), 'theirs\n');
});

test('folders of several packages, links, nodes, and unusual modes', { skip }, async (t) => {
  await agree(t, [
    {
      name: 'a1',
      files: [
        ...share,
        { name: 'usr/share/strict/', mode: 0o700 },
        { name: 'usr/share/wide/', mode: 0o1777 },
        { name: 'usr/share/owned/', mode: 0o750, uid: 5, gid: 7, user: 'nosuch', group: 'nosuch' },
        { name: 'usr/share/x/suid', data: 'x', mode: 0o4755 },
        { name: 'usr/share/x/first', data: 'linked' },
        { name: 'usr/share/x/second', type: '1', link: 'usr/share/x/first' },
        { name: 'usr/share/x/sym', type: '2', link: '../nowhere', mode: 0o777 },
        { name: 'usr/share/x/mail', data: 'm', user: 'mail', group: 'mail', uid: 8, gid: 12 },
      ],
    },
    {
      name: 'a2',
      fields: { depend: 'a1' },
      files: [
        ...share,
        { name: 'usr/share/strict/', mode: 0o755 },
        { name: 'usr/share/strict/inside', data: 'x' },
        { name: 'usr/share/wide/', mode: 0o755 },
        { name: 'usr/share/owned/', mode: 0o755 },
      ],
    },
  ]);
});

test('scripts in their order, accounts, and triggers with the folders that changed', { skip }, async (t) => {
  const say = (text: string) => `#!/bin/sh\necho "${text} $*" >> /said\n`;
  const tree = await agree(t, [
    {
      name: 'watcher',
      fields: { triggers: ['/usr/share/x /usr/share/*', '/nowhere/*'] },
      scripts: { trigger: say('watcher'), 'post-install': say('watcher post') },
    },
    {
      name: 'accounts',
      fields: { depend: 'watcher' },
      scripts: {
        'pre-install':
          '#!/bin/sh\naddgroup -S mine 2>/dev/null\nadduser -S -D -H -h /var/mine -s /sbin/nologin -G mine -g mine mine 2>/dev/null\naddgroup mine mail 2>/dev/null\nadduser -S -G users -h /home/other other\nadduser -D plain\nadduser -D -u 2000 -h /nowhere/plain -G users second\nadduser -S -H bare\naddgroup -g 3000 big\naddgroup plain big\nexit 0\n',
        'post-install': say('accounts post'),
        'post-upgrade': say('never'),
      },
      files: [...share, { name: 'usr/share/x/own', data: 'x', user: 'mine', group: 'mine', uid: 4321, gid: 4321 }],
    },
    {
      name: 'late',
      fields: { depend: 'accounts', triggers: '/usr/share/y' },
      scripts: { trigger: say('late'), 'pre-install': say('late pre') },
      files: [{ name: 'usr/' }, { name: 'usr/share/' }, { name: 'usr/share/y/' }],
    },
  ]);
  assert.match(tree.text('said')!, /^watcher post 1-r0\naccounts post 1-r0\nlate pre 1-r0\n(watcher|late) \//);
  assert.match(tree.text('etc/passwd')!, /^mine:x:100:101:mine:\/var\/mine:\/sbin\/nologin$/m);
});
