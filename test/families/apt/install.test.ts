import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isBuildError } from '../../../src/errors/error.ts';
import { type Event, silent } from '../../../src/events/events.ts';
import { debianContext } from '../../../src/families/apt/architecture.ts';
import { addDiversion } from '../../../src/families/apt/configure/diversions.ts';
import { addStatOverride } from '../../../src/families/apt/configure/overrides.ts';
import { configure } from '../../../src/families/apt/configure.ts';
import { recordDatabase } from '../../../src/families/apt/database.ts';
import { Installation } from '../../../src/families/apt/install.ts';
import type { AptPackage } from '../../../src/families/apt/package.ts';
import { type UnpackedDeb, unpackAll } from '../../../src/families/apt/unpack.ts';
import { Cache } from '../../../src/fetch/cache.ts';
import { settleOwners } from '../../../src/system/owners.ts';
import { Tree } from '../../../src/tree/tree.ts';
import { closePool } from '../../../src/workers/shared.ts';
import { needs, temporary, tool } from '../../support/data.ts';
import { deb, packageOf, type SmallDeb } from '../../support/debs.ts';

after(closePool);

const context = debianContext({ architecture: 'amd64', epoch: 1_700_000_000, report: silent });

/** Makes packages and unpacks them. */
async function packages(
  t: { after(fn: () => void): void },
  ...small: readonly (SmallDeb & { readonly index?: Partial<AptPackage> })[]
): Promise<UnpackedDeb[]> {
  const folder = temporary(t);
  return unpackAll(
    small.map((one) => {
      const archive = join(folder, `${one.name}.deb`);
      writeFileSync(archive, deb(one));
      return { package: packageOf(archive, one.version ?? '1', one.name, one.index ?? {}), archive };
    }),
    new Cache(join(folder, 'cache')),
    silent,
  );
}

function install(all: readonly UnpackedDeb[], tree = new Tree(), report: (event: Event) => void = silent): Tree {
  const installation = new Installation(tree, { ...context, report });
  installation.mergeUsr(all);
  for (const one of all) installation.add(one);
  return tree;
}

test('the first directory and its owner are kept', async (t) => {
  const tree = install(
    await packages(
      t,
      { name: 'a', files: [{ name: './srv/', mode: 0o750, group: 'adm', gid: 4 }] },
      {
        name: 'b',
        files: [
          { name: './srv/', mode: 0o755 },
          { name: './srv/x', data: '1' },
        ],
      },
    ),
  );
  assert.deepEqual([tree.stat('srv')!.mode, tree.stat('srv')!.gid], [0o750, 4]);
  assert.equal(tree.text('srv/x'), '1');
});

test('a link to a directory is never replaced by a directory; /usr is merged only when packages require it', async (t) => {
  const tree = install(
    await packages(
      t,
      { name: 'usr-is-merged', files: [{ name: './' }] },
      {
        name: 'base',
        files: [
          { name: './bin/' },
          { name: './bin/ls', data: 'ls' },
          { name: './lib64/' },
          { name: './lib64/ld.so', data: 'ld' },
        ],
      },
    ),
  );
  for (const name of ['bin', 'lib64']) {
    const link = tree.lstat(name);
    assert.ok(link?.kind === 'symlink' && link.target === `usr/${name}`, name);
  }
  assert.equal(tree.text('usr/bin/ls'), 'ls');
  assert.equal(tree.text('usr/lib64/ld.so'), 'ld');
  assert.equal(tree.lstat('lib32'), undefined);
  assert.equal(tree.lstat('libx32'), undefined);
  const split = install(
    await packages(t, { name: 'base', files: [{ name: './bin/' }, { name: './bin/ls', data: 'ls' }] }),
  );
  assert.equal(split.lstat('bin')?.kind, 'directory');
});

test('replacing a file of another package needs Replaces in one of the two', async (t) => {
  const a = { name: 'a', version: '2', files: [{ name: './usr/x', data: 'a' }] };
  const b = { name: 'b', files: [{ name: './usr/x', data: 'b' }] };
  const rejected = await packages(t, a, b);
  assert.throws(
    () => install(rejected),
    (error) => isBuildError(error, 'FILE_CONFLICT') && error.context.package === 'b' && error.context.other === 'a',
  );
  const newer = await packages(t, a, { ...b, index: { replaces: 'a (<< 3)' } });
  assert.equal(install(newer).text('usr/x'), 'b');
  const older = await packages(t, { ...a, index: { replaces: 'b' } }, b);
  assert.equal(install(older).text('usr/x'), 'a');
  const bounded = await packages(t, a, { ...b, index: { replaces: 'a (<< 2)' } });
  assert.throws(
    () => install(bounded),
    (error) => isBuildError(error, 'FILE_CONFLICT'),
  );
});

test('two packages may share directories and one may link to another', async (t) => {
  const all = await packages(
    t,
    { name: 'a', files: [{ name: './usr/share/doc/a/' }, { name: './usr/share/doc/a/copyright', data: 'c' }] },
    { name: 'b', files: [{ name: './usr/share/doc/b', type: '2', link: 'a' }, { name: './usr/share/doc/a/' }] },
  );
  const tree = new Tree();
  const installation = new Installation(tree, context);
  for (const one of all) installation.add(one);
  assert.equal(tree.text('usr/share/doc/b/copyright'), 'c');
  assert.deepEqual(
    installation.ownersOf('usr/share/doc/a').map((one) => one.name),
    ['a', 'b'],
  );
  assert.deepEqual(
    installation.ownersOf('usr/share/doc/a/copyright').map((one) => one.name),
    ['a'],
  );
});

test('hard links stay links; one to nothing, to a directory or to another package is an error', async (t) => {
  const tree = install(
    await packages(t, {
      name: 'a',
      files: [
        { name: './x', data: '1' },
        { name: './y', type: '1', link: './x' },
      ],
    }),
  );
  assert.equal(tree.lstat('x'), tree.lstat('y'));
  for (const [link, first] of [
    ['./nothing', { name: './x', data: '1' }],
    ['./d', { name: './d/' }],
  ] as const) {
    const all = await packages(t, { name: 'a', files: [first, { name: './y', type: '1', link }] });
    assert.throws(
      () => install(all),
      (error) => isBuildError(error, 'HARD_LINK_MISSING'),
    );
  }
  const others = await packages(
    t,
    { name: 'a', files: [{ name: './etc/' }, { name: './etc/shadow', data: 's' }] },
    { name: 'b', files: [{ name: './y', type: '1', link: './etc/shadow' }] },
  );
  assert.throws(
    () => install(others),
    (error) => isBuildError(error, 'HARD_LINK_MISSING'),
  );
});

test('a diverted file is installed elsewhere, but the diverting package keeps its own', async (t) => {
  const [other, own] = await packages(
    t,
    { name: 'other', files: [{ name: './usr/bin/' }, { name: './usr/bin/tool', data: 'other' }] },
    { name: 'own', files: [{ name: './usr/bin/' }, { name: './usr/bin/tool', data: 'own' }] },
  );
  const divert = (tree: Tree) =>
    addDiversion(tree, context, { from: '/usr/bin/tool', to: '/usr/bin/tool.real', package: 'own' }, true);
  for (const order of [
    [divert, other!, own!],
    [other!, divert, own!],
    [divert, own!, other!],
  ]) {
    const tree = new Tree();
    const installation = new Installation(tree, context);
    for (const step of order)
      if (typeof step === 'function') assert.ok(step(tree));
      else installation.add(step);
    assert.equal(tree.text('usr/bin/tool'), 'own');
    assert.equal(tree.text('usr/bin/tool.real'), 'other');
  }
  // another package may not divert it again
  const tree = new Tree();
  assert.ok(divert(tree));
  assert.ok(divert(tree));
  assert.ok(!addDiversion(tree, context, { from: '/usr/bin/tool', to: '/elsewhere', package: 'third' }, false));
});

test('owners are set by name first, then by number; overrides take precedence over the archive', async (t) => {
  const all = await packages(t, {
    name: 'a',
    files: [
      { name: './etc/' },
      { name: './etc/passwd', data: 'root:x:0:0::/:/bin/sh\nmail:x:88:88::/:/bin/sh\n' },
      { name: './etc/group', data: 'root:x:0:\nmail:x:77:\n' },
      { name: './named', data: '', user: 'mail', group: 'mail', uid: 8, gid: 8 },
      { name: './unknown', data: '', user: '_gone', group: '_gone', uid: 123, gid: 124 },
      { name: './overridden', data: '', mode: 0o644 },
    ],
  });
  const tree = new Tree();
  addStatOverride(tree, context, { user: '#5', group: '#6', mode: '04750', path: '/overridden' }, false);
  install(all, tree);
  settleOwners(tree, context);
  const owner = (path: string) => [tree.stat(path)!.uid, tree.stat(path)!.gid];
  assert.deepEqual(owner('named'), [88, 77]);
  assert.deepEqual(owner('unknown'), [123, 124]);
  assert.deepEqual(owner('overridden'), [5, 6]);
  assert.equal(tree.stat('overridden')!.mode, 0o4750);
  assert.equal(tree.stat('named')!.user, undefined);
});

test('a package cannot write through a link out of the root, nor leave the tree', async (t) => {
  const tree = install(
    await packages(t, {
      name: 'evil',
      files: [
        { name: './out', type: '2', link: '/../../../tmp' },
        { name: './out/planted', data: 'x' },
        { name: './up', type: '2', link: '../../..' },
        { name: './up/planted', data: 'y' },
      ],
    }),
  );
  assert.equal(tree.text('tmp/planted'), 'x');
  assert.equal(tree.text('planted'), 'y');
  const loop = await packages(t, {
    name: 'loop',
    files: [
      { name: './a', type: '2', link: 'b' },
      { name: './b', type: '2', link: 'a' },
      { name: './a/x', data: '' },
    ],
  });
  assert.throws(
    () => install(loop),
    (error) => isBuildError(error, 'PATH_LOOP'),
  );
});

test('a file may not replace a directory that is in use', async (t) => {
  const all = await packages(
    t,
    { name: 'a', files: [{ name: './usr/lib/x/' }, { name: './usr/lib/x/y', data: '' }] },
    { name: 'b', files: [{ name: './usr/lib/x', data: 'file' }] },
  );
  assert.throws(
    () => install(all),
    (error) => isBuildError(error, 'DIRECTORY_CONFLICT'),
  );
});

test('nothing is younger than the epoch, and unpacked packages can be installed again', async (t) => {
  const all = await packages(t, {
    name: 'a',
    files: [
      { name: './new', data: '', mtime: 1_900_000_000 },
      { name: './old', data: '', mtime: 1_000 },
    ],
  });
  for (let round = 0; round < 2; round++) {
    const tree = install(all);
    assert.equal(tree.stat('new')!.mtime, context.epoch);
    assert.equal(tree.stat('old')!.mtime, 1_000);
    tree.file('old')!.mode = 0;
  }
});

test('lines of scripts that are not understood are reported with package and line, and are errors when strict', async (t) => {
  const all = await packages(t, {
    name: 'small',
    files: [
      { name: './usr/lib/systemd/system/' },
      { name: './usr/lib/systemd/system/small.service', data: '[Install]\nWantedBy=multi-user.target\n' },
    ],
    control: {
      postinst:
        "#!/bin/sh\nset -e\nfrobnicate --all\n# Automatically added by dh_installsystemd/13\nif deb-systemd-helper --quiet was-enabled 'small.service'; then\n\tdeb-systemd-helper enable 'small.service' >/dev/null || true\nfi\n# End automatically added section\nexit 0\n",
    },
  });
  const events: Event[] = [];
  const { tree, scripts } = configure(all, { ...context, report: (event) => events.push(event) });
  const warnings = events.filter((event) => event.kind === 'warning');
  assert.equal(warnings.length, 1);
  const { code, package: name, line, message } = warnings[0]!;
  assert.deepEqual([code, name, line], ['SCRIPT_LINE', 'small', 3]);
  assert.match(message, /^small\.postinst:3: .*frobnicate --all$/);
  const link = tree.lstat('etc/systemd/system/multi-user.target.wants/small.service');
  assert.ok(link?.kind === 'symlink' && link.target.endsWith('/lib/systemd/system/small.service'));
  assert.equal(scripts[0]!.outcome.kind, 'partial');
  assert.throws(
    () => configure(all, { ...context, strict: true }),
    (error) => isBuildError(error, 'SCRIPTS_NOT_UNDERSTOOD') && error.context.lines.length === 1,
  );
});

test('lists of files lose what another package has taken over, or keeps, as those of dpkg do', {
  skip: needs({ tools: ['dpkg'] }),
}, async (t) => {
  if (process.getuid?.() !== 0) return t.skip('owners are set by root alone');
  const files = (data: string, ...names: string[]) => [
    ...['./', './usr/', './usr/share/'].map((name) => ({ name })),
    ...names.map((name) => ({ name: `./usr/share/${name}`, data })),
  ];
  const replacing = (replaces = '') => ({
    fields: replaces === '' ? '' : `Replaces: ${replaces}\n`,
    index: { replaces },
  });
  const cases = [
    ['b', undefined],
    [undefined, 'a (<< 2)'],
    ['b', 'a'],
  ] as const;
  for (const [ofA, ofB] of cases) {
    const root = temporary(t);
    for (const path of ['info', 'updates', 'triggers'])
      mkdirSync(join(root, 'var/lib/dpkg', path), { recursive: true });
    writeFileSync(join(root, 'var/lib/dpkg/status'), '');
    const made = [
      { name: 'a', files: files('a', 'both', 'a'), ...replacing(ofA) },
      { name: 'b', files: files('b', 'both', 'b'), ...replacing(ofB) },
    ];
    const all = await packages(t, ...made);
    const tree = new Tree();
    const configured = configure(all, context, tree);
    recordDatabase(configured, context);
    for (const one of made) {
      const archive = join(root, `${one.name}.deb`);
      writeFileSync(archive, deb(one));
      const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', DPKG_FORCE: 'script-chrootless' };
      execFileSync(tool('dpkg')!, ['--root', root, '--no-triggers', '--unpack', archive], { env, stdio: 'pipe' });
    }
    for (const { name } of made) {
      const list = `var/lib/dpkg/info/${name}.list`;
      assert.equal(tree.text(list), readFileSync(join(root, list), 'latin1'), `${name}: ${ofA} ${ofB}`);
    }
    assert.equal(tree.text('usr/share/both'), readFileSync(join(root, 'usr/share/both'), 'latin1'));
  }
  return undefined;
});
