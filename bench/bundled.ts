import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const DIST = fileURLToPath(new URL('..', import.meta.url));

interface Bundler {
  bundleBench(dist: string, name: string, tasks: readonly string[]): Promise<string>;
}

/**
 * A module of the bench with the tasks it starts, joined into few files as the program is: loading eighty small ones is a
 * tenth of what it takes. Returns its path.
 */
export async function bundled(name: string, tasks: readonly string[]): Promise<string> {
  const { bundleBench } = (await import(join(DIST, '../scripts/bundle.mjs'))) as Bundler;
  return bundleBench(DIST, name, tasks);
}

/** `image-run` with the threads of its outputs. */
export function bundledImages(): Promise<string> {
  return bundled('image-run', ['workers/thread', 'bytes/writer-task', 'compression/zstd-task']);
}
