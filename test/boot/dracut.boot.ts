import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { AGENT_READY, bootBy, UNSOUND } from '../support/boot.ts';
import { osbuilder } from '../support/cli.ts';
import { needs, temporary } from '../support/data.ts';
import { type DebianSystem, debianSystem } from '../support/debian-system.ts';
import { needsMirror } from '../support/host.ts';
import { once } from '../support/once.ts';
import { qemuFor } from '../support/qemu.ts';

/** Guests of the files of a system, booted to the agent by the program itself. */

const folder = temporary({ after });
const mirror = await needsMirror();
/** Drivers that no Debian kernel has built in, each with a line that the kernel says when it is there. */
const DRIVERS = 'vsock vmw_vsock_virtio_transport overlay';
const LOADED = /NET: Registered PF_VSOCK protocol family/;

/** Makes an artefact by the dracut method. */
async function made(kind: 'initrd' | 'image', name: string, ...args: string[]): Promise<string> {
  const path = join(folder, name);
  const built = await osbuilder([kind, ...args, '-o', path]);
  assert.equal(built.code, 0, built.stderr);
  return path;
}

/** Boots it to the agent; returns the console. */
async function toAgent(t: TestContext, artefact: string, args: readonly string[], append = ''): Promise<string> {
  const booted = await bootBy(
    artefact,
    ['--until-regex', AGENT_READY, '--fail-regex', UNSOUND, '--memory', '1024', ...args],
    append,
  );
  assert.equal(booted.outcome, 'seen', booted.shown);
  t.diagnostic(`${booted.seconds} s to the marker`);
  return booted.shown;
}

test('this machine as the system, the agent as process 1', {
  skip: needs({ tools: [qemuFor('amd64')] }) || mirror,
}, async (t) => {
  const initrd = await made('initrd', 'machine.img', '--build-method', 'dracut', '--agent', 'demo', '--agent-init');
  await toAgent(t, initrd, []);
});

for (const [suite, arch] of [
  ['trixie', 'amd64'],
  ['bookworm', 'amd64'],
  ['trixie', 'arm64'],
] as const) {
  const skip = needs({ tools: [qemuFor(arch)] }) || mirror;
  const system = once(async () => debianSystem(suite, folder, [], arch));
  const flags = ({ path, release }: DebianSystem) => [
    ...['--build-method', 'dracut', '--sysroot', path, '--agent', 'demo'],
    ...['--dracut-kversion', release, '--drivers', DRIVERS, '--compress', 'zstd', '--cache-dir', join(folder, 'cache')],
  ];
  // the kernel of the same package, so that the modules fit
  const kernel = ['--os-version', suite, '--kernel-package', `linux-image-cloud-${arch}`];

  test(`${suite}, ${arch}: under systemd, with drivers that it loads; and as an image`, { skip }, async (t) => {
    const from = await system();
    if (typeof from === 'string') return t.skip(from);
    const initrd = await made('initrd', `${suite}-${arch}.img`, ...flags(from));
    assert.match(await toAgent(t, initrd, kernel, 'loglevel=7'), LOADED);
    const image = await made('image', `${suite}-${arch}.disk`, initrd);
    await toAgent(t, image, kernel);
  });

  test(`${suite}, ${arch}: with the agent as process 1`, { skip }, async (t) => {
    const from = await system();
    if (typeof from === 'string') return t.skip(from);
    await toAgent(t, await made('initrd', `${suite}-${arch}-agent.img`, ...flags(from), '--agent-init'), kernel);
  });
}
