import type { ConfigureContext } from '../../system/context.ts';

/** What follows from dpkg's name of an architecture. */
interface DebianArchitecture {
  /** As `uname -m` prints it. */
  readonly machine: string;
  /** Name of the folder of libraries for several architectures: https://wiki.debian.org/Multiarch/Tuples. */
  readonly triplet: string;
}

const ARCHITECTURES: ReadonlyMap<string, DebianArchitecture> = new Map(
  Object.entries({
    amd64: { machine: 'x86_64', triplet: 'x86_64-linux-gnu' },
    arm64: { machine: 'aarch64', triplet: 'aarch64-linux-gnu' },
    armhf: { machine: 'armv7l', triplet: 'arm-linux-gnueabihf' },
    i386: { machine: 'i686', triplet: 'i386-linux-gnu' },
    loong64: { machine: 'loongarch64', triplet: 'loongarch64-linux-gnu' },
    ppc64el: { machine: 'ppc64le', triplet: 'powerpc64le-linux-gnu' },
    riscv64: { machine: 'riscv64', triplet: 'riscv64-linux-gnu' },
    s390x: { machine: 's390x', triplet: 's390x-linux-gnu' },
  }),
);

/** The multiarch triplet of dpkg's architecture; undefined for an unknown one. */
export function tripletOf(architecture: string): string | undefined {
  return ARCHITECTURES.get(architecture)?.triplet;
}

/** What configuring a Debian guest needs besides the tree. */
export interface DebianContext extends ConfigureContext {
  /** The guest's architecture as dpkg names it (`amd64`, `arm64`, `ppc64el`, …). */
  readonly architecture: string;
}

/** The context of a guest, from dpkg's name of its architecture. */
export function debianContext(of: Pick<DebianContext, 'architecture' | 'epoch' | 'report'>): DebianContext {
  const { architecture, epoch, report } = of;
  const triplet = tripletOf(architecture);
  return {
    architecture,
    machine: ARCHITECTURES.get(architecture)?.machine ?? architecture,
    // glibc's own folders: those of the architecture come first
    defaultLibraryFolders: [
      ...(triplet === undefined ? [] : [`/lib/${triplet}`, `/usr/lib/${triplet}`]),
      '/lib',
      '/usr/lib',
    ],
    epoch,
    report,
  };
}
