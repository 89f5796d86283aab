import { type Report, warning } from '../events/events.ts';
import { display } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';
import type { Features } from './kind.ts';

/** Maximum number of files named in one message. */
const NAMED = 5;

/**
 * Reports what an output cannot store of a tree. `what` names the output in messages (`an initrd`). A lost capability
 * must be reported before it causes failures in the guest.
 */
export function reportLosses(tree: Tree, what: string, features: Features, report: Report): void {
  if (features.xattrs && features.nanoseconds) return;
  const attributes: string[] = [];
  const fractions: string[] = [];
  for (const { path, inode } of tree.walk()) {
    if (inode.xattrs !== undefined && inode.xattrs.size > 0)
      attributes.push(`/${display(path)} (${[...inode.xattrs.keys()].sort().join(', ')})`);
    if (inode.nanoseconds) fractions.push(`/${display(path)}`);
  }
  if (!features.xattrs && attributes.length > 0) report(warning('XATTRS_LOST', { shown: shown(attributes) }));
  if (!features.nanoseconds && fractions.length > 0)
    report({
      kind: 'note',
      message: `${what} stores times in whole seconds: fractions are left out of ${shown(fractions)}`,
    });
}

function shown(names: readonly string[]): string {
  return names.slice(0, NAMED).join(', ') + (names.length > NAMED ? ` and ${names.length - NAMED} more` : '');
}
