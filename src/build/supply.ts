import type { Profile, Release } from '../distros/profile.ts';
import type { Chosen, ScriptReport } from '../packages/family.ts';
import type { Settings } from '../settings/table.ts';
import type { Tree } from '../tree/tree.ts';
import type { Doors } from './doors.ts';

/** What is to be made out of packages. */
export interface Order {
  readonly profile: Profile;
  readonly release: Release;
  /** `uname -m` name, and the distribution's own. */
  readonly architecture: { readonly uname: string; readonly own: string };
  readonly settings: Settings;
  /** What is asked for besides the base set, as the family spells requests. */
  readonly requests: readonly string[];
}

/** Packages that were decided on. */
export interface Supply {
  readonly chosen: readonly Chosen[];
  /** The newest date in the repositories' signed metadata, in Unix seconds. */
  readonly date: number;
  /** Fetches, unpacks, installs and configures them. `epoch` is the time nothing may be later than. */
  assemble(epoch: number): Promise<Assembled>;
}

/** A distribution's rootfs. */
export interface Assembled {
  readonly tree: Tree;
  /** Folder of the package manager's database, where the guest keeps one. */
  readonly database: string | undefined;
  /** How far each script of the packages was followed. */
  readonly scripts: readonly ScriptReport[];
}

/** Decides on packages: one function per family. */
export type Supplier = (order: Order, doors: Doors) => Promise<Supply>;
