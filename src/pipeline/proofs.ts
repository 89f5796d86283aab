import { openArtefact } from '../artefacts/open.ts';
import { memory } from '../bytes/content.ts';
import { type Poured, type Prepared, preparePour } from '../bytes/pour.ts';
import type { Described } from '../families/assemble.ts';
import type { Host } from '../fetch/host.ts';
import { provenance, signed, signingKey } from '../proof/provenance.ts';
import { type ReferenceFile, referenceText, referenceValues } from '../proof/reference-values.ts';
import type { Base } from './assemble.ts';
import { billOfBuild } from './bill.ts';
import type { WrittenKernel } from './kernel.ts';
import { type LockParts, makeLock } from './lock.ts';
import { inputPathsOf, lockedInput } from './lock-inputs.ts';
import type { Written } from './write.ts';

/** What is known after a build. */
export interface ProofParts extends Omit<LockParts, 'outputs' | 'kernelFile'> {
  readonly base: Base;
  /** What the packages of `kernelPlan` say of themselves. */
  readonly kernelDescribed: Described | undefined;
  /** The outputs, complete under temporary names. */
  readonly files: readonly Prepared<Written>[];
  /** A kernel that is written with them. */
  readonly prepared: Prepared<WrittenKernel> | undefined;
}

/**
 * Prepares what settings ask for about the outputs: a bill of materials, provenance, values for attestation. The outputs
 * have no names yet, so that they appear together or not at all.
 */
export async function prepareProofs(parts: ProofParts, host: Host): Promise<Prepared<Poured>[]> {
  const prepared: Prepared<Poured>[] = [];
  try {
    await prepareAll(parts, host, async (path, text) => {
      prepared.push(await preparePour(memory(Buffer.from(text)).open(), path));
    });
  } catch (error) {
    for (const { abandon } of prepared) abandon();
    throw error;
  }
  return prepared;
}

async function prepareAll(
  parts: ProofParts,
  host: Host,
  write: (path: string, text: string) => Promise<void>,
): Promise<void> {
  const { settings, files: outputs, prepared } = parts;
  if (settings.sbom !== undefined) {
    const inputs = [];
    for (const one of inputPathsOf(parts)) inputs.push(await lockedInput(one, parts.epoch, host));
    await write(settings.sbom, await billOfBuild(parts, inputs));
  }
  if (settings.provenance !== undefined) {
    const values = outputs.map(({ value }) => value);
    const statement = provenance(await makeLock({ ...parts, outputs: values, kernelFile: prepared?.value }, host));
    const { signKey } = settings;
    const text = signKey === undefined ? statement : signed(statement, signingKey(host.readFile(signKey), signKey));
    await write(settings.provenance, text);
  }
  if (settings.referenceValues !== undefined) {
    const files: ReferenceFile[] = [];
    for (const output of outputs) if (output.value.kind !== 'rootfs') files.push(await referenceFile(output, host));
    if (prepared !== undefined) files.push({ kind: 'kernel', path: prepared.stored ?? prepared.value.path });
    const values = await referenceValues(files, settings.cmdline);
    const tag = outputs[0]!.value.sha256.slice(0, 16);
    await write(settings.referenceValues, referenceText(values, settings.referenceValuesFormat ?? 'json', tag));
  }
}

/** An output with what a verifier compares of it. */
async function referenceFile({ value, stored }: Prepared<Written>, host: Host): Promise<ReferenceFile> {
  const { kind, verity } = value;
  const path = stored ?? value.path;
  const structures = kind === 'image' ? await (await openArtefact(path, host)).structures() : [];
  const table = structures.find(({ what }) => what === 'MBR' || what === 'GPT');
  const rows = (table?.facts['partitions'] ?? []) as readonly { readonly start: number; readonly size: number }[];
  const partitions = rows.map(({ start, size }) => ({ offset: start, size }));
  return { kind, path, partitions, ...(verity === undefined ? {} : { verity }) };
}
