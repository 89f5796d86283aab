import type { Unpacked } from '../../../fetch/package.ts';
import type { LeftOut, UnfollowedLine } from '../../../system/scripts.ts';
import type { AptPackage } from '../package.ts';

/** The maintainer scripts that matter for an installation from nothing. */
export type ScriptName = 'preinst' | 'postinst' | 'config';

/** How far a script was followed. */
export type Outcome =
  /** The package has no such script. */
  | { readonly kind: 'absent' }
  /** Every effect was reproduced, but for what is left out on purpose. */
  | { readonly kind: 'whole'; readonly by: 'rule' | 'interpreter'; readonly leftOut: readonly LeftOut[] }
  /** Some lines were passed over. */
  | { readonly kind: 'partial'; readonly lines: readonly UnfollowedLine[]; readonly leftOut: readonly LeftOut[] }
  /** Nothing of it was followed: it is written in another language. */
  | { readonly kind: 'none'; readonly lines: readonly UnfollowedLine[] }
  /** It gave up, or was stopped: the package would be left unconfigured. */
  | {
      readonly kind: 'failed';
      readonly status: number;
      /** The line it ended on, where that is in the script itself. */
      readonly line?: number;
      readonly reason: string;
      readonly lines: readonly UnfollowedLine[];
      readonly leftOut: readonly LeftOut[];
    };

/**
 * Follows maintainer scripts on the tree without running anything. A package's rule comes first, this second; what it
 * did not understand becomes a warning with package and line.
 */
export interface ScriptRunner {
  /** `args` as dpkg gives them: `install`, or `configure` and an empty version, or `triggered` and trigger names. */
  run(of: Unpacked<AptPackage>, script: ScriptName, args: readonly string[]): Outcome;
}
