import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { openArtefact } from '../../src/artefacts/open.ts';
import { silent } from '../../src/events/events.ts';
import { labelsOf, labelTree } from '../../src/system/selinux.ts';
import { Tree } from '../../src/tree/tree.ts';
import { osbuilder } from '../support/cli.ts';
import { needs, temporary, tool } from '../support/data.ts';
import { testHost } from '../support/host.ts';

/** A guest whose files have labels, in each form that keeps them. */

const FILES = 'etc/selinux/small/contexts/files';
const POLICY = [
  '/.*\tu:object_r:default_t:s0',
  '/etc(/.*)?\tu:object_r:etc_t:s0',
  '/etc/machine-id\t--\tu:object_r:machine_id_t:s0',
  '/usr/bin(/.*)?\tu:object_r:bin_t:s0',
  '/usr/bin/sh\t-l\tu:object_r:link_t:s0',
  '/usr/bin/twin\t--\tu:object_r:twin_t:s0',
  '/var/none(/.*)?\t<<none>>',
  '/lost\\+found\t-d\tu:object_r:lost_found_t:s0',
];
const EXPECTED: Readonly<Record<string, string>> = {
  '/': 'default_t',
  '/etc': 'etc_t',
  '/etc/machine-id': 'machine_id_t',
  '/etc/selinux/config': 'etc_t',
  '/usr': 'default_t',
  '/usr/bin/prog': 'bin_t',
  '/usr/bin/sh': 'link_t',
  '/sbin': 'default_t',
  '/lost+found': 'lost_found_t',
};

/** A folder with a small system and its policy. */
function rootfs(folder: string): string {
  const root = join(folder, 'root');
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  put('etc/os-release', 'ID=small\n');
  put('etc/selinux/config', '# the policy\nSELINUX=enforcing\n SELINUXTYPE = small\n');
  put(`${FILES}/file_contexts`, `${POLICY.join('\n')}\n`);
  put(`${FILES}/file_contexts.subs_dist`, '/bin /usr/bin\n');
  put('usr/bin/prog', '#!/bin/sh\n');
  put('usr/bin/twin', 'x');
  put('var/none/file', 'x');
  linkSync(join(root, 'usr/bin/twin'), join(root, 'usr/bin/atwin'));
  symlinkSync('prog', join(root, 'usr/bin/sh'));
  symlinkSync('usr/bin', join(root, 'sbin'));
  return root;
}

const PACK = ['--selinux', 'yes', '--skip-rootfs-check', '--source-date-epoch', '1'];

test('ext4: every inode has the label that the policy says, also what the image adds', {
  skip: needs({ tools: ['debugfs', 'e2fsck', 'dd'] }),
}, async (t) => {
  const folder = temporary(t);
  const args = ['image', rootfs(folder), '-o', 'k.img', ...PACK, '--json'];
  const made = await osbuilder(args, { cwd: folder });
  assert.equal(made.code, 0, made.stderr);
  const { structures } = JSON.parse((await osbuilder(['inspect', 'k.img', '--json'], { cwd: folder })).stdout);
  const { offset } = structures.find((one: { what: string }) => /ext4/.test(one.what));
  const dd = spawnSync(tool('dd')!, [
    `if=${join(folder, 'k.img')}`,
    `of=${join(folder, 'fs')}`,
    'bs=512',
    `skip=${offset / 512}`,
  ]);
  assert.equal(dd.status, 0);
  const check = spawnSync(tool('e2fsck')!, ['-fn', join(folder, 'fs')], { encoding: 'utf8' });
  assert.equal(check.status, 0, check.stdout);
  const label = (path: string): string =>
    spawnSync(tool('debugfs')!, ['-R', `ea_get -V ${path} security.selinux`, join(folder, 'fs')], {
      encoding: 'latin1',
    }).stdout;
  for (const [path, type] of Object.entries(EXPECTED)) assert.equal(label(path), `u:object_r:${type}:s0\0\n`, path);
  assert.equal(label('/var/none/file'), '');
});

test('tar and erofs keep labels; one rootfs gives the same labels in every form', async (t) => {
  const folder = temporary(t);
  const root = rootfs(folder);
  const host = testHost(t);
  for (const args of [
    ['rootfs', root, '-o', 'r.tar', '--rootfs-only'],
    ['image', root, '-o', 'k.img', '--fs-type', 'erofs'],
    // labels of a source are not kept: the policy decides again
    ['rootfs', 'k.img', '-o', 'again.tar', '--rootfs-only'],
  ]) {
    const made = await osbuilder([...args, ...PACK, '--verbose'], { cwd: folder });
    assert.equal(made.code, 0, made.stderr);
    assert.match(
      made.stderr,
      /different labels for names of the same file[^\n]*\/usr\/bin\/twin and \/usr\/bin\/atwin/,
    );
  }
  for (const name of ['r.tar', 'k.img', 'again.tar']) {
    const artefact = await openArtefact(join(folder, name), host);
    const tree = await artefact.tree();
    for (const [path, type] of Object.entries(EXPECTED)) {
      if (path === '/lost+found' || (path === '/etc/machine-id' && name === 'r.tar')) continue;
      const label = tree.lstat(path)?.xattrs?.get('security.selinux');
      assert.equal(Buffer.from(label ?? []).toString('latin1'), `u:object_r:${type}:s0\0`, `${name} ${path}`);
    }
    assert.equal(tree.lstat('var/none/file')!.xattrs, undefined);
  }
});

test('an initrd keeps no labels, and says so; without a policy, or without a loader of it, nothing is labelled', async (t) => {
  const folder = temporary(t);
  const root = rootfs(folder);
  const initrd = await osbuilder(['initrd', root, '-o', 'i.img', ...PACK], { cwd: folder });
  assert.equal(initrd.code, 0, initrd.stderr);
  assert.match(initrd.stderr, /cannot hold extended attributes.*security\.selinux/);
  const agent = await osbuilder(['image', root, '-o', 'k.img', ...PACK, '--agent-init', '--json'], { cwd: folder });
  assert.equal(JSON.parse(agent.stdout).error.code, 'SETTING_CONFLICT');
  writeFileSync(join(root, 'etc/selinux/config'), 'SELINUXTYPE=other\n');
  const other = await osbuilder(['image', root, '-o', 'k.img', ...PACK, '--json'], { cwd: folder });
  const { error } = JSON.parse(other.stdout);
  assert.equal(error.code, 'SELINUX_POLICY_MISSING');
  assert.match(error.message, /\/etc\/selinux\/other\/contexts\/files\/file_contexts/);
});

test('a policy that is none, or leads elsewhere, is an error', () => {
  const tree = (change: (tree: Tree) => void): Tree => {
    const made = new Tree();
    made.writeFile('etc/selinux/config', 'SELINUXTYPE=p\n');
    made.writeFile('etc/selinux/p/contexts/files/file_contexts', '/.* u:r:t\n');
    change(made);
    return made;
  };
  for (const [change, code] of [
    [(one) => one.remove('etc/selinux/config'), 'SELINUX_POLICY_MISSING'],
    [(one) => one.writeFile('etc/selinux/config', 'SELINUXTYPE=../../x\n'), 'SELINUX_POLICY_MISSING'],
    [(one) => one.writeFile('etc/selinux/config', 'SELINUXTYPE=..\n'), 'SELINUX_POLICY_MISSING'],
    [(one) => one.remove('etc/selinux/p/contexts/files/file_contexts'), 'SELINUX_POLICY_MISSING'],
    [(one) => one.writeFile('etc/selinux/p/contexts/files/file_contexts', '/(a u:r:t\n'), 'CONTEXTS_INVALID'],
    [(one) => one.writeFile('etc/selinux/p/contexts/files/file_contexts.local', '/a\n'), 'CONTEXTS_INVALID'],
    [(one) => one.writeFile('etc/selinux/p/contexts/files/file_contexts.subs', '/a b\n'), 'CONTEXTS_INVALID'],
    [(one) => one.remove('etc/selinux/config') && one.makeDirectory('etc/selinux/config'), 'SELINUX_POLICY_MISSING'],
  ] as [(tree: Tree) => unknown, string][])
    assert.throws(() => labelsOf(tree(change)), { code });
  // a name that is no ASCII, and one with a newline
  const odd = tree((one) => {
    one.writeFile('a\nb', '');
    one.writeFile('\xff', '');
  });
  labelTree(odd, labelsOf(odd), silent);
  for (const name of ['a\nb', '\xff']) assert.equal(odd.lstat(name)!.xattrs?.get('security.selinux')?.length, 6);
});
