/** Input and output of the resolver. A run is `new Pool(repositories, options)`, then `resolve(pool, request)`. */

import type { Texts } from './texts.ts';

/** Comparison of a dependency, as bits: `>=` is `GREATER | EQUAL`; 0 when it has no version. */
export const GREATER = 1;
export const EQUAL = 2;
export const LESS = 4;

/** Kinds of dependencies, in the order in which a table keeps them. */
export const KINDS = [
  'provides',
  'requires',
  'conflicts',
  'obsoletes',
  'recommends',
  'suggests',
  'supplements',
  'enhances',
] as const;
export type Kind = (typeof KINDS)[number];

/** Lists of one column for all rows: row `i` has `items[starts[i]]` up to before `items[starts[i + 1]]`. */
export interface Lists {
  /** One more than there are rows. */
  readonly starts: Int32Array;
  readonly items: Int32Array;
}

/**
 * The packages of one repository, in the order of its metadata (ties are decided by it), as columns of numbers that can be
 * kept in a file as they are. `PackageTableBuilder` of table.ts makes one. A text is a number into `texts`, a dependency
 * a number into `relations`. `src` and `nosrc` packages do not belong in here.
 */
export interface PackageTable {
  /** Every text once; 0 is the empty one. */
  readonly texts: Texts;
  readonly relations: {
    /** A name or path; a whole rich dependency, `(a if b)`, stands in here as one text. */
    readonly name: Int32Array;
    readonly flags: Uint8Array;
    /** `[epoch:]version[-release]`, the epoch left out when it is 0. */
    readonly evr: Int32Array;
  };
  readonly name: Int32Array;
  /** As in a relation. */
  readonly evr: Int32Array;
  readonly arch: Int32Array;
  readonly dependencies: { readonly [K in Kind]: Lists };
  /** Paths: those in primary, or all of filelists. They satisfy dependencies on paths. */
  readonly files: Lists;
}

/** A repository as the resolver looks at it. */
export interface SolverRepository {
  readonly name: string;
  readonly packages: PackageTable;
  /** dnf's number: 1 is the best, 99 the default. */
  readonly priority: number;
  /** Among equal priorities the lower cost comes first. dnf's default is 1000. */
  readonly cost: number;
  /** True for rows that must not be installed: excludes, includepkgs, modules that are not active. */
  readonly excluded?: (row: number) => boolean;
}

/** What holds for all requests. */
export interface PoolOptions {
  /** rpm's name of the guest's architecture: `x86_64`, `aarch64`, `ppc64le`, `s390x`. */
  readonly architecture: string;
}

/** One thing that is asked for, as a user spells it: `bash`, `bash.x86_64`, `bash-5.1*`, `/usr/bin/sh`, `webserver(x) >= 2`. */
export interface Wanted {
  readonly text: string;
  /** False: left out, with an entry in `missing`, when nothing matches or it cannot be installed (members of groups). */
  readonly strict?: boolean;
}

/** What to decide. */
export interface SolverRequest {
  readonly wanted: readonly Wanted[];
  /** Names or globs that must not be installed, however they would come in. */
  readonly without?: readonly string[];
  /** Follow Recommends and Supplements (`install_weak_deps`). */
  readonly weakDependencies: boolean;
  /** Only the best candidate of each request will do (`best`). dnf's default. */
  readonly best: boolean;
  /** Names or provides of packages of which several versions may be installed; `INSTALL_ONLY` when left out. */
  readonly multiversion?: readonly string[];
}

/** Why a package was chosen. `by` is the number of a package in the pool. */
export type Reason =
  | { readonly kind: 'asked'; readonly text: string }
  | { readonly kind: 'required'; readonly by: number; readonly dependency: string }
  | { readonly kind: 'recommended'; readonly by: number; readonly dependency: string }
  | { readonly kind: 'supplements'; readonly dependency: string };

/** A chosen package: `repositories[repository].packages`, row `row`. */
export interface Resolved {
  readonly id: number;
  readonly repository: number;
  readonly row: number;
  readonly reason: Reason;
}

/** Why there is no answer: each problem is a list of sentences that cannot all be satisfied. */
export interface Problem {
  /** The request, when the problem is that nothing has this name. */
  readonly missing?: string;
  readonly sentences: readonly string[];
  /** From a request to the package that cannot be installed: `asked for a; a-1.x86_64 requires b >= 2`. */
  readonly chain: readonly string[];
}

/** The answer to a request. */
export type Resolution =
  | {
      readonly kind: 'resolved';
      /** In the order of repositories and rows. */
      readonly packages: readonly Resolved[];
      /** Texts of `wanted` that were not strict and were left out. */
      readonly missing: readonly string[];
    }
  | { readonly kind: 'failed'; readonly problems: readonly Problem[] };
