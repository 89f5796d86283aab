import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TEST_CACHE, tool } from './data.ts';

/**
 * Programs of others that read what we write, from the registries of npm and Python: installed when a test asks for them,
 * and kept between runs in the tests' cache. They are no dependencies of this project.
 */

/** The folder of an installed program, or why it is not available. */
export type Outside = { readonly folder: string } | { readonly skip: string };

/** Installs a version of an npm package, with the packages that it needs and without optional ones. */
export function npmProgram(name: string, version: string): Promise<Outside> {
  const flags = ['--no-save', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  return installed('npm', `${name}@${version}`, (part) => [
    'install',
    '--prefix',
    part,
    ...flags,
    `${name}@${version}`,
  ]);
}

/** Installs a version of a Python package, with those that it needs. */
export function pythonProgram(name: string, version: string): Promise<Outside> {
  const flags = ['--quiet', '--disable-pip-version-check', '--no-input', '--only-binary', ':all:'];
  return installed('python3', `${name}==${version}`, (part) => [
    ...['-m', 'pip', 'install', ...flags, '--target', part, `${name}==${version}`],
  ]);
}

async function installed(program: string, what: string, args: (part: string) => readonly string[]): Promise<Outside> {
  const parent = join(TEST_CACHE, 'outside');
  const folder = join(parent, what.replaceAll('/', '_'));
  if (existsSync(folder)) return { folder };
  const path = tool(program);
  if (path === undefined) return { skip: `not available: ${what} (no ${program} to install it)` };
  mkdirSync(parent, { recursive: true });
  // another test file may install it at the same time: the first one to finish renames its folder
  const part = mkdtempSync(`${folder}-`);
  try {
    await promisify(execFile)(path, [...args(part)], { cwd: part, timeout: 300_000 });
    if (!existsSync(folder)) renameSync(part, folder);
    return { folder };
  } catch (error) {
    const reason = (error as Error).message.trim().split('\n').at(-1)?.slice(0, 80);
    return { skip: `not available: ${what} (${reason})` };
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
}
