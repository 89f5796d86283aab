import type { Profile, Release } from '../distros/profile.ts';
import type { Report } from '../events/events.ts';
import type { Cache } from '../fetch/cache.ts';
import type { Host } from '../fetch/host.ts';
import type { Arrived } from '../fetch/mirror.ts';
import type { Package, Unpacked } from '../fetch/package.ts';
import type { Ahead, Archive } from '../fetch/unpacking.ts';
import type { Lock } from '../lock/lock.ts';
import type { Settings } from '../settings/table.ts';
import type { ScriptReport } from '../system/scripts.ts';
import type { History } from '../tree/history.ts';
import type { Tree } from '../tree/tree.ts';
import type { PackageFacts } from './facts.ts';
import type { Origins } from './origins.ts';

/** What to build from packages: the settings, completed by the distribution's profile. */
export interface Order {
  readonly profile: Profile;
  readonly release: Release;
  /** `uname -m` name, and the distribution's own. */
  readonly architecture: { readonly uname: string; readonly own: string };
  readonly settings: Settings;
  /** What is requested besides the base set, in the family's spelling. */
  readonly requests: readonly string[];
  /** The packages to take, instead of those that a resolver would choose. */
  readonly lock?: Lock;
}

/** A chosen package, and why it was chosen. */
export interface Chosen<P extends Package = Package> {
  readonly package: P;
  /** For the user: `Essential`, `asked for`, `init depends on it (systemd-sysv)`. */
  readonly reason: string;
  /** Name of the package that needs it, as the reason says; absent for one that is asked for or in the base set. */
  readonly by?: string;
}

/** The packages of a guest, chosen from signed metadata alone. */
export interface Plan<P extends Package = Package> {
  readonly order: Order;
  /** In the order of installation. */
  readonly chosen: readonly Chosen<P>[];
  /** The newest date in the repositories' signed metadata, in Unix seconds. */
  readonly date: number;
  /** What proves the metadata and packages of each repository, where the family tells it. */
  readonly trust?: readonly RepositoryTrust[];
}

/** What proves what of a repository. */
export interface RepositoryTrust {
  readonly name: string;
  /** Where its metadata came from; credentials are left out. */
  readonly url: string;
  /** SHA-256 of its table of contents, or of what a folder's packages amount to. */
  readonly sha256: string;
  /** `signed`: by `keys`; `pinned`: by the user; `metalink`: by a digest that came over TLS; `none`: by nothing. */
  readonly metadata: 'signed' | 'pinned' | 'metalink' | 'none';
  /** Fingerprints of the keys that signed the metadata. */
  readonly keys: readonly string[];
  /** `signed`: each package by a trusted key; `digest`: by the digest that the metadata has alone. */
  readonly packages: 'signed' | 'digest';
}

/** How packages are put into a tree. */
export interface ConfigureOptions {
  /** Unix seconds: no time stamp is later, and scripts see it as the present time. */
  readonly epoch: number;
  readonly report: Report;
  /** Is called for every package and script that changed the tree. */
  readonly history?: History;
}

/** A tree in which packages are installed and configured. */
export interface Configured {
  readonly tree: Tree;
  /** How far each script of the packages was followed. */
  readonly scripts: readonly ScriptReport[];
}

/**
 * A family of package managers: apt, apk, rpm. One object per family, in the folder of its name; `assemble` runs its steps.
 * Adding a family is filling one folder, one row of `families.ts`, and passing the contract test.
 */
export interface Family<
  P extends Package = Package,
  D extends Plan<P> = Plan<P>,
  U extends Unpacked<P> = Unpacked<P>,
  C extends Configured = Configured,
  I = unknown,
> {
  readonly name: Profile['family'];
  /**
   * Fields of packages that only say where they come from and who vouches for them. `configure` and `record` do not read them:
   * the packages of another mirror become the same tree.
   */
  readonly unread: readonly string[];
  /** Folder of the package manager's database in the guest. */
  readonly database: string;
  /** True when the settings ask for that database to stay in the guest. */
  keepsDatabase(settings: Settings): boolean;
  /**
   * Rejects settings that have no meaning for this family, and inputs that cannot be read, before anything is fetched.
   * Throws `NOT_SUPPORTED`, `SETTING_INVALID`, `READ_FAILED`.
   */
  validate(order: Order, host: Host): void;
  /** Reads signed metadata and chooses packages, each with its reason. Fetches no package. */
  plan(order: Order, host: Host): Promise<D>;
  /**
   * The plan that a lock names: nothing is resolved and no metadata is read. The packages are fetched, since they say
   * themselves what metadata would say about them.
   */
  planLocked(order: Order, lock: Lock, host: Host): Promise<D>;
  /** A request for one version of a package. */
  pinned(name: string, version: string): string;
  /**
   * Where the packages of a plan come from, for a lock. `archives` are those of the packages; none where metadata says
   * the SHA-256 of all of them.
   */
  origins(plan: D, archives: readonly string[]): Promise<Origins>;
  /** Fetches the plan's packages. Paths of their archives, each verified, in the plan's order; `arrived` is told of each. */
  fetch(plan: D, host: Host, arrived?: Arrived): Promise<readonly string[]>;
  /** Unpacks packages while others are fetched; undefined where that is not worth it. */
  ahead(packages: readonly P[], cache: Cache): Ahead | undefined;
  /** Decompresses archives into spools of the cache, once; in the order given. `ahead`: what was begun. */
  unpack(archives: readonly Archive<P>[], host: Host, ahead?: Ahead): Promise<U[]>;
  /** Key of a package's spool in the cache. */
  spool(one: P): string;
  /** What packages say of themselves: licences, sources, dependencies. In the order given. */
  describe(unpacked: readonly U[]): PackageFacts[];
  /**
   * All that `configure` and `record` read of settings, of files of the build host and of the plan, as values that JSON can
   * hold. Together with the packages and the epoch it decides on the tree, so that a tree is kept under its digest.
   */
  inputs(plan: D, host: Host): I;
  /**
   * Installs the packages into an empty tree by the family's rules of paths, owners and conflicts, and follows their
   * scripts and triggers. One step, since package managers interleave the two.
   */
  configure(inputs: I, unpacked: readonly U[], options: ConfigureOptions): C | Promise<C>;
  /** Writes the package manager's database, as that manager would have. */
  record(configured: C, inputs: I, options: ConfigureOptions): void | Promise<void>;
  /** Removes the parts of the database that unpacking and configuring left in the tree. */
  forget(configured: C): void | Promise<void>;
}
