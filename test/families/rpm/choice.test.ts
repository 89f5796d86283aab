import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { STRING, TAG } from '../../../src/formats/rpm/layout.ts';
import { osbuilder } from '../../support/cli.ts';
import { needs, temporary } from '../../support/data.ts';
import { primaryEntry, type RawRpm, rawMetadata, rawRpm, texts } from '../../support/rpm-bytes.ts';
import { makeRpmKey, RPM_TOOLS } from '../../support/rpms.ts';

/** The packages that were chosen for a request are kept: what is asked again has the same answer, and nothing is trusted for it. */

describe('kept choices of rpm packages', { skip: needs({ tools: RPM_TOOLS }) }, () => {
  let folder: string;
  let keyring: string;
  const closing: (() => void)[] = [];
  before(() => {
    folder = temporary({ after: (fn) => void closing.push(fn) });
    keyring = makeRpmKey(join(folder, 'gpg')).publicKey;
  });
  after(() => {
    for (const close of closing) close();
  });

  /** A repository of unsigned packages. */
  function repository(name: string, packages: readonly (RawRpm & { readonly recommends?: string })[]): string {
    const made = packages.map((raw) => ({ raw, bytes: rawRpm(raw) }));
    const entries = made.map(({ raw, bytes }) =>
      primaryEntry(
        raw,
        bytes,
        raw.recommends === undefined
          ? {}
          : { format: `<rpm:recommends><rpm:entry name="${raw.recommends}"/></rpm:recommends>` },
      ),
    );
    const files: Record<string, Uint8Array> = rawMetadata(entries);
    for (const { raw, bytes } of made) files[`${raw.name}-${raw.version ?? '1'}-1.noarch.rpm`] = bytes;
    for (const [path, bytes] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name, path)), { recursive: true });
      writeFileSync(join(folder, name, path), bytes);
    }
    return join(folder, name);
  }

  const basis = ['--distro', 'cbl-mariner', '--os-version', '3.0', '--arch', 'x86_64', '--rootfs-only', '--json'];
  const choicesIn = (cache: string) =>
    readdirSync(join(cache, 'parsed'), { recursive: true, encoding: 'utf8' }).filter((one) => one.endsWith('.choice'));

  async function plan(words: readonly string[], cache: string): Promise<string> {
    const { code, stdout, stderr } = await osbuilder(['plan', ...basis, ...words, '--cache-dir', cache]);
    assert.equal(code, 0, stderr || stdout);
    const { timings: _, ...rest } = JSON.parse(stdout) as { readonly timings: unknown };
    return JSON.stringify(rest);
  }

  test('whatever decides is asked for again when it changes', async () => {
    const one = repository('one', [
      { name: 'thing' },
      { name: 'thing', version: '2' },
      { name: 'more', requires: ['library'] },
      { name: 'library', recommends: 'extra' },
      { name: 'extra' },
    ]);
    const other = repository('other', [
      { name: 'thing', version: '3' },
      { name: 'library', version: '2' },
    ]);
    const asked = (...words: string[]) => ['--repo-url', one, '--allow-unauthenticated', ...words];
    const requests: (() => readonly string[])[] = [
      () => asked('--packages', 'thing'),
      () => asked('--packages', 'thing more'),
      () => asked('--packages', 'more thing'),
      () => asked('--packages', 'thing-1'),
      () => asked('--packages', 'more'),
      () => asked('--packages', 'more', '--recommends'),
      () => asked('--packages', 'more extra-', '--recommends'),
      () => asked('--packages', 'thing', '--repo', other),
      () => asked('--packages', 'thing', '--repo', `[priority=100] ${other}`),
      () => asked('--packages', 'thing', '--repo', `[exclude=thing] ${other}`),
      () => asked('--packages', 'thing', '--repo', `[include=library] ${other}`),
      () => asked('--packages', 'thing', '--repo', `[name=second] ${other}`),
      () => ['--repo-url', other, '--allow-unauthenticated', '--packages', 'thing'],
      () => ['--repo-url', one, '--keyring', keyring, '--packages', 'thing'],
      () => {
        // the repository at that place is another one now
        for (const path of ['repodata/repomd.xml', 'repodata/primary.xml.gz'])
          copyFileSync(join(other, path), join(one, path));
        return asked('--packages', 'thing');
      },
    ];
    const answers = new Set<string>();
    for (const [i, request] of requests.entries()) {
      const words = request();
      const fresh = await plan(words, join(folder, `fresh-${i}`));
      assert.equal(await plan(words, join(folder, 'shared')), fresh, words.join(' '));
      assert.equal(await plan(words, join(folder, 'shared')), fresh, `again: ${words.join(' ')}`);
      answers.add(fresh);
    }
    assert.ok(answers.size >= 11, `${answers.size} different answers`);
    assert.ok(choicesIn(join(folder, 'shared')).length >= 11);
  });

  test('a choice that was kept proves no package', async () => {
    const root = repository('unsigned', [
      { name: 'thing', files: [{ folder: '/usr/', name: 'thing', data: 'thing' }] },
    ]);
    const cache = join(folder, 'unproven');
    const build = (...words: string[]) =>
      osbuilder([
        ...['rootfs', ...basis, '--repo-url', root, '--packages', 'thing', '--cache-dir', cache, ...words],
        ...['-o', join(folder, 'out.tar')],
      ]);
    const accepted = await build('--allow-unauthenticated');
    assert.equal(accepted.code, 0, accepted.stdout);
    assert.equal(choicesIn(cache).length, 1);
    const rejected = await build('--keyring', keyring);
    assert.equal((JSON.parse(rejected.stdout) as { error: { code: string } }).error.code, 'RPM_UNSIGNED');
  });

  test('a list that cannot be read is no choice, and packages of a folder are chosen anew', async () => {
    const source = { tag: TAG.sourceRpm, type: STRING, count: 1, bytes: texts('thing.src.rpm') };
    const root = repository('garbled', [{ name: 'thing', rows: [source] }]);
    const cache = join(folder, 'garbled-cache');
    const files = rawMetadata([], { primary: Buffer.from('no list') });
    for (const [path, bytes] of Object.entries(files)) writeFileSync(join(root, path), bytes);
    const words = ['plan', ...basis, '--repo-url', root, '--allow-unauthenticated', '--packages', 'thing'];
    for (let i = 0; i < 2; i++) {
      const { code, stdout } = await osbuilder([...words, '--cache-dir', cache]);
      assert.notEqual(code, 0, stdout);
    }
    rmSync(join(root, 'repodata'), { recursive: true });
    const own = join(folder, 'folder-cache');
    const one = await plan(words.slice(1 + basis.length), own);
    writeFileSync(join(root, 'thing-2-1.noarch.rpm'), rawRpm({ name: 'thing', version: '2', rows: [source] }));
    assert.notEqual(await plan(words.slice(1 + basis.length), own), one);
  });
});
