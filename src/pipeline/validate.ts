import { expectDigests } from '../artefacts/digests.ts';
import { expectExtensionName } from '../artefacts/extension.ts';
import { writingOf } from '../artefacts/outputs.ts';
import { expectLargeFile } from '../bytes/writer.ts';
import { BuildError } from '../errors/error.ts';
import type { Order } from '../families/family.ts';
import type { Host } from '../fetch/host.ts';
import type { Lock } from '../lock/lock.ts';
import type { Init } from '../rootfs/guest.ts';
import { UNSPECIFIED } from '../rootfs/guest.ts';
import type { SettingKey, Settings } from '../settings/table.ts';
import { rejectUnsupported } from '../settings/unsupported.ts';
import { initOf } from './init.ts';
import { type Inputs, readInputs } from './inputs.ts';
import { isFromFiles, isFromSystem } from './method.ts';
import type { BuildRequest } from './request.ts';
import { validateOutputs } from './validate-outputs.ts';

/** A validated request, with values determined during validation. */
export interface Valid {
  /** What to install from packages; undefined for an existing rootfs. */
  readonly order: Order | undefined;
  /** Process 1 of the guest. */
  readonly init: Init;
  /** The lock that is built. */
  readonly lock: Lock | undefined;
  readonly inputs: Inputs;
}

/**
 * Checks everything that can be known from settings and files of the build host. Nothing is fetched or written here, so
 * that a mistake is reported before any download.
 */
export async function validate(request: BuildRequest, host: Host): Promise<Valid> {
  const { settings, outputs } = request;
  rejectUnsupported(settings);
  if (request.extension !== undefined) expectExtensionName(request.extension.name);
  rejectContradictions(request);
  rejectWithoutAgent(request);
  if (settings.signKey !== undefined)
    (await import('../proof/provenance.ts')).signingKey(host.readFile(settings.signKey), settings.signKey);
  const init = initOf(request);
  const lock = settings.lock === undefined && !settings.frozen ? undefined : await lockOf(request, host);
  const order = await orderOf(request, lock);
  if (isFromSystem(request)) (await import('./system.ts')).validateSystem(request);
  // the epoch and the architecture are known later; no option's validity depends on them
  const options = { settings, init, epoch: settings.sourceDateEpoch ?? 0, architecture: UNSPECIFIED };
  const writings = outputs.map((output) => writingOf(output, options));
  for (const writing of writings) await writing.validate();
  validateOutputs(request);
  if (order !== undefined) {
    for (const path of [...(settings.keyring ?? []), ...(settings.preseed ?? [])]) host.readFile(path);
    const { familyOf } = await import('../families/families.ts');
    (await familyOf(order)).validate(order, host);
  }
  if (lock !== undefined) await (await import('./lock.ts')).checkLock(lock, request, order, host);
  const inputs = await readInputs(settings, host);
  // files of a system in an archive are few: a thread would cost more than it saves
  const few = isFromSystem(request);
  if (writings.some(({ large, kind }) => large && !(few && ARCHIVES.includes(kind)))) {
    // packages say the digests of their files
    if (order === undefined && writings.some(({ kind }) => !ARCHIVES.includes(kind))) expectDigests();
    expectLargeFile();
  }
  return { order, init, lock, inputs };
}

/** Outputs that are as large as what is in them. */
const ARCHIVES: readonly string[] = ['initrd', 'tar'];

/** True when something is to be written about the outputs. */
export function asksForProofs({ sbom, provenance, referenceValues }: Settings): boolean {
  return [sbom, provenance, referenceValues].some((one) => one !== undefined);
}

/** Packing a rootfs into another form does not need distributions and resolvers, so they are loaded lazily. */
async function orderOf(request: BuildRequest, lock: Lock | undefined): Promise<Order | undefined> {
  return request.source === undefined && !isFromFiles(request)
    ? (await import('./order.ts')).orderOf(request, lock)
    : undefined;
}

async function lockOf({ settings }: BuildRequest, host: Host): Promise<Lock | undefined> {
  return (await import('./lock.ts')).lockOf(settings, host);
}

/** Rejects settings that contradict each other, or that have no effect without another. */
function rejectContradictions({ settings, source, outputs, extension }: BuildRequest): void {
  const reject = (reason: string, hint: string, ...keys: SettingKey[]): never => {
    const context = keys.length === 0 ? { reason } : { reason, settings: keys };
    throw new BuildError('SETTING_CONFLICT', context, { hint });
  };
  if (outputs.length === 0) reject('there is nothing to write', 'name at least one output');
  if (extension !== undefined && outputs.some(({ kind }) => kind !== 'extension'))
    reject('an extension is no guest, and an output is of a guest', 'build the guest by itself');
  if (extension !== undefined && asksForProofs(settings))
    reject('bills of materials, provenance and reference values are written about guests', 'leave them out');
  if (settings.partitionTable === 'gpt' && settings.skipDaxHeader === false)
    reject(
      'a disk with a GPT has no space for the header for NVDIMM devices',
      'use `partitionTable` mbr',
      'skipDaxHeader',
      'partitionTable',
    );
  if ((settings.verityKey === undefined) !== (settings.verityCert === undefined))
    reject(
      'a root hash is signed with a key and its certificate, and one of them is missing',
      'give both `verityKey` and `verityCert`',
      'verityKey',
      'verityCert',
    );
  if (settings.selinux && settings.agentInit)
    reject(
      'with the agent as init nothing in the guest loads the policy that labels are for',
      'leave out `selinux` or `agentInit`',
      'selinux',
      'agentInit',
    );
  if (source !== undefined) return;
  if (settings.sourceRoot !== undefined)
    reject(
      '`sourceRoot` is a part of an existing rootfs, and none is given',
      'name the rootfs to start from',
      'sourceRoot',
    );
  if (settings.sourceOwner === 'root')
    reject(
      '`sourceOwner` is about an existing rootfs, and none is given',
      'name the rootfs to start from',
      'sourceOwner',
    );
}

/** Rejects a guest that cannot boot, unless overlays may contain the agent. */
function rejectWithoutAgent({ settings, source, outputs }: BuildRequest): void {
  const { agent, rootfsOnly, skipRootfsCheck, overlay, guestHooksTarball, cocoGuestComponentsTarball } = settings;
  const maybe = agent ?? overlay?.[0] ?? guestHooksTarball ?? cocoGuestComponentsTarball;
  if (source !== undefined || rootfsOnly || skipRootfsCheck || maybe !== undefined) return;
  if (outputs.every(({ kind }) => kind === 'rootfs')) return;
  throw new BuildError(
    'ROOTFS_UNFIT',
    { reason: 'there is no agent for it to start' },
    { hint: 'give a file as `agent`, try it with "demo", or build the bare distribution with `rootfsOnly`' },
  );
}
