import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import type { Output } from '../artefacts/outputs.ts';
import { readRegular, SMALL_FILE_LIMIT } from '../bytes/regular.ts';
import { unameOf } from '../distros/uname.ts';
import { BuildError } from '../errors/error.ts';
import type { Report } from '../events/events.ts';
import type { Host } from '../fetch/host.ts';
import { Collected } from '../report/collect.ts';
import type { Screen } from '../report/screen.ts';
import { type Loudness, size, terminalReport } from '../report/terminal.ts';
import type { Gathered } from '../settings/gather.ts';
import { flagOf, rowOf, type Settings } from '../settings/table.ts';
import { setJobs } from '../workers/shared.ts';
import { defaultCacheDirectory } from './cache-directory.ts';
import type { Call } from './call.ts';
import type { Config } from './config.ts';
import { commandSettings, type Prepared } from './settings.ts';

/** The environment of a command: set up once, by the command line. */
export interface Terminal {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly architecture: string;
  readonly version: string;
  /** Results. */
  out(data: string | Uint8Array): void;
  /** Everything else. */
  readonly screen: Screen;
  /** Unix seconds. */
  clock(): number;
  /** True when someone types on stdin and reads stdout: both are terminals. */
  readonly attended: boolean;
}

/** A running command: its settings and its reporter. */
export interface Context {
  readonly terminal: Terminal;
  readonly call: Call;
  readonly settings: Settings;
  /** Settings that were given, and where. */
  readonly given: Gathered['given'];
  /** What a building command writes, and where. */
  readonly outputs: readonly Output[];
  /** Where it writes the kernel of a package. */
  readonly kernelPath: string | undefined;
  /** The config file that settings were read from. */
  readonly configPath: string | undefined;
  readonly collected: Collected;
  readonly report: Report;
  /** Text of one flag of this command. */
  flag(name: string): string | undefined;
}

/** Gathers the settings of a command from flags, environment and config file, and sets up its reporting. */
export async function prepare(
  terminal: Terminal,
  call: Call,
  config: Config | undefined,
  gathered?: (settings: Gathered) => void,
): Promise<Context> {
  const { files, kernel, events, given, settings } = await settingsOf(terminal, call, config, gathered);
  const loudness: Loudness = settings.quiet ? 'quiet' : settings.verbose ? 'verbose' : 'normal';
  const collected = new Collected(() => terminal.screen.now());
  const lines = terminalReport(terminal.screen, loudness);
  await setJobs(settings.jobs ?? availableParallelism());
  const report: Report = (event) => {
    collected.report(event);
    lines(event);
  };
  for (const event of events) report(event);
  if (settings.strict && collected.warnings.length > 0)
    throw new BuildError('STRICT', {
      count: collected.warnings.length,
      messages: collected.warnings.map(({ message }) => message),
    });
  return {
    configPath: config?.path,
    terminal,
    call,
    settings,
    given,
    outputs: files,
    kernelPath: kernel,
    collected,
    report,
    flag(name) {
      const value = call.own[name];
      return typeof value === 'string' ? value : undefined;
    },
  };
}

/** The settings of a command, with what a lock says besides. Throws what `commandSettings` throws, and `LOCK_INVALID`. */
export async function settingsOf(
  { environment }: Pick<Terminal, 'environment'>,
  call: Call,
  config: Config | undefined,
  gathered?: (settings: Gathered) => void,
): Promise<Prepared> {
  // an update reads its lock by itself, and a comparison needs no settings
  const builds = call.command !== 'lock' && (call.command !== 'verify' || call.own['rebuild'] === true);
  const complete =
    builds && namesLock(call, environment, config)
      ? (await import('./locked-settings.ts')).settingsWithLock
      : undefined;
  return commandSettings(call, environment, config, gathered, (all) =>
    complete === undefined || all.settings.lock === undefined ? all.settings : complete(all, all.settings.lock),
  );
}

/** True when a lock may be named: only then the code that reads one is loaded. */
function namesLock(call: Call, environment: Terminal['environment'], config: Config | undefined): boolean {
  return (
    call.flags.has('lock') ||
    rowOf('lock').environment.some((name) => environment[name] !== undefined) ||
    (typeof config?.values === 'object' && config.values !== null && flagOf('lock') in config.values)
  );
}

/** Certificates of a file in PEM. Throws `READ_FAILED` and `SETTING_INVALID`. */
function certificatesOf(path: string): string[] {
  const text = readRegular(path, SMALL_FILE_LIMIT).toString('latin1');
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (found !== null) return found;
  throw new BuildError('SETTING_INVALID', {
    setting: 'caCert',
    value: path,
    reason: 'it has no certificate in PEM form',
  });
}

/** Where downloads are kept: as set, else the user's cache folder. */
export function cacheDirectory({ settings, terminal }: Context): string {
  return settings.cacheDir === undefined ? defaultCacheDirectory(terminal.environment) : resolve(settings.cacheDir);
}

/** Opens the host access (network, cache, workspace) for `work`, and closes it afterwards. */
export async function withHost<T>(context: Context, work: (host: Host) => Promise<T>): Promise<T> {
  const { terminal, settings, report } = context;
  // commands without it do not load the network
  const { createHost } = await import('./host.ts');
  const host = createHost({
    cacheDirectory: cacheDirectory(context),
    report,
    offline: settings.offline ?? false,
    verifyCache: settings.verifyCache ?? false,
    unpackLimits: {
      ...(settings.maxPackageSize === undefined ? {} : { package: settings.maxPackageSize * 2 ** 20 }),
      ...(settings.maxUnpackedSize === undefined ? {} : { build: settings.maxUnpackedSize * 2 ** 20 }),
    },
    ...(settings.mirrorTimeout === undefined ? {} : { timeout: settings.mirrorTimeout }),
    environment: terminal.environment,
    architecture: unameOf(settings.arch ?? terminal.architecture),
    registryPlainHttp: settings.registryPlainHttp ?? false,
    ...(settings.caCert === undefined ? {} : { certificates: certificatesOf(settings.caCert) }),
    ...(settings.remoteCache === undefined
      ? {}
      : { remoteCache: { reference: settings.remoteCache, write: settings.remoteCacheWrite ?? false } }),
    now: terminal.clock(),
  });
  try {
    const result = await work(host);
    if (settings.cacheSize !== undefined) {
      const { removed, bytes } = host.cache.collect(settings.cacheSize * 2 ** 20, terminal.clock());
      if (removed.length > 0)
        report({ kind: 'note', message: `${removed.length} entries of the cache removed, ${size(bytes)} left` });
    }
    return result;
  } finally {
    await host.close();
  }
}
