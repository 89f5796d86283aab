import * as v from 'valibot';
import { BuildError } from '../errors/error.ts';
import { unameOf } from './uname.ts';

/**
 * A distribution as data: one small file each. `{release}`, `{version}` and `{arch}` in URLs, suites and variables are replaced.
 * A user's own profile (YAML) has the same fields and may start with `like: NAME` to change only a few of them.
 */

/** A release of a distribution. */
export interface Release {
  /** Codename or version, as the archive spells it. */
  readonly name: string;
  /** Number, if the name is a word. */
  readonly version?: string | undefined;
  /** Aliases. */
  readonly aliases: readonly string[];
  /** Long-term support: the newest of these is the default. */
  readonly lts: boolean;
}

/** A repository of a distribution. */
export interface ProfileRepository {
  /** Its purpose: `main`, `updates`, `security`, `ports`. */
  readonly name: string;
  /** Well-known public base URLs, best first. */
  readonly urls: readonly string[];
  /** apt: the suite; apk, rpm: a folder below the URL. */
  readonly suite: string;
  readonly components: readonly string[];
  /** Only for these architectures (in the distribution's naming); else for all. */
  readonly architectures?: readonly string[] | undefined;
  /** Only for these releases; else for all. */
  readonly releases?: readonly string[] | undefined;
  /** Base URL of the archive as it was at a time; `{time}` stands for that, written as `20260131T000000Z`. */
  readonly snapshot?: string | undefined;
  /** rpm: URL of a metalink or mirror list, asked before the URLs. */
  readonly metalink: string;
  /** rpm: its metadata is signed, and must be. */
  readonly signed: boolean;
  /** rpm: path below the URL of a text file with the number that `{current}` in the suite stands for. */
  readonly current: string;
  /** Which of the build host's own archives may replace it. */
  readonly host?: 'main' | 'security' | undefined;
}

/** A symbolic link that every guest of a distribution has. */
export interface ProfileLink {
  /** Path in the guest, without a leading slash. */
  readonly path: string;
  readonly target: string;
  /** Also replaces an existing file or folder. */
  readonly replace: boolean;
  /** Only in guests that have this path. */
  readonly needs?: string | undefined;
}

/** How archives are recognised among apt sources. Patterns are regular expressions. */
export interface HostArchiveRules {
  /** Pattern of a complete suite. */
  readonly suites: string;
  /** The only components it has: `main` and any of these. */
  readonly components: readonly string[];
  /** Host and path, without a trailing slash (`ftp.debian.org/debian`). The first match is used. */
  readonly addresses: readonly {
    /** Which repositories of this profile it may replace; see `host` there. */
    readonly host: 'main' | 'security';
    readonly pattern: string;
    readonly architectures?: readonly string[] | undefined;
  }[];
}

/** Names of packages that a profile chooses, by the settings that ask for them. */
export interface ProfilePackages {
  readonly always: readonly string[];
  readonly systemd: readonly string[];
  readonly seccomp: readonly string[];
  readonly selinux: readonly string[];
  /** Preferred packages when several satisfy a dependency. */
  readonly prefer: readonly string[];
}

/** A distribution: repositories, releases, architectures, base packages, trimming; validated data. */
export interface Profile {
  readonly name: string;
  readonly title: string;
  /** Other names of the distribution. */
  readonly aliases: readonly string[];
  readonly family: 'apt' | 'apk' | 'rpm';
  readonly releases: readonly Release[];
  /** Pattern of further names of releases, for distributions that have too many to list. */
  readonly releasePattern?: string | undefined;
  /** `uname -m` name to the distribution's own. */
  readonly architectures: Readonly<Record<string, string>>;
  readonly repositories: readonly ProfileRepository[];
  /** rpm: what its own .repo files name with `$` besides `$releasever`, `$basearch` and `$arch`. */
  readonly variables: Readonly<Record<string, string>>;
  /** Names of built-in keyrings, or absolute paths of key files. */
  readonly keyring: readonly string[];
  /** How trust is established, as text for the user. */
  readonly verified: string;
  readonly packages: ProfilePackages;
  /** Supported choices of process 1. */
  readonly init: readonly ('systemd' | 'agent')[];
  /** Paths of chrony's configuration and unit. */
  readonly chrony: { readonly config: string; readonly unit: string };
  /** Paths removed from every rootfs, unless trimming is off. */
  readonly trim: readonly string[];
  /** Symbolic links that every guest has. */
  readonly links: readonly ProfileLink[];
  /**
   * How the distribution's archives are recognised among the build host's own apt sources; without it the host's
   * sources are not used.
   */
  readonly hostArchives?: HostArchiveRules | undefined;
  /** The day on which its maker ended it (`2025-07-18`): plans and guests say so. */
  readonly ended?: string | undefined;
  /** Value of Origin in signed metadata, if it has one. */
  readonly origin?: string | undefined;
  /** What a guest is booted with: packages of kernels by `uname -m` name, and of a statically linked busybox. */
  readonly boot?: { readonly kernels: Readonly<Record<string, string>>; readonly busybox: string } | undefined;
}

/** Some fields left out. */
type Defaulted<T, K extends keyof T> = Omit<T, K> & Partial<Pick<T, K>>;

/** Content of a built-in profile file: omitted fields have their defaults. */
export interface ProfileData
  extends Omit<Defaulted<Profile, 'aliases' | 'variables'>, 'releases' | 'repositories' | 'packages' | 'links'> {
  readonly releases: readonly Defaulted<Release, 'aliases' | 'lts'>[];
  readonly repositories: readonly Defaulted<
    ProfileRepository,
    'suite' | 'components' | 'metalink' | 'signed' | 'current'
  >[];
  readonly packages: Defaulted<ProfilePackages, 'systemd' | 'seccomp' | 'selinux' | 'prefer'>;
  readonly links?: readonly Defaulted<ProfileLink, 'replace'>[];
}

const Words = v.array(v.string());

const RELEASE = v.strictObject({
  name: v.string(),
  version: v.optional(v.string()),
  aliases: v.optional(Words, []),
  lts: v.optional(v.boolean(), true),
});

const REPOSITORY = v.strictObject({
  name: v.string(),
  urls: Words,
  suite: v.optional(v.string(), ''),
  components: v.optional(Words, []),
  architectures: v.optional(Words),
  releases: v.optional(Words),
  snapshot: v.optional(v.string()),
  metalink: v.optional(v.string(), ''),
  signed: v.optional(v.boolean(), false),
  current: v.optional(v.string(), ''),
  host: v.optional(v.picklist(['main', 'security'])),
});

const LINK = v.strictObject({
  path: v.string(),
  target: v.string(),
  replace: v.optional(v.boolean(), false),
  needs: v.optional(v.string()),
});

const HOST_ARCHIVES = v.strictObject({
  suites: v.string(),
  components: Words,
  addresses: v.array(
    v.strictObject({
      host: v.picklist(['main', 'security']),
      pattern: v.string(),
      architectures: v.optional(Words),
    }),
  ),
});

/** The fields of {@link Profile}, checked. The types are written out: those that are inferred cannot be documented. */
const PROFILE = v.strictObject({
  name: v.string(),
  title: v.string(),
  aliases: v.optional(Words, []),
  family: v.picklist(['apt', 'apk', 'rpm']),
  releases: v.array(RELEASE),
  releasePattern: v.optional(v.string()),
  architectures: v.record(v.string(), v.string()),
  repositories: v.array(REPOSITORY),
  variables: v.optional(v.record(v.string(), v.string()), {}),
  keyring: Words,
  verified: v.string(),
  packages: v.strictObject({
    always: Words,
    systemd: v.optional(Words, []),
    seccomp: v.optional(Words, []),
    selinux: v.optional(Words, []),
    prefer: v.optional(Words, []),
  }),
  init: v.array(v.picklist(['systemd', 'agent'])),
  chrony: v.strictObject({ config: v.string(), unit: v.string() }),
  trim: Words,
  links: v.optional(v.array(LINK), []),
  hostArchives: v.optional(HOST_ARCHIVES),
  ended: v.optional(v.pipe(v.string(), v.regex(/^\d{4}-\d\d-\d\d$/))),
  origin: v.optional(v.string()),
  boot: v.optional(v.strictObject({ kernels: v.record(v.string(), v.string()), busybox: v.string() })),
});

/** Checks a profile and fills in defaults. `path` is where it came from, for messages. */
export function parseProfile(value: unknown, path: string): Profile {
  const result = v.safeParse(PROFILE, value);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const at = issue.path?.map((part) => String(part.key)).join('.') ?? '';
  throw new BuildError('PROFILE_INVALID', { path, reason: `${at === '' ? '' : `${at}: `}${issue.message}` });
}

/** Finds a release by name, version or alias; undefined selects the default: the newest with long-term support. */
export function releaseOf(profile: Profile, wanted: string | undefined): Release {
  if (wanted === undefined) return profile.releases.find((one) => one.lts) ?? profile.releases[0]!;
  const word = wanted.toLowerCase();
  const found = profile.releases.find((one) => one.name === word || one.version === word || one.aliases.includes(word));
  if (
    found === undefined &&
    profile.releasePattern !== undefined &&
    new RegExp(`^(?:${profile.releasePattern})$`).test(word)
  )
    return { name: word, aliases: [], lts: false };
  if (found === undefined)
    throw new BuildError('RELEASE_UNKNOWN', {
      distro: profile.name,
      release: wanted,
      known: profile.releases.map((one) => one.name).join(', '),
    });
  return found;
}

/** The architecture in both spellings: `uname -m` and the distribution's own. */
export function architectureOf(profile: Profile, wanted: string): { readonly uname: string; readonly own: string } {
  const uname = unameOf(wanted.toLowerCase());
  const own = Object.hasOwn(profile.architectures, uname) ? profile.architectures[uname] : undefined;
  if (own === undefined)
    throw new BuildError('ARCH_UNKNOWN', {
      distro: profile.name,
      arch: wanted,
      known: Object.keys(profile.architectures).join(', '),
    });
  return { uname, own };
}

/** A text of a profile with its placeholders filled in. */
export function filled(text: string, release: Release, arch: string): string {
  return text
    .replaceAll('{release}', release.name)
    .replaceAll('{version}', release.version ?? release.name)
    .replaceAll('{arch}', arch);
}

/** The profile's repositories for a release and architecture, placeholders filled in. */
export function repositoriesOf(profile: Profile, release: Release, arch: string): ProfileRepository[] {
  const fill = (text: string) => filled(text, release, arch);
  return profile.repositories
    .filter((one) => one.architectures?.includes(arch) ?? true)
    .filter((one) => one.releases?.includes(release.name) ?? true)
    .map((one) => ({ ...one, urls: one.urls.map(fill), suite: fill(one.suite), metalink: fill(one.metalink) }));
}
