import type { Keyring } from '../../fetch/keys/key.ts';

/** One repository, as the user or a profile names it. All variables in URLs are replaced already. */
export interface RpmSource {
  /** For messages and the resolver: `BaseOS`, a section of a .repo file, or its URL. */
  readonly name: string;
  /** Base URLs of the same repository, best first; folders of the build host too. */
  readonly bases: readonly string[];
  /** URL of a metalink or of a plain list of mirrors, asked before the bases. */
  readonly mirrorList?: string;
  /** Keys that packages, and metadata where it is signed, must be signed by. */
  readonly keyring: Keyring | undefined;
  /** True where repomd.xml has a detached signature beside it (dnf's repo_gpgcheck). */
  readonly signedMetadata: boolean;
  /** Accept packages and metadata without a signature: only when the user asked for that. */
  readonly unauthenticated: boolean;
  /** dnf's numbers: the lowest priority wins (99 is the default), then the lowest cost (1000). */
  readonly priority: number;
  readonly cost: number;
  /** Names or globs of packages that are not there, and the only ones that are. */
  readonly excludes: readonly string[];
  readonly includes: readonly string[];
  /** dnf's `module_hotfixes`: modules keep none of its packages out. */
  readonly moduleHotfixes: boolean;
}

/** What a source has where nothing else is said. */
export const SOURCE_DEFAULTS = {
  signedMetadata: false,
  unauthenticated: false,
  priority: 99,
  cost: 1000,
  excludes: [],
  includes: [],
  moduleHotfixes: false,
} as const satisfies Partial<RpmSource>;

/** Architectures whose base has another name than `uname -m` (dnf's $basearch). */
export function baseArchitecture(architecture: string): string {
  if (/^i[3-6]86$/.test(architecture)) return 'i386';
  return architecture.startsWith('x86_64') ? 'x86_64' : architecture;
}

/** Replaces `$releasever`, `$releasever_major`, `$basearch`, `$arch` and the like; unknown variables stay. */
export function expand(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced?: string, plain?: string) => {
    return variables[(braced ?? plain)!] ?? whole;
  });
}

/** The variables of a release and an architecture. */
export function variablesOf(release: string, architecture: string): Record<string, string> {
  const [major = release, minor = ''] = release.split('.', 2);
  return {
    releasever: release,
    releasever_major: major,
    releasever_minor: minor,
    basearch: baseArchitecture(architecture),
    arch: architecture,
  };
}
