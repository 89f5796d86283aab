import { isoTime } from '../../bytes/iso-time.ts';
import { BuildError } from '../../errors/error.ts';
import { parseControl, type Stanza } from './deb822.ts';

/** A file listed in the signed Release file. */
export interface ListedFile {
  readonly size: number;
  /** Hex. */
  readonly sha256: string;
}

/** A Release file: properties of a suite, and size and digest of its index files. */
export interface Release {
  /** For messages: its origin. */
  readonly path: string;
  /** Fields by lower-case name. */
  readonly fields: ReadonlyMap<string, string>;
  /** Unix seconds. */
  readonly date: number;
  readonly validUntil: number | undefined;
  readonly components: readonly string[];
  readonly architectures: readonly string[];
  /** By path below the suite's folder. */
  readonly files: ReadonlyMap<string, ListedFile>;
}

/** Parses the text of a Release file whose signature has been checked. */
export function parseRelease(text: string, path: string): Release {
  const malformed = (reason: string) => new BuildError('RELEASE_MALFORMED', { path, reason });
  const stanza = parseControl(text, path);
  const time = (name: string) => {
    const value = stanza.get(name);
    if (value === undefined) return undefined;
    const seconds = parseTime(value);
    if (seconds === undefined) throw malformed(`its ${name} "${value}" is not a time in UTC`);
    return seconds;
  };
  const date = time('Date');
  // without a Date an old list could be presented as new
  if (date === undefined) throw malformed('it has no Date');
  const words = (name: string) => (stanza.get(name) ?? '').split(/\s+/).filter((word) => word !== '');
  return {
    path,
    fields: stanza.toMap(),
    date,
    validUntil: time('Valid-Until'),
    components: words('Components'),
    architectures: words('Architectures'),
    files: listedFiles(stanza, path),
  };
}

function listedFiles(stanza: Stanza, path: string): Map<string, ListedFile> {
  if (!stanza.has('SHA256')) {
    const offered = ['SHA512', 'SHA1', 'MD5Sum'].filter((name) => stanza.has(name));
    throw new BuildError('RELEASE_WEAK', { path, offered });
  }
  const files = new Map<string, ListedFile>();
  for (const line of stanza.lines('SHA256')) {
    const match = /^([0-9a-f]{64})\s+(\d+)\s+(\S+)$/i.exec(line);
    if (match === null)
      throw new BuildError('RELEASE_MALFORMED', { path, reason: `"${line.slice(0, 100)}" is not a SHA256 entry` });
    files.set(match[3]!.replace(/^(\.\/)+/, ''), { sha256: match[1]!.toLowerCase(), size: Number(match[2]) });
  }
  return files;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Unix seconds of a time in Release format (`Sat, 21 Nov 2026 09:15:44 UTC`); only UTC is allowed, as in apt. */
export function parseTime(text: string): number | undefined {
  const match =
    /^(?:[A-Z][a-z]{2}, +)? ?(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) +(\d{1,2}):(\d{2}):(\d{2}) +(?:UTC|GMT|Z|\+0000)$/.exec(
      text,
    );
  if (match === null) return undefined;
  const month = MONTHS.indexOf(match[2]!);
  const [day, year, hour, minute, second] = [1, 3, 4, 5, 6].map((group) => Number(match[group]));
  if (month < 0 || day! > 31 || day! < 1 || hour! > 23 || minute! > 59 || second! > 60) return undefined;
  return Date.UTC(year!, month, day, hour, minute, second) / 1000;
}

/** A time for messages: `2026-11-21 09:15:44 UTC`. */
export function showTime(seconds: number): string {
  return isoTime(seconds).replace('T', ' ').replace('Z', ' UTC');
}

/** A list may be dated this many seconds ahead of our clock. */
const CLOCK_ALLOWANCE = 3600;

/** What the Release file must match. */
export interface Requested {
  readonly suite: string;
  readonly components: readonly string[];
  readonly architecture: string;
  readonly validAt: number | undefined;
}

/** Rejects a Release file that is out of date, or not of the requested suite, components and architecture. */
export function checkRelease(release: Release, requested: Requested): void {
  checkTime(release, requested.validAt);
  checkSuite(release, requested.suite);
  const { path } = release;
  // security archives write updates/main for main (apt uses the last part)
  const offered = release.components.flatMap((name) => [name, name.slice(name.lastIndexOf('/') + 1)]);
  for (const component of requested.components)
    if (release.components.length > 0 && !offered.includes(component))
      throw new BuildError('COMPONENT_MISSING', { path, component, offered: release.components });
  const { architecture } = requested;
  const architectures = release.architectures;
  if (architectures.length > 0 && !architectures.includes(architecture) && architectures.join() !== 'all')
    throw new BuildError('ARCHITECTURE_MISSING', { path, architecture, offered: architectures });
}

/** Rejects a Release file past its Valid-Until, or dated in the future. */
export function checkTime(release: Release, validAt: number | undefined): void {
  if (validAt === undefined) return;
  const { path, validUntil, date } = release;
  const now = showTime(validAt);
  if (validUntil !== undefined && validUntil < validAt) {
    const hint =
      'the mirror has not been updated for long, or somebody holds updates back: try another mirror, or `snapshot` for a dated archive; check the clock of this machine';
    throw new BuildError('RELEASE_EXPIRED', { path, validUntil: showTime(validUntil), now }, { hint });
  }
  if (date > validAt + CLOCK_ALLOWANCE) {
    const hint = 'check the clock of this machine';
    throw new BuildError('RELEASE_NOT_YET_VALID', { path, date: showTime(date), now }, { hint });
  }
}

// a signed list of another suite served under this name would pass every other check
function checkSuite(release: Release, requested: string): void {
  if (requested.endsWith('/')) return;
  const suite = release.fields.get('suite') ?? '';
  const codename = release.fields.get('codename') ?? '';
  if (suite === '' && codename === '') return;
  // security suites were named like `buster/updates` until bullseye
  const names = [requested, requested.replace(/\/updates$/, '')];
  if (names.includes(suite) || names.includes(codename)) return;
  const hint = `ask for it as "${codename === '' ? suite : codename}" if that is what you want, or try another mirror`;
  throw new BuildError('SUITE_MISMATCH', { path: release.path, asked: requested, suite, codename }, { hint });
}

/** apt's pin priority of a suite (apt_preferences(5)). */
export function pinPriority(release: Release): number {
  const yes = (name: string) => release.fields.get(name)?.toLowerCase() === 'yes';
  if (!yes('notautomatic')) return 500;
  return yes('butautomaticupgrades') ? 100 : 1;
}
