import { createHash } from 'node:crypto';
import { memory } from '../../bytes/content.ts';
import { sha256 } from '../../bytes/digest.ts';
import { fromLatin1, latin1 } from '../../bytes/struct.ts';
import { isBuildError } from '../../errors/error.ts';
import type { Cache } from '../../fetch/cache.ts';
import { type Dribble, databaseBlob } from '../../formats/rpm/blob.ts';
import { dependenciesOf, type RpmDependency, SENSE } from '../../formats/rpm/dependencies.ts';
import type { Header } from '../../formats/rpm/header.ts';
import { CHAR, INT32, SIGNATURE, TAG } from '../../formats/rpm/layout.ts';
import type { Tree } from '../../tree/tree.ts';
import type { Installed } from './install.ts';

/** Folder of the database; where the distribution has it elsewhere this is a link to it. */
export const DATABASE = 'var/lib/rpm';
/** Where Fedora since 36 and CentOS Stream since 10 have it. */
const SYSIMAGE = 'usr/lib/sysimage/rpm';

/** Increase when other bytes are written for the same packages. */
const KEPT_VERSION = 1;
/** A kept database begins with the digest of the rest, in hex. */
const DIGEST = 64;

/** Tags that only an installed package has (rpm: RPMTAG_…). */
const INSTALLED = { installTime: 1008, fileStates: 1029, installColor: 1127, installTid: 1128 } as const;

/** Signature tags by the tag under which the database has them. */
const SIGNATURE_TAGS: readonly (readonly [from: number, to: number])[] = [
  [SIGNATURE.size, 257],
  [SIGNATURE.pgp, 259],
  [SIGNATURE.gpg, 262],
  [SIGNATURE.md5, 261],
  [SIGNATURE.dsa, 267],
  [SIGNATURE.rsa, 268],
  [SIGNATURE.sha1, 269],
  [SIGNATURE.longSize, 270],
  [SIGNATURE.longArchiveSize, 271],
  [SIGNATURE.sha256, 273],
  [SIGNATURE.fileSignatures, 274],
  [275, 275],
  [276, 276],
  [277, 277],
  [SIGNATURE.openpgp, 278],
  [SIGNATURE.sha3, 279],
  [SIGNATURE.archiveSize, TAG.archiveSize],
];

/** The database's tables in rpm's order; what each one indexes of a header. */
const TABLES: readonly {
  readonly name: string;
  readonly kind: 'TEXT' | 'BLOB';
  /** Which indexes it has. */
  readonly indexes: readonly ('key' | 'hnum')[];
  keys(row: Row): Iterable<readonly [key: Uint8Array, idx: number]>;
}[] = [
  { name: 'Name', kind: 'TEXT', indexes: ['key'], keys: ({ main }) => texts([main.string(TAG.name) ?? '']) },
  { name: 'Basenames', kind: 'TEXT', indexes: ['key', 'hnum'], keys: ({ main }) => texts(main.strings(TAG.baseNames)) },
  { name: 'Group', kind: 'TEXT', indexes: ['key'], keys: ({ main }) => texts([main.string(TAG.group) ?? 'Unknown']) },
  { name: 'Requirename', kind: 'TEXT', indexes: ['key', 'hnum'], keys: ({ main }) => required(main) },
  {
    name: 'Providename',
    kind: 'TEXT',
    indexes: ['key', 'hnum'],
    keys: ({ main }) => names(dependenciesOf(main, 'provides')),
  },
  {
    name: 'Conflictname',
    kind: 'TEXT',
    indexes: ['key', 'hnum'],
    keys: ({ main }) => names(dependenciesOf(main, 'conflicts')),
  },
  {
    name: 'Obsoletename',
    kind: 'TEXT',
    indexes: ['key', 'hnum'],
    keys: ({ main }) => names(dependenciesOf(main, 'obsoletes')),
  },
  {
    name: 'Triggername',
    kind: 'TEXT',
    indexes: ['key', 'hnum'],
    keys: ({ main }) => unique(names(dependenciesOf(main, 'triggers'))),
  },
  { name: 'Dirnames', kind: 'TEXT', indexes: ['key', 'hnum'], keys: ({ main }) => texts(main.strings(TAG.dirNames)) },
  // the number in the byte order of the machine: all that are supported but s390x are little-endian
  { name: 'Installtid', kind: 'BLOB', indexes: [], keys: ({ time }) => [[littleEndian(time), 0]] },
  { name: 'Sigmd5', kind: 'BLOB', indexes: [], keys: ({ signature }) => binary(signature.binary(SIGNATURE.md5)) },
  {
    name: 'Sha1header',
    kind: 'TEXT',
    indexes: ['key'],
    keys: ({ signature }) => texts(signature.strings(SIGNATURE.sha1)),
  },
  {
    name: 'Filetriggername',
    kind: 'TEXT',
    indexes: ['key', 'hnum'],
    keys: ({ main }) => names(dependenciesOf(main, 'fileTriggers')),
  },
  {
    name: 'Transfiletriggername',
    kind: 'TEXT',
    indexes: ['key', 'hnum'],
    keys: ({ main }) => names(dependenciesOf(main, 'transFileTriggers')),
  },
  {
    name: 'Recommendname',
    kind: 'TEXT',
    indexes: ['key', 'hnum'],
    keys: ({ main }) => names(dependenciesOf(main, 'recommends')),
  },
  {
    name: 'Suggestname',
    kind: 'TEXT',
    indexes: ['key', 'hnum'],
    keys: ({ main }) => names(dependenciesOf(main, 'suggests')),
  },
  {
    name: 'Supplementname',
    kind: 'TEXT',
    indexes: ['key', 'hnum'],
    keys: ({ main }) => names(dependenciesOf(main, 'supplements')),
  },
  {
    name: 'Enhancename',
    kind: 'TEXT',
    indexes: ['key', 'hnum'],
    keys: ({ main }) => names(dependenciesOf(main, 'enhances')),
  },
];

interface Row {
  readonly main: Header;
  readonly signature: Header;
  readonly time: number;
}

/**
 * Writes the database of installed packages as rpm's sqlite backend has it. Packages are numbered in the order of
 * installation; all times are `time`. The same packages give the same bytes, so that they are kept in the cache: SQLite takes
 * a quarter of the time of a build that has everything else.
 */
export async function recordDatabase(
  tree: Tree,
  packages: readonly Installed[],
  time: number,
  cache: Cache,
): Promise<void> {
  const key = keyOf(packages, time);
  let file: Uint8Array | undefined = cache.read('parsed', key);
  if (file === undefined || sha256(file.subarray(DIGEST)) !== latin1(file.subarray(0, DIGEST))) {
    const made = await databaseOf(packages, time);
    file = Buffer.concat([fromLatin1(sha256(made)), made]);
    try {
      await cache.write('parsed', key, file);
    } catch (error) {
      // it is usable without being kept
      if (!isBuildError(error, 'WRITE_FAILED')) throw error;
    }
  }
  folder(tree, time);
  const content = memory(file.subarray(DIGEST));
  tree.writeFile(`${DATABASE}/rpmdb.sqlite`, content, { mode: 0o644, uid: 0, gid: 0, mtime: time });
}

/** Name of a kept database: it depends on the packages, what became of their files, and the time. */
function keyOf(packages: readonly Installed[], time: number): string {
  const hash = createHash('sha256').update(JSON.stringify([KEPT_VERSION, time]));
  for (const { unpacked, states } of packages) {
    hash.update(unpacked.main.bytes).update(unpacked.signature.bytes);
    hash.update(`${states.length}\n`).update(states);
  }
  return `${hash.digest('hex')}.rpmdb`;
}

/** Rows of an index that are inserted at once: most of the time of a single row is spent on the way to SQLite. */
const ROWS = 64;

/** The bytes of the database. */
async function databaseOf(packages: readonly Installed[], time: number): Promise<Uint8Array> {
  const SQL = await (await import('./sqlite.ts')).sqlite();
  const database = new SQL.Database();
  try {
    database.run('PRAGMA page_size = 4096');
    database.run('BEGIN');
    database.run("CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)");
    for (const { name, kind, indexes } of TABLES) {
      database.run(
        `CREATE TABLE '${name}' (key '${kind}' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL, FOREIGN KEY (hnum) REFERENCES 'Packages'(hnum))`,
      );
      for (const column of indexes) database.run(`CREATE INDEX '${name}_${column}_idx' ON '${name}'(${column} ASC)`);
    }
    const insert = database.prepare("INSERT INTO 'Packages' VALUES (?, ?)");
    for (const [i, one] of packages.entries()) insert.run([i + 1, blobOf(one, time)]);
    insert.free();
    for (const { name, kind, keys } of TABLES) {
      // keys are any bytes, which a text bound as such could not be
      const value = kind === 'TEXT' ? 'CAST(? AS TEXT)' : '?';
      const insertRows = (count: number) =>
        database.prepare(`INSERT INTO '${name}' VALUES ${Array(count).fill(`(${value}, ?, ?)`).join(',')}`);
      const several = insertRows(ROWS);
      let values: (Uint8Array | number)[] = [];
      for (const [i, { unpacked }] of packages.entries())
        for (const [key, idx] of keys({ main: unpacked.main, signature: unpacked.signature, time })) {
          values.push(key, i + 1, idx);
          if (values.length < 3 * ROWS) continue;
          several.run(values);
          values = [];
        }
      several.free();
      if (values.length === 0) continue;
      const last = insertRows(values.length / 3);
      last.run(values);
      last.free();
    }
    database.run('COMMIT');
    return normalised(database.export());
  } finally {
    database.close();
  }
}

/** The header of a package as the database has it. */
function blobOf({ unpacked: { main, signature }, states }: Installed, time: number): Uint8Array {
  const dribbles: Dribble[] = [];
  for (const [from, to] of SIGNATURE_TAGS) {
    const value = main.has(to) ? undefined : signature.raw(from);
    if (value !== undefined) dribbles.push({ tag: to, ...value });
  }
  const number = (tag: number, value: number) => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value);
    dribbles.push({ tag, type: INT32, count: 1, bytes });
  };
  number(INSTALLED.installTime, time);
  if (states.length > 0) dribbles.push({ tag: INSTALLED.fileStates, type: CHAR, count: states.length, bytes: states });
  number(INSTALLED.installColor, 3);
  number(INSTALLED.installTid, time);
  return databaseBlob(main, dribbles);
}

function folder(tree: Tree, time: number): void {
  const meta = { mode: 0o755, uid: 0, gid: 0, mtime: time };
  if (tree.stat(DATABASE) !== undefined) return;
  if (tree.stat(SYSIMAGE)?.kind === 'directory') {
    tree.makeDirectory('var/lib', meta);
    tree.symlink(DATABASE, `../../${SYSIMAGE}`, { ...meta, mode: 0o777 });
  } else tree.makeDirectory(DATABASE, meta);
}

function* texts(values: readonly string[]): Generator<readonly [Uint8Array, number]> {
  for (const [i, value] of values.entries()) yield [fromLatin1(value), i];
}

function* binary(value: Uint8Array | undefined): Generator<readonly [Uint8Array, number]> {
  if (value !== undefined) yield [value, 0];
}

/** A rich dependency stands under each name in it. */
function* names(dependencies: readonly RpmDependency[]): Generator<readonly [Uint8Array, number]> {
  for (const [i, { name }] of dependencies.entries()) for (const one of namesIn(name)) yield [fromLatin1(one), i];
}

/** Triggers of one package for the same name are found once. */
function* unique(rows: Iterable<readonly [Uint8Array, number]>): Generator<readonly [Uint8Array, number]> {
  const seen = new Set<string>();
  for (const row of rows) {
    const key = Buffer.from(row[0]).toString('latin1');
    if (seen.has(key)) continue;
    seen.add(key);
    yield row;
  }
}

const LEFT_OUT =
  SENSE.prereq | SENSE.pre | SENSE.post | SENSE.rpmlib | SENSE.keyring | SENSE.pretrans | SENSE.posttrans;
const KEPT = SENSE.preun | SENSE.postun | SENSE.meta;

/** Requirements that matter while a package is installed, not only while it is being installed. */
function* required(main: Header): Generator<readonly [Uint8Array, number]> {
  for (const [i, { name, flags }] of dependenciesOf(main, 'requires').entries()) {
    if (name.startsWith('rpmlib(')) continue;
    if ((flags & LEFT_OUT) !== 0 && (flags & KEPT) === 0) continue;
    for (const one of namesIn(name)) yield [fromLatin1(one), i];
  }
}

/** The names in a rich dependency, those after a negating operator with `!`; any other is one name. */
function namesIn(name: string): string[] {
  if (!name.startsWith('(')) return [name];
  const words = name.match(/[()]|(?:[^\s()]|\([^\s()]*\))+/g) ?? [];
  const found: string[] = [];
  let negated = false;
  let skip = false;
  for (const word of words) {
    if (skip) skip = false;
    else if (/^[<>=]+$/.test(word)) skip = true;
    else if (/^(and|or|with)$/.test(word)) negated = false;
    else if (/^(if|unless|without)$/.test(word)) negated = true;
    else if (word === 'else') negated = false;
    else if (word !== '(' && word !== ')') found.push(negated ? `!${word}` : word);
  }
  return found;
}

function littleEndian(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** Counters and the version of the library that wrote the file: they would differ with another one (sqlite.org/fileformat.html). */
function normalised(file: Uint8Array): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  view.setUint32(24, 1); // file change counter
  view.setUint32(40, 1); // schema cookie
  view.setUint32(92, 1); // version-valid-for
  view.setUint32(96, 3_040_001); // SQLITE_VERSION_NUMBER
  return file;
}
