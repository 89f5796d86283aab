import { BuildError } from '../errors/error.ts';
import { display, fromText } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';

/**
 * The manifest of an extension: which programs of it the agent starts and which paths it uses. The checks are those that
 * the agent makes when a guest starts (Kata Containers, src/agent/src/guest_extension_image.rs), so that a mistake is
 * found when the image is made.
 */
export const COMPONENTS = 'etc/kata-extensions/components.toml';

/** Bytes of a manifest at most. */
const SIZE_MAX = 256 * 1024;
/** The components that the agent looks for in the extension `coco`, and nowhere else once it is mounted. */
const COCO = ['ocicrypt-config', 'pause-bundle'];

/** Names that the agent replaces in `${NAME}`. */
const VARIABLES: ReadonlySet<string> = new Set([
  'aa_attestation_socket',
  'aa_attestation_uri',
  'aa_config_path',
  'attester_variant',
  'cdh_config_path',
  'cdh_socket',
  'extension_root',
  'initdata_toml_path',
  'launch_process_timeout',
  'ocicrypt_config_path',
  'rest_api_features',
]);

type Table = Readonly<Record<string, unknown>>;

/** Checks the manifest in the tree of the extension `name`, if it has one. Throws `EXTENSION_MANIFEST`. */
export async function checkComponents(tree: Tree, name: string): Promise<void> {
  const file = tree.file(COMPONENTS);
  if (file === undefined) {
    if (name === 'coco') throw invalid('the agent does not start when the extension "coco" has none');
    return;
  }
  if (file.content.size > SIZE_MAX) throw invalid(`it has ${file.content.size} bytes, ${SIZE_MAX} are the limit`);
  const { parse } = await import('smol-toml');
  let manifest: Table;
  try {
    manifest = parse(new TextDecoder('utf-8', { fatal: true }).decode(file.content.readSync()));
  } catch (error) {
    // the first line says what and where; what follows shows the source
    throw invalid(error instanceof Error ? error.message.split('\n', 1)[0]! : String(error));
  }
  const version = manifest['schema_version'];
  if (version !== 1)
    throw invalid(`its schema_version must be 1${version === undefined ? '' : `, and is ${shown(version)}`}`);
  const paths = strings(manifest['paths'], 'paths');
  for (const [id, path] of Object.entries(paths)) expectPath(tree, path, `the component "${display(id)}"`);
  if (name === 'coco')
    for (const id of COCO)
      if (!Object.hasOwn(paths, id)) throw invalid(`[paths] must name "${id}", which the agent looks up`);
  const processes = manifest['process'] ?? [];
  if (!Array.isArray(processes)) throw invalid('"process" must be an array of tables: [[process]]');
  for (const one of processes) checkProcess(tree, table(one, '[[process]]'));
}

function checkProcess(tree: Tree, process: Table): void {
  const id = process['id'];
  if (typeof id !== 'string') throw invalid('a [[process]] has no "id"');
  const what = `the process "${display(id)}"`;
  const level = process['level'] ?? 0;
  if (typeof level !== 'number' || !Number.isInteger(level) || level < 0 || level > 0xffffffff)
    throw invalid(`${what}: "level" must be a whole number`);
  checkTexts(process, what);
  const variants = table(process['variants'] ?? {}, `${what}: "variants"`);
  for (const [name, variant] of Object.entries(variants)) {
    const at = `${what}, variant "${display(name)}"`;
    const own = table(variant, at);
    checkTexts(own, at);
    // a process of level 0 is never started
    if (level > 0) expectProgram(tree, own['path'] ?? process['path'], at);
  }
  if (level === 0) return;
  if (Object.keys(variants).length === 0) {
    expectProgram(tree, process['path'], what);
    return;
  }
  const select = process['select'] ?? '';
  // without a variable in it, or with an empty one, the variant is known here
  const needed = select === '' || select === '${attester_variant}' ? 'default' : String(select);
  if (!needed.includes('${') && !Object.hasOwn(variants, needed))
    throw invalid(`${what} has no variant "${display(needed)}"`);
}

function checkTexts(process: Table, what: string): void {
  for (const key of ['path', 'select', 'config', 'wait_socket', 'timeout_secs'])
    if (process[key] !== undefined) expectText(process[key], `${what}: "${key}"`);
  const timeout = process['timeout_secs'];
  if (typeof timeout === 'string' && timeout !== '' && !timeout.includes('${') && !/^\+?\d{1,19}$/.test(timeout))
    throw invalid(`${what}: "timeout_secs" must be a number of seconds in quotes, and is ${shown(timeout)}`);
  expectTexts(process['args'] ?? [], `${what}: "args"`);
  for (const value of Object.values(strings(process['env'], `${what}: "env"`))) expectText(value, `${what}: "env"`);
  const groups = process['optional_args'] ?? [];
  if (!Array.isArray(groups)) throw invalid(`${what}: "optional_args" must be an array of tables`);
  for (const group of groups) {
    const { when, args } = table(group, `${what}: "optional_args"`);
    if (typeof when !== 'string') throw invalid(`${what}: "optional_args" without "when"`);
    expectTexts(args, `${what}: "optional_args"`);
  }
}

function expectProgram(tree: Tree, path: unknown, what: string): void {
  if (path === undefined) throw invalid(`${what} has no "path"`);
  const text = path as string;
  // where it leads is known in the guest only
  if (text.includes('${')) return;
  expectPath(tree, text, what);
  const inode = tree.stat(fromText(text));
  if (inode?.kind !== 'file' || (inode.mode & 0o111) === 0) throw invalid(`${what}: ${shown(text)} is not executable`);
}

/** The agent takes paths from the root of the extension, whether they begin with a slash or not. */
function expectPath(tree: Tree, path: string, what: string): void {
  if (path.trim() === '') throw invalid(`${what} has an empty path`);
  if (path.split('/').includes('..')) throw invalid(`${what}: the path ${shown(path)} has ".." in it`);
  if (!tree.has(fromText(path.trim()))) throw invalid(`${what}: the extension has no ${shown(path)}`);
}

function expectTexts(value: unknown, what: string): void {
  if (!Array.isArray(value)) throw invalid(`${what} must be an array of strings`);
  for (const one of value) expectText(one, what);
}

/** A string whose variables are those that the agent has. */
function expectText(value: unknown, what: string): void {
  if (typeof value !== 'string') throw invalid(`${what} must be a string, and is ${shown(value)}`);
  for (let at = value.indexOf('${'); at >= 0; ) {
    const end = value.indexOf('}', at);
    if (end < 0) throw invalid(`${what}: "\${" without "}" in ${shown(value)}`);
    const name = value.slice(at + 2, end);
    if (!VARIABLES.has(name)) throw invalid(`${what}: the agent has no variable "${display(fromText(name))}"`);
    at = value.indexOf('${', end);
  }
}

function strings(value: unknown, what: string): Record<string, string> {
  const found = table(value ?? {}, what);
  for (const one of Object.values(found)) if (typeof one !== 'string') throw invalid(`${what} must have strings only`);
  return found as Record<string, string>;
}

function table(value: unknown, what: string): Table {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Date)
    throw invalid(`${what} must be a table`);
  return value as Table;
}

function shown(value: unknown): string {
  const text = typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

function invalid(reason: string): BuildError<'EXTENSION_MANIFEST'> {
  return new BuildError('EXTENSION_MANIFEST', { path: COMPONENTS, reason });
}
