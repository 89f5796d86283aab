import { type Report, warning } from '../../events/events.ts';
import { Budget } from '../../shell/limits.ts';
import { compileRegex, RegexError } from '../../shell/regex.ts';
import { display } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';

/** depmod.d(5): which of several modules with one name counts, and where modules are besides the kernel's folder. */
export interface DepmodConfig {
  /** In reverse: what is named later has a higher place. A word is a folder, `built-in` or `external`. */
  readonly searches: readonly string[];
  /** `SUBDIR/MODULE`, the last named first. */
  readonly overrides: readonly string[];
  /** Absolute folders, the last named first. */
  readonly externals: readonly string[];
  /** Names of folders that are not entered. */
  readonly excludes: ReadonlySet<string>;
}

/** Folders of configuration, the first with a file of a name wins. */
const FOLDERS = ['etc', 'run', 'usr/local/lib', 'usr/lib', 'lib'].map((folder) => `${folder}/depmod.d`);

/** A command of a configuration file, with its place. */
export interface ConfigLine {
  readonly path: string;
  readonly line: number;
  readonly words: readonly string[];
}

/**
 * The commands of kmod's configuration files (`*.conf`) in some folders of a tree: files sorted by name, of two with one
 * name that of the earlier folder.
 */
export function kmodConfig(tree: Tree, folders: readonly string[]): ConfigLine[] {
  const files = new Map<string, string>();
  const seen = new Set<string>();
  for (const folder of folders) {
    const real = tree.realpath(folder);
    if (real === undefined || seen.has(real)) continue;
    seen.add(real);
    for (const name of tree.list(folder))
      if (name.endsWith('.conf') && name.length > 5 && !name.startsWith('.') && !files.has(name))
        files.set(name, `${folder}/${name}`);
  }
  const found: ConfigLine[] = [];
  for (const name of [...files.keys()].sort()) {
    const path = files.get(name)!;
    const rows = tree.text(path)?.split('\n') ?? [];
    for (let at = 0; at < rows.length; at++) {
      const line = at + 1;
      let text = rows[at]!;
      while (text.endsWith('\\') && at + 1 < rows.length) text = text.slice(0, -1) + rows[++at]!;
      if (text.startsWith('#')) continue;
      const words = text.split(/[\t ]+/).filter((word) => word !== '');
      if (words.length > 0) found.push({ path, line, words });
    }
  }
  return found;
}

/** The configuration of depmod in a tree. A line that depmod does not follow becomes a warning. */
export function depmodConfig(tree: Tree, release: string, report?: Report): DepmodConfig {
  const searches: string[] = [];
  const overrides: string[] = [];
  const externals: string[] = [];
  const excludes = new Set<string>();
  for (const { path, line, words } of kmodConfig(tree, FOLDERS)) {
    const bad = (reason: string) =>
      report?.(warning('KMOD_CONFIG', { path: `/${display(path)}`, line, reason, text: display(words.join(' ')) }));
    const [command, ...rest] = words;
    switch (command) {
      case 'search':
        searches.unshift(...rest.toReversed());
        break;
      case 'override':
        if (rest.length < 3) bad('override needs a module, a release and a folder');
        else if (matchesRelease(rest[1]!, release)) overrides.unshift(`${rest[2]}/${rest[0]}`);
        break;
      case 'external':
        if (rest.length < 2) bad('external needs a release and a folder');
        else if (matchesRelease(rest[0]!, release)) externals.unshift(rest[1]!);
        break;
      case 'exclude':
        for (const name of rest) excludes.add(name);
        break;
      case 'include':
      case 'make_map_files':
        break;
      default:
        bad(`depmod has no command "${display(command!)}"`);
    }
  }
  if (searches.length === 0) searches.push('updates');
  return { searches, overrides, externals, excludes };
}

/** `*`, or an extended regular expression that matches anywhere; an invalid one matches nothing. */
function matchesRelease(pattern: string, release: string): boolean {
  if (pattern === '*') return true;
  const budget = new Budget('depmod.d');
  try {
    return compileRegex(pattern, budget, { extended: true }).test(release, budget);
  } catch (error) {
    if (error instanceof RegexError) return false;
    throw error;
  }
}
