import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { ROOT } from './root.ts';

export { random } from './random.ts';

export { ROOT };

/** True in `npm run test:fast`: tests that boot a machine or need Debian's archive are skipped. */
export const FAST = process.env['OSBUILDER_TEST_FAST'] === '1';

/** Test data of other projects is stored beside this one and never committed. */
const DATA = process.env['OSBUILDER_TEST_DATA'] ?? join(ROOT, '..', 'shared', 'data');

/** Path of a file or folder of the test data. */
export function data(path: string): string {
  return join(DATA, path);
}

/** Boots or root file systems of other tools: too slow for `npm run test:fast`, wherever the test is. */
const SLOW_TOOLS = /^(qemu-|linux\.uml$|mmdebstrap$)/;

/**
 * For a test's `skip` option: false when all of these are available, else which are missing. A test may need test data,
 * reference tools and root. In `npm run test:fast` tools that boot or install whole systems count as missing.
 */
export function needs(want: {
  readonly data?: readonly string[];
  readonly tools?: readonly string[];
  readonly root?: boolean;
}): string | false {
  const slow = FAST ? want.tools?.find((name) => SLOW_TOOLS.test(name)) : undefined;
  if (slow !== undefined) return `left out by test:fast: ${slow}`;
  const missing = [
    ...(want.data ?? []).filter((path) => !existsSync(data(path))).map((path) => `data ${path}`),
    ...(want.tools ?? []).filter((name) => tool(name) === undefined).map((name) => `tool ${name}`),
    ...(want.root && process.getuid?.() !== 0 ? ['root'] : []),
  ];
  return missing.length === 0 ? false : `not available: ${missing.join(', ')}`;
}

/** Path of a program on this machine, or undefined. The system folders count even when PATH leaves them out. */
export function tool(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/bin', '/bin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** A fresh folder, removed when the test ends. */
export function temporary(t: { after(fn: () => void): void }): string {
  const path = mkdtempSync(join(tmpdir(), 'osbuilder-test-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Where tests keep what they download, between runs: below the system's temporary folder, one folder per user. */
export const TEST_CACHE = process.env['OSBUILDER_TEST_CACHE'] ?? ownFolder('osbuilder-test-cache');

/**
 * Path of a folder that only this user writes to, with the user's number in its name. Throws when someone else has taken
 * the name: on a shared temporary folder, files found there could be anybody's.
 */
export function ownFolder(name: string, parent = tmpdir()): string {
  const uid = process.getuid?.();
  const path = join(parent, uid === undefined ? name : `${name}-${uid}`);
  // root's tests also run programs as another user, who has to pass through it
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const stat = lstatSync(path);
  if (!stat.isDirectory() || (uid !== undefined && stat.uid !== uid))
    throw new Error(`${path} is not a folder of this user: remove it, or set OSBUILDER_TEST_CACHE to another path`);
  chmodSync(path, uid === 0 ? 0o711 : 0o700);
  return path;
}
