import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { FAST, treeOf } from '../support/big-guest.ts';
import { AGENT_READY, bootBy, UNSOUND } from '../support/boot.ts';
import { osbuilder } from '../support/cli.ts';
import { needs } from '../support/data.ts';
import { needsMirror, TEST_CACHE, testHost } from '../support/host.ts';
import { ARM64_WITH_DAX, busybox, kernel } from '../support/kernel.ts';
import { once } from '../support/once.ts';
import { type BootArchitecture, type Booted, boot, FIRMWARE, qemuFor } from '../support/qemu.ts';
import { stage1 } from '../support/stage1.ts';
import { sumsOf } from '../support/sums.ts';

/**
 * Debian guests of every architecture, built on this machine, each booted with its own kernel: as initrd
 * under systemd and with the agent as process 1, and as disk image. Emulated machines are slow: one boots at a time.
 */

const ROOT = 'rootflags=data=ordered,errors=remount-ro ro rootfstype=ext4';
const FORBIDDEN =
  /not syncing|Initramfs unpacking failed|Failed to (start|load|mount)|Dependency failed|STAGE1-(NODEV|MOUNT-FAIL|INSMOD-FAIL)/i;

const folder = mkdtempSync(join(tmpdir(), 'osbuilder-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const host = once(async () => testHost({ after }));
const mirror = await needsMirror();

/** Flags of a release, the newest first. Not every mirror carries every architecture of a release, all the time. */
const RELEASES: readonly (readonly string[])[] = [
  ['--os-version', 'trixie'],
  ['--os-version', 'bookworm'],
  ['--os-version', 'bookworm', '--repo-suites', 'bookworm'],
];

/** What `--json` gives of a build. */
interface Document {
  readonly outputs: readonly { readonly kind: string; readonly size: number; readonly sha256: string }[];
  readonly packages: readonly { readonly name: string; readonly architecture: string }[];
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

interface Machine {
  /** Flags that choose the guest. */
  flags(): Promise<readonly string[]>;
  /** Initrd and image of one tree, and the messages of the build. */
  guest(): Promise<{ initrd: string; image: string; result: Document }>;
  agentInit(): Promise<string>;
  kernel(): Promise<string>;
  /** Stage-1 initrd with the drivers for disks. */
  first(): Promise<string>;
}

/** The artefacts of an architecture, each made once, by the first test that needs it. */
function machine(architecture: BootArchitecture): Machine {
  const at = (name: string) => join(folder, `${architecture}-${name}`);
  const linux = once(async () => kernel(architecture, await host()));
  const common = ['--distro', 'debian', '--arch', architecture, '--agent', 'demo', '--cache-dir', TEST_CACHE];
  const flags = once(async () => {
    const errors: string[] = [];
    for (const release of RELEASES) {
      // with its scripts, so that a mirror without the packages is known before
      const planned = await osbuilder(['plan', ...common, ...release, '--scripts']);
      if (planned.code === 0) {
        for (const error of errors) console.log(`${architecture} is built with ${release.join(' ')}: ${error}`);
        return [...common, ...release];
      }
      assert.match(planned.stderr, /\[(INDEX_STALE|ARCHITECTURE_MISSING|NOT_FOUND)\]/);
      errors.push(/^osbuilder: .*$/m.exec(planned.stderr)![0]);
    }
    assert.fail(errors.join('\n'));
  });
  return {
    flags,
    kernel: async () => (await linux()).path,
    guest: once(async () => {
      const made = { initrd: at('initrd'), image: at('image') };
      const args = ['build', ...(await flags()), '--initrd', made.initrd, '--image', made.image, '--json'];
      const result = await osbuilder(args);
      assert.equal(result.code, 0, result.stderr);
      return { ...made, result: JSON.parse(result.stdout) as Document };
    }),
    agentInit: once(async () => {
      const path = at('agent-init');
      const result = await osbuilder(['initrd', ...(await flags()), '--agent-init', '--compress', 'zstd', '-o', path]);
      assert.equal(result.code, 0, result.stderr);
      return path;
    }),
    first: once(async () => {
      const drivers = ['crc32c_generic', 'virtio_pci', 'virtio_blk', 'ext4'];
      return stage1(at('stage1'), await busybox(architecture, await host()), await linux(), drivers);
    }),
  };
}

const ARCHITECTURES: readonly BootArchitecture[] = ['amd64', 'arm64', 'ppc64el', 's390x'];
const machines = new Map(ARCHITECTURES.map((architecture) => [architecture, machine(architecture)]));

/** Boots to the marker, and prints the time it took. */
async function booted(
  t: TestContext,
  architecture: BootArchitecture,
  options: Omit<Parameters<typeof boot>[0], 'architecture' | 'kernel' | 'seconds'> & { readonly kernel?: string },
): Promise<Booted> {
  const of = machines.get(architecture)!;
  const linux = options.kernel ?? (await of.kernel());
  const start = performance.now();
  const seen = await boot({
    architecture,
    kernel: linux,
    forbid: FORBIDDEN,
    ...options,
    append: `${FAST} ${options.append}`,
  });
  assert.equal(seen.outcome, 'marker', seen.console);
  t.diagnostic(`${((performance.now() - start) / 1000).toFixed(1)} s to the marker`);
  return seen;
}

/** Boots an artefact by the program itself to the agent. */
async function toAgent(t: TestContext, artefact: string): Promise<void> {
  const booted = await bootBy(artefact, ['--until-regex', AGENT_READY, '--fail-regex', UNSOUND, '--memory', '1536']);
  assert.equal(booted.outcome, 'seen', booted.shown);
  t.diagnostic(`${booted.seconds} s to the marker`);
}

for (const [architecture, of] of machines) {
  const skip = mirror || needs({ tools: [qemuFor(architecture)] });

  test(`${architecture}: offline from the cache, the same packages and the same bytes`, { skip }, async () => {
    const { result } = await of.guest();
    assert.ok(result.packages.length > 60, `${result.packages.length} packages`);
    for (const { name, architecture: own } of result.packages) assert.ok([architecture, 'all'].includes(own), name);
    // an older release may have no security updates for it any more
    assert.deepEqual(
      result.warnings.filter(({ code }) => code !== 'SUITE_SKIPPED'),
      [],
    );
    const [initrd, image] = [join(folder, 'again-initrd'), join(folder, 'again-image')];
    const args = ['build', ...(await of.flags()), '--offline', '--initrd', initrd, '--image', image, '--json'];
    const again = await osbuilder(args, { env: { http_proxy: '', TZ: 'Asia/Tokyo' } });
    assert.equal(again.code, 0, again.stderr);
    const { outputs, packages } = JSON.parse(again.stdout) as Document;
    const sums = (all: Document['outputs']) => all.map(({ kind, size, sha256 }) => ({ kind, size, sha256 }));
    assert.deepEqual(sums(outputs), sums(result.outputs));
    assert.deepEqual(packages, result.packages);
    for (const path of [initrd, image]) rmSync(path);
  });

  test(`${architecture}: the initrd boots under systemd to the agent`, { skip }, async (t) => {
    await toAgent(t, (await of.guest()).initrd);
  });

  test(`${architecture}: the initrd boots with the agent as process 1`, { skip }, async (t) => {
    await toAgent(t, await of.agentInit());
  });

  test(`${architecture}: the image boots under systemd to the agent`, { skip }, async (t) => {
    await toAgent(t, (await of.guest()).image);
  });

  test(`${architecture}: the image holds what was planned, and the library index that the guest’s own ldconfig makes`, {
    skip,
  }, async (t) => {
    const { image } = await of.guest();
    const seen = await booted(t, architecture, {
      initrd: await of.first(),
      disk: image,
      append: `root=/dev/vda1 ${ROOT} stage1=loader`,
      memory: 1024,
      marker: /^STAGE1-DONE$/m,
    });
    await asPlanned(seen, image);
    assert.match(seen.console, /^STAGE1-LOADER-SAME$/m);
  });
}

for (const architecture of ARCHITECTURES.slice(1))
  test(`${architecture}: its kernel sees the amd64 image as it was planned`, {
    skip: mirror || needs({ tools: [qemuFor(architecture)] }),
  }, async (t) => {
    const { image } = await machines.get('amd64')!.guest();
    const seen = await booted(t, architecture, {
      initrd: await machines.get(architecture)!.first(),
      disk: image,
      foreign: true,
      append: `root=/dev/vda1 ${ROOT} stage1=sums`,
      memory: 1024,
      marker: /^STAGE1-DONE$/m,
    });
    await asPlanned(seen, image);
  });

test('arm64: the image as an NVDIMM is page-mapped and read in place', {
  skip:
    mirror ||
    needs({ tools: [qemuFor('arm64')] }) ||
    (existsSync(FIRMWARE) ? false : `not here: ${FIRMWARE} (package qemu-efi-aarch64)`),
}, async (t) => {
  const { image } = await machines.get('arm64')!.guest();
  const linux = await kernel('arm64', await host(), ARM64_WITH_DAX);
  // loaded here alone: they fail where no firmware announces an NVDIMM
  const drivers = ['nfit', 'nd_btt', 'nd_pmem', 'ext4'];
  const first = await stage1(join(folder, 'nvdimm'), await busybox('arm64', await host()), linux, drivers);
  const seen = await booted(t, 'arm64', {
    kernel: linux.path,
    initrd: first,
    disk: image,
    as: 'nvdimm',
    append: 'root=/dev/pmem0p1 rootflags=dax,data=ordered,errors=remount-ro ro rootfstype=ext4 stage1=sums',
    memory: 1024,
    marker: /^STAGE1-DONE$/m,
  });
  assert.match(seen.console, /nd_pmem pfn0\.1: /);
  assert.match(seen.console, /^STAGE1-MOUNTED .*dax=always/m);
  await asPlanned(seen, image);
});

/** The sums that the guest printed are those of the tree in the image, and its kernel reported no error. */
async function asPlanned(seen: Booted, image: string): Promise<void> {
  const sums = await sumsOf(await treeOf(image, folder));
  assert.match(seen.console, new RegExp(`^CHECK-CONTENT ${sums.content}`, 'm'));
  assert.match(seen.console, new RegExp(`^CHECK-META ${sums.meta}`, 'm'));
  assert.match(seen.console, new RegExp(`^CHECK-LINES ${sums.lines}$`, 'm'));
  assert.ok(sums.lines > 3000);
  assert.doesNotMatch(seen.console, /EXT4-fs (error|warning)/i);
}
