import { existsSync } from 'node:fs';
import { verifyArtefact } from '../artefacts/verify.ts';
import { readRegular } from '../bytes/regular.ts';
import { BuildError } from '../errors/error.ts';
import { parseRoot } from '../formats/verity/parameters.ts';
import { type Context, withHost } from './context.ts';

/** `osbuilder verify FILE…`: checks checksums and structure. Throws `UNSOUND` when something is wrong. */
export async function verify(context: Context): Promise<void> {
  const { terminal, settings } = context;
  const results: { path: string; kind: string; sound: boolean; faults: string[]; unchecked: string[] }[] = [];
  const given = context.flag('root-hash');
  const root = given === undefined ? {} : { rootHash: rootHashOf(given) };
  for (const path of context.call.positional) {
    const { kind, faults, unchecked } = await withHost(context, (host) => verifyArtefact(path, { ...host, ...root }));
    if (given !== undefined && kind !== 'disk')
      throw new BuildError('USAGE', { reason: `${path} is no disk, so --root-hash is of nothing in it` });
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

/** A root hash as it is, or the line in a file. */
function rootHashOf(given: string): string {
  if (!('reason' in parseRoot(given)) || !existsSync(given)) return given;
  return readRegular(given, 4096).toString('latin1').trim();
}
