import type { FileContent } from '../bytes/content.ts';
import type { Report } from '../events/events.ts';
import type { Entry } from '../tree/entry.ts';
import { type Meta, rootMeta } from '../tree/inode.ts';
import type { Tree } from '../tree/tree.ts';

/** What is process 1 in the guest. */
export type Init = 'systemd' | 'agent';

/** Files to lay over the rootfs, with the name messages call them by. */
export interface Layer {
  readonly name: string;
  readonly entries: readonly Entry[];
}

/** Where the agent comes from. */
export type AgentSource =
  | { readonly kind: 'binary'; readonly name: string; readonly content: FileContent }
  | { readonly kind: 'layer'; readonly layer: Layer }
  | { readonly kind: 'guest'; readonly name: string; readonly tree: Tree }
  | { readonly kind: 'demo' };

/** Everything that decides how a rootfs is made a Kata guest. */
export interface Guest {
  readonly init: Init;
  /** Receives warnings about what layers hold and the guest cannot keep. */
  readonly report: Report;
  /** Where chrony's configuration and unit lie in this distribution. */
  readonly chrony: { readonly config: string; readonly unit: string };
  readonly agent: AgentSource | undefined;
  readonly modules: { readonly name: string; readonly entries: readonly Entry[] } | undefined;
  readonly policy: { readonly name: string; readonly content: FileContent } | undefined;
  readonly tarballs: readonly Layer[];
  readonly confidential: boolean;
  /** Paths below /var that survive its clearing. */
  readonly keep: readonly string[];
  /** Time stamp of everything made here, in Unix seconds. */
  readonly epoch: number;
  readonly summary: Summary;
}

/** What the summary says where nobody knows. */
export const UNSPECIFIED = 'unspecified';

/** What `/var/lib/osbuilder/osbuilder.yaml` tells of the build. */
export interface Summary {
  readonly version: string;
  readonly description: string;
  /** `uname -m` name. */
  readonly architecture: string;
  readonly distro: { readonly name: string; readonly version: string };
  readonly packages: { readonly default: readonly string[]; readonly extra: readonly string[] };
}

/** Meta of a file we make, with the build's time. */
export function ours(guest: { readonly epoch: number }, mode: number): Meta {
  return rootMeta(mode, guest.epoch);
}
