import { BuildError } from '../errors/error.ts';
import type { Report } from '../events/events.ts';
import type { Host } from '../fetch/host.ts';
import type { Lock } from '../lock/lock.ts';
import { openSource } from './assemble.ts';
import { initOf } from './init.ts';
import { makeLock } from './lock.ts';
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
  const made = await (source === undefined ? lockOfPackages(request, host) : lockOfSource(request, host));
  if (settings.strict && messages.length > 0) throw new BuildError('STRICT', { count: messages.length, messages });
  return made;
}

async function lockOfPackages(request: Omit<BuildRequest, 'outputs'>, host: Host): Promise<Lock> {
  const planned = await plan(request, host);
  const { order } = planned;
  const epoch = request.settings.sourceDateEpoch ?? planned.date;
  return makeLock({ ...request, order, init: initOf(request, order.profile), epoch, plan: planned, outputs: [] }, host);
}

async function lockOfSource(request: Omit<BuildRequest, 'outputs'>, host: Host): Promise<Lock> {
  const { epoch } = await openSource({ ...request, outputs: [] }, host);
  return makeLock({ ...request, order: undefined, init: initOf(request), epoch, plan: undefined, outputs: [] }, host);
}
