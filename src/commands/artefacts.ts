import { STDOUT } from '../bytes/pour.ts';
import { BuildError } from '../errors/error.ts';
import { build } from '../pipeline/build.ts';
import { keptDocument } from '../pipeline/chisel.ts';
import { size } from '../report/terminal.ts';
import { type Context, withHost } from './context.ts';
import { dracutModulesOf, keepOf, packageRow, profileOf } from './packages.ts';

/** `osbuilder rootfs|initrd|image|build`. */
export async function artefacts(context: Context): Promise<void> {
  const { terminal, settings, call, collected, outputs, kernelPath } = context;
  const paths = [...outputs.map(({ path }) => path), ...(kernelPath === undefined ? [] : [kernelPath])];
  if (settings.json && paths.includes(STDOUT))
    throw new BuildError('USAGE', { reason: 'standard output cannot carry an artefact and --json at once' });
  const source = call.positional[0];
  const profile = await profileOf(context);
  const keep = await keepOf(context);
  const dracutModules = await dracutModulesOf(context);
  const result = await withHost(context, (host) =>
    build(
      {
        settings,
        outputs,
        hostArchitecture: terminal.architecture,
        version: terminal.version,
        ...(source === undefined ? {} : { source }),
        ...(kernelPath === undefined ? {} : { kernel: kernelPath }),
        ...(context.configPath === undefined ? {} : { readFrom: [context.configPath] }),
        ...(profile === undefined ? {} : { profile }),
        ...(keep === undefined ? {} : { keep }),
        ...(dracutModules.length === 0 ? {} : { dracutModules }),
      },
      { ...host, report: context.report },
    ),
  );
  if (settings.json) {
    const document = {
      outputs: result.outputs.map(({ kind, path, size, sha256, verity }) => ({
        ...{ kind, path, size, sha256 },
        ...(verity === undefined ? {} : { verity }),
      })),
      ...(result.kernel === undefined ? {} : { kernel: result.kernel }),
      packages: result.packages.map(packageRow),
      warnings: collected.warnings,
      notes: collected.notes,
      timings: collected.timings,
      sourceDateEpoch: result.epoch,
      ...(result.kept === undefined ? {} : { kept: keptDocument(result.kept) }),
    };
    terminal.out(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  // print nothing else to standard output if an artefact was written to it
  const say = paths.includes(STDOUT) ? (text: string) => terminal.screen.write(text) : terminal.out;
  for (const { kind, path, size: bytes, sha256, verity } of result.outputs) {
    say(`${kind.padEnd(7)}${size(bytes)}  sha256:${sha256}  ${path}\n`);
    if (verity?.path !== undefined) say(`${''.padEnd(16)}  ${verity.roothash}  ${verity.path}\n`);
  }
  if (result.kernel !== undefined) {
    const { size: bytes, sha256, path } = result.kernel;
    say(`kernel ${size(bytes)}  sha256:${sha256}  ${path}\n`);
  }
}
