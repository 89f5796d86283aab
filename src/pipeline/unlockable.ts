import { BuildError } from '../errors/error.ts';
import type { Settings } from '../settings/table.ts';

/** Rejects settings whose inputs no lock keeps, and no provenance names. Throws `NOT_SUPPORTED`. */
export function rejectUnlockable({ kernelPackage }: Settings): void {
  if (kernelPackage === undefined) return;
  throw new BuildError('NOT_SUPPORTED', {
    setting: 'kernelPackage',
    what: 'a lock or provenance of a guest with `kernelPackage`',
    reason: 'its packages are not in locks yet; give a folder of modules as `kernelModulesDir`',
  });
}
