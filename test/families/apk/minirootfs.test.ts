import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appletPaths, appletsOf } from '../../../src/families/apk/commands/applets.ts';
import { openRepositories } from '../../../src/families/apk/repository.ts';
import { resolve } from '../../../src/families/apk/resolve.ts';
import { alpineKeyring } from '../../../src/families/apk/signature.ts';
import { Cache } from '../../../src/fetch/cache.ts';
import { Mirror } from '../../../src/fetch/mirror.ts';
import type { Tree } from '../../../src/tree/tree.ts';
import { closePool } from '../../../src/workers/shared.ts';
import { makeRoot } from '../../support/apk-root.ts';
import { ALPINE_SET } from '../../support/apk-tools.ts';
import { treeOf } from '../../support/big-guest.ts';
import { data, needs, temporary } from '../../support/data.ts';

/**
 * The mini rootfs that Alpine publishes, made by apk with all scripts, beside ours of the same world. Theirs is of 3.12,
 * the packages here are of 3.19: every path that differs is explained.
 */

const MINI = 'apk/minirootfs/alpine-minirootfs-3.12.12-x86_64.tar.gz';
const skip = needs({ data: [MINI, ALPINE_SET] });

/** Paths that only one of the two has, or that differ, and why. */
const EXPLAINED: readonly { readonly paths: RegExp; readonly why: string }[] = [
  {
    paths: /^dev\/(console|null|zero|random|urandom|tty|ttyS[0-3]|fd)$/,
    why: 'apk makes nodes, and we the rest that a guest without devtmpfs needs; the published archive has none',
  },
  { paths: /^dev\/(pts|shm)$/, why: 'folders that a later alpine-baselayout has' },
  {
    paths: /^(bin\/(chattr|lsattr|conspy|ed)|sbin\/(zcip|hdparm)|usr\/bin\/(last|tree|who|dumpleases|smemcap|xz))$/,
    why: 'applets that busybox 1.36 has and 1.31 had not, or the other way round',
  },
  { paths: /^usr\/sbin\/(fdformat|lspci|powertop|readprofile)$/, why: 'applets that busybox 1.36 is built without' },
  { paths: /^etc\/(busybox-paths\.d|udhcpc)(\/|$)/, why: 'files that a later busybox package has' },
  {
    paths: /^etc\/(os-release|issue|alpine-release)$/,
    why: 'in 3.19 they have a package of their own, alpine-release',
  },
  { paths: /^etc\/nsswitch\.conf$/, why: 'in 3.19 alpine-baselayout-data has it' },
  {
    paths: /^etc\/profile\.d\/(20locale\.sh|README|color_prompt\.sh\.disabled|color_prompt|locale\.sh)$/,
    why: 'alpine-baselayout renamed them',
  },
  { paths: /^sbin\/mkmntdirs$/, why: 'left alpine-baselayout' },
  {
    paths: /^(etc\/ssl1\.1|(usr\/)?lib\/lib(crypto|ssl)\.so\.|usr\/lib\/(engines-|ossl-modules))/,
    why: 'OpenSSL 3 in place of 1.1',
  },
  { paths: /^lib\/libz\.so\.1/, why: 'a newer zlib' },
  { paths: /^usr\/lib\/libtls-standalone\.so\.1/, why: 'nothing needs it in 3.19' },
  { paths: /^lib\/libapk\.so\./, why: 'apk 2.14 comes as a library and a program' },
  { paths: /^lib\/apk\/exec$/, why: 'apk 2.14 leaves the folder that it ran scripts from' },
];

test('the world of the mini rootfs gives its tree, each difference explained', { skip }, async (t) => {
  t.after(closePool);
  const theirs = await treeOf(data(MINI), temporary(t));
  const world = theirs.text('etc/apk/world')!.trim().split('\n');
  assert.deepEqual(world, ['alpine-baselayout', 'alpine-keys', 'apk-tools', 'busybox', 'libc-utils']);
  const cache = new Cache(temporary(t));
  const mirror = new Mirror({ cache });
  t.after(() => mirror.close());
  const source = { mirrors: [data(ALPINE_SET)], keyring: alpineKeyring('x86_64') };
  const repositories = await openRepositories([source], 'x86_64', mirror);
  const { tree } = await makeRoot(
    resolve(world, repositories, 'x86_64', () => {}),
    {
      ...{ architecture: 'x86_64', epoch: 1_750_000_000, mirror, cache },
      record: { world, repositories: ['http://dl-cdn.alpinelinux.org/alpine/v3.19/main'] },
    },
  );
  const [ours, mini] = [described(tree), described(theirs)];
  const differing = [...new Set([...ours.keys(), ...mini.keys()])].sort().filter((p) => ours.get(p) !== mini.get(p));
  assert.ok(ours.size > 500 && mini.size > 500);
  assert.deepEqual(
    differing
      .filter((path) => !EXPLAINED.some((one) => one.paths.test(path)))
      .map((path) => `${path}: ours ${ours.get(path)}, theirs ${mini.get(path)}`),
    [],
  );
  assert.deepEqual(
    EXPLAINED.filter((one) => !differing.some((path) => one.paths.test(path))),
    [],
    'every explanation is needed',
  );
});

test('busybox’s applets are read from the program itself where no package lists them', { skip }, async (t) => {
  t.after(closePool);
  const mini = await treeOf(data(MINI), temporary(t));
  const links = [...mini.walk()].flatMap(({ path, inode }) =>
    inode.kind === 'symlink' && inode.target === '/bin/busybox' ? [`/${path}`] : [],
  );
  assert.ok(links.length > 300);
  assert.equal(mini.has('etc/busybox-paths.d'), false);
  const read = appletPaths(mini, '/bin/busybox');
  // what other packages have, busybox leaves to them; there `--install` finds an existing file
  const taken = read.filter((path) => !links.includes(path));
  assert.deepEqual(
    taken.filter((path) => mini.lstat(path) === undefined),
    [],
  );
  assert.deepEqual(
    links.filter((path) => !read.includes(path)),
    [],
  );
  assert.deepEqual(appletsOf(Buffer.alloc(4096)), []);
});

/** Kind, mode, owner and target of every path. */
function described(tree: Tree): Map<string, string> {
  return new Map(
    [...tree.walk()]
      .filter(({ path }) => path !== '')
      .map(({ path, inode }) => {
        const target = inode.kind === 'symlink' ? inode.target : '';
        return [path, `${inode.kind} ${inode.mode.toString(8)} ${inode.uid}:${inode.gid} ${target}`];
      }),
  );
}
