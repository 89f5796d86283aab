import { completeDigests } from '../artefacts/digests.ts';
import { openArtefact } from '../artefacts/open.ts';
import { memory } from '../bytes/content.ts';
import { digestOf } from '../bytes/digest.ts';
import { hostFile } from '../bytes/file.ts';
import { type Poured, type Prepared, preparePour } from '../bytes/pour.ts';
import type { Described } from '../families/assemble.ts';
import type { PackageFacts } from '../families/facts.ts';
import type { Host } from '../fetch/host.ts';
import { type BillParts, billOf } from '../proof/bill.ts';
import { provenance, signed, signingKey } from '../proof/provenance.ts';
import { type ReferenceFile, referenceText, referenceValues } from '../proof/reference-values.ts';
import type { Base } from './assemble.ts';
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
  if (settings.sbom !== undefined) await write(settings.sbom, await billText(parts, host));
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

/** The format of a bill of materials: as set, else by the name of its file. */
export function billFormat(path: string, format: 'cyclonedx' | 'spdx' | undefined): 'cyclonedx' | 'spdx' {
  return format ?? (/\.spdx(\.json)?$/i.test(path) ? 'spdx' : 'cyclonedx');
}

async function billText(parts: ProofParts, host: Host): Promise<string> {
  const { settings, order, epoch, version, base } = parts;
  await completeDigests(base.tree);
  const [facts, archives] = await packagesIn(parts);
  const inputs = [];
  for (const one of inputPathsOf(parts)) inputs.push(await lockedInput(one, epoch, host));
  const bill = billOf({
    ...{ epoch, archives, inputs, tree: base.tree, facts },
    tool: { name: 'osbuilder', version },
    ...(order === undefined
      ? {}
      : {
          distribution: {
            name: order.profile.name,
            release: order.release.version ?? order.release.name,
            distro: `${order.profile.name}-${order.release.version ?? order.release.name}`,
          },
        }),
    allFiles: settings.sbomFiles ?? false,
  });
  return billFormat(settings.sbom!, settings.sbomFormat) === 'spdx'
    ? (await import('../proof/spdx.ts')).spdx(bill)
    : (await import('../proof/cyclonedx.ts')).cyclonedx(bill);
}

/** The packages of a guest, and those that its kernel was taken from, each once. */
async function packagesIn({
  plan,
  kernelPlan,
  base,
  kernelDescribed,
}: ProofParts): Promise<[facts: PackageFacts[], archives: BillParts['archives']]> {
  const facts: PackageFacts[] = [];
  const archives: { sha256: string; reason: string }[] = [];
  const known = new Set<string>();
  for (const [{ chosen = [] } = {}, described] of [
    [plan, base.described],
    [kernelPlan, kernelDescribed],
  ] as const) {
    const said = described?.facts() ?? [];
    for (const [i, { package: one, reason }] of chosen.entries()) {
      const path = described?.archives[i];
      const sha256 = one.sha256 === '' && path !== undefined ? await digestOf(hostFile(path)) : one.sha256;
      if (said[i] === undefined || known.has(sha256)) continue;
      known.add(sha256);
      facts.push(said[i]);
      archives.push({ reason, sha256 });
    }
  }
  return [facts, archives];
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
