import { readRegular } from '../bytes/regular.ts';
import { BuildError } from '../errors/error.ts';
import type { Chosen } from '../families/family.ts';
import { shown } from '../fetch/mirror.ts';
import { yamlValues } from './config.ts';
import type { Context } from './context.ts';

/** A package in the JSON documents. */
export function packageRow({ package: one, reason }: Chosen): Record<string, unknown> {
  const { name, version, architecture, size, sha256, urls } = one;
  return { name, version, architecture, size, sha256, url: urls[0] === undefined ? null : shown(urls[0]), reason };
}

/** The user's own profile, parsed. */
export async function profileOf(context: Context): Promise<{ value: unknown; path: string } | undefined> {
  const path = context.settings.profile;
  if (path === undefined) return undefined;
  const text = readRegular(path, 1 << 20).toString('utf8');
  const invalid = (reason: string) => new BuildError('PROFILE_INVALID', { path, reason });
  const value = await yamlValues(text, invalid, { allText: true });
  return { value, path };
}
