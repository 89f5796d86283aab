import type { FileContent } from '../bytes/content.ts';
import { BuildError } from '../errors/error.ts';
import { familyOf } from '../families/families.ts';
import type { Order } from '../families/family.ts';
import { fetchKernel } from '../families/kernel.ts';
import type { Host } from '../fetch/host.ts';
import { MODULES } from '../system/kmod/install.ts';
import type { Tree } from '../tree/tree.ts';
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

/** Fetches a kernel with its modules, and a busybox for the first stage. */
export async function kernelFromPackages(order: Order, wanted: string, host: Host): Promise<PackagedKernel> {
  (await familyOf(order)).validate(order, host);
  const busybox = order.profile.boot?.busybox;
  const { packages, release, tree, kernel, owner } = await fetchKernel(
    order,
    wanted,
    host,
    busybox === undefined ? [] : [busybox],
  );
  if (kernel === undefined)
    throw new BuildError('KERNEL_UNFIT', {
      path: wanted,
      reason: `its packages (${packages.map(({ package: one }) => one.name).join(', ')}) have no kernel below /boot or /lib/modules`,
    });
  return {
    package: owner.name,
    version: owner.version,
    release: release ?? '',
    image: kernel.content,
    modules: new KernelModules(tree, `${MODULES}/${release ?? ''}`, `${owner.name} ${owner.version}`),
    busybox: busyboxIn(tree),
  };
}

function busyboxIn(tree: Tree): FileContent | undefined {
  for (const path of ['usr/bin/busybox', 'usr/bin/busybox.static', 'usr/sbin/busybox']) {
    const found = tree.file(path)?.content;
    if (found !== undefined) return found;
  }
  return undefined;
}
