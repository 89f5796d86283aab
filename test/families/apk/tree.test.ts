import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { sha256 } from '../../../src/bytes/digest.ts';
import { openRepositories } from '../../../src/families/apk/repository.ts';
import { resolve } from '../../../src/families/apk/resolve.ts';
import { alpineKeyring } from '../../../src/families/apk/signature.ts';
import { Cache } from '../../../src/fetch/cache.ts';
import { Mirror } from '../../../src/fetch/mirror.ts';
import type { Tree } from '../../../src/tree/tree.ts';
import { closePool } from '../../../src/workers/shared.ts';
import { makeRoot } from '../../support/apk-root.ts';
import { ALPINE_SET, misplaced } from '../../support/apk-tools.ts';
import { data, needs, temporary } from '../../support/data.ts';

/** Trees and databases that apk 2.14.0 itself wrote from the same packages, scripts left out. */

/** Later than any time in the packages, so that nothing is clamped. */
const EPOCH = 1_750_000_000;

const WORLDS = {
  'alpine-base': ['alpine-base'],
  server: ['alpine-base', 'chrony', 'doas', 'e2fsprogs', 'openssh'],
};

for (const [name, world] of Object.entries(WORLDS)) {
  const golden = `apk/golden-v3.19-iso-x86_64-${name}`;
  const skip = needs({
    data: [ALPINE_SET, ...['.tsv', '.apkdb-installed', '.apkdb-triggers'].map((end) => golden + end)],
  });
  test(`${name}: the tree and the database that apk 2.14.0 writes`, { skip }, async (t) => {
    const cache = new Cache(temporary(t));
    const mirror = new Mirror({ cache });
    t.after(() => mirror.close());
    t.after(closePool);
    const repositories = await openRepositories(
      [{ mirrors: [data(ALPINE_SET)], keyring: alpineKeyring('x86_64') }],
      'x86_64',
      mirror,
    );
    const chosen = resolve(world, repositories, 'x86_64', () => {});
    const { tree } = await makeRoot(chosen, {
      architecture: 'x86_64',
      epoch: EPOCH,
      mirror,
      cache,
      scripts: false,
      record: { world },
    });
    const database = tree.text('lib/apk/db/installed')!;
    assert.match(database, /^P:alpine-base\n(.+\n)*r:alpine-baselayout\n\n/m);
    sameLines(misplaced(database), readFileSync(data(`${golden}.apkdb-installed`), 'latin1'));
    assert.equal(tree.text('lib/apk/db/triggers'), readFileSync(data(`${golden}.apkdb-triggers`), 'latin1'));
    assert.equal(tree.text('etc/apk/world'), world.map((one) => `${one}\n`).join(''));

    const wanted = rows(readFileSync(data(`${golden}.tsv`), 'utf8').split('\n'));
    const actual = rows(listing(tree));
    // what apk wrote itself has the time of its run: in the file's own time, and in the headers of scripts.tar
    for (const all of [wanted, actual])
      for (const [path, row] of all) {
        const own = /^\/(lib\/apk\/db|etc\/apk)\/[a-z.]+$/.test(path) ? row.replace(/ mtime=\d+$/, '') : row;
        const digest = /\/(scripts\.tar|installed)$/.test(path) ? / [0-9a-f]{64}/ : /$^/;
        all.set(path, own.replace(digest, ''));
      }
    sameLines([...actual.values()].sort().join('\n'), [...wanted.values()].sort().join('\n'));
  });
}

/** Shows only the lines that differ: these files are long. */
function sameLines(actual: string, wanted: string): void {
  const [ours, theirs] = [actual.split('\n'), wanted.split('\n')];
  const only = (these: string[], those: Set<string>) => these.filter((line) => !those.has(line)).slice(0, 20);
  assert.deepEqual(
    { ours: only(ours, new Set(theirs)), theirs: only(theirs, new Set(ours)) },
    { ours: [], theirs: [] },
  );
  assert.ok(actual === wanted, 'the same lines in another order');
}

/** Rows by path. */
function rows(lines: readonly string[]): Map<string, string> {
  return new Map(lines.filter((line) => line !== '').map((line) => [line.split('\t')[1]!, line]));
}

/** The tree in the form of the recorded ones: type, path, mode, owner, and what else the type has. */
function listing(tree: Tree): string[] {
  const links = new Map<unknown, number>();
  for (const { inode } of tree.walk()) links.set(inode, (links.get(inode) ?? 0) + 1);
  return [...tree.walk()].flatMap(({ path, inode }) => {
    if (path === '') return [];
    const head = (type: string) => `${type}\t/${path}\t${inode.mode.toString(8)}\t${inode.uid}:${inode.gid}\t`;
    switch (inode.kind) {
      case 'directory':
        return [head('d')];
      case 'symlink':
        return [head('l') + inode.target];
      case 'file': {
        const bytes = inode.content.readSync();
        return [`${head('f')}${bytes.length} ${sha256(bytes)} nlink=${links.get(inode)} mtime=${inode.mtime}`];
      }
      case 'char':
        return [`${head('0o20000')}${inode.major}:${inode.minor}`];
      default:
        return [head(inode.kind)];
    }
  });
}
