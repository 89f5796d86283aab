import { compareVersions, isVersion } from './version.ts';

/** Which outcomes of a comparison satisfy a requirement. */
export const LESS = 1;
export const EQUAL = 2;
export const GREATER = 4;

/** One requirement: `name`, `name>=1.2`, `name~3`, `!name`, `so:libc.musl-x86_64.so.1`, `/bin/sh`, in world also `name@tag`. */
export interface Dependency {
  readonly name: string;
  /** Outcomes that satisfy it; 0 when any version does; see {@link Dependency.identity} for `><`. */
  readonly operator: number;
  /** Every version that begins with this one counts as equal (`~`). */
  readonly fuzzy: boolean;
  /** Names exactly one package by its checksum (`name><Q1…`). */
  readonly identity: boolean;
  readonly version: string | undefined;
  /** It must not be there (`!`). */
  readonly conflict: boolean;
  /** Repository tag, without the `@`. */
  readonly tag: string | undefined;
}

const SPECIFICATION = /^(!?)([^!<>=~\s][^<>=~\s]*)(?:([<>=~]+)([^<>=~\s]\S*))?$/;

/** Reads one requirement; undefined when the text is not valid. `world` allows tags. */
export function parseDependency(text: string, world = false): Dependency | undefined {
  const match = SPECIFICATION.exec(text);
  if (match === null) return undefined;
  const [, bang, full, operators, version] = match as unknown as [string, string, string, string?, string?];
  let name = full;
  let tag: string | undefined;
  const at = name.indexOf('@');
  if (at >= 0) {
    if (!world) return undefined;
    tag = name.slice(at + 1);
    name = name.slice(0, at);
    if (name === '' || tag === '') return undefined;
  }
  let operator = 0;
  for (const sign of operators ?? '') {
    if (sign === '<') operator |= LESS;
    else if (sign === '>') operator |= GREATER;
    else if (sign === '=' || sign === '~') operator |= EQUAL;
  }
  const identity = operator === (LESS | GREATER);
  // some packages were published with invalid versions: those are still compared, part by part
  if (world && version !== undefined && !identity && !isVersion(version)) return undefined;
  return { name, operator, fuzzy: operators?.includes('~') ?? false, identity, version, conflict: bang === '!', tag };
}

/** The requirements of a field, separated by blanks; what cannot be read is passed to `bad`. */
export function parseDependencies(text: string, bad: (word: string) => void): Dependency[] {
  if (text === '') return [];
  const all: Dependency[] = [];
  for (const word of text.split(/[ \n\t]+/)) {
    if (word === '') continue;
    const dependency = parseDependency(word);
    if (dependency === undefined) bad(word);
    else all.push(dependency);
  }
  return all;
}

/** The operator as it is written. */
export function operatorText(dependency: Dependency): string {
  const { operator, fuzzy } = dependency;
  return (operator & LESS ? '<' : '') + (operator & GREATER ? '>' : '') + (fuzzy ? '~' : operator & EQUAL ? '=' : '');
}

/** The requirement as apk writes it. */
export function dependencyText(dependency: Dependency): string {
  const { conflict, name, tag, version } = dependency;
  return `${conflict ? '!' : ''}${name}${tag === undefined ? '' : `@${tag}`}${
    version === undefined ? '' : operatorText(dependency) + version
  }`;
}

/** True when a version satisfies the operator (a leading `!` is ignored). A name provided without version has none. */
export function versionSatisfies(dependency: Dependency, version: string | undefined): boolean {
  if (dependency.operator === 0) return true;
  if (version === undefined) return false;
  const order = compareVersions(version, dependency.version!, dependency.fuzzy);
  return (dependency.operator & (order < 0 ? LESS : order > 0 ? GREATER : EQUAL)) !== 0;
}
