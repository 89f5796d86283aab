import { hostFile } from '../../bytes/file.ts';
import { together } from '../../errors/together.ts';
import type { Cache } from '../../fetch/cache.ts';
import { type Pool, taskModule } from '../../workers/pool.ts';
import type { Stanza } from './deb822.ts';
import { PackageIndex, type PackageList } from './packages-index.ts';
import { TABLE_VERSION, tableParts } from './packages-kept.ts';
import { tableOfStanzas } from './packages-parse.ts';
import { PackagesTable, type TableParts } from './packages-table.ts';
import { type PackagesTask, readParts } from './packages-task.ts';
import { listPriority, type Pin } from './preferences.ts';
import type { AptIndexFile } from './source.ts';

/** How to read package lists. */
export interface ReadOptions {
  /** Caches lists in compact form, so that they are parsed once. */
  readonly cache?: Cache;
  /** Threads to parse in, several lists at once. */
  readonly pool?: Pool;
}

/** Reads one package list: its cached form when that is valid, else the list itself. */
export async function readPackages(file: AptIndexFile, options: ReadOptions = {}): Promise<PackageList> {
  const { cache, pool } = options;
  const key = `${file.sha256}.packages-${TABLE_VERSION}`;
  const kept = cache?.find('parsed', key);
  let parts: TableParts | undefined;
  if (kept !== undefined) parts = tableParts(hostFile(kept).readSync());
  if (parts === undefined) {
    const input: PackagesTask = { file: file.file, compression: file.compression, cache: cache?.directory, key };
    parts = await (pool === undefined
      ? readParts(input)
      : pool.run<TableParts>(taskModule('./packages-task', import.meta.url), input));
  }
  const { bases, suite, codename, origin, label, release, component, architecture, site, priority } = file;
  const place = { suite, codename, origin, label, release, component, architecture, site };
  return { table: new PackagesTable(parts), bases, ...place, priority };
}

/** Reads all lists, in their order, into one index for a guest of that architecture. */
export async function readIndex(
  files: readonly AptIndexFile[],
  architecture: string,
  options: ReadOptions = {},
  further: readonly PackageList[] = [],
  pins: readonly Pin[] = [],
): Promise<PackageIndex> {
  const lists = await together(files.map((file) => readPackages(file, options)));
  const pinned = [...lists, ...further].map((list) =>
    list.named ? list : { ...list, priority: listPriority(pins, list) ?? list.priority },
  );
  return new PackageIndex(architecture, pinned, pins);
}

/** A package archive in a folder of the build host. */
export interface LocalDeb {
  /** Its control file. */
  readonly control: Stanza;
  /** Bytes of the archive. */
  readonly size: number;
  /** In hex. */
  readonly sha256: string;
  /** Its location, as a `file:` URL or a path. */
  readonly url: string;
}

/** A list of packages that are available as single files; `origin` is the folder, for messages. */
export function localPackages(debs: readonly LocalDeb[], origin: string, named?: { priority: number }): PackageList {
  const parts = tableOfStanzas(
    debs.map(({ control, size, sha256, url }) => ({ stanza: control, size, sha256, filename: url })),
    origin,
  );
  return {
    table: new PackagesTable(parts),
    bases: [],
    suite: origin,
    codename: '',
    origin,
    priority: 500,
    ...(named === undefined ? {} : { ...named, named: true }),
  };
}
