import { BuildError } from '../errors/error.ts';
import { familyOf } from '../families/families.ts';
import type { Host } from '../fetch/host.ts';
import { type Lock, type LockedPackage, lockOfPart, lockText } from '../lock/lock.ts';
import { flagOf } from '../settings/table.ts';
import { withPackages } from './lock-packages.ts';
import { lock as makeLock } from './make-lock.ts';
import { orderOf } from './order.ts';
import type { BuildRequest } from './request.ts';

type Request = Omit<BuildRequest, 'outputs'>;

/** Packages of a ring that are tried one by one. */
const NARROWED = 40;

/** Errors of a resolver that says no: another package has to move as well. */
const UNSOLVABLE: readonly string[] = [
  ...['UNSATISFIABLE', 'APK_UNSOLVABLE', 'RPM_UNSOLVABLE', 'PACKAGE_VERSION_NOT_FOUND', 'PACKAGE_NOT_FOUND'],
];

/**
 * A lock in which the packages of some names are chosen anew, and what must move with them; all others stay. First every
 * other package is held at its version; when that cannot be solved, those that need a moved one, or are needed by one, are
 * let go, ring by ring, and held again one by one where that is possible. Throws `PACKAGE_ABSENT` for a name that is in neither lock, and what the resolver throws when a
 * package has to stay at a version that repositories no longer have. Where nothing moves, the outputs of the lock stay as well.
 */
export async function updateLock(request: Request, old: Lock, names: readonly string[], host: Host): Promise<Lock> {
  const updated = await updatedLock(request, old, names, host);
  return lockText({ ...updated, outputs: [] }) === lockText({ ...old, outputs: [] }) ? old : updated;
}

async function updatedLock(request: Request, old: Lock, names: readonly string[], host: Host): Promise<Lock> {
  const fresh = await makeLock(request, host);
  if (names.length === 0) return fresh;
  for (const name of names)
    if (![...old.packages, ...fresh.packages].some((one) => one.name === name))
      throw new BuildError('PACKAGE_ABSENT', { name, where: 'the lock' });
  const installed = [lockOfPart(old, undefined), lockOfPart(fresh, undefined)] as const;
  const isNamed = (part: LockedPackage['part']) =>
    [...old.packages, ...fresh.packages].some((one) => one.part === part && names.includes(one.name));
  const without = { ...request, settings: { ...request.settings, kernelPackage: undefined } };
  const guest = isNamed(undefined) ? await updateGuest(without, ...installed, names, host) : installed[0];
  // a kernel moves as a whole
  const isOther = old.settings[flagOf('kernelPackage')] !== fresh.settings[flagOf('kernelPackage')];
  const from = isNamed('kernel') || isOther ? fresh : old;
  return { ...fresh, ...withPackages(guest, from.repositories, lockOfPart(from, 'kernel').packages) };
}

/** The lock of a guest's own packages, in which those of some names are chosen anew. */
async function updateGuest(
  request: Request,
  old: Lock,
  fresh: Lock,
  names: readonly string[],
  host: Host,
): Promise<Lock> {
  const before = byName(old.packages);
  const after = byName(fresh.packages);
  const family = await familyOf(orderOf(request));
  const differing = old.packages.filter((one) => after.has(one.name) && after.get(one.name)!.version !== one.version);
  const attempt = (free: ReadonlySet<string>): Promise<Lock> => {
    const held = differing.filter((one) => !free.has(one.name));
    const pins = held.map(({ name, version }) => family.pinned(name, version));
    const { settings } = request;
    const extraPkgs = [...(settings.extraPkgs ?? []), ...pins];
    return makeLock({ ...request, settings: { ...settings, extraPkgs } }, host);
  };
  const solved = async (free: ReadonlySet<string>): Promise<Lock | BuildError> => {
    try {
      return await attempt(free);
    } catch (error) {
      if (error instanceof BuildError && UNSOLVABLE.includes(error.code)) return error;
      throw error;
    }
  };
  let moved: Set<string> = new Set(names);
  let made = await solved(moved);
  while (made instanceof BuildError) {
    const wider = ring(moved, [...old.packages, ...fresh.packages]);
    if (wider.size === moved.size) throw made;
    moved = wider;
    made = await solved(moved);
  }
  // of a ring often one package only has to move: the others are held again, as long as that is solved
  const candidates = differing.filter(({ name }) => moved.has(name) && !names.includes(name)).slice(0, NARROWED);
  for (const { name } of candidates) {
    const fewer = new Set([...moved].filter((one) => one !== name));
    const found = await solved(fewer);
    if (found instanceof BuildError) continue;
    moved = fewer;
    made = found;
  }
  return { ...made, packages: made.packages.map((one) => withReason(one, before, after)) };
}

function byName(packages: readonly LockedPackage[]): Map<string, LockedPackage> {
  return new Map(packages.map((one) => [one.name, one]));
}

/** A package that was held by its version is there for the reason that it had. */
function withReason(
  one: LockedPackage,
  before: ReadonlyMap<string, LockedPackage>,
  after: ReadonlyMap<string, LockedPackage>,
): LockedPackage {
  const known = before.get(one.name) ?? after.get(one.name);
  if (known === undefined) return one;
  const { by: _, ...rest } = one;
  return { ...rest, reason: known.reason, ...(known.by === undefined ? {} : { by: known.by }) };
}

/** The moved packages with those that need one of them or are needed by one. */
function ring(moved: ReadonlySet<string>, packages: readonly LockedPackage[]): Set<string> {
  const wider = new Set(moved);
  for (const { name, by } of packages) {
    if (by === undefined) continue;
    if (moved.has(by)) wider.add(name);
    if (moved.has(name)) wider.add(by);
  }
  return wider;
}
