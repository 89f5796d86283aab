import { dependencyText } from '../dependency.ts';
import { compareVersions } from '../version.ts';
import { type Candidate, Name, NOBODY, type Provider, provides, type Requirement } from './names.ts';
import type { Solution } from './solve.ts';

/**
 * Why a world has no solution, in apk's layout: for each name or package what is missing, what breaks and what requires
 * it.
 */
export function explain(
  solution: Solution,
  tags: readonly { readonly name: string; readonly repositories: number }[],
): string {
  return new Explanation(solution, tags).text();
}

/** apk's width where there is no terminal. */
const WIDTH = 50;

class Explanation {
  private readonly solution: Solution;
  private readonly tags: readonly { readonly name: string; readonly repositories: number }[];
  private readonly chosen: ReadonlySet<Candidate>;
  private readonly present = new Set<Name>();
  private readonly reported = new Set<Name>();
  private readonly lines: string[] = [];
  private title: string | undefined;

  constructor(solution: Solution, tags: readonly { readonly name: string; readonly repositories: number }[]) {
    this.solution = solution;
    this.tags = tags;
    this.chosen = new Set(solution.changes.flatMap(({ to }) => (to === undefined ? [] : [to])));
    for (const one of this.chosen) {
      this.present.add(one.name);
      for (const { target } of one.provides) this.present.add(target);
    }
  }

  text(): string {
    this.missing(this.solution.world);
    for (const one of this.chosen) this.package(one, this.solution.changes.find(({ to }) => to === one)!.tag);
    return this.lines.join('\n');
  }

  /** `label: item item`, wrapped; the title goes before the first label. */
  private list(label: string, items: readonly string[]): void {
    if (items.length === 0) return;
    if (this.title !== undefined) this.lines.push(`  ${this.title}:`);
    this.title = undefined;
    const indent = ' '.repeat(label.length + 6);
    let line = `    ${label}:`;
    let fresh = true;
    for (const item of items) {
      if (!fresh && line.length + item.length + 1 >= WIDTH) {
        this.lines.push(line);
        line = indent + item;
      } else line += ` ${item}`;
      fresh = false;
    }
    this.lines.push(line);
  }

  private missing(requirements: readonly Requirement[]): void {
    for (const { conflict, target } of requirements)
      if (!conflict && !this.present.has(target) && !this.reported.has(target)) {
        this.reported.add(target);
        this.name(target);
      }
  }

  private name(name: Name): void {
    if (name.providers.length === 0) this.title = `${name.name} (no such package)`;
    else {
      this.title = `${name.name} (virtual)`;
      this.list('note', "please select one of the 'provided by' packages explicitly".split(' '));
      const counts = new Map<Name, number>();
      for (const { candidate } of name.providers) counts.set(candidate!.name, (counts.get(candidate!.name) ?? 0) + 1);
      const names = name.providers.map(({ candidate }) =>
        counts.get(candidate!.name) === candidate!.name.providers.length ? candidate!.name.name : candidate!.label,
      );
      this.list('provided by', [...new Set(names)]);
    }
    const users = [...this.chosen]
      .sort((a, b) => Name.visitingOrder(a.name, b.name))
      .flatMap((user) => this.askedBy(user, name));
    this.list('required by', [...this.world((one) => one.target === name), ...users]);
  }

  private askedBy(user: Candidate, name: Name): string[] {
    const found = user.depends.find(({ conflict, target }) => !conflict && target === name);
    return found === undefined ? [] : [`${user.label}[${dependencyText(found)}]`];
  }

  private world(accept: (requirement: Requirement) => boolean): string[] {
    return this.solution.world.filter(accept).map((one) => `world[${dependencyText(one)}]`);
  }

  private package(one: Candidate, tag: number): void {
    this.title = one.label;
    const allowed = this.tags[0]!.repositories | this.tags[tag]!.repositories;
    if (!one.installed && (one.repositories & allowed) === 0)
      this.list(
        'masked in',
        this.tags.filter(({ repositories }) => repositories & one.repositories).map(({ name }) => `@${name}`),
      );
    this.list('conflicts', this.conflicts(one));
    this.list('breaks', this.users(one, false));
    if (this.title === undefined) this.list('satisfies', this.users(one, true));
    this.title = undefined;
    this.missing(one.depends);
  }

  private conflicts(one: Candidate): string[] {
    const found = one.name.providers.flatMap(({ candidate }) =>
      candidate !== one && this.chosen.has(candidate!) ? [candidate!.label] : [],
    );
    for (const { target, ...provided } of one.provides)
      for (const { candidate, version } of target.providers) {
        // twice the same name in two versions is a conflict with itself
        const other = candidate !== one || version !== provided.version || this.provided(one, target) > 1;
        const alike = version === undefined && provided.version === undefined;
        if (this.chosen.has(candidate!) && other && !alike)
          found.push(`${candidate!.label}[${dependencyText({ ...provided, version })}]`);
      }
    return [...new Set(found)];
  }

  private provided(one: Candidate, name: Name): number {
    return name.providers.filter(({ candidate }) => candidate === one).length;
  }

  /** What in the world and among the chosen packages requires a name of this package, satisfied by it (or not). */
  private users(one: Candidate, content: boolean): string[] {
    const names = new Map<Name, Provider>([[one.name, { candidate: one, version: one.record.version }]]);
    for (const { target, version } of one.provides)
      if (!names.has(target)) names.set(target, { candidate: one, version });
    const applies = (requirement: Requirement, by: Candidate | undefined) => {
      const provider = names.get(requirement.target) ?? NOBODY;
      return provider !== NOBODY && provides(requirement, provider, by) === content;
    };
    const found = this.world((requirement) =>
      content && requirement.conflict ? false : applies(requirement, undefined),
    );
    const seen = new Set<Candidate>();
    const inOrder = [...this.chosen].sort((a, b) => Name.visitingOrder(a.name, b.name));
    const users: { readonly user: Candidate; readonly text: string }[] = [];
    for (const name of names.keys())
      for (const user of inOrder) {
        if (seen.has(user) || !user.depends.some(({ target }) => target === name)) continue;
        const asked = user.depends.find((d) => !(content && d.conflict) && applies(d, user));
        if (asked === undefined) continue;
        seen.add(user);
        users.push({ user, text: `${user.label}[${dependencyText(asked)}]` });
      }
    // apk 3 lists them by name and version
    if (this.solution.generation === 3) users.sort((a, b) => byName(a.user, b.user));
    return [...found, ...users.map(({ text }) => text)];
  }
}

const byName = ({ record: a }: Candidate, { record: b }: Candidate) =>
  a.name === b.name ? compareVersions(a.version, b.version) : a.name < b.name ? -1 : 1;
