import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's root, whether the sources or the compiled tests run. */
export const ROOT = (() => {
  let at = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(at, 'package.json'))) at = dirname(at);
  return at;
})();

/** Test material made by others lies beside the project and is never committed. */
const DATA = process.env['OSBUILDER_TEST_DATA'] ?? join(ROOT, '..', 'shared', 'data');

/** Path of a file or folder of the test material. */
export function data(path: string): string {
  return join(DATA, path);
}

/** For a test's `skip` option: false when all of these are there, else which are missing. */
export function needs(want: {
  readonly data?: readonly string[];
  readonly tools?: readonly string[];
  readonly root?: boolean;
}): string | false {
  const missing = [
    ...(want.data ?? []).filter((path) => !existsSync(data(path))).map((path) => `data ${path}`),
    ...(want.tools ?? []).filter((name) => tool(name) === undefined).map((name) => `judge ${name}`),
    ...(want.root && process.getuid?.() !== 0 ? ['root'] : []),
  ];
  return missing.length === 0 ? false : `not here: ${missing.join(', ')}`;
}

/** Path of a program on this machine, or undefined. The system folders count even when PATH leaves them out. */
export function tool(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/bin', '/bin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** A fresh folder that the test removes when it ends: `using`-free, for `t.after`. */
export function temporary(t: { after(fn: () => void): void }): string {
  const path = mkdtempSync(join(tmpdir(), 'osbuilder-test-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A small, seeded random source (mulberry32): the same numbers for the same seed everywhere. */
export function random(seed: number): { next(): number; below(n: number): number; pick<T>(from: readonly T[]): T } {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number) => Math.floor(next() * n);
  return { next, below, pick: (from) => from[below(from.length)]! };
}
