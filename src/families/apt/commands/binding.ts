import type { GuestWorld } from '../../../system/commands/binding.ts';
import type { DebianContext } from '../architecture.ts';
import type { Debconf } from '../configure/debconf.ts';

/** A package as dpkg reports it while scripts run. */
export interface KnownPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** dpkg's terms: `unpacked`, `half-configured`, `installed`. */
  readonly status: string;
  /** Paths it owns, absolute, in archive order. */
  files(): readonly string[];
  /** Names of its control files: `postinst`, `md5sums`, … */
  controlFiles(): readonly string[];
  /** A control field by name, for `dpkg-query -f`. */
  field(name: string): string | undefined;
}

/** What the Debian helper commands act on. */
export interface DebianWorld extends GuestWorld {
  readonly context: DebianContext;
  readonly debconf: Debconf;
  /** The package whose script is running. */
  readonly package: string;
  /** Packages of the guest by name, as dpkg knows them at this moment. */
  known(name: string): KnownPackage | undefined;
  /** All of them. */
  packages(): Iterable<KnownPackage>;
  /** `dpkg-trigger NAME`, and work that is deferred to the end: `ldconfig`. */
  trigger(name: string): void;
}
