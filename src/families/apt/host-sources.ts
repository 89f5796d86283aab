import type { HostArchiveRules } from '../../distros/profile.ts';
import { trimmedBase } from '../../fetch/mirror/url.ts';

/**
 * The paths of the host's own apt sources (sources.list(5)), in the order apt reads them. `list` gives the names in a
 * folder: access to the host is left to the caller.
 */
export function hostSourcePaths(list: (folder: string) => readonly string[]): string[] {
  const folder = '/etc/apt/sources.list.d';
  // apt skips hidden files and backups such as x.list.save
  const names = list(folder).filter((name) => /^[A-Za-z0-9][A-Za-z0-9_.-]*\.(?:list|sources)$/.test(name));
  return ['/etc/apt/sources.list', ...names.sort().map((name) => `${folder}/${name}`)];
}

/** One archive as the host's sources name it. */
export interface HostSource {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
}

/** Archives of a distribution that the host itself uses, best first. */
export interface HostArchives {
  readonly main: readonly string[];
  readonly security: readonly string[];
}

/**
 * The distribution's archives among the host's own apt sources, recognised by `rules` for an architecture (in the
 * distribution's terms). Only addresses are used, regardless of the host's suites; trust is never derived from here.
 * Third-party repositories are omitted.
 */
export function hostArchives(
  files: readonly { readonly path: string; readonly text: string }[],
  rules: HostArchiveRules | undefined,
  architecture: string,
): HostArchives {
  const main = new Set<string>();
  const security = new Set<string>();
  if (rules !== undefined)
    for (const { path, text } of files)
      for (const source of parseHostSources(text, path)) {
        const kind = archiveKind(source, rules, architecture);
        const uri = trimmedBase(source.uri);
        if (kind === 'main') main.add(uri);
        else if (kind === 'security') security.add(uri);
      }
  return { main: [...main], security: [...security] };
}

/** Binary package sources of a file, by its name: `.sources` is deb822, others one per line. Omits disabled ones. */
export function parseHostSources(text: string, path: string): HostSource[] {
  return path.endsWith('.sources') ? parseDeb822Sources(text) : parseOneLineSources(text);
}

function parseOneLineSources(text: string): HostSource[] {
  const sources: HostSource[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.replace(/#.*$/, '').trim();
    // options in brackets may contain blanks: [ arch=amd64 signed-by=/x ]
    const match = /^deb\s+(?:\[[^\]]*\]\s*)?(\S+)\s+(\S+)(?:\s+(.*))?$/.exec(line);
    if (match === null) continue;
    sources.push({ uri: match[1]!, suite: match[2]!, components: words(match[3] ?? '') });
  }
  return sources;
}

function parseDeb822Sources(text: string): HostSource[] {
  const sources: HostSource[] = [];
  let fields = new Map<string, string>();
  let last = '';
  const finish = () => {
    if (fields.size > 0) sources.push(...sourcesOf(fields));
    fields = new Map();
    last = '';
  };
  for (const raw of text.split('\n')) {
    // comments may appear between fields and between continuation lines
    if (raw.startsWith('#')) continue;
    const line = raw.trimEnd();
    if (line === '') finish();
    else if (/^[ \t]/.test(line)) fields.set(last, `${fields.get(last) ?? ''} ${line.trim()}`);
    else {
      const colon = line.indexOf(':');
      if (colon < 0) continue;
      last = line.slice(0, colon).trim().toLowerCase();
      fields.set(last, line.slice(colon + 1).trim());
    }
  }
  finish();
  return sources;
}

function sourcesOf(fields: ReadonlyMap<string, string>): HostSource[] {
  // sources.list(5): a stanza is enabled unless it contains one of these words
  if (/^(no|false|without|off|disable|0)$/i.test(fields.get('enabled') ?? '')) return [];
  if (!words(fields.get('types') ?? '').includes('deb')) return [];
  const components = words(fields.get('components') ?? '');
  return words(fields.get('uris') ?? '').flatMap((uri) =>
    words(fields.get('suites') ?? '').map((suite) => ({ uri, suite, components })),
  );
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

/**
 * Vendors publish under `/debian` and `/ubuntu` too. So that example.com/debian with component "stable" is not mistaken
 * for Debian, suites and components must be the distribution's as well.
 */
function archiveKind(
  source: HostSource,
  rules: HostArchiveRules,
  architecture: string,
): 'main' | 'security' | undefined {
  let url: URL;
  try {
    url = new URL(source.uri);
  } catch {
    return undefined;
  }
  // mirror+file:, cdrom:, tor+http: and similar need apt itself
  if (!['http:', 'https:', 'file:', 'copy:'].includes(url.protocol)) return undefined;
  if (!matchesWhole(rules.suites, source.suite)) return undefined;
  const { components } = source;
  if (!components.includes('main') || !components.every((name) => rules.components.includes(name))) return undefined;
  const address = trimmedBase(`${url.hostname}${url.pathname}`);
  return rules.addresses.find(
    (one) => (one.architectures?.includes(architecture) ?? true) && matchesWhole(one.pattern, address),
  )?.host;
}

function matchesWhole(pattern: string, text: string): boolean {
  return new RegExp(`^(?:${pattern})$`).test(text);
}
