import { BuildError } from '../errors/error.ts';
import type { Report } from '../events/events.ts';
import { planKernel } from '../families/kernel.ts';
import type { Host } from '../fetch/host.ts';
import type { Lock } from '../lock/lock.ts';
import { openSource } from './assemble.ts';
import { initOf } from './init.ts';
import { readInputs } from './inputs.ts';
import { makeLock } from './lock.ts';
import { isFromFiles } from './method.ts';
import { plan } from './plan.ts';
import type { BuildRequest } from './request.ts';

/**
 * The lock of a guest that is not built: its packages are chosen, inputs are digested, and it names no outputs. Throws
 * what `plan` throws, and errors of reading inputs.
 *
 * @example
 * ```ts
 * import { createHost, gather, lock } from 'osbuilder';
 *
 * const host = createHost({ cacheDirectory: 'cache' });
 * const settings = gather({ flags: new Map(), environment: process.env });
 * const made = await lock({ settings, hostArchitecture: 'x86_64', version: '1.0' }, host);
 * console.log(made.packages.some(({ name }) => name === 'base-files')); // prints: true
 * await host.close();
 * ```
 */
export async function lock(request: Omit<BuildRequest, 'outputs'>, given: Host): Promise<Lock> {
  const { settings, source } = request;
  const messages: string[] = [];
  const report: Report = (event) => {
    if (event.kind === 'warning') messages.push(event.message);
    given.report(event);
  };
  const host = { ...given, report };
  const made = await (source !== undefined
    ? lockOfSource(request, host)
    : isFromFiles(request)
      ? lockOfSystem(request, host)
      : lockOfPackages(request, host));
  if (settings.strict && messages.length > 0) throw new BuildError('STRICT', { count: messages.length, messages });
  return made;
}

async function lockOfPackages(request: Omit<BuildRequest, 'outputs'>, host: Host): Promise<Lock> {
  const planned = await plan(request, host);
  const { order } = planned;
  const { kernelPackage, sourceDateEpoch } = request.settings;
  const kernelPlan = kernelPackage === undefined ? undefined : await planKernel(order, kernelPackage, host);
  const init = initOf(request, order.profile);
  return makeLock(
    { ...request, order, init, epoch: sourceDateEpoch ?? planned.date, plan: planned, kernelPlan, outputs: [] },
    host,
  );
}

/** The newest of the files that are taken decides on the epoch, so the guest is made in memory. */
async function lockOfSystem(request: Omit<BuildRequest, 'outputs'>, host: Host): Promise<Lock> {
  const whole = { ...request, outputs: [] };
  const [{ makeFromSystem, validateSystem }, inputs] = await Promise.all([
    import('./system.ts'),
    readInputs(request.settings, host),
  ]);
  validateSystem(whole);
  const init = initOf(request);
  const { epoch } = await makeFromSystem(whole, { order: undefined, init, inputs }, host);
  return makeLock({ ...request, order: undefined, init, epoch, plan: undefined, outputs: [] }, host);
}

async function lockOfSource(request: Omit<BuildRequest, 'outputs'>, host: Host): Promise<Lock> {
  const { epoch } = await openSource({ ...request, outputs: [] }, host);
  return makeLock({ ...request, order: undefined, init: initOf(request), epoch, plan: undefined, outputs: [] }, host);
}
