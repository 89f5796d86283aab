import { COMPARISON, dependenciesOf, type RpmDependency, SENSE } from '../../formats/rpm/dependencies.ts';
import { type RpmTrigger, triggersOf } from '../../formats/rpm/scripts.ts';
import { compareEvr, parseEvr } from '../../formats/rpm/version.ts';
import { dirname } from '../../tree/path.ts';
import { isSkipped } from './fates.ts';
import { type Installed, STATE } from './install.ts';
import type { UnpackedRpm } from './unpack.ts';

/** Which triggers rpm sets off, in its order (lib/rpmtriggers.c and lib/psm.c, measured with rpm 4.18). */

/** A trigger that is set off. */
export interface SetOff {
  readonly of: UnpackedRpm;
  readonly trigger: RpmTrigger;
  readonly args: readonly string[];
  /** Standard input. */
  readonly input: string;
}

/** How many packages of a name are installed. */
export const countOf = (packages: readonly Installed[], name: string): number =>
  packages.filter(({ unpacked }) => unpacked.package.name === name).length;

/**
 * Triggers that installing `one` sets off: those of packages that are there, then its own on packages that are there. Two
 * packages run one script at most: that of the first condition that is met.
 */
export function* triggersSetOff(
  one: UnpackedRpm,
  packages: readonly Installed[],
  sense: number,
): Generator<SetOff, void, void> {
  const args = (owner: UnpackedRpm) =>
    [countOf(packages, owner.package.name), countOf(packages, one.package.name)].map(String);
  for (const { unpacked: of } of packages) {
    const triggers = triggersOf(of.main, 'triggers');
    const at = firstMet(triggers, one, sense);
    if (at !== undefined) yield { of, trigger: triggers[at]!, args: args(of), input: '' };
  }
  const own = triggersOf(one.main, 'triggers');
  const ran = new Set<number>();
  for (const { name, at } of inOrder(own)) {
    if (ran.has(at)) continue;
    for (const { unpacked } of packages) {
      if (unpacked.package.name !== name) continue;
      const met = firstMet(own, unpacked, sense);
      if (met === undefined || ran.has(met)) continue;
      ran.add(met);
      yield {
        ...{ of: one, trigger: own[met]!, input: '' },
        args: [String(countOf(packages, one.package.name)), String(countOf(packages, name))],
      };
    }
  }
}

/** Conditions in the order of the header, each with the number of its script. */
function inOrder(
  triggers: readonly RpmTrigger[],
): { readonly name: string; readonly at: number; readonly row: number }[] {
  return triggers
    .flatMap(({ conditions, rows }, at) => conditions.map(({ name }, i) => ({ name, at, row: rows[i]! })))
    .sort((a, b) => a.row - b.row);
}

/** The script of the first condition, in the order of the header, that a package meets. */
function firstMet(triggers: readonly RpmTrigger[], one: UnpackedRpm, sense: number): number | undefined {
  let first: { readonly at: number; readonly row: number } | undefined;
  for (const [at, { conditions, rows }] of triggers.entries())
    for (const [i, condition] of conditions.entries())
      if (meets(condition, one, sense) && (first === undefined || rows[i]! < first.row)) first = { at, row: rows[i]! };
  return first?.at;
}

/** True when a package is what a trigger waits for: by its name, and by any version under which it provides that name. */
function meets(condition: RpmDependency, { package: of, main }: UnpackedRpm, sense: number): boolean {
  if ((condition.flags & sense) === 0 || condition.name !== of.name) return false;
  if ((condition.flags & COMPARISON) === 0 || condition.version === '') return true;
  const wanted = parseEvr(condition.version);
  return dependenciesOf(main, 'provides').some(({ name, flags, version }) => {
    if (name !== condition.name) return false;
    if ((flags & COMPARISON) === 0 || version === '') return true;
    const order = compareEvr(parseEvr(version), wanted);
    if (order < 0) return (flags & SENSE.greater) !== 0 || (condition.flags & SENSE.less) !== 0;
    if (order > 0) return (flags & SENSE.less) !== 0 || (condition.flags & SENSE.greater) !== 0;
    return (flags & condition.flags & COMPARISON) !== 0;
  });
}

/**
 * File triggers of one class of priorities that installing `one`, the last of `packages`, sets off: those of all packages on
 * its files, then its own on the files of the others; higher priorities first.
 */
export function* fileTriggersSetOff(
  packages: readonly Installed[],
  fits: (priority: number) => boolean,
): Generator<SetOff, void, void> {
  const one = packages.at(-1)!;
  const { files } = one.unpacked.table;
  // what an earlier package wrote is not written again, and sets nothing off
  const written = files.filter((_, i) => !isSkipped(one.fates[i]!)).map(({ path }) => `/${path}`);
  for (const { unpacked: of, trigger } of byPriority(packages, 'fileTriggers')) {
    if (!fits(trigger.priority)) continue;
    const input = prefixesOf(trigger).flatMap((prefix) => written.filter((path) => path.startsWith(prefix)));
    if (input.length > 0) yield { of, trigger, args: ['0'], input: linesOf(input) };
  }
  const others = packages.slice(0, -1);
  for (const { unpacked: of, trigger } of byPriority([one], 'fileTriggers')) {
    if (!fits(trigger.priority)) continue;
    const input = matching(trigger, others);
    if (input.length > 0) yield { of, trigger, args: ['0'], input: linesOf(input) };
  }
}

/** File triggers that run once at the end: those of one package after those of another, of higher priority first. */
export function* transFileTriggersSetOff(packages: readonly Installed[]): Generator<SetOff, void, void> {
  for (const one of packages)
    for (const { unpacked: of, trigger } of byPriority([one], 'transFileTriggers')) {
      const input = matching(trigger, packages);
      if (input.length > 0) yield { of, trigger, args: ['0'], input: linesOf(input) };
    }
}

function byPriority(packages: readonly Installed[], kind: 'fileTriggers' | 'transFileTriggers') {
  const all = packages.flatMap(({ unpacked }) =>
    triggersOf(unpacked.main, kind).map((trigger) => ({ unpacked, trigger })),
  );
  // sort is stable: equal ones stay in the order of installation
  return all.sort((a, b) => b.trigger.priority - a.trigger.priority);
}

const linesOf = (paths: readonly string[]) => paths.map((path) => `${path}\n`).join('');

const prefixesOf = ({ conditions }: RpmTrigger): string[] =>
  conditions.filter(({ flags }) => (flags & SENSE.triggerIn) !== 0).map(({ name }) => name);

/**
 * Absolute paths of installed files that begin with a trigger's prefixes: prefix by prefix, packages in order, files as in
 * their tables. rpm finds packages by the directories of their files: one whose only match is the prefix itself is not
 * found.
 */
function matching(trigger: RpmTrigger, packages: readonly Installed[]): string[] {
  const found: string[] = [];
  for (const prefix of prefixesOf(trigger))
    for (const { unpacked, states } of packages) {
      const { files } = unpacked.table;
      if (!files.some(({ path }) => `/${dirname(path)}/`.startsWith(prefix))) continue;
      for (const [i, { path }] of files.entries())
        if (states[i] === STATE.normal && `/${path}`.startsWith(prefix)) found.push(`/${path}`);
    }
  return found;
}
