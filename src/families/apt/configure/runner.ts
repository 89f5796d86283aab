import type { Unpacked } from '../../../fetch/package.ts';
import type { Outcome } from '../../../system/scripts.ts';
import type { AptPackage } from '../package.ts';

/** The maintainer scripts that matter for an installation from scratch. */
export type ScriptName = 'preinst' | 'postinst' | 'config';

/**
 * Follows maintainer scripts on the tree without running anything. A package's rule takes precedence; what the
 * runner did not understand becomes a warning with package and line.
 */
export interface ScriptRunner {
  /** `args` as passed by dpkg: `install`, or `configure` and an empty version, or `triggered` and trigger names. */
  run(of: Unpacked<AptPackage>, script: ScriptName, args: readonly string[]): Outcome;
}
