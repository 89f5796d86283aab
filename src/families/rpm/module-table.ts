import type { Report } from '../../events/events.ts';

/** One build of a stream of a module, as modules.yaml describes it. */
export interface ModuleStream {
  readonly module: string;
  readonly stream: string;
  /** The build: a number; the newest one counts. */
  readonly version: string;
  /**
   * Tells builds for different surroundings apart. As in libdnf it is the build's own if that is said to be static, else
   * what it requires: builds of other contexts with the same requirements follow each other.
   */
  readonly context: string;
  /** Streams of other modules that it needs, of each one of those listed; `-STREAM` is one that it cannot be with. */
  readonly requires: readonly { readonly module: string; readonly streams: readonly string[] }[];
  /** `name-epoch:version-release.arch` of its packages. */
  readonly artifacts: readonly string[];
  /** Names of packages by profile. */
  readonly profiles: ReadonlyMap<string, readonly string[]>;
}

/** What a module is when the user says nothing of it. */
export interface ModuleDefaults {
  /** Undefined: no stream is active. */
  readonly stream: string | undefined;
  /** Names of profiles by stream. */
  readonly profiles: ReadonlyMap<string, readonly string[]>;
}

/** The modules of one repository, or of all. */
export interface Modules {
  readonly streams: readonly ModuleStream[];
  readonly defaults: ReadonlyMap<string, ModuleDefaults & { readonly modified: number }>;
}

/** A repository without modules. */
export const NO_MODULES: Modules = { streams: [], defaults: new Map() };

/** All repositories' modules as one: of two opinions about a module the newer counts, of two as old neither names a stream. */
export function mergeModules(all: readonly Modules[]): Modules {
  const defaults = new Map<string, ModuleDefaults & { readonly modified: number }>();
  for (const one of all)
    for (const [module, own] of one.defaults) {
      const known = defaults.get(module);
      if (known === undefined || own.modified > known.modified) defaults.set(module, own);
      else if (own.modified === known.modified)
        defaults.set(module, {
          modified: own.modified,
          stream: own.stream === known.stream ? own.stream : undefined,
          profiles: new Map([...known.profiles, ...own.profiles]),
        });
    }
  return { streams: all.flatMap((one) => one.streams), defaults };
}

/** Says which streams of modules an answer is made of. */
export function tellStreams(streams: readonly string[], report: Report): void {
  if (streams.length > 0) report({ kind: 'note', message: `active streams of modules: ${streams.join(', ')}` });
}
