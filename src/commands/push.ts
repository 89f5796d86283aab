import { readRegular } from '../bytes/regular.ts';
import { unameOf } from '../distros/uname.ts';
import { BuildError } from '../errors/error.ts';
import type { Host } from '../fetch/host.ts';
import { signingKey, verificationKey } from '../proof/provenance.ts';
import { type Pushed, type PushOptions, pull as pullFiles, push as pushFiles } from '../proof/registry.ts';
import { size } from '../report/terminal.ts';
import { type Context, withHost } from './context.ts';

/** `osbuilder push REFERENCE FILE…` */
export async function push(context: Context): Promise<void> {
  const { terminal, settings, call } = context;
  const [reference, ...paths] = call.positional as [string, ...string[]];
  const indexFor = call.own['index'] === true ? unameOf(settings.arch ?? terminal.architecture) : undefined;
  const pushed = await withHost(context, (host) =>
    pushWithKey(context, reference, paths, { epoch: settings.sourceDateEpoch, indexFor }, host),
  );
  if (settings.json) terminal.out(`${JSON.stringify({ pushed }, null, 2)}\n`);
  else for (const line of pushedLines(pushed)) terminal.out(`${line}\n`);
}

/** Pushes files with the key of the settings. */
export async function pushWithKey(
  { settings }: Pick<Context, 'settings'>,
  reference: string,
  paths: readonly string[],
  options: Omit<PushOptions, 'key'>,
  host: Host,
): Promise<Pushed> {
  const { signKey } = settings;
  const key = signKey === undefined ? undefined : signingKey(host.readFile(signKey), signKey);
  return pushFiles(reference, paths, { ...options, key }, host);
}

/** Lines for people about what was pushed. */
export function pushedLines({ reference, tag, files, attached }: Pushed): string[] {
  return [
    ...files.map(({ name, size: bytes, digest }) => `file    ${size(bytes)}  ${digest}  ${name}`),
    ...attached.map(({ name, digest }) => `about            ${digest}  ${name}`),
    `${reference}${tag === undefined ? '' : ` (${tag})`}`,
  ];
}

/** `osbuilder pull REFERENCE -o FOLDER/` */
export async function pull(context: Context): Promise<void> {
  const { terminal, settings, call } = context;
  const output = context.flag('output');
  if (output === undefined)
    throw new BuildError('USAGE', { reason: 'say where the files go: -o FOLDER/, or -o oci:FOLDER for a copy of all' });
  const keyPath = context.flag('key');
  const key = keyPath === undefined ? undefined : verificationKey(readRegular(keyPath, 1 << 16), keyPath);
  const attached = call.own['attached'] === true;
  const pulled = await withHost(context, (host) => pullFiles(call.positional[0]!, { output, attached, key }, host));
  if (settings.json) {
    terminal.out(`${JSON.stringify({ pulled }, null, 2)}\n`);
    return;
  }
  for (const { path, size: bytes, sha256 } of pulled.files)
    terminal.out(`file    ${size(bytes)}  sha256:${sha256}  ${path}\n`);
  terminal.out(`${pulled.reference}\n`);
}
