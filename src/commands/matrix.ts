import { BuildError } from '../errors/error.ts';
import { didYouMean } from '../errors/nearest.ts';
import { guestsOf, hasGuests } from '../settings/guests.ts';
import { readConfig } from './config.ts';
import type { Context } from './context.ts';
import { ENGINES } from './engines.ts';

/** Jobs that are made when nothing else is said. */
const SHARDS = 4;
const OUTPUTS = ['rootfs', 'initrd', 'image', 'kernel', 'sbom', 'provenance', 'reference-values'] as const;

/**
 * `osbuilder matrix ENGINE`: prints a manifest with which an engine builds all guests of the config file. Throws `USAGE`
 * for an unknown engine and where there are no guests.
 */
export async function matrix({ call, terminal, flag, settings }: Context): Promise<void> {
  const engine = call.positional[0] ?? '';
  const make = Object.hasOwn(ENGINES, engine) ? ENGINES[engine] : undefined;
  if (make === undefined) {
    const names = Object.keys(ENGINES);
    throw new BuildError('USAGE', {
      reason: `unknown engine "${engine}": expected ${names.join(', ')}${didYouMean(engine, names)}`,
    });
  }
  const config = await readConfig(flag('config'));
  if (config === undefined || !hasGuests(config.values))
    throw new BuildError(
      'USAGE',
      { reason: `"osbuilder matrix" needs a config file with \`guests\`` },
      { hint: 'docs/scale.md shows one' },
    );
  const guests = guestsOf(config.name, config.values);
  const shards = Math.min(countOf(flag('shards')) ?? SHARDS, guests.length);
  const outputs = guests.flatMap(({ values }) =>
    OUTPUTS.flatMap((key) => (values[key] === undefined ? [] : [String(values[key])])),
  );
  const manifest = make({
    config: config.name,
    guests: guests.map(({ name }) => name),
    outputs,
    shards,
    program: flag('program')
      ?.split(/\s+/)
      .filter((word) => word !== '') ?? ['npx', '--yes', `osbuilder@${terminal.version}`],
    container: flag('container') ?? 'node:22',
  });
  if ('text' in manifest) {
    terminal.out(
      settings.json ? `${JSON.stringify({ engine, shards, manifest: manifest.text }, null, 2)}\n` : manifest.text,
    );
    return;
  }
  const { stringify } = await import('yaml');
  // a document that is JSON is YAML as well
  terminal.out(
    settings.json
      ? `${JSON.stringify({ engine, shards, manifest: manifest.document }, null, 2)}\n`
      : stringify(manifest.document, { aliasDuplicateObjects: false, lineWidth: 0 }),
  );
}

function countOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (count < 1) throw new BuildError('USAGE', { reason: `--shards ${text}: expected a number of jobs, from 1` });
  return count;
}
