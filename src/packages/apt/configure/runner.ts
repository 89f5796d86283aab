import type { Unpacked } from '../../family.ts';
import type { AptPackage } from '../types.ts';

/** The maintainer scripts that matter for an installation from nothing. */
export type ScriptName = 'preinst' | 'postinst' | 'config';

/** A line of a script that could not be followed. */
export interface Misunderstood {
  /** Line in the script, from 1. */
  readonly line: number;
  /** The line as it stands there. */
  readonly source: string;
  /** Why, for people: `not emulated`, `syntax error`. */
  readonly reason: string;
}

/** How far a script was followed. */
export type Outcome =
  /** The package has no such script. */
  | { readonly kind: 'absent' }
  /** Every effect was reproduced: by a rule for this package, or by the interpreter. `ignored`: it has none that lasts. */
  | { readonly kind: 'whole'; readonly by: 'rule' | 'interpreter' | 'ignored' }
  /** Some lines were passed over. */
  | { readonly kind: 'partial'; readonly lines: readonly Misunderstood[] }
  /** It gave up: the package would be left unconfigured. */
  | { readonly kind: 'failed'; readonly status: number; readonly lines: readonly Misunderstood[] };

/**
 * Follows maintainer scripts on the tree without running anything. A package's rule comes first, this second; what it
 * did not understand becomes a warning with package and line.
 */
export interface ScriptRunner {
  /** `args` as dpkg gives them: `install`, or `configure` and an empty version, or `triggered` and trigger names. */
  run(of: Unpacked<AptPackage>, script: ScriptName, args: readonly string[]): Outcome;
}
