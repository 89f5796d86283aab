import type { FileContent } from '../bytes/content.ts';
import type { Entry } from '../tree/entry.ts';

/** A package that can be fetched, of any family. */
export interface Package {
  readonly name: string;
  readonly version: string;
  /** In the distribution's spelling (`amd64`, `x86_64`, `all`, `noarch`). */
  readonly architecture: string;
  /** Bytes of the archive. */
  readonly size: number;
  /** SHA-256 of the archive in hex; where the index has another digest, the family checks that one. */
  readonly sha256: string;
  /** Where it can be fetched: the same file on each mirror, best first. `file:` URLs for local folders. */
  readonly urls: readonly string[];
}

/** A package whose archive was opened: its control files and its payload's entries, contents stored in a spool. */
export interface Unpacked<P extends Package = Package> {
  readonly package: P;
  /** Control files (`control`, `postinst`, `conffiles`, …; `.PKGINFO`, `.post-install` for apk), with permission bits. */
  readonly control: ReadonlyMap<string, { readonly mode: number; readonly content: FileContent }>;
  /** The payload in archive order. */
  readonly entries: readonly Entry[];
}
