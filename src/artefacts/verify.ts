import { BuildError } from '../errors/error.ts';
import type { Artefact, ArtefactKind } from './kind.ts';
import { openRootfs } from './open.ts';
import type { OpenOptions } from './probe.ts';

/** What {@link verifyArtefact} found. */
export interface Verified {
  readonly kind: ArtefactKind;
  /** One line each; empty for a sound artefact. */
  readonly faults: string[];
}

/** Recomputes every checksum of an artefact and reads its tree: structure, offsets and expected content. */
export async function verifyArtefact(path: string, options: OpenOptions): Promise<Verified> {
  const artefact = await openRootfs(path, options);
  const structures = await artefact.structures(true);
  const faults = structures.flatMap((one) => one.faults.map((fault) => `${one.what} at byte ${one.offset}: ${fault}`));
  // reading the tree of a faulty image would only repeat the faults
  if (faults.length === 0) faults.push(...(await faultsOfTree(artefact)));
  return { kind: artefact.kind, faults };
}

/** Reading a tree checks headers, names, links and the checksums of compressed data. */
async function faultsOfTree(artefact: Artefact): Promise<string[]> {
  try {
    await artefact.tree();
    return [];
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    return [error.message];
  }
}
