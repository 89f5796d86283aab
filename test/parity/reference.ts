import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { tool } from '../support/data.ts';

/** Why no reference can be made here; undefined if one can. */
export function obstacle(): string | undefined {
  if (tool('mmdebstrap') === undefined) return 'mmdebstrap is not installed: apt-get install mmdebstrap';
  if (process.getuid?.() !== 0) return 'mmdebstrap makes trees with their owners as root only: run this as root';
  return undefined;
}

/** What the reference is made of. */
export interface ReferenceSet {
  readonly suite: string;
  readonly architecture: string;
  /** Sorted, without duplicates. */
  readonly packages: readonly string[];
  readonly mirror: string;
  readonly epoch: number;
}

/** Packages on both sides besides the requested ones: an init, and a merged /usr without usrmerge. */
export const BOTH = ['init', 'usr-is-merged'];

/** Path of a reference in the cache. */
export function referencePath(folder: string, { suite, architecture, packages }: ReferenceSet): string {
  const key = createHash('sha256')
    .update(`${suite} ${architecture} ${packages.join(' ')}`)
    .digest('hex');
  return join(folder, `${suite}-${key.slice(0, 16)}.tar`);
}

/** The tree that apt and dpkg make, as a tar: from the cache, or made with mmdebstrap now. */
export async function reference(folder: string, set: ReferenceSet, again: boolean): Promise<string> {
  const path = referencePath(folder, set);
  if (existsSync(path) && !again) return path;
  mkdirSync(folder, { recursive: true });
  const part = `${path}.part`;
  const log = path.replace(/tar$/, 'log');
  const child = spawn(
    tool('mmdebstrap')!,
    [
      ...['--mode=root', '--variant=required', '--components=main', `--architectures=${set.architecture}`],
      ...[`--include=${[...BOTH, ...set.packages].join(',')}`, '--format=tar'],
      ...[set.suite, part, set.mirror],
    ],
    {
      env: { ...process.env, SOURCE_DATE_EPOCH: String(set.epoch), LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const out = createWriteStream(log);
  child.stdout.pipe(out, { end: false });
  child.stderr.pipe(out, { end: false });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  await new Promise<void>((resolve) => void out.end(resolve));
  if (code !== 0) {
    rmSync(part, { force: true });
    const last = readFileSync(log, 'utf8').trim().split('\n').slice(-3).join('\n  ');
    throw new Error(`mmdebstrap ended with ${code}, see ${log}:\n  ${last}`);
  }
  renameSync(part, path);
  return path;
}
