import { BuildError } from '../../errors/error.ts';
import { nearestNames } from '../../errors/nearest.ts';
import { compareEvr, parseEvr } from '../../formats/rpm/version.ts';
import type { ModuleStream, Modules } from './module-table.ts';
import { Pool } from './solver/pool.ts';
import { resolve } from './solver/resolve.ts';
import { PackageTableBuilder } from './solver/table.ts';

/** A stream that the user asked for: `NAME:STREAM`, or `NAME` for its default. */
export interface AskedModule {
  readonly text: string;
  readonly module: string;
  readonly stream: string;
}

/** What modules change about which packages may be installed. */
export interface ModuleFilter {
  /** `name-epoch:version-release.arch` of packages in streams that are not active. */
  readonly excluded: ReadonlySet<string>;
  /** The same of active streams: packages from elsewhere that have or provide one of their names give way to them. */
  readonly active: ReadonlySet<string>;
  /** Names of packages in active streams. */
  readonly names: ReadonlySet<string>;
  /** Builds of streams that are active. */
  readonly builds: ReadonlySet<ModuleStream>;
  /** `name:stream` of them, sorted. */
  readonly streams: readonly string[];
}

/**
 * The module and the stream that a user means by `NAME:STREAM` or `NAME`; undefined when no module has this name and no
 * stream is given. `NAME` alone is the stream that is asked for elsewhere, the default, or the only one.
 */
export function askedModule(
  text: string,
  { streams, defaults }: Modules,
  others: readonly AskedModule[] = [],
): AskedModule | undefined {
  const [, module = '', stream] = /^([^:]*)(?::(.*))?$/s.exec(text)!;
  const known = [...new Set(streams.filter((one) => one.module === module).map((one) => one.stream))];
  if (known.length === 0 && stream === undefined) return undefined;
  const listed = known.map((one) => `${module}:${one}`).join(', ');
  if (known.length === 0) {
    const near = nearestNames(module, [...new Set(streams.map((one) => one.module))]);
    throw new BuildError(
      'MODULE_NOT_FOUND',
      { name: text, reason: `there is no module "${module}"` },
      near.length === 0 ? {} : { hint: `there is ${near.join(', ')}` },
    );
  }
  if (stream !== undefined) {
    if (known.includes(stream)) return { text, module, stream };
    throw new BuildError('MODULE_NOT_FOUND', { name: text, reason: `its streams are ${listed}` });
  }
  const chosen =
    others.find((one) => one.module === module)?.stream ??
    defaults.get(module)?.stream ??
    (known.length === 1 ? known[0] : undefined);
  if (chosen !== undefined) return { text, module, stream: chosen };
  throw new BuildError('MODULE_NOT_FOUND', {
    name: text,
    reason: `it has several streams and none is the default: name one of ${listed}`,
  });
}

/**
 * Decides which streams are active, as libdnf does it: streams that are asked for, default streams of other modules, and
 * what they require, by the resolver of packages. Packages of all other streams are not there. Throws `MODULE_UNSOLVABLE`.
 */
export function moduleFilter(modules: Modules, asked: readonly AskedModule[] = []): ModuleFilter {
  const chosen = activeStreams(modules, asked);
  const excluded = new Set<string>();
  const active = new Set<string>();
  for (const one of modules.streams)
    for (const artifact of one.artifacts) (chosen.has(one) ? active : excluded).add(artifact);
  // a package that is in several streams is there as long as one of them is active
  for (const one of active) excluded.delete(one);
  const names = new Set<string>();
  // sources provide nothing
  for (const one of active) if (!/\.(src|nosrc)$/.test(one)) names.add(one.replace(/-[^-]*-[^-]*$/, ''));
  const streams = [...new Set([...chosen].map(({ module, stream }) => `${module}:${stream}`))].sort();
  return { excluded, active, names, builds: chosen, streams };
}

/**
 * Requests for the packages of a profile: of the named one, or of the default ones. A package that the module has itself
 * is that of its newest build; `there` says whether a repository has `name-epoch:version-release.arch`.
 */
export function packagesOfModule(
  { module, stream, text }: AskedModule,
  profile: string | undefined,
  { defaults }: Modules,
  filter: Pick<ModuleFilter, 'builds'>,
  there: (artifact: string) => boolean,
): string[] {
  const builds = [...filter.builds].filter((one) => one.module === module && one.stream === stream);
  const newest = builds.reduce((a, b) => (Number(b.version) > Number(a.version) ? b : a));
  const wanted = profile === undefined ? (defaults.get(module)?.profiles.get(stream) ?? []) : [profile];
  const known = [...newest.profiles.keys()].join(', ') || 'none';
  if (wanted.length === 0)
    throw new BuildError('MODULE_NOT_FOUND', {
      name: text,
      reason: `it has no default profile: name one as @${module}:${stream}/PROFILE (there is ${known})`,
    });
  const names = wanted.flatMap((name) => {
    const packages = newest.profiles.get(name);
    if (packages === undefined)
      throw new BuildError('MODULE_NOT_FOUND', {
        name: `${module}:${stream}/${name}`,
        reason: `its profiles are ${known}`,
      });
    return packages;
  });
  const own = new Map<string, string>();
  for (const artifact of builds.flatMap((one) => one.artifacts)) {
    const [, name = '', evr = ''] = /^(.*)-([^-]*-[^-]*)\.(?!src$|nosrc$)[^.-]+$/.exec(artifact) ?? [];
    const known = own.get(name);
    if (!names.includes(name) || !there(artifact)) continue;
    if (known === undefined || compareEvr(parseEvr(known), parseEvr(evr)) < 0) own.set(name, evr);
  }
  return [...new Set(names)].map((name) => (own.has(name) ? `${name}-${own.get(name)}` : name));
}

const capability = (module: string, stream?: string) => `module(${module}${stream === undefined ? '' : `:${stream}`})`;

const nameOf = (one: ModuleStream | undefined) =>
  one === undefined ? '' : `${one.module}:${one.stream}:${one.context}`;

/** Builds of streams that are active. */
function activeStreams({ streams, defaults }: Modules, asked: readonly AskedModule[]): Set<ModuleStream> {
  const wanted = new Map<string, { readonly text: string; readonly strict: boolean }>();
  for (const { module, stream, text } of asked) {
    const name = capability(module, stream);
    const other = asked.find((one) => one.module === module && one.stream !== stream);
    if (other !== undefined)
      throw new BuildError('MODULE_UNSOLVABLE', {
        explanation: `  ${text} and ${other.text} are streams of one module`,
      });
    wanted.set(module, { text: name, strict: true });
  }
  for (const [module, { stream }] of defaults)
    if (stream !== undefined && !wanted.has(module))
      wanted.set(module, { text: capability(module, stream), strict: false });
  if (wanted.size === 0) return new Set();
  const table = new PackageTableBuilder();
  for (const one of streams) {
    table.package(nameOf(one), one.version, 'noarch');
    table.dependency('provides', capability(one.module));
    table.dependency('provides', capability(one.module, one.stream));
    table.dependency('conflicts', capability(one.module));
    for (const { module, streams: needed } of one.requires) {
      const out = needed.filter((stream) => stream.startsWith('-'));
      const some = needed.filter((stream) => !stream.startsWith('-')).map((stream) => capability(module, stream));
      for (const stream of out) table.dependency('conflicts', capability(module, stream.slice(1)));
      if (some.length > 1) table.dependency('requires', `(${some.join(' or ')})`);
      // with nothing but streams that it cannot be with it still needs one of the others
      else table.dependency('requires', some[0] ?? capability(module));
    }
  }
  // the release that modules are built for: a repository is one release's
  table.package('platform', '0', 'noarch');
  table.dependency('provides', capability('platform'));
  const platforms = streams.flatMap((one) => one.requires.filter(({ module }) => module === 'platform'));
  for (const stream of new Set(platforms.flatMap((one) => one.streams)))
    table.dependency('provides', capability('platform', stream));
  const repository = { name: 'modules', packages: table.finish(), priority: 99, cost: 1000 };
  const pool = new Pool([repository], { architecture: 'noarch' });
  const request = { wanted: [...wanted.values()], weakDependencies: false, best: true };
  let resolution = resolve(pool, request);
  // the newest build may need what is not there while an older one does not
  if (resolution.kind === 'failed') resolution = resolve(pool, { ...request, best: false });
  if (resolution.kind === 'failed')
    throw new BuildError('MODULE_UNSOLVABLE', {
      explanation: resolution.problems.flatMap((one) => one.sentences.map((line) => `  ${line}`)).join('\n'),
    });
  // with the newest build of a stream its older ones are there, too
  const names = new Set(resolution.packages.map(({ row }) => nameOf(streams[row])));
  return new Set(streams.filter((one) => names.has(nameOf(one))));
}
