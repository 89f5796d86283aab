import type { Keyring } from '../../fetch/keys/key.ts';
import type { Package } from '../../fetch/package.ts';

/** An rpm package of an opened repository. */
export interface RpmPackage extends Package {
  /** What its repository's metadata says the archive is. */
  readonly digest: { readonly algorithm: string; readonly hex: string };
  /** Number of the repository. */
  readonly repository: number;
  /** Bytes when installed, by its own account. */
  readonly installedSize: number;
  /** Name of the source package's file; empty: unknown. */
  readonly source: string;
  /** Who may have signed it; undefined: nobody has to, since the user said so. */
  readonly keyring: Keyring | undefined;
  /** A lock names it: its SHA-256 is proof enough. */
  readonly locked?: boolean;
  /** It is in a folder of the build host that the user named: a missing signature is a warning. */
  readonly lenient: boolean;
}

/** `name-version-release.arch`, without the epoch: the name of the package's file, and what rpm calls it. */
export function nevra({ name, version, architecture }: Pick<Package, 'name' | 'version' | 'architecture'>): string {
  return `${name}-${version.replace(/^\d+:/, '')}.${architecture}`;
}
