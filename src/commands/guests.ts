import { BuildError } from '../errors/error.ts';
import { didYouMean } from '../errors/nearest.ts';
import { EXIT, errorDocument, type Shown, shownError } from '../report/errors.ts';
import { printable } from '../report/escape.ts';
import type { Gathered } from '../settings/gather.ts';
import { type Guest, guestsOf } from '../settings/guests.ts';
import type { Call } from './call.ts';
import type { Config } from './config.ts';
import { type Context, prepare, settingsOf, type Terminal } from './context.ts';
import { commandSettings } from './settings.ts';
import { sharded, shardOf } from './shard.ts';

/** Config files with several guests: which of them a command is about, and building them one after the other. */

/** Arguments of a command on several guests. */
export interface SeveralGuests {
  readonly terminal: Terminal;
  readonly call: Call;
  readonly config: Config;
  readonly gathered: ((settings: Gathered) => void) | undefined;
}

/**
 * The guests that `--only` and `--shard` leave, in the order of the file. Throws `USAGE` for names that are not there and
 * `CONFIG_INVALID`.
 */
export function chosenGuests({ terminal, call, config }: SeveralGuests): Guest[] {
  const all = guestsOf(config.name, config.values);
  const { only, shard } = call.own;
  let chosen = all;
  if (typeof only === 'string') {
    const wanted = only.split(/[\s,]+/).filter((name) => name !== '');
    for (const name of wanted)
      if (!all.some((guest) => matches(name, guest.name))) {
        const names = all.map((guest) => guest.name);
        throw new BuildError('USAGE', {
          reason: `${config.name} has no guest "${name}"${didYouMean(name, names)}; it has ${listed(names)}`,
        });
      }
    chosen = all.filter((guest) => wanted.some((name) => matches(name, guest.name)));
  }
  return typeof shard === 'string' ? sharded(chosen, shardOf(shard, terminal.environment)) : chosen;
}

/** A name, or a pattern with `*` for any letters. */
function matches(pattern: string, name: string): boolean {
  const parts = pattern.split('*');
  if (parts.length === 1) return pattern === name;
  const last = parts.pop()!;
  if (!name.startsWith(parts[0]!)) return false;
  let at = parts[0]!.length;
  for (const part of parts.slice(1)) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}

const listed = (names: readonly string[]): string =>
  names.length > 12 ? `${names.slice(0, 12).join(', ')} and ${names.length - 12} more` : names.join(', ');

/** The settings file of one guest. */
export function configOf(config: Config, guest: Guest): Config {
  return { ...config, name: `${config.name} (guest ${guest.name})`, values: guest.values };
}

/** The one guest that a command for one is about. Throws `USAGE` when there are several. */
export function oneGuest(several: SeveralGuests): Config {
  const chosen = chosenGuests(several);
  if (chosen.length === 1) return configOf(several.config, chosen[0]!);
  const names = listed(chosen.map(({ name }) => name));
  throw new BuildError(
    'USAGE',
    { reason: `${several.config.name} has several guests, and "osbuilder ${several.call.command}" is about one` },
    { hint: `name it with --only: ${names}` },
  );
}

/** Prints the guests: names, or with `json` a document that a matrix of GitHub takes as it is. */
export function listGuests(several: SeveralGuests): void {
  const chosen = chosenGuests(several);
  const json = gatheredOf(several, undefined).settings.json === true;
  if (json) {
    const include = chosen.map(({ name, cell }) => ({ guest: name, ...cell }));
    several.terminal.out(`${JSON.stringify({ include })}\n`);
  } else for (const { name } of chosen) several.terminal.out(`${name}\n`);
}

function gatheredOf({ terminal, call, config, gathered }: SeveralGuests, guest: Guest | undefined) {
  const values = guest === undefined ? {} : guest.values;
  const own = guest === undefined ? { command: 'distros', positional: [], own: {}, flags: call.flags } : call;
  return commandSettings(own, terminal.environment, { ...config, values }, gathered);
}

/** What one guest came to. */
type Outcome = { readonly guest: string } & Readonly<Record<string, unknown>>;

/**
 * `osbuilder build` of every chosen guest. All settings are checked before the first is built. A guest that cannot be built
 * does not keep the others from being built; `GUESTS_FAILED` is thrown at the end. Throws what is wrong with the command
 * line at once.
 */
export async function buildGuests(several: SeveralGuests, build: (context: Context) => Promise<void>): Promise<void> {
  const { terminal, call, config, gathered } = several;
  const chosen = chosenGuests(several);
  if (chosen.length > 1)
    for (const name of ['rootfs', 'initrd', 'image', 'kernel'])
      if (call.own[name] !== undefined)
        throw new BuildError('USAGE', {
          reason: `--${name} is one path, and ${config.name} has ${chosen.length} guests: name the outputs there, with {guest} in their paths`,
        });
  const checked = [];
  for (const guest of chosen) {
    const { files, kernel, settings } = await settingsOf(terminal, call, configOf(config, guest), gathered);
    checked.push({ name: guest.name, outputs: files, settings, ...(kernel === undefined ? {} : { kernel }) });
  }
  if (checked.length > 1) (await import('../pipeline/validate-outputs.ts')).rejectSharedPlaces(checked);
  const outcomes: Outcome[] = [];
  const failed: string[] = [];
  let json = false;
  for (const [i, guest] of chosen.entries()) {
    const text: string[] = [];
    const own: Terminal = Object.assign(Object.create(terminal) as Terminal, {
      out: (data: string | Uint8Array) => (json ? text.push(String(data)) : terminal.out(data)),
    });
    let given: Gathered['given'] = new Map();
    try {
      const context = await prepare(own, call, configOf(config, guest), (all) => {
        given = all.given;
        json = all.settings.json === true;
        gathered?.(all);
      });
      if (context.settings.quiet !== true)
        terminal.screen.write(`Guest ${guest.name} (${i + 1} of ${chosen.length})\n`);
      await build(context);
      outcomes.push({ guest: guest.name, ...(json ? (JSON.parse(text.join('')) as object) : {}) });
    } catch (error) {
      const shown = shownError(error, given);
      if (shown.exit !== EXIT.error) throw error;
      failed.push(guest.name);
      outcomes.push({ guest: guest.name, ...errorDocument(shown) });
      sayFailed(terminal, guest.name, shown);
    }
  }
  if (failed.length > 0)
    throw new BuildError('GUESTS_FAILED', { failed, count: chosen.length, ...(json ? { guests: outcomes } : {}) });
  if (json) terminal.out(`${JSON.stringify({ guests: outcomes }, null, 2)}\n`);
}

function sayFailed({ screen }: Terminal, guest: string, { message, code, hint }: Shown): void {
  screen.write(`osbuilder: guest ${guest}: ${printable(`${message} [${code}]`)}\n`);
  if (hint !== undefined) screen.write(`  ${printable(hint)}\n`);
}
