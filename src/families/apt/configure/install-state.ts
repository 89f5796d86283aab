import type { Unpacked } from '../../../fetch/package.ts';
import type { Tree } from '../../../tree/tree.ts';
import type { DebianContext } from '../architecture.ts';
import type { Installation } from '../install.ts';
import type { AptPackage } from '../package.ts';
import type { Debconf } from './debconf.ts';

/** State of the installation in progress, as script runners see it. */
export interface InstallState {
  readonly tree: Tree;
  readonly context: DebianContext;
  readonly debconf: Debconf;
  readonly installation: Installation;
  /** Packages whose files are in the tree, by name. */
  readonly unpacked: ReadonlyMap<string, Unpacked<AptPackage>>;
  /** Packages that are configured, by name. */
  readonly configured: ReadonlySet<string>;
  /** Activates a trigger by name, or by path. */
  trigger(name: string): void;
}
