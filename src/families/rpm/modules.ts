import { parseAllDocuments } from 'yaml';
import { BuildError } from '../../errors/error.ts';

/** A stream of a module, as modules.yaml describes it. */
export interface ModuleStream {
  readonly module: string;
  readonly stream: string;
  /** `name-epoch:version-release.arch` of its packages. */
  readonly artifacts: readonly string[];
}

/** The modules of a repository. */
export interface Modules {
  readonly streams: readonly ModuleStream[];
  /** Default stream by module; modules without one are not in it. */
  readonly defaults: ReadonlyMap<string, string>;
}

const DOCUMENTS_MAX = 20_000;

/** Reads a modules.yaml in one piece, decompressed: modulemd (versions 1 and 2) and modulemd-defaults documents. */
export function parseModules(text: string, path: string): Modules {
  const streams: ModuleStream[] = [];
  const defaults = new Map<string, string>();
  // aliases could be nested to grow without end; nothing of this kind has any
  const documents = parseAllDocuments(text, { maxAliasCount: 0 } as object);
  if (!Array.isArray(documents) || documents.length > DOCUMENTS_MAX)
    throw new BuildError('REPOMD_INVALID', { path, reason: 'it is not a list of documents' });
  for (const [i, document] of documents.entries()) {
    if (document.errors.length > 0)
      throw new BuildError('REPOMD_INVALID', {
        path,
        reason: `document ${i + 1}: ${document.errors[0]!.message.split('\n', 1)[0]}`,
      });
    let value: { document?: unknown; data?: Record<string, unknown> } | null;
    try {
      value = document.toJS({ maxAliasCount: 0 });
    } catch (cause) {
      throw new BuildError(
        'REPOMD_INVALID',
        { path, reason: `document ${i + 1}: ${(cause as Error).message}` },
        { cause },
      );
    }
    const data = value?.data;
    if (typeof data !== 'object' || data === null) continue;
    if (value!.document === 'modulemd') {
      const artifacts = (data['artifacts'] as { rpms?: unknown } | undefined)?.rpms;
      streams.push({
        module: String(data['name'] ?? ''),
        stream: String(data['stream'] ?? ''),
        artifacts: Array.isArray(artifacts) ? artifacts.map(String) : [],
      });
    } else if (value!.document === 'modulemd-defaults' && data['stream'] !== undefined)
      defaults.set(String(data['module'] ?? ''), String(data['stream']));
  }
  return { streams, defaults };
}

/** What modules change about which packages may be installed. */
export interface ModuleFilter {
  /** `name-epoch:version-release.arch` of packages in streams that are not active. */
  readonly excluded: ReadonlySet<string>;
  /** The same of active streams: packages of the same names from elsewhere give way to them. */
  readonly active: ReadonlySet<string>;
  /** Names of packages in active streams. */
  readonly names: ReadonlySet<string>;
}

/** A stream is active when it is its module's default, or when it is asked for (`module:stream`). */
export function moduleFilter(all: readonly Modules[], asked: ReadonlyMap<string, string> = new Map()): ModuleFilter {
  const defaults = new Map(all.flatMap(({ defaults: own }) => [...own]));
  const excluded = new Set<string>();
  const active = new Set<string>();
  for (const { streams } of all)
    for (const { module, stream, artifacts } of streams) {
      const chosen = (asked.get(module) ?? defaults.get(module)) === stream;
      for (const one of artifacts) (chosen ? active : excluded).add(one);
    }
  // a package that is in several streams is there as long as one of them is active
  for (const one of active) excluded.delete(one);
  const names = new Set([...active].map((one) => one.replace(/-[^-]*-[^-]*$/, '')));
  return { excluded, active, names };
}
