import { parentPort } from 'node:worker_threads';
import { BuildError } from '../errors/error.ts';
import { systemFailure } from '../errors/system.ts';

/** The body of a worker thread: runs the task module named in each message and answers with its result. */

type Task = (input: unknown) => unknown;

const tasks = new Map<string, Task>();

async function load(module: string): Promise<Task> {
  const { task } = (await import(module)) as { task: Task };
  tasks.set(module, task);
  return task;
}

async function answer({ module, input }: { module: string; input: unknown }): Promise<void> {
  try {
    const task = tasks.get(module) ?? (await load(module));
    const result = (await task(input)) as { __transferred?: true; value: unknown; transfer: ArrayBuffer[] } | undefined;
    if (result?.__transferred) parentPort!.postMessage({ value: result.value }, result.transfer);
    else parentPort!.postMessage({ value: result });
  } catch (thrown) {
    const error = systemFailure(thrown) ?? thrown;
    const { name, message, stack } = error as Error;
    const known = error instanceof BuildError ? { code: error.code, context: error.context, hint: error.hint } : {};
    parentPort!.postMessage({ error: { name, message, stack, ...known } });
  }
}

parentPort!.on('message', (message: { module: string; input: unknown } | { expected: string }) => {
  if ('module' in message) void answer(message);
  // what is wrong with a module, its first task says
  else load(message.expected).catch(() => {});
});
