import * as v from 'valibot';
import { BuildError } from '../../errors/error.ts';

/** What the user wants to keep of a guest, from the command line and from files. */
export interface KeepList {
  /** What is kept with all that it needs. */
  readonly keep: readonly KeepItem[];
  /** Patterns of paths that are left out, also where something needs them. */
  readonly drop: readonly string[];
  /** Folders that the guest has, empty ones too. */
  readonly dirs: readonly string[];
  /** Symbolic links to make: path and target. */
  readonly links: Readonly<Record<string, string>>;
  /** Small text files to write: path and text. */
  readonly files: Readonly<Record<string, string>>;
  /** Configuration and units of the packages whose programs are kept. */
  readonly config: boolean;
  /** Licences of the packages of which something is kept. */
  readonly licences: boolean;
  /** Files with lists that the files of `keep` name, and the name of the file that names each. */
  readonly lists?: readonly { readonly path: string; readonly by: string }[];
}

/** One thing to keep. */
export interface KeepItem {
  /**
   * A path or pattern of paths (with a slash), a program (`chronyd`), a unit (`dbus.socket`), a package
   * (`package:iptables`), or the name of a file at any place (`name:libcuda.so.1`).
   */
  readonly name: string;
  /** What named it, for messages. */
  readonly source: string;
  /** It may be missing. */
  readonly optional: boolean;
}

/** A text of the command line, or the values of a file. */
export type KeepSource =
  | { readonly item: string }
  | { readonly path: string; readonly value: unknown; readonly lists: ReadonlyMap<string, unknown> };

const Words = v.optional(v.array(v.string()), []);
const Texts = v.optional(v.record(v.string(), v.string()), {});

/** As YAML 1.1 and 1.2 write them. */
const YesNo = v.pipe(
  v.union([v.boolean(), v.picklist(['yes', 'no'])]),
  v.transform((value) => value === true || value === 'yes'),
);

const FROM = v.strictObject({
  file: v.string(),
  type: v.optional(v.array(v.string())),
  category: v.optional(v.array(v.string())),
  not: Words,
});

const FILE = v.strictObject({
  keep: Words,
  optional: Words,
  drop: Words,
  dirs: Words,
  links: Texts,
  files: Texts,
  config: v.optional(YesNo, true),
  licences: v.optional(YesNo, true),
  'from-json': v.optional(v.array(FROM), []),
});

const Word = v.union([v.string(), v.array(v.string())]);

/** An entry of a list of files, as vendors of drivers publish them: name, type, categories. Further fields are ignored. */
const LISTED = v.object({
  name: v.string(),
  type: v.optional(v.string(), ''),
  category: v.optional(Word, []),
  is_32bit_compat: v.optional(v.boolean(), false),
});
const LISTS = { plain: v.array(LISTED), object: v.object({ files: v.array(LISTED) }) };

/** True for an item that names a file with a list, by its ending. A pattern of such names is one of the guest's. */
export function isKeepFile(text: string): boolean {
  return /\.(ya?ml|json)$/i.test(text) && !/[*?]|^(name|package):/.test(text);
}

/** Paths of the lists that a file with the values `value` names, as written there. */
export function listsIn(value: unknown): string[] {
  const parsed = v.safeParse(v.object({ 'from-json': v.array(v.object({ file: v.string() })) }), value);
  return parsed.success ? parsed.output['from-json'].map(({ file }) => file) : [];
}

/** Joins all sources to one list. Throws `KEEP_INVALID` with the path of the file. */
export function keepList(sources: readonly KeepSource[]): KeepList {
  const all = { keep: [] as KeepItem[], drop: [] as string[], dirs: [] as string[] };
  const links: Record<string, string> = {};
  const files: Record<string, string> = {};
  let [config, licences] = [true, true];
  for (const source of sources) {
    if ('item' in source) {
      all.keep.push({ name: source.item, source: '`keep`', optional: false });
      continue;
    }
    const { path, value, lists } = source;
    const file = checked(FILE, value, path);
    for (const name of file.keep) all.keep.push({ name, source: path, optional: false });
    for (const name of file.optional) all.keep.push({ name, source: path, optional: true });
    for (const from of file['from-json']) all.keep.push(...listed(from, lists.get(from.file), path));
    all.drop.push(...file.drop);
    all.dirs.push(...file.dirs);
    Object.assign(links, file.links);
    Object.assign(files, file.files);
    config &&= file.config;
    licences &&= file.licences;
  }
  return { ...all, links, files, config, licences };
}

/** The entries of a vendor's list that are asked for. What a guest has not is left out, as the vendors' scripts do. */
function listed(from: v.InferOutput<typeof FROM>, value: unknown, path: string): KeepItem[] {
  const name = from.file === path || path.endsWith(`/${from.file}`) ? path : `${from.file} (named in ${path})`;
  const entries = Array.isArray(value) ? checked(LISTS.plain, value, name) : checked(LISTS.object, value, name).files;
  const wanted = entries.filter(({ name, type, category, is_32bit_compat: old }) => {
    const categories = typeof category === 'string' ? [category] : category;
    if (old || from.not.some((word) => name.includes(word))) return false;
    if (from.type !== undefined && !from.type.includes(type)) return false;
    return from.category === undefined || categories.some((one) => from.category!.includes(one));
  });
  return wanted.map(({ name }) => ({
    name: name.includes('/') ? `/${name.replace(/^[./]+/, '')}` : `name:${name}`,
    source: from.file,
    optional: true,
  }));
}

function checked<S extends v.GenericSchema>(schema: S, value: unknown, path: string): v.InferOutput<S> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const at = issue.path?.map((part) => String(part.key)).join('.') ?? '';
  throw new BuildError('KEEP_INVALID', { path, reason: `${at === '' ? '' : `${at}: `}${issue.message}` });
}
