import * as v from 'valibot';
import { BuildError } from '../errors/error.ts';
import { unameOf } from './uname.ts';

/**
 * A distribution as data: one small file each. `{release}`, `{version}` and `{arch}` in URLs and suites are replaced.
 * A user's own profile (YAML) has the same fields and may start with `like: NAME` to change only a few of them.
 */

const Words = v.array(v.string());

const Release = v.strictObject({
  /** Codename or version, as the archive spells it. */
  name: v.string(),
  /** Number, if the name is a word. */
  version: v.optional(v.string()),
  /** Aliases. */
  aliases: v.optional(Words, []),
  /** Long-term support: the newest of these is the default. */
  lts: v.optional(v.boolean(), true),
});

const Repository = v.strictObject({
  /** Its purpose: `main`, `updates`, `security`, `ports`. */
  name: v.string(),
  /** Well-known public base URLs, best first. */
  urls: Words,
  /** apt: the suite; apk, rpm: a folder below the URL. */
  suite: v.optional(v.string(), ''),
  components: v.optional(Words, []),
  /** Only for these architectures (in the distribution's naming); else for all. */
  architectures: v.optional(Words),
  /** Only for these releases; else for all. */
  releases: v.optional(Words),
  /** Base URL of the archive as it was at a time; `{time}` stands for that, written as `20260131T000000Z`. */
  snapshot: v.optional(v.string()),
  /** rpm: URL of a metalink or mirror list, asked before the URLs. */
  metalink: v.optional(v.string(), ''),
  /** rpm: its metadata is signed, and must be. */
  signed: v.optional(v.boolean(), false),
  /** rpm: path below the URL of a text file with the number that `{current}` in the suite stands for. */
  current: v.optional(v.string(), ''),
  /** Which of the build host's own archives may replace it. */
  host: v.optional(v.picklist(['main', 'security'])),
});

const Link = v.strictObject({
  /** Path in the guest, without a leading slash. */
  path: v.string(),
  target: v.string(),
  /** Also replaces an existing file or folder. */
  replace: v.optional(v.boolean(), false),
  /** Only in guests that have this path. */
  needs: v.optional(v.string()),
});

const Profile = v.strictObject({
  name: v.string(),
  title: v.string(),
  /** Other names of the distribution. */
  aliases: v.optional(Words, []),
  family: v.picklist(['apt', 'apk', 'rpm']),
  releases: v.array(Release),
  /** Pattern of further names of releases, for distributions that have too many to list. */
  releasePattern: v.optional(v.string()),
  /** `uname -m` name to the distribution's own. */
  architectures: v.record(v.string(), v.string()),
  repositories: v.array(Repository),
  /** Names of built-in keyrings, or absolute paths of key files. */
  keyring: Words,
  /** How trust is established, as text for the user. */
  verified: v.string(),
  packages: v.strictObject({
    always: Words,
    systemd: v.optional(Words, []),
    seccomp: v.optional(Words, []),
    selinux: v.optional(Words, []),
    /** Preferred packages when several satisfy a dependency. */
    prefer: v.optional(Words, []),
  }),
  /** Supported choices of process 1. */
  init: v.array(v.picklist(['systemd', 'agent'])),
  chrony: v.strictObject({ config: v.string(), unit: v.string() }),
  /** Paths removed from every rootfs (unless --no-trim). */
  trim: Words,
  /** Symbolic links that every guest has. */
  links: v.optional(v.array(Link), []),
  /**
   * How the distribution's archives are recognised among the build host's own apt sources. Patterns are regular
   * expressions; without them the host's sources are not used.
   */
  hostArchives: v.optional(
    v.strictObject({
      /** Pattern of a complete suite. */
      suites: v.string(),
      /** The only components it has: `main` and any of these. */
      components: Words,
      /** Host and path, without a trailing slash (`ftp.debian.org/debian`). The first match is used. */
      addresses: v.array(
        v.strictObject({
          /** Which repositories of this profile it may replace; see `host` there. */
          host: v.picklist(['main', 'security']),
          pattern: v.string(),
          architectures: v.optional(Words),
        }),
      ),
    }),
  ),
  /** Value of Origin in signed metadata, if it has one. */
  origin: v.optional(v.string()),
});

/** A distribution: repositories, releases, architectures, base packages, trimming; validated data. */
export type Profile = v.InferOutput<typeof Profile>;
export type Release = v.InferOutput<typeof Release>;
export type ProfileLink = v.InferOutput<typeof Link>;
/** How archives are recognised among apt sources. */
export type HostArchiveRules = NonNullable<Profile['hostArchives']>;
export type ProfileRepository = v.InferOutput<typeof Repository>;
/** Content of a built-in profile file: omitted fields have their defaults. */
export type ProfileData = v.InferInput<typeof Profile>;

/** Checks a profile and fills in defaults. `path` is where it came from, for messages. */
export function parseProfile(value: unknown, path: string): Profile {
  const result = v.safeParse(Profile, value);
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
  const own = profile.architectures[uname];
  if (own === undefined)
    throw new BuildError('ARCH_UNKNOWN', {
      distro: profile.name,
      arch: wanted,
      known: Object.keys(profile.architectures).join(', '),
    });
  return { uname, own };
}

/** The profile's repositories for a release and architecture, placeholders filled in. */
export function repositoriesOf(profile: Profile, release: Release, arch: string): ProfileRepository[] {
  const fill = (text: string) =>
    text
      .replaceAll('{release}', release.name)
      .replaceAll('{version}', release.version ?? release.name)
      .replaceAll('{arch}', arch);
  return profile.repositories
    .filter((one) => one.architectures?.includes(arch) ?? true)
    .filter((one) => one.releases?.includes(release.name) ?? true)
    .map((one) => ({ ...one, urls: one.urls.map(fill), suite: fill(one.suite), metalink: fill(one.metalink) }));
}
