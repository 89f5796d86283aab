import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { MACHINES } from '../../src/boot/machines.ts';
import { AGENT_READY, bootBy, UNSOUND } from '../support/boot.ts';
import { osbuilder } from '../support/cli.ts';
import { needs, TEST_CACHE, temporary } from '../support/data.ts';
import { needsMirror } from '../support/host.ts';

/** A Debian guest with one extension image, by the program itself to the agent. */

const skip = needs({ tools: [MACHINES['x86_64']!.program] }) || (await needsMirror());
const DEBIAN = ['--distro', 'debian', '--os-version', 'trixie', '--arch', 'amd64', '--cache-dir', TEST_CACHE];

test('base and one extension, which is what strace adds to it', { skip }, async (t) => {
  const folder = temporary(t);
  const [base, tools] = [join(folder, 'base.img'), join(folder, 'tools.img')];
  const guest = [...DEBIAN, '--agent', 'demo', '--jobs', '2'];
  const image = await osbuilder([
    ...['image', ...guest, '-o', base],
    ...['--fs-type', 'erofs', '--fs-options=-Enoinline_data', '--skip-dax-header'],
  ]);
  assert.equal(image.code, 0, image.stderr);
  const made = await osbuilder(['extension', 'tools', ...guest, '--extra-pkgs', 'strace', '--base', base, '-o', tools]);
  assert.equal(made.code, 0, made.stderr);
  const until = ['--until-regex', AGENT_READY, '--fail-regex', UNSOUND];
  const booted = await bootBy(base, ['--extension', `tools=${tools}`, ...until], 'systemd.show_status=1');
  assert.equal(booted.outcome, 'seen', booted.shown);
  const at = (pattern: RegExp) => booted.lines.findIndex(({ text }) => pattern.test(text));
  const finished = at(/Finished .*kata-extension-mount@tools\.service/);
  assert.ok(finished >= 0, booted.shown);
  assert.ok(finished < at(/KATA-AGENT-READY/), 'before the agent');
  t.diagnostic(`agent after ${booted.seconds} s`);
});
