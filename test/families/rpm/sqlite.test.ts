import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SqlJsStatic } from 'sql.js';
import { sqlite } from '../../../src/families/rpm/sqlite.ts';
import { noise } from '../../compression/samples.ts';

/** A database with values of every kind, and its answers. */
function made(SQL: SqlJsStatic): { bytes: Uint8Array; answers: unknown } {
  const database = new SQL.Database();
  database.run('CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB, c TEXT, d REAL)');
  const insert = database.prepare('INSERT INTO t VALUES (?, ?, ?, ?)');
  for (let i = 0; i < 3000; i++) insert.run([i * 70_001, noise(i, i % 900), `name ${i} é`, i / 7]);
  insert.run([2 ** 40, new Uint8Array(0), '', -1e300]);
  insert.free();
  database.run('CREATE INDEX i ON t (c ASC)');
  const bytes = database.export();
  database.close();
  const read = new SQL.Database(bytes);
  const answers = read.exec("SELECT a, hex(b), c, d FROM t WHERE a % 7 = 0 OR c = ''");
  read.close();
  assert.throws(() => new SQL.Database(noise(1, 5000)).exec('SELECT * FROM t'), /not a database/);
  return { bytes, answers };
}

test('the database is the same when the engine’s memory is read in its own order, as on a machine with another one', async () => {
  const plain = made(await sqlite(false));
  const ordered = made(await sqlite(true));
  assert.ok(Buffer.from(ordered.bytes).equals(plain.bytes));
  assert.deepEqual(ordered.answers, plain.answers);
});
