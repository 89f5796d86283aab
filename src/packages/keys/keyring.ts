import type { Keyring } from '../apt/types.ts';
import { DEBIAN_KEYS } from './debian.ts';
import { UBUNTU_KEYS } from './ubuntu.ts';

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

/** The certificates that come with the program, by distribution. */
export const BUILT_IN_KEYS = { debian: DEBIAN_KEYS, ubuntu: UBUNTU_KEYS } as const satisfies Readonly<
  Record<string, readonly BuiltInKey[]>
>;

const keyrings = new Map<string, Keyring>();

/** The keyring of archive keys that comes with the program. */
export function builtInKeyring(distribution: keyof typeof BUILT_IN_KEYS): Keyring {
  let keyring = keyrings.get(distribution);
  if (keyring === undefined) {
    const title = distribution === 'debian' ? 'Debian' : 'Ubuntu';
    keyring = {
      name: `the built-in ${title} archive keys`,
      keys: BUILT_IN_KEYS[distribution].map((key) => new TextEncoder().encode(key.armored)),
    };
    keyrings.set(distribution, keyring);
  }
  return keyring;
}
