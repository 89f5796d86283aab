import type { Unpacked } from '../../../fetch/package.ts';
import type { Outcome } from '../../../system/scripts.ts';
import type { AptPackage } from '../package.ts';

/** The maintainer scripts that matter for an installation from nothing. */
export type ScriptName = 'preinst' | 'postinst' | 'config';

/**
 * Follows maintainer scripts on the tree without running anything. A package's rule comes first, this second; what it
 * did not understand becomes a warning with package and line.
 */
export interface ScriptRunner {
  /** `args` as dpkg gives them: `install`, or `configure` and an empty version, or `triggered` and trigger names. */
  run(of: Unpacked<AptPackage>, script: ScriptName, args: readonly string[]): Outcome;
}
