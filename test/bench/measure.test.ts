import assert from 'node:assert/strict';
import { test } from 'node:test';
import { race, ratiosOf, select, timed, worse } from '../../bench/measure.ts';

test('a command is measured with the processes that it starts', async () => {
  const loop = 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done';
  const run = await timed('sh', ['-c', `sh -c '${loop}'`]);
  assert.ok(run.cpu > 0 && run.seconds > 0, JSON.stringify(run));
  await assert.rejects(timed('sh', ['-c', 'echo broken >&2; exit 3']), /ended with 3\nbroken/);
});

test('tables are read back, rows can be chosen, and slower rows are found', async () => {
  const run = (seconds: number) => ({ name: `${seconds} | s`, run: async () => ({ seconds, cpu: seconds, peak: 1 }) });
  const lines = await race('title', [run(3), run(1), run(2)], 2);
  assert.deepEqual(
    [...ratiosOf(lines.join('\n'))],
    [
      ['title: 3 | s', 1.5],
      ['title: 1 | s', 0.5],
      ['title: 2 | s', 1],
    ],
  );
  const old = '| title | median s | min–max | × peer | peak MiB |\n| 3 | s | 3.00 | 3.00–3.00 | 1.36 | – |\n';
  assert.deepEqual([...ratiosOf(old)], [['title: 3 | s', 1.36]]);
  assert.deepEqual(worse(ratiosOf(old), ratiosOf(lines.join('\n'))), ['title: 3 | s: 1.5 × the peer, was 1.36 ×']);
  assert.deepEqual(worse(new Map([['x', 1.37]]), new Map([['x', 1.5]])), []);
  select('1 |');
  assert.equal((await race('title', [run(3), run(1), run(2)], 1)).length, 5);
  select('none');
  assert.deepEqual(await race('title', [run(3), run(1), run(2)], 1), []);
  select(undefined);
});
