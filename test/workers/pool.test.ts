import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { BuildError } from '../../src/errors/error.ts';
import { Pool, taskModule } from '../../src/workers/pool.ts';
import { temporary } from '../support/data.ts';
import type { Input } from './some-task.ts';

const TASK = taskModule('./some-task', import.meta.url);
const POOL = taskModule('../../src/workers/pool', import.meta.url).href;

/** A pool that ends with the test, and errors as they arrive. */
function poolOf(t: { after(fn: () => Promise<void>): void }, size: number) {
  const pool = new Pool(size, (plain) =>
    plain.code === undefined
      ? new Error(`${plain.name}: ${plain.message}`)
      : new BuildError(plain.code as never, plain.context as never),
  );
  t.after(() => pool.close());
  return (input: Input) => ({ pool, result: pool.run<number>(TASK, input) });
}

/** A gate that tasks wait at until it is opened. */
function closedGate() {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const open = () => {
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
  };
  return { gate, open };
}

test('tasks give their results and errors, more of them than there are threads', async (t) => {
  const run = poolOf(t, 3);
  const results = await Promise.allSettled(
    Array.from(
      { length: 20 },
      (_, value) => run({ value, ...(value % 7 === 6 ? { end: 'error' as const } : {}) }).result,
    ),
  );
  for (const [value, result] of results.entries())
    if (value % 7 === 6)
      assert.match(String((result as PromiseRejectedResult).reason), new RegExp(`RangeError: no ${value}`));
    else assert.equal((result as PromiseFulfilledResult<number>).value, 2 * value);
  await assert.rejects(
    run({ value: 1, end: 'build error' }).result,
    (error) => (error as BuildError).code === 'READ_FAILED',
  );
});

test('a thread that ends early fails its task alone', async (t) => {
  const run = poolOf(t, 2);
  const [lost, kept] = await Promise.allSettled([run({ value: 1, end: 'exit' }).result, run({ value: 2 }).result]);
  assert.equal(lost.status, 'rejected');
  assert.equal((kept as PromiseFulfilledResult<number>).value, 4);
  assert.equal(await run({ value: 3 }).result, 6);
});

test('a pool at rest has no idle threads, goes on with what runs, and starts others when they are needed', async (t) => {
  const run = poolOf(t, 2);
  const { gate, open } = closedGate();
  const waiting = run({ value: 1, gate });
  const { pool } = waiting;
  assert.equal(await run({ value: 2 }).result, 4);
  await pool.rest();
  assert.equal(await run({ value: 3 }).result, 6);
  open();
  assert.equal(await waiting.result, 2);
  await pool.rest();
  await pool.rest();
  assert.deepEqual(await Promise.all([4, 5, 6].map((value) => run({ value }).result)), [8, 10, 12]);
});

test('a closed pool rejects what has not begun, and what comes later', async () => {
  const pool = new Pool(1, (plain) => new Error(plain.message));
  const { gate } = closedGate();
  const running = pool.run<number>(TASK, { value: 1, gate });
  const queued = pool.run<number>(TASK, { value: 2 });
  const ended = Promise.allSettled([running, queued]);
  await pool.close();
  assert.deepEqual(
    (await ended).map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  await assert.rejects(pool.run(TASK, { value: 3 }), /closed/);
});

test('threads that are expected run tasks, and say what is wrong with a module in its first task', async (t) => {
  const run = poolOf(t, 2);
  const first = run({ value: 1 });
  const { pool } = first;
  pool.expect(taskModule('./no-such-task', import.meta.url));
  pool.expect(TASK);
  assert.equal(await first.result, 2);
  assert.deepEqual(await Promise.all([2, 3, 4].map((value) => run({ value }).result)), [4, 6, 8]);
  await assert.rejects(pool.run(taskModule('./no-such-task', import.meta.url), {}), /no-such-task/);
});

test('threads that are expected and never needed do not keep the process alive', () => {
  const script = `const { Pool } = await import(${JSON.stringify(POOL)});
    new Pool(2, (error) => error).expect(new URL(${JSON.stringify(TASK.href)}));`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(stderr, '');
  assert.equal(status, 0);
});

test('a thread that has no memory left is an error that says so', (t) => {
  const code = `
    const { Pool } = await import(${JSON.stringify(POOL)});
    const pool = new Pool(1, ({ code, context, hint }) => Object.assign(new Error(), { code, context, hint }));
    const task = new URL(${JSON.stringify(TASK.href)});
    await pool.run(task, { value: 1, end: 'no memory' }).catch(({ code, context, hint }) => console.log(code, context.reason, hint));
    console.log(await pool.run(task, { value: 2 }));
    await pool.close();`;
  // threads have the limit of the program
  const file = join(temporary(t), 'run.mjs');
  writeFileSync(file, code);
  const args = ['--max-old-space-size=48', file];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  assert.equal(stderr, '');
  assert.equal(stdout, 'THREAD_LOST out of memory use fewer threads: `jobs` 1 needs none\n4\n');
  assert.equal(status, 0);
});

test('a system that gives no thread is an error of the first task, and none of a thread that is only expected', (t) => {
  const file = join(temporary(t), 'run.mjs');
  writeFileSync(
    file,
    `
    import { syncBuiltinESMExports } from 'node:module';
    import threads from 'node:worker_threads';
    const failure = Object.assign(new Error('Worker initialization failure: EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' });
    threads.Worker = class { constructor() { throw failure; } };
    syncBuiltinESMExports();
    const { Pool } = await import(${JSON.stringify(POOL)});
    const pool = new Pool(2, ({ code, context }) => Object.assign(new Error(), { code, context }));
    const task = new URL(${JSON.stringify(TASK.href)});
    pool.expect(task);
    const said = await Promise.allSettled([1, 2].map((value) => pool.run(task, { value })));
    for (const { reason } of said) console.log(reason.code, reason.context.reason);
    await pool.close();`,
  );
  const { stdout, stderr, status } = spawnSync(process.execPath, [file], { encoding: 'utf8' });
  assert.equal(stderr, '');
  assert.equal(stdout, 'THREAD_LOST Worker initialization failure: EAGAIN\n'.repeat(2));
  assert.equal(status, 0);
});
