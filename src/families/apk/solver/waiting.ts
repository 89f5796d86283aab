import type { Name } from './names.ts';

/** Names that wait for a decision, and which of them is decided next: apk-tools 2.14 and 3.0 have different orders. */
export interface Waiting {
  /** Something that matters for its place has changed; `anew` when it must be placed again in any case. */
  changed(name: Name, anew?: boolean): void;
  /** The name to decide next. */
  next(): Name | undefined;
  /** It is decided. */
  remove(name: Name): void;
}

/** apk-tools 2.14: what something requires first, then what has packages of its own, then what most depends on. */
export class ByPressure implements Waiting {
  /** Newest last: apk looks at the newest first. */
  private readonly undecided = new Set<Name>();

  changed(name: Name): void {
    if (name.decided) return;
    if (name.requirers > 0 || name.wakes) this.undecided.add(name);
    else this.undecided.delete(name);
  }

  next(): Name | undefined {
    let best: Name | undefined;
    let forced: Name | undefined;
    for (const name of this.undecided) {
      if (name.dependantsDone && !name.open) forced = name;
      if (best === undefined || pressure(name, best) <= 0) best = name;
    }
    return forced ?? best;
  }

  remove(name: Name): void {
    this.undecided.delete(name);
  }
}

/** Negative when `a` must be decided before `b`. */
function pressure(a: Name, b: Name): number {
  const required = Number(b.requirers > 0) - Number(a.requirers > 0);
  return required || a.virtual - b.virtual || b.chain - a.chain;
}

/**
 * apk-tools 3.0: first what has one candidate left and whose dependants are decided, then what has a candidate that may be
 * chosen without being named, then the rest; of the last two the one with the highest `Name.order`.
 */
export class InOrder implements Waiting {
  private readonly now: Name[] = [];
  private nowAt = 0;
  private readonly heaps = { automatic: new Heap(), other: new Heap() };

  changed(name: Name, anew = false): void {
    if (name.decided || name.list === 'now') return;
    const ready = name.dependantsDone && name.requirers > 0 && name.hasAutomatic && !name.open;
    if (name.list !== undefined) {
      if (!ready && !anew) return;
    } else if (name.requirers === 0 && !name.wakes && !name.awaited) return;
    if (ready) {
      name.list = 'now';
      this.now.push(name);
      return;
    }
    const list = name.hasAutomatic ? 'automatic' : 'other';
    if (name.list === list) return;
    name.list = list;
    this.heaps[list].push(name);
  }

  next(): Name | undefined {
    while (this.nowAt < this.now.length) {
      const name = this.now[this.nowAt++]!;
      if (name.list === 'now') return this.taken(name);
    }
    for (const list of ['automatic', 'other'] as const)
      for (let name = this.heaps[list].pop(); name !== undefined; name = this.heaps[list].pop())
        if (name.list === list) return this.taken(name);
    return undefined;
  }

  remove(name: Name): void {
    name.list = undefined;
  }

  private taken(name: Name): Name {
    name.list = undefined;
    return name;
  }
}

/** A binary heap of names, the highest order first. A name that has moved to another list stays until it is taken out. */
class Heap {
  private readonly names: Name[] = [];

  push(name: Name): void {
    const { names } = this;
    let at = names.push(name) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (names[above]!.order >= name.order) break;
      names[at] = names[above]!;
      at = above;
    }
    names[at] = name;
  }

  pop(): Name | undefined {
    const { names } = this;
    const first = names[0];
    const last = names.pop();
    if (last === undefined || names.length === 0) return first;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= names.length) break;
      if (below + 1 < names.length && names[below + 1]!.order > names[below]!.order) below++;
      if (names[below]!.order <= last.order) break;
      names[at] = names[below]!;
      at = below;
    }
    names[at] = last;
    return first;
  }
}
