import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memory } from '../../src/bytes/content.ts';
import { finishGuest, gatherFiles, type SystemRequest } from '../../src/dracut/guest.ts';
import { moduleFrom } from '../../src/dracut/module.ts';
import { readOptions } from '../../src/dracut/options.ts';
import { BuildError } from '../../src/errors/error.ts';
import type { Event } from '../../src/events/events.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { file, rootMeta } from '../../src/tree/inode.ts';
import type { Tree } from '../../src/tree/tree.ts';
import { type ElfFacts, elfFile } from '../support/elves.ts';
import { program, SYSTEM, systemTree } from '../support/systems.ts';

interface Made {
  readonly tree: Tree;
  readonly modules: readonly string[];
  readonly warnings: readonly string[];
}

/** A guest of the small system, with files added to it or (undefined) missing. */
function guest(
  given: {
    files?: Readonly<Record<string, ElfFacts | string | undefined>>;
    conf?: string;
    flags?: string;
    overlay?: readonly Entry[];
    change?: (system: Tree) => void;
  } & Partial<SystemRequest> = {},
): Made {
  const warnings: string[] = [];
  const report = (event: Event) => {
    if (event.kind === 'warning') warnings.push(event.message);
  };
  const { files = {}, conf = '', flags = '', overlay = [], change, ...more } = given;
  const sysroot = systemTree({ ...SYSTEM, ...files });
  change?.(sysroot);
  const request: SystemRequest = {
    sysroot,
    name: 'the test',
    options: readOptions({ path: 'x.conf', text: conf }, [], flags, new Map(), report),
    own: [],
    init: 'systemd',
    loads: false,
    machine: 'x86_64',
    report,
    ...more,
  };
  const gathered = gatherFiles(request);
  const tree = finishGuest(request, gathered, { overlays: [{ name: 'overlay', entries: overlay }], epoch: 7 });
  return { tree, modules: gathered.modules, warnings };
}

const paths = (tree: Tree) => [...tree.walk()].map(({ path }) => path);
const thrown = (what: () => unknown): BuildError => {
  try {
    what();
  } catch (error) {
    if (error instanceof BuildError) return error;
    throw error;
  }
  return assert.fail('nothing was thrown');
};

describe('a guest with systemd', () => {
  const { tree, modules } = guest();
  test('has Kata’s modules in dracut’s order', () => {
    assert.deepEqual(modules, ['systemd', 'dbus-daemon', 'dbus', 'kernel-modules', 'udev-rules', 'syslog']);
    assert.equal(tree.text('lib/dracut/modules.txt'), modules.map((name) => `${name}\n`).join(''));
  });
  test('starts systemd, and has programs with what they need', () => {
    const init = tree.lstat('init');
    assert.equal(init?.kind === 'symlink' && init.target, 'usr/lib/systemd/systemd');
    for (const path of ['usr/bin/mount', 'usr/lib/x86_64-linux-gnu/libc.so.6', 'usr/lib64/ld-linux-x86-64.so.2'])
      assert.ok(tree.has(path), path);
    const link = tree.lstat('usr/sbin/poweroff');
    assert.equal(link?.kind === 'symlink' && link.target, '../bin/systemctl');
  });
  test('has what udev rules run, and the groups that they name', () => {
    assert.ok(tree.has('usr/lib/udev/special') && tree.has('usr/bin/echo'));
    assert.match(tree.text('etc/group')!, /^tty:x:5:$/m);
    assert.match(tree.text('etc/group')!, /^cdrom:x:11:$/m);
  });
  test('has an account for root, and the bus’s', () => {
    assert.equal(
      tree.text('etc/passwd'),
      'root:x:0:0:root:/root:/usr/sbin/nologin\nmessagebus:x:101:102::/nonexistent:/usr/sbin/nologin\n',
    );
  });
  test('has edited units of the bus', () => {
    const text = tree.text('usr/lib/systemd/system/dbus.socket')!;
    assert.match(
      text,
      /^\[Unit\]\nDefaultDependencies=no\n {8}Conflicts=shutdown\.target\n {8}Before=shutdown\.target\n/,
    );
    assert.match(text, /\[Socket\]\nRemoveOnStop=yes\n/);
  });
  test('has libraries that nothing names', () => {
    for (const name of ['libgcc_s.so.1', 'libnss_files.so.2', 'systemd/libsystemd-shared-257.so'])
      assert.ok(tree.has(`usr/lib/x86_64-linux-gnu/${name}`), name);
  });
  test('belongs to root and has one time stamp', () => {
    for (const { path, inode } of tree.walk()) assert.deepEqual([inode.uid, inode.gid, inode.mtime], [0, 0, 7], path);
  });
  test('has the same paths each time', () => assert.deepEqual(paths(guest().tree), paths(tree)));
});

test('systemd goes to Kata’s target where there is one and no other default', () => {
  const target = { path: 'usr/lib/systemd/system/kata-containers.target', inode: file(memory('[Unit]\n')) };
  const { tree } = guest({ overlay: [target] });
  const link = tree.lstat('etc/systemd/system/default.target');
  assert.equal(link?.kind === 'symlink' && link.target, '/usr/lib/systemd/system/kata-containers.target');
});

test('the agent as process 1 is what the kernel starts, and systemd is not taken unless it is named', () => {
  const agent = { path: 'sbin/init', inode: file(memory(elfFile(program('libagent.so'))), rootMeta(0o755)) };
  const files = { 'usr/lib/x86_64-linux-gnu/libagent.so': {} };
  const alone = guest({ init: 'agent', overlay: [agent], files });
  assert.deepEqual(alone.modules, ['kernel-modules', 'udev-rules']);
  const init = alone.tree.lstat('init');
  assert.equal(init?.kind === 'symlink' && init.target, '/sbin/init');
  assert.ok(alone.tree.has('usr/lib/x86_64-linux-gnu/libagent.so'), 'the agent’s libraries are taken');
  const named = guest({ init: 'agent', overlay: [agent], files, flags: '--add systemd' });
  assert.ok(named.modules.includes('systemd'));
});

test('what an overlay’s program needs and nobody has is an error that names both', () => {
  const agent = { path: 'usr/bin/kata-agent', inode: file(memory(elfFile(program('libnone.so.3'))), rootMeta(0o755)) };
  const error = thrown(() => guest({ overlay: [agent] }));
  assert.equal(error.code, 'SYSROOT_FILE_MISSING');
  assert.equal(error.message, 'the test has no libnone.so.3, which /usr/bin/kata-agent needs');
});

test('a library that an overlay brings itself is found', () => {
  const overlay = [
    { path: './usr/bin/kata-agent', inode: file(memory(elfFile(program('libown.so'))), rootMeta(0o755)) },
    { path: './usr/lib/libown.so', inode: file(memory(elfFile())) },
  ];
  assert.ok(guest({ overlay }).tree.has('usr/lib/libown.so'));
});

test('items to install: by path, name and pattern, with their needs; missing ones are an error unless optional', () => {
  const files = {
    'usr/bin/tool': program('libt.so.1'),
    'usr/lib/x86_64-linux-gnu/libt.so.1': '->libt.so.1.2',
    'usr/lib/x86_64-linux-gnu/libt.so.1.2': {},
    'etc/a.conf': 'a',
    'etc/b.conf': 'b',
  };
  const { tree } = guest({
    files,
    conf: 'install_items=" tool /etc/*.conf "\ninstall_optional_items=" none /etc/none* "',
  });
  for (const path of ['usr/bin/tool', 'usr/lib/x86_64-linux-gnu/libt.so.1.2', 'etc/a.conf', 'etc/b.conf'])
    assert.ok(tree.has(path), path);
  for (const item of ['none', '/etc/none', '/etc/none*'])
    assert.equal(thrown(() => guest({ conf: `install_items=" ${item} "` })).code, 'SYSROOT_FILE_MISSING');
});

test('an optional program whose library is missing is a warning', () => {
  const { warnings } = guest({
    files: { 'usr/bin/odd': program('libodd.so') },
    conf: 'install_optional_items=" odd "',
  });
  assert.ok(
    warnings.some((text) => text.includes('libodd.so') && text.includes('/usr/bin/odd')),
    warnings.join('\n'),
  );
});

test('the order of names decides nothing but dracut’s does; omitted modules are left out', () => {
  assert.deepEqual(guest({ conf: 'dracutmodules=" udev-rules systemd "' }).modules, ['systemd', 'udev-rules']);
  assert.deepEqual(guest({ flags: '--omit "dbus syslog"' }).modules, ['systemd', 'kernel-modules', 'udev-rules']);
  assert.ok(guest({ flags: '--omit "dbus" --force-add dbus' }).modules.includes('dbus'));
});

test('modules that are unknown or cannot be taken are errors with a reason', () => {
  const unknown = thrown(() => guest({ flags: '--add systemb' }));
  assert.equal(unknown.code, 'DRACUT_MODULE_UNKNOWN');
  assert.match(unknown.message, /did you mean "systemd"/);
  for (const [name, reason] of [
    ['busybox', /no busybox in it/],
    ['crypt', /none of .*cryptsetup/],
    ['network', /there is no ip in it/],
    ['systemd-initrd', /root file system/],
    ['dracut-systemd', /root file system/],
  ] as const) {
    const error = thrown(() => guest({ flags: `--add ${name}` }));
    assert.equal(error.code, 'DRACUT_MODULE_UNFIT');
    assert.match(error.message, reason);
  }
  const without = thrown(() => guest({ files: { 'usr/lib/systemd/systemd': undefined } }));
  assert.match(
    without.message,
    /"systemd" cannot be taken from the test: there is no usr\/lib\/systemd\/systemd in it/,
  );
});

test('a module of one’s own takes what it names', () => {
  const own = moduleFrom(
    {
      name: 'mine',
      depends: ['dash'],
      programs: ['sleep'],
      files: ['etc/mine/*'],
      texts: { 'etc/made': { text: 'made\n' } },
      links: { 'etc/link': 'made' },
      folders: ['srv/mine'],
      groups: ['root'],
    },
    'mine.yaml',
  );
  const { tree, modules } = guest({ own: [own], flags: '--add mine', files: { 'etc/mine/x': 'x' } });
  assert.ok(modules.includes('mine') && modules.includes('dash'));
  for (const path of ['usr/bin/sleep', 'etc/mine/x', 'etc/made', 'etc/link', 'srv/mine', 'usr/bin/dash'])
    assert.ok(tree.has(path), path);
  assert.equal(tree.text('etc/link'), 'made\n');
});

test('a file that describes no module is an error with the place', () => {
  for (const [value, reason] of [
    [{}, /name/],
    [{ name: 'a b' }, /name: a name has/],
    [{ name: 'a', fils: [] }, /fils/],
    [{ name: 'a', order: 100 }, /order/],
    ['text', /object/i],
    [{ name: 'a', texts: { x: 1 } }, /texts\.x/],
  ] as const) {
    const error = thrown(() => moduleFrom(value, 'mine.yaml'));
    assert.equal(error.code, 'DRACUT_MODULE_INVALID');
    assert.match(error.message, reason);
  }
});

test('systemd’s loading of modules comes where modules are loaded', () => {
  const { modules, tree } = guest({ loads: true });
  assert.ok(modules.includes('systemd-modules-load'));
  assert.ok(tree.has('usr/bin/kmod'));
});

describe('what is no part of a system', () => {
  test('devices, fifos and sockets are not copied', () => {
    const change = (system: Tree) => system.set('etc/pipe', { ...rootMeta(0o600), kind: 'fifo' });
    const error = thrown(() => guest({ change, conf: 'install_items=" /etc/pipe "' }));
    assert.equal(error.code, 'SYSROOT_SPECIAL');
    assert.equal(error.message, '/etc/pipe is a fifo, which is not copied');
    const { warnings } = guest({ change, conf: 'install_optional_items=" /etc/pipe "' });
    assert.ok(warnings.includes('/etc/pipe is left out: it is a fifo'), warnings.join('\n'));
  });
  test('files of the running kernel are not copied', () => {
    for (const path of ['/proc/cpuinfo', '/sys/kernel', '/dev/null', '/run/x', '/etc/../proc/cpuinfo'])
      assert.equal(thrown(() => guest({ conf: `install_items=" ${path} "` })).code, 'DRACUT_OPTION');
  });
  test('loops of links are an error; links that lead out of the root stay in it', () => {
    const files = { 'etc/a': '->b', 'etc/b': '->a', 'etc/out': '->../../../etc/os-release' };
    assert.equal(thrown(() => guest({ files, conf: 'install_items=" /etc/a "' })).code, 'PATH_LOOP');
    const { tree } = guest({ files, conf: 'install_items=" /etc/out "' });
    assert.equal(tree.text('etc/out'), SYSTEM['etc/os-release']);
  });
});
