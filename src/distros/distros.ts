import { BuildError } from '../errors/error.ts';
import { alpine } from './alpine.ts';
import { azure } from './azure.ts';
import { centos } from './centos.ts';
import { clearlinux } from './clearlinux.ts';
import { debian } from './debian.ts';
import { fedora } from './fedora.ts';
import { type Profile, type ProfileData, parseProfile } from './profile.ts';
import { ubuntu } from './ubuntu.ts';

const BUILT_IN: readonly ProfileData[] = [debian, ubuntu, alpine, centos, fedora, azure, clearlinux];

/**
 * All built-in profiles, by name.
 *
 * @example
 * ```ts
 * import { PROFILES } from 'osbuilder';
 *
 * for (const { name, family } of PROFILES.values()) if (name === 'debian') console.log(name, family); // prints: debian apt
 * ```
 */
export const PROFILES: ReadonlyMap<string, Profile> = new Map(
  BUILT_IN.map((data) => [data.name, parseProfile(data, data.name)]),
);

/**
 * The built-in profile of that name or alias.
 *
 * @example
 * ```ts
 * import { profileNamed } from 'osbuilder';
 *
 * console.log(profileNamed('Alpine').title); // prints: Alpine Linux
 * ```
 */
export function profileNamed(name: string): Profile {
  const word = name.toLowerCase();
  for (const profile of PROFILES.values()) if (profile.name === word || profile.aliases.includes(word)) return profile;
  throw new BuildError('DISTRO_UNKNOWN', { name, known: [...PROFILES.keys()].join(', ') });
}

/**
 * A user's own profile: complete, or `like: NAME` with the fields that differ.
 *
 * @example
 * ```ts
 * import { profileFrom } from 'osbuilder';
 *
 * const own = profileFrom({ like: 'debian', name: 'mine', title: 'My Debian' }, 'mine.yaml');
 * console.log(own.name, own.family, own.releases.length > 1); // prints: mine apt true
 * ```
 */
export function profileFrom(value: unknown, path: string): Profile {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new BuildError('PROFILE_INVALID', { path, reason: 'it is no table of answers' });
  const { like, packages, ...answers } = value as { like?: unknown; packages?: object };
  if (like === undefined) return parseProfile(value, path);
  const base = profileNamed(String(like));
  return parseProfile({ ...base, ...answers, packages: { ...base.packages, ...packages } }, path);
}
