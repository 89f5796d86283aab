import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cells } from '../../src/report/progress-line.ts';
import { needs } from '../support/data.ts';
import { Tmux } from '../support/tmux.ts';

const DEMO = fileURLToPath(new URL('../support/progress-demo.js', import.meta.url).href.replace(/\.ts$/, '.js'));

/** What the demonstration writes before it begins. */
const LINES = Array.from({ length: 60 }, (_, i) => `line ${i + 1}`);

test('in a real terminal the bar follows its width, and leaves nothing behind', {
  skip: needs({ tools: ['tmux'] }),
}, async (t) => {
  const terminal = new Tmux(t, { columns: 120 }, [process.execPath, DEMO]);
  const isBar = (row: string | undefined) => row !== undefined && /^Writing +\d+ %/.test(row);
  for (const columns of [120, 40, 200, 60, 25, 100, 40]) {
    terminal.resize(columns);
    const rows = await terminal.until((seen) => {
      const bar = seen.at(-1);
      // drawn for this width: the name takes what is left of a wide terminal
      return isBar(bar) && cells(bar!) < columns && (columns < 100 || bar!.endsWith('.img'));
    }, `a bar of ${columns} columns`);
    assert.deepEqual(rows.slice(0, 60), LINES, rows.join('\n'));
    assert.equal(rows.length, 62, rows.join('\n'));
    assert.match(rows[60]!, /^Planning/);
  }
  terminal.resize(200);
  await terminal.until((rows) => rows.at(-1)?.endsWith('.img') === true, 'a wide bar');
  terminal.type('q');
  assert.equal(await terminal.ended(), 0);
  const rows = terminal.rows();
  assert.equal(rows.length, 62, rows.join('\n'));
  assert.match(rows[61]!, /^Writing +[\d.]+ s .*MiB\/s {2}out\/漢字-\\x1b\[31m-kata/);
});

test('a dumb terminal gets plain lines', { skip: needs({ tools: ['tmux'] }) }, async (t) => {
  const terminal = new Tmux(t, { columns: 200 }, ['/usr/bin/env', 'TERM=dumb', process.execPath, DEMO]);
  await terminal.until((rows) => /^Planning/.test(rows.at(-1) ?? ''), 'the first line');
  terminal.type('q');
  assert.equal(await terminal.ended(), 0);
  const rows = terminal.rows();
  assert.deepEqual(
    rows.map((row) => /^\w+/.exec(row)![0]),
    [...LINES.map(() => 'line'), 'Planning', 'Writing'],
  );
});
