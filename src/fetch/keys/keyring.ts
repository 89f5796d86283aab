import { DEBIAN_KEYS } from './debian.ts';
import type { BuiltInKey, Keyring } from './key.ts';
import { UBUNTU_KEYS } from './ubuntu.ts';

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
