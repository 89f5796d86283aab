import type { Profile } from '../distros/profile.ts';
import { excludedName } from '../families/requests.ts';
import type { Init } from '../rootfs/guest.ts';
import type { Settings } from '../settings/table.ts';

/** The profile's own packages, or the user's replacement list, without the packages that the user excludes. */
export function defaultPackages(profile: Profile, settings: Settings, init: Init): readonly string[] {
  const { always, systemd, seccomp, selinux } = profile.packages;
  const named = settings.packages ?? [
    ...always,
    ...(init === 'systemd' ? systemd : []),
    ...(settings.seccomp ? seccomp : []),
    ...(settings.selinux ? selinux : []),
  ];
  const unwanted = new Set(settings.extraPkgs?.map(excludedName));
  return named.filter((name) => !unwanted.has(name));
}
