import { BuildError } from '../errors/error.ts';
import type { OutputKind, Situation } from './scope.ts';

/**
 * Variables of Kata's shell-based osbuilder that are not settings here. Each is an output's name, an error, or a warning
 * with its reason; scripts that export them must not silently get a different guest.
 */
interface Upstream {
  /** True if ignoring it would change the guest: an error. Otherwise a warning. */
  readonly fatal?: true;
  /** The one value that has no effect. */
  readonly harmless?: string;
  readonly reason: string;
}

const CONTAINERS = 'no container is used';
const NO_COMPILER =
  'the agent is not compiled here: give a program, a tarball or a Kata image with AGENT_SOURCE_BIN or AGENT_TARBALL';
const MAKEFILE = 'it is a variable of the Makefile: name outputs on the command line';
const REPO_URL = 'set REPO_URL for the one architecture that is built';

const UPSTREAM: Readonly<Record<string, Upstream>> = {
  AGENT_BIN: { fatal: true, harmless: 'kata-agent', reason: 'the agent is always named kata-agent in the guest' },
  AGENT_VERSION: { reason: NO_COMPILER },
  LIBC: { reason: NO_COMPILER },
  ROOTFS_DIR: { reason: 'name the folder of the rootfs on the command line' },
  ROOTFS_BUILD_DEST: { reason: MAKEFILE },
  IMAGES_BUILD_DEST: { reason: MAKEFILE },
  TARGET_ROOTFS: { reason: MAKEFILE },
  TARGET_IMAGE: { reason: MAKEFILE },
  TARGET_INITRD: { reason: MAKEFILE },
  DISTRO_REPO: { fatal: true, reason: 'set REPO_URL' },
  DNF_CONF: { fatal: true, reason: 'dnf is not used: set REPO_URL and REPO_COMPONENTS' },
  NVIDIA_GPU_STACK: { fatal: true, reason: 'guests with NVIDIA’s drivers are not made yet' },
  KBUILD_SIGN_PIN: { reason: 'kernel modules are not signed here' },
  GRACEFUL_EXIT: { reason: 'a failed build always removes what it began' },
  REPO_URL_X86_64: { fatal: true, reason: REPO_URL },
  REPO_URL_AARCH64: { fatal: true, reason: REPO_URL },
  REPO_URL_PPC64LE: { fatal: true, reason: REPO_URL },
  REPO_URL_S390X: { fatal: true, reason: REPO_URL },
  USE_DOCKER: { reason: CONTAINERS },
  USE_PODMAN: { reason: CONTAINERS },
  DOCKER_RUNTIME: { reason: CONTAINERS },
  IMAGE_REGISTRY: { reason: CONTAINERS },
  INSIDE_CONTAINER: { reason: CONTAINERS },
  NSDAX_BIN: { reason: 'the header for NVDIMM devices is written without a helper' },
  DRACUT_DIR: { reason: MAKEFILE },
  DRACUT_OVERLAY_DIR: { reason: 'Kata’s parts are laid over the guest in memory' },
};

/** Variables that name an output, by its kind: they apply only in the command that builds this kind. */
export const OUTPUT_VARIABLES: Readonly<Partial<Record<OutputKind, string>>> = {
  image: 'IMAGE',
  initrd: 'INITRD_IMAGE',
};

/** All variables of Kata's osbuilder that are not settings, for documentation and tests. */
export const UPSTREAM_VARIABLES: readonly {
  readonly name: string;
  readonly reason: string;
  readonly fatal: boolean;
}[] = Object.entries(UPSTREAM).map(([name, { reason, fatal }]) => ({ name, reason, fatal: fatal === true }));

/** A variable that has no effect on a build, and why. */
export interface UnusedVariable {
  readonly name: string;
  readonly reason: string;
}

/**
 * Variables of Kata's osbuilder that are set and have no effect on what a command is about to build; none where it builds
 * nothing. Throws `NOT_SUPPORTED` for one that requests a different guest than would be built.
 */
export function unusedVariables(
  environment: Readonly<Record<string, string | undefined>>,
  { command, outputs }: Situation,
): UnusedVariable[] {
  if (outputs.length === 0) return [];
  const unused: UnusedVariable[] = [];
  for (const [name, { fatal, harmless, reason }] of Object.entries(UPSTREAM)) {
    const value = environment[name] ?? '';
    if (value === '' || value === harmless || (name.startsWith('USE_') && /^(no|false|0)$/.test(value))) continue;
    if (fatal) throw new BuildError('NOT_SUPPORTED', { what: `$${name}`, reason });
    unused.push({ name, reason });
  }
  for (const [kind, name] of Object.entries(OUTPUT_VARIABLES))
    if ((environment[name] ?? '') !== '' && command !== kind)
      unused.push({ name, reason: `it names the output of "osbuilder ${kind}"` });
  return unused;
}
