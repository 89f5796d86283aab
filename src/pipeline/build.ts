import type { Report, Warning } from '../events/events.ts';
import type { Chosen } from '../families/family.ts';
import type { Host } from '../fetch/host.ts';
import { assembleBase } from './assemble.ts';
import { checkGuest } from './check.ts';
import { initOf } from './init.ts';
import { customise, finishDistribution, guestArchitecture, isProvisioned, provisionGuest } from './provision.ts';
import type { BuildRequest } from './request.ts';
import { settle } from './settle.ts';
import { validate } from './validate.ts';
import { expectOutputs, type Written, writeOutputs } from './write.ts';

/** What was made. */
export interface BuildResult {
  readonly outputs: readonly Written[];
  readonly packages: readonly Chosen[];
  /** The time that nothing in the outputs is later than, in Unix seconds. */
  readonly epoch: number;
}

/** Builds a guest: packages, or an existing rootfs, to one tree; that to each artefact asked for. */
export async function build(request: BuildRequest, given: Host): Promise<BuildResult> {
  const warnings: Warning[] = [];
  const hear: Report = (event) => {
    if (event.kind === 'warning') warnings.push(event);
  };
  const report: Report = (event) => {
    hear(event);
    given.report(event);
  };
  const stopListening = given.mirror.listen(hear);
  try {
    return await run(request, { ...given, report }, warnings);
  } finally {
    stopListening();
  }
}

/** The story of a build: each step is a function of what stands in its call. */
async function run(request: BuildRequest, host: Host, warnings: readonly Warning[]): Promise<BuildResult> {
  const { settings, outputs } = request;
  const { report } = host;
  validate(request);
  const init = initOf(request);
  expectOutputs(outputs, settings);
  // whoever only packs a rootfs into another form must not wait for distributions and resolvers to load
  const order = request.source === undefined ? (await import('./order.ts')).orderOf(request) : undefined;
  const base = await assembleBase(request, order, host);
  const { tree, epoch } = base;
  const architecture = guestArchitecture(tree, settings, order);

  report({ kind: 'phase', phase: 'provision' });
  if (order !== undefined) finishDistribution(base, order);
  if (isProvisioned(request, order)) await provisionGuest(base, request, { order, init, architecture }, host);
  await customise(tree, settings, host);
  settle(tree, order !== undefined || settings.sourceDateEpoch !== undefined ? epoch : undefined);
  report({ kind: 'ended', phase: 'provision' });

  checkGuest(tree, request, { init, warnings, report });
  const written = await writeOutputs(tree, outputs, { settings, init, epoch, architecture }, host);
  return { outputs: written, packages: base.plan?.chosen ?? [], epoch };
}
