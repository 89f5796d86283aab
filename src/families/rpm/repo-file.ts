import { BuildError } from '../../errors/error.ts';
import { warning } from '../../events/events.ts';
import type { Host } from '../../fetch/host.ts';
import type { Keyring } from '../../fetch/keys/key.ts';
import { baseOf, localPath, shown } from '../../fetch/mirror.ts';
import { booleanOf, keyUse } from './repo-keys.ts';
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
  const flag = (name: string) => booleanIn(fields, name, (reason) => invalid(text, reason)) ?? false;
  // as apt reads it: for guests of other architectures the repository is not there
  const architectures = fields.get('arch')?.split(',');
  const strange = architectures?.find((one) => !/^[a-z0-9_]+$/.test(one));
  if (strange !== undefined) throw invalid(text, `"${strange}" is no architecture`);
  const source: RpmSource = {
    ...trust,
    signedMetadata: flag('repo_gpgcheck'),
    ...numbersOf(fields, (reason) => invalid(text, reason)),
    excludes: listOf(fields.get('exclude')),
    includes: listOf(fields.get('include')),
    moduleHotfixes: flag('module_hotfixes'),
    // a name is in messages and locks: nothing of a password or a token
    name: fields.get('name') ?? shown(url).replace(/\?.*$/s, ''),
    bases: [baseOf(expanded(url, variables, (reason) => invalid(text, reason)))],
    ...(flag('trusted') ? { unauthenticated: true } : {}),
    ...(signedBy === undefined ? {} : { keyring: { name: signedBy, keys: [host.readFile(signedBy)] } }),
  };
  const own = [variables['arch'], variables['basearch']];
  return architectures === undefined || architectures.some((one) => own.includes(one)) ? [source] : [];
}

const OPTIONS = [
  ...['signed-by', 'trusted', 'name', 'priority', 'cost', 'exclude', 'include', 'repo_gpgcheck', 'module_hotfixes'],
  'arch',
];

type Wrong = (reason: string) => BuildError;

function booleanIn(fields: ReadonlyMap<string, string>, key: string, wrong: Wrong): boolean | undefined {
  const text = fields.get(key);
  if (text === undefined) return undefined;
  const value = booleanOf(text);
  if (value === undefined) throw wrong(`${key}=${text} is neither yes nor no`);
  return value;
}

/** Replaces variables; one that is unknown is an error, as dnf would ask a server for a folder of its name. */
function expanded(text: string, variables: Readonly<Record<string, string>>, wrong: Wrong): string {
  const value = expand(text, variables);
  const left = /\$\{?[A-Za-z_][^/\s]*/.exec(value);
  if (left === null) return value;
  const known = Object.keys(variables).map((name) => `$${name}`);
  throw wrong(`the variable ${left[0].slice(0, 40)} is unknown: write its value, or one of ${known.join(', ')}`);
}

/** Reads a file of repositories as dnf has them below /etc/yum.repos.d. */
export function readRepoFile(
  text: string,
  path: string,
  trust: Trust,
  variables: Readonly<Record<string, string>>,
  host: Host,
): RpmSource[] {
  const sources: RpmSource[] = [];
  const unused = (name: string, reason: string) =>
    host.report(warning('SETTING_UNUSED', { names: [`${name} in ${path}`], reason }));
  for (const { name, fields, line } of sectionsOf(text, path)) {
    if (name === 'main') {
      unused('[main]', 'settings of dnf itself are not read from here, as in dnf');
      continue;
    }
    const wrong: Wrong = (reason) =>
      new BuildError('REPO_INVALID', { source: `${path}, [${name}] (line ${line})`, reason });
    const flag = (key: string) => booleanIn(fields, key, wrong);
    if (flag('enabled') === false) continue;
    for (const [key, value] of fields) {
      const use = keyUse(key, value);
      if (use.kind === 'wrong') throw wrong(use.reason);
      if (use.kind === 'unused') unused(`${key} of [${name}]`, use.reason);
    }
    const get = (key: string) => expanded(fields.get(key) ?? '', variables, wrong);
    const bases = listOf(get('baseurl')).map(baseOf);
    const mirrorList = get('metalink') || get('mirrorlist');
    if (bases.length === 0 && mirrorList === '') throw wrong('it has neither baseurl nor metalink nor mirrorlist');
    const keys = listOf(get('gpgkey'));
    sources.push({
      ...trust,
      ...numbersOf(fields, wrong),
      name,
      bases,
      ...(mirrorList === '' ? {} : { mirrorList }),
      signedMetadata: flag('repo_gpgcheck') ?? false,
      // one list by two names, and the values of both
      excludes: [...listOf(get('excludepkgs')), ...listOf(get('exclude'))],
      includes: listOf(get('includepkgs')),
      ...(keys.length === 0 ? {} : { keyring: keysOf(keys, wrong, host) }),
      moduleHotfixes: flag('module_hotfixes') ?? false,
      // dnf 5 has another name for it
      ...(flag('gpgcheck') === false || flag('pkg_gpgcheck') === false ? { unauthenticated: true } : {}),
    });
  }
  return sources;
}

/** Keys of the build host only: one that came from the network would prove nothing. */
function keysOf(paths: readonly string[], wrong: Wrong, host: Host): Keyring {
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

function numbersOf(fields: ReadonlyMap<string, string>, wrong: Wrong): Partial<Pick<RpmSource, 'priority' | 'cost'>> {
  const numbers: { priority?: number; cost?: number } = {};
  for (const key of ['priority', 'cost'] as const) {
    const value = fields.get(key);
    if (value === undefined) continue;
    if (!/^-?\d{1,9}$/.test(value)) throw wrong(`the ${key} "${value}" is not a number`);
    numbers[key] = Number(value);
  }
  return numbers;
}

function invalid(value: string, reason: string): BuildError<'SETTING_INVALID'> {
  return new BuildError('SETTING_INVALID', { setting: 'repo', value, reason });
}

const listOf = (text: string | undefined) => (text ?? '').split(/[\s,]+/).filter((one) => one !== '');

/** Sections of an INI file; a line that begins with a blank goes on with the value before it. Of one name they are one. */
function sectionsOf(text: string, path: string): { name: string; fields: Map<string, string>; line: number }[] {
  const sections: { name: string; fields: Map<string, string>; line: number }[] = [];
  let section: (typeof sections)[number] | undefined;
  let key: string | undefined;
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.trimEnd();
    if (line === '' || /^[#;]/.test(line)) continue;
    const head = /^\[([^\]]+)\]\s*$/.exec(line);
    if (head !== null) {
      const name = head[1]!;
      section = sections.find((one) => one.name === name);
      if (section === undefined) sections.push((section = { name, fields: new Map(), line: i + 1 }));
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
