import { isoTime } from '../bytes/iso-time.ts';
import type { Lock, LockedPackage } from '../lock/lock.ts';

/** One difference between two locks. */
export interface LockChange {
  readonly what: 'guest' | 'setting' | 'repository' | 'package' | 'input' | 'output' | 'tool';
  /** Name of the thing that differs. */
  readonly name: string;
  /** As the first lock has it; left out where it has none. */
  readonly from?: string;
  /** As the second lock has it; left out where it has none. */
  readonly to?: string;
  /** What differs where version or value are the same. */
  readonly detail?: string;
}

/**
 * Every difference between two locks, by kind and name. The order of installation does not count.
 *
 * @example
 * ```ts
 * import { createHost, gather, lock, lockChanges } from 'osbuilder';
 *
 * const host = createHost({ cacheDirectory: 'cache' });
 * const settings = gather({ flags: new Map(), environment: process.env });
 * const made = await lock({ settings, hostArchitecture: 'x86_64', version: '1.0' }, host);
 * const later = { ...made, epoch: made.epoch + 1 };
 * console.log(lockChanges(made, later).map(({ what, name }) => `${what} ${name}`)); // prints: [ 'guest epoch' ]
 * await host.close();
 * ```
 */
export function lockChanges(a: Lock, b: Lock): LockChange[] {
  return [
    ...values('guest', guestOf(a), guestOf(b)),
    ...values('tool', { [a.tool.name]: a.tool.version }, { [b.tool.name]: b.tool.version }),
    ...values('setting', textsOf(a.settings), textsOf(b.settings)),
    ...repositories(a, b),
    ...packages(a, b),
    ...values('input', inputsOf(a), inputsOf(b)),
    ...values('output', outputsOf(a), outputsOf(b)),
  ];
}

type Values = Readonly<Record<string, string>>;

function guestOf(lock: Lock): Values {
  const { distribution, release, architecture, family, init, epoch } = lock;
  const rows = { distribution, release, architecture, family, init, epoch: String(epoch) };
  return Object.fromEntries(Object.entries(rows).filter((row): row is [string, string] => row[1] !== undefined));
}

function textsOf(settings: Lock['settings']): Values {
  return Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [key, Array.isArray(value) ? value.join(' ') : String(value)]),
  );
}

/** Inputs by setting and name, or number where a setting has several of one name. */
function inputsOf({ inputs }: Lock): Values {
  const found: Record<string, string> = Object.create(null);
  for (const { setting, name, sha256 } of inputs) {
    let key = `${setting} ${name}`;
    for (let i = 2; key in found; i++) key = `${setting} ${name} (${i})`;
    found[key] = `sha256:${sha256}`;
  }
  return found;
}

function outputsOf({ outputs }: Lock): Values {
  return Object.fromEntries(outputs.map(({ kind, name, sha256 }) => [`${kind} ${name}`, `sha256:${sha256}`]));
}

function values(what: LockChange['what'], a: Values, b: Values): LockChange[] {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
  return names.flatMap((name) => {
    const [from, to] = [a[name], b[name]];
    if (from === to) return [];
    return [{ what, name, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }];
  });
}

function repositories(a: Lock, b: Lock): LockChange[] {
  const rows = (lock: Lock): [dates: Values, keys: Values] => {
    // without prototypes: a repository may have any name
    const dates: Record<string, string> = Object.create(null);
    const keys: Record<string, string> = Object.create(null);
    for (const [i, { name, metadata }] of lock.repositories.entries()) {
      const key = name in dates ? `${name} (${i})` : name;
      dates[key] = `${dateText(metadata.date)} sha256:${metadata.sha256.slice(0, 16)}`;
      keys[key] = metadata.signedBy.length === 0 ? 'nobody' : metadata.signedBy.join(', ');
    }
    return [dates, keys];
  };
  const [[datesA, keysA], [datesB, keysB]] = [rows(a), rows(b)];
  const signed = values('repository', keysA, keysB).filter(({ from, to }) => from !== undefined && to !== undefined);
  return [
    ...values('repository', datesA, datesB),
    ...signed.map((one) => ({ ...one, detail: 'signed by another key' })),
  ];
}

/** `2026-01-31T00:00:00Z` */
export function dateText(seconds: number): string {
  return isoTime(seconds);
}

function packages(a: Lock, b: Lock): LockChange[] {
  const byName = (lock: Lock): Map<string, LockedPackage> => {
    const names = new Set<string>();
    const several = new Set(
      lock.packages.filter(({ name }) => names.size === names.add(name).size).map(({ name }) => name),
    );
    return new Map(
      lock.packages.map((one) => [
        // several versions of one kernel, or architectures of one library
        several.has(one.name) ? `${one.name} ${one.version} ${one.architecture}` : one.name,
        one,
      ]),
    );
  };
  const [from, to] = [byName(a), byName(b)];
  const found: LockChange[] = [];
  for (const name of [...new Set([...from.keys(), ...to.keys()])].sort()) {
    const [before, after] = [from.get(name), to.get(name)];
    if (before === undefined) found.push({ what: 'package', name, to: after!.version });
    else if (after === undefined) found.push({ what: 'package', name, from: before.version });
    else if (before.version !== after.version || before.architecture !== after.architecture)
      found.push({ what: 'package', name, from: shownVersion(before, after), to: shownVersion(after, before) });
    else if (before.sha256 !== after.sha256)
      found.push({
        ...{ what: 'package', name, from: before.version, to: after.version },
        detail: `built again: sha256:${before.sha256} is now sha256:${after.sha256}`,
      });
  }
  return found;
}

function shownVersion(one: LockedPackage, other: LockedPackage): string {
  return one.architecture === other.architecture ? one.version : `${one.version} (${one.architecture})`;
}
