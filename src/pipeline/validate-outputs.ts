import { accessSync, constants, lstatSync, realpathSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { type Place, placesOf } from '../artefacts/outputs.ts';
import { withoutSlashes } from '../bytes/ending.ts';
import { STDOUT } from '../bytes/pour.ts';
import { reading, reasonOf } from '../bytes/reason.ts';
import { BuildError } from '../errors/error.ts';
import { manifestPath } from '../tree/directory-manifest.ts';
import { expectReplaceable } from '../tree/directory-write.ts';
import { inputPathsOf } from './lock-inputs.ts';
import type { BuildRequest } from './request.ts';

/**
 * Checks where outputs go, before anything is fetched: each can be written, no two are the same, and none replaces or
 * is inside what the build reads. Paths are compared after resolving links, not by name.
 */
export function validateOutputs(request: BuildRequest): void {
  checkPlaces(writtenBy(request), inputPaths(request), { force: request.settings.force ?? false });
}

/** What decides on the paths that a build writes. */
type Written = Pick<BuildRequest, 'outputs' | 'settings' | 'kernel'>;

function writtenBy({ outputs, settings, kernel }: Written): Place[] {
  const places = outputs.flatMap((output) => placesOf(output, settings));
  for (const [key, what] of [
    ['sbom', 'the bill of materials'],
    ['provenance', 'the provenance'],
    ['referenceValues', 'the reference values'],
  ] as const) {
    const path = settings[key];
    if (path !== undefined) places.push({ path, what, folder: false });
  }
  if (kernel !== undefined) places.push({ path: kernel, what: 'the kernel', folder: false });
  return places;
}

/**
 * Rejects builds of one run of which one would replace what another one wrote, or write into its folder: `SETTING_CONFLICT`.
 * What each writes by itself, {@link validateOutputs} checks.
 */
export function rejectSharedPlaces(builds: readonly (Written & { readonly name: string })[]): void {
  const owners = new Map<string, string>();
  const folders = new Map<string, string>();
  const all = builds.flatMap((build) => writtenBy(build).map((place) => ({ name: build.name, place })));
  const reject = (other: string, name: string, { what, path }: Place, where: string): never => {
    throw new BuildError(
      'SETTING_CONFLICT',
      { reason: `the guests ${other} and ${name} both write ${where} (${what}${where === path ? '' : ` ${path}`})` },
      {
        hint:
          what === 'root hash'
            ? 'give each guest a folder of its own, or a name in the file’s: `build-variant: "{guest}"`'
            : 'put {guest} into the path',
      },
    );
  };
  for (const { name, place } of all)
    for (const identity of identities(place)) {
      const other = owners.get(identity) ?? name;
      if (other !== name && identity !== STDOUT) reject(other, name, place, place.path);
      owners.set(identity, name);
      if (place.folder) folders.set(canonical(place.path), place.path);
    }
  if (folders.size === 0) return;
  for (const { name, place } of all) {
    if (place.path === STDOUT) continue;
    for (let at = dirname(canonical(place.path)); at !== dirname(at); at = dirname(at)) {
      const owner = folders.has(at) ? owners.get(at.toLowerCase()) : undefined;
      if (owner !== undefined && owner !== name) reject(owner, name, place, folders.get(at)!);
    }
  }
}

/** {@link validateOutputs} for a command that writes one tree of `source` to `path`, or something else about it. */
export function validateTarget(
  path: string,
  folder: boolean,
  source: string,
  { force, what = 'rootfs' }: { readonly force: boolean; readonly what?: string },
): void {
  checkPlaces([{ path, what, folder }], [{ path: source, whole: true }], { force });
}

/** {@link validateOutputs} for the lock of a request: it is no output that the lock itself would name. */
export function validateLockPlace(request: BuildRequest, path: string): void {
  const outputs = request.outputs.map((one) => ({ path: one.path, what: one.kind, folder: one.kind === 'rootfs' }));
  const place = { path, what: 'the lock', folder: false };
  rejectSamePlace([...outputs.filter((one) => one.path !== STDOUT), place]);
  for (const input of inputPaths(request)) rejectInput(place, input);
}

function checkPlaces(places: readonly Place[], inputs: readonly Input[], how: { readonly force: boolean }): void {
  rejectSamePlace(places);
  for (const place of places) {
    // inputs first: overwriting an input is worse than an invalid path
    for (const input of inputs) rejectInput(place, input);
    checkWritable(place, how);
  }
}

/** A file or folder that is read. */
interface Input {
  readonly path: string;
  /** All that is in a folder is read; else only what is asked for, as of a system. */
  readonly whole: boolean;
}

/** Folders of which only some files are read: an output in them is none of these. */
const IN_PART = new Set<string>(['sysroot', 'dracutConfDir']);

/** Every file and folder that the request reads. */
function inputPaths(request: BuildRequest): Input[] {
  const { settings, profile, readFrom, extension } = request;
  const others = [
    profile?.path,
    ...(readFrom ?? []),
    ...(extension?.layers ?? []),
    extension?.base,
    // what a lock does not name: secrets, and where packages come from
    ...(['lock', 'verityKey', 'signKey', 'caCert'] as const).map((key) => settings[key]),
    ...(['repo', 'repoUrl', 'pin'] as const).flatMap((key) => settings[key] ?? []),
  ];
  return [
    ...inputPathsOf(request).map(({ setting, path }) => ({ path, whole: !IN_PART.has(setting) })),
    ...others.flatMap((path) => (path === undefined ? [] : [{ path, whole: true }])),
  ].filter(({ path }) => path !== STDOUT);
}

/** No two artefacts may have the same path (also through links or by case), and no output may be inside another. */
function rejectSamePlace(places: readonly Place[]): void {
  for (const [i, place] of places.entries())
    for (const other of places.slice(0, i)) {
      const both = `${other.what} and ${place.what}`;
      const [a, b] = [other, place].map((one) => identities(one));
      if (a!.some((name) => b!.includes(name)))
        throw new BuildError('SETTING_CONFLICT', { reason: `${both} cannot both be written to ${place.path}` });
      for (const [outer, inner] of [[other, place] as const, [place, other] as const])
        if (outer.folder && isInside(canonical(inner.path), canonical(outer.path)))
          throw new BuildError('SETTING_CONFLICT', {
            reason: `${both} cannot both be written: ${inner.path} is inside the folder ${outer.path}`,
          });
    }
}

/** Keys of a path: two paths collide when they share one. Case is ignored, as on the file systems of some hosts. */
function identities({ path, folder }: Place): string[] {
  if (path === STDOUT) return [STDOUT];
  const at = canonical(path);
  const found = statOf(path);
  return [
    at.toLowerCase(),
    ...(folder ? [manifestPath(at).toLowerCase()] : []),
    ...(found === undefined ? [] : [`${found.dev}:${found.ino}`]),
  ];
}

function rejectInput({ path, folder }: Place, { path: input, whole }: Input): void {
  if (path === STDOUT) return;
  const read = statOf(input);
  const there = statOf(path);
  if (read === undefined || (there !== undefined && !there.isFile() && !there.isDirectory())) return;
  if (there !== undefined && there.dev === read.dev && there.ino === read.ino)
    throw new BuildError('OUTPUT_IS_INPUT', { path, input });
  const [output, source] = [canonical(path), canonical(input)];
  if (whole && read.isDirectory() && isInside(output, source))
    throw new BuildError('OUTPUT_INSIDE_INPUT', { path, input });
  if (folder && isInside(source, output)) throw new BuildError('INPUT_INSIDE_OUTPUT', { path, input });
  if (folder && manifestPath(output) === source) throw new BuildError('OUTPUT_IS_INPUT', { path, input });
}

function checkWritable({ path, folder }: Place, how: { readonly force: boolean }): void {
  if (path === STDOUT) return;
  const fail = (reason: string): never => {
    throw new BuildError('WRITE_FAILED', { path, reason });
  };
  const there = statOf(path);
  if (there !== undefined && !there.isFile() && !there.isDirectory()) {
    if (folder) fail('expected a folder');
    permitted(path, path, constants.W_OK); // a pipe or a device: no temporary file is created beside it
    return;
  }
  if (!folder && (there?.isDirectory() || path.endsWith('/'))) fail('is a directory, expected a file');
  if (folder && there !== undefined && !there.isDirectory()) fail('is a file, expected a folder');
  if (folder) expectReplaceable(path, how);
  // missing parents are created, below the first that exists
  let parent = dirname(resolve(path));
  while (lstatOf(parent) === undefined && parent !== dirname(parent)) parent = dirname(parent);
  if (!statOf(parent)?.isDirectory()) fail(`${parent} is not a directory`);
  permitted(path, parent, constants.W_OK | constants.X_OK);
}

function permitted(path: string, at: string, mode: number): void {
  try {
    accessSync(at, mode);
  } catch (cause) {
    throw new BuildError('WRITE_FAILED', { path, reason: `${reasonOf(cause)} in ${at}` }, { cause });
  }
}

function isInside(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/** The path with links in its parents resolved; parents that do not exist are kept. */
function canonical(path: string): string {
  const full = resolve(path);
  const rest: string[] = [];
  for (let at = full; ; at = dirname(at)) {
    try {
      return join(realpathSync(at), ...rest);
    } catch {
      if (at === dirname(at)) return full;
      rest.unshift(basename(at));
    }
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(withoutSlashes(path), { throwIfNoEntry: false });
  } catch {
    return undefined; // opening it reports the problem
  }
}

function lstatOf(path: string): Stats | undefined {
  return reading(path, () => lstatSync(path, { throwIfNoEntry: false }));
}
