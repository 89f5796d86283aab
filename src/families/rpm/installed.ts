import { BuildError } from '../../errors/error.ts';
import { dependenciesOf, SENSE } from '../../formats/rpm/dependencies.ts';
import { type Header, readHeader } from '../../formats/rpm/header.ts';
import { HEADER_MAGIC, TAG } from '../../formats/rpm/layout.ts';
import { display } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';
import type { InstalledPackage, ReadInstalled, Requirement } from '../installed.ts';
import { factsIn } from './describe.ts';
import { DATABASE } from './folders.ts';

/** Largest database that is read, in bytes: one of ten thousand packages has about 400 MB. */
const LIMIT = 1 << 30;

/** Files of rpm's older backends. */
const OTHERS = { Packages: 'Berkeley DB', 'Packages.db': 'ndb' } as const;

/**
 * A reader of rpm's database in the sqlite backend. The library for that format is loaded here, once. Throws
 * `DATABASE_INVALID` for damaged databases and those of other backends, `RPM_CORRUPT` for damaged headers.
 */
export async function installedReader(): Promise<ReadInstalled> {
  const SQL = await (await import('./sqlite.ts')).sqlite();
  return (tree) => {
    const path = `${DATABASE}/rpmdb.sqlite`;
    const file = tree.file(path);
    if (file === undefined) return rejectOthers(tree);
    const invalid = (reason: string) => new BuildError('DATABASE_INVALID', { path: `/${path}`, reason });
    if (file.content.size > LIMIT) throw invalid(`${file.content.size} bytes, ${LIMIT} are the limit`);
    const headers: Header[] = [];
    try {
      const database = new SQL.Database(file.content.readSync());
      try {
        const rows = database.prepare("SELECT blob FROM 'Packages' ORDER BY hnum");
        while (rows.step()) headers.push(headerOf(rows.get()[0], headers.length, `/${path}`));
        rows.free();
      } finally {
        database.close();
      }
    } catch (error) {
      if (error instanceof BuildError) throw error;
      throw invalid(error instanceof Error ? error.message : String(error));
    }
    // keys of the archive's signers are packages, too; they hold no files and nothing needs them
    const packages = headers.filter((one) => one.string(TAG.name) !== 'gpg-pubkey');
    return {
      packages: packages.map(packageOf),
      *files() {
        for (const one of packages) for (const held of pathsOf(one)) yield { package: nameOf(one), path: held };
      },
      facts: () => packages.map((one) => factsIn(one, namesOf(one), [...pathsOf(one)])),
    };
  };
}

function rejectOthers(tree: Tree): undefined {
  for (const [name, backend] of Object.entries(OTHERS))
    if (tree.file(`${DATABASE}/${name}`) !== undefined)
      throw new BuildError('DATABASE_INVALID', {
        path: `/${DATABASE}/${name}`,
        reason: `rpm's older backend, ${backend}, is not read: convert it with rpmdb --rebuilddb`,
      });
  return undefined;
}

function headerOf(blob: unknown, index: number, path: string): Header {
  const where = `${path}: package ${index + 1}`;
  if (!(blob instanceof Uint8Array))
    throw new BuildError('DATABASE_INVALID', { path, reason: `package ${index + 1} has no header` });
  // the database leaves out the magic
  return readHeader(Buffer.concat([Uint8Array.from(HEADER_MAGIC), blob]), 'main', where, 0, { dribbles: true });
}

const nameOf = (header: Header): string => display(header.string(TAG.name) ?? '');

function namesOf(header: Header): Pick<InstalledPackage, 'name' | 'version' | 'architecture'> {
  const epoch = header.numbers(TAG.epoch)[0];
  const version = `${header.string(TAG.version) ?? ''}-${header.string(TAG.release) ?? ''}`;
  return {
    name: nameOf(header),
    version: display(epoch === undefined ? version : `${epoch}:${version}`),
    architecture: display(header.string(TAG.arch) ?? 'noarch'),
  };
}

function packageOf(header: Header): InstalledPackage {
  const size = header.numbers(TAG.size)[0];
  const requires = dependenciesOf(header, 'requires')
    // what rpm itself must support
    .filter(({ name, flags }) => (flags & SENSE.rpmlib) === 0 && !name.startsWith('rpmlib('))
    .map(({ name }): Requirement => ({ verb: 'depends on', names: [name] }));
  const recommends = dependenciesOf(header, 'recommends').map(
    ({ name }): Requirement => ({ verb: 'recommends', names: [name] }),
  );
  return {
    ...namesOf(header),
    size,
    reason: undefined,
    requires: [...requires, ...recommends],
    // files are provided by their paths: /bin/sh
    provides: [
      ...dependenciesOf(header, 'provides').map(({ name }) => name),
      ...[...pathsOf(header)].map((path) => `/${path}`),
    ],
  };
}

function* pathsOf(header: Header): Generator<string> {
  const folders = header.strings(TAG.dirNames);
  const indexes = header.numbers(TAG.dirIndexes);
  for (const [i, name] of header.strings(TAG.baseNames).entries()) {
    const path = `${folders[indexes[i] ?? -1] ?? ''}${name}`.replace(/^\/+/, '');
    if (path !== '') yield path;
  }
}
