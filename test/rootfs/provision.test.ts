import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse as parseYaml } from 'yaml';
import { memory } from '../../src/bytes/content.ts';
import { silent } from '../../src/events/events.ts';
import { checkRootfs } from '../../src/rootfs/check.ts';
import { chronyConfig, chronyUnit } from '../../src/rootfs/chrony.ts';
import { provideDevices } from '../../src/rootfs/devices.ts';
import type { Guest } from '../../src/rootfs/guest.ts';
import { provision } from '../../src/rootfs/provision.ts';
import { removeMatching } from '../../src/rootfs/trim.ts';
import { directory, file, rootMeta } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';

const EPOCH = 1_700_000_000;
const U = 'usr/lib/systemd/system';

function guest(answers: Partial<Guest> = {}): Guest {
  return {
    init: 'systemd',
    report: silent,
    chrony: { config: 'etc/chrony/chrony.conf', unit: 'chrony.service' },
    agent: { kind: 'demo' },
    modules: undefined,
    policy: undefined,
    tarballs: [],
    confidential: false,
    keep: [],
    epoch: EPOCH,
    summary: {
      version: '1.2.3',
      description: 'test',
      architecture: 'x86_64',
      distro: { name: 'debian', version: 'trixie' },
      packages: { default: ['chrony', 'dbus'], extra: [] },
    },
    ...answers,
  };
}

/** A minimal Debian rootfs with systemd. */
function skeleton(): Tree {
  const tree = new Tree();
  tree.makeDirectory('usr/sbin');
  tree.makeDirectory('usr/bin');
  for (const name of ['bin', 'sbin', 'lib']) tree.symlink(name, `usr/${name}`);
  tree.writeFile('usr/lib/systemd/systemd', 'ELF', rootMeta(0o755));
  tree.symlink('usr/sbin/init', '../lib/systemd/systemd');
  tree.writeFile(`${U}/dbus.socket`, '[Socket]\n');
  tree.writeFile(`${U}/systemd-udevd.service`, 'x');
  tree.writeFile(`${U}/systemd-journald.socket`, 'x');
  tree.writeFile(`${U}/systemd-journald.service.d/keep.conf`, 'x');
  tree.symlink('etc/systemd/system/sysinit.target.wants/systemd-udevd.service', `/${U}/systemd-udevd.service`);
  tree.writeFile('usr/lib/systemd/system-generators/systemd-fstab-generator', 'x');
  tree.writeFile('etc/chrony/chrony.conf', 'pool 2.debian.pool.ntp.org iburst\n#server x\nmakestep 1 3\n');
  tree.writeFile(
    `${U}/chrony.service`,
    '[Unit]\nDescription=chrony\n\n[Service]\nExecStart=!/usr/sbin/chronyd -u _chrony $DAEMON_OPTS\nReadWritePaths=/run /var/lib/chrony -/var/log\nStateDirectory=chrony\nLogsDirectory=chrony\n',
  );
  tree.symlink('etc/resolv.conf', '../run/resolv.conf');
  tree.writeFile('var/lib/dpkg/status', 'kept?');
  tree.writeFile('var/cache/apt/x', 'x');
  tree.writeFile('var/tmp/x', 'x');
  tree.root.mode = 0o700;
  return tree;
}

test('systemd guests get every part, in the shell-based osbuilder’s places', () => {
  const tree = skeleton();
  provision(tree, guest());
  for (const gone of [
    'var/cache',
    'var/log',
    'var/lib/dpkg',
    `${U}/systemd-udevd.service`,
    `${U}/systemd-journald.socket`,
    'etc/systemd/system/sysinit.target.wants/systemd-udevd.service',
    'usr/lib/systemd/system-generators/systemd-fstab-generator',
  ])
    assert.equal(tree.lstat(gone), undefined, gone);
  assert.ok(tree.has(`${U}/systemd-journald.service.d/keep.conf`));
  const link = tree.lstat('var/tmp');
  assert.ok(link?.kind === 'symlink' && link.target === '../tmp');
  assert.match(tree.text(`${U}/tmp.mount`)!, /Options=mode=1777,strictatime,nosuid,nodev/);
  const agent = tree.file('usr/bin/kata-agent')!;
  assert.equal(agent.mode, 0o755);
  assert.match(tree.text(`${U}/kata-agent.service`)!, /LimitNOFILE=1073741824/);
  assert.match(tree.text(`${U}/kata-containers.target`)!, /Requires=tmp\.mount/);
  for (const [path, target] of [
    ['basic.target.wants/kata-containers.target', 'kata-containers.target'],
    ['kata-containers.target.wants/dbus.socket', 'dbus.socket'],
  ] as const) {
    const inode = tree.lstat(`etc/systemd/system/${path}`);
    assert.ok(inode?.kind === 'symlink' && inode.target === `/${U}/${target}`, path);
  }
  assert.equal(tree.root.mode & 0o055, 0o051);
  const resolv = tree.lstat('etc/resolv.conf');
  assert.ok(resolv?.kind === 'file' && resolv.content.size === 0);
  checkRootfs(tree, 'systemd');
});

test('chrony follows the PTP clock and no server, and its unit is independent', () => {
  const config = chronyConfig('pool a iburst\nserver b\n  server indented\npeer c\nserverless yes\n');
  assert.equal(
    config,
    '# pool a iburst\n# server b\n  server indented\n# peer c\nserverless yes\nrefclock PHC /dev/ptp0 poll 3 dpoll -2 offset 0\nmakestep 1 -1\n',
  );
  assert.equal(chronyConfig(config), config, 'a second time changes nothing');
  const unit = chronyUnit(
    '[Unit]\nDescription=x\n[Service]\nExecStart=!/usr/sbin/chronyd -u _chrony $DAEMON_OPTS\nReadWritePaths=/run /var/lib/chrony -/var/log\nStateDirectory=chrony\nLogsDirectory=chrony\n',
  );
  assert.equal(
    unit,
    '[Unit]\nConditionPathExists=/dev/ptp0\nDescription=x\n[Service]\nExecStart=!/usr/sbin/chronyd $DAEMON_OPTS\nReadWritePaths=/run -/var/lib/chrony -/var/log\n#StateDirectory=chrony\n#LogsDirectory=chrony\n',
  );
  assert.equal(chronyUnit(unit), unit);
});

test('with the agent as init it has init’s path, and there are no units of ours', () => {
  const tree = skeleton();
  provision(tree, guest({ init: 'agent', agent: { kind: 'binary', name: 'agent', content: memory('BIN') } }));
  assert.equal(tree.text('sbin/init'), 'BIN');
  assert.equal(tree.realpath('sbin/init'), 'usr/sbin/init');
  assert.equal(tree.lstat('usr/bin/kata-agent'), undefined);
  assert.equal(tree.lstat(`${U}/kata-agent.service`), undefined);
  assert.equal(tree.lstat(`${U}/tmp.mount`), undefined);
  assert.equal(tree.text('usr/lib/systemd/systemd'), 'ELF', 'what init was a link to stays as it was');
  checkRootfs(tree, 'agent');
});

test('an agent comes from a tarball, its units with it', () => {
  const tree = skeleton();
  const layer = {
    name: 'agent.tar',
    entries: [
      { path: './usr/bin/', inode: directory() },
      { path: './usr/bin/kata-agent', inode: file(memory('A'), rootMeta(0o700)) },
      { path: `./${U}/kata-agent.service`, inode: file(memory('their own')) },
    ],
  };
  provision(tree, guest({ agent: { kind: 'layer', layer } }));
  assert.equal(tree.text('usr/bin/kata-agent'), 'A');
  assert.equal(tree.file('usr/bin/kata-agent')!.mode, 0o755);
  assert.equal(tree.text(`${U}/kata-agent.service`), 'their own');
  assert.ok(tree.has(`${U}/kata-containers.target`));
  assert.throws(
    () => provision(skeleton(), guest({ agent: { kind: 'layer', layer: { name: 'empty.tar', entries: [] } } })),
    { code: 'AGENT_MISSING', message: /empty\.tar/ },
  );
});

test('a tarball with kata-agent alone is installed to the right path', () => {
  const tree = skeleton();
  provision(
    tree,
    guest({
      agent: { kind: 'layer', layer: { name: 'a.tar', entries: [{ path: './kata-agent', inode: file(memory('A')) }] } },
    }),
  );
  assert.equal(tree.text('usr/bin/kata-agent'), 'A');
  assert.equal(tree.lstat('kata-agent'), undefined);
});

test('an agent is taken from another guest, where it is init or a unit', () => {
  const other = skeleton();
  provision(other, guest({ agent: { kind: 'binary', name: 'x', content: memory('REAL') } }));
  other.writeFile(`${U}/kata-debug.service`, 'debug');
  const tree = skeleton();
  provision(tree, guest({ agent: { kind: 'guest', name: 'kata.img', tree: other } }));
  assert.equal(tree.text('usr/bin/kata-agent'), 'REAL');
  assert.equal(tree.text(`${U}/kata-debug.service`), 'debug');
  const bare = new Tree();
  bare.writeFile('sbin/init', 'INIT-AGENT', rootMeta(0o755));
  const again = skeleton();
  provision(again, guest({ agent: { kind: 'guest', name: 'k', tree: bare } }));
  assert.equal(again.text('usr/bin/kata-agent'), 'INIT-AGENT');
  assert.throws(() => provision(skeleton(), guest({ agent: { kind: 'guest', name: 'plain.img', tree: skeleton() } })), {
    code: 'AGENT_MISSING',
  });
});

test('policy, modules, tarballs and the confidential parts', () => {
  const tree = skeleton();
  provision(
    tree,
    guest({
      policy: { name: 'mine.rego', content: memory('package agent_policy\n') },
      modules: { name: '6.1.0', entries: [{ path: 'kernel/a.ko', inode: file(memory('KO')) }] },
      tarballs: [{ name: 'pause', entries: [{ path: 'pause_bundle/config.json', inode: file(memory('{}')) }] }],
      confidential: true,
    }),
  );
  assert.equal(tree.text('etc/kata-opa/default-policy.rego'), 'package agent_policy\n');
  assert.equal(tree.lstat('etc/kata-opa/default-policy.rego')?.kind, 'symlink');
  assert.equal(tree.text('usr/lib/modules/6.1.0/kernel/a.ko'), 'KO');
  assert.equal(tree.text('pause_bundle/config.json'), '{}');
  assert.equal(tree.text('etc/fstab'), 'tmpfs /run tmpfs nodev,nosuid,size=50% 0 0\n');
  assert.match(tree.text(`${U}/kata-containers.target`)!, /^Requires=systemd-remount-fs\.service$/m);
});

test('the summary is YAML with the keys that kata-collect-data.sh reads', () => {
  const tree = skeleton();
  provision(tree, guest({ keep: ['var/lib/dpkg'] }));
  assert.equal(tree.text('var/lib/dpkg/status'), 'kept?');
  const summary = parseYaml(tree.text('var/lib/osbuilder/osbuilder.yaml')!);
  assert.deepEqual(Object.keys(summary), [
    'osbuilder',
    'rootfs-creation-time',
    'description',
    'file-format-version',
    'architecture',
    'base-distro',
    'agent',
  ]);
  assert.equal(summary['rootfs-creation-time'], '2023-11-14T22:13:20.000000000+0000Z');
  assert.equal(summary['file-format-version'], '0.0.2');
  assert.deepEqual(summary['base-distro'], {
    name: 'debian',
    version: 'trixie',
    packages: { default: ['chrony', 'dbus'], extra: [] },
  });
  assert.equal(summary.agent['agent-is-init-daemon'], 'no');
});

test('a rootfs that could not start is rejected with the reason', () => {
  const rejected = (tree: Tree, init: 'systemd' | 'agent', message: RegExp) =>
    assert.throws(() => checkRootfs(tree, init), { code: 'ROOTFS_UNFIT', message });
  rejected(new Tree(), 'systemd', /\/sbin\/init is not there/);
  rejected(skeleton(), 'systemd', /kata-agent is not there/);
  rejected(skeleton(), 'agent', /is systemd/);
  const plain = new Tree();
  plain.writeFile('sbin/init', 'x', rootMeta(0o644));
  rejected(plain, 'agent', /is not a program/);
  plain.file('sbin/init')!.mode = 0o755;
  rejected(plain, 'systemd', /systemd should be process 1/);
});

test('trimming follows links, accepts globs, and keeps the rest', () => {
  const tree = skeleton();
  for (const path of [
    'usr/share/doc/a/b',
    'usr/share/man/man1/x.1',
    'usr/lib/x/a.pyc',
    'usr/lib/x/y/b.pyc',
    'usr/lib/x/y/b.py',
  ])
    tree.writeFile(path, '');
  assert.deepEqual(
    removeMatching(tree, [
      '/usr/share/{a}',
      'usr/share/doc',
      '/lib/x/**/*.pyc',
      'usr/share/m?n',
      'nothing/here',
    ]).sort(),
    ['usr/lib/x/a.pyc', 'usr/lib/x/y/b.pyc', 'usr/share/doc', 'usr/share/man'],
  );
  assert.ok(tree.has('usr/lib/x/y/b.py'));
});

test('a hostile glob takes bounded time', () => {
  const tree = new Tree();
  tree.writeFile('a'.repeat(250), '');
  assert.deepEqual(removeMatching(tree, [`${'*a'.repeat(100)}b`]), []);
});

test('the device nodes that process 1 needs', () => {
  const tree = new Tree();
  provideDevices(tree, EPOCH);
  const console = tree.lstat('dev/console');
  assert.ok(console?.kind === 'char' && console.major === 5 && console.minor === 1 && console.mode === 0o600);
  assert.deepEqual(tree.list('dev'), ['console', 'fd', 'null', 'tty', 'ttyS0', 'ttyS1', 'ttyS2', 'ttyS3', 'zero']);
});
