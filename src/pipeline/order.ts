import { profileFrom, profileNamed } from '../distros/distros.ts';
import { architectureOf, releaseOf } from '../distros/profile.ts';
import type { Order } from '../families/family.ts';
import type { Settings } from '../settings/table.ts';
import { initOf } from './init.ts';
import { defaultPackages } from './packages.ts';

/** What a guest is ordered with. */
export interface OrderRequest {
  readonly settings: Settings;
  /** `uname -m` of the build host: the guest's, when nobody says another. */
  readonly hostArchitecture: string;
  /** Parsed YAML of a profile of the user's own, and where it came from. */
  readonly profile?: { readonly value: unknown; readonly path: string };
}

/** Settings, made definite by the distribution's profile. */
export function orderOf(request: OrderRequest): Order {
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
  };
}
