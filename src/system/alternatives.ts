import { dirname } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';
import { type ConfigureContext, ensureDirectory, lines, putLink, putText, warn } from './context.ts';

/** update-alternatives(1): links in /etc/alternatives, and a state file for each name in a folder of the family. */

const LINKS = 'etc/alternatives';

/** One `--install` call: LINK NAME PATH PRIORITY and its slaves. */
export interface Alternative {
  readonly link: string;
  readonly name: string;
  readonly path: string;
  readonly priority: number;
  readonly slaves?: readonly { readonly link: string; readonly name: string; readonly path: string }[];
}

interface Choice {
  readonly path: string;
  priority: number;
  /** Slave name to path. */
  slaves: Map<string, string>;
}

interface AlternativeGroup {
  status: 'auto' | 'manual';
  link: string;
  /** Slave name to link. */
  slaves: Map<string, string>;
  choices: Choice[];
}

/** The alternatives of a tree whose state is in the folder `admin`, such as `var/lib/dpkg/alternatives`. */
export class Alternatives {
  readonly #tree: Tree;
  readonly #context: ConfigureContext;
  readonly #admin: string;

  constructor(tree: Tree, context: ConfigureContext, admin: string) {
    this.#tree = tree;
    this.#context = context;
    this.#admin = admin;
  }

  /** Names of all groups, in byte order. */
  names(): string[] {
    return this.#tree.list(this.#admin);
  }

  /** The group of that name. */
  group(name: string): AlternativeGroup | undefined {
    const text = this.#tree.text(`${this.#admin}/${name}`);
    const group = text === undefined ? undefined : parseGroup(text);
    // a file without choices is damaged: the real program does not write one
    return group?.choices.length === 0 ? undefined : group;
  }

  /** The path that the name's link points to. */
  current(name: string): string | undefined {
    const link = this.#tree.lstat(`${LINKS}/${name}`);
    return link?.kind === 'symlink' ? link.target : undefined;
  }

  /** `update-alternatives --install`. False (with a warning) when the path is not in the tree. */
  install(alternative: Alternative): boolean {
    if (!this.#tree.has(alternative.path)) {
      warn(this.#context, 'ALTERNATIVE_MISSING', { name: alternative.name, path: alternative.path });
      return false;
    }
    const group: AlternativeGroup = this.group(alternative.name) ?? {
      status: 'auto',
      link: alternative.link,
      slaves: new Map(),
      choices: [],
    };
    group.link = alternative.link;
    let choice = group.choices.find((one) => one.path === alternative.path);
    if (choice === undefined) {
      choice = { path: alternative.path, priority: alternative.priority, slaves: new Map() };
      group.choices.push(choice);
    }
    choice.priority = alternative.priority;
    choice.slaves = new Map();
    for (const slave of alternative.slaves ?? []) {
      group.slaves.set(slave.name, slave.link);
      choice.slaves.set(slave.name, slave.path);
    }
    this.#apply(alternative.name, group);
    return true;
  }

  /** `update-alternatives --set`: selects that choice regardless of priorities. False when there is no such choice. */
  set(name: string, path: string): boolean {
    const group = this.group(name);
    if (group === undefined || !group.choices.some((choice) => choice.path === path)) return false;
    group.status = 'manual';
    this.#apply(name, group, path);
    return true;
  }

  /** `update-alternatives --auto`: back to the highest priority. False when there is no such group. */
  auto(name: string): boolean {
    const group = this.group(name);
    if (group === undefined) return false;
    group.status = 'auto';
    this.#apply(name, group);
    return true;
  }

  /** `update-alternatives --remove`: a group without choices is removed with its links. */
  remove(name: string, path: string): void {
    const group = this.group(name);
    if (group === undefined) return;
    const before = group.choices.length;
    group.choices = group.choices.filter((choice) => choice.path !== path);
    if (group.choices.length === before) return;
    if (this.current(name) === path) group.status = 'auto';
    if (group.choices.length > 0) {
      this.#apply(name, group);
      return;
    }
    for (const [slave, link] of [[name, group.link] as const, ...group.slaves]) removeLink(this.#tree, slave, link);
    this.#tree.remove(`${this.#admin}/${name}`);
  }

  /** Writes a group's file and its links. */
  #apply(name: string, group: AlternativeGroup, forced?: string): void {
    const tree = this.#tree;
    const context = this.#context;
    // remove slaves that no choice offers any more
    for (const [slave, link] of group.slaves) {
      if (group.choices.some((choice) => choice.slaves.has(slave))) continue;
      group.slaves.delete(slave);
      removeLink(tree, slave, link);
    }
    const slaves = [...group.slaves].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    const current = forced ?? this.current(name);
    // on equal priority the current choice stays
    let best = group.choices.find((choice) => choice.path === current) ?? group.choices[0]!;
    for (const choice of group.choices) if (choice.priority > best.priority) best = choice;
    if (group.status === 'manual') best = group.choices.find((choice) => choice.path === current) ?? best;

    const choices = [...group.choices].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
    const rows = [group.status, group.link];
    for (const [slave, link] of slaves) rows.push(slave, link);
    rows.push('');
    for (const choice of choices) {
      rows.push(choice.path, String(choice.priority));
      for (const [slave] of slaves) rows.push(choice.slaves.get(slave) ?? '');
    }
    rows.push('');
    putText(tree, context, `${this.#admin}/${name}`, rows.map((row) => `${row}\n`).join(''));

    ensureDirectory(tree, context, LINKS);
    makeLink(tree, context, name, group.link, best.path);
    for (const [slave, link] of slaves) {
      const target = best.slaves.get(slave);
      // no link for a manual page that was trimmed, or in a missing directory
      if (target !== undefined && tree.has(target) && tree.stat(dirname(link))?.kind === 'directory')
        makeLink(tree, context, slave, link, target);
      else removeLink(tree, slave, link);
    }
  }
}

/** Reads a state file: status and link, slaves with their links, then each choice with its priority and slaves. */
function parseGroup(text: string): AlternativeGroup {
  const rows = lines(text);
  let at = 2;
  const group: AlternativeGroup = {
    status: rows[0] === 'manual' ? 'manual' : 'auto',
    link: rows[1] ?? '',
    slaves: new Map(),
    choices: [],
  };
  while (at < rows.length && rows[at] !== '') {
    group.slaves.set(rows[at]!, rows[at + 1] ?? '');
    at += 2;
  }
  at++;
  while (at < rows.length && rows[at] !== '') {
    const choice: Choice = { path: rows[at]!, priority: Number(rows[at + 1]), slaves: new Map() };
    at += 2;
    for (const slave of group.slaves.keys()) {
      if (rows[at] !== undefined && rows[at] !== '') choice.slaves.set(slave, rows[at]!);
      at++;
    }
    group.choices.push(choice);
  }
  return group;
}

function makeLink(tree: Tree, context: ConfigureContext, name: string, link: string, target: string): void {
  const present = tree.lstat(link);
  if (present !== undefined && present.kind !== 'symlink') {
    warn(context, 'ALTERNATIVE_BLOCKED', { name, link });
    return;
  }
  putLink(tree, context, `${LINKS}/${name}`, target);
  putLink(tree, context, link, `/${LINKS}/${name}`);
}

function removeLink(tree: Tree, name: string, link: string): void {
  const present = tree.lstat(link);
  if (present?.kind === 'symlink' && present.target === `/${LINKS}/${name}`) tree.remove(link);
  tree.remove(`${LINKS}/${name}`);
}
