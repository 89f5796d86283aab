import { withoutEnding } from '../../../bytes/ending.ts';
import type { Unpacked } from '../../../fetch/package.ts';
import { controlFields } from '../archive.ts';
import type { KnownPackage } from '../commands/binding.ts';
import { Interpreter } from '../commands/interpreter.ts';
import type { AptPackage } from '../package.ts';
import { controlText } from './control.ts';
import type { InstallState } from './install-state.ts';
import type { ScriptRunner } from './runner.ts';

/** Follows scripts by interpreting them: the `runner` for `configure`. */
export function interpreted(state: InstallState): ScriptRunner {
  const { tree, context, debconf, unpacked, configured } = state;
  const known = (name: string): KnownPackage | undefined => {
    const found = unpacked.get(name.split(':')[0]!);
    return found === undefined ? undefined : knownPackage(found, configured.has(found.package.name));
  };
  return new Interpreter({
    tree,
    context,
    debconf,
    known,
    *packages() {
      for (const name of unpacked.keys()) yield known(name)!;
    },
    trigger: (name) => state.trigger(name),
  });
}

function knownPackage(of: Unpacked<AptPackage>, configured: boolean): KnownPackage {
  let fields: Map<string, string> | undefined;
  return {
    name: of.package.name,
    version: of.package.version,
    architecture: of.package.architecture,
    status: configured ? 'installed' : 'unpacked',
    files: () =>
      of.entries.map((entry) => `/${withoutEnding(entry.path.replace(/^\.?\/*/, ''), '/')}`.replace(/^\/$/, '/.')),
    controlFiles: () => [...of.control.keys()],
    field(name) {
      fields ??= new Map(
        [...controlFields(controlText(of, 'control') ?? '')].map(([key, value]) => [key.toLowerCase(), value]),
      );
      return fields.get(name.toLowerCase());
    },
  };
}
