import { lostAttributes } from '../artefacts/initrd.ts';
import { BuildError } from '../errors/error.ts';
import { type Report, type Warning, warning } from '../events/events.ts';
import { checkRootfs } from '../rootfs/check.ts';
import type { Init } from '../rootfs/guest.ts';
import type { Tree } from '../tree/tree.ts';
import type { BuildRequest } from './request.ts';

/** Looks at the finished tree before anything is written: can it start, and what will an output lose? */
export function checkGuest(
  tree: Tree,
  { settings, outputs }: BuildRequest,
  { init, warnings, report }: { init: Init; warnings: readonly Warning[]; report: Report },
): void {
  if (outputs.some(({ kind }) => kind === 'initrd')) warnOfLostAttributes(tree, report);
  if (settings.strict && warnings.length > 0)
    throw new BuildError('STRICT', { count: warnings.length, messages: warnings.map((one) => one.message) });
  const bootable = outputs.some(({ kind }) => kind !== 'rootfs');
  if (bootable && !settings.skipRootfsCheck && !settings.rootfsOnly) checkRootfs(tree, init);
}

/** An initrd without a capability that a program needs must not come as a surprise in the guest. */
function warnOfLostAttributes(tree: Tree, report: Report): void {
  const lost = lostAttributes(tree);
  if (lost.length === 0) return;
  const shown = lost.slice(0, 5).join(', ') + (lost.length > 5 ? ` and ${lost.length - 5} more` : '');
  report(warning('XATTRS_LOST', { shown }));
}
