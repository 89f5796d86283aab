import { BuildError } from '../errors/error.ts';
import { type Call, type Context, prepare, type Terminal } from './context.ts';

type Command = (context: Context) => Promise<void>;

/** Each command's module is loaded when it is called: help and small commands must not wait for the engine. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  rootfs: async () => (await import('./artefacts.ts')).artefacts,
  initrd: async () => (await import('./artefacts.ts')).artefacts,
  image: async () => (await import('./artefacts.ts')).artefacts,
  build: async () => (await import('./artefacts.ts')).artefacts,
  plan: async () => (await import('./plan.ts')).plan,
  inspect: async () => (await import('./inspect.ts')).inspect,
  extract: async () => (await import('./extract.ts')).extract,
  verify: async () => (await import('./verify.ts')).verify,
  distros: async () => (await import('./distros.ts')).distros,
  cache: async () => (await import('./cache.ts')).cache,
};

/** Runs one command. Returns the exit code of a command that was done; refusals are thrown. */
export async function runCommand(terminal: Terminal, call: Call): Promise<number> {
  const load = COMMANDS[call.command];
  if (load === undefined) throw new BuildError('USAGE', { reason: `there is no command "${call.command}"` });
  const context = await prepare(terminal, call);
  await (await load())(context);
  return 0;
}
