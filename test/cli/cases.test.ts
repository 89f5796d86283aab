import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { runScript } from '../../src/shell/run.ts';
import type { Tree } from '../../src/tree/tree.ts';
import { ours, reference, shown, smallSystem } from '../shell/differential.ts';
import { treeOf } from '../support/big-guest.ts';
import { osbuilder, PROGRAM, type RunOptions } from '../support/cli.ts';
import { data, needs, tool } from '../support/data.ts';
import { makeDebian } from '../support/example-repository.ts';
import { madeModule } from '../support/modules.ts';
import { type StaticServer, serve } from '../support/server.ts';

/** Inputs that once went wrong, kept with the test data: each folder has a test here that runs it from end to end. */

const CASES = data('../cases');
const path = (...names: string[]) => join(CASES, ...names);
const skip = needs({ data: ['../cases'] });

const COVERED = [
  'bash-postinst',
  'ext4-dotdot',
  'kernel-without-modules-dep',
  'macos-xattr',
  'oci-whiteouts',
  'output-inside-source',
  'overlay-dot-entry',
  'pipe-reader-leaves',
  'shell-differences',
];

let folder: string;
let server: StaticServer;
let keyring: string;
const closing: (() => void | Promise<void>)[] = [];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'osbuilder-cases-'));
  keyring = await makeDebian(folder, join(folder, 'archive'));
  server = await serve({ after: (fn) => void closing.push(fn) }, join(folder, 'archive'));
});
after(async () => {
  for (const close of closing) await close();
  rmSync(folder, { recursive: true, force: true });
});

interface Document {
  readonly outputs: readonly { readonly path: string }[];
  readonly warnings: readonly { readonly code: string; readonly message: string; readonly package?: string }[];
  readonly error?: { readonly code: string; readonly message: string };
}

async function run(args: readonly string[], code: number, options: RunOptions = {}): Promise<Document> {
  const said = await osbuilder([...args, '--json'], { cwd: folder, ...options });
  assert.equal(said.code, code, `${args.join(' ')}: ${said.stderr}`);
  return JSON.parse(said.stdout) as Document;
}

const debian = () => [
  ...['--distro', 'debian', '--os-version', 'trixie', '--arch', 'x86_64', '--agent', 'demo'],
  ...['--repo-url', `${server.url}/debian`, '--keyring', keyring, '--cache-dir', join(folder, 'cache')],
];

const tree = (file: string): Promise<Tree> => treeOf(join(folder, file), folder);

test('every case has a test', { skip }, () => {
  assert.deepEqual(readdirSync(CASES).toSorted(), COVERED);
});

test('case bash-postinst: effects of bash, or a warning that the script is written for it', { skip }, async () => {
  const names = ['bash1', 'bash2', 'bash3', 'bash5', 'tele', 'tele2'];
  const extra = ['--repo', path('bash-postinst'), '--extra-pkgs', names.join(' ')];
  const { warnings } = await run(['rootfs', ...debian(), ...extra, '-o', 'bash.tar'], 0);
  const guest = await tree('bash.tar');
  // what dpkg and bash leave
  const expected: Record<string, Record<string, string | undefined>> = {
    bash1: { 'opt/bash1/made': 'ok\n' },
    bash2: { 'opt/bash2/made': 'y\n' },
    bash3: { 'opt/bash3/made': 'ok\nhi\n' },
    bash5: { 'opt/bash5/made': 'ok\n3\n' },
    tele: { 'etc/tele/made': '', 'etc/tele/wrong': undefined },
    tele2: { 'etc/tele2/made': '', 'etc/tele2/wrong': undefined },
  };
  for (const [name, files] of Object.entries(expected)) {
    const right = Object.entries(files).every(([file, text]) => guest.text(file) === text);
    const warned = warnings.some((one) => one.package === name && one.code.startsWith('SCRIPT_'));
    assert.ok(right || warned, `${name}: ${Object.keys(files).map((file) => `${file}=${guest.text(file)}`)}`);
    for (const { message } of warnings) assert.doesNotMatch(message, /Syntax error/);
  }
});

test('case ext4-dotdot: verify finds it', { skip }, async () => {
  writeFileSync(join(folder, 'dotdot.img'), gunzipSync(readFileSync(path('ext4-dotdot', 'ext4-two-dotdot.img.gz'))));
  const { error } = await run(['verify', 'dotdot.img'], 1);
  assert.equal(error?.code, 'UNSOUND');
});

test('case kernel-without-modules-dep: a folder that depmod never saw gets its indexes', { skip }, async () => {
  const modules = join(folder, '6.1.0-made');
  mkdirSync(join(modules, 'kernel/fs'), { recursive: true });
  writeFileSync(join(modules, 'modules.order'), 'kernel/fs/one.ko\n');
  writeFileSync(join(modules, 'modules.builtin'), '');
  writeFileSync(join(modules, 'kernel/fs/one.ko'), madeModule({ needs: ['two'], info: ['alias=fs-one'] }));
  writeFileSync(join(modules, 'kernel/fs/two.ko'), madeModule({ exports: ['two'] }));
  const { warnings } = await run(['rootfs', ...debian(), '--kernel-modules-dir', modules, '-o', 'modules.tar'], 0);
  assert.deepEqual(
    warnings.filter(({ message }) => /modules/i.test(message)),
    [],
  );
  const top = 'usr/lib/modules/6.1.0-made';
  const made = await tree('modules.tar');
  assert.equal(made.text(`${top}/modules.dep`), 'kernel/fs/one.ko: kernel/fs/two.ko\nkernel/fs/two.ko:\n');
  assert.match(made.text(`${top}/modules.alias`)!, /^alias fs-one one$/m);
  assert.ok(made.has(`${top}/modules.dep.bin`));
});

test('case macos-xattr: the image is made, and a warning names the overlay and the attribute', { skip }, async () => {
  const { warnings } = await run(
    [
      'image',
      ...debian(),
      '--overlay',
      path('macos-xattr', 'mac.tar'),
      '--image-size-alignment-mb',
      '2',
      '-o',
      'mac.img',
    ],
    0,
  );
  const messages = warnings.map((one) => one.message).join('\n');
  assert.match(messages, /mac\.tar/);
  assert.match(messages, /com\.apple\.provenance/);
});

test('case oci-whiteouts: whiteouts hide, an image of docker save is unpacked', { skip }, async () => {
  const small = ['--image-size-alignment-mb', '2', '-o'];
  await run(['image', path('oci-whiteouts', 'whiteout.tar'), ...small, 'whiteout.img'], 0);
  const guest = await tree('whiteout.img');
  // the layer's own file stays: a whiteout hides what is below
  assert.deepEqual([guest.has('etc/motd'), guest.has('etc/.wh.motd')], [true, false]);
  await run(['rootfs', path('oci-whiteouts', 'dockersave.tar'), '--rootfs-only', '-o', 'saved.tar'], 0);
  assert.ok(!(await tree('saved.tar')).has('manifest.json'));
});

test('case output-inside-source: an image inside its own source is an error', { skip }, async () => {
  const source = join(folder, 'inside');
  mkdirSync(source);
  execFileSync('tar', ['-C', source, '-xf', path('overlay-dot-entry', 'rootfs.tar')]);
  for (const words of [
    ['image', '.'],
    ['image', '.', '-o', 'kata-containers.img'],
    ['initrd', '.'],
    // a lock in its source would not be true of what it names
    ['lock', '.', '-o', 'guest.lock'],
    ['lock', '.', '-o', '../inside/guest.lock', '--initrd', '../guest.initrd'],
  ]) {
    const { error } = await run([...words, '--agent-init'], 1, { cwd: source });
    assert.equal(error?.code, 'OUTPUT_INSIDE_INPUT', words.join(' '));
  }
  assert.ok(!existsSync(join(source, 'kata-containers.img')));
});

test('case overlay-dot-entry: the root of the guest stays what it is', { skip }, async () => {
  const overlay = ['--overlay', path('overlay-dot-entry', 'overlay.tar')];
  const agent = debian().map((word) => (word === 'demo' ? path('overlay-dot-entry', 'agent.tar') : word));
  for (const [name, words] of [
    ['overlay', [...debian(), ...overlay]],
    ['agent', agent],
    ['init', [...agent, '--agent-init']],
  ] as const) {
    await run(['rootfs', ...words, '-o', `dot-${name}.tar`], 0);
    const { mode, uid, gid } = (await tree(`dot-${name}.tar`)).root;
    assert.deepEqual([mode & 0o755, uid, gid], [0o755, 0, 0], name);
  }
});

test('case pipe-reader-leaves: the end of the reader ends the build', {
  skip: skip || needs({ tools: ['mkfifo', 'head'] }),
}, async () => {
  const rootfs = path('overlay-dot-entry', 'rootfs.tar');
  const pipe = join(folder, 'pipe');
  assert.equal(spawnSync(tool('mkfifo')!, [pipe]).status, 0);
  const reader = spawn('head', ['-c', '10', pipe], { stdio: 'ignore' });
  const { error } = await run(['image', rootfs, '-o', pipe], 1);
  assert.equal(error?.code, 'WRITE_FAILED');
  reader.kill();
  // through a shell, as a person types it; the status is that of the program
  for (const target of ['/dev/stdout', '-']) {
    const line = `{ "$0" "$1" image "$2" -o ${target} --quiet; echo "status $?" >&2; } | head -c 4 >/dev/null`;
    const said = spawnSync('/bin/sh', ['-c', line, process.execPath, PROGRAM, rootfs], {
      encoding: 'utf8',
      cwd: folder,
    });
    assert.match(said.stderr, /\[WRITE_FAILED\]/, target);
    assert.match(said.stderr, /status 1$/m, target);
  }
});

test('case shell-differences: results as those of dash', {
  skip: skip || needs({ tools: ['dash', 'mawk'] }),
}, async () => {
  for (const name of ['awk-bracket.sh', 'quotes-in-braces.sh', 'silent.sh', 'date-crash.sh']) {
    const scripts = readFileSync(path('shell-differences', name), 'utf8')
      .split('\n')
      .map((line) => line.replace(/ {3,}#.*$/, ''))
      .filter((line) => line !== '');
    const right = await reference(scripts, { shell: 'dash', awk: 'mawk' });
    for (const [i, script] of scripts.entries()) {
      const mine = ours(script, { shell: 'dash', awk: 'mawk' });
      // what is not emulated ends with an error; it never gives another result silently
      if (mine.status === right[i]!.status) assert.equal(mine.stdout, right[i]!.stdout, script);
      else assert.notEqual(mine.status, 0, script);
    }
  }
});

/** Scripts of the list that need what the small system of the tests has not, by their beginning. */
const SET_UP: readonly (readonly [RegExp, string])[] = [
  [/awk '\{print > \(\$1/, 'substr before the first character, which the lists of scripts have'],
  [/^mkdir -p a\/\.git/, 'find -newer compares times of the second in which it runs'],
  [/nosuchcmd/, 'a program that is not there is reported, and counts as done'],
  [/^unset PATH/, 'a program is found where it is, whatever PATH says'],
  [/^pwd \|/, '/bin of the build host'],
  [/^mktemp -d/, 'random names'],
  [/^yes \| head/, 'size and links of / of the build host'],
  [/^if \[ "\$1" = configure/, 'dpkg'],
];

test('case shell-differences: the list of scripts gives what dash gives', {
  skip: skip || needs({ tools: ['dash', 'mawk'] }),
}, async () => {
  const scripts = readFileSync(path('shell-differences', 'diff1.list'), 'latin1').replace(/\n$/, '').split('\n===\n');
  assert.ok(scripts.length > 100, `${scripts.length} scripts`);
  const right = await reference(scripts, { shell: 'dash', awk: 'mawk' });
  const wrong = scripts.filter((script, i) => shown(ours(script, { shell: 'dash', awk: 'mawk' })) !== shown(right[i]!));
  assert.deepEqual(
    wrong.filter((script) => !SET_UP.some(([begins]) => begins.test(script))),
    [],
  );
});

test('case shell-differences: brackets that never close cost steps', { skip }, () => {
  const script = readFileSync(path('shell-differences', 'bracket-hang.sh'), 'latin1').replace(/ +#.*$/m, '');
  const steps = (count: number) => {
    const tree = smallSystem();
    const options = { tree, name: 's', cwd: '/work', time: 1_700_000_000 };
    const { steps: taken, error } = runScript(script.replace('5000', String(count)), options);
    assert.equal(error, undefined, String(count));
    return taken;
  };
  assert.match(script, /seq 1 5000/);
  const [small, large] = [steps(1250), steps(5000)];
  // four times the pattern: four times the steps, and every character of it is counted
  assert.ok(large < small * 5, `${small} and ${large} steps`);
  assert.ok(large > 5000, `${large} steps`);
});

test('modes of a folder are the guest’s own under a strict umask', { skip }, async () => {
  const rootfs = path('overlay-dot-entry', 'rootfs.tar');
  await run(['rootfs', rootfs, '--rootfs-only', '-o', 'strict/'], 0, { umask: '077' });
  const expected = await tree('strict/');
  const packed = await treeOf(rootfs, folder);
  for (const { path: at, inode } of packed.walk()) {
    if (inode.kind === 'symlink' || at === '') continue;
    assert.equal(expected.lstat(at)!.mode, inode.mode, at);
    if (inode.kind !== 'file' && inode.kind !== 'directory') continue;
    assert.equal(statSync(join(folder, 'strict', at)).mode & 0o7777, inode.mode, at);
  }
});
