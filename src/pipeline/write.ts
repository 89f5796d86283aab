import { type Output, type OutputOptions, type PouredOutput, prepareOutput, writingOf } from '../artefacts/outputs.ts';
import type { Prepared } from '../bytes/pour.ts';
import type { Host } from '../fetch/host.ts';
import type { Tree } from '../tree/tree.ts';
import type { WrittenKernel } from './kernel.ts';

/** An artefact that was written. */
export type Written = PouredOutput & { readonly kind: Output['kind'] };

/**
 * Writes all artefacts of a tree under temporary names, hashes each, and renames them when all are complete:
 * a failure leaves none behind. `kernel` prepares a kernel that is written with them.
 */
export async function writeOutputs(
  tree: Tree,
  outputs: readonly Output[],
  options: OutputOptions,
  host: Pick<Host, 'report' | 'workspace'>,
  kernel?: () => Promise<Prepared<WrittenKernel>>,
): Promise<{ readonly outputs: Written[]; readonly kernel: WrittenKernel | undefined }> {
  const { report } = host;
  const prepared: Prepared<Written>[] = [];
  let beside: Prepared<WrittenKernel> | undefined;
  try {
    beside = await kernel?.();
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
    for (const { abandon } of prepared) abandon();
    throw error;
  }
  return { outputs: prepared.map(({ value }) => value), kernel: beside?.value };
}
