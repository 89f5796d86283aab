import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { ALPINE_SET } from '../support/apk-tools.ts';
import { BIG_FLAGS, FAST } from '../support/big-guest.ts';
import { AGENT_READY, type BootResult, bootBy, UNSOUND } from '../support/boot.ts';
import { osbuilder } from '../support/cli.ts';
import { data, needs, tool } from '../support/data.ts';
import { needsMirror, testHost } from '../support/host.ts';
import { busybox, kernel } from '../support/kernel.ts';
import { once } from '../support/once.ts';
import { boot } from '../support/qemu.ts';
import { serve } from '../support/server.ts';
import { stage1 } from '../support/stage1.ts';

/**
 * Guests of Debian and of Alpine from each form that Kata starts: EROFS page-mapped in an NVDIMM, EROFS compressed and
 * measured, XFS, ext4 measured, and a base with an extension (Debian's is in extension.test.ts). Each boots to its agent.
 */

const skip = needs({ tools: ['qemu-system-x86_64', 'veritysetup', 'ldd'] }) || (await needsMirror());
const closing: (() => void | Promise<void>)[] = [];
const hook = { after: (close: () => void | Promise<void>) => void closing.push(close) };
const folder = mkdtempSync(join(tmpdir(), 'osbuilder-test-'));
after(async () => {
  for (const close of closing) await close();
  rmSync(folder, { recursive: true, force: true });
});

const PLAIN = ['--fs-type', 'erofs', '--fs-options=-Enoinline_data'];
/** Mounts the extension as a guest without systemd can, and starts as the stand-in agent does. */
const ALPINE_AGENT = `#!/bin/sh
mount -t devtmpfs dev /dev; mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t tmpfs tmpfs /run
exec </dev/console >/dev/console 2>&1
for disk in /sys/block/vd*; do
	[ "$(cat $disk/serial)" = extension-tools ] || continue
	mkdir -p /run/kata-extensions/tools
	mount -t erofs -o ro /dev/\${disk##*/}1 /run/kata-extensions/tools
done
echo "EXTENSION $(cat /run/kata-extensions/tools/etc/said)"
for word in $(cat /proc/cmdline); do case $word in kata.extension.*) echo "WORD \${word%%,*}";; esac; done
echo KATA-AGENT-READY
while :; do sleep 3600; done
`;

interface Distribution {
  /** Flags that choose it. */
  flags(): Promise<readonly string[]>;
  /** Flags for an image of its rootfs. */
  readonly image: readonly string[];
}

const distributions: Readonly<Record<string, Distribution>> = {
  Debian: { flags: async () => BIG_FLAGS, image: [] },
  Alpine: {
    flags: once(async () => {
      mkdirSync(join(folder, 'mirror/v3.19/main'), { recursive: true });
      symlinkSync(data(ALPINE_SET), join(folder, 'mirror/v3.19/main/x86_64'));
      const { url } = await serve(hook, join(folder, 'mirror'));
      return [
        ...['--distro', 'alpine', '--os-version', '3.19', '--arch', 'x86_64', '--packages', 'alpine-base'],
        ...['--repo-url', url, '--cache-dir', join(folder, 'cache'), '--agent', 'demo', '--agent-init'],
      ];
    }),
    image: ['--agent-init'],
  },
};

interface Written {
  readonly verity?: Readonly<Record<string, string>>;
  readonly outputs?: readonly { readonly verity?: Readonly<Record<string, string>> }[];
}

async function made(...args: string[]): Promise<Written> {
  const result = await osbuilder([...args, '--json']);
  assert.equal(result.code, 0, result.stderr);
  return JSON.parse(result.stdout) as Written;
}

async function toAgent(t: TestContext, path: string, ...args: string[]): Promise<BootResult> {
  const until = ['--until-regex', AGENT_READY, '--fail-regex', UNSOUND, '--memory', '512'];
  const booted = await bootBy(path, [...args, ...until]);
  assert.equal(booted.outcome, 'seen', booted.shown);
  t.diagnostic(`agent after ${booted.seconds} s`);
  return booted;
}

/** The first stage of a measured disk opens it by the words that Kata's runtimes give. */
const measured = once(async () => {
  const host = testHost(hook);
  const linux = await kernel('amd64', host);
  const drivers = ['virtio_pci', 'virtio_blk', 'ext4', 'erofs', 'sha256_generic', 'dm_verity'];
  const programs = [tool('veritysetup')!];
  const first = await stage1(join(folder, 'stage1'), await busybox('amd64', host), linux, drivers, programs);
  return { kernel: linux.path, initrd: first };
});

for (const [name, distribution] of Object.entries(distributions)) {
  const missing = skip || (name === 'Alpine' && needs({ data: [ALPINE_SET] }));
  const at = (file: string) => join(folder, `${name}-${file}`);
  const rootfs = once(async () => {
    await made('rootfs', ...(await distribution.flags()), '-o', at('rootfs.tar'));
    return at('rootfs.tar');
  });
  const image = async (file: string, ...flags: string[]) => {
    const written = await made('image', await rootfs(), ...distribution.image, '-o', at(file), ...flags);
    return { path: at(file), verity: written.outputs?.[0]?.verity };
  };

  test(`${name}: plain EROFS as an NVDIMM, page-mapped and read in place`, { skip: missing }, async (t) => {
    const { path } = await image('plain', ...PLAIN);
    const booted = await toAgent(t, path, '--disk', 'nvdimm');
    assert.match(booted.shown, /mounted \/dev\/pmem0p1 \/newroot erofs ro,\S*dax=always/);
  });

  test(`${name}: XFS`, { skip: missing }, async (t) => {
    const { path } = await image('xfs', '--fs-type', 'xfs');
    const booted = await toAgent(t, path);
    assert.match(booted.shown, /mounted \/dev\/vda1 \/newroot xfs ro/);
  });

  for (const [form, type] of [
    ['EROFS with lz4hc', 'erofs'],
    ['ext4', 'ext4'],
  ] as const)
    test(`${name}: ${form}, measured`, { skip: missing }, async (t) => {
      const { path, verity } = await image(type, '--fs-type', type, '--measured-rootfs', '--build-variant', type);
      const start = performance.now();
      const seen = await boot({
        ...{ architecture: 'amd64', ...(await measured()), disk: path, memory: 512 },
        append: `${FAST} ${verity!['dmModCreate']} root=/dev/dm-0 ro rootfstype=${type}`,
        marker: /KATA-AGENT-READY$/m,
      });
      assert.equal(seen.outcome, 'marker', seen.console);
      assert.match(seen.console, new RegExp(`^STAGE1-MOUNTED /dev/dm-0 /newroot ${type} ro`, 'm'));
      t.diagnostic(`agent after ${((performance.now() - start) / 1000).toFixed(1)} s`);
    });
}

test('Alpine: a base and one extension, which its agent mounts', {
  skip: skip || needs({ data: [ALPINE_SET] }),
}, async (t) => {
  const [base, tools, files, agent] = ['a-base.img', 'a-tools.img', 'a-files', 'agent'].map((file) =>
    join(folder, file),
  ) as [string, string, string, string];
  extensionFiles(files);
  writeFileSync(agent, ALPINE_AGENT);
  chmodSync(agent, 0o755);
  const flags = (await distributions['Alpine']!.flags()).map((word) => (word === 'demo' ? agent : word));
  await made('image', ...flags, '--skip-dax-header', '--fs-type', 'erofs', '-o', base);
  await made('extension', 'tools', files, '-o', tools);
  const booted = await toAgent(t, base, '--extension', `tools=${tools}`);
  assert.match(booted.shown, /^EXTENSION hello from the extension$/m);
  assert.match(booted.shown, /^WORD kata\.extension\.tools\.verity_params=root_hash=[0-9a-f]{64}$/m);
});

function extensionFiles(path: string): void {
  mkdirSync(join(path, 'etc'), { recursive: true });
  writeFileSync(join(path, 'etc/said'), 'hello from the extension\n');
}
