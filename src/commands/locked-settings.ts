import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { readRegular, SMALL_FILE_LIMIT } from '../bytes/regular.ts';
import { includesIn, withIncludes } from '../dracut/includes.ts';
import { BuildError } from '../errors/error.ts';
import { isRemote, referenceOf } from '../formats/oci/reference.ts';
import { type Lock, readLockFile } from '../lock/lock.ts';
import { namesFile } from '../pipeline/lock.ts';
import { isWord } from '../pipeline/lock-inputs.ts';
import type { Gathered } from '../settings/gather.ts';
import { roleOf } from '../settings/role.ts';
import { flagOf, rowOf, SETTING_KEYS, type SettingKey, type Settings } from '../settings/table.ts';

/** Reads a lock file. Throws `READ_FAILED` and `LOCK_INVALID`. */
export function readLock(path: string): Lock {
  return readLockFile(path, (file) => readRegular(file, SMALL_FILE_LIMIT));
}

/**
 * Settings completed by a lock: what was not given anywhere is as the lock says. Files and folders that the lock names
 * are taken from its own folder, or from the current one, where they have the name that the lock knows.
 */
export function settingsWithLock({ settings, given }: Pick<Gathered, 'settings' | 'given'>, path: string): Settings {
  const lock = readLock(path);
  const values: Partial<Record<SettingKey, unknown>> = { ...settings };
  const identity = { distro: lock.distribution, osVersion: lock.release, arch: lock.architecture } as const;
  for (const [key, value] of Object.entries(identity) as [SettingKey, string | undefined][])
    if (!given.has(key) && value !== undefined && !(key === 'distro' && hasProfile(lock, given))) values[key] = value;
  const byFlag = new Map(SETTING_KEYS.map((key) => [flagOf(key), key]));
  for (const [flag, value] of Object.entries(lock.settings)) {
    const key = byFlag.get(flag);
    const reject = (reason: string) => new BuildError('LOCK_INVALID', { path, reason: `settings.${flag}: ${reason}` });
    if (key === undefined) throw reject('this version has no such setting');
    if (given.has(key)) continue;
    const role = roleOf(key);
    if (role === 'run' || role === 'identity') throw reject('a lock does not keep it');
    try {
      values[key] = rowOf(key).kind.fromConfig(value);
      rejectPaths(key, values[key]);
      values[key] = besideLock(key, values[key], path);
    } catch (error) {
      throw reject((error as Error).message);
    }
  }
  for (const [flag, key] of byFlag) {
    if (roleOf(key) !== 'input' || given.has(key)) continue;
    const files = lock.inputs
      .filter((one) => one.setting === flag && one.by === undefined)
      .map(({ name }) => fileNamed(name, path));
    if (files.length === 0) continue;
    if (files.includes(undefined)) {
      // without it the guest would be made of packages, or of this machine
      if (key === 'sysroot') rejectMissing(lock, flag);
      continue;
    }
    values[key] = rowOf(key).kind.name === 'list' ? files : files[0];
  }
  return values as Settings;
}

/**
 * Throws for a value that names a file of this machine: a lock may come from anybody, and would bring that file into the
 * guest. Files are among its inputs, with their digests and without a folder.
 */
function rejectPaths(key: SettingKey, value: unknown): void {
  const named =
    roleOf(key) === 'input'
      ? [value].flat().filter((one) => !isWord(key, one))
      : key === 'dracutOptions'
        ? includesIn(String(value)).filter((name) => /[/\\\0]/.test(name) || name === '.' || name === '..')
        : [];
  if (named.length > 0) throw new Error(`"${named[0]}" is not among the inputs, or has a folder`);
}

/** A value in which names of files, which have no folder in a lock, are paths of the files beside the lock. */
function besideLock(key: SettingKey, value: unknown, lock: string): unknown {
  const pathOf = (name: string): string | undefined => fileNamed(name.replace(/^\.\//, ''), lock);
  if (key === 'dracutOptions') return withIncludes(String(value), (name) => pathOf(name) ?? name);
  if (roleOf(key) !== 'packages' || !Array.isArray(value)) return value;
  return (value as string[]).map((one) => {
    const found = namesFile(key, one) ? pathOf(one) : undefined;
    return found === undefined ? one : isAbsolute(found) ? found : `./${found}`;
  });
}

function rejectMissing({ inputs }: Lock, flag: string): never {
  const { name, sha256 } = inputs.find(({ setting }) => setting === flag)!;
  throw new BuildError('LOCK_INPUT_MISSING', { setting: flag, name, sha256 });
}

function hasProfile(lock: Lock, given: Gathered['given']): boolean {
  return given.has('profile') || lock.inputs.some(({ setting }) => setting === 'profile');
}

/** A file that a lock names, beside the lock or in the current folder. */
export function fileNamed(name: string, lock: string): string | undefined {
  // something in a registry has its digest in its name
  if (isRemote(name) && referenceOf(name).digest !== undefined) return name;
  // a lock may come from anybody: its names lead nowhere else
  if (/[/\\\0]/.test(name) || name === '.' || name === '..') return undefined;
  return [join(dirname(lock), name), name].find((path) => existsSync(path));
}
