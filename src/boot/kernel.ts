import type { FileContent } from '../bytes/content.ts';
import { BuildError } from '../errors/error.ts';
import { planOrder } from '../families/assemble.ts';
import { familyOf } from '../families/families.ts';
import type { Chosen, Order } from '../families/family.ts';
import type { Host } from '../fetch/host.ts';
import { overlayEntries } from '../tree/overlay.ts';
import { Tree } from '../tree/tree.ts';
import { KernelModules } from './modules.ts';

/** A kernel that came from packages, and what its first stage needs. */
export interface PackagedKernel {
  /** Name and version of the package that has it. */
  readonly package: string;
  readonly version: string;
  /** As `uname -r` says it. */
  readonly release: string;
  readonly image: FileContent;
  readonly modules: KernelModules;
  /** A statically linked busybox. */
  readonly busybox: FileContent | undefined;
}

/** Packages that only bring files of a kernel. */
const KERNEL_PACKAGES = /^(linux-(image|modules|main-modules|virt|lts|stable)|kernel)/;

/** Fetches a kernel with its modules. Of all that its package depends on, only what has files of the kernel is fetched. */
export async function kernelFromPackages(order: Order, wanted: string, host: Host): Promise<PackagedKernel> {
  const busybox = order.profile.boot?.busybox;
  const requests = [wanted, ...(busybox === undefined ? [] : [busybox])];
  const family = await familyOf(order);
  const own = { ...order, requests };
  family.validate(own, host);
  const plan = await planOrder(family, own, host);
  const chosen = partsOf(plan.chosen, wanted, busybox);
  const part = { ...plan, chosen };
  host.report({ kind: 'phase', phase: 'fetch', bytes: chosen.reduce((sum, one) => sum + one.package.size, 0) });
  const archives = await family.fetch(part, host);
  host.report({ kind: 'ended', phase: 'fetch' });
  const unpacked = await family.unpack(
    chosen.map(({ package: one }, i) => ({ package: one, archive: archives[i]! })),
    host,
  );
  const tree = new Tree();
  for (const link of ['bin', 'sbin', 'lib']) {
    tree.makeDirectory(`usr/${link}`);
    tree.symlink(link, `usr/${link}`);
  }
  let owner = chosen[0]!.package;
  for (const { package: one, entries } of unpacked) {
    overlayEntries(tree, entries, { source: one.name });
    if (entries.some(({ path }) => /(^|\/)vmlinu[xz][^/]*$/.test(path))) owner = one;
  }
  const folders = tree.list('usr/lib/modules');
  const release = folders.find((name) => tree.has(`usr/lib/modules/${name}/kernel`)) ?? folders[0] ?? '';
  const image = imageIn(tree, release);
  if (image === undefined)
    throw new BuildError('KERNEL_UNFIT', {
      path: wanted,
      reason: `its packages (${chosen.map(({ package: one }) => one.name).join(', ')}) have no kernel below /boot or /lib/modules`,
    });
  return {
    package: owner.name,
    version: owner.version,
    release,
    image,
    modules: new KernelModules(tree, `usr/lib/modules/${release}`, `${owner.name} ${owner.version}`),
    busybox: busyboxIn(tree),
  };
}

/** The kernel's packages among the chosen ones: the named one, and those it brought that hold files of a kernel. */
function partsOf(chosen: readonly Chosen[], wanted: string, busybox: string | undefined): readonly Chosen[] {
  const name = /^[^=/]+/.exec(wanted)![0];
  const taken = new Set([name]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const { package: one, by } of chosen)
      if (by !== undefined && taken.has(by) && !taken.has(one.name) && KERNEL_PACKAGES.test(one.name)) {
        taken.add(one.name);
        grown = true;
      }
  }
  return chosen.filter(({ package: one }) => taken.has(one.name) || one.name === busybox);
}

function imageIn(tree: Tree, release: string): FileContent | undefined {
  const boot = tree.list('boot').filter((name) => /^vmlinu[xz]/.test(name));
  const paths = [...boot.map((name) => `boot/${name}`), `usr/lib/modules/${release}/vmlinuz`];
  for (const path of paths) {
    const found = tree.file(path)?.content;
    if (found !== undefined) return found;
  }
  return undefined;
}

function busyboxIn(tree: Tree): FileContent | undefined {
  for (const path of ['usr/bin/busybox', 'usr/bin/busybox.static', 'usr/sbin/busybox']) {
    const found = tree.file(path)?.content;
    if (found !== undefined) return found;
  }
  return undefined;
}
