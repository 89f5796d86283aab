import { type Output, type OutputOptions, type PouredOutput, prepareOutput, writingOf } from '../artefacts/outputs.ts';
import type { Prepared } from '../bytes/pour.ts';
import type { Host } from '../fetch/host.ts';
import type { Tree } from '../tree/tree.ts';

/** An artefact that was written. */
export type Written = PouredOutput & { readonly kind: Output['kind'] };

/**
 * Writes all artefacts of a tree under temporary names, hashes each, and renames them when all are complete:
 * a failure leaves none behind.
 */
export async function writeOutputs(
  tree: Tree,
  outputs: readonly Output[],
  options: OutputOptions,
  host: Pick<Host, 'report' | 'workspace'>,
): Promise<Written[]> {
  const { report } = host;
  const prepared: Prepared<Written>[] = [];
  try {
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
  } catch (error) {
    for (const { abandon } of prepared) abandon();
    throw error;
  }
  return prepared.map(({ value }) => value);
}
