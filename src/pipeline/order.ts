import { profileFrom, profileNamed } from '../distros/distros.ts';
import { architectureOf, releaseOf } from '../distros/profile.ts';
import type { Order } from '../families/family.ts';
import type { Lock } from '../lock/lock.ts';
import type { Settings } from '../settings/table.ts';
import { initOf } from './init.ts';
import { defaultPackages } from './packages.ts';

/** Inputs of an order. */
export interface OrderRequest {
  readonly settings: Settings;
  /** `uname -m` of the build host: the default for the guest. */
  readonly hostArchitecture: string;
  /** Version of this program; a lock of another one is a warning. */
  readonly version?: string;
  /** Parsed YAML of a user-defined profile, and its source. */
  readonly profile?: { readonly value: unknown; readonly path: string };
}

/** Settings resolved with the distribution's profile, and the lock that names the packages. */
export function orderOf(request: OrderRequest, lock?: Lock): Order {
  const { settings } = request;
  const profile =
    request.profile === undefined
      ? profileNamed(settings.distro!)
      : profileFrom(request.profile.value, request.profile.path);
  const init = initOf(request, profile);
  return {
    profile,
    release: releaseOf(profile, settings.osVersion),
    architecture: architectureOf(profile, settings.arch ?? request.hostArchitecture),
    settings,
    requests: [...defaultPackages(profile, settings, init), ...(settings.extraPkgs ?? [])],
    ...(lock === undefined ? {} : { lock }),
  };
}
