import { BuildError } from '../errors/error.ts';
import type { Artefact, ArtefactKind, MeasuredPart, Structure } from './kind.ts';
import { openRootfs } from './open.ts';
import type { OpenOptions } from './probe.ts';

/** What {@link verifyArtefact} found. */
export interface Verified {
  readonly kind: ArtefactKind;
  /** One line each; empty for a sound artefact. */
  readonly faults: string[];
  /** What could not be checked, one line each. */
  readonly unchecked: string[];
  /** Parts of a disk that have a root hash of dm-verity, which is over all of their bytes. */
  readonly measured: readonly MeasuredPart[];
}

/**
 * Checks an artefact: every checksum, the structure of its tables and file systems, and whether its tree can be read. Says
 * what could not be checked, such as a file system without checksums, or encrypted files.
 *
 * @example
 * ```ts
 * import { createHost, verifyArtefact } from 'osbuilder';
 *
 * const host = createHost({ cacheDirectory: 'cache' });
 * const { kind, faults } = await verifyArtefact('kata-containers.img', host);
 * console.log(kind, faults.length); // prints: disk 0
 * await host.close();
 * ```
 */
export async function verifyArtefact(path: string, options: OpenOptions): Promise<Verified> {
  const artefact = await openRootfs(path, options);
  const structures = await artefact.structures(true);
  const faults = structures.flatMap((one) => one.faults.map((fault) => `${one.what} at byte ${one.offset}: ${fault}`));
  const measured = structures.flatMap(({ measures }) => measures ?? []);
  const isMeasured = ({ offset, size }: Structure): boolean =>
    measured.some((one) => offset >= one.offset && offset + size <= one.offset + one.size);
  const unchecked = structures.flatMap((one) =>
    [...(one.unchecked ?? []), ...(isMeasured(one) ? [] : (one.unsummed ?? []))].map((line) => `${one.what}: ${line}`),
  );
  // reading the tree of a faulty image would only repeat the faults
  if (faults.length === 0) await readTree(artefact, faults, unchecked);
  return { kind: artefact.kind, faults, unchecked, measured };
}

/** Reading a tree checks headers, names, links and the checksums of compressed data. */
async function readTree(artefact: Artefact, faults: string[], unchecked: string[]): Promise<void> {
  try {
    await artefact.tree();
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    // sound, but this program cannot read it
    if (error.code === 'EXT4_UNSUPPORTED') unchecked.push(error.message);
    else faults.push(error.message);
  }
}
