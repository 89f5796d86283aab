import { parseAllDocuments } from 'yaml';
import { BuildError } from '../../errors/error.ts';

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

const DOCUMENTS_MAX = 20_000;

type Fields = Readonly<Record<string, unknown>>;

/** Reads a modules.yaml in one piece, decompressed: modulemd (versions 1 and 2) and modulemd-defaults documents. */
export function parseModules(text: string, path: string): Modules {
  const streams: ModuleStream[] = [];
  const defaults = new Map<string, ModuleDefaults & { modified: number }>();
  // every value is a text: a stream may be called 1.10. Aliases could be nested to grow without end; none are used
  const documents = parseAllDocuments(text, { schema: 'failsafe' });
  if (!Array.isArray(documents) || documents.length > DOCUMENTS_MAX)
    throw new BuildError('REPOMD_INVALID', { path, reason: 'it is not a list of documents' });
  for (const [i, document] of documents.entries()) {
    const invalid = (reason: string, cause?: unknown) =>
      new BuildError('REPOMD_INVALID', { path, reason: `document ${i + 1}: ${reason}` }, { cause });
    if (document.errors.length > 0) throw invalid(document.errors[0]!.message.split('\n', 1)[0]!);
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: 0 });
    } catch (cause) {
      throw invalid((cause as Error).message, cause);
    }
    const fields = fieldsOf(value);
    const data = fieldsOf(fields['data']);
    if (fields['document'] === 'modulemd') {
      const stream = streamOf(data);
      for (const word of [stream.module, stream.stream, stream.context])
        if (/[\s:/()]/.test(word)) throw invalid(`"${word.slice(0, 40)}" cannot name a module or a stream`);
      if (stream.module !== '') streams.push(stream);
    } else if (fields['document'] === 'modulemd-defaults') {
      const module = textOf(data['module']);
      const stream = textOf(data['stream']) || undefined;
      defaults.set(module, {
        stream,
        profiles: listsOf(data['profiles']),
        modified: Number(textOf(data['modified'])) || 0,
      });
    }
  }
  return { streams, defaults };
}

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

function streamOf(data: Fields): ModuleStream {
  const requires: { module: string; streams: readonly string[] }[] = [];
  // version 1 has one map of a stream each, version 2 a list of maps of lists
  const dependencies = Array.isArray(data['dependencies']) ? data['dependencies'] : [data['dependencies']];
  for (const one of dependencies)
    for (const [module, value] of Object.entries(fieldsOf(fieldsOf(one)['requires'])))
      requires.push({ module, streams: textsOf(typeof value === 'string' ? [value] : value) });
  const profiles = new Map<string, readonly string[]>();
  for (const [name, value] of Object.entries(fieldsOf(data['profiles'])))
    profiles.set(name, textsOf(fieldsOf(value)['rpms']));
  return {
    module: textOf(data['name']),
    stream: textOf(data['stream']),
    version: textOf(data['version']) || '0',
    context: textOf(data['static_context']) === 'true' ? textOf(data['context']) : surroundings(requires),
    requires,
    artifacts: textsOf(fieldsOf(data['artifacts'])['rpms']),
    profiles,
  };
}

function surroundings(requires: ModuleStream['requires']): string {
  const words = requires.filter((one) => one.module !== 'platform');
  return words
    .map(({ module, streams }) => `${module}=${[...streams].sort().join('+')}`)
    .sort()
    .join(';');
}

const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];

function listsOf(value: unknown): Map<string, readonly string[]> {
  return new Map(Object.entries(fieldsOf(value)).map(([key, list]) => [key, textsOf(list)]));
}
