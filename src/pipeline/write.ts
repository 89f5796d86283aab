import { type Output, type OutputOptions, type PouredOutput, prepareOutput, writingOf } from '../artefacts/outputs.ts';
import type { Prepared } from '../bytes/pour.ts';
import type { Host } from '../fetch/host.ts';
import type { Tree } from '../tree/tree.ts';
import type { WrittenKernel } from './kernel.ts';

/** An artefact that was written. */
export type Written = PouredOutput & { readonly kind: Output['kind'] };

/** What is written together with artefacts. */
export interface Beside {
  kernel?(): Promise<Prepared<WrittenKernel>>;
  /** Statements about what is complete, but has no name yet. */
  proofs?(
    outputs: readonly Prepared<Written>[],
    kernel: Prepared<WrittenKernel> | undefined,
  ): Promise<readonly Prepared<unknown>[]>;
}

/**
 * Writes all artefacts of a tree under temporary names, hashes each, and renames them when all are complete:
 * a failure leaves none behind. `also` prepares what is written with them: a kernel, and what is said about all.
 */
export async function writeOutputs(
  tree: Tree,
  outputs: readonly Output[],
  options: OutputOptions,
  host: Pick<Host, 'report' | 'workspace'>,
  also: Beside = {},
): Promise<{ readonly outputs: Written[]; readonly kernel: WrittenKernel | undefined }> {
  const { report } = host;
  const prepared: Prepared<Written>[] = [];
  let beside: Prepared<WrittenKernel> | undefined;
  let proofs: readonly Prepared<unknown>[] = [];
  try {
    beside = await also.kernel?.();
    for (const output of outputs) {
      const one = await prepareOutput(
        writingOf(output, { ...options, workspace: () => host.workspace() }),
        tree,
        output.path,
        {
          force: options.settings.force ?? false,
          report,
        },
      );
      prepared.push({ ...one, value: { kind: output.kind, ...one.value } });
    }
    proofs = (await also.proofs?.(prepared, beside)) ?? [];
    // no artefact is ever there without what was to be said about it
    for (const { commit } of proofs) commit();
    for (const { value, commit } of prepared) {
      commit();
      const { kind, path, size, sha256 } = value;
      report({ kind: 'written', artefact: kind, path, size, sha256 });
    }
    beside?.commit();
    if (beside !== undefined) {
      const { path, size, sha256 } = beside.value;
      report({ kind: 'written', artefact: 'kernel', path, size, sha256 });
    }
  } catch (error) {
    beside?.abandon();
    for (const { abandon } of [...prepared, ...proofs]) abandon();
    throw error;
  }
  return { outputs: prepared.map(({ value }) => value), kernel: beside?.value };
}
