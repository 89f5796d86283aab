import { AZURE_KEYS } from './azure.ts';
import { CENTOS_KEYS } from './centos.ts';
import { DEBIAN_KEYS } from './debian.ts';
import { FEDORA_KEYS } from './fedora.ts';
import type { BuiltInKey, Keyring } from './key.ts';
import { UBUNTU_KEYS } from './ubuntu.ts';

/** The certificates that come with the program, by distribution. */
export const BUILT_IN_KEYS = {
  debian: DEBIAN_KEYS,
  ubuntu: UBUNTU_KEYS,
  centos: CENTOS_KEYS,
  fedora: FEDORA_KEYS,
  azure: AZURE_KEYS,
} as const satisfies Readonly<Record<string, readonly BuiltInKey[]>>;

/** What messages call each keyring. */
const TITLES: Readonly<Record<keyof typeof BUILT_IN_KEYS, string>> = {
  debian: 'the built-in Debian archive keys',
  ubuntu: 'the built-in Ubuntu archive keys',
  centos: 'the built-in CentOS key',
  fedora: 'the built-in Fedora keys',
  azure: 'the built-in Azure Linux key',
};

const keyrings = new Map<string, Keyring>();

/** The keyring of archive keys that comes with the program. */
export function builtInKeyring(distribution: keyof typeof BUILT_IN_KEYS): Keyring {
  let keyring = keyrings.get(distribution);
  if (keyring === undefined) {
    keyring = {
      name: TITLES[distribution],
      keys: BUILT_IN_KEYS[distribution].map((key) => new TextEncoder().encode(key.armored)),
    };
    keyrings.set(distribution, keyring);
  }
  return keyring;
}
