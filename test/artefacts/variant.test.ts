import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imageTree, initrdTree } from '../../src/artefacts/variant.ts';
import { Tree } from '../../src/tree/tree.ts';

/** What an output adds to a rootfs must not appear in the others, whichever way the path leads. */

/** Every entry of a tree, with what an inode has. */
const described = (tree: Tree): string[] =>
  [...tree.walk()].map(({ path, inode }) => {
    const more = inode.kind === 'symlink' ? inode.target : inode.kind === 'file' ? inode.content.size : '';
    return `${path} ${inode.kind} ${inode.mode.toString(8)} ${more} ${inode.xattrs?.get('security.selinux') ?? ''}`;
  });

const ROOTS: Readonly<Record<string, (tree: Tree) => void>> = {
  empty() {},
  'a machine id': (tree) => void tree.writeFile('etc/machine-id', 'a'.repeat(32)),
  'an empty machine id': (tree) => void tree.writeFile('etc/machine-id', ''),
  'no machine id': (tree) => void tree.writeFile('etc/hostname', 'kata'),
  '/etc as a link': (tree) => {
    tree.writeFile('usr/share/etc/machine-id', 'a'.repeat(32));
    tree.symlink('etc', 'usr/share/etc');
  },
  '/etc as a link to what is not there yet': (tree) => {
    tree.writeFile('usr/share/doc', '');
    tree.symlink('etc', 'usr/share/etc');
  },
  'the machine id as a link': (tree) => {
    tree.writeFile('run/id', 'a'.repeat(32));
    tree.symlink('etc/machine-id', '../run/id');
  },
  'systemd, and an init': (tree) => {
    tree.writeFile('lib/systemd/systemd', '#!');
    tree.symlink('init', 'sbin/init');
  },
};

for (const [name, fill] of Object.entries(ROOTS))
  test(`an initrd and an image of a root with ${name} leave it as it was`, () => {
    const tree = new Tree();
    fill(tree);
    tree.writeFile('usr/lib/os-release', '');
    const before = described(tree);
    const shared = tree.stat('usr/lib');
    const labels = () => Buffer.from('system_u:object_r:root_t:s0');
    const inImage = imageTree(tree, { epoch: 1, labels, lostFound: true });
    const inInitrd = initrdTree(tree, { init: 'systemd', epoch: 1 });
    assert.deepEqual(described(tree), before);

    const id = inImage.file('etc/machine-id');
    assert.equal(id?.content.size, 0);
    assert.equal(inImage.lstat('etc/machine-id')?.kind, 'file');
    assert.equal(inImage.stat('lost+found')?.kind, 'directory');
    assert.equal(inInitrd.lstat('init')?.kind, 'symlink');
    const added = new Set(['init', 'lost+found', 'etc', 'etc/machine-id', 'usr/share/etc', 'usr/share/etc/machine-id']);
    for (const made of [inImage, inInitrd]) {
      const others = described(made).filter((line) => !added.has(line.split(' ')[0]!));
      assert.deepEqual(
        others,
        before.filter((line) => !added.has(line.split(' ')[0]!)),
      );
    }
    // a million files would take a third more memory with copies of what stays as it is
    if (!name.includes('not there')) assert.equal(inInitrd.stat('usr/lib'), shared);
  });
