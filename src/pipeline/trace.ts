import { BuildError } from '../errors/error.ts';
import type { Report } from '../events/events.ts';
import { familyOf } from '../families/families.ts';
import type { Plan } from '../families/family.ts';
import type { Host } from '../fetch/host.ts';
import { rejectUnsupported } from '../settings/unsupported.ts';
import { History } from '../tree/history.ts';
import type { Tree } from '../tree/tree.ts';
import { assemblePackages } from './assemble.ts';
import { initOf } from './init.ts';
import { readInputs } from './inputs.ts';
import { kernelOf } from './kernel.ts';
import { checkLock, lockOf } from './lock.ts';
import { type OrderRequest, orderOf } from './order.ts';
import { provision } from './provision.ts';
import type { BuildRequest } from './request.ts';

/** What to trace: the inputs of a build without its outputs. */
export interface TraceRequest extends OrderRequest, Pick<BuildRequest, 'keep'> {
  /** Version of this program, for the guest's summary. */
  readonly version: string;
}

/** A guest that was built in memory only, and which step made each of its paths. */
export interface Traced {
  readonly tree: Tree;
  readonly history: History;
  readonly plan: Plan;
}

/**
 * Builds a guest from packages in memory and records what each package, script and step did to each path. It runs the
 * steps of a build up to the outputs, and writes nothing but the cache. Throws what a build throws.
 *
 * @example
 * ```ts
 * import { createHost, gather, trace } from 'osbuilder';
 *
 * const host = createHost({ cacheDirectory: 'cache' });
 * const flags = new Map([['agent' as const, ['demo']]]);
 * const settings = gather({ flags, environment: process.env });
 * const { history } = await trace({ settings, hostArchitecture: 'x86_64', version: '1.0' }, host);
 * for (const { by, effect } of history.of('usr/bin/kata-agent')) console.log(effect, by.step); // prints: created agent
 * await host.close();
 * ```
 */
export async function trace(request: TraceRequest, given: Host): Promise<Traced> {
  const { settings } = request;
  const messages: string[] = [];
  const report: Report = (event) => {
    if (event.kind === 'warning') messages.push(event.message);
    given.report(event);
  };
  const host = { ...given, report };
  rejectUnsupported(settings);
  const lock = lockOf(settings, host);
  const order = orderOf(request, lock);
  if (lock !== undefined) await checkLock(lock, request, order, host);
  (await familyOf(order)).validate(order, host);
  const inputs = await readInputs(settings, host);
  const init = initOf(request, order.profile);
  const history = new History();
  const base = await assemblePackages(order, host, history);
  const architecture = order.architecture.uname;
  const kernel = await kernelOf(order, settings, host);
  await provision(base, { ...request, outputs: [] }, { order, init, architecture, inputs, kernel }, host);
  if (settings.strict && messages.length > 0) throw new BuildError('STRICT', { count: messages.length, messages });
  return { tree: base.tree, history, plan: base.plan! };
}
