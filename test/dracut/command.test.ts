import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';
import { elfFile } from '../support/elves.ts';
import { madeModule } from '../support/modules.ts';
import { asNobody, mayChangeUser, nobodysFolder, openFolder } from '../support/other-user.ts';
import { SYSTEM } from '../support/systems.ts';

/** `--build-method dracut` as a user gives it, over a small system in a folder. */

const RELEASE = '6.1.0-test';
let folder: string;
const closing: (() => void)[] = [];

/** Writes the small system, with kernel modules. */
function writeSystem(root: string): void {
  for (const [path, what] of Object.entries(SYSTEM)) {
    const at = join(root, path);
    mkdirSync(dirname(at), { recursive: true });
    if (typeof what === 'string' && what.startsWith('->')) symlinkSync(what.slice(2), at);
    else writeFileSync(at, typeof what === 'string' ? what : elfFile(what), { mode: 0o755 });
  }
  for (const [name, options] of [
    ['fs/one', { needs: ['of_two'] }],
    ['lib/two', { exports: ['of_two'] }],
    ['net/three', {}],
  ] as const) {
    const at = join(root, 'usr/lib/modules', RELEASE, 'kernel', `${name}.ko`);
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, madeModule(options));
  }
  writeFileSync(join(root, 'usr/lib/modules', RELEASE, 'modules.builtin'), 'kernel/fs/ext4/ext4.ko\n');
}

before(() => {
  folder = temporary({ after: (fn) => void closing.push(fn) });
  chmodSync(folder, 0o755);
  writeSystem(join(folder, 'system'));
});
after(() => {
  for (const close of closing) close();
});

interface Document {
  readonly outputs: readonly { readonly path: string; readonly sha256: string }[];
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  readonly error?: { readonly code: string; readonly message: string };
}

async function build(kind: string, output: string, ...args: string[]): Promise<Document & { code: number | null }> {
  const result = await osbuilder(
    [kind, '--build-method', 'dracut', '-o', join(folder, output), '--json', ...withSystem(args)],
    { cwd: folder },
  );
  return { ...(JSON.parse(result.stdout) as Document), code: result.code };
}

const withSystem = (args: readonly string[]) =>
  args.includes('--sysroot') ? args : ['--sysroot', join(folder, 'system'), ...args];

async function made(output: string, ...args: string[]): Promise<Document> {
  const document = await build('rootfs', output, '--agent', 'demo', ...args);
  assert.equal(document.code, 0, document.error?.message);
  return document;
}

const text = (output: string, path: string) => readFileSync(join(folder, output, path), 'utf8');

describe('a guest of files of a system', () => {
  test('drivers of dracut’s configuration are taken, or it is said that they are not', async () => {
    const conf = join(folder, 'drivers.conf.d');
    mkdirSync(conf);
    writeFileSync(join(conf, '10-drivers.conf'), 'drivers+=" three "\nadd_drivers="one"\nforce_drivers=" "\n');
    const idle = ({ warnings }: Document) =>
      warnings.flatMap(({ code, message }) =>
        code === 'DRACUT_OPTION_UNUSED' ? [message.split(' has no effect')[0]] : [],
      );
    const named = ['drivers', 'add_drivers'].map((name, i) => `${conf}/10-drivers.conf:${i + 1}: ${name}`);
    const args = ['--dracut-conf-dir', conf];
    assert.deepEqual(idle(await made('idle/', ...args)), named);
    const kernel = ['--dracut-kversion', RELEASE];
    assert.deepEqual(idle(await made('idle/', ...args, ...kernel)), []);
    const none = await made('idle/', ...args, ...kernel, '--dracut-options', ' --no-kernel');
    assert.deepEqual(idle(none), named);
    // those of Kata, which name no driver
    writeFileSync(join(conf, '10-drivers.conf'), 'drivers=""\n');
    assert.deepEqual(idle(await made('idle/', ...args)), []);
    // the words are where dracut puts them, and nothing in this guest looks there
    const words = await made('idle/', '--dracut-options', '--kernel-cmdline a=b');
    assert.deepEqual(idle(words).length, 1);
    assert.equal(text('idle', 'etc/cmdline.d/01-default.conf'), 'a=b\n');
  });

  test('has the agent, its units and a summary', async () => {
    await made('plain/');
    assert.match(text('plain', 'usr/bin/kata-agent'), /KATA-AGENT-READY/);
    assert.match(text('plain', 'etc/systemd/system/tmp.mount'), /What=tmpfs/);
    const summary = text('plain', 'var/lib/osbuilder/osbuilder.yaml');
    assert.match(summary, /base-distro:\n {2}name: "small"\n {2}version: "7"/);
    assert.equal(text('plain', 'etc/modules-load.d/kata-modules.conf'), '\n');
    assert.equal(text('plain', 'etc/resolv.conf'), '');
  });

  test('is the same each time, from the folder and from an archive of it; initrd and image are of one tree', async () => {
    const digest = async (...args: string[]) =>
      (await build('initrd', 'a.img', '--agent', 'demo', ...args)).outputs[0]!.sha256;
    const first = await digest();
    assert.equal(await digest(), first);
    const packed = await osbuilder([
      'rootfs',
      join(folder, 'system'),
      '-o',
      join(folder, 'system.tar'),
      '--rootfs-only',
    ]);
    assert.equal(packed.code, 0, packed.stderr);
    assert.equal(await digest('--sysroot', join(folder, 'system.tar')), first);
    const image = await osbuilder(['image', join(folder, 'a.img'), '-o', join(folder, 'a.disk')]);
    assert.equal(image.code, 0, image.stderr);
  });

  test('has kernel modules, with what they need, and loads those that are named', async () => {
    mkdirSync(join(folder, 'conf'), { recursive: true });
    writeFileSync(join(folder, 'conf/10-drivers.conf'), 'drivers=" one ext4 "\n');
    const args = ['--dracut-kversion', RELEASE, '--dracut-conf-dir', join(folder, 'conf')];
    const { warnings } = await made('kernel/', ...args);
    assert.deepEqual(warnings.filter(({ code }) => code === 'DRIVER_BUILTIN').length, 1);
    const dep = text('kernel', `usr/lib/modules/${RELEASE}/modules.dep`);
    assert.deepEqual(dep.trim().split('\n').sort(), ['kernel/fs/one.ko: kernel/lib/two.ko', 'kernel/lib/two.ko:']);
    assert.equal(text('kernel', 'etc/modules-load.d/kata-modules.conf'), 'one\n');
    await made('all/', ...args, '--modules-load', 'all');
    assert.deepEqual(text('all', 'etc/modules-load.d/kata-modules.conf').split('\n').sort(), ['', 'one', 'two']);
    await made('none/', ...args, '--modules-load', 'none');
    assert.equal(text('none', 'etc/modules-load.d/kata-modules.conf'), '\n');
    // the option counts as the file does; a folder is not a name
    await made('named/', '--dracut-kversion', RELEASE, '--drivers', '=lib three');
    assert.equal(text('named', 'etc/modules-load.d/kata-modules.conf'), 'three\n');
    assert.match(text('named', `usr/lib/modules/${RELEASE}/modules.dep`), /two\.ko:/);
    await made('omitted/', ...args, '--dracut-options=--omit-drivers "tw.*" --add-drivers three');
    assert.match(text('omitted', `usr/lib/modules/${RELEASE}/modules.dep`), /three\.ko/);
    assert.doesNotMatch(text('omitted', `usr/lib/modules/${RELEASE}/modules.dep`), /two\.ko:/);
  });

  test('has the user’s module, overlay and includes', async () => {
    writeFileSync(
      join(folder, 'mine.yaml'),
      'name: mine\nprograms: [sleep]\ntexts: { etc/mine: { text: "hello\\n" } }\n',
    );
    mkdirSync(join(folder, 'over/etc'), { recursive: true });
    writeFileSync(join(folder, 'over/etc/over'), 'over');
    await made(
      'own/',
      '--dracut-module',
      join(folder, 'mine.yaml'),
      '--overlay',
      join(folder, 'over'),
      '--dracut-options',
      `-a mine --include ${join(folder, 'over')} /opt --include ${join(folder, 'mine.yaml')} /srv/`.replace(/^/, ' '),
    );
    assert.equal(text('own', 'etc/mine'), 'hello\n');
    assert.equal(text('own', 'etc/over'), 'over');
    assert.equal(text('own', 'opt/etc/over'), 'over');
    assert.match(text('own', 'srv/mine.yaml'), /name: mine/);
  });

  test('may have the agent as process 1', async () => {
    const document = await build('initrd', 'init.img', '--agent', 'demo', '--agent-init');
    assert.equal(document.code, 0, document.error?.message);
    const listed = await osbuilder(['inspect', join(folder, 'init.img'), '--list']);
    assert.match(listed.stdout, /init -> \/sbin\/init/);
    assert.doesNotMatch(listed.stdout, /systemd\/systemd$/m);
  });

  test('has the drivers that are named of a folder of modules, and loads them', async () => {
    const own = join(folder, 'mods/7.0.0-own');
    for (const [name, options] of [
      ['fs/own', { needs: ['of_helper'] }],
      ['lib/helper', { exports: ['of_helper'] }],
      ['net/other', {}],
    ] as const) {
      mkdirSync(dirname(join(own, `kernel/${name}.ko`)), { recursive: true });
      writeFileSync(join(own, `kernel/${name}.ko`), madeModule(options));
    }
    await made('of-folder/', '--kernel-modules-dir', own, '--drivers', 'own');
    const top = 'usr/lib/modules/7.0.0-own';
    assert.match(text('of-folder', `${top}/modules.dep`), /^kernel\/fs\/own\.ko: kernel\/lib\/helper\.ko$/m);
    assert.ok(!existsSync(join(folder, 'of-folder', top, 'kernel/net')));
    assert.equal(text('of-folder', 'etc/modules-load.d/kata-modules.conf'), 'own\n');
    assert.ok(existsSync(join(folder, 'of-folder/usr/lib/systemd/systemd-modules-load')));
  });

  test('loads of a preset what every guest of it uses, of the system’s kernel and of a folder', async () => {
    const needed = ['virtio_pci', 'virtio_blk', 'virtio_net', 'vmw_vsock_virtio_transport', 'overlay', 'ext4'];
    const release = '9.0.0-kata';
    const modules = join(folder, 'system/usr/lib/modules', release);
    for (const name of [...needed, 'xfs', 'tun']) {
      mkdirSync(join(modules, 'kernel'), { recursive: true });
      writeFileSync(join(modules, `kernel/${name}.ko`), madeModule({}));
    }
    await made('preset/', '--dracut-kversion', release, '--drivers', 'kata-qemu');
    await made('preset-of-folder/', '--kernel-modules-dir', modules, '--drivers', 'kata-qemu tun');
    const loaded = `${needed.join('\n')}\n`;
    assert.equal(text('preset', 'etc/modules-load.d/kata-modules.conf'), loaded);
    assert.equal(text('preset-of-folder', 'etc/modules-load.d/kata-modules.conf'), `${loaded}tun\n`);
    assert.ok(existsSync(join(folder, 'preset/usr/lib/modules', release, 'kernel/xfs.ko')));
    rmSync(modules, { recursive: true });
  });

  test('has drivers of the kernel that is named, whatever other kernels the system has', async () => {
    const other = join(folder, 'system/usr/lib/modules/8.0.0-other');
    mkdirSync(join(other, 'kernel'), { recursive: true });
    writeFileSync(join(other, 'kernel/elsewhere.ko'), madeModule({}));
    await made('of-one/', '--dracut-kversion', RELEASE, '--drivers', 'one');
    assert.ok(existsSync(join(folder, 'of-one/usr/lib/modules', RELEASE, 'kernel/fs/one.ko')));
    rmSync(other, { recursive: true });
  });

  test('may be written into the system, as on a machine whose system is /, but not over it', async () => {
    await made('system/var/guest/');
    const same = await made('outside/');
    assert.equal(same.outputs.length, 1);
    const here = join(folder, 'system/guest.img');
    const image = await osbuilder(
      ['initrd', '--build-method', 'dracut', '--sysroot', '.', '-o', here, '--rootfs-only'],
      {
        cwd: join(folder, 'system'),
      },
    );
    assert.equal(image.code, 0, image.stderr);
    // the second time it lies in the system, and is no part of the guest
    const bytes = readFileSync(here);
    const again = await osbuilder(
      ['initrd', '--build-method', 'dracut', '--sysroot', '.', '-o', here, '--rootfs-only'],
      {
        cwd: join(folder, 'system'),
      },
    );
    assert.equal(again.code, 0, again.stderr);
    assert.ok(readFileSync(here).equals(bytes));
    assert.equal((await build('rootfs', 'system/', '--agent', 'demo', '--force')).error?.code, 'OUTPUT_IS_INPUT');
    rmSync(here);
    rmSync(join(folder, 'system/var/guest'), { recursive: true });
  });

  test('is not made from what is not there, and errors say what is', async () => {
    const failed = async (...args: string[]) => (await build('rootfs', 'failed/', '--agent', 'demo', ...args)).error;
    assert.equal((await failed('--dracut-kversion', '9.9'))?.code, 'KERNEL_RELEASE_MISSING');
    assert.match((await failed('--dracut-kversion', '9.9'))!.message, new RegExp(`only of ${RELEASE}`));
    assert.equal(
      (await failed('--dracut-kversion', RELEASE, '--dracut-options', ' --drivers none'))?.code,
      'DRIVER_UNKNOWN',
    );
    assert.equal((await failed('--sysroot', join(folder, 'nothing')))?.code, 'READ_FAILED');
    assert.equal((await failed('--dracut-conf-dir', join(folder, 'nothing')))?.code, 'READ_FAILED');
    assert.equal((await failed('--dracut-options', ' --hostonly'))?.code, 'DRACUT_OPTION');
    assert.equal((await failed('--dracut-module', join(folder, 'over/etc/over')))?.code, 'DRACUT_MODULE_INVALID');
  });

  test('a module of one’s own is taken as it says, or it is said what is not', async () => {
    const module = join(folder, 'absent.yaml');
    const absent = 'files: [/etc/os-release, /etc/nosuch, /etc/none*]\nunits: [no.service]\nlibraries: [libnone.so*]\n';
    writeFileSync(module, `name: absent\n${absent}copies: { etc/nowhere: etc/here }\nrules: [1-no.rules]\n`);
    const said = ({ warnings }: Document) =>
      warnings.flatMap(({ code, message }) =>
        code === 'DRACUT_MODULE_EMPTY' && message.includes('"absent"') ? [message.split('": ')[1]] : [],
      );
    const taken = await made('absent/', '--dracut-module', module, '--dracut-options', '--add absent');
    const list = '/etc/nosuch, /etc/none*, /usr/lib/systemd/system/no.service, /usr/lib/udev/rules.d/1-no.rules';
    assert.deepEqual(said(taken), [`the system does not have ${list}, /etc/nowhere, libnone.so*`]);
    assert.ok(existsSync(join(folder, 'absent/etc/os-release')));
    assert.deepEqual(said(await made('absent/', '--dracut-module', module)), [
      'nothing names it, such as add_dracutmodules or --add',
    ]);
  });

  test('a driver that a module of one’s own asks for and the kernel does not have is named', async () => {
    const module = join(folder, 'driving.yaml');
    writeFileSync(module, 'name: driving\ndrivers: [one, "=lib", nosuch, "=drivers/nowhere"]\n');
    const options = ['--dracut-module', module, '--dracut-options', '--add driving', '--dracut-kversion', RELEASE];
    const { warnings } = await made('driving/', ...options);
    assert.deepEqual(
      warnings.flatMap(({ message }) => (message.includes('"driving"') ? [message.split('": ')[1]] : [])),
      [`the kernel ${RELEASE} does not have nosuch, =drivers/nowhere`],
    );
  });

  test('says which modules were of no use', async () => {
    const { warnings } = await made('said/');
    assert.ok(warnings.some(({ code }) => code === 'DRACUT_MODULE_EMPTY'));
  });
});

test('what the user may not read is named: an error, or left out where it is optional', {
  skip: mayChangeUser ? false : 'not available: root',
}, async (t) => {
  const own = openFolder(t);
  const root = join(own, 'system');
  writeSystem(root);
  writeFileSync(join(root, 'etc/secret'), 'secret', { mode: 0o600 });
  mkdirSync(join(root, 'etc/closed'), { mode: 0o700 });
  const output = nobodysFolder(join(own, 'out'));
  const run = async (option: string): Promise<Document> => {
    const args = ['initrd', '--build-method', 'dracut', '--sysroot', root, '--agent', 'demo', '--json'];
    const { stdout, stderr } = await osbuilder([...args, '-o', join(output, 'x.img'), `--dracut-options=${option}`], {
      ...asNobody,
      cwd: output,
      env: { TMPDIR: output, HOME: output },
    });
    assert.notEqual(stdout, '', stderr);
    return JSON.parse(stdout) as Document;
  };
  const failed = await run('--install /etc/secret');
  assert.equal(failed.error?.code, 'READ_FAILED');
  assert.match(failed.error.message, /etc\/secret.*permission denied/);
  assert.match((await run('--install /etc/closed/x')).error!.message, /etc\/closed.*permission denied/);
  const passed = await run('--install-optional /etc/secret');
  assert.equal(passed.error, undefined);
  assert.ok(
    passed.warnings.some(({ code, message }) => code === 'SYSROOT_LEFT_OUT' && message.includes('/etc/secret')),
    JSON.stringify(passed.warnings),
  );
});
