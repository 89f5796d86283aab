import { isFolderOutput } from '../artefacts/outputs.ts';
import { STDOUT } from '../bytes/pour.ts';
import { BuildError } from '../errors/error.ts';
import type { Host } from '../fetch/host.ts';
import { referenceOf } from '../formats/oci/reference.ts';
import { billFormat } from '../pipeline/bill.ts';
import { type BuildResult, build } from '../pipeline/build.ts';
import { keptDocument } from '../pipeline/chisel.ts';
import type { Pushed } from '../proof/registry.ts';
import { size } from '../report/terminal.ts';
import { type Context, withHost } from './context.ts';
import { packageRow } from './packages.ts';
import { requestOf } from './request.ts';

/** `osbuilder rootfs|initrd|image|build`. */
export async function artefacts(context: Context): Promise<void> {
  const { terminal, settings, call, collected, outputs, kernelPath } = context;
  const paths = [...outputs.map(({ path }) => path), ...(kernelPath === undefined ? [] : [kernelPath])];
  if (settings.json && paths.includes(STDOUT))
    throw new BuildError('USAGE', { reason: 'standard output cannot carry an artefact and --json at once' });
  if (settings.push !== undefined) rejectUnpushable(settings.push, outputs);
  const source = call.positional[0];
  const request = await requestOf(context);
  const result = await withHost(context, (host) =>
    build(
      {
        ...request,
        outputs,
        ...(source === undefined ? {} : { source }),
        ...(kernelPath === undefined ? {} : { kernel: kernelPath }),
      },
      { ...host, report: context.report },
    ),
  );
  const { push } = settings;
  const pushed =
    push === undefined ? undefined : await withHost(context, (host) => pushBuilt(context, push, result, host));
  if (settings.json) {
    const document = {
      outputs: result.outputs.map(({ kind, path, size, sha256, verity }) => ({
        ...{ kind, path, size, sha256 },
        ...(verity === undefined ? {} : { verity }),
      })),
      ...(result.kernel === undefined ? {} : { kernel: result.kernel }),
      packages: result.packages.map(packageRow),
      ...(result.repositories === undefined ? {} : { repositories: result.repositories }),
      warnings: collected.warnings,
      notes: collected.notes,
      timings: collected.timings,
      sourceDateEpoch: result.epoch,
      ...(pushed === undefined ? {} : { pushed }),
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
  for (const line of pushed === undefined ? [] : (await import('./push.ts')).pushedLines(pushed)) say(`${line}\n`);
}

/** Rejects what cannot be pushed, before anything is built. */
function rejectUnpushable(reference: string, outputs: Context['outputs']): void {
  if (referenceOf(reference).digest !== undefined)
    throw new BuildError('USAGE', { reason: '--push needs a tag: what is built decides on the digest' });
  for (const { kind, path } of outputs)
    if (path === STDOUT || (kind === 'rootfs' && isFolderOutput(path)))
      throw new BuildError('USAGE', { reason: `--push sends files, and ${path} is none: write it to a file` });
}

/** Pushes what was built, and attaches what was written about it. */
async function pushBuilt(context: Context, reference: string, result: BuildResult, host: Host): Promise<Pushed> {
  const { settings } = context;
  const roots = result.outputs.flatMap(({ verity }) => (verity?.path === undefined ? [] : [verity.path]));
  const kernel = result.kernel === undefined ? [] : [result.kernel.path];
  const { sbom, provenance, referenceValues } = settings;
  const bill = billFormat(sbom ?? '', settings.sbomFormat) === 'spdx' ? 'spdx' : 'vnd.cyclonedx';
  const about = [
    ...(sbom === undefined ? [] : [{ path: sbom, type: `application/${bill}+json` }]),
    ...(provenance === undefined ? [] : [{ path: provenance, type: 'application/vnd.in-toto+json' }]),
    ...(referenceValues === undefined ? [] : [{ path: referenceValues, type: 'application/json' }]),
  ];
  const { pushWithKey } = await import('./push.ts');
  const paths = [...result.outputs.map(({ path }) => path), ...roots, ...kernel];
  return pushWithKey(context, reference, paths, { epoch: result.epoch, about }, host);
}
