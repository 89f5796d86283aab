import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memory } from '../../../../src/bytes/content.ts';
import { silent } from '../../../../src/events/events.ts';
import { debianContext } from '../../../../src/families/apt/architecture.ts';
import type { DebianWorld } from '../../../../src/families/apt/commands/binding.ts';
import { debianCommands } from '../../../../src/families/apt/commands/commands.ts';
import { Interpreter } from '../../../../src/families/apt/commands/interpreter.ts';
import { Debconf } from '../../../../src/families/apt/configure/debconf.ts';
import type { AptPackage } from '../../../../src/families/apt/package.ts';
import type { Unpacked } from '../../../../src/fetch/package.ts';
import { isConstant } from '../../../../src/system/commands/binding.ts';
import type { ScriptletRun } from '../../../../src/system/scriptlet.ts';
import { smallSystem } from '../../../support/postinst.ts';

const warnings: unknown[] = [];
const context = debianContext({
  architecture: 'amd64',
  epoch: 1_700_000_000,
  report: (event) => (event.kind === 'warning' ? void warnings.push(event) : silent(event)),
});

/** Runs one line as a postinst on a small system. */
function run(
  line: string,
  files: Readonly<Record<string, string>> = {},
): ScriptletRun & { tree: ReturnType<typeof smallSystem> } {
  const tree = smallSystem(files);
  const of = {
    package: { name: 'thing', version: '1', architecture: 'all' } as AptPackage,
    control: new Map([['postinst', { mode: 0o755, content: memory(`#!/bin/sh\n${line}\n`) }]]),
    entries: [],
  } as unknown as Unpacked<AptPackage>;
  const result = new Interpreter({ tree, context, debconf: new Debconf() }).interpret(of, 'postinst', [
    'configure',
    '',
  ]);
  return { ...result!, tree };
}

const world: DebianWorld = {
  ...{ tree: smallSystem(), context, debconf: new Debconf(), package: 'thing' },
  known: () => undefined,
  packages: () => [],
  trigger: () => {},
  leaveOut: () => {},
};
const commands = debianCommands(world);

/** Commands that take words of debconf's protocol, not options. */
const WITHOUT_OPTIONS = (name: string) => name.startsWith('db_');

test('every emulated command reports or rejects an option that it does not implement', () => {
  const silentOnes: string[] = [];
  const counts = { constant: 0, checked: 0 };
  for (const [name, command] of commands) {
    if (isConstant(command)) {
      counts.constant++;
      continue;
    }
    if (WITHOUT_OPTIONS(name)) continue;
    for (const args of ['--no-such-option', '-%', '--no-such-option=1 a b c']) {
      counts.checked++;
      warnings.length = 0;
      const { outcome, status, stderr } = run(`${name} ${args} </dev/null`);
      const reported =
        (outcome.kind === 'partial' && outcome.lines.length > 0) ||
        (outcome.kind === 'whole' && outcome.leftOut.length > 0) ||
        (status !== 0 && stderr !== '') ||
        warnings.length > 0;
      if (!reported) silentOnes.push(`${name} ${args}`);
    }
  }
  assert.deepEqual(silentOnes, []);
  assert.ok(counts.checked > 200 && counts.constant > 40, JSON.stringify(counts));
});

test('options that name another root are reported, the guest’s own are accepted', () => {
  for (const line of [
    'useradd --root /mnt x',
    'useradd --prefix=/mnt x',
    'groupadd -R /mnt x',
    'dpkg-divert --admindir /mnt --add /x',
    'dpkg-query --admindir=/mnt -W',
    'dpkg --root=/mnt -l',
    'update-alternatives --admindir /mnt --auto x',
    'systemctl --root=/mnt enable x',
    'systemd-sysusers --root=/mnt x.conf',
    'systemd-tmpfiles --root=/mnt --create',
    'ldconfig -r /mnt',
    'pam-auth-update --root /mnt --package',
    'ucf --state-dir /mnt a b',
  ]) {
    const { outcome } = run(line);
    assert.equal(outcome.kind, 'partial', line);
    assert.match(outcome.kind === 'partial' ? outcome.lines[0]!.reason : '', /not emulated: \S+ .*\/mnt/, line);
  }
  for (const line of [
    'useradd --root "$DPKG_ROOT" x',
    'groupadd -R / x',
    'dpkg-divert --admindir /var/lib/dpkg --add /x',
    'dpkg --root=/ -l thing || true',
    'update-alternatives --admindir /var/lib/dpkg/alternatives --remove x y',
    'ldconfig -r /',
  ])
    assert.equal(run(line).outcome.kind, 'whole', line);
});
