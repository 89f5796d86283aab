import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import initSqlJs from 'sql.js';
import { latin1 } from '../../../src/bytes/struct.ts';
import { databaseBytes, type Table } from '../../../src/formats/sqlite/database.ts';
import { PAGE } from '../../../src/formats/sqlite/layout.ts';
import type { Value } from '../../../src/formats/sqlite/record.ts';
import { needs, random, temporary, tool } from '../../support/data.ts';

/** Databases are decided on by SQLite itself: it finds nothing wrong, and reads back what was written. */

/** Has SQLite check a database, and compares all rows, in the order of the rows and of each index. */
async function check(tables: readonly Table[]): Promise<Uint8Array> {
  const bytes = databaseBytes(tables);
  assert.deepEqual(databaseBytes(tables), bytes);
  assert.equal(bytes.length % PAGE, 0);
  const SQL = await initSqlJs();
  // it takes what it is given for its own memory
  const database = new SQL.Database(Uint8Array.from(bytes));
  try {
    const rows = (sql: string) => database.exec(sql)[0]?.values ?? [];
    assert.deepEqual(rows('PRAGMA integrity_check'), [['ok']]);
    assert.deepEqual(
      rows("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name <> 'sqlite_sequence'"),
      tables.flatMap(({ name, sql, indexes = [] }) => [
        ['table', name, name, sql],
        ...indexes.map((one) => ['index', one.name, name, one.sql]),
      ]),
    );
    for (const { name, rows: given, indexes = [], counted } of tables) {
      const shown = (value: Value, id: number) =>
        value === undefined ? id : typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
      const texts = (values: unknown[][]) =>
        values.map((row) => row.map((one) => (one instanceof Uint8Array ? latin1(one) : one)));
      const expected = texts(given.map((values, i) => values.map((value) => shown(value, i + 1))));
      // texts as bytes: not all of them are UTF-8
      const columns = (given[0] ?? []).map((value, i) => (typeof value === 'string' ? `CAST(c${i} AS BLOB)` : `c${i}`));
      const list = columns.length === 0 ? 'count(*)' : columns.join(', ');
      assert.deepEqual(
        texts(rows(`SELECT ${list} FROM ${name} ORDER BY rowid`)),
        columns.length === 0 ? [[0]] : expected,
        name,
      );
      for (const { name: index, column } of indexes) {
        if (given.length === 0) continue;
        const found = rows(`SELECT rowid FROM ${name} INDEXED BY ${index} ORDER BY c${column}, rowid`);
        assert.equal(found.length, given.length, index);
        const wanted = Math.floor(given.length / 2);
        const value = given[wanted]![column] as string | number | Uint8Array;
        const statement = database.prepare(
          `SELECT rowid FROM ${name} INDEXED BY ${index} WHERE c${column} = ${typeof value === 'string' ? 'CAST(? AS TEXT)' : '?'}`,
        );
        statement.bind([typeof value === 'string' ? Buffer.from(value, 'latin1') : value]);
        const ids: unknown[] = [];
        while (statement.step()) ids.push(statement.get()[0]);
        statement.free();
        const same = given.flatMap((row, i) => (row[column] === value ? [i + 1] : []));
        assert.deepEqual(ids, same, `${index} of row ${wanted}`);
      }
      if (counted === true && given.length > 0)
        assert.deepEqual(rows(`SELECT seq FROM sqlite_sequence WHERE name = '${name}'`), [[given.length]]);
    }
    // it can be written to: nothing in it is in the way
    for (const { name, rows: given } of tables) {
      if (given.length === 0) continue;
      database.run(`INSERT INTO ${name} SELECT ${copied(tables, name)} FROM ${name} LIMIT 50`);
      database.run(`DELETE FROM ${name} WHERE rowid % 3 = 0`);
    }
    assert.deepEqual(rows('PRAGMA integrity_check'), [['ok']]);
  } finally {
    database.close();
  }
  return bytes;
}

function copied(tables: readonly Table[], name: string): string {
  const one = tables.find((table) => table.name === name)!;
  return one.rows[0]!.map((value, i) => (value === undefined ? 'NULL' : `c${i}`)).join(', ');
}

/** A table as rpm has them: of keys, numbers of packages and places. */
function keys(name: string, kind: 'TEXT' | 'BLOB', rows: readonly (readonly Value[])[]): Table {
  return {
    name,
    sql: `CREATE TABLE ${name} (c0 '${kind}' NOT NULL, c1 INTEGER NOT NULL, c2 INTEGER NOT NULL)`,
    rows,
    indexes: [0, 1].map((column) => ({
      name: `${name}_${column}`,
      sql: `CREATE INDEX ${name}_${column} ON ${name}(c${column} ASC)`,
      column,
    })),
  };
}

function blobs(name: string, sizes: readonly number[]): Table {
  return {
    name,
    sql: `CREATE TABLE ${name} (c0 INTEGER PRIMARY KEY AUTOINCREMENT, c1 BLOB NOT NULL)`,
    rows: sizes.map((size, i) => [undefined, new Uint8Array(size).fill(i + 1)]),
    counted: true,
  };
}

test('records of every size: in their page, and in pages of their own', async () => {
  const around = [35, 489, 1002, 4061, 4092, 4096, 8184].flatMap((size) =>
    Array.from({ length: 25 }, (_, i) => Math.max(0, size - 16 + i)),
  );
  await check([
    blobs('sized', [...around, 100_000, 1_000_000]),
    keys(
      'named',
      'TEXT',
      around.map((size, i) => ['k'.repeat(Math.max(1, size)), i, size]),
    ),
  ]);
});

test('trees of every height: none, one and many rows', async () => {
  for (const count of [0, 1, 2, 50, 130, 131, 132, 133, 260, 264, 266, 500, 20_000])
    await check([
      blobs(
        'few',
        Array.from({ length: Math.min(count, 600) }, () => 3),
      ),
      keys(
        'many',
        'TEXT',
        Array.from({ length: count }, (_, i) => [`name ${(i * 7919) % 20_011}`, i % 300, i]),
      ),
    ]);
});

test('wide keys: three levels of an index, with whatever falls on the edge of a page', async () => {
  for (const size of [300, 900, 985, 995, 1000, 1010, 2000, 6000])
    for (const count of [3, 4, 5, 12, 13, 14, 16, 17, 200])
      await check([
        keys(
          'wide',
          'TEXT',
          Array.from({ length: count }, (_, i) => [`${(i * 31) % count}`.padStart(size, 'x'), i, i]),
        ),
      ]);
});

test('numbers of every size, texts of any bytes, equal keys', async () => {
  const numbers = [0, 1, 2, 127, 128, 32_767, 32_768, 2 ** 23, 2 ** 31 - 1, 2 ** 31, 2 ** 47 - 1].flatMap((one) => [
    one,
    -one - 1,
  ]);
  await check([
    keys(
      'numbers',
      'TEXT',
      numbers.map((one) => ['same', one, one]),
    ),
    keys(
      'bytes',
      'TEXT',
      Array.from({ length: 256 }, (_, i) => [`a${String.fromCharCode(i === 0 ? 1 : i)}`, 1, 0]),
    ),
    keys(
      'binary',
      'BLOB',
      Array.from({ length: 256 }, (_, i) => [Uint8Array.of(i, 0, 255 - i), 7, i]),
    ),
  ]);
  assert.throws(() => databaseBytes([keys('numbers', 'TEXT', [['a', 2 ** 47, 0]])]), RangeError);
});

test('random tables, and so many that the list of them has several pages', async () => {
  const { below } = random(20);
  const tables = Array.from({ length: 60 }, (_, i) => {
    const widest = [8, 40, 1200, 5000][below(4)]!;
    const count = below(widest > 1000 ? 60 : 900);
    return keys(
      `t${i}`,
      'TEXT',
      Array.from({ length: count }, () => [
        String.fromCharCode(...Array.from({ length: 1 + below(widest) }, () => 1 + below(255))),
        below(40),
        below(2 ** 31),
      ]),
    );
  });
  await check([
    blobs(
      'packages',
      Array.from({ length: 300 }, () => below(30_000)),
    ),
    ...tables,
  ]);
});

test('another build of SQLite finds nothing wrong', { skip: needs({ tools: ['python3'] }) }, async (t) => {
  const file = join(temporary(t), 'made.sqlite');
  writeFileSync(
    file,
    await check([
      blobs('sized', [10, 5000, 70_000]),
      keys(
        'many',
        'TEXT',
        Array.from({ length: 5000 }, (_, i) => [`name ${i}`, i, i]),
      ),
    ]),
  );
  const script =
    'import sqlite3,sys\nc=sqlite3.connect(sys.argv[1])\nprint(c.execute("PRAGMA integrity_check").fetchall(), c.execute("SELECT count(*) FROM many").fetchall())';
  const { stdout, stderr } = spawnSync(tool('python3')!, ['-c', script, file], { encoding: 'utf8' });
  assert.equal(stdout.trim(), "[('ok',)] [(5000,)]", stderr);
});
