import { BuildError } from '../errors/error.ts';
import type { Family, Order } from './family.ts';

/** Every family; its code is loaded when a distribution of its kind is built. */
const FAMILIES: Readonly<Record<string, () => Promise<Family>>> = {
  apt: async () => (await import('./apt/apt.ts')).apt,
  apk: async () => (await import('./apk/apk.ts')).apk,
};

/** Names of the supported families. */
export const FAMILY_NAMES = Object.keys(FAMILIES);

/** The family of an order's distribution. Throws `NOT_SUPPORTED` where there is none yet. */
export async function familyOf({ profile }: Order): Promise<Family> {
  const load = FAMILIES[profile.family];
  if (load === undefined)
    throw new BuildError('NOT_SUPPORTED', {
      what: profile.name,
      reason: `packages of the ${profile.family} family are not read yet`,
    });
  return load();
}
