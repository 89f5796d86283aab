import { BuildError } from '../../errors/error.ts';
import { warning } from '../../events/events.ts';
import type { Host } from '../../fetch/host.ts';
import type { Keyring } from '../../fetch/keys/key.ts';
import { baseOf, localPath, shown } from '../../fetch/mirror.ts';
import { expand, type RpmSource } from './source.ts';

/** What a further repository has from the distribution's. */
type Trust = Omit<RpmSource, 'name' | 'bases'>;

/**
 * The repositories that one value of `repo` names: a file of dnf's (`FILE.repo`, every section that is enabled), or
 * `[options] URL` for one. Variables (`$releasever`, `$basearch` …) are replaced. Throws `REPO_INVALID`,
 * `SETTING_INVALID`.
 */
export function repositoriesIn(
  text: string,
  trust: Trust,
  variables: Readonly<Record<string, string>>,
  host: Host,
): RpmSource[] {
  const value = text.trim();
  if (/\.repo$/.test(value) && !value.startsWith('[')) {
    const path = localPath(value) ?? value;
    return readRepoFile(Buffer.from(host.readFile(path)).toString('utf8'), path, trust, variables, host);
  }
  const match = /^(?:\[([^\]]*)\]\s*)?(\S.*)$/s.exec(value);
  if (match === null || (/\s/.test(match[2]!) && localPath(match[2]!) === undefined))
    throw invalid(text, 'an rpm repository is `[options] URL`, a folder, or a file NAME.repo');
  const [, options, url] = match as unknown as [string, string | undefined, string];
  const fields = new Map<string, string>();
  for (const option of (options ?? '').split(/\s+/).filter((one) => one !== '')) {
    const at = option.indexOf('=');
    const name = at < 0 ? option : option.slice(0, at);
    if (at < 0 || !OPTIONS.includes(name))
      throw invalid(
        text,
        `the option "${option}" is unknown: known ones are ${OPTIONS.map((one) => `${one}=…`).join(', ')}`,
      );
    fields.set(name, option.slice(at + 1));
  }
  const signedBy = fields.get('signed-by');
  return [
    {
      ...trust,
      signedMetadata: fields.get('repo_gpgcheck') === '1',
      ...numbersOf(fields, text),
      excludes: listOf(fields.get('exclude')),
      includes: listOf(fields.get('include')),
      moduleHotfixes: fields.get('module_hotfixes') === '1',
      // a name is in messages and locks: nothing of a password or a token
      name: fields.get('name') ?? shown(url).replace(/\?.*$/s, ''),
      bases: [baseOf(expand(url, variables))],
      ...(fields.get('trusted') === 'yes' ? { unauthenticated: true } : {}),
      ...(signedBy === undefined ? {} : { keyring: { name: signedBy, keys: [host.readFile(signedBy)] } }),
    },
  ];
}

const OPTIONS = [
  ...['signed-by', 'trusted', 'name', 'priority', 'cost', 'exclude', 'include', 'repo_gpgcheck', 'module_hotfixes'],
  'arch',
];

const yes = (text: string) => /^(1|yes|true|on)$/i.test(text.trim());

/** Keys of a .repo file that change nothing here. */
const IGNORED =
  /^(name|enabled|type|gpgcheck|metadata_expire|skip_if_unavailable|countme|fastestmirror|autorefresh|keepcache|sslverify|failovermethod|deltarpm|ui_repoid_vars|enabled_metadata|pkg_gpgcheck|retries|timeout|minrate|throttle|bandwidth|user_agent|ip_resolve|max_parallel_downloads|zchunk|mediaid|strict|gpgkey_dns_verification|deltarpm_percentage|sslca.*|enablegroups|mirror_expire|metadata_timer_sync|includes?|best)$/;

const PROXY = 'the proxy is that of the environment (https_proxy, http_proxy, no_proxy)';
const ACCOUNT = 'give name and password in the URL of the repository';

/** Keys whose work is asked for in another way. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ...{ proxy: PROXY, proxy_username: PROXY, proxy_password: PROXY, proxy_auth_method: PROXY },
    ...{ username: ACCOUNT, password: ACCOUNT },
  }),
);
/** Keys that would let a build go on with less, which here it never does, and the values that ask for that. */
const STRICT: ReadonlyMap<string, readonly [asks: (value: string) => boolean, reason: string]> = new Map(
  Object.entries({
    skip_if_unavailable: [
      yes,
      'without this repository it would be another guest, so it is an error when it cannot be reached',
    ],
    sslverify: [(value) => !yes(value), 'certificates of servers are always checked'],
  }),
);
/** Values of `proxy` that ask for none. */
const NO_PROXY = /^(_none_|none|)$/;

/** Reads a file of repositories as dnf has them below /etc/yum.repos.d. */
export function readRepoFile(
  text: string,
  path: string,
  trust: Trust,
  variables: Readonly<Record<string, string>>,
  host: Host,
): RpmSource[] {
  const sources: RpmSource[] = [];
  for (const { name, fields, line } of sectionsOf(text, path)) {
    if (name === 'main' || !yes(fields.get('enabled') ?? '1')) continue;
    const wrong = (reason: string) =>
      new BuildError('REPO_INVALID', { source: `${path}, [${name}] (line ${line})`, reason });
    for (const key of fields.keys()) {
      const instead = ELSEWHERE.get(key);
      if (instead !== undefined && !NO_PROXY.test(fields.get(key)!))
        throw wrong(`the key "${key}" does not act here: ${instead}`);
      const [asks, unused] = STRICT.get(key) ?? [];
      if (asks?.(fields.get(key)!))
        host.report(warning('SETTING_UNUSED', { names: [`${key} of [${name}] in ${path}`], reason: unused! }));
      if (instead === undefined && !KNOWN.includes(key) && !IGNORED.test(key))
        throw wrong(`the key "${key}" is unknown`);
    }
    const get = (key: string) => expand(fields.get(key) ?? '', variables);
    const bases = listOf(get('baseurl')).map(baseOf);
    const mirrorList = get('metalink') || get('mirrorlist');
    if (bases.length === 0 && mirrorList === '') throw wrong('it has neither baseurl nor metalink nor mirrorlist');
    const keys = listOf(get('gpgkey'));
    sources.push({
      ...trust,
      ...numbersOf(fields, path),
      name,
      bases,
      ...(mirrorList === '' ? {} : { mirrorList }),
      signedMetadata: yes(fields.get('repo_gpgcheck') ?? '0'),
      excludes: listOf(get('excludepkgs') || get('exclude')),
      includes: listOf(get('includepkgs')),
      ...(keys.length === 0 ? {} : { keyring: keysOf(keys, wrong, host) }),
      moduleHotfixes: yes(fields.get('module_hotfixes') ?? '0'),
      ...(yes(fields.get('gpgcheck') ?? '1') ? {} : { unauthenticated: true }),
    });
  }
  return sources;
}

const KNOWN = [
  'baseurl',
  'metalink',
  'mirrorlist',
  'gpgkey',
  'repo_gpgcheck',
  'excludepkgs',
  'exclude',
  'includepkgs',
  'priority',
  'cost',
  'module_hotfixes',
];

/** Keys of the build host only: one that came from the network would prove nothing. */
function keysOf(paths: readonly string[], wrong: (reason: string) => BuildError, host: Host): Keyring {
  return {
    name: paths.join(', '),
    keys: paths.map((one) => {
      const path = localPath(one);
      if (path === undefined)
        throw wrong(`the key ${one} is not a file of this machine: fetch it, check it, and name the file`);
      return host.readFile(path);
    }),
  };
}

function numbersOf(fields: ReadonlyMap<string, string>, text: string): Partial<Pick<RpmSource, 'priority' | 'cost'>> {
  const numbers: { priority?: number; cost?: number } = {};
  for (const key of ['priority', 'cost'] as const) {
    const value = fields.get(key);
    if (value === undefined) continue;
    if (!/^-?\d{1,9}$/.test(value)) throw invalid(text, `the ${key} "${value}" is not a number`);
    numbers[key] = Number(value);
  }
  return numbers;
}

function invalid(value: string, reason: string): BuildError<'SETTING_INVALID'> {
  return new BuildError('SETTING_INVALID', { setting: 'repo', value, reason });
}

const listOf = (text: string | undefined) => (text ?? '').split(/[\s,]+/).filter((one) => one !== '');

/** Sections of an INI file; a line that begins with a blank goes on with the value before it. */
function sectionsOf(text: string, path: string): { name: string; fields: Map<string, string>; line: number }[] {
  const sections: { name: string; fields: Map<string, string>; line: number }[] = [];
  let key: string | undefined;
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.trimEnd();
    if (line === '' || /^[#;]/.test(line)) continue;
    const section = sections.at(-1);
    const head = /^\[([^\]]+)\]\s*$/.exec(line);
    if (head !== null) {
      sections.push({ name: head[1]!, fields: new Map(), line: i + 1 });
      key = undefined;
    } else if (/^\s/.test(line) && key !== undefined && section !== undefined)
      section.fields.set(key, `${section.fields.get(key)} ${line.trim()}`);
    else {
      const at = line.indexOf('=');
      if (at <= 0 || section === undefined)
        throw new BuildError('REPO_INVALID', {
          source: `${path}, line ${i + 1}`,
          reason:
            at > 0
              ? `"${line.slice(0, 60)}" stands before the first [NAME]`
              : `"${line.slice(0, 60)}" is neither [NAME] nor KEY=VALUE`,
        });
      key = line.slice(0, at).trim();
      section.fields.set(key, line.slice(at + 1).trim());
    }
  }
  return sections;
}
