import { BuildError } from '../errors/error.ts';
import type { Gathered } from '../settings/gather.ts';
import { hasGuests, sharedValues } from '../settings/guests.ts';
import type { Call } from './call.ts';
import { readConfig } from './config.ts';
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
  modules: async () => (await import('./modules.ts')).modules,
  distros: async () => (await import('./distros.ts')).distros,
  'drop-in': async () => (await import('./drop-in.ts')).dropIn,
  matrix: async () => (await import('./matrix.ts')).matrix,
  cache: async () => (await import('./cache.ts')).cache,
};

/** Commands that are about a guest of the config file; the others take what all its guests share. */
const FOR_GUESTS = new Set(['rootfs', 'initrd', 'image', 'build', 'lock', 'plan', 'why', 'which', 'repro']);

/** Names of all commands that have settings. */
export const COMMAND_NAMES: readonly string[] = Object.keys(COMMANDS);

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
  const named = call.own['config'];
  const read = await readConfig(typeof named === 'string' ? named : undefined);
  const several = hasGuests(read?.values);
  const { list, only, shard } = call.own;
  if (!several && (list === true || only !== undefined || shard !== undefined) && FOR_GUESTS.has(call.command))
    throw new BuildError(
      'USAGE',
      {
        reason: `--${list === true ? 'list' : only === undefined ? 'shard' : 'only'} chooses among guests, and there is no config file with \`guests\``,
      },
      { hint: 'docs/scale.md shows one' },
    );
  let config = read;
  if (read !== undefined && several && FOR_GUESTS.has(call.command)) {
    const { buildGuests, listGuests, oneGuest } = await import('./guests.ts');
    const guests = { terminal, call, config: read, gathered };
    if (list === true) return listGuests(guests);
    if (call.command === 'build') return buildGuests(guests, await load());
    config = oneGuest(guests);
  } else if (read !== undefined && several) config = { ...read, values: sharedValues(read.values) };
  const context = await prepare(terminal, call, config, gathered);
  await (await load())(context);
}
