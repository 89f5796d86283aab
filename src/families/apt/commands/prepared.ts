import { putText } from '../../../system/context.ts';
import { updateShells } from '../../../system/shells.ts';
import type { ScriptName } from '../configure/runner.ts';
import type { DebianWorld } from './binding.ts';

/** What stands ready before the script of a package is interpreted, so that it need not make what must not be made here. */
const PREPARED: Readonly<Record<string, Partial<Record<ScriptName, (world: DebianWorld) => void>>>> = {
  'open-iscsi': {
    // the package's own startup-checks.sh makes a name of each guest's own where it finds this line
    postinst({ tree, context, leaveOut }) {
      const path = 'etc/iscsi/initiatorname.iscsi';
      if (tree.has(path)) return;
      putText(tree, context, path, 'GenerateName=yes\n', 0o600);
      leaveOut('iscsi-iname', 'an initiator’s name is a machine’s own: the daemon makes it when it first starts');
    },
  },
  // the tree has a merged /usr from the start, so the script finds nothing to convert and leaves the list of shells alone
  usrmerge: { postinst: ({ tree, context }) => updateShells(tree, context) },
};

/** Readies the tree for a package's script. */
export function prepare(world: DebianWorld, script: ScriptName): void {
  if (Object.hasOwn(PREPARED, world.package)) PREPARED[world.package]![script]?.(world);
}
