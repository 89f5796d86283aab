import { BuildError } from '../errors/error.ts';
import type { Settings } from '../settings/table.ts';
import type { BuildRequest } from './request.ts';

/** Rejects what can be known from settings alone to fail, before anything is fetched. */
export function validate(request: BuildRequest): void {
  rejectUnsupported(request.settings);
  rejectWithoutAgent(request);
}

/** Rejects, by name, what this version does not do: never a setting that is silently without effect. */
function rejectUnsupported(settings: Settings): void {
  const reject = (what: string, reason: string): never => {
    throw new BuildError('NOT_SUPPORTED', { what, reason });
  };
  if (settings.buildMethod === 'dracut')
    reject('--build-method dracut', 'this version makes guests from packages and from existing rootfs only');
  if (settings.selinux) reject('--selinux', 'this version does not label files');
  if (settings.measuredRootfs) reject('--measured-rootfs', 'this version writes no dm-verity hash tree');
  if (settings.fsType !== 'ext4') reject(`--fs-type ${settings.fsType}`, 'this version writes ext4 only');
  if (settings.lock !== undefined || settings.frozen) reject('--lock', 'this version writes and reads no lock files');
  if (settings.compress === 'xz')
    reject(
      '--compress xz',
      'there is no reproducible encoder that runs everywhere; gzip, zstd, lz4 and none are written',
    );
}

/** A guest that could not start is refused before anything is fetched, unless files laid over it may bring the agent. */
function rejectWithoutAgent({ settings, source, outputs }: BuildRequest): void {
  const { agent, rootfsOnly, skipRootfsCheck, overlay, guestHooksTarball, cocoGuestComponentsTarball } = settings;
  const maybe = agent ?? overlay?.[0] ?? guestHooksTarball ?? cocoGuestComponentsTarball;
  if (source !== undefined || rootfsOnly || skipRootfsCheck || maybe !== undefined) return;
  if (outputs.every(({ kind }) => kind === 'rootfs')) return;
  throw new BuildError(
    'ROOTFS_UNFIT',
    { reason: 'there is no agent for it to start' },
    { hint: 'give one with --agent FILE, try with --agent demo, or build the bare distribution with --rootfs-only' },
  );
}
