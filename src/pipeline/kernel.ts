import { accessTo } from '../bytes/file.ts';
import { type Poured, type Prepared, preparePour } from '../bytes/pour.ts';
import { BuildError } from '../errors/error.ts';
import { warning } from '../events/events.ts';
import type { Order } from '../families/family.ts';
import type { KernelPackage } from '../families/kernel.ts';
import type { Host } from '../fetch/host.ts';
import { recogniseKernel } from '../formats/kernel/image.ts';
import type { Settings } from '../settings/table.ts';
import { modulePaths } from '../system/kmod/install.ts';
import { display } from '../tree/path.ts';
import type { Base } from './assemble.ts';
import type { BuildRequest } from './request.ts';

/** A kernel that was written beside the artefacts of a guest. */
export interface WrittenKernel extends Poured {
  /** As `uname -r` prints it. */
  readonly release: string | null;
  readonly package: string;
  readonly version: string;
  readonly format: 'vmlinuz' | 'vmlinux';
}

/** What lies beside the modules in some packages, and has no use in the guest. */
const NOT_FOR_GUEST = /^(?:vmlinu[xz]|Image|System\.map|symvers(?:\..*)?|config|\.vmlinuz\.hmac|build|source|dtb)$/;

/** Puts the modules of a kernel package into a guest. */
export function installKernelModules({ tree, history }: Base, { tree: from, release, packages }: KernelPackage): void {
  if (release === undefined) return;
  const folder = from.stat(`lib/modules/${release}`);
  if (folder?.kind !== 'directory') return;
  for (const name of folder.children.keys()) if (NOT_FOR_GUEST.test(name)) folder.children.delete(name);
  tree.makeDirectory('lib/modules');
  tree.set(`lib/modules/${release}`, folder);
  history?.mark(tree, { step: 'modules', source: packages.map((one) => one.package.name).join(' ') });
}

/**
 * Prepares the kernel of a package as a file: as the package has it, or `vmlinux`, which is not compressed. Throws
 * `KERNEL_MISSING`, `KERNEL_CORRUPT`.
 */
export async function prepareKernel(
  { kernel, release, packages, owner }: KernelPackage,
  path: string,
  settings: Settings,
): Promise<Prepared<WrittenKernel>> {
  if (kernel === undefined)
    throw new BuildError('KERNEL_MISSING', {
      package: settings.kernelPackage ?? owner.name,
      reason: `there is no kernel in ${packages.map((one) => one.package.name).join(', ')}`,
    });
  const file = accessTo(kernel.content);
  const source = `/${display(kernel.path)} of ${owner.name}`;
  const format = settings.kernelFormat ?? 'vmlinuz';
  if (recogniseKernel(file) === undefined) throw new BuildError('KERNEL_UNRECOGNISED', { path: source });
  const content =
    format === 'vmlinux'
      ? await (await import('../formats/kernel/image.ts')).plainKernel(file, source)
      : kernel.content;
  const prepared = await preparePour(content.open(), path, { size: content.size });
  return {
    ...prepared,
    value: { ...prepared.value, release: release ?? null, package: owner.name, version: owner.version, format },
  };
}

/** Fetches the kernel that settings name; undefined when they name none. */
export async function kernelOf(
  order: Order | undefined,
  { kernelPackage }: Settings,
  host: Host,
): Promise<KernelPackage | undefined> {
  if (order === undefined || kernelPackage === undefined) return undefined;
  return (await import('../families/kernel.ts')).fetchKernel(order, kernelPackage, host);
}

/** {@link kernelOf} for a build, with a warning when it has no use for the package. */
export async function kernelFor(
  { settings, kernel: path }: Pick<BuildRequest, 'settings' | 'kernel'>,
  order: Order | undefined,
  host: Host,
): Promise<KernelPackage | undefined> {
  const found = await kernelOf(order, settings, host);
  if (found === undefined || path !== undefined) return found;
  const { tree, release } = found;
  if (release === undefined || modulePaths(tree, `lib/modules/${release}`).length === 0)
    host.report(warning('KERNEL_UNUSED', { package: settings.kernelPackage! }));
  return found;
}
