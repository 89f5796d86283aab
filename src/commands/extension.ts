import { resolve } from 'node:path';
import { extensionConfiguration, extensionMount, extensionSerial, extensionWord } from '../artefacts/extension.ts';
import { STDOUT } from '../bytes/pour.ts';
import { BuildError } from '../errors/error.ts';
import { build } from '../pipeline/build.ts';
import { size } from '../report/terminal.ts';
import { type Context, withHost } from './context.ts';
import { extensionSettings } from './extension-settings.ts';
import { packageRow } from './packages.ts';
import { requestOf } from './request.ts';

/** `osbuilder extension NAME [SOURCE…]`. */
export async function extension(context: Context): Promise<void> {
  const { terminal, call, collected, outputs } = context;
  const [name, source, ...layers] = call.positional as [string, ...string[]];
  const base = context.flag('base');
  const settings = extensionSettings(context.settings, context.given, { name, base: base !== undefined });
  const streams = outputs.some(({ path }) => path === STDOUT);
  if (settings.json && streams)
    throw new BuildError('USAGE', { reason: 'standard output cannot carry an artefact and --json at once' });
  const request = await requestOf(context, settings);
  const result = await withHost(context, (host) =>
    build(
      {
        ...request,
        outputs,
        extension: { name, layers, ...(base === undefined ? {} : { base }) },
        ...(source === undefined ? {} : { source }),
      },
      { ...host, report: context.report },
    ),
  );
  const written = result.outputs[0]!;
  const { kind, path, size: bytes, sha256, verity } = written;
  const parameters = verity?.kernelVerityParams;
  const word = extensionWord(name, parameters);
  const configuration = extensionConfiguration(name, streams ? '' : resolve(path), parameters);
  if (settings.json) {
    const document = {
      extension: {
        ...{ name, verityParams: parameters ?? '', kernelParameter: word, configuration },
        ...{ serial: extensionSerial(name), mountPoint: extensionMount(name) },
        ...(base === undefined ? {} : { base: { path: base, ...result.extension } }),
      },
      outputs: [{ ...{ kind, path, size: bytes, sha256 }, ...(verity === undefined ? {} : { verity }) }],
      packages: result.packages.map(packageRow),
      warnings: collected.warnings,
      notes: collected.notes,
      timings: collected.timings,
      sourceDateEpoch: result.epoch,
    };
    terminal.out(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  // print nothing else to standard output if the image was written to it
  const say = streams ? (text: string) => terminal.screen.write(text) : terminal.out;
  say(`${kind} ${size(bytes)}  sha256:${sha256}  ${path}\n`);
  if (result.extension !== undefined)
    say(`  ${result.extension.added} paths are new and ${result.extension.changed} changed against ${base}\n`);
  if (verity?.path !== undefined) say(`  root hash in ${verity.path}\n`);
  say(`${word}\n\n${configuration}`);
}
