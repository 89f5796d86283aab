import type { Call, Command } from '../../../shell/command.ts';
import type { Tree } from '../../../tree/tree.ts';
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
  /** A control field by name, for `dpkg-query -f`. */
  field(name: string): string | undefined;
}

/** What the Debian helper commands act on. */
export interface DebianWorld {
  readonly tree: Tree;
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
  /** Reports that a command was left out on purpose, and why. */
  leaveOut(command: string, reason: string): void;
}

/** A table of commands bound to one world. */
export type CommandTable = Readonly<Record<string, Command>>;

/** A command that has nothing to do in a guest that is not running: daemons, caches, kernels. */
export const nothing: Command = () => 0;

/** Arguments without options, and whether an option was present, for commands with few of them. */
export function plainOperands(call: Call): string[] {
  return call.args.filter((arg) => !arg.startsWith('-'));
}
