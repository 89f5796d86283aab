import type { Bytes } from '../bytes/content.ts';
import type { Report } from '../events/events.ts';
import type { Cache } from './cache.ts';
import type { Mirror } from './mirror.ts';
import type { Registries } from './registry/registries.ts';

/** Access to the build host and the network, provided by the caller. */
export interface Host {
  readonly cache: Cache;
  readonly mirror: Mirror;
  readonly report: Report;
  /** True where everything is made again, and nothing that an earlier build kept of its results is taken. */
  readonly anew?: boolean;
  /** How many bytes packages and compressed sources may have when they are unpacked. */
  readonly unpackLimits?: { readonly package: number; readonly build: number };
  /** Registries of containers and artifacts; left out where none can be reached. */
  readonly registries?: Registries;
  /** `uname -m` name of the guest's processor: what is taken of images for several. */
  readonly architecture?: string;
  /** Unix seconds, for trust decisions only (Valid-Until, expiry of keys): never in an output. */
  readonly now: number;
  /** The build host's own apt sources: paths and texts. */
  readonly hostSources: readonly { readonly path: string; readonly text: string }[];
  /** A regular file of the build host, 16 MiB at most. Throws `READ_FAILED`. */
  readFile(path: string): Uint8Array;
  /** Standard input, for a rootfs named `-`; left out where there is none. */
  input?(): Bytes;
  /** A folder that is removed after the build, created by the first call. */
  workspace(): string;
}
