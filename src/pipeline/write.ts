import { resolve } from 'node:path';
import { expectLargeFile } from '../bytes/digester.ts';
import { type Poured, type Prepared, preparePour } from '../bytes/pour.ts';
import { BuildError } from '../errors/error.ts';
import type { Host } from '../fetch/host.ts';
import type { Init } from '../rootfs/guest.ts';
import type { Settings } from '../settings/table.ts';
import type { Tree } from '../tree/tree.ts';

/** Something to write, and where. */
export interface Output {
  readonly kind: 'rootfs' | 'initrd' | 'image';
  readonly path: string;
}

/** What artefacts depend on besides the tree. */
export interface OutputOptions {
  readonly settings: Settings;
  readonly init: Init;
  readonly epoch: number;
  /** `uname -m` name of the guest's processor. */
  readonly architecture: string;
}

/** An artefact that was written. */
export type Written = Poured & { readonly kind: Output['kind'] };

/**
 * Writes all artefacts of a tree, each hashed on the way, and only then gives them their names: so a failure leaves
 * none behind, and an artefact may take the place of what the tree was read from.
 */
export async function writeOutputs(
  tree: Tree,
  outputs: readonly Output[],
  options: OutputOptions,
  host: Pick<Host, 'report'>,
): Promise<Written[]> {
  const { report } = host;
  refuseSamePath(outputs);
  const prepared: Prepared<Written>[] = [];
  try {
    for (const output of outputs) {
      report({ kind: 'phase', phase: 'write' });
      const progress = (bytes: number) => report({ kind: 'progress', phase: 'write', bytes, item: output.path });
      const one = await write(tree, output, options, progress);
      prepared.push({ ...one, value: { kind: output.kind, ...one.value } });
      report({ kind: 'ended', phase: 'write', bytes: one.value.size });
    }
    for (const { value, commit } of prepared) {
      commit();
      const { kind, path, size, sha256 } = value;
      report({ kind: 'written', artefact: kind, path, size, sha256 });
    }
  } catch (error) {
    for (const { abandon } of prepared) abandon();
    throw error;
  }
  return prepared.map(({ value }) => value);
}

/** Called when outputs are known and bytes are not yet: makes ready for those that are large as a rule. */
export function expectOutputs(outputs: readonly Output[], settings: Settings): void {
  const large = ({ kind, path }: Output) =>
    kind === 'image' || (kind === 'initrd' ? settings.compress === 'none' : path.endsWith('.tar'));
  if (outputs.some(large)) expectLargeFile();
}

/** One file cannot be two artefacts. */
function refuseSamePath(outputs: readonly Output[]): void {
  const seen = new Map<string, Output>();
  for (const output of outputs) {
    const path = resolve(output.path);
    const other = seen.get(path);
    if (other !== undefined)
      throw new BuildError('SETTING_CONFLICT', {
        reason: `${other.kind} and ${output.kind} cannot both be written to ${output.path}`,
      });
    seen.set(path, output);
  }
}

/** Each kind's writers are loaded when one is asked for. */
async function write(
  tree: Tree,
  output: Output,
  options: OutputOptions,
  progress: (bytes: number) => void,
): Promise<Prepared<Poured>> {
  const { settings, init, epoch, architecture } = options;
  switch (output.kind) {
    case 'rootfs': {
      const { prepareRootfs } = await import('../artefacts/rootfs.ts');
      return prepareRootfs(tree, output.path, progress);
    }
    case 'initrd': {
      const { initrd, initrdArchive } = await import('../artefacts/initrd.ts');
      if (settings.compress === 'none') {
        const archive = initrdArchive(tree, { init, epoch });
        return preparePour(archive.open(), output.path, { progress, size: archive.size });
      }
      const bytes = initrd(tree, {
        compress: settings.compress as 'gzip',
        ...(settings.compressLevel === undefined ? {} : { level: settings.compressLevel }),
        init,
        epoch,
      });
      return preparePour(bytes, output.path, { progress });
    }
    case 'image': {
      const { image } = await import('../artefacts/image.ts');
      const disk = await image(tree, { ...imageOptions(settings), epoch, architecture });
      return preparePour(disk.open(), output.path, { progress, sparse: true, size: disk.size });
    }
    default:
      output.kind satisfies never;
      throw new TypeError(`no such output: ${String(output.kind)}`);
  }
}

function imageOptions(settings: Settings) {
  return {
    blockSize: settings.blockSize!,
    freeSpace: settings.rootFreeSpace! * 1024 * 1024,
    alignment: settings.imageSizeAlignmentMb! * 1024 * 1024,
    plain: settings.skipDaxHeader!,
    table: settings.partitionTable!,
    label: settings.fsLabel!,
    features: settings.fsFeatures ?? [],
    ...(settings.fsUuid === undefined ? {} : { uuid: settings.fsUuid }),
  };
}
