import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { parse } from 'yaml';
import { collect, memory } from '../../src/bytes/content.ts';
import { compress } from '../../src/compression/compress.ts';
import { sortedNames, type Tree } from '../../src/tree/tree.ts';
import { BIG_FLAGS, treeOf } from '../support/big-guest.ts';
import { osbuilder } from '../support/cli.ts';
import { needs } from '../support/data.ts';
import { type SmallDeb, tar } from '../support/debs.ts';
import { needsMirror } from '../support/host.ts';
import { SMALL_PACKAGES, smallFlags, smallRepository } from '../support/small-guest.ts';

const UNITS = 'usr/lib/systemd/system';
const folder = mkdtempSync(join(tmpdir(), 'osbuilder-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A package with what provisioning looks for in a systemd guest. */
const SYSTEMD: SmallDeb = {
  name: 'sysd',
  files: [
    { name: './usr/' },
    { name: './usr/lib/' },
    { name: './usr/lib/systemd/' },
    { name: './usr/lib/systemd/systemd', data: '\x7fELF', mode: 0o755 },
    { name: './usr/lib/systemd/system/' },
    ...['dbus.socket', 'systemd-journald.service', 'systemd-journald-audit.socket', 'systemd-udevd-kernel.socket'].map(
      (name) => ({ name: `./usr/lib/systemd/system/${name}`, data: '[Unit]\n' }),
    ),
    {
      name: './usr/lib/systemd/system/chrony.service',
      data: `[Unit]
Description=chrony

[Service]
ExecStart=/usr/sbin/chronyd -u _chrony -F 1
ReadWritePaths=/run /var/lib/chrony -/var/log
StateDirectory=chrony
LogsDirectory=chrony
`,
    },
    { name: './usr/lib/systemd/system/sockets.target.wants/' },
    {
      name: './usr/lib/systemd/system/sockets.target.wants/systemd-udevd-kernel.socket',
      type: '2',
      link: '../systemd-udevd-kernel.socket',
    },
    { name: './usr/lib/systemd/system-generators/' },
    { name: './usr/lib/systemd/system-generators/systemd-fstab-generator', data: '\x7fELF', mode: 0o755 },
    { name: './usr/lib/systemd/system-generators/systemd-run-generator', data: '\x7fELF', mode: 0o755 },
    { name: './usr/sbin/' },
    { name: './usr/sbin/init', type: '2', link: '../lib/systemd/systemd' },
    { name: './etc/' },
    { name: './etc/chrony/' },
    {
      name: './etc/chrony/chrony.conf',
      data: 'pool 2.debian.pool.ntp.org iburst\nserver a\npeer b\nserverless\n#pool c\nkeyfile /x\nmakestep 1 3',
    },
    { name: './usr/share/' },
    { name: './usr/share/doc/' },
    { name: './usr/share/doc/sysd/' },
    { name: './usr/share/doc/sysd/copyright', data: 'free' },
    { name: './usr/share/zoneinfo/' },
    { name: './usr/share/zoneinfo/UTC', data: 'TZif' },
    { name: './var/' },
    { name: './var/lib/' },
    { name: './var/lib/sysd/' },
    { name: './var/lib/sysd/state', data: 's' },
    { name: './var/log/' },
    { name: './var/log/old', data: 'l' },
    { name: './var/tmp/', mode: 0o1777 },
  ],
};

let flags: Promise<string[]> | undefined;
let count = 0;

/** A guest of small packages that look like systemd's. */
async function small(args: readonly string[], output = 'g.tar'): Promise<Tree> {
  const path = await smallFile(args, output);
  return treeOf(path, folder);
}

async function smallFile(args: readonly string[], output: string): Promise<string> {
  const result = await smallResult(args, output);
  assert.equal(result.code, 0, result.stderr);
  return result.path;
}

async function smallResult(args: readonly string[], output = 'g.tar') {
  flags ??= smallRepository(folder, {}, [...SMALL_PACKAGES, SYSTEMD]).then(({ root, keyring }) =>
    smallFlags(root, keyring, join(folder, 'cache')),
  );
  const path = join(folder, `${++count}-${output}`);
  const kind = output.endsWith('.tar') ? 'rootfs' : output.endsWith('.initrd') ? 'initrd' : 'image';
  const result = await osbuilder([kind, ...(await flags), '--extra-pkgs', 'sysd', ...args, '-o', path]);
  return { ...result, path };
}

function write(name: string, bytes: string | Uint8Array, mode = 0o644): string {
  const path = join(folder, `${++count}-${name}`);
  writeFileSync(path, bytes, { mode });
  return path;
}

const ELF = '\x7fELF and what follows';
const described = (tree: Tree, path: string) => {
  const inode = tree.lstat(path);
  if (inode === undefined) return 'nothing';
  const owner = `${inode.mode.toString(8)} ${inode.uid}:${inode.gid}`;
  if (inode.kind === 'symlink') return `-> ${inode.target}`;
  if (inode.kind === 'char') return `char ${inode.major}:${inode.minor} ${owner}`;
  return `${inode.kind} ${owner}`;
};

/** What holds for every systemd guest with Kata's parts. */
function assertSystemdGuest(tree: Tree): void {
  assert.equal(
    described(tree, 'etc/systemd/system/basic.target.wants/kata-containers.target'),
    `-> /${UNITS}/kata-containers.target`,
  );
  assert.equal(
    described(tree, 'etc/systemd/system/kata-containers.target.wants/dbus.socket'),
    `-> /${UNITS}/dbus.socket`,
  );
  assert.equal(tree.root.mode & 0o051, 0o051);
  assert.equal(described(tree, 'usr/bin/kata-agent'), 'file 755 0:0');
  assert.equal(described(tree, `${UNITS}/kata-agent.service`), 'file 644 0:0');
  const service = tree.text(`${UNITS}/kata-agent.service`)!.split('\n');
  for (const line of [
    'Wants=kata-containers.target',
    'StandardOutput=tty',
    'Type=simple',
    'ExecStart=/usr/bin/kata-agent',
    'LimitNOFILE=1073741824',
    'ExecStop=/bin/sync ; /usr/bin/systemctl --force poweroff',
    'FailureAction=poweroff',
    'OOMScoreAdjust=-997',
  ])
    assert.ok(service.includes(line), line);
  const target = tree.text(`${UNITS}/kata-containers.target`)!.split('\n');
  for (const line of [
    'Requires=basic.target',
    'Requires=tmp.mount',
    'Requires=kata-agent.service',
    'Wants=chronyd.service',
    'Conflicts=rescue.service rescue.target',
    'After=basic.target rescue.service rescue.target',
    'AllowIsolate=yes',
  ])
    assert.ok(target.includes(line), line);
  assert.match(tree.text(tree.has(`${UNITS}/tmp.mount`) ? `${UNITS}/tmp.mount` : '')!, /Where=\/tmp/);
  assertEveryGuest(tree);
}

const GONE = [
  ...[
    ...['systemd-coredump@', 'systemd-journald', 'systemd-journald-dev-log', 'systemd-journal-flush'],
    ...['systemd-random-seed', 'systemd-timesyncd', 'systemd-tmpfiles-setup', 'systemd-udevd', 'systemd-udevd-control'],
    ...['systemd-udevd-kernel', 'systemd-udev-trigger', 'systemd-update-utmp'],
  ].flatMap((unit) => [`${unit}.service`, `${unit}.socket`]),
  ...['systemd-bless-boot-generator', 'systemd-fstab-generator', 'systemd-getty-generator'],
  ...['systemd-gpt-auto-generator', 'systemd-tmpfiles-cleanup.timer'],
];

/** What holds for every guest with Kata's parts. */
function assertEveryGuest(tree: Tree): void {
  for (const { path, name } of tree.walk()) assert.ok(!GONE.includes(name), path);
  assert.equal(described(tree, 'etc/resolv.conf'), 'file 644 0:0');
  assert.equal(tree.text('etc/resolv.conf'), '');
  assert.deepEqual(tree.list('var/lib'), ['osbuilder']);
  for (const path of ['var/cache', 'var/log']) assert.equal(described(tree, path), 'nothing');
  assert.equal(described(tree, 'var/tmp'), '-> ../tmp');
  assert.equal(described(tree, 'var/run'), '-> /run');
  assert.equal(described(tree, 'dev/console'), 'char 5:1 600 0:5');
  assert.equal(described(tree, 'dev/tty'), 'char 5:0 666 0:5');
  for (const n of [0, 1, 2, 3]) assert.equal(described(tree, `dev/ttyS${n}`), `char 4:${64 + n} 660 0:20`);
  assert.equal(described(tree, 'dev/null'), 'char 1:3 666 0:0');
  assert.equal(described(tree, 'dev/zero'), 'char 1:5 666 0:0');
  assert.equal(described(tree, 'dev/fd'), '-> /proc/self/fd');
  const config = tree.text('etc/chrony/chrony.conf')!.trimEnd().split('\n');
  assert.deepEqual(config.slice(-2), ['refclock PHC /dev/ptp0 poll 3 dpoll -2 offset 0', 'makestep 1 -1']);
  assert.ok(!config.some((line) => /^(server|pool|peer)\s/.test(line)));
  const unit = tree.text(`${UNITS}/chrony.service`)!;
  assert.match(unit, /^\[Unit\]\nConditionPathExists=\/dev\/ptp0\n/m);
  assert.doesNotMatch(unit, /^ExecStart=.* -u /m);
  assert.doesNotMatch(unit, /^(StateDirectory|LogsDirectory)=/m);
  assert.doesNotMatch(unit, /^ReadWritePaths=(.*\s)?\/var\/lib\/chrony/m);
}

function assertSummary(tree: Tree, agentInit: 'yes' | 'no', packages: object): void {
  const summary = parse(tree.text('var/lib/osbuilder/osbuilder.yaml')!);
  assert.deepEqual(Object.keys(summary), [
    ...['osbuilder', 'rootfs-creation-time', 'description', 'file-format-version', 'architecture', 'base-distro'],
    'agent',
  ]);
  assert.deepEqual(Object.keys(summary.osbuilder), ['url', 'version']);
  assert.equal(summary['file-format-version'], '0.0.2');
  assert.equal(summary.architecture, 'x86_64');
  assert.deepEqual(summary['base-distro'], { name: 'debian', version: 'trixie', packages });
  assert.deepEqual(Object.keys(summary.agent), ['url', 'name', 'version', 'agent-is-init-daemon']);
  assert.equal(summary.agent['agent-is-init-daemon'], agentInit);
  const newest = Math.max(...[...tree.walk()].map(({ inode }) => inode.mtime));
  assert.equal(Date.parse(summary['rootfs-creation-time'].replace(/\.0{9}\+0000Z$/, 'Z')) / 1000, newest);
}

const skip = await needsMirror();

/** A real guest of Debian's packages. */
async function big(args: readonly string[]): Promise<Tree> {
  const path = join(folder, `${++count}-big.tar`);
  const result = await osbuilder(['rootfs', ...BIG_FLAGS, ...args, '-o', path]);
  assert.equal(result.code, 0, result.stderr);
  assert.doesNotMatch(result.stderr, /warning/i);
  return treeOf(path, folder);
}

const DEFAULT = ['chrony', 'iptables', 'dbus', 'cryptsetup-bin', 'e2fsprogs', 'coreutils', 'kmod'];
const TRIMMED = [
  'bash-completion',
  'bug',
  'cracklib',
  'doc',
  'info',
  'lintian',
  'locale',
  'man',
  'menu',
  'misc',
  'pixmaps',
  'terminfo',
  'zsh',
];

test('a Debian guest with systemd is what Kata asks for', { skip }, async () => {
  const tree = await big([]);
  assertSystemdGuest(tree);
  assert.equal(tree.realpath('sbin/init'), 'usr/lib/systemd/systemd');
  const { default: always, extra } = parse(tree.text('var/lib/osbuilder/osbuilder.yaml')!)['base-distro'].packages;
  for (const name of [...DEFAULT, 'init']) assert.ok(always.includes(name), name);
  assertSummary(tree, 'no', { default: always, extra: [] });
  assert.deepEqual(extra, []);
  assertDebian(tree);
});

test('a Debian guest with the agent as process 1 is what Kata asks for', { skip }, async () => {
  const tree = await big(['--agent-init']);
  assertEveryGuest(tree);
  assert.equal(described(tree, 'usr/sbin/init'), 'file 755 0:0');
  assert.match(tree.text('sbin/init')!, /KATA-AGENT-READY/);
  assert.equal(described(tree, 'usr/bin/kata-agent'), 'nothing');
  assert.equal(tree.realpath('usr/lib/systemd/systemd'), undefined);
  for (const unit of ['kata-agent.service', 'kata-containers.target']) assert.ok(!tree.has(`${UNITS}/${unit}`), unit);
  assert.ok(!tree.has('etc/systemd/system/basic.target.wants/kata-containers.target'));
  assertDebian(tree);
});

/** Properties of Debian that a guest relies on. */
function assertDebian(tree: Tree): void {
  for (const name of TRIMMED) assert.equal(described(tree, `usr/share/${name}`), 'nothing');
  assert.ok(tree.file('usr/share/zoneinfo/Etc/UTC') !== undefined);
  assert.equal(tree.realpath('usr/lib/ssl/cert.pem'), 'etc/ssl/certs/ca-certificates.crt');
  assert.ok(tree.file('etc/ssl/certs/ca-certificates.crt')!.content.size > 100_000);
  for (const name of ['bin', 'sbin', 'lib']) assert.equal(described(tree, name), `-> usr/${name}`);
  for (const program of ['chronyd', 'iptables', 'e2fsck', 'cryptsetup', 'modprobe', 'ldconfig'])
    assert.equal(tree.stat(`usr/sbin/${program}`)?.kind, 'file', program);
  assert.equal(described(tree, 'tmp'), 'directory 1777 0:0');
  assert.equal(described(tree, 'root'), 'directory 700 0:0');
  assert.equal(described(tree, 'etc/shadow'), 'file 640 0:42');
  assert.equal(described(tree, 'usr/bin/su'), 'file 4755 0:0');
  assert.equal(described(tree, 'usr/sbin/unix_chkpwd'), 'file 2755 0:42');
  assert.ok(tree.file('etc/ld.so.cache')!.content.size > 1000);
  assert.match(tree.text('etc/passwd')!, /^_chrony:x:\d+:/m);
  assert.match(tree.text('etc/passwd')!, /^messagebus:x:\d+:/m);
}

test('a bare Debian rootfs has none of Kata’s parts, and keeps /var', { skip }, async () => {
  const path = join(folder, `${++count}-bare.tar`);
  const flags = BIG_FLAGS.filter((word, i) => word !== '--agent' && BIG_FLAGS[i - 1] !== '--agent');
  const result = await osbuilder(['rootfs', ...flags, '--rootfs-only', '--extra-pkgs', 'nano', '-o', path]);
  assert.equal(result.code, 0, result.stderr);
  const tree = await treeOf(path, folder);
  for (const { path } of tree.walk()) assert.doesNotMatch(path, /\bkata|osbuilder/);
  assert.ok(tree.has('usr/bin/nano'));
  assert.equal(described(tree, 'var/tmp'), 'directory 1777 0:0');
  assert.ok(tree.has('var/cache') && tree.has('var/log'));
  assert.match(tree.text('var/lib/dpkg/status')!, /^Package: nano\nStatus: install ok installed$/m);
  assert.ok(tree.has(`${UNITS}/systemd-journald.service`));
  assert.doesNotMatch(tree.text('etc/chrony/chrony.conf')!, /ptp0/);
});

test('small guest: everything about systemd', async () => {
  const tree = await small(['--agent', 'demo']);
  assertSystemdGuest(tree);
  assertSummary(tree, 'no', { default: ['extra'], extra: ['sysd'] });
  assert.equal(
    tree.text('etc/chrony/chrony.conf'),
    '# pool 2.debian.pool.ntp.org iburst\n# server a\n# peer b\nserverless\n#pool c\nkeyfile /x\nmakestep 1 3\n' +
      'refclock PHC /dev/ptp0 poll 3 dpoll -2 offset 0\nmakestep 1 -1\n',
  );
  assert.equal(
    tree.text(`${UNITS}/chrony.service`),
    `[Unit]
ConditionPathExists=/dev/ptp0
Description=chrony

[Service]
ExecStart=/usr/sbin/chronyd -F 1
ReadWritePaths=/run -/var/lib/chrony -/var/log
#StateDirectory=chrony
#LogsDirectory=chrony
`,
  );
  assert.match(tree.text(`${UNITS}/tmp.mount`)!, /^Options=mode=1777,strictatime,nosuid,nodev$/m);
  assert.ok(tree.has(`${UNITS}/systemd-journald-audit.socket`));
  assert.ok(tree.has('usr/lib/systemd/system-generators/systemd-run-generator'));
  assert.ok(!tree.has('usr/share/doc') && tree.has('usr/share/zoneinfo/UTC'));
});

test('what only an initrd or only an image has', async () => {
  const initrd = await small(['--agent', 'demo'], 'i.initrd');
  assert.equal(described(initrd, 'init'), '-> /lib/systemd/systemd');
  assert.equal(described(initrd, 'etc/machine-id'), 'nothing');
  assert.equal(described(await small(['--agent', 'demo', '--agent-init'], 'i.initrd'), 'init'), '-> /sbin/init');
  const image = await small(['--agent', 'demo'], 'k.img');
  assert.equal(described(image, 'init'), 'nothing');
  assert.equal(described(image, 'etc/machine-id'), 'file 644 0:0');
  assert.equal(image.text('etc/machine-id'), '');
});

test('the agent from a program, and errors for what is none', async () => {
  const binary = write('agent', ELF, 0o600);
  if (process.getuid?.() === 0) chownSync(binary, 1234, 1234);
  const tree = await small(['--agent', binary]);
  assertSystemdGuest(tree);
  assert.equal(tree.text('usr/bin/kata-agent'), ELF);
  const asInit = await small(['--agent', binary, '--agent-init']);
  assert.equal(described(asInit, 'usr/sbin/init'), 'file 755 0:0');
  assert.equal(asInit.text('sbin/init'), ELF);
  assert.equal(described(asInit, 'usr/bin/kata-agent'), 'nothing');
  assert.equal(described(asInit, 'usr/lib/systemd/systemd'), 'file 755 0:0');
  for (const [path, code] of [
    [write('text', 'hello\n'), 'AGENT_UNKNOWN'],
    [write('packed.gz', gzipSync('hello')), 'AGENT_UNKNOWN'],
    [write('other.tar', tar([{ name: 'usr/bin/other', data: ELF }])), 'AGENT_MISSING'],
    [join(folder, 'nowhere'), 'READ_FAILED'],
  ] as const) {
    const result = await smallResult(['--agent', path]);
    assert.equal(result.code, 1, result.stderr);
    assert.match(result.stderr, new RegExp(`\\[${code}\\]`), path);
  }
});

test('the agent from archives of every compression, with their own units', async () => {
  const service = '[Service]\nExecStart=/usr/bin/kata-agent --special\n';
  const archive = tar([
    { name: './', mode: 0o755, uid: 77, gid: 77 },
    { name: './usr/' },
    { name: './usr/bin/' },
    { name: './usr/bin/kata-agent', data: ELF, mode: 0o700 },
    { name: './usr/lib/systemd/system/kata-agent.service', data: service },
  ]);
  const zstd = await collect(compress(memory(archive).open(), 'zstd'));
  for (const path of [write('a.tar', archive), write('a.tar.gz', gzipSync(archive)), write('a.tar.zst', zstd)]) {
    const tree = await small(['--agent', path]);
    assert.equal(described(tree, 'usr/bin/kata-agent'), 'file 755 0:0');
    assert.equal(tree.text('usr/bin/kata-agent'), ELF);
    assert.equal(tree.text(`${UNITS}/kata-agent.service`), service);
    assert.ok(tree.has(`${UNITS}/kata-containers.target`));
  }
  const lone = write('lone.tar.gz', gzipSync(tar([{ name: 'kata-agent', data: ELF, mode: 0o644, uid: 5 }])));
  assert.equal(described(await small(['--agent', lone]), 'usr/bin/kata-agent'), 'file 755 0:0');
});

test('the agent out of an existing initrd and an existing image', async () => {
  const binary = write('agent', `${ELF}!`, 0o755);
  for (const args of [
    ['--agent', binary],
    ['--agent', binary, '--agent-init'],
  ])
    for (const output of ['a.initrd', 'a.img']) {
      const guest = await smallFile(args, output);
      for (const init of [[], ['--agent-init']]) {
        const tree = await small(['--agent', guest, ...init]);
        const path = init.length === 0 ? 'usr/bin/kata-agent' : 'usr/sbin/init';
        assert.equal(described(tree, path), 'file 755 0:0', `${args} ${output} ${init}`);
        assert.equal(tree.text(path), `${ELF}!`);
        if (init.length === 0) assertSystemdGuest(tree);
      }
    }
  const bare = await smallFile(['--skip-rootfs-check'], 'none.initrd');
  const result = await smallResult(['--agent', bare]);
  assert.match(result.stderr, /\[AGENT_MISSING\]/);
});

test('overlays: folders belong to root, archives keep their owners, and the last one wins', async () => {
  const made = join(folder, 'overlay');
  mkdirSync(join(made, 'etc/new'), { recursive: true });
  mkdirSync(join(made, 'lib'), { recursive: true });
  writeFileSync(join(made, 'etc/new/file'), 'new', { mode: 0o640 });
  writeFileSync(join(made, 'etc/resolv.conf'), 'nameserver 10.0.0.1\n');
  writeFileSync(join(made, 'lib/below-the-link'), 'x');
  if (process.getuid?.() === 0) for (const name of ['etc/new', 'etc/new/file']) chownSync(join(made, name), 1234, 4321);
  const archive = write(
    'o.tar.gz',
    gzipSync(
      tar([
        { name: 'etc/owned', data: 'o', uid: 12, gid: 34, mode: 0o4711 },
        { name: 'etc/new/file', data: 'newer' },
      ]),
    ),
  );
  const tree = await small(['--agent', 'demo', '--overlay', made, '--overlay', archive]);
  assert.equal(described(tree, 'etc/new'), 'directory 755 0:0');
  assert.equal(tree.text('etc/new/file'), 'newer');
  assert.equal(described(tree, 'etc/owned'), 'file 4711 12:34');
  assert.equal(tree.text('etc/resolv.conf'), 'nameserver 10.0.0.1\n');
  assert.equal(tree.text('usr/lib/below-the-link'), 'x');
  assert.equal(described(tree, 'lib'), '-> usr/lib');
  const other = await small(['--agent', 'demo', '--overlay', archive, '--overlay', made]);
  assert.equal(described(other, 'etc/new/file'), 'file 640 0:0');
  assert.equal(other.text('etc/new/file'), 'new');
});

test('what is removed, and what is not trimmed', async () => {
  const tree = await small([
    '--agent',
    'demo',
    '--no-trim',
    '--remove',
    '/usr/share/extra',
    '--remove',
    'lib/libsmall.so.*',
  ]);
  assert.equal(tree.text('usr/share/doc/sysd/copyright'), 'free');
  assert.ok(!tree.has('usr/share/extra') && !tree.has('usr/lib/libsmall.so.1'));
  assert.ok(tree.has('usr/bin/tool'));
});

test('a folder of kernel modules', async () => {
  const modules = join(folder, '6.12.1-kata');
  mkdirSync(join(modules, 'kernel/fs'), { recursive: true });
  writeFileSync(join(modules, 'kernel/fs/x.ko'), 'module', { mode: 0o600 });
  if (process.getuid?.() === 0) chownSync(join(modules, 'kernel/fs/x.ko'), 1234, 1234);
  const tree = await small(['--agent', 'demo', '--kernel-modules-dir', `${modules}/`]);
  assert.equal(described(tree, 'usr/lib/modules/6.12.1-kata/kernel/fs/x.ko'), 'file 600 0:0');
  assert.equal(tree.text('lib/modules/6.12.1-kata/kernel/fs/x.ko'), 'module');
  mkdirSync(join(folder, 'far/lib/modules/6.1-a/kernel'), { recursive: true });
  // the folder above, with one release or more, would be taken for a release of its own name
  const above = join(folder, 'above');
  const seen: string[] = [];
  for (const release of ['7.2-b', '6.1-a']) {
    mkdirSync(join(above, release, 'kernel'), { recursive: true });
    const { code, stderr } = await smallResult(['--agent', 'demo', '--kernel-modules-dir', above]);
    assert.equal(code, 0, stderr);
    // MODULES_ABOVE, by the first of them
    assert.match(
      stderr,
      new RegExp(`above is the folder above that of a kernel \\(${[...seen, release].sort()[0]}\\)`),
    );
    seen.push(release);
  }
  const { stderr } = await smallResult(['--agent', 'demo', '--kernel-modules-dir', join(folder, 'far')]);
  assert.match(stderr, /far is the folder above that of a kernel \(lib\/modules\/6\.1-a\)/);
  // MODULES_BELOW: a part of one for all of it
  writeFileSync(join(modules, 'modules.order'), 'kernel/fs/x.ko\n');
  for (const part of ['kernel', 'kernel/fs/']) {
    const taken = await smallResult(['--agent', 'demo', '--kernel-modules-dir', join(modules, part)]);
    assert.equal(taken.code, 0, taken.stderr);
    assert.match(
      taken.stderr,
      /is a part of the folder of the kernel 6\.12\.1-kata: it becomes \/lib\/modules\/(kernel|fs),/,
    );
  }
});

test('policies of the agent', async () => {
  const folderOf = 'etc/kata-opa';
  assert.ok(!(await small(['--agent', 'demo'])).has(folderOf));
  const open = await small(['--agent', 'demo', '--agent-policy']);
  assert.equal(described(open, `${folderOf}/default-policy.rego`), '-> allow-all.rego');
  assert.match(
    open.text(`${folderOf}/default-policy.rego`)!,
    /^package agent_policy\n[\s\S]*^default CreateContainerRequest := true$/m,
  );
  const file = write('strict.rego', 'package agent_policy\n', 0o600);
  const own = await small(['--agent', 'demo', '--agent-policy-file', file]);
  const name = file.slice(folder.length + 1);
  assert.equal(described(own, `${folderOf}/${name}`), 'file 644 0:0');
  assert.equal(described(own, `${folderOf}/default-policy.rego`), `-> ${name}`);
});

test('the three archives of Kata’s parts, and a confidential guest', async () => {
  const parts = (name: string) =>
    write(
      `${name}.tar.gz`,
      gzipSync(tar([{ name: `usr/${name}/` }, { name: `usr/${name}/it`, data: name, mode: 0o755 }])),
    );
  const tree = await small([
    ...['--agent', 'demo', '--guest-hooks-tarball', parts('hooks'), '--pause-image-tarball', parts('pause')],
    ...['--coco-guest-components-tarball', parts('coco'), '--confidential-guest'],
  ]);
  for (const name of ['hooks', 'pause', 'coco']) assert.equal(tree.text(`usr/${name}/it`), name);
  assert.match(tree.text('etc/fstab')!, /^tmpfs \/run tmpfs nodev,nosuid,size=50% 0 0$/m);
  assert.match(tree.text(`${UNITS}/kata-containers.target`)!, /^Requires=systemd-remount-fs\.service$/m);
  assertSystemdGuest(tree);
});

test('a bare small rootfs', async () => {
  const tree = await small(['--rootfs-only']);
  for (const { path } of tree.walk()) assert.doesNotMatch(path, /\bkata|osbuilder/);
  assert.equal(tree.text('var/lib/sysd/state'), 's');
  assert.equal(tree.text('var/log/old'), 'l');
  assert.ok(tree.has(`${UNITS}/systemd-journald.service`));
});

test('an existing rootfs is provisioned, an empty folder too', async () => {
  const bare = await smallFile(['--rootfs-only', '--no-trim'], 'bare.tar');
  const path = join(folder, 'provisioned.tar');
  const result = await osbuilder(['rootfs', bare, '--agent', 'demo', '-o', path]);
  assert.equal(result.code, 0, result.stderr);
  const tree = await treeOf(path, folder);
  assert.equal(described(tree, 'usr/bin/kata-agent'), 'file 755 0:0');
  assert.ok(!tree.has('var/lib/sysd') && !tree.has(`${UNITS}/systemd-journald.service`));
  const empty = join(folder, 'empty');
  mkdirSync(empty);
  const overlay = join(folder, 'overlay.tar');
  const again = await osbuilder([
    'rootfs',
    empty,
    '--agent',
    'demo',
    '--source-date-epoch',
    '1700000000',
    '-o',
    overlay,
  ]);
  assert.equal(again.code, 0, again.stderr);
  const made = await treeOf(overlay, folder);
  assert.equal(described(made, 'usr/bin/kata-agent'), 'file 755 0:0');
  assert.ok(made.has('etc/systemd/system/basic.target.wants/kata-containers.target'));
  assert.ok(sortedNames(made.root).includes('var'));
});

test('bsdtar reads the same rootfs archive', { skip: needs({ tools: ['bsdtar'] }) }, async () => {
  const path = await smallFile(['--agent', 'demo'], 'check.tar');
  const names = execFileSync('bsdtar', ['-tf', path], { env: { ...process.env, LC_ALL: 'C.UTF-8' } })
    .toString()
    .trimEnd()
    .split('\n');
  const ours = [...(await treeOf(path, folder)).walk()].map(({ path, inode }) => {
    const name = Buffer.from(path, 'latin1').toString();
    return inode.kind === 'directory' ? `./${name}${name === '' ? '' : '/'}` : `./${name}`;
  });
  assert.deepEqual(names.map((name) => (name.startsWith('./') ? name : `./${name}`)).sort(), ours.sort());
});
