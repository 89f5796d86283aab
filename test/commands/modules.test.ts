import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parse } from 'yaml';
import { DRACUT_MODULES } from '../../src/dracut/registry.ts';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';
import { elfFile } from '../support/elves.ts';
import { SYSTEM } from '../support/systems.ts';

/** `osbuilder modules`: what is listed, what a system can give, what is checked. */

interface Row {
  readonly name: string;
  readonly title: string;
  readonly dracut: readonly string[];
  readonly unfit: string | null;
  readonly own: boolean;
}

async function listed(...args: string[]): Promise<{ rows: ReadonlyMap<string, Row>; dracut?: { generation: string } }> {
  const result = await osbuilder(['modules', '--json', ...args]);
  assert.equal(result.code, 0, result.stderr);
  const { modules, dracut } = JSON.parse(result.stdout);
  return { rows: new Map(modules.map((row: Row) => [row.name, row])), dracut };
}

/** The small system of tests in a folder, with files added. */
function system(t: TestContext, more: Readonly<Record<string, string>> = {}): string {
  const root = join(temporary(t), 'system');
  for (const [path, what] of Object.entries({ ...SYSTEM, ...more })) {
    const at = join(root, path);
    mkdirSync(dirname(at), { recursive: true });
    if (typeof what === 'string' && what.startsWith('->')) symlinkSync(what.slice(2), at);
    else writeFileSync(at, typeof what === 'string' ? what : elfFile(what), { mode: 0o755 });
  }
  return root;
}

test('every module is listed with a title, for the generations that have it', async () => {
  const { rows } = await listed();
  assert.deepEqual([...rows.keys()], [...new Set(DRACUT_MODULES.map(({ name }) => name))].sort());
  for (const { name, title, dracut } of rows.values()) {
    assert.ok(title.length > 5, name);
    assert.ok(dracut.length > 0, name);
  }
  assert.deepEqual(rows.get('fido2')!.dracut, ['106']);
  assert.match(rows.get('systemd-initrd')!.unfit!, /root file system/);
  const text = await osbuilder(['modules']);
  assert.match(text.stdout, /^systemd +systemd as process 1.*\(taken by default\)$/m);
  assert.match(text.stdout, /^dracut-systemd .*\n +cannot be taken: its services/m);
});

test('with a system, only its generation, and what it lacks', async (t) => {
  const root = system(t);
  const { rows, dracut } = await listed('--sysroot', root);
  assert.equal(dracut!.generation, '106');
  assert.equal(rows.get('systemd')!.unfit, null);
  assert.equal(rows.get('busybox')!.unfit, 'there is no busybox in it');
  const packed = await osbuilder(['rootfs', root, '--rootfs-only', '-o', `${root}.tar`]);
  assert.equal(packed.code, 0, packed.stderr);
  assert.deepEqual((await listed('--sysroot', `${root}.tar`)).rows, rows);
  const older = system(t, { 'usr/lib/dracut/dracut-version.sh': 'DRACUT_VERSION=059-4\n' });
  const of059 = await listed('--sysroot', older);
  assert.equal(of059.dracut!.generation, '059');
  assert.ok(!of059.rows.has('fido2'));
  // from 112 on the program itself has it
  const newest = system(t, { 'usr/bin/dracut': '#!/bin/bash -p\n\nDRACUT_VERSION="112-7"\n' });
  assert.deepEqual((await listed('--sysroot', newest)).dracut, { generation: '106', version: '112-7' });
  const missing = await osbuilder(['modules', '--sysroot', join(root, 'none')]);
  assert.match(missing.stderr, /\[READ_FAILED\]/);
});

test('a module of one’s own is checked, and shown; what is shown can be given back', async (t) => {
  const folder = temporary(t);
  const mine = join(folder, 'mine.yaml');
  writeFileSync(mine, 'name: mine\ntitle: what I need\nneeds: [nowhere]\nprograms: [sleep]\n');
  const { rows } = await listed('--dracut-module', mine, '--sysroot', system(t));
  assert.equal(rows.get('mine')!.own, true);
  assert.equal(rows.get('mine')!.unfit, 'there is no nowhere in it');
  writeFileSync(mine, 'name: mine\nprogrammes: [sleep]\n');
  const wrong = await osbuilder(['modules', '--dracut-module', mine]);
  assert.match(wrong.stderr, /programmes.*\[DRACUT_MODULE_INVALID\]/);
  for (const { name, dracut, rejected } of DRACUT_MODULES) {
    if (rejected !== undefined || dracut === '059') continue;
    const shown = await osbuilder(['modules', '--show', name]);
    assert.equal(shown.code, 0, shown.stderr);
    assert.equal(parse(shown.stdout.split('---\n').at(-1)!).name, name);
    writeFileSync(mine, shown.stdout.split('---\n').at(-1)!);
    const given = await osbuilder(['modules', '--dracut-module', mine, '--show', name]);
    assert.equal(given.code, 0, given.stderr);
  }
  const unknown = await osbuilder(['modules', '--show', 'systemb']);
  assert.match(unknown.stderr, /did you mean "systemd"\? \[DRACUT_MODULE_UNKNOWN\]/);
});
