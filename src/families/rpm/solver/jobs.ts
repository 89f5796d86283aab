/** One thing to reach: one of the candidates is installed, or none of them is. */
export interface Job {
  readonly kind: 'install' | 'forbid';
  /** In the order of their numbers. */
  readonly candidates: readonly number[];
  /** Only the best of the candidates will do. */
  readonly best: boolean;
  /** Dropped when it cannot be had. */
  readonly weak: boolean;
  /** The request decides on the architecture, so a lesser one is fine. */
  readonly setsArchitecture: boolean;
}
