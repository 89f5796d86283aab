import { BuildError } from '../../errors/error.ts';
import { compilePattern, matches } from '../../shell/pattern.ts';
import { parseDeb822, type Stanza } from './deb822.ts';

/** apt_preferences(5): which versions of which packages are preferred, by numbers. */

/** The properties of a version's list that a pin can match. */
export interface PinnedList {
  /** Field Suite of its Release file. */
  readonly suite: string;
  readonly codename: string;
  readonly origin: string;
  readonly label?: string | undefined;
  /** Field Version of its Release file. */
  readonly release?: string | undefined;
  readonly component?: string;
  readonly architecture?: string;
  /** Host name of the archive; empty for local folders. */
  readonly site?: string | undefined;
}

/** A package's version, as pins see it. */
export interface PinnedVersion {
  readonly name: string;
  readonly version: string;
  /** Name of its source package. */
  readonly source: string;
  /** All lists that contain it. */
  readonly lists: readonly PinnedList[];
}

/** One stanza of preferences. */
export interface Pin {
  /** Names, globs or `/regular expressions/` of packages; `src:` names source packages; `*` is the general form. */
  readonly packages: readonly string[];
  readonly match: Match;
  readonly priority: number;
}

type Match =
  | { readonly kind: 'version'; readonly version: string }
  | { readonly kind: 'origin'; readonly site: string }
  | { readonly kind: 'release'; readonly fields: Readonly<Partial<Record<ReleaseLetter, string>>> }
  /** A release named by one word: its suite, its codename. */
  | { readonly kind: 'word'; readonly word: string };

const LETTERS = ['a', 'n', 'v', 'o', 'l', 'c', 'b'] as const;
type ReleaseLetter = (typeof LETTERS)[number];

/** `Pin-Priority: never`: below every number. */
const NEVER = -32768;

/** True when the text is a stanza on one line, not the path of a file. */
export function isStanza(text: string): boolean {
  return /^\s*(explanation|package|pin|pin-priority)\s*:/i.test(text);
}

/** A stanza on one line: `Package: x; Pin: release a=trixie; Pin-Priority: 900`. Throws `PREFERENCES_INVALID`. */
export function parsePinLine(text: string, source: string): Pin[] {
  const fields = text.split(';').map((field) => field.trim());
  return parsePreferences(fields.join('\n'), source);
}

/** Stanzas of a file of preferences. `source` names it in errors. Throws `PREFERENCES_INVALID`, `DEB822_SYNTAX`. */
export function parsePreferences(text: string, source: string): Pin[] {
  return parseDeb822(text.replaceAll('\r\n', '\n'), source).flatMap((stanza) => {
    // a stanza of explanations only
    if (stanza.fields.every(({ name }) => /^explanation$/i.test(name))) return [];
    const fail = (reason: string): never => {
      throw new BuildError(
        'PREFERENCES_INVALID',
        { source, reason },
        { hint: 'write stanzas as in apt_preferences(5): Package, Pin and Pin-Priority' },
      );
    };
    return [parseStanza(stanza, fail)];
  });
}

function parseStanza(stanza: Stanza, fail: (reason: string) => never): Pin {
  const packages = (stanza.get('Package') ?? '').split(/\s+/).filter((name) => name !== '');
  if (packages.length === 0) return fail('a stanza without Package');
  const pin = /^(\S+)(?:\s+(.*))?$/s.exec((stanza.get('Pin') ?? '').trim());
  if (pin === null) return fail(`the stanza of ${packages.join(' ')} has no Pin`);
  const text = (stanza.get('Pin-Priority') ?? '').trim();
  const priority = text === 'never' ? NEVER : Number(text);
  if (!/^([+-]?\d+|never)$/.test(text) || priority === 0 || Math.abs(priority) > 32768)
    return fail(
      `Pin-Priority of ${packages.join(' ')} is "${text}", expected a number other than 0 within ±32767, or never`,
    );
  const match = parseMatch(pin[1]!, (pin[2] ?? '').trim(), fail);
  if (match.kind === 'version' && packages.includes('*')) return fail('Pin: version cannot be used with Package: *');
  return { packages, match, priority };
}

function parseMatch(kind: string, data: string, fail: (reason: string) => never): Match {
  switch (kind.toLowerCase()) {
    case 'version':
      return data === '' ? fail('Pin: version without a version') : { kind: 'version', version: data };
    case 'origin':
      return { kind: 'origin', site: /^".*"$/.test(data) ? data.slice(1, -1) : data };
    case 'release': {
      if (data === '') return fail('Pin: release without conditions');
      if (data === '*') return { kind: 'release', fields: {} };
      if (!data.includes('='))
        return /^\d/.test(data) ? { kind: 'release', fields: { v: data } } : { kind: 'word', word: data };
      const fields: Partial<Record<ReleaseLetter, string>> = {};
      for (const part of data.split(',').map((one) => one.trim())) {
        const [letter, value] = [part.slice(0, 1), part.slice(2).trim()];
        if (part[1] !== '=' || !LETTERS.includes(letter as ReleaseLetter))
          return fail(`Pin: release: "${part}" is not one of ${LETTERS.map((one) => `${one}=`).join(' ')}`);
        fields[letter as ReleaseLetter] = value;
      }
      return { kind: 'release', fields };
    }
    default:
      return fail(`Pin: "${kind}" is not version, release or origin`);
  }
}

/** Priority that general stanzas (`Package: *`) give a list: the first match applies. Undefined: none matches. */
export function listPriority(pins: readonly Pin[], list: PinnedList): number | undefined {
  return pins.find((pin) => pin.packages.includes('*') && matchesList(pin.match, list))?.priority;
}

/** Priority that specific stanzas give a version: the first match applies. Undefined: none matches. */
export function versionPriority(pins: readonly Pin[], one: PinnedVersion): number | undefined {
  return pins.find(
    ({ packages, match }) =>
      packages.some((pattern) => pattern !== '*' && matchesName(pattern, one)) &&
      (match.kind === 'version'
        ? matchesVersion(match.version, one.version)
        : one.lists.some((list) => matchesList(match, list))),
  )?.priority;
}

function matchesName(pattern: string, { name, source }: PinnedVersion): boolean {
  const [expected, own] = pattern.startsWith('src:') ? [pattern.slice(4), source] : [pattern, name];
  // only with wildcards, since names contain letters of both cases
  return /^\/.*\/$|[*[?]/.test(expected)
    ? matchesText(expected, own)
    : expected.replace(/:(any|native|all)$/, '') === own;
}

function matchesVersion(expected: string, version: string): boolean {
  return expected.endsWith('*') && version.startsWith(expected.slice(0, -1)) ? true : matchesText(expected, version);
}

function matchesList(match: Match, list: PinnedList): boolean {
  switch (match.kind) {
    case 'version':
      return false;
    case 'origin':
      return matchesText(match.site, list.site ?? '');
    case 'word':
      return matchesText(match.word, list.suite) || matchesText(match.word, list.codename);
    case 'release': {
      const own: Record<ReleaseLetter, string | undefined> = {
        a: list.suite,
        n: list.codename,
        v: list.release,
        o: list.origin,
        l: list.label,
        c: list.component,
        b: list.architecture,
      };
      return LETTERS.every((letter) => {
        const expected = match.fields[letter] ?? '';
        const value = own[letter] ?? '';
        if (expected === '') return true;
        return value !== '' && (letter === 'v' ? matchesVersion(expected, value) : matchesText(expected, value));
      });
    }
    default:
      return match satisfies never;
  }
}

/** apt's expressions: `/regular expression/`, else a glob; case-insensitive. */
function matchesText(pattern: string, text: string): boolean {
  const expression = /^\/(.*)\/$/s.exec(pattern)?.[1];
  if (expression === undefined) return matches(compilePattern(pattern.toLowerCase()), text.toLowerCase());
  try {
    return new RegExp(expression, 'is').test(text);
  } catch {
    return false;
  }
}
