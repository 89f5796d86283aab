import { type Generation, REINSTALL } from './flags.ts';
import { type Candidate, type Name, provides, type Requirement, type Universe } from './names.ts';

/** One step from what is installed to what was chosen. */
export interface Change {
  readonly from: Candidate | undefined;
  readonly to: Candidate | undefined;
  /** Tag number that the package is recorded with. */
  readonly tag: number;
  readonly reinstall: boolean;
}

/** True for a step that does something. */
export function isStep(change: Change): boolean {
  const { from, to } = change;
  return from !== to || change.reinstall || (from !== undefined && from.installedTag !== change.tag);
}

/** What the list of changes needs from the solver. */
interface Verdict {
  readonly generation: Generation;
  fault(candidate: Candidate | undefined): void;
  tagOf(candidate: Candidate): number;
}

/**
 * Lists the changes in apk's order: for each requirement of the world in turn its dependencies first, then the package,
 * then what its presence pulls in (install_if); packages no longer needed are removed with their last user.
 */
export function changesOf(universe: Universe, world: readonly Requirement[], verdict: Verdict): Change[] {
  return new Changes(universe, verdict).of(world);
}

class Changes {
  private readonly universe: Universe;
  private readonly verdict: Verdict;
  private readonly changes: Change[] = [];
  /** How many installed or chosen packages need an installed one, by its own name. */
  private readonly users = new Map<Name, number>();

  constructor(universe: Universe, verdict: Verdict) {
    this.universe = universe;
    this.verdict = verdict;
  }

  of(world: readonly Requirement[]): Change[] {
    const { installed } = this.universe;
    for (const one of installed) {
      this.universe.relations(one);
      one.name.installed = one;
      one.name.installedUnder = one.name;
      for (const { target, version } of one.provides) if (version !== undefined) target.installedUnder = one.name;
    }
    for (const one of installed) this.gained(one);
    for (const one of installed)
      if ((this.users.get(one.name) ?? 0) === 0 && one.name.chosen.candidate === undefined) this.remove(one);
    for (const requirement of world) this.require(undefined, requirement);
    for (const one of installed) this.change(one.name);
    return this.changes;
  }

  private record(from: Candidate | undefined, to: Candidate | undefined): void {
    this.changes.push({
      from,
      to,
      tag: to === undefined ? 0 : this.verdict.tagOf(to),
      reinstall: to !== undefined && (to.flags & REINSTALL) !== 0,
    });
  }

  private gained(one: Candidate): void {
    for (const { conflict, target } of one.depends)
      if (!conflict && target.installedUnder !== undefined)
        this.users.set(target.installedUnder, (this.users.get(target.installedUnder) ?? 0) + 1);
  }

  private lost(one: Candidate): void {
    for (const { conflict, target } of one.depends) {
      if (conflict || target.installedUnder === undefined) continue;
      const left = (this.users.get(target.installedUnder) ?? 0) - 1;
      this.users.set(target.installedUnder, left);
      if (left <= 0 && target.installed !== undefined) this.remove(target.installed);
    }
  }

  private require(by: Candidate | undefined, requirement: Requirement): void {
    const { target } = requirement;
    if (!provides(requirement, target.chosen, by)) this.verdict.fault(by);
    this.change(target);
    if (target.chosen.candidate?.broken) this.verdict.fault(by);
  }

  private orphan(name: Name): void {
    if (name.changed) return;
    name.changed = true;
    if (name.installed !== undefined && name.chosen.candidate?.name !== name) this.remove(name.installed);
    if (this.verdict.generation === 3) {
      for (const { candidate } of name.providers) {
        const own = candidate!.name;
        if (own.installed === candidate && own.chosen.candidate === undefined) this.remove(candidate!);
      }
      return;
    }
    // the previous provider of the name is removed first when it conflicts with the new one
    const before = name.installedUnder?.installed;
    if (before !== undefined && name.chosen.version !== undefined && before !== name.chosen.candidate)
      if (before.name.chosen.candidate === undefined) this.remove(before);
  }

  /** Depth first, with an explicit stack: chains of dependencies may have thousands of links. */
  private change(first: Name): void {
    const stack: Generator<Name, void>[] = [this.changing(first)];
    while (stack.length > 0) {
      const step = stack[stack.length - 1]!.next();
      if (step.done) stack.pop();
      else stack.push(this.changing(step.value));
    }
  }

  private *changing(name: Name): Generator<Name, void> {
    if (name.changed) return;
    this.orphan(name);
    const to = name.chosen.candidate;
    if (to === undefined || to.changed) return;
    to.changed = true;
    this.orphan(to.name);
    for (const { target } of to.provides) this.orphan(target);
    const from = to.name.installed;
    if (from !== undefined) for (const one of this.triggeredBy(from)) this.removeUnwoken(one);
    for (const requirement of to.depends) {
      const { target } = requirement;
      if (!provides(requirement, target.chosen, to)) this.verdict.fault(to);
      yield target;
      if (target.chosen.candidate?.broken) this.verdict.fault(to);
    }
    this.record(from, to);
    for (const one of this.triggeredBy(to)) if (this.woken(one)) yield one;
    this.gained(to);
    if (from !== undefined) this.lost(from);
  }

  /** What waits for a package; for apk 3 also what waits for a name that it provides. */
  private *triggeredBy(one: Candidate): Generator<Name, void> {
    yield* one.name.triggered;
    if (this.verdict.generation === 3) for (const { target } of one.provides) yield* target.triggered;
  }

  private woken(name: Name): boolean {
    const one = name.chosen.candidate;
    if (one === undefined || !name.discovered || name.changed) return false;
    const seen = (d: Requirement) => d.target.changed || (d.conflict && this.verdict.generation === 3);
    return one.installIf.every((d) => seen(d) && provides(d, d.target.chosen, one));
  }

  private removeUnwoken(name: Name): void {
    const one = name.installed;
    if (one === undefined || name.changed || name.removed || name.chosen.candidate !== undefined) return;
    const three = this.verdict.generation === 3;
    const gone = ({ target }: Requirement) =>
      (three ? target.removed : target.changed) && target.chosen.candidate === undefined;
    if (one.installIf.some(gone)) if ((this.users.get(name) ?? 0) === 0) this.remove(one);
  }

  private remove(one: Candidate): void {
    const { name } = one;
    if (one.changed || name.chosen.candidate?.name === name) return;
    // apk 3 looks at a removed name again when something provides it
    if (this.verdict.generation === 3) name.removed = true;
    else name.changed = true;
    one.changed = true;
    for (const user of this.installedUsers(one)) this.remove(user);
    for (const other of this.triggeredBy(one)) this.removeUnwoken(other);
    this.record(one, undefined);
    this.lost(one);
  }

  /** Installed packages with a dependency that this one satisfies. */
  private installedUsers(one: Candidate): Candidate[] {
    const names = new Map<Name, string | undefined>([[one.name, one.record.version]]);
    for (const { target, version } of one.provides) if (!names.has(target)) names.set(target, version);
    return this.universe.installed.filter((user) =>
      user.depends.some(
        (d) =>
          !d.conflict && names.has(d.target) && provides(d, { candidate: one, version: names.get(d.target) }, user),
      ),
    );
  }
}
