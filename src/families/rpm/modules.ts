import { parseAllDocuments } from 'yaml';
import { BuildError } from '../../errors/error.ts';
import type { ModuleDefaults, ModuleStream, Modules } from './module-table.ts';

export { type ModuleDefaults, type ModuleStream, type Modules, mergeModules, NO_MODULES } from './module-table.ts';

const DOCUMENTS_MAX = 20_000;

type Fields = Readonly<Record<string, unknown>>;

/** Deeper lists and maps are not read; real documents have six levels. */
const DEPTH_MAX = 100;

/** True when the reader would go too deep: brackets in brackets, or blocks that are indented further and further. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    depth = Math.max(0, depth + (bracket === '[' || bracket === '{' ? 1 : -1));
    if (depth > DEPTH_MAX) return true;
  }
  // one line may open many levels: - - - a
  return / {400}\S/.test(text) || /^[ ]*(?:[-?:] +){100}/m.test(text);
}

/** Reads a modules.yaml in one piece, decompressed: modulemd (versions 1 and 2) and modulemd-defaults documents. */
export function parseModules(text: string, path: string): Modules {
  const streams: ModuleStream[] = [];
  const defaults = new Map<string, ModuleDefaults & { modified: number }>();
  // every value is a text: a stream may be called 1.10. Aliases could be nested to grow without end; none are used
  if (isTooDeep(text))
    throw new BuildError('REPOMD_INVALID', { path, reason: 'its lists and maps are nested too deep' });
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
