import type { Report, Warning } from '../events/events.ts';
import type { Chosen, RepositoryTrust } from '../families/family.ts';
import type { Host } from '../fetch/host.ts';
import type { Lock } from '../lock/lock.ts';
import type { Chiselled } from '../rootfs/chisel/chisel.ts';
import { assemblePackages, type Base, openSource } from './assemble.ts';
import { checkGuest } from './check.ts';
import type { Extended } from './extension.ts';
import type { WrittenKernel } from './kernel.ts';
import { label } from './label.ts';
import { isFromSystem } from './method.ts';
import { guestArchitecture, provision } from './provision.ts';
import type { BuildRequest } from './request.ts';
import { settle } from './settle.ts';
import { asksForProofs, validate } from './validate.ts';
import { type Beside, type Written, writeOutputs } from './write.ts';

/** The result of a build. */
export interface BuildResult {
  readonly outputs: readonly Written[];
  /** The packages in the guest, each with its reason; none for an existing rootfs. */
  readonly packages: readonly Chosen[];
  /** What proves the metadata and packages of each repository, where the family tells it. */
  readonly repositories?: readonly RepositoryTrust[];
  /** Unix seconds: no time stamp in the outputs is later. */
  readonly epoch: number;
  /** The kernel that was written, where the request names a path for it. */
  readonly kernel?: WrittenKernel;
  /** Everything that decides on the bytes of the outputs; made when it is asked for. */
  lock(): Promise<Lock>;
  /** What was kept of the guest and why, where the request names that. */
  readonly kept?: Chiselled;
  /** Of an extension: paths that are new and that are changed against the base guest, where there is one. */
  readonly extension?: Extended;
}

/**
 * Builds a guest: packages or an existing rootfs become one tree, and that tree each requested artefact. Nothing is
 * fetched before everything that can be known from the request was checked, and no output appears before all are
 * complete. Throws a `BuildError`.
 *
 * @example
 * ```ts
 * import { build, createHost, settingsFrom } from 'osbuilder';
 *
 * const host = createHost({ cacheDirectory: 'cache' });
 * const { outputs } = await build(
 *   {
 *     source: 'rootfs.tar', // leave it out to build from `distro`
 *     settings: settingsFrom({ agent: 'kata-agent', agentInit: true, imageSizeAlignmentMb: 2 }),
 *     outputs: [
 *       { kind: 'initrd', path: 'new-initrd.img' },
 *       { kind: 'image', path: 'new.img' },
 *     ],
 *     hostArchitecture: 'x86_64',
 *     version: '1.0',
 *   },
 *   host,
 * );
 * for (const { kind, path } of outputs) console.log(kind, path);
 * // prints: initrd new-initrd.img
 * // prints: image new.img
 * await host.close();
 * ```
 */
export async function build(request: BuildRequest, given: Host): Promise<BuildResult> {
  const warnings: Warning[] = [];
  const collect: Report = (event) => {
    if (event.kind === 'warning') warnings.push(event);
  };
  const report: Report = (event) => {
    collect(event);
    given.report(event);
  };
  const stopListening = given.mirror.listen(collect);
  try {
    return await run(request, { ...given, report }, warnings);
  } finally {
    stopListening();
  }
}

/** The steps of a build. Each depends only on its arguments. */
async function run(request: BuildRequest, host: Host, warnings: readonly Warning[]): Promise<BuildResult> {
  const { settings, outputs } = request;
  const { order, init, lock, inputs } = await validate(request, host);
  const fromSystem = isFromSystem(request);
  const kernel =
    settings.kernelPackage === undefined
      ? undefined
      : await (await import('./kernel.ts')).kernelFor(request, order, host);
  const base: Base = fromSystem
    ? await (await import('./system.ts')).makeFromSystem(request, { order, init, lock, inputs, kernel }, host)
    : order === undefined
      ? await openSource(request, host, lock)
      : await assemblePackages(order, host);
  if (request.extension !== undefined && order === undefined)
    await (await import('./extension.ts')).layOver(base.tree, request.extension.layers, host);
  const { plan } = base;
  let { tree } = base;
  const architecture = guestArchitecture(tree, settings, order);
  // a guest of files of a system has Kata's parts in it already
  const kept = fromSystem
    ? undefined
    : await provision(base, request, { order, init, architecture, inputs, kernel }, host);
  const labels = await label(tree, settings, host.report);
  const epoch = settle(base, {
    clamp: order !== undefined || settings.sourceDateEpoch !== undefined,
    // a folder may have been touched since it was locked
    seconds: lock !== undefined,
  });
  let extension: Extended | undefined;
  if (request.extension !== undefined)
    ({ tree, extension } = await (await import('./extension.ts')).extensionOf(tree, request.extension, host));
  const options = { settings, init, epoch, architecture, ...(labels === undefined ? {} : { labels }) };
  checkGuest(tree, outputs, options, { warnings, report: host.report });
  const known = { ...request, order, init, epoch, plan, kernelPlan: kernel?.plan };
  const beside: Beside = {
    ...(kernel === undefined || request.kernel === undefined
      ? {}
      : { kernel: async () => (await import('./kernel.ts')).prepareKernel(kernel, request.kernel!, settings) }),
    ...(asksForProofs(settings)
      ? {
          proofs: async (files, kernelFile) =>
            (await import('./proofs.ts')).prepareProofs(
              { ...known, base, files, kernelDescribed: kernel?.described, prepared: kernelFile },
              host,
            ),
        }
      : {}),
  };
  const written = await writeOutputs(tree, outputs, options, host, beside);
  const parts = { ...known, outputs: written.outputs, kernelFile: written.kernel };
  return {
    outputs: written.outputs,
    packages: [...(plan?.chosen ?? []), ...(kernel?.packages ?? [])],
    ...(plan?.trust === undefined ? {} : { repositories: plan.trust }),
    epoch,
    ...(written.kernel === undefined ? {} : { kernel: written.kernel }),
    lock: async () => (await import('./lock.ts')).makeLock(parts, host),
    ...(kept === undefined ? {} : { kept }),
    ...(extension === undefined ? {} : { extension }),
  };
}
