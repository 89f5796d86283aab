import type { Dependency } from '../dependency.ts';
import { compareVersions } from '../version.ts';
import { type Change, changesOf } from './changes.ts';
import { AVAILABLE, LATEST, REINSTALL, REMOVED, UPGRADE } from './flags.ts';
import {
  type Candidate,
  type Name,
  NOBODY,
  type Provider,
  provides,
  type Requirement,
  type Universe,
} from './names.ts';

/**
 * Chooses a package for each name as apk-tools 2.14 does. There is no backtracking: requirements are propagated down
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
  private readonly defaultRepositories: number;
  private readonly dirty: Name[] = [];
  private dirtyAt = 0;
  /** Newest last: apk looks at the newest first. */
  private readonly undecided = new Set<Name>();
  private errors = 0;
  private worldFlags = 0;
  private worldPinning = 0;

  constructor(task: Task) {
    this.task = task;
    this.defaultRepositories = this.repositoriesOf(DEFAULT_PINNING);
  }

  solve(): Solution {
    const { universe } = this.task;
    const world = this.task.world
      .map((dependency) => universe.require(dependency))
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
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
      const next = this.mostPressing();
      if (next === undefined) break;
      this.decide(next);
    }
    const changes = changesOf(universe, world, {
      fault: (candidate) => this.fault(candidate),
      tagOf: (candidate) => this.tagOf(candidate),
    });
    return { errors: this.errors, changes, world };
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

  private updateUndecided(name: Name): void {
    if (name.decided) return;
    if (name.requirers > 0 || name.wakes) this.undecided.add(name);
    else this.undecided.delete(name);
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

  private drop(candidate: Candidate): void {
    candidate.selectable = false;
    this.recheckDependants(candidate.name);
    for (const { target } of candidate.provides) this.recheckDependants(target);
    this.recheckTriggered(candidate.name);
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
    const stack: Generator<Name, void>[] = [this.discovering(first)];
    while (stack.length > 0) {
      const step = stack[stack.length - 1]!.next();
      if (step.done) stack.pop();
      else stack.push(this.discovering(step.value));
    }
  }

  private *discovering(name: Name): Generator<Name, void> {
    name.discovered = true;
    name.sleeps = true;
    for (const { candidate } of name.providers) {
      const one = candidate!;
      if (!one.discovered) {
        one.discovered = true;
        this.task.universe.relations(one);
        one.pinningAllowed = DEFAULT_PINNING;
        one.available = (one.repositories & this.task.usable & ~1) !== 0;
        one.selectable = one.usable && ((one.repositories & this.task.usable) !== 0 || one.installed);
        one.asleep = one.installIf.length === 0 || ((this.worldFlags & AVAILABLE) !== 0 && !one.available);
        one.tagPreferred =
          one.record.installedSize === 0 || (this.repositoriesWith(one) & this.defaultRepositories) !== 0;
        one.tagAllowed = one.tagPreferred || one.installed;
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
    this.updateUndecided(name);
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
    }
    name.open = options > 1 || tagless > 0;
    name.wakes = wakes;
    name.sleeps = sleeps;
    this.updateUndecided(name);
    if (first !== undefined) this.propagate(name, first, options);
    name.dependantsDone = name.dependants.every((one) => !one.discovered || one.decided);
  }

  private recheckWaking(one: Candidate): void {
    if (!one.woken && !one.asleep) {
      one.woken = true;
      for (const requirement of one.installIf) {
        const { target } = requirement;
        if (target.decided && provides(requirement, target.chosen, one)) continue;
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

  private mostPressing(): Name | undefined {
    let best: Name | undefined;
    let forced: Name | undefined;
    for (const name of this.undecided) {
      if (name.dependantsDone && !name.open) forced = name;
      if (best === undefined || pressure(name, best) <= 0) best = name;
    }
    return forced ?? best;
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
        (y.flags & REMOVED) - (x.flags & REMOVED) ||
        (flags & UPGRADE ? 0 : more('installed'));
    }
    if (order !== 0) return order;
    if (a.version !== undefined && b.version !== undefined) order = compareVersions(a.version, b.version);
    if (order !== 0) return order;
    if (x.name === y.name) order = compareVersions(x.record.version, y.record.version);
    return (
      order ||
      more('installed') ||
      x.record.providerPriority - y.record.providerPriority ||
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
        // a name without a version is provided only by what the user names, or by a priority (apk-tools 2.14)
        if (provider.version === undefined && one.name.requirers === 0 && one.record.providerPriority === 0) continue;
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
    this.undecided.delete(name);
    name.queued = false;
    for (const { candidate, version } of name.providers) {
      if (candidate === provider.candidate) continue;
      if (provider.version === undefined && version === undefined) continue;
      this.drop(candidate!);
    }
    this.recheckDependants(name);
    this.recheckTriggered(name);
  }
}

/** Negative when `a` must be decided before `b`. */
function pressure(a: Name, b: Name): number {
  const required = Number(b.requirers > 0) - Number(a.requirers > 0);
  return required || a.virtual - b.virtual || b.chain - a.chain;
}
