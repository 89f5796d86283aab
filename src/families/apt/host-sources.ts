/**
 * The paths of the host's own apt sources (sources.list(5)), in the order apt reads them. `list` gives the names in a
 * folder: reading the host is the caller's business.
 */
export function hostSourcePaths(list: (folder: string) => readonly string[]): string[] {
  const folder = '/etc/apt/sources.list.d';
  // apt passes over hidden files and backups such as x.list.save
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
 * The archives of `distribution` among the host's own apt sources. Only the addresses are taken, whatever suites the host
 * uses; trust never comes from here. Repositories of third parties are left out.
 */
export function hostArchives(
  files: readonly { readonly path: string; readonly text: string }[],
  distribution: 'debian' | 'ubuntu',
  options: { readonly ports?: boolean } = {},
): HostArchives {
  const main = new Set<string>();
  const security = new Set<string>();
  for (const { path, text } of files)
    for (const source of parseHostSources(text, path)) {
      const kind = archiveKind(source, distribution, options.ports ?? false);
      const uri = source.uri.replace(/\/+$/, '');
      if (kind === 'main') main.add(uri);
      else if (kind === 'security') security.add(uri);
    }
  return { main: [...main], security: [...security] };
}

/** Binary package sources of one file, by its name: `.sources` is deb822, all else one line each. Disabled ones are left out. */
export function parseHostSources(text: string, path: string): HostSource[] {
  return path.endsWith('.sources') ? parseDeb822Sources(text) : parseOneLineSources(text);
}

function parseOneLineSources(text: string): HostSource[] {
  const sources: HostSource[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.replace(/#.*$/, '').trim();
    // options in brackets may hold blanks: [ arch=amd64 signed-by=/x ]
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
    // comments may stand between fields and between continued lines
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
  // sources.list(5): a stanza is on unless it says no in one of these words
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

// components that only these distributions have, so that example.com/debian with component "stable" is not taken for Debian
const COMPONENTS = {
  debian: ['main', 'contrib', 'non-free', 'non-free-firmware'],
  ubuntu: ['main', 'restricted', 'universe', 'multiverse'],
} as const;

const SUITES = {
  debian:
    /^(?:(?:old)*stable|testing|unstable|experimental|sid|jessie|stretch|buster|bullseye|bookworm|trixie|forky|duke)(?:-(?:updates|security|backports(?:-sloppy)?|proposed-updates)|\/updates)?$/,
  ubuntu: /^[a-z]+(?:-(?:updates|security|backports|proposed))?$/,
} as const;

/** Vendors publish under `/debian` and `/ubuntu` too: these paths are archives of a distribution only with its suites and components. */
function archiveKind(
  source: HostSource,
  distribution: 'debian' | 'ubuntu',
  ports: boolean,
): 'main' | 'security' | undefined {
  let url: URL;
  try {
    url = new URL(source.uri);
  } catch {
    return undefined;
  }
  // mirror+file:, cdrom:, tor+http: and the like need apt itself
  if (!['http:', 'https:', 'file:', 'copy:'].includes(url.protocol)) return undefined;
  const path = url.pathname.replace(/\/+$/, '');
  if (!SUITES[distribution].test(source.suite)) return undefined;
  const known: readonly string[] = COMPONENTS[distribution];
  if (!source.components.includes('main') || !source.components.every((name) => known.includes(name))) return undefined;
  if (distribution === 'debian') {
    const host = url.hostname;
    if (/\/debian-security$/.test(path) || (host === 'security.debian.org' && path === '')) return 'security';
    return /\/debian$/.test(path) ? 'main' : undefined;
  }
  const ending = ports ? /\/(?:ubuntu-ports|ports\.ubuntu\.com)$/ : /\/ubuntu$/;
  if (!ending.test(path)) return undefined;
  if (isLaunchpad(url.hostname)) return undefined;
  // Ubuntu's security archive is the main one under another name; it is told apart by its host, as its suites are on both
  return url.hostname.startsWith('security.') ? 'security' : 'main';
}

/** Personal archives end in /ubuntu, use Ubuntu's suites and a component called main. */
function isLaunchpad(host: string): boolean {
  return /(?:^|\.)(?:ppa\.launchpad(?:content)?\.net|launchpad\.net|launchpadcontent\.net)$/.test(host);
}
