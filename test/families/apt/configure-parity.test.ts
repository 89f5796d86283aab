import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import type { Warning } from '../../../src/events/events.ts';
import { silent } from '../../../src/events/events.ts';
import { debianContext } from '../../../src/families/apt/architecture.ts';
import { controlFields } from '../../../src/families/apt/archive.ts';
import { type Configured, configure } from '../../../src/families/apt/configure.ts';
import { recordDatabase } from '../../../src/families/apt/database.ts';
import type { AptPackage } from '../../../src/families/apt/package.ts';
import { type UnpackedDeb, unpackAll } from '../../../src/families/apt/unpack.ts';
import { Cache } from '../../../src/fetch/cache.ts';
import { closePool } from '../../../src/workers/shared.ts';
import { classOf, DROPPED } from '../../parity/classes.ts';
import { compare, type Row, rowsOf, spell } from '../../parity/compare.ts';
import { data, needs, temporary } from '../../support/data.ts';
import { debianPackages } from '../../support/debian-archive.ts';
import { packageOf } from '../../support/debs.ts';

after(closePool);

/** Date of the reference trees. */
const EPOCH = 1_700_000_000;

function reference(suite: string): Map<string, Row> {
  const rows = new Map<string, Row>();
  for (const line of readFileSync(data(`debian-configure/${suite}.ref.manifest.tsv`), 'utf8')
    .trim()
    .split('\n')
    .slice(1)) {
    const [path, type, mode, uid, gid, size, sha256, target, , xattrs] = line.split('\t');
    rows.set(path!, {
      type: type!,
      mode: mode!,
      owner: `${uid}:${gid}`,
      size: size!,
      sha256: sha256!,
      target: target!,
      xattrs: xattrs!,
    });
  }
  return rows;
}

/** One line per path that differs, and the number of accepted differences. */
function differences(configured: Configured, suite: string): { wrong: string[]; passed: number } {
  const all = compare(reference(suite), rowsOf(configured.tree));
  const wrong = all.filter((one) => classOf(one, DROPPED) === undefined);
  return { wrong: wrong.map(spell), passed: all.length - wrong.length };
}

/** The package as an index describes it. */
function indexed(one: UnpackedDeb): UnpackedDeb {
  const fields = controlFields(Buffer.from(one.control.get('control')!.content.readSync()).toString('latin1'));
  const field = (name: string) => (fields.get(name) ?? '').replaceAll('\n', ' ');
  const multiArch = field('Multi-Arch') as AptPackage['multiArch'] | '';
  return {
    ...one,
    package: {
      ...one.package,
      architecture: field('Architecture'),
      essential: field('Essential') === 'yes',
      priority: field('Priority'),
      depends: field('Depends'),
      preDepends: field('Pre-Depends'),
      provides: field('Provides'),
      replaces: field('Replaces'),
      multiArch: multiArch === '' ? 'no' : multiArch,
    },
  };
}

for (const suite of ['trixie', 'bookworm']) {
  const files = ['packages.tsv', 'unpack-order.tsv', 'ref.manifest.tsv'].map(
    (name) => `debian-configure/${suite}.${name}`,
  );
  test(`${suite}: the configured tree is what apt and dpkg made, path by path`, {
    skip: needs({ data: files }),
  }, async (t) => {
    const order = readFileSync(data(`debian-configure/${suite}.unpack-order.tsv`), 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split('\t') as [string, string]);
    const archives = await debianPackages(
      suite,
      order.map(([name, version]) => ({ name, version })),
    );
    if (typeof archives === 'string') return t.skip(archives);
    const unpacked = await unpackAll(
      order.map(([name, version]) => {
        const archive = archives.get(name)!;
        return { package: packageOf(archive, version, name), archive };
      }),
      new Cache(temporary(t)),
      silent,
    );
    const warnings: Warning[] = [];
    const context = debianContext({
      architecture: 'amd64',
      epoch: EPOCH,
      report: (event: Parameters<typeof silent>[0]) => {
        if (event.kind === 'warning') warnings.push(event);
      },
    });
    const packages = unpacked.map(indexed);
    const configured = configure(packages, { ...context, strict: true });
    recordDatabase(configured, context);
    const { wrong, passed } = differences(configured, suite);
    assert.deepEqual(wrong, []);
    assert.deepEqual(warnings, []);
    assert.ok(passed < 60, `${passed} paths were let pass`);
    t.diagnostic(`${suite}: 0 paths differ, ${passed} of the drop list`);
    for (const { path, inode } of configured.tree.walk()) {
      assert.ok(inode.mtime <= EPOCH, `/${path} is younger than the build`);
      assert.equal(inode.user ?? inode.group, undefined, `/${path} has an owner that was never settled`);
    }
    // again from the same unpacked packages, without any rule: interpreting the scripts gives the same tree
    const again = configure(packages, { ...context, strict: true, rules: {} });
    recordDatabase(again, context);
    assert.deepEqual(differences(again, suite).wrong, []);
    assert.ok(again.scripts.some(({ outcome }) => outcome.kind === 'whole' && outcome.by === 'interpreter'));
    return undefined;
  });
}
