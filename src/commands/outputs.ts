import type { Output } from '../artefacts/outputs.ts';
import { BuildError } from '../errors/error.ts';
import type { NamedOutputs } from '../settings/gather.ts';
import type { Settings } from '../settings/table.ts';
import { OUTPUT_VARIABLES } from '../settings/upstream.ts';
import type { Call } from './call.ts';

const KINDS = ['rootfs', 'initrd', 'image'] as const;
const DEFAULT_NAME = { initrd: 'kata-containers-initrd.img', image: 'kata-containers.img' } as const;

/** As Kata names the image of an extension. The name is checked with all other settings. */
const extensionPath = (name = '') => `kata-containers-${name.replaceAll('/', '_')}-extension.img`;

/** Commands that build one artefact of a guest, named after it. */
export const isKind = (command: string): command is (typeof KINDS)[number] =>
  (KINDS as readonly string[]).includes(command);

/**
 * What a command writes and where: the command line, else the environment, else the config file, else a default name.
 * Empty for commands that build nothing. Throws `USAGE` when none gives a path.
 */
export function outputsOf(
  { command, own, positional }: Call,
  environment: Readonly<Record<string, string | undefined>>,
  named: NamedOutputs,
): Output[] {
  if (command === 'build') return severalOutputs(own, named);
  // a lock needs no outputs, and those of the config file are for builds
  if (command === 'lock') return namedOutputs(own);
  if (command === 'extension') return [{ kind: command, path: textOf(own['output']) ?? extensionPath(positional[0]) }];
  if (!isKind(command)) return [];
  const variable = environment[OUTPUT_VARIABLES[command] ?? ''] || undefined;
  const usual = command === 'rootfs' ? undefined : DEFAULT_NAME[command];
  const path = textOf(own['output']) ?? variable ?? named[command] ?? named.output ?? usual;
  if (path === undefined)
    throw new BuildError('USAGE', { reason: 'say where the rootfs goes: -o FOLDER/ or -o FILE.tar' });
  return [{ kind: command, path }];
}

/**
 * Where the kernel of `kernelPackage` is written: the command line, else the config file. Throws `USAGE` for a path without
 * a kernel package.
 */
export function kernelPathOf(
  { command, own }: Call,
  named: NamedOutputs,
  { kernelPackage }: Pick<Settings, 'kernelPackage'>,
): string | undefined {
  if (command !== 'build' && command !== 'lock' && !isKind(command)) return undefined;
  const typed = textOf(own['kernel']);
  if (typed !== undefined && kernelPackage === undefined)
    throw new BuildError(
      'USAGE',
      { reason: '--kernel writes the kernel of a package, and none is named' },
      { hint: 'name it with --kernel-package' },
    );
  if (kernelPackage === undefined) return undefined;
  // a lock needs no outputs, and those of the config file are for builds
  return typed ?? (command === 'lock' ? undefined : named.kernel);
}

function severalOutputs(own: Call['own'], named: NamedOutputs): Output[] {
  const typed = namedOutputs(own);
  const outputs = typed.length > 0 ? typed : namedOutputs(named);
  if (outputs.length === 0)
    throw new BuildError('USAGE', {
      reason: 'say what to make: --rootfs FILE, --initrd FILE, --image FILE, one or several',
    });
  return outputs;
}

function namedOutputs(paths: Readonly<Record<string, unknown>>): Output[] {
  return KINDS.flatMap((kind): Output[] => {
    const path = textOf(paths[kind]);
    return path === undefined ? [] : [{ kind, path }];
  });
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
