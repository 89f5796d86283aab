import { basename, dirname, resolve } from 'node:path';
import { readRegular } from '../bytes/regular.ts';
import { BuildError } from '../errors/error.ts';
import type { Chosen } from '../families/family.ts';
import { shown } from '../fetch/mirror.ts';
import { isKeepFile, type KeepList, type KeepSource, keepList, listsIn } from '../rootfs/chisel/list.ts';
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

/** The largest list of files that is read, in bytes. */
const LIST_LIMIT = 16 << 20;

/** What is to be kept of the guest, from patterns and files; undefined where nothing says so. Throws `KEEP_INVALID`. */
export async function keepOf({ settings }: Context): Promise<KeepList | undefined> {
  if (settings.keep === undefined || settings.keep.length === 0) return undefined;
  const read = async (path: string): Promise<unknown> => {
    const invalid = (reason: string) => new BuildError('KEEP_INVALID', { path, reason });
    return yamlValues(readRegular(path, LIST_LIMIT).toString('utf8'), invalid, { allText: true });
  };
  const sources: KeepSource[] = [];
  const named: { path: string; by: string }[] = [];
  for (const text of settings.keep) {
    if (!isKeepFile(text)) {
      sources.push({ item: text });
      continue;
    }
    const value = /\.json$/i.test(text) ? { 'from-json': [{ file: basename(text) }] } : await read(text);
    const lists = new Map<string, unknown>();
    for (const name of listsIn(value)) {
      const path = resolve(dirname(text), name);
      if (!lists.has(name) && path !== resolve(text)) named.push({ path, by: basename(text) });
      lists.set(name, await read(path));
    }
    sources.push({ path: text, value, lists });
  }
  return { ...keepList(sources), ...(named.length === 0 ? {} : { lists: named }) };
}

/** The user's own dracut modules, parsed. */
export async function dracutModulesOf({ settings }: Context): Promise<{ value: unknown; path: string }[]> {
  const found: { value: unknown; path: string }[] = [];
  for (const path of settings.dracutModule ?? []) {
    const text = readRegular(path, 1 << 20).toString('utf8');
    const invalid = (reason: string) => new BuildError('DRACUT_MODULE_INVALID', { path, reason });
    found.push({ value: await yamlValues(text, invalid), path });
  }
  return found;
}
