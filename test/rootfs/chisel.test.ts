import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Event } from '../../src/events/events.ts';
import { keptLines } from '../../src/report/kept.ts';
import { type Chiselled, chisel, licencesIn } from '../../src/rootfs/chisel/chisel.ts';
import { isKeepFile, type KeepSource, keepList } from '../../src/rootfs/chisel/list.ts';
import { matching } from '../../src/rootfs/chisel/match.ts';
import { needsOfUnit } from '../../src/rootfs/chisel/units.ts';
import { device, rootMeta, special } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';
import { elfFile } from '../support/elves.ts';
import { program, systemTree } from '../support/systems.ts';

/** A guest with a shell, two services, a library-like tool, and much that nobody needs. */
function guest(): { tree: Tree; owners: Map<string, string> } {
  const tree = new Tree();
  const owners = new Map<string, string>();
  for (const name of ['bin', 'sbin', 'lib']) {
    tree.makeDirectory(`usr/${name}`);
    tree.symlink(name, `usr/${name}`);
  }
  for (const name of ['dev', 'proc', 'run', 'tmp', 'var/lib', 'srv']) tree.makeDirectory(name);
  const put = (owner: string, path: string, text: string, mode = 0o644) => {
    tree.writeFile(path, text, rootMeta(mode));
    owners.set(path, owner);
  };
  put('dash', 'usr/bin/dash', 'shell', 0o755);
  tree.symlink('usr/bin/sh', 'dash');
  put('clock', 'usr/sbin/clockd', '#!/bin/sh\nexec clock\n', 0o755);
  put('clock', 'etc/clock/clock.conf', 'step 1\n');
  put('clock', 'etc/init.d/clock', '#!/bin/bash\n', 0o755);
  put('clock', 'usr/lib/systemd/system/clock.service', '[Service]\nExecStart=-/usr/sbin/clockd -d\n');
  put('clock', 'usr/lib/systemd/system/clock-wait.service', '[Service]\nExecStart=/usr/sbin/clockwait\n');
  put('clock', 'usr/share/doc/clock/copyright', 'free\n');
  put('waiter', 'usr/sbin/clockwait', 'elf', 0o755);
  put('waiter', 'usr/share/doc/waiter/copyright', 'free, too\n');
  put('net', 'usr/bin/net', '#!/usr/bin/env python3\n', 0o755);
  put('base', 'etc/passwd', 'root:x:0:0::/:/bin/sh\n');
  put('base', 'etc/motd', 'hello\n');
  put('base', 'usr/share/common-licenses/GPL-2', 'text\n');
  tree.symlink('etc/alternatives/pager', '/usr/bin/dash');
  tree.symlink('usr/bin/pager', '/etc/alternatives/pager');
  return { tree, owners };
}

function run(
  sources: readonly KeepSource[],
  own: readonly (readonly [string, string])[] = [],
  made = guest(),
): Chiselled & { tree: Tree; files: string[]; warnings: string[] } {
  const events: Event[] = [];
  const { tree, owners } = made;
  const licences = licencesIn(tree);
  tree.remove('usr/share/doc');
  const result = chisel(tree, {
    ...{ list: keepList(sources), own: new Map(own), licences, machine: 'x86_64', epoch: 7 },
    owners: new Map([...owners].map(([path, names]) => [path, names.split(' ')])),
    report: (event) => events.push(event),
  });
  const files = [...tree.walk()].flatMap(({ path, inode }) => (inode.kind === 'directory' ? [] : [path])).sort();
  return { ...result, tree, files, warnings: events.flatMap((one) => (one.kind === 'warning' ? [one.code] : [])) };
}

const file = (value: object, lists: Readonly<Record<string, unknown>> = {}): KeepSource => ({
  ...{ path: 'keep.yaml', value },
  lists: new Map(Object.entries(lists)),
});
const ALWAYS = ['bin', 'etc/passwd', 'lib', 'sbin'];
const only = (...paths: string[]) => [...ALWAYS, ...paths].sort();

test('a program keeps its interpreter, its configuration and the licences, and nothing else stays', () => {
  const { files, reasons, tree } = run([{ item: 'clockd' }]);
  assert.deepEqual(
    files,
    only(
      ...['usr/sbin/clockd', 'usr/bin/sh', 'usr/bin/dash', 'etc/clock/clock.conf'],
      // its other unit starts a program that is left out
      'usr/lib/systemd/system/clock.service',
      ...['usr/share/doc/clock/copyright', 'usr/share/common-licenses/GPL-2'],
    ),
  );
  assert.equal(reasons.get('usr/bin/sh'), 'interpreter of /usr/sbin/clockd');
  assert.equal(reasons.get('etc/clock/clock.conf'), 'configuration of clock');
  assert.ok(tree.has('proc') && tree.has('srv') && tree.has('var/lib'));
  assert.equal(tree.has('etc/init.d'), false);
});

test('a unit keeps the units and programs that it starts, links on the way included', () => {
  const made = guest();
  made.tree.writeFile('usr/lib/systemd/system/own.target', '[Unit]\nRequires=clock.service\nWants=absent.service\n');
  made.tree.symlink(
    'etc/systemd/system/own.target.wants/clock-wait.service',
    '/usr/lib/systemd/system/clock-wait.service',
  );
  const { files, reasons } = run([file({ keep: ['own.target'], licences: 'no', config: false })], [], made);
  assert.deepEqual(
    files,
    only(
      ...['usr/lib/systemd/system/own.target', 'usr/lib/systemd/system/clock.service', 'usr/sbin/clockd'],
      ...['usr/bin/sh', 'usr/bin/dash', 'usr/sbin/clockwait', 'usr/lib/systemd/system/clock-wait.service'],
      'etc/systemd/system/own.target.wants/clock-wait.service',
    ),
  );
  assert.equal(reasons.get('usr/sbin/clockwait'), 'started by clock-wait.service');
});

test('patterns, packages, names of files, folders: each keeps what it names', () => {
  const quiet = { licences: 'no', config: 'no' };
  for (const [item, expected] of [
    ['/usr/bin/p*r', ['usr/bin/pager', 'etc/alternatives/pager', 'usr/bin/dash']],
    ['/etc/**/*.conf', ['etc/clock/clock.conf']],
    ['/etc/clock', ['etc/clock/clock.conf']],
    ['/sbin/clockwait', ['usr/sbin/clockwait']],
    ['package:waiter', ['usr/sbin/clockwait']],
    ['name:mot?', ['etc/motd']],
    ['pager', ['usr/bin/pager', 'etc/alternatives/pager', 'usr/bin/dash']],
  ] as const)
    assert.deepEqual(run([file({ keep: [item], ...quiet })]).files, only(...expected), item);
});

test('a folder that is named by a link to it is kept with all that is in it, links that a pattern matches alone', () => {
  const quiet = { licences: 'no', config: 'no' };
  const programs = ['dash', 'net', 'pager', 'sh'].map((name) => `usr/bin/${name}`);
  for (const [item, expected] of [
    ['/bin', [...programs, 'etc/alternatives/pager']],
    ['/bin/', [...programs, 'etc/alternatives/pager']],
    ['bin/', [...programs, 'etc/alternatives/pager']],
    // one link leads to the other
    ['/opt/programs', ['opt/programs', ...programs, 'etc/alternatives/pager']],
    ['/opt/prog*', ['opt/programs']],
    ['/opt/round', ['opt/round']],
  ] as const) {
    const made = guest();
    made.tree.symlink('opt/programs', '/bin');
    made.tree.symlink('opt/round', 'round');
    assert.deepEqual(run([file({ keep: [item], ...quiet })], [], made).files, only(...expected), item);
  }
  const made = guest();
  const all = [...made.tree.walk()].flatMap(({ path, inode }) => (inode.kind === 'directory' ? [] : [path]));
  made.tree.symlink('opt/top', '/');
  const { files } = run([file({ keep: ['/opt/top'], ...quiet })], [], made);
  assert.deepEqual(files, [...all.filter((path) => !path.startsWith('usr/share/doc/')), 'opt/top'].sort());
});

test('what is kept is never more than the whole: also where the list and licences add to the guest', () => {
  const added = { files: { '/opt/large': 'x'.repeat(100_000) }, links: { '/opt/link': 'large' } };
  for (const more of [{}, added]) {
    const { before, after } = run([file({ keep: ['/'], ...more })]);
    assert.deepEqual(after, before);
    const lines = keptLines({ items: [], reasons: new Map(), before, after });
    assert.match(lines.at(-1)!, / \(100 %\)$/);
  }
});

test('units that are masked, devices, and links to them are kept as they are', () => {
  for (const item of ['/etc/systemd/system/*', 'package:clock', '/', '/**', '/dev/null', '/dev']) {
    const made = guest();
    made.tree.set('dev/null', device('char', 1, 3, rootMeta(0o666)));
    made.tree.set('dev/pipe', special('fifo', rootMeta(0o666)));
    made.tree.symlink('etc/systemd/system/masked.service', '/dev/null');
    made.tree.symlink('etc/systemd/system/pipe.service', '../../../dev/pipe');
    made.owners.set('etc/systemd/system/masked.service', 'clock');
    const before = [...made.tree.walk()].length;
    const { tree } = run([{ item }], [], made);
    if (item !== '/dev') assert.equal(tree.lstat('dev/null')?.kind, 'char', item);
    if (item !== '/dev' && item !== '/dev/null')
      assert.equal(tree.lstat('etc/systemd/system/masked.service')?.kind, 'symlink', item);
    if (item.startsWith('/') && !item.includes('e')) assert.equal([...tree.walk()].length, before, item);
  }
});

test('a file that two packages have is kept for either', () => {
  for (const item of ['package:dash', 'package:shells']) {
    const made = guest();
    made.tree.writeFile('etc/shared', 'x');
    made.owners.set('etc/shared', 'dash shells');
    assert.ok(run([{ item }], [], made).tree.has('etc/shared'), item);
  }
});

test('lists: what is dropped counts nowhere and is named when it is nothing; folders are not replaced', () => {
  const { items, warnings } = run([file({ keep: ['clockd'], drop: ['/usr/bin/dash', '/no/such'] })]);
  assert.deepEqual(warnings, ['REMOVE_UNMATCHED']);
  assert.equal(items[0]!.bytes, run([{ item: 'clockd' }]).items[0]!.bytes - 'shell'.length);
  for (const value of [{ links: { '/etc': 'x' } }, { files: { etc: 'x' } }])
    assert.throws(() => run([file(value)]), { code: 'NOT_A_FILE', message: /\/etc .*directory/ });
});

test('a name of a file on the command line is a list, a pattern of such names is none', () => {
  for (const [text, is] of [
    ['a.yaml', true],
    ['/x/b.JSON', true],
    ['/etc/netplan/*.yaml', false],
    ['/etc/?.json', false],
    ['name:icd.json', false],
    ['bash', false],
  ] as const)
    assert.equal(isKeepFile(text), is, text);
});

test('name services, PAM and converters of character sets: what is loaded by a list in a file', () => {
  const lib = 'usr/lib/x86_64-linux-gnu';
  const made = (): { tree: Tree; owners: Map<string, string> } => {
    const tree = systemTree();
    const library = (path: string, ...needed: string[]) => tree.writeFile(path, elfFile({ needed }));
    for (const name of ['libnss_files.so.2', 'libnss_systemd.so.2', 'libnss_wins.so.2', 'libextra.so.1', 'libpam.so.0'])
      library(`${lib}/${name}`, ...(name.startsWith('libnss_systemd') ? ['libextra.so.1'] : []));
    tree.writeFile('etc/nsswitch.conf', 'passwd: files systemd # wins\nhosts:  dns [!UNAVAIL=return] gone\n');
    tree.writeFile('usr/bin/login', elfFile(program('libpam.so.0')), rootMeta(0o755));
    tree.writeFile(
      'etc/pam.d/login',
      'auth [success=1 default=ignore] pam_one.so x\n@include common\n-auth optional gone.so\n',
    );
    tree.writeFile(
      'etc/pam.d/common',
      'session \\\n required pam_two.so # y\nauth substack deep\nauth required lost.so\n',
    );
    tree.writeFile('usr/lib/pam.d/deep', `auth include common\nauth required /${lib}/security/pam_three.so\n`);
    tree.writeFile('etc/pam.d/other', 'auth required pam_four.so\n');
    for (const name of ['one', 'two', 'three', 'four']) library(`${lib}/security/pam_${name}.so`, 'libextra.so.1');
    tree.writeFile('etc/security/two.conf', '');
    for (const name of ['UTF-16', 'EUC-JP']) library(`${lib}/gconv/${name}.so`);
    tree.writeFile(`${lib}/gconv/gconv-modules.d/extra.conf`, '');
    tree.writeFile(`${lib}/gconv/gconv-modules`, '');
    return { tree, owners: new Map() };
  };
  const quiet = { licences: 'no', config: 'no' };
  const has = (item: string, wanted: readonly string[], left: readonly string[], guest = made()) => {
    const { files, warnings } = run([file({ keep: [item], ...quiet })], [], guest);
    for (const path of wanted) assert.ok(files.includes(path), `${item}: ${path} is missing`);
    for (const path of left) assert.ok(!files.includes(path), `${item}: ${path} is there`);
    return warnings;
  };
  const services = [`${lib}/libnss_files.so.2`, `${lib}/libnss_systemd.so.2`, `${lib}/libextra.so.1`];
  assert.deepEqual(has('cat', services, [`${lib}/libnss_wins.so.2`, `${lib}/security/pam_one.so`]), []);
  // what the C library has in itself needs no file
  const newer = made();
  newer.tree.writeFile(`${lib}/libc.so.6`, Buffer.concat([elfFile({}), Buffer.from('_nss_files_getpwnam\0')]));
  has('cat', services.slice(1), [`${lib}/libnss_files.so.2`], newer);
  const modules = ['one', 'two', 'three'].map((name) => `${lib}/security/pam_${name}.so`);
  assert.deepEqual(
    has(
      'login',
      [...modules, 'etc/pam.d/login', 'etc/pam.d/common', 'usr/lib/pam.d/deep', 'etc/security/two.conf'],
      ['etc/pam.d/other', `${lib}/security/pam_four.so`],
    ),
    ['KEEP_INCOMPLETE'],
  );
  has(
    `/${lib}/gconv/UTF-16.so`,
    [`${lib}/gconv/UTF-16.so`, `${lib}/gconv/gconv-modules`, `${lib}/gconv/gconv-modules.d/extra.conf`],
    [`${lib}/gconv/EUC-JP.so`],
  );
});

test('what the build made itself stays, with what it needs', () => {
  const made = guest();
  made.tree.writeFile('usr/bin/kata-agent', '#!/bin/sh\n', rootMeta(0o755));
  const { files, items } = run([file({ licences: 'no' })], [['usr/bin/kata-agent', 'made by the build']], made);
  assert.deepEqual(files, only('usr/bin/kata-agent', 'usr/bin/sh', 'usr/bin/dash'));
  assert.deepEqual(items, [
    { item: '(the agent, its units, overlays)', source: 'the build', paths: 4, bytes: 15, alone: 15 },
  ]);
});

test('folders, links and texts of a file are made; what it drops is left out', () => {
  const { tree, files } = run([
    file({
      ...{ keep: ['clockd'], licences: 'no', drop: ['/etc/clock', '/**/clock.service'] },
      ...{ dirs: ['/opt/empty/'], links: { '/usr/bin/time': 'clockd' }, files: { 'etc/a/b.conf': 'x\n' } },
    }),
  ]);
  assert.deepEqual(files, only('usr/sbin/clockd', 'usr/bin/sh', 'usr/bin/dash', 'usr/bin/time', 'etc/a/b.conf'));
  assert.equal(tree.stat('opt/empty')?.kind, 'directory');
  assert.equal(tree.text('etc/a/b.conf'), 'x\n');
  assert.equal(tree.lstat('etc/a/b.conf')?.mtime, 7);
});

test('the list of a vendor: types, categories, words that are left out; what is not there is no error', () => {
  const list = [
    { name: 'clockd', type: 'BINARY', category: ['time'], size: 3 },
    { name: 'clockwait', type: 'BINARY', category: 'time' },
    { name: 'net', type: 'BINARY', category: ['time'], is_32bit_compat: true },
    { name: 'motd', type: 'DATA', category: ['time'] },
    { name: './etc/clock/clock.conf', type: 'BINARY', category: ['time'] },
    { name: 'absent', type: 'BINARY', category: ['time'] },
  ];
  const from = { file: 'l.json', type: ['BINARY'], category: ['time'], not: ['wait'] };
  for (const lists of [{ 'l.json': list }, { 'l.json': { files: list } }]) {
    const { files, items } = run([file({ 'from-json': [from], licences: 'no', config: 'no' }, lists)]);
    assert.deepEqual(files, only('usr/sbin/clockd', 'usr/bin/sh', 'usr/bin/dash', 'etc/clock/clock.conf'));
    assert.deepEqual(
      items.map(({ item, bytes }) => [item, bytes]),
      [
        ['name:clockd', 26],
        ['/etc/clock/clock.conf', 7],
        ['name:absent', 0],
      ],
    );
  }
});

test('the cost of an item is what it keeps, and what nothing else keeps', () => {
  const { items, before, after } = run([{ item: 'clockd' }, { item: 'sh' }, { item: '/etc/motd' }]);
  const [clock, shell, motd] = items;
  assert.deepEqual([shell!.bytes, shell!.alone], [5, 0]);
  assert.deepEqual([motd!.bytes, motd!.alone], [6, 6]);
  assert.equal(clock!.bytes - clock!.alone, 5);
  assert.ok(after.bytes < before.bytes && after.paths < before.paths);
});

test('names that the guest does not have are errors, unless they may be missing; missing needs are warnings', () => {
  for (const item of ['absent', 'absent.service', '/usr/absent*', 'package:absent', 'name:absent'])
    assert.throws(() => run([{ item }]), {
      code: 'KEEP_UNMATCHED',
      message: new RegExp(`"${item.replace(/[*.]/g, '\\$&')}"`),
    });
  assert.deepEqual(run([file({ optional: ['absent'], licences: 'no' })]).files, only());
  const made = guest();
  const { warnings } = run([{ item: 'sh' }], [['usr/bin/net', 'made by the build']], made);
  assert.deepEqual([...new Set(warnings)], ['KEEP_INCOMPLETE']);
});

test('a file that is none is rejected with its path and the place in it', () => {
  for (const [value, says] of [
    [{ kepe: [] }, /keep\.yaml.*kepe/],
    [{ keep: 'sh' }, /keep\.yaml.*keep: /],
    [{ links: { a: 1 } }, /links\.a/],
    [{ config: 'maybe' }, /config/],
    [null, /keep\.yaml/],
    [{ 'from-json': [{ file: 'l.json' }] }, /l\.json \(named in keep\.yaml\)/],
  ] as const)
    assert.throws(() => keepList([file(value as object)]), { code: 'KEEP_INVALID', message: says });
});

test('units as people write them', () => {
  const tree = new Tree();
  tree.writeFile('etc/systemd/system/a.service.d/x.conf', '[Service]\nExecStartPre=!!/bin/pre %i\n');
  const text =
    '[Unit]\nWants = b.socket c.target\nAfter=late.service\n[Service]\nExecStart=@/bin/a argv0 ; -+/bin/b \\\n /bin/no\nExecStop="/bin/with space" x\nDefaultDependencies=no\n#ExecStart=/bin/comment\n';
  assert.deepEqual(needsOfUnit(tree, 'a.service', text), {
    units: ['b.socket', 'c.target'],
    programs: ['/bin/a', '/bin/b', '/bin/with', '/bin/pre'],
  });
  assert.deepEqual(needsOfUnit(tree, 'd.socket', '').units, ['d.service', 'sysinit.target']);
});

test('a pattern stays in the tree, whatever links there are', () => {
  const { tree } = guest();
  tree.symlink('usr/loop', '/usr/loop');
  tree.symlink('usr/up', '../../..');
  assert.deepEqual(matching(tree, '/usr/loop/x'), []);
  assert.deepEqual(matching(tree, '../../etc/motd'), []);
  assert.deepEqual(matching(tree, '/usr/up/etc/motd'), ['etc/motd']);
  assert.deepEqual(matching(tree, '/**/motd'), ['etc/motd']);
  assert.deepEqual(matching(tree, '/'), []);
  // kept as they are, where a folder with them is named
  assert.equal(run([{ item: '/usr/loop' }], [], { tree, owners: new Map() }).tree.lstat('usr/loop')?.kind, 'symlink');
});

test('an existing rootfs is reduced by the command line, the same bytes each time', async (t) => {
  const folder = temporary(t);
  const { tree } = guest();
  const { cpioArchive } = await import('../../src/formats/cpio/emit.ts');
  const { pour } = await import('../../src/bytes/pour.ts');
  const source = join(folder, 'r.cpio');
  await pour(cpioArchive(tree).open(), source);
  writeFileSync(join(folder, 'keep.yaml'), 'keep: [clockd]\nfiles: {etc/a.conf: "1"}\n');
  const sums: string[] = [];
  for (const out of ['a.tar', 'b.tar']) {
    const args = [
      'rootfs',
      source,
      '--rootfs-only',
      '--keep',
      join(folder, 'keep.yaml'),
      '--json',
      '-o',
      join(folder, out),
    ];
    const made = await osbuilder(args);
    assert.equal(made.code, 0, made.stderr);
    const document = JSON.parse(made.stdout);
    sums.push(document.outputs[0].sha256);
    const kept = document.kept.paths.map(({ path }: { path: string }) => path);
    assert.ok(kept.includes('/usr/bin/dash') && kept.includes('/etc/a.conf') && !kept.includes('/etc/motd'), kept);
  }
  assert.equal(sums[0], sums[1]);
  const bad = await osbuilder(['rootfs', source, '--keep', join(folder, 'none.yaml'), '-o', join(folder, 'c.tar')]);
  assert.match(bad.stderr, /none\.yaml.*\[READ_FAILED\]/);
});
