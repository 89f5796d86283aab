import { basename } from 'node:path';
import type { OpenOptions } from '../artefacts/probe.ts';
import { withoutSlashes } from '../bytes/ending.ts';
import type { Poured } from '../bytes/pour.ts';
import { unameOf } from '../distros/uname.ts';
import { withIncludes } from '../dracut/includes.ts';
import { BuildError } from '../errors/error.ts';
import { type Report, warning } from '../events/events.ts';
import type { Order, Plan } from '../families/family.ts';
import type { Host } from '../fetch/host.ts';
import { LOCK_FORMAT, type Lock, type LockedOutput, type LockedValue, readLockFile } from '../lock/lock.ts';
import { isFileRequest } from '../lock/places.ts';
import type { KeepList } from '../rootfs/chisel/list.ts';
import type { Init } from '../rootfs/guest.ts';
import { roleOf } from '../settings/role.ts';
import { flagOf, rowOf, SETTING_KEYS, type SettingKey, type Settings } from '../settings/table.ts';
import { inputPathsOf, isWord, lockedInput } from './lock-inputs.ts';
import { lockedPackages, withoutCredentials } from './lock-packages.ts';
import type { Written } from './write.ts';

/** Name of this program in lock files. */
const TOOL = 'osbuilder';

/** The lock file that a request names. Throws `READ_FAILED`, `LOCK_INVALID`, and `LOCK_MISSING` for `frozen` without one. */
export function lockOf(settings: Settings, host: Pick<Host, 'readFile'>): Lock | undefined {
  if (settings.lock === undefined) {
    if (settings.frozen)
      throw new BuildError(
        'LOCK_MISSING',
        { reason: '`frozen` builds what a lock says, and there is no lock' },
        { hint: 'name one with `lock`; osbuilder lock makes one' },
      );
    return undefined;
  }
  return readLockFile(settings.lock, host.readFile);
}

/** What a lock is made of. */
export interface LockParts {
  readonly settings: Settings;
  readonly source?: string;
  readonly keep?: KeepList;
  readonly version: string;
  readonly order: Order | undefined;
  readonly init: Init;
  readonly epoch: number;
  readonly plan: Plan | undefined;
  /** The packages that a kernel is taken from. */
  readonly kernelPlan?: Plan | undefined;
  /** A kernel that was written beside the outputs. */
  readonly kernelFile?: Poured | undefined;
  readonly outputs: readonly Written[];
}

/** The lock of a build, or of a plan. Fetches the packages whose SHA-256 no metadata says. */
export async function makeLock(parts: LockParts, host: Host): Promise<Lock> {
  const { settings, order, plan, kernelPlan, kernelFile, epoch } = parts;
  const { repositories, packages } =
    plan === undefined ? { repositories: [], packages: [] } : await lockedPackages(plan, kernelPlan, order!, host);
  const inputs = [];
  for (const one of inputPathsOf(parts)) inputs.push(await lockedInput(one, epoch, host));
  return {
    format: LOCK_FORMAT,
    tool: { name: TOOL, version: parts.version },
    ...(order === undefined
      ? // partitions of a disk may have types of an architecture that nothing in the rootfs says
        settings.arch === undefined
        ? {}
        : { architecture: unameOf(settings.arch) }
      : {
          distribution: order.profile.name,
          release: order.release.name,
          architecture: order.architecture.uname,
          family: order.profile.family,
        }),
    init: parts.init,
    epoch,
    settings: lockedSettings(settings),
    ...{ repositories, packages, inputs },
    outputs: [...parts.outputs.map(outputRow), ...(kernelFile === undefined ? [] : [fileRow('kernel', kernelFile)])],
  };
}

function outputRow({ kind, path, size, sha256, verity }: Written): LockedOutput {
  if (kind === 'extension')
    throw new BuildError('NOT_SUPPORTED', { what: 'a lock of an extension', reason: 'locks are about guests' });
  const rootHash = verity === undefined ? {} : { rootHash: verity.rootHash };
  return { ...fileRow(kind, { path, size, sha256 }), ...rootHash };
}

function fileRow(kind: LockedOutput['kind'], { path, size, sha256 }: Poured): LockedOutput {
  return { kind, name: basename(withoutSlashes(path)), size, sha256 };
}

/** Settings for a lock, by flag: those that have an influence and not their default value. */
export function lockedSettings(settings: Settings): Record<string, LockedValue> {
  const found: Record<string, LockedValue> = {};
  for (const key of SETTING_KEYS) {
    const value = lockedValue(key, settings);
    if (value !== undefined) found[flagOf(key)] = value;
  }
  return found;
}

/** Lists that mean none of all when they are empty, and another choice when they are left out. */
const EMPTY_ACTS: ReadonlySet<SettingKey> = new Set(['packages', 'drivers', 'fsOptions']);

function lockedValue(key: SettingKey, settings: Settings): LockedValue | undefined {
  const role = roleOf(key);
  const value: LockedValue | undefined = settings[key];
  if (value === undefined || value === rowOf(key).fallback) return undefined;
  if (Array.isArray(value) && value.length === 0) return EMPTY_ACTS.has(key) ? value : undefined;
  if (role === 'input') {
    if (!Array.isArray(value)) return isWord(key, value) ? value : undefined;
    const words = value.filter((one) => isWord(key, one));
    return words.length === 0 ? undefined : words;
  }
  // names of files have no folders: those are of this machine
  if (key === 'dracutOptions') return withIncludes(String(value), (path) => basename(path));
  if (role === 'packages' && Array.isArray(value)) return value.map((one) => withoutFolder(key, one));
  if (role === 'guest' || role === 'output' || role === 'packages') return value;
  if (role !== 'place') return undefined;
  // a folder of this machine means nothing elsewhere
  if (!Array.isArray(value)) return value;
  const kept = value.filter((one) => !isLocal(one)).map((one) => withoutCredentials(one));
  return kept.length === 0 ? undefined : kept;
}

/** A request without the folder of the file that it names; files are found beside the lock. */
function withoutFolder(key: SettingKey, request: string): string {
  return namesFile(key, request) ? `./${basename(request)}` : request;
}

/** True for a value of a setting that decides on packages, and is the path of a file: of a package, or of pins. */
export function namesFile(key: SettingKey, value: string): boolean {
  return isFileRequest(value) || (key === 'pin' && !/^\s*[a-z-]+\s*:/i.test(value));
}

/** True for a value that names a file or folder of the build host, in any of the places where a repository may stand. */
function isLocal(text: string): boolean {
  const rest = text.trim().replace(/^(?:deb\s+)?(?:\[[^\]]*\]\s*)?(?:@\S+\s+)?/, '');
  return /^(?:file|copy):/i.test(rest) || /^[.~]{0,2}[/\\]/.test(rest) || /^[^\s:]+\/|\.repo$/.test(rest);
}

/** What is known when a lock is checked. */
export interface LockedBuild {
  readonly settings: Settings;
  readonly source?: string;
  readonly keep?: KeepList;
  /** Version of this program, where it is known. */
  readonly version?: string;
}

/**
 * Checks that a build is the one of a lock, before anything is fetched: the same guest, the same inputs, and with
 * `frozen` the same settings. Throws `LOCK_DIFFERENT_GUEST`, `LOCK_INPUT_CHANGED`, `LOCK_INPUT_UNKNOWN`,
 * `LOCK_INPUT_MISSING`, `LOCK_SETTING_CHANGED`.
 */
export async function checkLock(
  lock: Lock,
  build: LockedBuild,
  order: Order | undefined,
  host: OpenOptions & { readonly report: Report },
): Promise<void> {
  checkPlan(lock, build, order, host.report);
  await checkInputs(lock, build, host);
}

/** {@link checkLock} without the inputs, which have no influence on a plan. */
export function checkPlan(lock: Lock, build: LockedBuild, order: Order | undefined, report: Report): void {
  checkGuest(lock, build, order);
  // the same settings may give other bytes in another version
  if (build.version !== undefined && lock.tool.version !== build.version)
    report(warning('LOCK_VERSION', { locked: lock.tool.version, version: build.version }));
  checkSettings(lock, build, report);
}

/** Checks that an order is for the guest of a lock. */
function checkGuest(lock: Lock, { settings }: LockedBuild, order: Order | undefined): void {
  const path = settings.lock ?? 'the lock';
  const expect = (what: string, locked: string | undefined, wanted: string | undefined): void => {
    if (locked === wanted) return;
    const none = 'an existing rootfs';
    throw new BuildError('LOCK_DIFFERENT_GUEST', { path, what, locked: locked ?? none, wanted: wanted ?? none });
  };
  expect('the distribution', lock.distribution, order?.profile.name);
  expect('the release', lock.release, order?.release.name);
  const given = settings.arch === undefined ? lock.architecture : unameOf(settings.arch);
  const architecture = order?.architecture.uname ?? (lock.architecture === undefined ? undefined : given);
  expect('the architecture', lock.architecture, architecture);
  expect('packages of the family', lock.family, order?.profile.family);
}

function checkSettings(lock: Lock, { settings }: LockedBuild, report: Report): void {
  const idle: string[] = [];
  for (const key of SETTING_KEYS) {
    const role = roleOf(key);
    if (role !== 'guest' && role !== 'output' && role !== 'packages' && key !== 'agent') continue;
    const [locked, given] = [lock.settings[flagOf(key)], lockedValue(key, settings)];
    if (JSON.stringify(locked) === JSON.stringify(given)) continue;
    // a lock names the packages of one kernel
    if (key === 'kernelPackage') throw changed(key, locked, given);
    if (settings.frozen && !(key === 'agent' && given === undefined && settings.agent !== undefined))
      throw changed(key, locked, given);
    if (role === 'packages') idle.push(`"${flagOf(key)}"`);
  }
  if (settings.frozen && settings.sourceDateEpoch !== undefined && settings.sourceDateEpoch !== lock.epoch)
    throw changed('sourceDateEpoch', lock.epoch, settings.sourceDateEpoch);
  if (idle.length > 0) report(warning('SETTING_UNUSED', { names: idle, reason: 'the lock names the packages' }));
}

function changed(key: SettingKey, locked: LockedValue | undefined, given: LockedValue | undefined): BuildError {
  const { fallback } = rowOf(key);
  const text = (value: LockedValue | undefined): string => {
    if (Array.isArray(value)) return `"${value.join(' ')}"`;
    if (value !== undefined) return String(value);
    return fallback === undefined ? 'left out' : String(fallback);
  };
  return new BuildError('LOCK_SETTING_CHANGED', { setting: key, locked: text(locked), given: text(given) });
}

async function checkInputs(lock: Lock, build: LockedBuild, host: OpenOptions): Promise<void> {
  const left = [...lock.inputs];
  for (const one of inputPathsOf(build)) {
    const flag = one.setting === 'source' ? one.setting : flagOf(one.setting);
    const { sha256 } = await lockedInput(one, lock.epoch, host);
    const at = left.findIndex(({ setting, by }) => setting === flag && (by === undefined) === (one.by === undefined));
    if (at < 0) {
      if (build.settings.frozen || one.setting === 'source')
        throw new BuildError('LOCK_INPUT_UNKNOWN', { setting: one.setting, path: one.path });
      continue;
    }
    const [input] = left.splice(at, 1) as [(typeof left)[number]];
    if (input.sha256 !== sha256)
      throw new BuildError('LOCK_INPUT_CHANGED', {
        setting: one.setting,
        path: one.path,
        expected: input.sha256,
        actual: sha256,
      });
  }
  const [missing] = left;
  if (missing === undefined) return;
  const { setting, name, sha256 } = missing;
  throw new BuildError('LOCK_INPUT_MISSING', { setting, name, sha256 });
}
