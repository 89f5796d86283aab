import { verifyArtefact } from '../artefacts/verify.ts';
import { BuildError } from '../errors/error.ts';
import { type Context, withHost } from './context.ts';

/** `osbuilder verify FILE…`: checks checksums and structure. Throws `UNSOUND` when something is wrong. */
export async function verify(context: Context): Promise<void> {
  const { terminal, settings } = context;
  const results: { path: string; kind: string; sound: boolean; faults: string[]; unchecked: string[] }[] = [];
  for (const path of context.call.positional) {
    const { kind, faults, unchecked } = await withHost(context, (host) => verifyArtefact(path, host));
    results.push({ path, kind, sound: faults.length === 0, faults, unchecked });
    if (settings.json) continue;
    terminal.out(`${path}: ${kind}, ${faults.length === 0 ? 'sound' : 'NOT sound'}\n`);
    for (const fault of faults.slice(0, 20)) terminal.out(`  ${fault}\n`);
    if (faults.length > 20) terminal.out(`  … and ${faults.length - 20} more\n`);
    for (const line of unchecked) terminal.out(`  not checked: ${line}\n`);
  }
  const unsound = results.filter((one) => !one.sound);
  if (settings.json && unsound.length === 0) terminal.out(`${JSON.stringify({ files: results }, null, 2)}\n`);
  if (unsound.length > 0)
    throw new BuildError('UNSOUND', {
      path: unsound[0]!.path,
      count: unsound.length,
      faults: unsound.flatMap((one) => one.faults),
    });
}
