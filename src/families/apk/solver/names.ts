import { type Dependency, parseDependencies, versionSatisfies } from '../dependency.ts';
import type { ApkRecord } from '../index-file.ts';

/** A package as a candidate for a name, with the version in which it provides the name. */
export interface Provider {
  readonly candidate: Candidate | undefined;
  /** Undefined: provided without a version. */
  readonly version: string | undefined;
}

/** Nothing provides the name. */
export const NOBODY: Provider = { candidate: undefined, version: undefined };

/** Something that can be required: a package's own name, or one it provides. */
export class Name {
  readonly name: string;
  private readonly serial: number;
  private bucket = -1;
  /** Names of the packages that depend on this one. */
  readonly dependants: Name[] = [];

  // state of the solver
  discovered = false;
  decided = false;
  chosen: Provider = NOBODY;
  /** How many requirements ask for it. */
  requirers = 0;
  /** Longest chain of dependencies below it. */
  chain = 0;
  queued = false;
  recheckDepends = false;
  recheckInstallIf = false;
  /** More than one candidate is left, or a tag excludes the only one. */
  open = false;
  /** Everything that depends on it is decided. */
  dependantsDone = false;
  /** The install_if of a candidate is satisfied. */
  wakes = false;
  /** No candidate's install_if can be satisfied any more. */
  sleeps = false;
  /** apk 3: an install_if waits for the decision that nothing provides this name. */
  awaited = false;
  /** apk 3: a candidate can be chosen without being named. */
  hasAutomatic = false;
  /** apk 3: place in the order of decisions; the highest comes first. */
  order = 0;
  /** apk 3: the list in which it waits for a decision. */
  list: 'now' | 'automatic' | 'other' | undefined = undefined;
  /** Counters while the dependencies and provides of candidates are intersected. */
  sharedDepends = 0;
  sharedProvides = 0;
  sharedVirtual = false;

  // state of the list of changes
  changed = false;
  removed = false;
  installed: Candidate | undefined = undefined;
  installedUnder: Name | undefined = undefined;

  private readonly universe: Universe;
  private provided: readonly Provider[] | undefined;
  private woken: readonly Name[] | undefined;

  constructor(name: string, serial: number, universe: Universe) {
    this.name = name;
    this.serial = serial;
    this.universe = universe;
  }

  /** Packages that provide it, in the order of the indexes. */
  get providers(): readonly Provider[] {
    this.provided ??= this.universe.providersOf(this.name);
    return this.provided;
  }

  /** Names of the packages with this one in their install_if. */
  get triggered(): readonly Name[] {
    this.woken ??= this.universe.wokenBy(this.name);
    return this.woken;
  }

  /** 0 when only packages of that name provide it, 2 when only others do, 1 when both do; lower ones are decided first. */
  get virtual(): number {
    const others = this.providers.filter(({ candidate }) => candidate!.name !== this).length;
    return others === 0 ? 0 : others === this.providers.length ? 2 : 1;
  }

  /** apk visits names bucket by bucket of its table, the newest of a bucket first; ties are decided by it. */
  static visitingOrder(a: Name, b: Name): number {
    return a.place - b.place || b.serial - a.serial;
  }

  private get place(): number {
    if (this.bucket < 0) this.bucket = murmur3(this.name, 5381) % BUCKETS;
    return this.bucket;
  }
}

/** Buckets in apk's table of names. */
const BUCKETS = 20_000;

/** A requirement with its name looked up. */
export interface Requirement extends Dependency {
  readonly target: Name;
}

/** A package of the index or the database while a world is solved. */
export class Candidate {
  readonly record: ApkRecord;
  readonly name: Name;
  /** Bit N: repository N has it. */
  repositories: number;
  /** False for one of another architecture, or with relations that are not understood. */
  usable = true;
  /** Its tag where it is installed already. */
  installedTag: number | undefined = undefined;
  depends: readonly Requirement[] = [];
  provides: readonly Requirement[] = [];
  installIf: readonly Requirement[] = [];

  // state of the solver
  discovered = false;
  selectable = false;
  available = false;
  chain = 0;
  tagAllowed = false;
  tagPreferred = false;
  pinningAllowed = 0;
  flags = 0;
  flagsInherited = 0;
  conflicts = 0;
  woken = false;
  asleep = false;
  /** It was in the last intersection of candidates. */
  merged = false;
  mergedLast = false;
  broken = false;

  // state of the list of changes
  changed = false;

  constructor(record: ApkRecord, name: Name, repositories: number) {
    this.record = record;
    this.name = name;
    this.repositories = repositories;
  }

  get installed(): boolean {
    return this.installedTag !== undefined;
  }

  /** `name-version`, for messages. */
  get label(): string {
    return `${this.record.name}-${this.record.version}`;
  }
}

/** True when `provider` satisfies a requirement of `of` (undefined: of the world). */
export function provides(requirement: Requirement, provider: Provider, of: Candidate | undefined): boolean {
  const { candidate, version } = provider;
  if (candidate === undefined) return requirement.conflict;
  // a package may provide what it conflicts with: "only one of this kind"
  if (requirement.conflict && candidate === of) return true;
  if (requirement.identity) return (candidate.record.identity === requirement.version) !== requirement.conflict;
  return versionSatisfies(requirement, version) !== requirement.conflict;
}

/** The records of one repository (or of the installed packages), in their order. */
export interface Source {
  readonly records: readonly ApkRecord[];
  /** Number of the repository; undefined for installed packages. */
  readonly repository: number | undefined;
  /** Tag number of installed packages, by name. */
  readonly installedTags?: ReadonlyMap<string, number>;
}

/**
 * All packages and the names they go by. Only what the solver visits is prepared: providers are listed, and
 * relations parsed, when they are needed.
 */
export class Universe {
  private readonly names = new Map<string, Name>();
  private readonly sources: readonly Source[];
  private readonly tables: readonly Table[];
  private readonly made = new Map<string, Candidate>();
  private readonly read = new Set<Candidate>();
  private readonly installedList: readonly Candidate[];
  private readonly warn: (message: string) => void;
  private readonly architecture: string | undefined;

  /** Packages of other architectures than this one (or `noarch`) are listed, but cannot be chosen. */
  constructor(sources: readonly Source[], warn: (message: string) => void, architecture?: string) {
    this.warn = warn;
    this.architecture = architecture;
    this.sources = sources;
    this.tables = sources.map(({ records }) => tableOf(records));
    this.installedList = sources.flatMap(({ records, repository }) =>
      repository === undefined ? records.map((record) => this.candidate(record)) : [],
    );
  }

  /** The name, created if it is new. */
  name(text: string): Name {
    let name = this.names.get(text);
    if (name === undefined) {
      name = new Name(text, this.serial(text), this);
      this.names.set(text, name);
    }
    return name;
  }

  /** The position at which apk first sees the name. */
  private serial(text: string): number {
    let before = 0;
    for (const { names } of this.tables) {
      const found = names.get(text);
      if (found !== undefined) return before + found.rank;
      before += names.size;
    }
    return before + this.names.size;
  }

  /** Installed packages, in the order of the database. */
  get installed(): readonly Candidate[] {
    return this.installedList;
  }

  /** A requirement with its name looked up. */
  require(dependency: Dependency): Requirement {
    return { ...dependency, target: this.name(dependency.name) };
  }

  /** Who provides a name; packages that several repositories have count once. */
  providersOf(name: string): Provider[] {
    const providers: Provider[] = [];
    for (const [i, { names, identities }] of this.tables.entries())
      for (const { record, version } of names.get(name)?.providers ?? []) {
        const key = keyOf(record);
        // the first package with a checksum represents all of them, regardless of their names
        const shadowed = identities.get(key) !== record || this.tables.slice(0, i).some((t) => t.identities.has(key));
        if (!shadowed) providers.push({ candidate: this.candidate(record), version });
      }
    return providers;
  }

  /** Names of packages that wait for this one (install_if), and names they provide. */
  wokenBy(name: string): Name[] {
    const woken = new Set<Name>();
    for (const { waiting } of this.tables)
      for (const record of waiting.get(name) ?? []) {
        const candidate = this.relations(this.candidate(record));
        if (candidate.record !== record) continue;
        woken.add(candidate.name);
        for (const { target } of candidate.provides) woken.add(target);
      }
    return [...woken].sort(Name.visitingOrder);
  }

  private candidate(record: ApkRecord): Candidate {
    const key = keyOf(record);
    let made = this.made.get(key);
    if (made === undefined) {
      let first = record;
      let bits = 0;
      let tag: number | undefined;
      for (const [i, { identities }] of [...this.tables.entries()].reverse()) {
        const same = identities.get(key);
        if (same === undefined) continue;
        const { repository, installedTags } = this.sources[i]!;
        first = same;
        if (repository === undefined) tag = installedTags?.get(same.name) ?? 0;
        else bits |= 2 ** repository;
      }
      made = new Candidate(first, this.name(first.name), bits);
      made.installedTag = tag;
      this.made.set(key, made);
    }
    return made;
  }

  /** The candidate with its relations parsed. */
  relations(candidate: Candidate): Candidate {
    if (this.read.has(candidate)) return candidate;
    this.read.add(candidate);
    const { architecture, depends, installIf } = candidate.record;
    const bad = (word: string): void => {
      this.warn(`${candidate.label}: "${word}" is not understood, so it cannot be chosen`);
      candidate.usable = false;
    };
    if (this.architecture !== undefined && architecture !== '' && architecture !== 'noarch')
      candidate.usable = architecture === this.architecture;
    candidate.provides = parseDependencies(candidate.record.provides, (word) =>
      this.warn(`${candidate.label}: provides "${word}", which is not understood`),
    ).map((one) => this.require(one));
    candidate.depends = parseDependencies(depends, bad).map((one) => this.require(one));
    candidate.installIf = parseDependencies(installIf, bad).map((one) => this.require(one));
    return candidate;
  }

  /** Records for each name which names depend on it, once all relevant names are known. */
  linkDependants(): void {
    const discovered = [...this.names.values()].filter((name) => name.discovered);
    for (const name of discovered.sort(Name.visitingOrder))
      for (const { candidate } of name.providers)
        for (const { target } of candidate!.depends)
          if (target.dependants.at(-1) !== name) target.dependants.push(name);
  }
}

/** The records of one index by what is looked up in it. */
interface Table {
  readonly names: ReadonlyMap<string, { readonly rank: number; readonly providers: Providing[] }>;
  /** The first record of each checksum. */
  readonly identities: ReadonlyMap<string, ApkRecord>;
  /** Records by the names in their install_if. */
  readonly waiting: ReadonlyMap<string, ApkRecord[]>;
}

interface Providing {
  readonly record: ApkRecord;
  readonly version: string | undefined;
}

const tables = new WeakMap<readonly ApkRecord[], Table>();

/** Created once per index, for any number of solver runs. */
function tableOf(records: readonly ApkRecord[]): Table {
  let table = tables.get(records);
  if (table !== undefined) return table;
  const names = new Map<string, { rank: number; providers: Providing[] }>();
  const identities = new Map<string, ApkRecord>();
  const waiting = new Map<string, ApkRecord[]>();
  const provide = (name: string, record: ApkRecord, version: string | undefined) => {
    const found = names.get(name);
    if (found === undefined) names.set(name, { rank: names.size, providers: [{ record, version }] });
    else found.providers.push({ record, version });
  };
  for (const record of records) {
    const key = keyOf(record);
    if (!identities.has(key)) identities.set(key, record);
    provide(record.name, record, record.version);
    for (const word of record.provides === '' ? [] : record.provides.split(' ')) {
      // by far most are NAME=VERSION
      const at = word.search(/[<>=~]/);
      if (at !== 0 && word !== '')
        provide(at < 0 ? word : word.slice(0, at), record, at < 0 ? undefined : word.slice(at + 1));
    }
    for (const word of record.installIf === '' ? [] : record.installIf.split(' ')) {
      const name = word.replace(/^!/, '').replace(/[<>=~].*$/, '');
      const found = waiting.get(name);
      if (found === undefined) waiting.set(name, [record]);
      else if (found.at(-1) !== record) found.push(record);
    }
  }
  table = { names, identities, waiting };
  tables.set(records, table);
  return table;
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** The identity of a package: its checksum, or name and version for one that exists only in tests. */
function keyOf(record: ApkRecord): string {
  return record.identity === '' ? `${record.name}=${record.version}` : canonical(record.identity);
}

/** Base64 of 20 bytes has two unused bits in its last letter, which some writers leave set. */
function canonical(identity: string): string {
  const last = identity.charCodeAt(29) === 61 && identity.length === 30 ? BASE64.indexOf(identity[28]!) : 0;
  return last & 3 ? `${identity.slice(0, 28)}${BASE64[last & ~3]}=` : identity;
}

/** MurmurHash3 (32 bits, x86) of a byte string: https://github.com/aappleby/smhasher */
function murmur3(key: string, seed: number): number {
  let hash = seed;
  const mix = (word: number) => {
    const k = Math.imul(word, 0xcc9e2d51);
    return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  };
  const whole = key.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    const word =
      key.charCodeAt(i) | (key.charCodeAt(i + 1) << 8) | (key.charCodeAt(i + 2) << 16) | (key.charCodeAt(i + 3) << 24);
    hash ^= mix(word);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let i = key.length - 1; i >= whole; i--) rest = (rest << 8) | key.charCodeAt(i);
  if (whole !== key.length) hash ^= mix(rest);
  hash ^= key.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
