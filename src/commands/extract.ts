import { openRootfs } from '../artefacts/open.ts';
import { isFolderOutput, writeRootfs } from '../artefacts/outputs.ts';
import { STDOUT } from '../bytes/pour.ts';
import { BuildError } from '../errors/error.ts';
import { validateTarget } from '../pipeline/validate-outputs.ts';
import { size } from '../report/terminal.ts';
import { type Context, withHost } from './context.ts';

/** `osbuilder extract FILE -o DIR/|FILE.tar`. */
export async function extract(context: Context): Promise<void> {
  const path = context.call.positional[0]!;
  const target = context.flag('output');
  if (target === undefined)
    throw new BuildError('USAGE', { reason: 'say where the tree goes: -o FOLDER/ or -o FILE.tar' });
  if (target === STDOUT && context.settings.json)
    throw new BuildError('USAGE', { reason: 'standard output cannot carry an artefact and --json at once' });
  const force = context.settings.force ?? false;
  validateTarget(target, isFolderOutput(target), path, { force });
  const poured = await withHost(context, async (host) => {
    const tree = await (await openRootfs(path, host)).tree();
    return writeRootfs(tree, target, { force, report: context.report });
  });
  if (context.settings.json) {
    const { path: written, size: bytes, sha256 } = poured;
    const { warnings, timings } = context.collected;
    const document = {
      outputs: [{ kind: 'rootfs', path: written, size: bytes, sha256 }],
      packages: [],
      warnings,
      timings,
    };
    context.terminal.out(`${JSON.stringify(document, null, 2)}\n`);
  } else context.terminal.out(`rootfs ${size(poured.size)}  sha256:${poured.sha256}  ${poured.path}\n`);
}
