import type { FileContent } from '../bytes/content.ts';
import { BuildError } from '../errors/error.ts';
import type { Host } from '../fetch/host.ts';
import type { Package } from '../fetch/package.ts';
import { lockOfPart } from '../lock/lock.ts';
import { MODULES, modulePaths } from '../system/kmod/install.ts';
import { overlayEntries } from '../tree/overlay.ts';
import { basename, display } from '../tree/path.ts';
import { Tree } from '../tree/tree.ts';
import { type Described, planOrder } from './assemble.ts';
import { familyOf } from './families.ts';
import type { Chosen, Order, Plan } from './family.ts';
import { ASKED, requestedName } from './requests.ts';

/** A kernel with its modules, as packages have them. */
export interface KernelPackage {
  /** The packages whose files were taken, with their reasons. */
  readonly packages: readonly Chosen[];
  /** As `uname -r` prints it; undefined for a kernel without a folder of modules. */
  readonly release: string | undefined;
  /** The packages' files. `bin`, `lib` and `sbin` are links into `usr`. */
  readonly tree: Tree;
  /** The kernel itself; undefined when the packages have only modules. */
  readonly kernel: { readonly path: string; readonly content: FileContent } | undefined;
  /** The package that has the kernel, else the one that has modules. */
  readonly owner: Package;
  /** The plan of these packages alone. */
  readonly plan: Plan;
  /** What they say of themselves, and their archives, in their order. */
  readonly described: Described;
}

/**
 * Packages that hold nothing but files of a kernel, in the words of each family. Debian's `linux-base` alone has programs,
 * with a release behind it the lists of what is built in.
 */
const PARTS =
  /^(?:linux-(?:image|binary|modules|main-modules|virt|lts|stable|edge|base(?!$))|kernel)(?:$|-(?!headers|devel|doc|tools|libs))/;

/**
 * Chooses a kernel package of an order's repositories, and of all that it depends on those that hold parts of the kernel,
 * besides packages named in `besides`; with a lock those that it names. Throws `KERNEL_MISSING` and errors of planning.
 */
export async function planKernel(
  order: Order,
  request: string,
  host: Host,
  besides: readonly string[] = [],
): Promise<Plan> {
  const family = await familyOf(order);
  if (order.lock !== undefined) {
    const lock = lockOfPart(order.lock, 'kernel');
    if (lock.packages.length === 0)
      throw new BuildError('KERNEL_MISSING', { package: request, reason: 'the lock names no packages of it' });
    return family.planLocked(order, lock, host);
  }
  const plan = await planOrder(family, { ...order, requests: [request, ...besides] }, host);
  const chosen = partsOf(plan.chosen, requestedName(request), besides);
  if (chosen.every((one) => besides.includes(one.package.name)))
    throw new BuildError('KERNEL_MISSING', { package: request, reason: 'no package is chosen by that request' });
  return { ...plan, order, chosen };
}

/**
 * Fetches a kernel package of an order's repositories, and of all that it depends on those that hold parts of the kernel:
 * a metapackage leads to the kernel, a kernel to its modules. No script of them is followed, and nothing else that they
 * depend on is fetched, but packages named in `besides`. Throws `KERNEL_MISSING` and errors of planning.
 */
export async function fetchKernel(
  order: Order,
  request: string,
  host: Host,
  besides: readonly string[] = [],
): Promise<KernelPackage> {
  const family = await familyOf(order);
  const plan = await planKernel(order, request, host, besides);
  const packages = plan.chosen;
  const { report } = host;
  report({ kind: 'phase', phase: 'fetch', bytes: packages.reduce((sum, one) => sum + one.package.size, 0) });
  const archives = await family.fetch(plan, host);
  report({ kind: 'ended', phase: 'fetch' });
  const unpacked = await family.unpack(
    packages.map((one, i) => ({ package: one.package, archive: archives[i]! })),
    host,
  );
  const tree = new Tree();
  for (const link of ['bin', 'lib', 'sbin']) {
    tree.makeDirectory(`usr/${link}`);
    tree.symlink(link, `usr/${link}`);
  }
  for (const { package: one, entries } of unpacked) overlayEntries(tree, entries, { source: one.name });
  const release = releaseIn(tree, request);
  const kernel = kernelIn(tree, release, request);
  if (release === undefined && kernel === undefined) {
    const names = packages.map((one) => one.package.name).filter((name) => !besides.includes(name));
    throw new BuildError('KERNEL_MISSING', {
      package: request,
      reason: `there is neither a kernel nor are there modules in ${names.join(', ')}`,
    });
  }
  const has = (path: string) =>
    unpacked.find(({ entries }) => entries.some((entry) => basename(entry.path) === basename(path)))?.package;
  const owner =
    (kernel === undefined ? undefined : has(kernel.path)) ??
    packages.findLast((one) => !besides.includes(one.package.name))!.package;
  const described = { facts: async () => family.describe(unpacked), archives };
  return { packages, release, tree, kernel, owner, plan, described };
}

/**
 * The package that was asked for, and those that it needs, also through others, if they are parts of a kernel. A request may
 * be a file, or a name that a package provides, so that the package has another one.
 */
function partsOf(chosen: readonly Chosen[], name: string, besides: readonly string[]): Chosen[] {
  const asked = chosen.filter(({ reason, package: one }) => reason.startsWith(ASKED) && !besides.includes(one.name));
  const taken = new Set([name, ...asked.map((one) => one.package.name)]);
  const isNew = ({ by, package: one }: Chosen): boolean =>
    by !== undefined && taken.has(by) && !taken.has(one.name) && PARTS.test(one.name);
  for (let more = chosen.filter(isNew); more.length > 0; more = chosen.filter(isNew))
    for (const one of more) taken.add(one.package.name);
  return chosen.filter((one) => taken.has(one.package.name) || besides.includes(one.package.name));
}

/** The one release whose modules or kernel the packages have. */
function releaseIn(tree: Tree, request: string): string | undefined {
  const found = tree
    .list(MODULES)
    .filter(
      (release) => modulePaths(tree, `${MODULES}/${release}`).length > 0 || tree.has(`${MODULES}/${release}/vmlinuz`),
    );
  if (found.length > 1)
    throw new BuildError('KERNEL_MISSING', {
      package: request,
      reason: `it has several releases: ${found.map(display).join(', ')}`,
    });
  return found[0];
}

/** Where distributions put the kernel; `*` stands for a release or a flavour. */
function kernelIn(tree: Tree, release: string | undefined, request: string): KernelPackage['kernel'] {
  const named = release === undefined ? [] : ['vmlinuz', 'vmlinux', 'Image'].map((one) => `boot/${one}-${release}`);
  const beside =
    release === undefined ? [] : ['vmlinuz', 'vmlinux', 'Image'].map((one) => `${MODULES}/${release}/${one}`);
  const others = tree
    .list('boot')
    .filter((name) => /^(?:vmlinu[xz]|Image|image)(?:-|$)/.test(name))
    .map((name) => `boot/${name}`);
  const guests = ['usr/share/cloud-hypervisor/vmlinux.bin'];
  for (const path of [...named, ...beside]) {
    const file = tree.file(path);
    if (file !== undefined) return { path, content: file.content };
  }
  const found = [...others, ...guests].filter((path) => tree.file(path) !== undefined);
  if (found.length > 1)
    throw new BuildError('KERNEL_MISSING', {
      package: request,
      reason: `it has several kernels: ${found.map((path) => `/${display(path)}`).join(', ')}`,
    });
  return found[0] === undefined ? undefined : { path: found[0], content: tree.file(found[0])!.content };
}
