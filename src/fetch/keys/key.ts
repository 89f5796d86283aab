/** OpenPGP certificates to trust. */
export interface Keyring {
  /** For messages: `built-in Debian archive keys`, or the path of a file. */
  readonly name: string;
  /** Armoured or binary OpenPGP keys. */
  readonly keys: readonly Uint8Array[];
}

/** A certificate that comes with the program. */
export interface BuiltInKey {
  /** Fingerprint of the primary key, upper-case hex. */
  readonly fingerprint: string;
  /** Its user id. */
  readonly name: string;
  /** Unix seconds; left out: it does not expire. */
  readonly expires?: number;
  /** The distribution's own package it was taken from. */
  readonly origin: { readonly package: string; readonly version: string; readonly sha256: string };
  readonly armored: string;
}
