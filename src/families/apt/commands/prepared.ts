import { putText } from '../../../system/context.ts';
import { updateShells } from '../../../system/shells.ts';
import type { ScriptName } from '../configure/runner.ts';
import type { DebianWorld } from './binding.ts';

/** Preparations before a package's script is interpreted, to avoid creating what must not be created at build time. */
const PREPARED: Readonly<Record<string, Partial<Record<ScriptName, (world: DebianWorld) => void>>>> = {
  'open-iscsi': {
    // the package's own startup-checks.sh generates a name for each guest where it finds this line
    postinst({ tree, context, leaveOut }) {
      const path = 'etc/iscsi/initiatorname.iscsi';
      if (tree.has(path)) return;
      putText(tree, context, path, 'GenerateName=yes\n', 0o600);
      leaveOut('iscsi-iname', 'an initiator’s name is a machine’s own: the daemon makes it when it first starts');
    },
  },
  // the tree has a merged /usr from the start: the script finds nothing to convert and leaves the list of shells alone
  usrmerge: { postinst: ({ tree, context }) => updateShells(tree, context) },
};

/** Prepares the tree for a package's script. */
export function prepare(world: DebianWorld, script: ScriptName): void {
  if (Object.hasOwn(PREPARED, world.package)) PREPARED[world.package]![script]?.(world);
}
