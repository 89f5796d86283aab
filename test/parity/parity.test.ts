import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Tree } from '../../src/tree/tree.ts';
import { needs } from '../support/data.ts';
import { nobodysFolder, openFolder } from '../support/other-user.ts';
import { classOf, DROPPED } from './classes.ts';
import { compare, rowsOf, spell } from './compare.ts';
import { CLASSES } from './left-out.ts';
import { comparison, report, tables } from './report.ts';

const PROGRAM = fileURLToPath(new URL(`./main${import.meta.url.slice(-3)}`, import.meta.url));

/** A guest as dpkg leaves it: one package with a script. */
function guest(change: (tree: Tree) => void = () => {}): Tree {
  const tree = new Tree();
  for (const path of ['etc/server', 'usr/bin', 'var/lib/dpkg/info', 'var/cache/debconf']) tree.makeDirectory(path);
  tree.writeFile('var/lib/dpkg/status', 'Package: server\nStatus: install ok installed\nVersion: 1\n\n');
  tree.writeFile('var/lib/dpkg/info/server.list', '/.\n/bin\n/bin/serve\n/etc/server\n');
  tree.writeFile('var/lib/dpkg/info/server.postinst', '#!/bin/sh\n# /etc/server/key\nmake-key > /etc/server/key\n');
  tree.writeFile('usr/bin/serve', 'x');
  tree.writeFile('etc/server/key', 'secret');
  change(tree);
  return tree;
}

test('trees are compared in kind, mode, owner, target, content and attributes', () => {
  const theirs = guest((tree) => {
    tree.symlink('etc/link', 'a');
    tree.writeFile('etc/both', 'ab');
    tree.makeDirectory('etc/turned');
  });
  const ours = guest((tree) => {
    tree.symlink('etc/link', 'b');
    tree.writeFile('etc/both', 'ac', { mode: 0o600, uid: 1, gid: 2, mtime: 5 }).xattrs = new Map([
      ['user.x', Uint8Array.of(1)],
    ]);
    tree.writeFile('etc/turned', '');
    tree.remove('usr/bin/serve');
    tree.writeFile('etc/new', '1');
  });
  const found = compare(rowsOf(theirs), rowsOf(ours));
  assert.deepEqual(
    found.map((one) => [one.path, one.parts.join(' ')]),
    [
      ['/etc/both', 'mode owner sha256 xattrs'],
      ['/etc/link', 'target'],
      ['/etc/turned', 'type mode size sha256'],
      ['/usr/bin/serve', 'missing'],
      ['/etc/new', 'added'],
    ],
  );
  assert.match(
    spell(found[0]!),
    /^\/etc\/both: mode 0600 for 0644, owner 1:2 for 0:0, sha256 \w{12} for \w{12}, xattrs/,
  );
  assert.equal(spell(found[4]!), '/etc/new: not in the reference (f 0644 0:0, 1 bytes)');
});

test('a difference is explained by its class, or reported with its cause; a folder on one side counts with its contents', () => {
  const theirs = guest((tree) => {
    tree.writeFile('var/cache/debconf/config.dat', 'x');
    for (const name of ['a', 'b']) tree.writeFile(`usr/lib/server/data/${name}`, name);
  });
  const ours = guest((tree) => {
    tree.remove('etc/server/key');
    tree.file('usr/bin/serve')!.mode = 0o755;
  });
  const result = comparison({ suite: 's', packages: ['server'], ours, theirs, warnings: [{ message: 'w' }] });
  assert.deepEqual(
    result.explained.map((one) => [one.class, one.paths]),
    [['debconf', ['/var/cache/debconf/config.dat']]],
  );
  assert.deepEqual(
    result.unexplained.map(({ difference, cause, paths }) => [difference.split(':')[0], cause, paths]),
    [
      ['/etc/server/key', 'server.postinst:3', 1],
      ['/usr/bin/serve', 'shipped by server', 1],
      ['/usr/lib', 'nobody names it', 5],
    ],
  );
  assert.equal(result.equal, result.paths - 8);
  assert.match(report(result, false), /7 differ unexplained/);
  assert.match(tables([result]), /^\| s \| server \| 1 \| \d+ \| \d+ \| 1 \| 7 \| 1 \|$/m);
  const missing = comparison({ suite: 's', packages: [], ours: new Tree(), theirs, warnings: [] });
  assert.equal(missing.unexplained[0]?.difference, 'package server 1: none here');
});

test('a class explains only the paths, the direction and the lines that it names', () => {
  const main = (text: string) => guest((tree) => void tree.writeFile('etc/postfix/main.cf', text));
  const classed = (theirs: Tree, ours: Tree) =>
    compare(rowsOf(theirs), rowsOf(ours)).map(
      (one) => classOf(one, [...DROPPED, ...CLASSES], (path) => [theirs.text(path)!, ours.text(path)!])?.name,
    );
  assert.deepEqual(classed(main('a = 1\nmyhostname = vm\n'), main('a = 1\nmyhostname = localhost\n')), ['host name']);
  assert.deepEqual(classed(main('a = 1\nmyhostname = vm\n'), main('a = 2\nmyhostname = vm\n')), [undefined]);
  const shadow = guest((tree) => void tree.writeFile('etc/shadow-', ''));
  assert.deepEqual(classed(shadow, guest()), ['backups and locks']);
  assert.deepEqual(classed(guest(), shadow), [undefined]);
});

test('misuse, and a machine without the tools for comparing, end with 2 and a message', {
  skip: needs({ root: true }),
}, (t) => {
  // another user may not write to the machine's temporary folder
  const TMPDIR = nobodysFolder(join(openFolder(t), 'tmp'));
  const run = (args: readonly string[], uid?: number) => {
    const result = spawnSync(process.execPath, [PROGRAM, ...args], {
      encoding: 'utf8',
      env: { ...process.env, TMPDIR },
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    return [result.status, result.stderr.split('\n')[0] ?? ''] as const;
  };
  assert.deepEqual(run([]), [2, '--suite SUITE and --packages "A B" are needed']);
  assert.deepEqual(run(['--suite', 'x/y', '--packages', 'a1']), [2, '--suite x/y: that is no name of a suite']);
  assert.deepEqual(run(['--suite', 'x', '--packages', 'A']), [2, '--packages: "A" is no name of a package']);
  assert.deepEqual(run(['--sets', '--suite', 'x']), [2, '--sets goes without --suite, --packages and --keep']);
  assert.equal(run(['--wrong'])[0], 2);
  assert.equal(run(['--help'])[0], 0);
  const [status, sentence] = run(['--suite', 'x', '--packages', 'a1'], 65534);
  assert.equal(status, 2);
  assert.match(sentence, /^mmdebstrap (is not installed: apt-get|makes trees with their owners as root only)/);
});
