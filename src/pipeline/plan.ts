import { BuildError } from '../errors/error.ts';
import type { Report } from '../events/events.ts';
import { assemble, planOrder } from '../families/assemble.ts';
import { familyOf } from '../families/families.ts';
import type { Plan } from '../families/family.ts';
import type { Host } from '../fetch/host.ts';
import type { Chiselled } from '../rootfs/chisel/chisel.ts';
import type { ScriptReport } from '../system/scripts.ts';
import { assemblePackages } from './assemble.ts';
import { initOf } from './init.ts';
import { readInputs } from './inputs.ts';
import { checkPlan, lockOf } from './lock.ts';
import { type OrderRequest, orderOf } from './order.ts';
import { provision } from './provision.ts';
import type { BuildRequest } from './request.ts';

/**
 * Selects the packages of a guest without fetching any.
 *
 * @example
 * ```ts
 * import { createHost, gather, plan } from 'osbuilder';
 *
 * const host = createHost({ cacheDirectory: 'cache' });
 * const settings = gather({ flags: new Map(), environment: process.env });
 * const { chosen } = await plan({ settings, hostArchitecture: 'x86_64' }, host);
 * for (const { package: one, reason } of chosen) if (one.name === 'base-files') console.log(one.name, reason); // prints: base-files Essential
 * await host.close();
 * ```
 */
export async function plan(request: OrderRequest, host: Host): Promise<Plan> {
  const lock = lockOf(request.settings, host);
  const order = orderOf(request, lock);
  if (lock !== undefined) checkPlan(lock, request, order, host.report);
  const family = await familyOf(order);
  family.validate(order, host);
  return planOrder(family, order, host);
}

/**
 * Builds the guest in memory up to its outputs, and reduces it to what `keep` names. Nothing but the cache is written.
 */
export async function previewKept(
  request: OrderRequest & Pick<BuildRequest, 'keep' | 'version'>,
  host: Host,
): Promise<{ readonly plan: Plan; readonly kept: Chiselled }> {
  const lock = lockOf(request.settings, host);
  const order = orderOf(request, lock);
  if (lock !== undefined) checkPlan(lock, request, order, host.report);
  (await familyOf(order)).validate(order, host);
  const inputs = await readInputs(request.settings, host);
  const base = await assemblePackages(order, host);
  const given = { order, init: initOf(request, order.profile), architecture: order.architecture.uname, inputs };
  const kept = await provision(base, { ...request, outputs: [] }, given, host);
  return { plan: base.plan!, kept: kept! };
}

/** Result of a plan that includes the scripts. */
export interface StudiedPlan {
  readonly plan: Plan;
  readonly scripts: readonly ScriptReport[];
}

/**
 * Selects the packages of a guest, fetches and unpacks them into the cache, and follows their scripts over a tree that
 * is discarded. It runs the same code as a build, so that the report matches what a build will do.
 */
export async function study(request: OrderRequest, host: Host): Promise<StudiedPlan> {
  const { settings } = request;
  const messages: string[] = [];
  const report: Report = (event) => {
    if (event.kind === 'warning') messages.push(event.message);
    host.report(event);
  };
  const listening = { ...host, report };
  const planned = await plan(request, listening);
  const family = await familyOf(planned.order);
  const { scripts } = await assemble(family, planned, settings.sourceDateEpoch ?? planned.date, listening);
  if (settings.strict && messages.length > 0) throw new BuildError('STRICT', { count: messages.length, messages });
  return { plan: planned, scripts };
}
