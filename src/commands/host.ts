import { createReadStream, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guardUnfinished } from '../bytes/pour.ts';
import { readRegular, SMALL_FILE_LIMIT } from '../bytes/regular.ts';
import type { Report } from '../events/events.ts';
import { hostSourcePaths } from '../families/apt/host-sources.ts';
import { Cache } from '../fetch/cache.ts';
import type { Host } from '../fetch/host.ts';
import { Mirror, proxiesOf } from '../fetch/mirror.ts';
import type { Settings } from '../settings/table.ts';

/** What the host access of a command depends on. */
export interface HostOptions {
  /** Path of the cache. */
  readonly cacheDirectory: string;
  readonly settings: Settings;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Unix seconds. */
  readonly now: number;
  readonly report: Report;
}

/** Opens the host access (network, cache, workspace) for `work`, and closes it afterwards. */
export async function withOpenHost<T>(options: HostOptions, work: (host: Host) => Promise<T>): Promise<T> {
  const { settings, report } = options;
  const env = options.environment;
  const cache = new Cache(options.cacheDirectory, { verifyAll: settings.verifyCache ?? false });
  cache.rejectShared();
  const patience = (settings.mirrorTimeout ?? 60) * 1000;
  const mirror = new Mirror({
    cache,
    report,
    timeouts: { connect: Math.min(patience, 15_000), headers: patience, body: patience },
    offline: settings.offline ?? false,
    proxy: proxiesOf(env),
  });
  let workspace: string | undefined;
  let release = () => {};
  try {
    return await work({
      cache,
      mirror,
      report,
      now: options.now,
      hostSources: hostSources(),
      readFile: (path) => readRegular(path, SMALL_FILE_LIMIT),
      input: () => createReadStream('', { fd: 0, autoClose: false }),
      workspace() {
        if (workspace === undefined) {
          workspace = mkdtempSync(join(tmpdir(), 'osbuilder-'));
          release = guardUnfinished(workspace);
        }
        return workspace;
      },
    });
  } finally {
    await mirror.close();
    if (workspace !== undefined) rmSync(workspace, { recursive: true, force: true });
    release();
  }
}

/** The build host's own apt sources, if it has any. */
function hostSources(): { path: string; text: string }[] {
  return hostSourcePaths((folder) => listFolder(folder)).flatMap((path) => {
    try {
      return [{ path, text: readFileSync(path, 'utf8') }];
    } catch {
      return [];
    }
  });
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
