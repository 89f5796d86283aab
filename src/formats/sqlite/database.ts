import { DatabaseHead, MAGIC, PAGE } from './layout.ts';
import { Pages } from './pages.ts';
import { compareValues, record, type Value } from './record.ts';

/** An index of a table over one of its columns, in rising order. */
export interface TableIndex {
  readonly name: string;
  /** The statement that would make it. */
  readonly sql: string;
  /** Number of the column. */
  readonly column: number;
}

/** A table and its rows, which are numbered from 1. */
export interface Table {
  readonly name: string;
  /** The statement that would make it. */
  readonly sql: string;
  /** Values must be of the kinds that the columns' affinities make; a column that is the row's number has none. */
  readonly rows: readonly (readonly Value[])[];
  readonly indexes?: readonly TableIndex[];
  /** The row's number is `AUTOINCREMENT`: the last one is noted in a table of its own. */
  readonly counted?: boolean;
}

/** What SQLite says of the library that wrote a file: 3.40.1. */
const LIBRARY = 3_040_001;
const COUNTS = 'sqlite_sequence';

/**
 * An SQLite database of these tables, as if it had been made in one transaction. The same tables give the same bytes. All of it is
 * in memory. Throws `RangeError` for a number of more than 48 bits.
 */
export function databaseBytes(tables: readonly Table[]): Uint8Array {
  const pages = new Pages();
  const master: Value[][] = [];
  const counted = tables.filter((one) => one.counted === true && one.rows.length > 0);
  const write = ({ name, sql, rows, indexes = [] }: Table) => {
    const root = pages.table(rows.map((values, i) => ({ id: i + 1, record: record(values) })));
    master.push(['table', name, name, root, sql]);
    for (const one of indexes) {
      const keys = rows.map((values, i): readonly [key: Value, id: number] => [values[one.column], i + 1]);
      keys.sort(([a, first], [b, second]) => compareValues(a, b) || first - second);
      master.push(['index', one.name, name, pages.index(keys.map((key) => record(key))), one.sql]);
    }
  };
  let noted = false;
  for (const one of tables) {
    write(one);
    if (one.counted !== true || noted) continue;
    noted = true;
    const rows = counted.map((table): Value[] => [table.name, table.rows.length]);
    write({ name: COUNTS, sql: `CREATE TABLE ${COUNTS}(name,seq)`, rows });
  }
  pages.table(
    master.map((values, i) => ({ id: i + 1, record: record(values) })),
    1,
  );
  const content = pages.content();
  content.set(
    DatabaseHead.bytes({
      ...{ magic: MAGIC, pageSize: PAGE, writeVersion: 1, readVersion: 1 },
      ...{ maxFraction: 64, minFraction: 32, leafFraction: 32 },
      ...{ changes: 1, validFor: 1, schemaCookie: 1, pages: pages.count },
      ...{ schemaFormat: 4, encoding: 1, libraryVersion: LIBRARY },
    }),
  );
  return content;
}
