import type { Package } from '../../fetch/package.ts';

/** A binary package of a Debian index. Relationship fields are kept as text and parsed on demand. */
export interface AptPackage extends Package {
  /** SHA-512 of the archive in hex where the index lists no SHA-256 (`sha256` is then empty); else empty. */
  readonly sha512: string;
  /** Base URL of the archive it comes from, for messages. */
  readonly archive: string;
  readonly source: string;
  readonly essential: boolean;
  readonly protected: boolean;
  readonly priority: string;
  readonly section: string;
  readonly multiArch: 'no' | 'same' | 'foreign' | 'allowed';
  readonly installedSize: number;
  readonly depends: string;
  readonly preDepends: string;
  readonly recommends: string;
  readonly suggests: string;
  readonly conflicts: string;
  readonly breaks: string;
  readonly replaces: string;
  readonly provides: string;
  readonly suite: string;
  readonly codename: string;
  /** apt's pin priority of the suite it comes from. */
  readonly pin: number;
}
