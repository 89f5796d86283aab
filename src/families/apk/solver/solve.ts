import type { Dependency } from '../dependency.ts';
import { compareVersions } from '../version.ts';
import { type Change, changesOf } from './changes.ts';
import { AVAILABLE, type Generation, LATEST, REINSTALL, REMOVED, UPGRADE } from './flags.ts';
import {
  type Candidate,
  type Name,
  NOBODY,
  type Provider,
  provides,
  type Requirement,
  type Universe,
} from './names.ts';
import { ByPressure, InOrder, type Waiting } from './waiting.ts';

/**
 * Chooses a package for each name as apk-tools 2.14 or 3.0 does. There is no backtracking: requirements are propagated down
 * (what all candidates of a name have in common is required as well) and up (a candidate whose dependency cannot be met
 * any more drops out), and when nothing can be derived, the most urgent name takes its best candidate.
 */

/** Input of the solver. */
export interface Task {
  readonly universe: Universe;
  readonly world: readonly Dependency[];
  /** For each tag number the repositories it allows, as bits; 0 is "no tag". */
  readonly tags: readonly { readonly name: string; readonly repositories: number }[];
  /** Repositories that can be used, as bits. */
  readonly usable: number;
  /** Whose rules decide: those of apk-tools 2.14 (the default) or 3.0. */
  readonly generation?: Generation;
  /** Flags for everything in the world and below. */
  readonly flags?: number;
  /** Flags for single names. */
  readonly nameFlags?: ReadonlyMap<string, number>;
}

/** The outcome: changes in the order in which they must be made, and whether the world is broken. */
export interface Solution {
  readonly errors: number;
  readonly changes: readonly Change[];
  readonly world: readonly Requirement[];
  readonly generation: Generation;
}

/** Bit 0 of a pinning mask: repositories without a tag. */
const DEFAULT_PINNING = 1;

/** Solves a world; an outcome with errors must not be installed (see `explain`). */
export function solve(task: Task): Solution {
  return new Solver(task).solve();
}

/** The lowest set bit, counted from 1; 0 for none (ffs). */
const lowest = (bits: number) => (bits === 0 ? 0 : 32 - Math.clz32(bits & -bits));

class Solver {
  private readonly task: Task;
  private readonly generation: Generation;
  private readonly defaultRepositories: number;
  private readonly dirty: Name[] = [];
  private dirtyAt = 0;
  private readonly waiting: Waiting;
  private discovered = 0;
  private errors = 0;
  private worldFlags = 0;
  private worldPinning = 0;

  constructor(task: Task) {
    this.task = task;
    this.generation = task.generation ?? 2;
    this.waiting = this.generation === 3 ? new InOrder() : new ByPressure();
    this.defaultRepositories = this.repositoriesOf(DEFAULT_PINNING);
  }

  solve(): Solution {
    const { universe } = this.task;
    const world = this.task.world
      .map((dependency) => universe.require(dependency))
      .sort((a, b) => (this.generation === 3 ? displayOrder(a.name, b.name) : byteOrder(a.name, b.name)));
    this.worldFlags = this.task.flags ?? 0;
    for (const { target } of world) this.discover(target);
    universe.linkDependants();
    for (const [name, flags] of this.task.nameFlags ?? [])
      for (const { candidate } of universe.name(name).providers) {
        candidate!.flags |= flags;
        candidate!.flagsInherited |= flags;
      }
    for (const requirement of world) {
      this.worldPinning = 2 ** this.tagNumber(requirement.tag);
      this.apply(undefined, requirement);
    }
    this.worldFlags = 0;
    this.worldPinning = 0;
    for (;;) {
      while (this.dirtyAt < this.dirty.length) {
        const name = this.dirty[this.dirtyAt++]!;
        if (!name.queued) continue;
        name.queued = false;
        this.reconsider(name);
      }
      const next = this.waiting.next();
      if (next === undefined) break;
      this.decide(next);
    }
    const changes = changesOf(universe, world, {
      generation: this.generation,
      fault: (candidate) => this.fault(candidate),
      tagOf: (candidate) => this.tagOf(candidate),
    });
    return { errors: this.errors, changes, world, generation: this.generation };
  }

  private tagNumber(tag: string | undefined): number {
    if (tag === undefined) return 0;
    const number = this.task.tags.findIndex((one) => one.name === tag);
    if (number < 0) throw new RangeError(`the tag @${tag} was not declared`);
    return number;
  }

  private repositoriesOf(pinning: number): number {
    let bits = 0;
    for (const [i, tag] of this.task.tags.entries()) if (pinning & (2 ** i)) bits |= tag.repositories;
    return bits;
  }

  private repositoriesWith(candidate: Candidate): number {
    const { installedTag } = candidate;
    return candidate.repositories | (installedTag === undefined ? 0 : this.task.tags[installedTag]!.repositories);
  }

  /** The tag that a chosen package is recorded with. */
  private tagOf(candidate: Candidate): number {
    const repositories = this.repositoriesWith(candidate);
    for (const [i, tag] of this.task.tags.entries())
      if (candidate.pinningAllowed & (2 ** i) && tag.repositories & repositories) return i;
    return 0;
  }

  private fault(candidate: Candidate | undefined): void {
    if (candidate === undefined || candidate.broken) return;
    candidate.broken = true;
    this.errors++;
  }

  private queue(name: Name): void {
    if (name.queued || name.decided || (name.requirers === 0 && !name.recheckInstallIf)) return;
    name.queued = true;
    this.dirty.push(name);
  }

  private recheckDependants(name: Name): void {
    for (const one of name.dependants) {
      if (!one.discovered) continue;
      one.recheckDepends = true;
      this.queue(one);
    }
  }

  private recheckTriggered(name: Name): void {
    for (const one of name.triggered) {
      if (!one.discovered || one.sleeps) continue;
      one.recheckInstallIf = true;
      this.queue(one);
    }
  }

  /** apk 3 also wakes what waits for a name that the package provides. */
  private recheckTriggeredBy(candidate: Candidate): void {
    this.recheckTriggered(candidate.name);
    if (this.generation === 3) for (const { target } of candidate.provides) this.recheckTriggered(target);
  }

  private drop(candidate: Candidate): void {
    candidate.selectable = false;
    this.recheckDependants(candidate.name);
    for (const { target } of candidate.provides) this.recheckDependants(target);
    this.recheckTriggeredBy(candidate);
  }

  private satisfiable(requirement: Requirement, of: Candidate): boolean {
    const { target } = requirement;
    if (target.decided) return provides(requirement, target.chosen, of);
    if (target.requirers === 0 && requirement.conflict) return true;
    for (const provider of target.providers)
      if (provider.candidate!.selectable && provides(requirement, provider, of)) return true;
    return false;
  }

  /** Visits everything that a name could pull in, depth first, with an explicit stack. */
  private discover(first: Name): void {
    if (first.discovered) return;
    const discovering = (name: Name) =>
      this.generation === 3 ? this.discoveringInOrder(name) : this.discovering(name);
    const stack: Generator<Name, void>[] = [discovering(first)];
    while (stack.length > 0) {
      const step = stack[stack.length - 1]!.next();
      if (step.done) stack.pop();
      else if (!step.value.discovered) stack.push(discovering(step.value));
    }
  }

  /** What is known of a candidate before anything is decided. */
  private begin(one: Candidate): void {
    one.discovered = true;
    this.task.universe.relations(one);
    one.pinningAllowed = DEFAULT_PINNING;
    one.available = (one.repositories & this.task.usable & ~1) !== 0;
    const listed = (one.repositories & this.task.usable) !== 0 || one.installed;
    // apk 3: a package without content needs no repository
    one.selectable = one.usable && (listed || (this.generation === 3 && one.record.installedSize === 0));
    one.asleep = one.installIf.length === 0 || ((this.worldFlags & AVAILABLE) !== 0 && !one.available);
    one.tagPreferred = one.record.installedSize === 0 || (this.repositoriesWith(one) & this.defaultRepositories) !== 0;
    one.tagAllowed = one.tagPreferred || one.installed;
  }

  /**
   * apk 3: of the names that wait, those of the command line are decided first, then those with packages of their own, then
   * those that were discovered last, which are not needed by others before them.
   */
  private *discoveringInOrder(name: Name): Generator<Name, void> {
    name.discovered = true;
    name.sleeps = true;
    for (const { candidate } of name.providers) {
      const one = candidate!;
      if (!one.discovered) {
        this.begin(one);
        for (const { target } of one.depends) yield target;
      }
      name.sleeps = name.sleeps && one.asleep;
    }
    yield* name.triggered;
    for (const { candidate } of name.providers) {
      yield* candidate!.name.triggered;
      for (const { target } of candidate!.provides) yield target;
    }
    const named = this.task.nameFlags?.has(name.name) ?? false;
    const ownPackage = name.providers.some(({ candidate }) => candidate!.name === name);
    name.order = (named ? 2 ** 31 : 0) + (ownPackage ? 2 ** 30 : 0) + ++this.discovered;
    for (const { candidate } of name.providers) for (const { target } of candidate!.installIf) yield target;
  }

  private *discovering(name: Name): Generator<Name, void> {
    name.discovered = true;
    name.sleeps = true;
    for (const { candidate } of name.providers) {
      const one = candidate!;
      if (!one.discovered) {
        this.begin(one);
        for (const { target } of one.depends) {
          if (!target.discovered) yield target;
          one.chain = Math.max(one.chain, target.chain + 1);
        }
        // a package can satisfy the install_if of others even when its own name is not required
        for (const woken of one.name.triggered) if (!woken.discovered) yield woken;
        for (const { target } of one.provides) for (const woken of target.triggered) if (!woken.discovered) yield woken;
      }
      name.sleeps = name.sleeps && one.asleep;
      name.chain = Math.max(name.chain, one.chain);
    }
    for (const one of name.triggered) if (!one.discovered) yield one;
  }

  private requirersChanged(name: Name): void {
    this.waiting.changed(name);
    this.recheckTriggered(name);
    this.queue(name);
  }

  /** Pinning and flags are passed from a package to what it pulls in. */
  private inherit(to: Candidate, from: Candidate | undefined): void {
    const repositories = this.repositoriesWith(to);
    if (from !== undefined) {
      to.flags |= from.flagsInherited;
      to.flagsInherited |= from.flagsInherited;
      to.pinningAllowed |= from.pinningAllowed;
    } else {
      to.flags |= this.worldFlags;
      to.flagsInherited |= this.worldFlags;
      to.pinningAllowed |= this.worldPinning;
      to.tagPreferred = (repositories & this.repositoriesOf(this.worldPinning)) !== 0;
    }
    if (repositories & this.repositoriesOf(to.pinningAllowed)) to.tagAllowed = true;
  }

  private apply(from: Candidate | undefined, requirement: Requirement): void {
    const { target } = requirement;
    if (!requirement.conflict && ++target.requirers === 1) this.requirersChanged(target);
    for (const provider of target.providers) {
      const candidate = provider.candidate!;
      const good = provides(requirement, provider, from);
      if (!good) candidate.conflicts++;
      if (candidate.selectable && candidate.conflicts > 0) this.drop(candidate);
      if (good) this.inherit(candidate, from);
    }
  }

  /** Excludes every provider of `name` that does not provide `must`. */
  private excludeOthers(name: Name, must: Name, skipVirtual: boolean): void {
    if (name === must) return;
    for (const { candidate, version } of name.providers) {
      const one = candidate!;
      if (one.name === must || !one.selectable || (skipVirtual && version === undefined)) continue;
      if (one.provides.some((d) => d.target === must || (skipVirtual && d.version === undefined))) continue;
      this.drop(one);
    }
  }

  private reconsider(name: Name): void {
    const { recheckDepends, recheckInstallIf } = name;
    name.recheckDepends = false;
    name.recheckInstallIf = false;
    let first: Candidate | undefined;
    let options = 0;
    let tagless = 0;
    let wakes = false;
    let sleeps = true;
    let automatic = false;
    const merge = (field: 'sharedDepends' | 'sharedProvides', of: Name): boolean => {
      if (of[field] !== options) return false;
      of[field] = options + 1;
      return true;
    };
    for (const provider of name.providers) {
      const one = provider.candidate!;
      one.merged = false;
      if (!one.selectable) continue;
      if (recheckDepends && !one.depends.every((requirement) => this.satisfiable(requirement, one))) this.drop(one);
      if (!one.selectable) continue;
      if (recheckInstallIf) this.recheckWaking(one);
      wakes ||= one.woken;
      sleeps &&= one.asleep;
      if (name.requirers === 0) continue;
      one.merged = true;
      first ??= one;
      for (const { conflict, target } of one.depends) if (!conflict) merge('sharedDepends', target);
      if (merge('sharedProvides', one.name) && provider.version === undefined) one.name.sharedVirtual = true;
      for (const { target, version } of one.provides)
        if (merge('sharedProvides', target) && version === undefined) target.sharedVirtual = true;
      if (!one.tagAllowed) tagless++;
      options++;
      automatic ||= isAutomatic(provider);
    }
    name.open = options > 1 || tagless > 0;
    name.wakes = wakes;
    name.sleeps = sleeps;
    const turned = name.hasAutomatic !== (automatic || wakes);
    name.hasAutomatic = automatic || wakes;
    if (this.generation === 2) this.waiting.changed(name);
    if (first !== undefined) this.propagate(name, first, options);
    name.dependantsDone = name.dependants.every((one) => !one.discovered || one.decided);
    if (this.generation === 3) this.waiting.changed(name, turned);
  }

  private recheckWaking(one: Candidate): void {
    if (!one.woken && !one.asleep) {
      one.woken = true;
      for (const requirement of one.installIf) {
        const { target } = requirement;
        if (target.decided && provides(requirement, target.chosen, one)) continue;
        // apk 3 decides that a name stays away although nothing asks for it
        if (this.generation === 3 && requirement.conflict && !target.decided) {
          target.awaited = true;
          this.waiting.changed(target);
        }
        one.woken = false;
        one.asleep = target.decided;
        break;
      }
    }
    if (one.woken) for (const { target } of one.installIf) this.inherit(one, target.chosen.candidate);
  }

  /** Requires what all remaining candidates of a name have in common. */
  private propagate(name: Name, first: Candidate, options: number): void {
    for (const { candidate } of name.providers) candidate!.mergedLast = candidate!.merged;
    const complete = (field: 'sharedDepends' | 'sharedProvides', of: Name): boolean => {
      const all = of[field] === options;
      of[field] = 0;
      return all;
    };
    for (const requirement of first.depends) {
      const { target } = requirement;
      if (!complete('sharedDepends', target)) continue;
      if (options === 1) {
        this.apply(first, requirement);
      } else if (target.requirers === 0) {
        target.requirers++;
        this.requirersChanged(target);
        for (const { candidate } of target.providers) this.inherit(candidate!, first);
      }
    }
    if (complete('sharedProvides', first.name)) this.excludeOthers(first.name, name, first.name.sharedVirtual);
    for (const { target } of first.provides)
      if (complete('sharedProvides', target)) this.excludeOthers(target, name, target.sharedVirtual);
    first.name.sharedVirtual = false;
    for (const { target } of first.provides) target.sharedVirtual = false;
  }

  private better(a: Provider, b: Provider): number {
    const x = a.candidate;
    const y = b.candidate;
    if (x === undefined || y === undefined) return Number(x !== undefined) - Number(y !== undefined);
    const flags = x.flags | y.flags;
    const more = (field: 'selectable' | 'mergedLast' | 'tagAllowed' | 'available' | 'tagPreferred' | 'installed') =>
      Number(x[field]) - Number(y[field]);
    let order: number;
    if (flags & LATEST && x.pinningAllowed === DEFAULT_PINNING && y.pinningAllowed === DEFAULT_PINNING) {
      order =
        more('tagAllowed') || (flags & AVAILABLE ? more('available') : flags & REINSTALL ? more('selectable') : 0);
    } else {
      order =
        more('selectable') ||
        more('mergedLast') ||
        y.conflicts - x.conflicts ||
        more('tagAllowed') ||
        (flags & AVAILABLE ? more('available') : 0) ||
        more('tagPreferred') ||
        (this.generation === 3
          ? flags & (REMOVED | UPGRADE) || (x.name !== y.name && a.version === undefined && b.version === undefined)
            ? 0
            : more('installed')
          : (y.flags & REMOVED) - (x.flags & REMOVED) || (flags & UPGRADE ? 0 : more('installed')));
    }
    if (order !== 0) return order;
    if (a.version !== undefined && b.version !== undefined) order = compareVersions(a.version, b.version);
    if (order !== 0) return order;
    if (x.name === y.name) order = compareVersions(x.record.version, y.record.version);
    const priority = x.record.providerPriority - y.record.providerPriority;
    return (
      order ||
      (this.generation === 3 ? priority || (flags & REMOVED ? 0 : more('installed')) : more('installed') || priority) ||
      more('selectable') ||
      lowest(y.repositories) - lowest(x.repositories)
    );
  }

  private decide(name: Name): void {
    let chosen: Provider = NOBODY;
    if (name.requirers > 0 || name.wakes)
      for (const provider of name.providers) {
        const one = provider.candidate!;
        if (name.requirers === 0 && (!one.woken || !one.tagAllowed)) continue;
        if (this.generation === 3 && name.requirers === 0 && !one.selectable) continue;
        if (!isAutomatic(provider)) continue;
        if (this.better(provider, chosen) > 0) chosen = provider;
      }
    const one = chosen.candidate;
    if (one === undefined) {
      this.assign(name, NOBODY);
      if (name.requirers > 0) this.errors++;
      return;
    }
    if (!one.selectable || !one.tagAllowed) this.fault(one);
    this.assign(one.name, { candidate: one, version: one.record.version });
    for (const { target, version } of one.provides) this.assign(target, { candidate: one, version });
    for (const requirement of one.depends) this.apply(one, requirement);
  }

  private assign(name: Name, provider: Provider): void {
    if (name.decided) {
      if (provider.version === undefined && name.chosen.version === undefined) return;
      this.fault(provider.candidate);
      this.fault(name.chosen.candidate);
      return;
    }
    name.decided = true;
    name.chosen = provider;
    this.waiting.remove(name);
    name.queued = false;
    const { candidate: chosen } = provider;
    // apk 3: what was installed because of others keeps them
    if (this.generation === 3 && chosen?.woken && name.requirers === 0)
      for (const requirement of chosen.installIf) if (!requirement.target.decided) this.apply(chosen, requirement);
    for (const { candidate, version } of name.providers) {
      if (candidate === provider.candidate) continue;
      if (provider.version === undefined && version === undefined) continue;
      this.drop(candidate!);
    }
    this.recheckDependants(name);
    if (this.generation === 3 && chosen !== undefined) this.recheckTriggeredBy(chosen);
    else this.recheckTriggered(name);
  }
}

/** A name without a version is provided only by what something asks for by its own name, or by a priority. */
function isAutomatic({ candidate, version }: Provider): boolean {
  return version !== undefined || candidate!.name.requirers > 0 || candidate!.record.providerPriority !== 0;
}

const byteOrder = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** apk 3's order of names: without regard to case first. */
function displayOrder(a: string, b: string): number {
  const lower = (text: string) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return byteOrder(lower(a), lower(b)) || byteOrder(a, b);
}
