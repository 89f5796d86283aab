import * as v from 'valibot';
import { LAST_TIME } from '../bytes/iso-time.ts';
import { BuildError, isBuildError } from '../errors/error.ts';

/** The format of lock files that this version writes and reads. */
export const LOCK_FORMAT = 1;

/** Value of a setting in a lock. */
export type LockedValue = string | number | boolean | readonly string[];

/** A repository that packages of a lock were chosen from. */
export interface LockedRepository {
  /** In messages: the suite, or what the distribution calls it. */
  readonly name: string;
  /** Base URLs without credentials, best first; none for a folder of the build host. */
  readonly urls: readonly string[];
  /** Path from a mirror's root to the base, where the base is a part of a mirror; else left out. */
  readonly below?: string;
  readonly suite?: string;
  readonly components?: readonly string[];
  /** Tag that requests name the repository by. */
  readonly tag?: string;
  /** URL of a dated archive, with `{time}` for the time. */
  readonly snapshot?: string;
  /** What proved its list of packages. */
  readonly metadata: {
    /** Unix seconds. */
    readonly date: number;
    /** SHA-256 of the signed text (InRelease, APKINDEX.tar.gz, repomd.xml), or of what a folder has. */
    readonly sha256: string;
    /** Keys with a valid signature; empty when nobody signed it. */
    readonly signedBy: readonly string[];
  };
}

/** A package of a lock. */
export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  /** In the distribution's words. */
  readonly architecture: string;
  /** Bytes of the archive. */
  readonly size: number;
  /** Of the archive, in hex. */
  readonly sha256: string;
  /** Below the base URL of its repository, as URLs spell it; the name of the file for one of the build host. */
  readonly path: string;
  /** Number of its repository; left out for one of the build host. */
  readonly repository?: number;
  readonly reason: string;
  /** The package that needs it. */
  readonly by?: string;
  /** Tag of its repository, where it was asked for by one. */
  readonly tag?: string;
  /** What its index says of it, where the package says otherwise of itself. */
  readonly record?: string;
  /** `kernel` for a package that is not installed: only its kernel and its modules are taken. */
  readonly part?: 'kernel';
}

/** A file, folder, image or artifact that a build reads besides packages. */
export interface LockedInput {
  /** The setting that names it, as its flag: `agent`, `overlay`; `source` for an existing rootfs. */
  readonly setting: string;
  /** Last part of its path; for something in a registry its reference with its digest. */
  readonly name: string;
  /** Of a file's bytes, of a folder's listing and contents, or of the manifest of an image or artifact. */
  readonly sha256: string;
  readonly kind: 'file' | 'folder' | 'image';
  /** The file that names it, where that is not the setting itself: a list that a file of `keep` names. */
  readonly by?: string;
}

/** An output that was built when the lock was made. */
export interface LockedOutput {
  readonly kind: 'rootfs' | 'initrd' | 'image' | 'kernel';
  /** Last part of its path. */
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
  /** Root hash of the file system, where it is measured. */
  readonly rootHash?: string;
}

/** Everything that decides on the bytes of a build. */
export interface Lock {
  readonly format: typeof LOCK_FORMAT;
  readonly tool: { readonly name: string; readonly version: string };
  /** This, the release and the family are left out for a guest of an existing rootfs; its architecture unless it was given. */
  readonly distribution?: string;
  readonly release?: string;
  /** `uname -m` name. */
  readonly architecture?: string;
  readonly family?: string;
  readonly init: 'systemd' | 'agent';
  /** Unix seconds: no time stamp in an output is later. */
  readonly epoch: number;
  /** By flag without its dashes; those with their default value are left out. */
  readonly settings: Readonly<Record<string, LockedValue>>;
  readonly repositories: readonly LockedRepository[];
  /** In the order of installation, those of a kernel last. */
  readonly packages: readonly LockedPackage[];
  readonly inputs: readonly LockedInput[];
  readonly outputs: readonly LockedOutput[];
}

const Whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Time = v.pipe(Whole, v.maxValue(LAST_TIME));
const Sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in lower-case hex'));
const Text = v.pipe(v.string(), v.maxLength(1 << 16));
const Name = v.pipe(v.string(), v.nonEmpty(), v.maxLength(4096));
const Url = v.pipe(Name, v.regex(/^https?:\/\/[^@/?#]+(?:[/?#][^@]*|\/.*)?$/, 'expected a URL without credentials'));
/** A path below a URL: nothing that leads out of it, whoever decodes it. */
const Path = v.pipe(
  Name,
  v.check((text) => !/^[/\\]|^[a-z][a-z0-9+.-]*:\/\//i.test(text), 'expected a relative path'),
  v.check(
    (text) => !text.includes('\0') && !text.split(/[/\\]|%2f|%5c/i).some((part) => /^(?:\.|%2e){2}$/i.test(part)),
    'it leads out of the repository',
  ),
);

const LOCK = v.strictObject({
  format: v.literal(LOCK_FORMAT),
  tool: v.strictObject({ name: Name, version: Name }),
  distribution: v.optional(Name),
  release: v.optional(Name),
  architecture: v.optional(Name),
  family: v.optional(Name),
  init: v.picklist(['systemd', 'agent']),
  epoch: Time,
  settings: v.record(Name, v.union([Text, v.number(), v.boolean(), v.array(Text)])),
  repositories: v.array(
    v.strictObject({
      name: Name,
      urls: v.array(Url),
      below: v.optional(Path),
      suite: v.optional(Name),
      components: v.optional(v.array(Name)),
      tag: v.optional(Name),
      snapshot: v.optional(Url),
      metadata: v.strictObject({ date: Time, sha256: Sha256, signedBy: v.array(Name) }),
    }),
  ),
  packages: v.array(
    v.strictObject({
      name: Name,
      version: Name,
      architecture: Name,
      size: Whole,
      sha256: Sha256,
      path: Path,
      repository: v.optional(Whole),
      reason: Text,
      by: v.optional(Name),
      tag: v.optional(Name),
      record: v.optional(Text),
      part: v.optional(v.literal('kernel')),
    }),
  ),
  inputs: v.array(
    v.strictObject({
      setting: Name,
      name: Name,
      sha256: Sha256,
      kind: v.picklist(['file', 'folder', 'image']),
      by: v.optional(Name),
    }),
  ),
  outputs: v.array(
    v.strictObject({
      kind: v.picklist(['rootfs', 'initrd', 'image', 'kernel']),
      name: Name,
      size: Whole,
      sha256: Sha256,
      rootHash: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{40,128}$/))),
    }),
  ),
});

/** Levels of nesting that a lock never has. */
const DEEPEST = 32;

/**
 * Reads a lock file. `path` is its name in messages. Throws `LOCK_INVALID` with the place of the mistake.
 *
 * @example
 * ```ts
 * import { isBuildError, parseLock } from 'osbuilder';
 *
 * try {
 *   parseLock('{}', 'osbuilder.lock.json');
 * } catch (error) {
 *   console.log(isBuildError(error, 'LOCK_INVALID')); // prints: true
 * }
 * ```
 */
export function parseLock(text: string, path: string): Lock {
  const invalid = (reason: string, cause?: unknown) =>
    new BuildError('LOCK_INVALID', { path, reason }, cause === undefined ? {} : { cause });
  if (isTooDeep(text)) throw invalid('values are nested too deeply');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid('it is not JSON', cause);
  }
  const format = typeof value === 'object' && value !== null ? (value as { format?: unknown }).format : undefined;
  if (typeof format === 'number' && format !== LOCK_FORMAT)
    throw invalid(`its format is ${format}, and this version reads format ${LOCK_FORMAT}`);
  const result = v.safeParse(LOCK, value);
  if (!result.success) {
    const issue = result.issues[0];
    const at = (issue.path ?? []).map((part) => String(part.key)).join('.');
    throw invalid(`${at === '' ? '' : `${at}: `}${issue.message}`);
  }
  const lock = result.output as Lock;
  for (const [i, one] of lock.packages.entries())
    if (one.repository !== undefined && one.repository >= lock.repositories.length)
      throw invalid(`packages.${i}.repository: there is no repository ${one.repository}`);
  return lock;
}

/** Reads the lock file at `path` by `read`. Throws `READ_FAILED` and `LOCK_INVALID`. */
export function readLockFile(path: string, read: (path: string) => Uint8Array): Lock {
  let bytes: Uint8Array;
  try {
    bytes = read(path);
  } catch (error) {
    const missing =
      isBuildError(error, 'READ_FAILED') && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
    if (!missing) throw error;
    throw new BuildError(error.code, error.context, { cause: error.cause, hint: 'osbuilder lock makes one' });
  }
  return parseLock(Buffer.from(bytes).toString('utf8'), path);
}

/** The lock with those of its packages alone that are installed, or that a kernel is taken from. */
export function lockOfPart(lock: Lock, part: LockedPackage['part']): Lock {
  return { ...lock, packages: lock.packages.filter((one) => one.part === part) };
}

/** True when brackets are open deeper than a lock has them, so that no parser sees such a text. */
function isTooDeep(text: string): boolean {
  let open = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (quoted) {
      if (char === '\\') at++;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === '[' || char === '{') open++;
    else if (char === ']' || char === '}') open--;
    if (open > DEEPEST) return true;
  }
  return false;
}

/**
 * The text of a lock file: keys in byte order, two blanks of indentation, a newline at the end.
 *
 * @example
 * ```ts
 * import { createHost, gather, lock, lockText } from 'osbuilder';
 *
 * const host = createHost({ cacheDirectory: 'cache' });
 * const settings = gather({ flags: new Map(), environment: process.env });
 * const made = await lock({ settings, hostArchitecture: 'x86_64', version: '1.0' }, host);
 * console.log(lockText(made).startsWith('{\n  "architecture": "x86_64",\n')); // prints: true
 * await host.close();
 * ```
 */
export function lockText(lock: Lock): string {
  return sortedJson(lock);
}

/** JSON with sorted keys, two blanks of indentation and a newline at the end; what is undefined is left out. */
export function sortedJson(value: unknown): string {
  return `${JSON.stringify(sorted(value), null, 2)}\n`;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(
    entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([k, one]) => [k, sorted(one)]),
  );
}
