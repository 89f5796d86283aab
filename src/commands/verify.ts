import { openArtefact } from '../artefacts/open.ts';
import { volumeStructures } from '../artefacts/open-image.ts';
import { diskStructures, type Structure } from '../artefacts/structures.ts';
import { BuildError } from '../errors/error.ts';
import { type Context, withHost } from './context.ts';

/** `osbuilder verify FILE…`: recomputes every checksum. Refused with `UNSOUND` when one is wrong. */
export async function verify(context: Context): Promise<void> {
  const { terminal, settings } = context;
  const results: { path: string; kind: string; sound: boolean; faults: string[] }[] = [];
  for (const path of context.call.positional) {
    const { kind, faults } = await withHost(context, (host) => verifyFile(path, host.workspace));
    results.push({ path, kind, sound: faults.length === 0, faults });
    if (settings.json) continue;
    terminal.out(`${path}: ${kind}, ${faults.length === 0 ? 'sound' : 'NOT sound'}\n`);
    for (const fault of faults.slice(0, 20)) terminal.out(`  ${fault}\n`);
    if (faults.length > 20) terminal.out(`  … and ${faults.length - 20} more\n`);
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

/** What a file is, and everything that is wrong with it: structure, place and what should be there. */
export async function verifyFile(path: string, workspace: () => string): Promise<{ kind: string; faults: string[] }> {
  const artefact = await openArtefact(path, workspace);
  const structures: Structure[] = [];
  if (artefact.kind === 'disk' || artefact.kind === 'ext4') {
    const access = await artefact.access();
    const whole = [{ name: 'the whole file', offset: 0, size: access.size }];
    const disk = artefact.kind === 'disk' ? diskStructures(access) : { structures: [], volumes: whole };
    structures.push(...disk.structures, ...volumeStructures(access, disk.volumes, true));
  } else if (artefact.kind === 'file')
    throw new BuildError('ROOTFS_UNKNOWN', { path, reason: 'it is no archive, no image and no folder' });
  const faults = structures.flatMap((one) => one.faults.map((fault) => `${one.what} at byte ${one.offset}: ${fault}`));
  // reading the tree checks headers, names, links and compression's own checksums; of a damaged image that is told already
  if (faults.length === 0) {
    try {
      await artefact.tree();
    } catch (error) {
      if (!(error instanceof BuildError)) throw error;
      faults.push(error.message);
    }
  }
  return { kind: artefact.kind, faults };
}
