import { memory } from '../../bytes/content.ts';
import { type Dribble, databaseBlob } from '../../formats/rpm/blob.ts';
import { dependenciesOf, type RpmDependency, SENSE } from '../../formats/rpm/dependencies.ts';
import type { Header } from '../../formats/rpm/header.ts';
import { CHAR, INT32, SIGNATURE, TAG } from '../../formats/rpm/layout.ts';
import { databaseBytes, type Table } from '../../formats/sqlite/database.ts';
import type { Tree } from '../../tree/tree.ts';
import { DATABASE } from './folders.ts';
import type { Installed } from './install.ts';

/** Where Fedora since 36 and CentOS Stream since 10 have it. */
const SYSIMAGE = 'usr/lib/sysimage/rpm';

/** Tags that only an installed package has (rpm: RPMTAG_…). */
const INSTALLED = {
  installTime: 1008,
  fileStates: 1029,
  installPrefixes: 1099,
  installColor: 1127,
  installTid: 1128,
} as const;

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
  keys(row: Row): Iterable<Key>;
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
    keys: ({ main }) => scripts(main, 'fileTriggers', TAG.fileTriggerIndex),
  },
  {
    name: 'Transfiletriggername',
    kind: 'TEXT',
    indexes: ['key', 'hnum'],
    keys: ({ main }) => scripts(main, 'transFileTriggers', TAG.transFileTriggerIndex),
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

/** What is looked for, a text (one character per byte) or bytes, and its place among its kind in the header. */
type Key = readonly [key: string | Uint8Array, idx: number];

interface Row {
  readonly main: Header;
  readonly signature: Header;
  readonly time: number;
}

/**
 * Writes the database of installed packages as rpm's sqlite backend has it. Packages are numbered in the order of
 * installation; all times are `time`. The same packages give the same bytes.
 */
export function recordDatabase(tree: Tree, packages: readonly Installed[], time: number): void {
  folder(tree, time);
  const content = memory(databaseBytes(tablesOf(packages, time)));
  tree.writeFile(`${DATABASE}/rpmdb.sqlite`, content, { mode: 0o644, uid: 0, gid: 0, mtime: time });
}

/** The tables of the database. */
function tablesOf(packages: readonly Installed[], time: number): Table[] {
  const rows = packages.map(({ unpacked: { main, signature } }): Row => ({ main, signature, time }));
  return [
    {
      name: 'Packages',
      sql: "CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)",
      rows: packages.map((one) => [undefined, blobOf(one, time)]),
      counted: true,
    },
    ...TABLES.map(
      ({ name, kind, indexes, keys }): Table => ({
        name,
        sql: `CREATE TABLE '${name}' (key '${kind}' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL, FOREIGN KEY (hnum) REFERENCES 'Packages'(hnum))`,
        rows: rows.flatMap((row, i) => Array.from(keys(row), ([key, idx]) => [key, i + 1, idx])),
        indexes: indexes.map((column) => ({
          name: `${name}_${column}_idx`,
          sql: `CREATE INDEX '${name}_${column}_idx' ON '${name}'(${column} ASC)`,
          column: column === 'key' ? 0 : 1,
        })),
      }),
    ),
  ];
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
  // nothing is relocated
  const prefixes = main.raw(TAG.prefixes);
  if (prefixes !== undefined) dribbles.push({ tag: INSTALLED.installPrefixes, ...prefixes });
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

function* texts(values: readonly string[]): Generator<Key> {
  for (const [i, value] of values.entries()) yield [value, i];
}

function* binary(value: Uint8Array | undefined): Generator<Key> {
  if (value !== undefined) yield [value, 0];
}

/** A rich dependency stands under itself and under each name in it. */
function* names(dependencies: readonly RpmDependency[]): Generator<Key> {
  for (const [i, { name }] of dependencies.entries()) for (const one of namesIn(name)) yield [one, i];
}

/** Prefixes of file triggers, each with the number of its script: rpm finds the script by it. */
function* scripts(main: Header, kind: 'fileTriggers' | 'transFileTriggers', tag: number): Generator<Key> {
  const index = main.numbers(tag);
  for (const [i, { name }] of dependenciesOf(main, kind).entries()) yield [name, index[i] ?? i];
}

/** Triggers of one package for the same name are found once. */
function* unique(rows: Iterable<Key>): Generator<Key> {
  const seen = new Set<Key[0]>();
  for (const row of rows) {
    if (seen.has(row[0])) continue;
    seen.add(row[0]);
    yield row;
  }
}

const LEFT_OUT =
  SENSE.prereq | SENSE.pre | SENSE.post | SENSE.rpmlib | SENSE.keyring | SENSE.pretrans | SENSE.posttrans;
const KEPT = SENSE.preun | SENSE.postun | SENSE.meta;

/** Requirements that matter while a package is installed, not only while it is being installed. */
function* required(main: Header): Generator<Key> {
  for (const [i, { name, flags }] of dependenciesOf(main, 'requires').entries()) {
    if (name.startsWith('rpmlib(')) continue;
    if ((flags & LEFT_OUT) !== 0 && (flags & KEPT) === 0) continue;
    for (const one of namesIn(name)) yield [one, i];
  }
}

/** A rich dependency and the names in it, those after a negating operator with `!`; any other is one name. */
function namesIn(name: string): string[] {
  if (!name.startsWith('(')) return [name];
  const words = name.match(/[()]|(?:[^\s()]|\([^\s()]*\))+/g) ?? [];
  const found = new Set<string>();
  let condition = 0;
  let negated = false;
  // what is negated where a part begins, for each part that is open
  const outer: boolean[] = [];
  let skip = false;
  for (const word of words) {
    if (skip) skip = false;
    else if (/^[<>=]+$/.test(word)) skip = true;
    else if (word === '(') outer.push(negated);
    else if (word === ')') negated = outer.pop() ?? false;
    else if (/^(if|unless)$/.test(word)) {
      negated = !negated;
      condition = found.size;
    } else if (word === 'else') {
      negated = !negated;
      // what stands after it counts when the condition does not hold
      for (const one of [...found].slice(condition)) found.add(one.startsWith('!') ? one.slice(1) : `!${one}`);
    } else if (!/^(and|or|with|without)$/.test(word)) {
      found.add(negated ? `!${word}` : word);
    }
  }
  return [name, ...found];
}

function littleEndian(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
