import type { Report } from '../events/events.ts';
import type { Settings } from '../settings/table.ts';
import type { Labels } from '../system/label.ts';
import type { Tree } from '../tree/tree.ts';

/** Labels every file as the policy in the guest says, when the settings ask for it. Returns that policy's labels. */
export async function label(tree: Tree, { selinux }: Settings, report: Report): Promise<Labels | undefined> {
  if (!selinux) return undefined;
  const { labelsOf, labelTree } = await import('../system/selinux.ts');
  const labels = labelsOf(tree);
  labelTree(tree, labels, report);
  return labels;
}
