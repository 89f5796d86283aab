import { profileFrom, profileNamed } from '../distros/distros.ts';
import { architectureOf, type Profile, releaseOf } from '../distros/profile.ts';
import { BuildError } from '../errors/error.ts';
import type { Report } from '../events/events.ts';
import type { ScriptReport } from '../packages/family.ts';
import type { Init } from '../rootfs/guest.ts';
import type { Settings } from '../settings/table.ts';
import type { Doors } from './doors.ts';
import { initOf } from './init.ts';
import type { Order, Supplier, Supply } from './supply.ts';

/** What a guest is ordered with. */
export interface OrderRequest {
  readonly settings: Settings;
  /** `uname -m` of the build host: the guest's, when nobody says another. */
  readonly hostArchitecture: string;
  /** Parsed YAML of a profile of the user's own, and where it came from. */
  readonly profile?: { readonly value: unknown; readonly path: string };
}

/** Decides on the packages of a guest, without fetching one. */
export async function plan(request: OrderRequest, doors: Doors): Promise<Supply> {
  return supplyOf(orderOf(request), doors);
}

/** What a plan with a look at the scripts tells. */
export interface StudiedPlan {
  readonly supply: Supply;
  readonly scripts: readonly ScriptReport[];
}

/**
 * Decides on the packages of a guest, fetches and unpacks them into the cache, and follows their scripts over a tree that
 * is thrown away: the very same code as a build's, so that what it tells is what a build will do.
 */
export async function study(request: OrderRequest, doors: Doors): Promise<StudiedPlan> {
  const { settings } = request;
  const messages: string[] = [];
  const report: Report = (event) => {
    if (event.kind === 'warning') messages.push(event.message);
    doors.report(event);
  };
  const supply = await plan(request, { ...doors, report });
  const { scripts } = await supply.assemble(settings.sourceDateEpoch ?? supply.date);
  if (settings.strict && messages.length > 0) throw new BuildError('STRICT', { count: messages.length, messages });
  return { supply, scripts };
}

/** The packages for an order, from whichever family its distribution belongs to. */
export async function supplyOf(order: Order, doors: Doors): Promise<Supply> {
  const { family } = order.profile;
  const suppliers: Readonly<Record<string, () => Promise<Supplier>>> = {
    apt: async () => (await import('./supply-apt.ts')).supplyApt,
    apk: async () => (await import('./supply-apk.ts')).supplyApk,
  };
  const supplier = suppliers[family];
  if (supplier === undefined)
    throw new BuildError('NOT_SUPPORTED', {
      what: order.profile.name,
      reason: `packages of the ${family} family are not read yet`,
    });
  return (await supplier())(order, doors);
}

/** Settings, made definite by the distribution's profile. */
export function orderOf(request: OrderRequest): Order {
  const { settings } = request;
  const profile =
    request.profile === undefined
      ? profileNamed(settings.distro ?? 'ubuntu')
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

/** The package that a request keeps out: `name-` in apt's words, `!name` in apk's; undefined when it asks for one. */
export function excludedName(request: string): string | undefined {
  return /^!(.+)$/.exec(request)?.[1] ?? /^([^?=/:]*[^?=/:-])-$/.exec(request)?.[1];
}

/** The profile's own packages, or those the user gave instead, without those that the user keeps out. */
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
