import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { osbuilder, PROGRAM } from '../support/cli.ts';
import { temporary } from '../support/data.ts';
import { smallFlags, smallRepository } from '../support/small-guest.ts';

test('misuse ends with 2, says so on stderr and leaves stdout alone', async () => {
  for (const args of [['inital'], ['initrd', '--nonsense'], ['rootfs'], ['build'], ['cache', 'burn']]) {
    const { code, stdout, stderr } = await osbuilder(args);
    assert.equal(code, 2, args.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, /^osbuilder: .*\[USAGE\]/m);
  }
});

test('every command that prints says in one sentence that there is no space for it', {
  skip: !existsSync('/dev/full') && 'there is no /dev/full',
}, () => {
  for (const words of [
    'help',
    '--help',
    'version',
    '--version',
    'build --help',
    'distros',
    'modules',
    'completion bash',
  ]) {
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(process.execPath, [PROGRAM, ...words.split(' ')], {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    closeSync(full);
    assert.equal(status, 1, `${words}: ${stderr}`);
    assert.match(
      stderr,
      /^osbuilder: cannot write standard output: no space left on the device \[WRITE_FAILED\]$/m,
      words,
    );
  }
});

test('messages that cannot be written do not keep a build from its end', {
  skip: !existsSync('/dev/full') && 'there is no /dev/full',
}, (t) => {
  const folder = temporary(t);
  mkdirSync(join(folder, 'r/etc'), { recursive: true });
  writeFileSync(join(folder, 'r/etc/passwd'), 'root:x:0:0::/:/bin/sh\n');
  for (const [words, expected] of [
    ['initrd r --rootfs-only -o i.img', 0],
    ['image r --rootfs-only -o k.img', 0],
    ['extension mine r -o e.img', 0],
    ['repro r --rootfs-only', 0],
    ['nonsense', 2],
    ['inspect missing', 1],
  ] as const) {
    const full = openSync('/dev/full', 'w');
    const { status, stdout } = spawnSync(process.execPath, [PROGRAM, ...words.split(' '), '--json'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', full],
      encoding: 'utf8',
    });
    closeSync(full);
    assert.equal(status, expected, `${words}: ${stdout}`);
    assert.equal('error' in JSON.parse(stdout), expected !== 0, words);
  }
});

test('bytes of a file or an artefact and a JSON document never share standard output', async (t) => {
  const folder = temporary(t);
  mkdirSync(join(folder, 'r/etc'), { recursive: true });
  writeFileSync(join(folder, 'r/etc/motd'), 'hello\n');
  for (const words of [
    'inspect r --cat etc/motd',
    'extract r -o -',
    'rootfs r --rootfs-only -o -',
    'initrd r --rootfs-only -o -',
    'image r --rootfs-only -o -',
    'build r --rootfs-only --rootfs -',
    'extension mine r -o -',
  ]) {
    const { code, stdout } = await osbuilder([...words.split(' '), '--json'], { cwd: folder });
    assert.equal(code, 2, words);
    assert.equal(JSON.parse(stdout).error.code, 'USAGE', words);
  }
  const plain = await osbuilder(['inspect', 'r', '--cat', 'etc/motd'], { cwd: folder });
  assert.deepEqual([plain.code, plain.stdout], [0, 'hello\n']);
});

test('a flag in the place of a value is shown as it was typed', async () => {
  for (const word of ['--json', '--no-trim', '--strict=no', '--offline', '--list']) {
    const { code, stderr } = await osbuilder(['build', '--image', word]);
    assert.equal(code, 2, word);
    assert.ok(stderr.includes(`"${word}" is a flag; --image=${word} makes it a value`), stderr);
  }
});

test('an error ends with 1, with code, sentence and hint; as JSON too', async (t) => {
  const folder = temporary(t);
  const args = ['initrd', '--distro', 'debian', '--cache-dir', join(folder, 'c'), '-o', join(folder, 'i.img')];
  const plain = await osbuilder(args);
  assert.equal(plain.code, 1);
  assert.equal(plain.stdout, '');
  assert.match(plain.stderr, /\[ROOTFS_UNFIT\]\n {2}.*--agent/);
  const json = await osbuilder([...args, '--json']);
  assert.equal(json.code, 1);
  const { error } = JSON.parse(json.stdout);
  assert.equal(error.code, 'ROOTFS_UNFIT');
  assert.match(error.message, /agent/);
  assert.match(error.hint, /--agent/);
  assert.equal(typeof error.context, 'object');
});

test('settings that this version has no meaning for are rejected by name, never ignored', async (t) => {
  const folder = temporary(t);
  for (const [flag, word] of [['--compress', 'xz']] as const) {
    const { code, stderr } = await osbuilder([
      'build',
      '--distro',
      'debian',
      '--agent',
      'demo',
      flag,
      word,
      '--initrd',
      join(folder, 'x'),
      '--cache-dir',
      folder,
    ]);
    assert.equal(code, 1, `${flag} ${word}`);
    assert.match(stderr, /\[NOT_SUPPORTED\]/);
  }
});

test('a file that is not there, a config that is wrong, a profile that is wrong', async (t) => {
  const folder = temporary(t);
  writeFileSync(join(folder, 'osbuilder.yaml'), 'distroo: debian\n');
  writeFileSync(join(folder, 'broken.yaml'), 'a: [\n');
  writeFileSync(join(folder, 'profile.yaml'), 'name: x\n');
  for (const [args, code] of [
    [['inspect', 'nowhere.img'], 'CONFIG_INVALID'],
    [['inspect', 'nowhere.img', '--config', '/dev/null'], 'READ_FAILED'],
    [['inspect', 'x', '--config', 'broken.yaml'], 'CONFIG_INVALID'],
    [['inspect', 'x', '--config', 'absent.yaml'], 'READ_FAILED'],
    [['plan', '--profile', 'profile.yaml', '--config', '/dev/null'], 'PROFILE_INVALID'],
  ] as const) {
    const { code: exit, stderr } = await osbuilder(args, { cwd: folder });
    assert.equal(exit, 1, args.join(' '));
    assert.ok(stderr.includes(`[${code}]`), `${args.join(' ')}: ${stderr}`);
  }
});

test('a lock that is not there has the hint that makes one; one that cannot be read has not', async (t) => {
  const folder = temporary(t);
  mkdirSync(join(folder, 'folder'));
  for (const args of [
    ['image', '--lock', 'none.json', '-o', 'x'],
    ['lock', '--update', '--lock', 'none.json'],
    ['diff', 'none.json', 'none.json'],
  ]) {
    const { code, stderr } = await osbuilder([...args, '--config', '/dev/null'], { cwd: folder });
    assert.equal(code, 1, args.join(' '));
    if (args[0] === 'diff') assert.doesNotMatch(stderr, /osbuilder lock/);
    else assert.match(stderr, /none\.json: no such file or directory \[READ_FAILED\]\n {2}osbuilder lock makes one\n/);
  }
  const { stderr } = await osbuilder(['image', '--lock', 'folder', '-o', 'x', '--config', '/dev/null'], {
    cwd: folder,
  });
  assert.match(stderr, /folder: it is a directory.*\[READ_FAILED\]\n$/);
});

test('a plan tells every package with its reason and fetches none', async (t) => {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  const cache = join(folder, 'cache');
  const json = await osbuilder(['plan', ...smallFlags(root, keyring, cache), '--json']);
  assert.equal(json.code, 0, json.stderr);
  const { packages } = JSON.parse(json.stdout);
  assert.deepEqual(packages.map((one: { name: string; reason: string }) => [one.name, one.reason]).sort(), [
    ['base-files', 'Essential'],
    ['extra', 'asked for'],
    ['libsmall', 'tools depends on it'],
    ['tools', 'Priority: required'],
  ]);
  for (const one of packages) {
    assert.match(one.sha256, /^[0-9a-f]{64}$/);
    assert.ok(one.url.endsWith('.deb') && one.size > 0);
  }
  assert.deepEqual(
    readdirSync(cache).filter((category) => category === 'archives' || category === 'spools'),
    [],
  );
  const people = await osbuilder(['plan', ...smallFlags(root, keyring, cache)]);
  assert.match(people.stdout, /^libsmall +1 .*tools depends on it$/m);
  assert.match(people.stdout, /4 packages/);
});

test('a guest from a config file and the environment is the one from flags', async (t) => {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  const flags = smallFlags(root, keyring, join(folder, 'cache'));
  const byFlags = await osbuilder(['rootfs', ...flags, '--agent', 'demo', '--agent-init', '-o', 'a.tar'], {
    cwd: folder,
  });
  assert.equal(byFlags.code, 0, byFlags.stderr);
  writeFileSync(
    join(folder, 'osbuilder.yaml'),
    `distro: debian\nos-version: trixie\narch: amd64\npackages: [extra]\nrepo-url: ${root}\nkeyring: [${keyring}]\ncache-dir: cache\n`,
  );
  const byOthers = await osbuilder(['rootfs', '-o', 'b.tar'], {
    cwd: folder,
    env: { AGENT_INIT: 'yes', AGENT_SOURCE_BIN: 'demo' },
  });
  assert.equal(byOthers.code, 0, byOthers.stderr);
  assert.deepEqual(readFileSync(join(folder, 'a.tar')), readFileSync(join(folder, 'b.tar')));
});

test('what was made can be inspected, listed, read and taken apart again', async (t) => {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  const flags = smallFlags(root, keyring, join(folder, 'cache'));
  const built = await osbuilder(
    ['build', ...flags, '--agent', 'demo', '--agent-init', '--rootfs', 'r.tar', '--initrd', 'i.img', '--json'],
    { cwd: folder },
  );
  assert.equal(built.code, 0, built.stderr);
  const document = JSON.parse(built.stdout);
  assert.deepEqual(
    document.outputs.map((one: { kind: string }) => one.kind),
    ['rootfs', 'initrd'],
  );
  assert.deepEqual(
    new Set(document.timings.map((one: { phase: string }) => one.phase)),
    new Set(['plan', 'fetch', 'unpack', 'configure', 'provision', 'write']),
  );
  assert.deepEqual(document.warnings, []);
  for (const name of ['r.tar', 'i.img']) {
    const list = await osbuilder(['inspect', name, '--list'], { cwd: folder });
    assert.equal(list.code, 0, list.stderr);
    assert.match(list.stdout, /^-rwsr-xr-x 0\/0 .* usr\/bin\/tool$/m);
    assert.match(list.stdout, /grüße\.txt$/m);
    const cat = await osbuilder(['inspect', name, '--cat', '/etc/tools.conf'], { cwd: folder });
    assert.equal(cat.stdout, 'a=1\n');
    const missing = await osbuilder(['inspect', name, '--cat', 'no/such'], { cwd: folder });
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /\[NO_SUCH_PATH\]/);
  }
  const facts = JSON.parse((await osbuilder(['inspect', 'i.img', '--json'], { cwd: folder })).stdout);
  assert.equal(facts.kind, 'initrd');
  assert.equal(facts.compression, 'gzip');
  assert.match(facts.tree.summary, /agent-is-init-daemon: "yes"/);
  const out = await osbuilder(['extract', 'r.tar', '-o', 'tree/'], { cwd: folder });
  assert.equal(out.code, 0, out.stderr);
  assert.equal(readFileSync(join(folder, 'tree/etc/tools.conf'), 'utf8'), 'a=1\n');
  const again = await osbuilder(['extract', 'tree', '-o', 'again.tar'], { cwd: folder });
  assert.equal(again.code, 0, again.stderr);
  assert.deepEqual(readFileSync(join(folder, 'again.tar')), readFileSync(join(folder, 'r.tar')));
});

test('an existing rootfs, as folder, archive or initrd, is packed or provisioned', async (t) => {
  const folder = temporary(t);
  mkdirSync(join(folder, 'rootfs/sbin'), { recursive: true });
  mkdirSync(join(folder, 'rootfs/usr/bin'), { recursive: true });
  writeFileSync(join(folder, 'rootfs/sbin/init'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(folder, 'rootfs/hello'), 'hello');
  const epoch = ['--source-date-epoch', '1700000000'];
  const packed = await osbuilder(['initrd', 'rootfs', '--agent-init', ...epoch, '--compress', 'none', '-o', 'i.img'], {
    cwd: folder,
  });
  assert.equal(packed.code, 0, packed.stderr);
  assert.equal((await osbuilder(['inspect', 'i.img', '--cat', 'hello'], { cwd: folder })).stdout, 'hello');
  const provisioned = await osbuilder(['rootfs', 'i.img', '--agent', 'demo', '--agent-init', ...epoch, '-o', 'p.tar'], {
    cwd: folder,
  });
  assert.equal(provisioned.code, 0, provisioned.stderr);
  assert.match(
    (await osbuilder(['inspect', 'p.tar', '--cat', '/sbin/init'], { cwd: folder })).stdout,
    /KATA-AGENT-READY/,
  );
  const unfit = await osbuilder(['initrd', 'rootfs', '-o', 'j.img'], { cwd: folder });
  assert.equal(unfit.code, 1);
  assert.match(unfit.stderr, /\[ROOTFS_UNFIT\]/);
  assert.ok(!readdirSync(folder).includes('j.img'));
});

test('help and version are there', async () => {
  assert.match((await osbuilder(['--help'])).stdout, /no root, no mount/);
  for (const word of ['--version', 'version']) assert.match((await osbuilder([word])).stdout, /^\d+\.\d+\.\d+\n$/);
});

test('a distribution, release or architecture with a wrong letter is recognised', async () => {
  for (const [args, meant] of [
    [['--distro', 'debain'], 'debian'],
    [['--distro', 'debian', '--os-version', 'trixe'], 'trixie'],
    [['--distro', 'debian', '--arch', 'aarch46'], 'aarch64'],
  ] as const) {
    const { code, stderr } = await osbuilder(['plan', ...args]);
    assert.equal(code, 2);
    assert.match(stderr, new RegExp(`; did you mean "${meant}"\\?`));
  }
});

test('distros tells how each is verified, and prints a profile to begin one’s own from', async (t) => {
  const folder = temporary(t);
  const { distros } = JSON.parse((await osbuilder(['distros', '--json'])).stdout);
  assert.deepEqual(distros.find((one: { name: string }) => one.name === 'debian').releases, [
    'trixie',
    'bookworm',
    'forky',
    'sid',
  ]);
  const centos = distros.find((one: { name: string }) => one.name === 'centos');
  assert.deepEqual(
    centos.keys.map((one: { fingerprint: string }) => one.fingerprint),
    ['99DB70FAE1D7CE227FB6488205B555B38483C65D'],
  );
  assert.match((await osbuilder(['distros'])).stdout, /built-in keys {2}99DB70FAE1D7CE227FB6488205B555B38483C65D /);
  const shown = await osbuilder(['distros', '--show', 'debian']);
  writeFileSync(join(folder, 'mine.yaml'), shown.stdout.replace('name: debian', 'name: mine'));
  const { root, keyring } = await smallRepository(folder);
  const plan = await osbuilder(
    ['plan', '--profile', 'mine.yaml', ...smallFlags(root, keyring, 'cache').slice(2), '--json'],
    { cwd: folder },
  );
  assert.equal(plan.code, 0, plan.stderr);
  assert.equal(JSON.parse(plan.stdout).packages.length, 4);
});

test('the cache is shown and emptied', async (t) => {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  const cache = join(folder, 'cache');
  assert.equal(
    (await osbuilder(['rootfs', ...smallFlags(root, keyring, cache), '--rootfs-only', '-o', join(folder, 'r.tar')]))
      .code,
    0,
  );
  const categories = async () =>
    JSON.parse((await osbuilder(['cache', 'info', '--cache-dir', cache, '--json'])).stdout).categories as {
      files: number;
    }[];
  assert.ok((await categories()).every(({ files }) => files > 0));
  assert.equal((await osbuilder(['cache', 'clear', '--cache-dir', cache])).code, 0);
  assert.ok((await categories()).every(({ files }) => files === 0));
});

test('an artefact can go through a pipe, byte for byte as into a file', async (t) => {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  const flags = [
    ...smallFlags(root, keyring, join(folder, 'cache')),
    '--agent',
    'demo',
    '--agent-init',
    '--image-size-alignment-mb',
    '8',
  ];
  const filed = await osbuilder(['image', ...flags, '-o', join(folder, 'i.img')]);
  assert.equal(filed.code, 0, filed.stderr);
  const { spawnSync } = await import('node:child_process');
  const { PROGRAM } = await import('../support/cli.ts');
  const piped = spawnSync(
    '/bin/sh',
    ['-c', '"$0" "$@" | cat > piped.img', process.execPath, PROGRAM, 'image', ...flags, '--quiet', '-o', '-'],
    { cwd: folder },
  );
  assert.equal(piped.status, 0, String(piped.stderr));
  assert.deepEqual(readFileSync(join(folder, 'piped.img')), readFileSync(join(folder, 'i.img')));
  assert.equal((await osbuilder(['image', ...flags, '--json', '-o', '-'])).code, 2);
});

test('an output that can never be written is rejected at once', {
  skip: process.platform !== 'linux' && 'only Linux has /proc',
}, async (t) => {
  const folder = temporary(t);
  writeFileSync(join(folder, 'init'), '#!/bin/sh\n', { mode: 0o755 });
  const { code, stderr } = await osbuilder(['rootfs', folder, '-o', '/proc/nope/x.tar']);
  assert.equal(code, 1);
  assert.match(stderr, /cannot write .*\/proc\/nope.*\[WRITE_FAILED\]/);
});
