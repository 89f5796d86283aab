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

/** A blank or control character in the name, version or architecture of a package: rpm makes none such. */
export function hasBlank(text: string): boolean {
  return /[\x00-\x20\x7f]/.test(text);
}

/** A control character in what a package needs or provides; blanks are part of rich dependencies. */
export function hasControl(text: string): boolean {
  return /[\x00-\x1f\x7f]/.test(text);
}

/** `name-version-release.arch`, without the epoch: the name of the package's file, and what rpm calls it. */
export function nevra({ name, version, architecture }: Pick<Package, 'name' | 'version' | 'architecture'>): string {
  return `${name}-${version.replace(/^\d+:/, '')}.${architecture}`;
}
