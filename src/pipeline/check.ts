import { reportLosses } from '../artefacts/losses.ts';
import { type Output, type OutputOptions, writingOf } from '../artefacts/outputs.ts';
import { BuildError } from '../errors/error.ts';
import type { Report, Warning } from '../events/events.ts';
import { checkModules, checkRootfs } from '../rootfs/check.ts';
import type { Tree } from '../tree/tree.ts';

/** Checks the finished tree before anything is written: whether it can boot, and what an output cannot store. */
export function checkGuest(
  tree: Tree,
  outputs: readonly Output[],
  options: OutputOptions,
  { warnings, report }: { readonly warnings: readonly Warning[]; readonly report: Report },
): void {
  const { settings, init } = options;
  const reported = new Set<string>();
  for (const output of outputs) {
    const { kind, features } = writingOf(output, options);
    if (reported.has(kind)) continue;
    reported.add(kind);
    reportLosses(tree, NAMES[output.kind], features, report);
  }
  if (!settings.rootfsOnly) checkModules(tree, report);
  if (settings.strict && warnings.length > 0)
    throw new BuildError('STRICT', { count: warnings.length, messages: warnings.map((one) => one.message) });
  const bootable = outputs.some(({ kind }) => kind === 'initrd' || kind === 'image');
  if (bootable && !settings.skipRootfsCheck && !settings.rootfsOnly) checkRootfs(tree, init);
}

const NAMES = { rootfs: 'the rootfs', initrd: 'an initrd', image: 'an image', extension: 'an extension' } as const;
