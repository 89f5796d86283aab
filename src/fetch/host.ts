import type { Report } from '../events/events.ts';
import type { Cache } from './cache.ts';
import type { Mirror } from './mirror.ts';

/** What a build may reach of the world, handed in by whoever runs it. */
export interface Host {
  readonly cache: Cache;
  readonly mirror: Mirror;
  readonly report: Report;
  /** Unix seconds, for trust decisions only (Valid-Until, expiry of keys): never in an output. */
  readonly now: number;
  /** The build host's own apt sources: paths and texts. */
  readonly hostSources: readonly { readonly path: string; readonly text: string }[];
  /** A whole file of the build host; `READ_FAILED` when it cannot be read. */
  readFile(path: string): Uint8Array;
  /** A folder for the length of the build, made when first asked for. */
  workspace(): string;
}
