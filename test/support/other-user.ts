import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunOptions } from './cli.ts';

/** The user `nobody`. */
export const NOBODY = 65534;

/** True when tests may become another user. */
export const mayChangeUser = process.getuid?.() === 0;

/** Options to run as nobody when the tests run as root; else as the current user. */
export const asNobody: Pick<RunOptions, 'uid' | 'gid'> = mayChangeUser ? { uid: NOBODY, gid: NOBODY } : {};

/** A fresh folder that other users may read, removed when the test ends. */
export function openFolder(t: { after(fn: () => void): void }): string {
  const path = mkdtempSync(join(tmpdir(), 'osbuilder-test-'));
  chmodSync(path, 0o755);
  t.after(() => {
    setModes(path, 0o755, 0o644);
    rmSync(path, { recursive: true, force: true });
  });
  return path;
}

/** A new folder that the user `nobody` owns when the tests run as root. */
export function nobodysFolder(path: string): string {
  mkdirSync(path);
  if (mayChangeUser) chownSync(path, NOBODY, NOBODY);
  return path;
}

/** Sets the modes of `path` and of every folder and file below it. */
export function setModes(path: string, folder: number, file: number): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined || stat.isSymbolicLink()) return;
  if (!stat.isDirectory()) {
    if (stat.isFile()) chmodSync(path, file);
    return;
  }
  chmodSync(path, 0o755);
  for (const name of readdirSync(path)) setModes(join(path, name), folder, file);
  chmodSync(path, folder);
}

/** A URL of a loopback port that accepts no connections. */
export async function nowhere(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}
