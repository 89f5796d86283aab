import { BuildError } from '../errors/error.ts';
import { rejectUnsupported } from '../settings/unsupported.ts';
import type { BuildRequest } from './request.ts';

/** Rejects what can be known from settings alone to fail, before anything is fetched. */
export function validate(request: BuildRequest): void {
  rejectUnsupported(request.settings);
  rejectWithoutAgent(request);
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
    { hint: 'give a file as `agent`, try it with "demo", or build the bare distribution with `rootfsOnly`' },
  );
}
