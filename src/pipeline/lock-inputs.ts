import { basename, resolve } from 'node:path';
import { completeDigests } from '../artefacts/digests.ts';
import { openArtefact } from '../artefacts/open.ts';
import type { OpenOptions } from '../artefacts/probe.ts';
import { digestOf } from '../bytes/digest.ts';
import { withoutSlashes } from '../bytes/ending.ts';
import { hostFile } from '../bytes/file.ts';
import { hostStat } from '../bytes/host-directory.ts';
import { STDOUT } from '../bytes/pour.ts';
import { includesIn } from '../dracut/includes.ts';
import { BuildError } from '../errors/error.ts';
import { hexOf } from '../formats/oci/manifest.ts';
import { isReference, type RegistryReference, referenceOf, shownReference } from '../formats/oci/reference.ts';
import type { LockedInput } from '../lock/lock.ts';
import { isKeepFile, type KeepList } from '../rootfs/chisel/list.ts';
import { roleOf } from '../settings/role.ts';
import { flagOf, SETTING_KEYS, type SettingKey, type Settings } from '../settings/table.ts';
import { TreeDigest } from '../tree/digest.ts';
import { readDirectory } from '../tree/directory-read.ts';
import { type Inode, kindOf } from '../tree/inode.ts';

/** A file or folder that a build reads. */
export interface InputPath {
  /** The setting that names it; `source` for an existing rootfs. */
  readonly setting: SettingKey | 'source';
  readonly path: string;
  /** The file that names it, where the setting does not. */
  readonly by?: string;
}

/** Every file and folder that a build reads besides packages, in the order of the settings. */
export function inputPathsOf({
  settings,
  source,
  keep,
}: {
  readonly settings: Settings;
  readonly source?: string;
  readonly keep?: KeepList;
}): InputPath[] {
  const found: InputPath[] = source === undefined ? [] : [{ setting: 'source', path: source }];
  for (const setting of SETTING_KEYS) {
    if (roleOf(setting) !== 'input') continue;
    const value = settings[setting] as string | readonly string[] | undefined;
    for (const path of value === undefined ? [] : typeof value === 'string' ? [value] : value)
      if (!isWord(setting, path)) found.push({ setting, path });
    if (setting === 'keep') for (const { path, by } of keep?.lists ?? []) found.push({ setting, path, by });
  }
  for (const path of includesIn(settings.dracutOptions ?? '')) found.push({ setting: 'dracutOptions', path });
  return found;
}

/** True for values of a setting that name no file: they are in a lock as they are. */
export function isWord(setting: SettingKey, value: unknown): boolean {
  return (setting === 'agent' && value === 'demo') || (setting === 'keep' && !isKeepFile(String(value)));
}

/** An input as a lock keeps it. No time stamp later than `epoch` has an influence. */
export async function lockedInput(
  { setting, path, by }: InputPath,
  epoch: number,
  host: OpenOptions,
): Promise<LockedInput> {
  if (path === STDOUT)
    throw new BuildError(
      'LOCK_MISSING',
      { reason: 'standard input cannot be locked: nobody can read it again' },
      { hint: 'write it to a file first, and name that' },
    );
  if (setting === 'sysroot' && resolve(path) === '/')
    throw new BuildError(
      'LOCK_MISSING',
      { reason: 'this machine cannot be locked: nobody has it elsewhere' },
      { hint: 'name a folder or an archive with a system as `sysroot`' },
    );
  if (isReference(path)) return lockedImage(setting, path, host);
  const name = basename(withoutSlashes(path, '/\\'));
  const flag = setting === 'source' ? setting : flagOf(setting);
  const stat = hostStat(withoutSlashes(path, '/\\'), '');
  const folder = stat !== undefined && isFolder(path);
  const sha256 = folder
    ? await folderDigest(path, {
        owners: setting === 'source' || setting === 'sysroot',
        // every file that dracut's modules take gets the time of the guest
        until: setting === 'sysroot' ? undefined : epoch,
      })
    : await digestOf(hostFile(path));
  return { setting: flag, name, sha256, kind: folder ? 'folder' : 'file', ...(by === undefined ? {} : { by }) };
}

/** What a reference names, by the digest of its manifest. */
async function lockedImage(setting: InputPath['setting'], path: string, host: OpenOptions): Promise<LockedInput> {
  const { digest } = await openArtefact(path, host);
  const reference = referenceOf(path);
  if (digest === undefined)
    throw new BuildError(
      'LOCK_MISSING',
      { reason: `${path} has no manifest that a lock could name` },
      { hint: 'name its file without docker-archive:' },
    );
  const { registry, name } = reference as RegistryReference;
  const flag = setting === 'source' ? setting : flagOf(setting);
  return {
    ...{ setting: flag, sha256: hexOf(digest), kind: 'image' },
    name: reference.kind === 'registry' ? shownReference({ registry, name, digest }) : basename(reference.path),
  };
}

/** True for a folder; a link to one is followed. */
function isFolder(path: string): boolean {
  try {
    const stat = hostStat(path, '.');
    return stat !== undefined && kindOf(stat.mode) === 'directory';
  } catch {
    return false;
  }
}

/** What counts of a folder besides names, kinds, modes, attributes and contents. */
interface Counted {
  /** Owners: a guest keeps those of an existing rootfs and of a system only. */
  readonly owners: boolean;
  /** Times up to this one, in Unix seconds; undefined where a guest keeps none. */
  readonly until: number | undefined;
}

/** SHA-256 over a folder's listing and contents. */
async function folderDigest(path: string, { owners, until }: Counted): Promise<string> {
  const tree = readDirectory(path, owners ? {} : { owner: { uid: 0, gid: 0 } });
  await completeDigests(tree);
  const digest = new TreeDigest();
  const numbers = new Map<Inode, number>();
  for (const { path: at, inode } of tree.walk()) {
    const seen = numbers.get(inode);
    if (seen !== undefined) {
      digest.link(at, seen);
      continue;
    }
    numbers.set(inode, numbers.size);
    const { nanoseconds, ...rest } = inode;
    const mtime = Math.min(inode.mtime, until ?? 0);
    // what is packed as it is keeps the parts of its newest second
    const isWhole = until !== undefined && (owners ? inode.mtime <= until : inode.mtime < until);
    digest.add(at, { ...rest, mtime, ...(isWhole && nanoseconds !== undefined ? { nanoseconds } : {}) });
  }
  return Buffer.from(digest.value()).toString('hex');
}
