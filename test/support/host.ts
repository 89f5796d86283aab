import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reasonOf } from '../../src/bytes/pour.ts';
import { BuildError } from '../../src/errors/error.ts';
import { type Report, silent } from '../../src/events/events.ts';
import { hostSourcePaths } from '../../src/families/apt/host-sources.ts';
import { Cache } from '../../src/fetch/cache.ts';
import type { Host } from '../../src/fetch/host.ts';
import { Mirror } from '../../src/fetch/mirror.ts';
import { gather } from '../../src/settings/gather.ts';
import type { SettingKey, Settings } from '../../src/settings/table.ts';
import { closePool } from '../../src/workers/shared.ts';
import { FAST, TEST_CACHE } from './data.ts';

export { TEST_CACHE } from './data.ts';

/** The build host's own apt sources. */
export function hostSources(): { path: string; text: string }[] {
  const list = (folder: string) => {
    try {
      return readdirSync(folder);
    } catch {
      return [];
    }
  };
  return hostSourcePaths(list).flatMap((path) => {
    try {
      return [{ path, text: readFileSync(path, 'utf8') }];
    } catch {
      return [];
    }
  });
}

/** Access to network, cache and files as the command line gives it, closed when the test ends. */
export function testHost(
  t: { after(fn: () => void | Promise<void>): void },
  options: { cache?: string; report?: Report; offline?: boolean } = {},
): Host {
  const cache = new Cache(options.cache ?? TEST_CACHE);
  const report = options.report ?? silent;
  const mirror = new Mirror({
    cache,
    report,
    offline: options.offline ?? false,
    proxy: { http: process.env['http_proxy'], https: process.env['https_proxy'], none: process.env['no_proxy'] },
  });
  const workspace = mkdtempSync(join(tmpdir(), 'osbuilder-test-'));
  t.after(async () => {
    await mirror.close();
    await closePool();
    rmSync(workspace, { recursive: true, force: true });
  });
  return {
    cache,
    mirror,
    report,
    now: Math.floor(Date.now() / 1000),
    hostSources: hostSources(),
    readFile(path) {
      try {
        return readFileSync(path);
      } catch (error) {
        throw new BuildError('READ_FAILED', { path, reason: reasonOf(error) });
      }
    },
    workspace: () => workspace,
  };
}

/** Settings from flags alone, without the environment. */
export function settings(flags: Partial<Record<SettingKey, string>> = {}): Settings {
  return gather({
    flags: new Map(Object.entries(flags).map(([key, value]) => [key as SettingKey, [value]])),
    environment: {},
  });
}

let reachable: Promise<string | false> | undefined;

/** For a test's `skip` option: false when Debian's archive can be reached through this machine's apt sources. */
export function needsMirror(): Promise<string | false> {
  reachable ??= (async () => {
    if (FAST) return "left out by test:fast: Debian's archive";
    const hooks: (() => void | Promise<void>)[] = [];
    const host = testHost({ after: (fn) => void hooks.push(fn) });
    try {
      const { aptSources } = await import('../../src/families/apt/plan.ts');
      const { orderOf } = await import('../../src/pipeline/order.ts');
      const { openSuite } = await import('../../src/families/apt/repository.ts');
      const order = orderOf({ settings: settings({ distro: 'debian' }), hostArchitecture: 'x86_64' });
      await openSuite(aptSources(order, host)[0]!, 'amd64', host.mirror);
      return false;
    } catch (error) {
      return `not available: Debian's archive (${(error as Error).message.slice(0, 80)})`;
    } finally {
      for (const hook of hooks) await hook();
    }
  })();
  return reachable;
}
