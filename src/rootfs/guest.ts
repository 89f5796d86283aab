import type { FileContent } from '../bytes/content.ts';
import type { Report } from '../events/events.ts';
import type { Entry } from '../tree/entry.ts';
import type { History } from '../tree/history.ts';
import { type Meta, rootMeta } from '../tree/inode.ts';
import type { Tree } from '../tree/tree.ts';

/** What is process 1 in the guest. */
export type Init = 'systemd' | 'agent';

/** Files to apply on top of the rootfs, with their name for messages. */
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

/** Everything that determines how a rootfs is turned into a Kata guest. */
export interface Guest {
  readonly init: Init;
  /** Receives warnings about content of layers that the guest cannot store. */
  readonly report: Report;
  /** Called for every step that changed the tree, where someone asks for it. */
  readonly history?: History;
  /** Paths of chrony's configuration and unit in this distribution. */
  readonly chrony: { readonly config: string; readonly unit: string };
  readonly agent: AgentSource | undefined;
  readonly modules: { readonly name: string; readonly entries: readonly Entry[] } | undefined;
  readonly policy: { readonly name: string; readonly content: FileContent } | undefined;
  readonly tarballs: readonly Layer[];
  readonly confidential: boolean;
  /** The tree is laid over files of a system later: nothing of the system is in it, and no unit is removed. */
  readonly overlay?: boolean;
  /** Paths below /var that are kept when it is cleared. */
  readonly keep: readonly string[];
  /** Time stamp of everything created here, in Unix seconds. */
  readonly epoch: number;
  readonly summary: Summary;
}

/** Placeholder in the summary for unknown values. */
export const UNSPECIFIED = 'unspecified';

/** Content of `/var/lib/osbuilder/osbuilder.yaml`. */
export interface Summary {
  readonly version: string;
  readonly description: string;
  /** `uname -m` name. */
  readonly architecture: string;
  /** `ended`: the day on which its maker ended it. */
  readonly distro: { readonly name: string; readonly version: string; readonly ended?: string | undefined };
  readonly packages: { readonly default: readonly string[]; readonly extra: readonly string[] };
}

/** Meta of a file created by the build, with the build's time. */
export function ours(guest: { readonly epoch: number }, mode: number): Meta {
  return rootMeta(mode, guest.epoch);
}
