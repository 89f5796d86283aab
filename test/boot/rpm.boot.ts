import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { AGENT_READY, bootBy, UNSOUND } from '../support/boot.ts';
import { osbuilder } from '../support/cli.ts';
import { needs } from '../support/data.ts';
import { needsMirror, testHost } from '../support/host.ts';
import { once } from '../support/once.ts';
import { qemuFor } from '../support/qemu.ts';
import { GUEST_TOOLS, metalinkOf, rpmGuest } from '../support/rpm-guest.ts';
import { repomdOf } from '../support/rpms.ts';
import { serve } from '../support/server.ts';

/**
 * Guests of a made rpm distribution, served in the layout of each of the four that are known, each as initrd and as
 * image, booted under systemd to the agent; and with the agent as process 1.
 */

/** Where each distribution has its repositories, and the further options of its build. */
const LAYOUTS: Readonly<
  Record<string, { readonly release: string; readonly paths: readonly string[]; readonly flags?: readonly string[] }>
> = {
  centos: { release: '9-stream', paths: ['9-stream/BaseOS/x86_64/os', '9-stream/AppStream/x86_64/os'] },
  fedora: { release: '43', paths: ['releases/43/Everything/x86_64/os', 'updates/43/Everything/x86_64'] },
  'cbl-mariner': { release: '3.0', paths: ['3.0/prod/base/x86_64'] },
  clearlinux: {
    release: 'latest',
    paths: ['releases/43760/clear/x86_64/os'],
    flags: ['--allow-unauthenticated'],
  },
};

const skip = needs({ tools: [...GUEST_TOOLS, qemuFor('amd64')] }) || (await needsMirror());
const folder = mkdtempSync(join(tmpdir(), 'osbuilder-test-'));
const closing: (() => void | Promise<void>)[] = [];
after(async () => {
  for (const close of closing) await close();
  rmSync(folder, { recursive: true, force: true });
});
const hook = { after: (close: () => void | Promise<void>) => void closing.push(close) };
const host = once(async () => testHost(hook));
const distribution = once(async () => rpmGuest(await host()));

/** A mirror of the distribution on the loopback, and the flags that build from it. */
async function flagsOf(distro: string): Promise<string[]> {
  const { repository, keyring } = await distribution();
  const { release, paths, flags = [] } = LAYOUTS[distro]!;
  const root = join(folder, distro);
  for (const path of paths) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    symlinkSync(repository, join(root, path));
  }
  if (release === 'latest') writeFileSync(join(root, 'latest'), '43760\n');
  const server = await serve(hook, root);
  const own = ['--distro', distro, '--os-version', release, '--arch', 'x86_64', '--repo-url', server.url, ...flags];
  if (distro !== 'clearlinux') own.push('--keyring', keyring);
  if (distro === 'centos' || distro === 'fedora') {
    // the second repository is reached by a metalink in a .repo file, as these distributions publish theirs
    server.files.set('/metalink', metalinkOf(repomdOf(repository), `${server.url}/${paths[1]!}/`));
    const file = join(folder, `${distro}.repo`);
    writeFileSync(
      file,
      `[second]\nname=Second $releasever\nmetalink=${server.url}/metalink?repo=second-$releasever&arch=$basearch\ngpgkey=file://${keyring}\n`,
    );
    own.push('--repo', file, '--repo-components', distro === 'centos' ? 'BaseOS' : 'fedora');
  }
  return [...own, '--agent', 'demo', '--cache-dir', join(folder, 'cache')];
}

interface Document {
  readonly packages: readonly { readonly name: string }[];
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

/** Boots an artefact by the program itself to the agent. */
async function toAgent(t: TestContext, artefact: string): Promise<void> {
  const booted = await bootBy(artefact, ['--until-regex', AGENT_READY, '--fail-regex', UNSOUND, '--memory', '1024']);
  assert.equal(booted.outcome, 'seen', booted.shown);
  t.diagnostic(`${booted.seconds} s to the marker`);
  assert.doesNotMatch(booted.shown, /\[FAILED\]|Unit .* not found/);
}

const flags = new Map(Object.keys(LAYOUTS).map((distro) => [distro, once(async () => flagsOf(distro))]));

for (const [distro, of] of flags) {
  const guest = once(async () => {
    const made = { initrd: join(folder, `${distro}.initrd`), image: join(folder, `${distro}.image`) };
    const result = await osbuilder([
      'build',
      ...(await of()),
      '--initrd',
      made.initrd,
      '--image',
      made.image,
      '--json',
    ]);
    assert.equal(result.code, 0, result.stderr);
    return { ...made, document: JSON.parse(result.stdout) as Document };
  });

  test(`${distro}: initrd and image are built from a mirror in its layout`, { skip }, async () => {
    const { document } = await guest();
    const names = document.packages.map((one) => one.name);
    for (const name of ['systemd', 'chrony', 'iptables', 'glibc']) assert.ok(names.includes(name), name);
    // what is proven by what, and a capability that the initrd cannot hold
    const expected = /^(METADATA_UNPROVEN|UNAUTHENTICATED|XATTRS_LOST|DISTRIBUTION_ENDED)$/;
    assert.deepEqual(
      document.warnings.filter((one) => !expected.test(one.code)),
      [],
    );
    for (const code of ['UNAUTHENTICATED', 'DISTRIBUTION_ENDED'])
      assert.equal(
        document.warnings.some((one) => one.code === code),
        distro === 'clearlinux',
        code,
      );
  });

  test(`${distro}: the initrd boots under systemd to the agent`, { skip }, async (t) => {
    await toAgent(t, (await guest()).initrd);
  });

  test(`${distro}: the image boots under systemd to the agent`, { skip }, async (t) => {
    await toAgent(t, (await guest()).image);
  });
}

test('cbl-mariner: the initrd boots with the agent as process 1', { skip }, async (t) => {
  const path = join(folder, 'agent-init');
  const result = await osbuilder(['initrd', ...(await flags.get('cbl-mariner')!()), '--agent-init', '-o', path]);
  assert.equal(result.code, 0, result.stderr);
  await toAgent(t, path);
});
