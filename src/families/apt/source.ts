import type { Keyring } from '../../fetch/keys/key.ts';

/** One suite of one archive, as named by the user or a profile. */
export interface AptSource {
  /** Base URLs of the same archive, best first (`http://…/debian`, `file:///…`, or a plain folder path). */
  readonly mirrors: readonly string[];
  /** Suite or codename (`trixie`, `trixie-updates`); a flat repository's path ends in `/`. */
  readonly suite: string;
  /** Components (`main`); empty for a flat repository. */
  readonly components: readonly string[];
  /** Accepted signing keys: fingerprints in a built-in keyring, or the bytes of keyring files. */
  readonly keyring: Keyring;
  /** Accept it unsigned or signed with any key: only on the user's explicit request. */
  readonly unauthenticated?: boolean;
  /** Reject metadata past its Valid-Until at this time (Unix seconds); undefined: do not check (snapshots). */
  readonly validAt?: number;
  /**
   * Keys and signatures must not have expired at this time (Unix seconds); left out: `validAt`, and without that the time
   * of the signature itself, so that a snapshot verifies as it did on its day.
   */
  readonly keysAt?: number;
  /** Check signatures again, and take no proof that an earlier build kept. */
  readonly anew?: boolean;
  /** Skip it with a warning if it does not have the guest's architecture; else that is an error. */
  readonly secondary?: boolean;
  /** Pin priority as in apt: 500 by default, 100 for NotAutomatic + ButAutomaticUpgrades, 1 for NotAutomatic. */
  readonly priority?: number;
}

/** A suite whose signed Release was fetched and checked. */
export interface AptSuite {
  readonly source: AptSource;
  /** Fields of the Release file, by lower-case name (`origin`, `label`, `suite`, `codename`, `version`, …). */
  readonly release: ReadonlyMap<string, string>;
  /** Its Date, in Unix seconds. */
  readonly date: number;
  /** SHA-256 of the signed text. */
  readonly sha256: string;
  /** Fingerprint(s) of the key(s) with a valid signature; empty when unauthenticated. */
  readonly signedBy: readonly string[];
  /** The package lists of the requested architecture (and `all` where it is separate), fetched and checked. */
  readonly indexes: readonly AptIndexFile[];
}

/** A Packages file in the cache, checked against the signed Release. */
export interface AptIndexFile {
  readonly component: string;
  readonly architecture: string;
  /** Path on the build host of the file as downloaded. */
  readonly file: string;
  readonly compression: 'xz' | 'gzip' | 'none' | 'zstd' | 'bzip2' | 'lzma';
  /** SHA-256 of the file as stored. */
  readonly sha256: string;
  /** Base URLs that `Filename:` fields are relative to, best first. */
  readonly bases: readonly string[];
  readonly suite: string;
  readonly codename: string;
  readonly origin: string;
  /** Label and Version of the Release file; empty without. */
  readonly label?: string | undefined;
  readonly release?: string | undefined;
  /** Host name of the archive; empty for a local folder. */
  readonly site?: string | undefined;
  /** apt's pin priority. */
  readonly priority: number;
}
