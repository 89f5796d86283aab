import { BuildError } from '../errors/error.ts';
import type { Gathered } from '../settings/gather.ts';
import type { Call } from './call.ts';
import { type Context, prepare, type Terminal } from './context.ts';

type Command = (context: Context) => Promise<void>;

/** Each command's module is loaded when it is called: help and small commands do not load the engine. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  rootfs: async () => (await import('./artefacts.ts')).artefacts,
  initrd: async () => (await import('./artefacts.ts')).artefacts,
  image: async () => (await import('./artefacts.ts')).artefacts,
  build: async () => (await import('./artefacts.ts')).artefacts,
  extension: async () => (await import('./extension.ts')).extension,
  diff: async () => (await import('./diff.ts')).diff,
  repro: async () => (await import('./repro.ts')).repro,
  lock: async () => (await import('./lock.ts')).lock,
  plan: async () => (await import('./plan.ts')).plan,
  why: async () => (await import('./why.ts')).why,
  which: async () => (await import('./which.ts')).which,
  inspect: async () => (await import('./inspect.ts')).inspect,
  extract: async () => (await import('./extract.ts')).extract,
  verify: async () => (await import('./verify.ts')).verify,
  push: async () => (await import('./push.ts')).push,
  pull: async () => (await import('./push.ts')).pull,
  boot: async () => (await import('./boot.ts')).boot,
  distros: async () => (await import('./distros.ts')).distros,
  'drop-in': async () => (await import('./drop-in.ts')).dropIn,
  cache: async () => (await import('./cache.ts')).cache,
};

/**
 * Runs one command. Errors are thrown; `gathered` is called with the command's settings as soon as they are known, so
 * that errors can be shown according to them.
 */
export async function runCommand(
  terminal: Terminal,
  call: Call,
  gathered?: (settings: Gathered) => void,
): Promise<void> {
  const load = COMMANDS[call.command];
  if (load === undefined) throw new BuildError('USAGE', { reason: `unknown command "${call.command}"` });
  const context = await prepare(terminal, call, gathered);
  await (await load())(context);
}
